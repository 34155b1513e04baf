#!/usr/bin/env python3
"""Stands in for the switch in TEST_SWITCH=kernel: reads the same configuration file and makes the
kernel's own bridge and vxlan device from it. A system test that fails on this one is wrong itself.
Knows system and vxlan ports and `tag`; flow tables are not for it."""
import signal
import subprocess
import sys
import tomllib


def ip(*words, tool="ip", check=True):
    subprocess.run([tool, *map(str, words)], check=check)


def mtu_of(name):
    with open(f"/sys/class/net/{name}/mtu", encoding="ascii") as f:
        return int(f.read())


def main():
    with open(sys.argv[1], "rb") as f:
        config = tomllib.load(f)
    made = []

    def end(*_):
        for name in reversed(made):
            ip("link", "del", name, check=False)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    for bridge in config["bridge"]:
        br = bridge["name"]
        ports = bridge.get("port", [])
        vlans = any("tag" in port or "trunks" in port for port in ports)
        ip("link", "add", br, "type", "bridge", *(["vlan_filtering", "1"] if vlans else []))
        made.append(br)
        if "mac" in bridge:
            ip("link", "set", br, "address", bridge["mac"])
        for port in ports:
            name = port["name"]
            if port.get("type") == "vxlan":
                mtu = min(mtu_of(p["name"]) for p in ports if p.get("type") != "vxlan")
                six = ":" in port["remote_ip"]
                csum = port.get("csum", True)
                words = ["link", "add", name, "type", "vxlan", "id", port["key"],
                         "dstport", port.get("dst_port", 4789), "remote", port["remote_ip"], "local", port["local_ip"],
                         "ttl", 64]
                words += ["udp6zerocsumtx" if not csum else "noudp6zerocsumtx", "udp6zerocsumrx"] if six \
                    else ["udpcsum" if csum else "noudpcsum"]
                ip(*words)
                made.append(name)
                ip("link", "set", name, "mtu", mtu)
            ip("link", "set", name, "master", br, "up")
            if "tag" in port:
                ip("vlan", "del", "dev", name, "vid", 1, tool="bridge")
                ip("vlan", "add", "dev", name, "vid", port["tag"], "pvid", "untagged", tool="bridge")
            for vid in port.get("trunks", []):
                ip("vlan", "add", "dev", name, "vid", vid, tool="bridge")
        ip("link", "set", br, "up")
    print("vxswitch: ready", flush=True)
    while True:
        signal.pause()


main()
