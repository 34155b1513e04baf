"""bench_report.py RESULTS "PEER PEER..." [JSON_FILE]: the tables of scripts/bench-peers.

RESULTS has lines of peer, metric and value. Exits with 1 if a target is missed."""
import json
import os
import platform
import statistics
import sys
from collections import defaultdict

TITLES = {
    "bridge": "Linux bridge",
    "ovs": "Open vSwitch *",
    "ovs-tso": "Open vSwitch TSO",
    "vxswitch": "vxswitch",
}
ROWS = [
    ("tcp", "TCP, same host, Gbit/s"),
    ("vxlan-tcp", "TCP, across VXLAN, Gbit/s"),
    ("kpps", "64-byte frames, same host, kpps"),
    ("kpps-offered", "  of so many offered, kpps"),
    ("ping", "ping, same host, 100 a second, median ms"),
    ("vxlan-ping", "ping, across VXLAN, 100 a second, median ms"),
    ("ping-fast", "  same host, 1000 a second"),
    ("vxlan-ping-fast", "  across VXLAN, 1000 a second"),
    ("tcp-cpu", "CPU of the switch, TCP, % of a core"),
    ("vxlan-tcp-cpu", "  across VXLAN"),
    ("kpps-cpu", "  64-byte frames"),
]


def main():
    values = defaultdict(list)
    with open(sys.argv[1], encoding="ascii") as f:
        for line in f:
            peer, metric, value = line.rstrip("\n").split("\t")
            if value:
                values[peer, metric].append(float(value))
    peers = sys.argv[2].split()
    median = {key: statistics.median(v) for key, v in values.items()}

    def cell(peer, metric):
        if (peer, metric) not in median:
            return "-"
        v = values[peer, metric]
        text = f"{median[peer, metric]:.10g}"
        return text if len(v) == 1 or min(v) == max(v) else f"{text} ({min(v):.10g}-{max(v):.10g})"

    print(f"\n{'median (least-most)':38}" + "".join(f"{TITLES[p]:>24}" for p in peers))
    for metric, title in ROWS:
        print(f"{title:38}" + "".join(f"{cell(p, metric):>24}" for p in peers))
    if "ovs" in peers:
        print("* with `ethtool -K eth1 tx off` in its containers: as installed, its TCP moves nothing.")
    print("Containers: MTU 1450 for the others, who lose TCP across the tunnel otherwise; 1500 for vxswitch.")

    missed = targets(median) if "vxswitch" in peers else 0
    if len(sys.argv) > 3 and sys.argv[3]:
        with open(sys.argv[3], "w", encoding="ascii") as f:
            json.dump({
                "machine": {"kernel": platform.release(), "cpus": os.cpu_count(), "processor": processor()},
                "values": {p: {m: v for (q, m), v in values.items() if q == p} for p in peers},
                "missed": missed,
            }, f, indent=1)
            f.write("\n")
    sys.exit(1 if missed else 0)


def targets(median):
    """Prints what is promised beside what was measured; the number of promises not kept."""
    def of(metric, *peers, best=max):
        found = [median[p, metric] for p in peers if (p, metric) in median]
        return best(found) if found else None

    rows = []

    def ratio(name, metric, others, limit, at_most=False, best=max):
        ours, theirs = of(metric, "vxswitch"), of(metric, *others, best=best)
        if ours is not None and theirs:
            r = ours / theirs
            rows.append((name, f"{r:.2f}", f"{'<=' if at_most else '>='} {limit}", r <= limit if at_most else r >= limit))

    ovs = ("ovs", "ovs-tso")
    ratio("TCP, same host / Linux bridge", "tcp", ("bridge",), 0.7)
    ratio("TCP, same host / Open vSwitch TSO", "tcp", ("ovs-tso",), 1.0)
    ratio("TCP across VXLAN / Open vSwitch, better mode", "vxlan-tcp", ovs, 6.0)
    ratio("64-byte frames / Open vSwitch, better mode", "kpps", ovs, 1.6)
    ratio("ping, same host / Open vSwitch, better mode", "ping", ovs, 0.5, at_most=True, best=min)
    ratio("ping across VXLAN / Open vSwitch, better mode", "vxlan-ping", ovs, 0.5, at_most=True, best=min)
    for metric, name, limit in (("idle-cpu", "idle, 100 ports: % of a core", 0.5), ("idle-mb", "idle, 100 ports: MB", 100)):
        if ("vxswitch", metric) in median:
            value = median["vxswitch", metric]
            rows.append((name, f"{value:g}", f"< {limit}", value < limit))
    print(f"\n{'vxswitch':48}{'measured':>10}{'target':>10}")
    for name, got, want, kept in rows:
        print(f"{name:48}{got:>10}{want:>10}  {'pass' if kept else 'FAIL'}")
    return sum(not kept for *_, kept in rows)


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        return next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), "unknown")


main()
