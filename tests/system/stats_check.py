#!/usr/bin/env python3
"""Does the switch account for every frame? For the garbage test.

stats_check.py snapshot FILE STATS   writes to FILE: the switch's counters (`stats --json` in the file STATS), and the
                                     counters of the kernel of this network namespace
stats_check.py compare FILE1 FILE2 BAD TUNNEL FRAMES DATAGRAMS CUT REASON...
                                     what happened between two snapshots on a bridge whose two ports BAD and TUNNEL
                                     were flooded with at least so many frames and datagrams. CUT of
                                     the frames end within their VLAN tag: the receiving kernel itself drops them
                                     (net/core/skbuff.c: skb_vlan_untag), unseen by AF_PACKET. Every other frame taken from
                                     one of them is unicast to an unknown address or multicast: it leaves by every
                                     other port that is up. Each REASON must have been counted.

`compare` prints "ok|bad TAB name TAB why" lines."""
import json
import subprocess
import sys

LOCAL = 0xfffffffe
# drops of frames that the switch never took into a port's rx_packets
BEFORE_RX = {"rx-queue-full", "rx-truncated", "rx-bad-vnet-hdr", "tunnel-ecn"}


def snapshot(file, stats):
    with open(stats, encoding="utf-8") as f:
        switch = json.load(f)
    links = json.loads(subprocess.run(["ip", "-j", "-s", "link", "show"], check=True, capture_output=True).stdout)
    with open("/proc/net/snmp", encoding="ascii") as f:
        names, values = [line.split()[1:] for line in f if line.startswith("Udp:")]
    with open("/proc/net/softnet_stat", encoding="ascii") as f:
        backlog = sum(int(line.split()[1], 16) for line in f)
    with open(file, "w", encoding="utf-8") as f:
        json.dump({
            "ports": {p["port"]: p for p in switch["ports"]},
            "drops": {d["reason"]: d["count"] for d in switch["drops"]},
            "too_big_sent": switch["too_big_sent"],
            "links": {link["ifname"]: link["stats64"] for link in links},
            "udp": dict(zip(names, map(int, values))),
            "backlog": backlog,
        }, f)


def difference(old, new):
    """Of every number; what is in one only counts as 0 in the other."""
    if isinstance(new, dict):
        return {k: v if k == "ofport" else difference(old.get(k) if old else None, v) for k, v in new.items()}
    return new - (old or 0) if isinstance(new, int) and not isinstance(new, bool) else new


def verdict(good, name, why=""):
    print(f"{'ok' if good else 'bad'}\t{name}\t{why}")


def equal(name, left, right):
    verdict(left == right, f"{name}: {left}", f"{left} and {right} differ by {left - right}")


def compare(file1, file2, bad, tunnel, frames, datagrams, cut, *reasons):
    with open(file1, encoding="utf-8") as a, open(file2, encoding="utf-8") as b:
        d = difference(json.load(a), json.load(b))
    ports, drops = d["ports"], d["drops"]

    def at(port, side):
        """Drops at a port, of frames that came in there: before or after they were counted; or should have left there."""
        kinds = {"before": lambda r: r in BEFORE_RX, "out": lambda r: r.startswith("tx-") or r == "tunnel-no-route",
                 "in": lambda r: r not in BEFORE_RX and not r.startswith("tx-") and r != "tunnel-no-route"}
        return sum(n for r, n in ports[port]["drops"].items() if kinds[side](r))

    nowhere = {r: n - sum(p["drops"].get(r, 0) for p in ports.values()) for r, n in drops.items()}
    print(f"-\tdropped: {', '.join(f'{n} {r}' for r, n in sorted(drops.items()) if n)}\t")
    for r in reasons:
        verdict(drops.get(r, 0) > 0, f"drops for {r} are counted: {drops.get(r, 0)}", "no count above zero")
    low = [(p, r) for p, c in ports.items() for r, n in c["drops"].items() if n < 0] + [r for r, n in nowhere.items() if n < 0]
    verdict(not low, "no count has fallen", low)

    # what came
    link = d["links"][bad]["rx"]["packets"]
    equal("every frame that the kernel got for the port was taken or dropped for a reason", link - int(cut),
          ports[bad]["rx_packets"] + at(bad, "before"))
    verdict(link >= int(frames), f"at least {frames} frames came: {link}")
    taken = ports[tunnel]["rx_packets"] + at(tunnel, "before") + sum(nowhere.values())
    equal("every datagram that the kernel got for the port was taken or dropped for a reason",
          d["udp"]["InDatagrams"] + d["udp"]["InErrors"], taken)
    verdict(taken + d["backlog"] >= int(datagrams), f"at least {datagrams} datagrams came: {taken}",
            f"{taken}, and {d['backlog']} lost in the kernel's backlog")

    took = ports[bad]["rx_packets"], d["udp"]["InDatagrams"]
    verdict(sum(took) >= int(frames), f"the switch took {took[0]} frames and {took[1]} datagrams of them", took)

    # where it went
    flooded = {p: ports[p]["rx_packets"] - at(p, "in") for p in (bad, tunnel)}
    equal("what came in as a frame and was not dropped went out by the tunnel, or was dropped there", flooded[bad],
          ports[tunnel]["tx_packets"] + at(tunnel, "out"))
    equal("what came in by the tunnel and was not dropped went out as a frame, or was dropped there, the answers "
          "to frames too big beside it", flooded[tunnel] + d["too_big_sent"], ports[bad]["tx_packets"] + at(bad, "out"))
    others = [p for p in ports if p not in (bad, tunnel)]
    for p in others:
        # of the good traffic LOCAL sees nothing: the two containers know each other
        good = 0 if ports[p]["ofport"] == LOCAL else sum(ports[o]["rx_packets"] - at(o, "in") for o in others if o != p)
        equal(f"both floods and the good traffic reached {p}, or were dropped there", sum(flooded.values()) + good,
              ports[p]["tx_packets"] + at(p, "out"))
        # what the switch sends by a TAP is what the kernel receives from it; a veth may drop what it was given
        link = d["links"][p]
        seen = link["rx"]["packets"] if ports[p]["ofport"] == LOCAL else link["tx"]["packets"] + link["tx"]["dropped"]
        equal(f"the kernel agrees on what {p} sent", ports[p]["tx_packets"], seen)


{"snapshot": snapshot, "compare": compare}[sys.argv[1]](*sys.argv[2:])
