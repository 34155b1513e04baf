#!/usr/bin/env python3
"""Writes ovs.txt: messages that stock ovs-ofctl sends in OpenFlow 1.3, taken from a socket.

Usage: ./from_ovs.py > ovs.txt   (needs ovs-ofctl; no switch)
"""
import os
import socket
import struct
import subprocess
import sys
import tempfile

FLOWS = [
    "table=3,cookie=0x1234,priority=77,idle_timeout=5,hard_timeout=6,send_flow_rem,in_port=1,"
    "dl_vlan=7,dl_vlan_pcp=3,dl_src=00:11:22:33:44:55,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00,"
    "actions=pop_vlan,output:2",
    "tcp,tcp_flags=+syn-ack,tp_dst=80,reg0=5,reg15=0xf0/0xf0,actions=load:5->NXM_NX_REG1[0..7],"
    "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],resubmit(,3),note:11.22,"
    "controller(max_len=5,id=3),LOCAL",
    "ip,nw_ttl=3,nw_frag=first,nw_src=10.0.0.0/8,nw_tos=16,nw_ecn=1,tun_src=1.2.3.4,"
    "tun_dst=1.2.3.0/24,tun_id=5/0xff,actions=set_field:0x5/0xff->reg0,set_field:7->tun_id,"
    "resubmit:5,dec_ttl,set_tunnel:5,controller",
    "mpls,mpls_label=100,mpls_tc=2,mpls_bos=1,mpls_ttl=3,actions=set_mpls_ttl(9),"
    "dec_mpls_ttl,push_mpls:0x8847,set_field:9->mpls_label,pop_mpls:0x8847,pop_mpls:0x0800",
    "vlan_tci=0x1123,tun_ipv6_src=::1,metadata=5/7,actions=set_tunnel64:0x500000000,"
    "write_metadata:0x12/0xff,goto_table:9",
    "arp,arp_op=1,arp_spa=10.0.0.1,arp_tpa=10.0.0.0/24,arp_sha=00:00:00:00:00:01,"
    "arp_tha=00:00:00:00:00:02,actions=set_field:2->arp_op,group:4",
    "icmp6,icmp_type=135,icmp_code=0,nd_target=fe80::1,nd_sll=00:00:00:00:00:03,"
    "ipv6_src=fe80::/10,ipv6_label=0x12345,actions=set_field:::5->ipv6_dst,in_port",
    "udp,tp_src=53,tp_dst=0x1000/0xf000,actions=mod_nw_tos:8,mod_tp_dst:4,set_queue:3,normal",
    "udp6,tp_src=53,actions=push_vlan:0x8100,mod_vlan_vid:5,mod_vlan_pcp:2,flood",
    "sctp,tp_dst=9,actions=meter:6,write_actions(set_field:9->sctp_src,output:7)",
    "icmp,icmp_type=8,icmp_code=0,actions=all,clear_actions",
    "actions=controller(reason=invalid_ttl,max_len=100,id=77)",
    "actions=controller(reason=no_match,max_len=100)",
    "udp,actions=load:0xabc->OXM_OF_METADATA[4..15],load:1->NXM_OF_VLAN_TCI[],"
    "load:2->NXM_NX_TUN_ID[0..31],move:NXM_NX_REG0[0..15]->NXM_OF_UDP_SRC[]",
    "actions=resubmit(5,9)",
    "actions=drop",
]
GROUPS = [
    "group_id=1,type=all,bucket=output:1,bucket=pop_vlan,output:2",
    "group_id=2,type=select,bucket=weight:5,output:1,bucket=weight:7,output:2",
    "group_id=3,type=ff,bucket=watch_port:1,output:1,bucket=watch_group:2,group:2",
    "group_id=4,type=indirect,bucket=dec_ttl,output:9",
]
COMMANDS = (
    [["add-flow", "T", f] for f in FLOWS]
    + [
        ["mod-flows", "T", "table=1,ip,actions=drop"],
        ["--strict", "mod-flows", "T", "priority=5,ip,actions=output:1"],
        ["del-flows", "T", "cookie=5/0xff,out_port=3"],
        ["--strict", "del-flows", "T", "priority=9,arp"],
    ]
    + [["add-group", "T", g] for g in GROUPS]
    + [
        ["mod-group", "T", GROUPS[0]],
        ["del-groups", "T", "group_id=5"],
        ["add-meter", "T", "meter=3,kbps,burst,stats,band=type=drop,rate=100,burst_size=20"],
        ["add-meter", "T", "meter=4,pktps,band=type=dscp_remark,rate=9,prec_level=2"],
        ["del-meters", "T"],
        ["mod-port", "T", "1", "down"],
        ["dump-flows", "T", "table=4,cookie=1/3,ip,out_port=9,out_group=2"],
        ["dump-aggregate", "T"],
        ["dump-ports", "T", "5"],
        ["dump-tables", "T"],
        ["queue-stats", "T", "3", "4"],
        ["queue-get-config", "T", "3"],
        ["dump-groups", "T"],
        ["dump-group-stats", "T", "group_id=7"],
        ["dump-group-features", "T"],
        ["meter-stats", "T", "meter=3"],
        ["dump-meters", "T"],
        ["meter-features", "T"],
        ["get-frags", "T"],
        ["packet-out", "T", "in_port=3,packet=000102030405060708090a0b0c0d,actions=output:5,push_vlan:0x88a8"],
        ["monitor", "T", "100"],
    ]
)


def answer(message):
    """A reply that lets ovs-ofctl go on to what it was asked for."""
    kind, xid = message[1], message[4:8]
    if kind == 18 and message[8:10] == b"\x00\x0d":  # port description: one port
        port = struct.pack("!I4x6s2x16s8I", 1, b"\2\0\0\0\0\1", b"p1", *[0] * 8)
        return struct.pack("!BBH4sHHI", 4, 19, 16 + len(port), xid, 13, 0, 0) + port
    if kind == 18 and message[8:10] == b"\x00\x0c":  # table features: one table that can nothing
        properties = b"".join(struct.pack("!HH4x", k, 4) for k in (0, 2, 4, 6, 8, 10, 12, 14))
        table = struct.pack("!HB5x32sQQII", 128, 0, b"t0", 0, 0, 0, 0) + properties
        return struct.pack("!BBH4sHHI", 4, 19, 16 + len(table), xid, 12, 0, 0) + table
    if kind == 18:  # anything else: nothing to tell
        return struct.pack("!BBH4s", 4, 19, 16, xid) + message[8:10] + bytes(6)
    if kind == 20:
        return struct.pack("!BBH4s", 4, 21, 8, xid)
    if kind == 5:
        return struct.pack("!BBH4sQIBB2xII", 4, 6, 32, xid, 1, 0, 254, 0, 0x4F, 0)
    if kind == 7:
        return struct.pack("!BBH4sHH", 4, 8, 12, xid, 0, 128)
    return b""


def messages(command):
    path = os.path.join(tempfile.mkdtemp(), "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    listener.settimeout(0.5)
    process = subprocess.Popen(
        ["ovs-ofctl", "-O", "OpenFlow13"]
        + [("unix:" + path) if a == "T" else a for a in command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        while True:  # it may connect once for names and once for its work
            peer, _ = listener.accept()
            peer.settimeout(0.5)
            peer.sendall(bytes.fromhex("0400000800000001"))
            data = b""
            while True:
                while len(data) >= 8 and len(data) >= struct.unpack("!H", data[2:4])[0]:
                    n = struct.unpack("!H", data[2:4])[0]
                    message, data = data[:n], data[n:]
                    yield message
                    peer.sendall(answer(message))
                more = peer.recv(65536)
                if not more:
                    break
                data += more
    except OSError:
        pass
    finally:
        process.kill()
        error = process.communicate()[1].decode()
        if error:
            print(command, error, file=sys.stderr)
        os.unlink(path)


seen = set()
print("# Messages of ovs-ofctl; see from_ovs.py.")
for command in COMMANDS:
    for message in messages(command):
        key = message[:4] + message[8:]
        if key not in seen:
            seen.add(key)
            print(" ".join(a for a in command if a != "T"), message.hex(), sep="\t")
