"""flow_mods_report.py RESULTS [JSON_FILE]: the tables of scripts/bench-flow-mods.

RESULTS has lines of peer, way and what the client printed. Exits with 1 if a target is missed."""
import json
import os
import platform
import statistics
import sys
from collections import defaultdict

PHASES = ["add", "modify-strict", "modify", "delete-strict", "add-again", "delete"]
WAYS = [("unix", "management socket"), ("tcp", "TCP controller")]
RATE = 100_000
MOST_MB = 1000


def main():
    values = defaultdict(list)
    with open(sys.argv[1], encoding="utf-8") as f:
        for line in f:
            peer, way, text = line.rstrip("\n").split("\t")
            found = json.loads(text)
            values[peer, way, found.pop("phase")].append(found)
    peers = list(dict.fromkeys(peer for peer, _, _ in values))
    missed = rates(values, peers) + traffic(values, peers) + million(values)
    if len(sys.argv) > 2 and sys.argv[2]:
        with open(sys.argv[2], "w", encoding="utf-8") as f:
            json.dump({
                "machine": {"kernel": platform.release(), "cpus": os.cpu_count()},
                "values": [{"peer": p, "way": w, "phase": n, "values": v} for (p, w, n), v in values.items()],
                "missed": missed,
            }, f, indent=1)
            f.write("\n")
    for what in missed:
        print(f"MISSED: {what}")
    sys.exit(1 if missed else 0)


def rates(values, peers):
    """Flow-mods a second; what of the promised rate is missed."""
    missed = []
    print(f"\n{'1000 flow-mods a second, median':38}" + "".join(f"{p:>24}" for p in peers))
    for way, title in WAYS:
        for phase in PHASES:
            cells = []
            for peer in peers:
                found = [v["per_second"] for v in values[peer, way, phase]]
                if not found:
                    missed.append(f"{peer}, {title}: {phase} was not measured")
                    cells.append("-")
                    continue
                median = statistics.median(found)
                cells.append(f"{median / 1000:.3g} ({min(found) / 1000:.3g}-{max(found) / 1000:.3g})")
                if peer == "vxswitch" and median < RATE:
                    missed.append(f"{title}: {median:.0f} {phase} a second, not {RATE}")
            print(f"{title + ', ' + phase:38}" + "".join(f"{c:>24}" for c in cells))
    return missed


def traffic(values, peers):
    """What the datagrams felt; a loss is a miss."""
    missed = []
    print("\ntraffic meanwhile: sent, lost; delay in ms: median, 99 %, 99.9 %, most")
    for (peer, way, phase), found in values.items():
        if phase != "traffic":
            continue
        overrun = sum(v["n"] for v in values[peer, way, "overrun"])
        sent = sum(v["sent"] for v in found)
        lost = sent - sum(v["received"] for v in found) - overrun
        delays = [statistics.median(v["delay_us"][n] for v in found) for n in ("median", "p99", "p999")]
        delays.append(max(v["delay_us"]["max"] for v in found))
        print(f"{peer + ', ' + way:38}{sent:>10}{lost:>8}   " + " ".join(f"{d / 1000:.3f}" for d in delays))
        if peer == "vxswitch" and lost:
            missed.append(f"{lost} datagrams lost ({way})")
    return missed


def million(values):
    """The large table; what takes too much memory is a miss."""
    found = {n: v[-1] for (_, way, n), v in values.items() if way == "million"}
    if not found:
        return []
    missed = []
    fill, dump, clear = found["fill"], found["dump"], found["clear"]
    print(f"\n{fill['n']} flows: added in {fill['seconds']} s, {dump['n']} dumped in {dump['seconds']} s"
          f" ({dump['bytes'] >> 20} MiB), deleted in {clear['seconds']} s")
    for name in ("memory-before", "memory-filled", "memory-dumped", "memory-cleared"):
        v = found[name]
        print(f"{name:38}{v['rss_mb']:>10} MB, at most {v['most_mb']} MB")
        if v["most_mb"] >= MOST_MB:
            missed.append(f"{name}: {v['most_mb']} MB, not below {MOST_MB}")
    if dump["n"] < fill["n"]:
        missed.append(f"a dump of {dump['n']} flows, not {fill['n']}")
    return missed


main()
