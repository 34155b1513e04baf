#!/usr/bin/env python3
"""Writes ryu.txt: messages of both sides as Ryu 4.34 serializes them.

Usage: ./from_ryu.py > ryu.txt   (needs Ryu; no switch)
"""
import struct

from ryu.ofproto import ofproto_v1_3 as o
from ryu.ofproto import ofproto_v1_3_parser as p


class Datapath:
    ofproto, ofproto_parser, id = o, p, 1


dp = Datapath()
ETH = "00:11:22:33:44:55"


def out(name, message):
    message.set_xid(0x01020304)
    message.serialize()
    print(name, bytes(message.buf).hex(), sep="\t")


def raw(name, kind, body):
    """A switch's message whose body Ryu can only read: its own parts, put together here."""
    header = struct.pack("!BBHI", 4, kind, 8 + len(body), 0x01020304)
    print(name, (header + bytes(body)).hex(), sep="\t")


def match(**fields):
    return p.OFPMatch(**fields)


print("# Messages that Ryu writes; see from_ryu.py.")
out("hello", p.OFPHello(dp, elements=[p.OFPHelloElemVersionBitmap(versions=[1, 4])]))
out("error", p.OFPErrorMsg(dp, type_=3, code=2, data=b"0123456789abcdef"))
out("echo_request", p.OFPEchoRequest(dp, data=b"abc"))
out("echo_reply", p.OFPEchoReply(dp, data=b"abc"))
out("experimenter", p.OFPExperimenter(dp, experimenter=0x4F4E4600, exp_type=5, data=b"1234"))
out("features_request", p.OFPFeaturesRequest(dp))
out("get_config_request", p.OFPGetConfigRequest(dp))
out("set_config", p.OFPSetConfig(dp, o.OFPC_FRAG_DROP, 256))
out("barrier_request", p.OFPBarrierRequest(dp))
out("queue_get_config_request", p.OFPQueueGetConfigRequest(dp, 7))
out("role_request", p.OFPRoleRequest(dp, o.OFPCR_ROLE_MASTER, 0x0102030405060708))
out("get_async_request", p.OFPGetAsyncRequest(dp))
out("set_async", p.OFPSetAsync(dp, [1, 2], [3, 4], [5, 6]))
out("port_mod", p.OFPPortMod(dp, 3, ETH, o.OFPPC_NO_FWD, o.OFPPC_NO_FWD | o.OFPPC_NO_RECV, 9))
out("table_mod", p.OFPTableMod(dp, 5, 3))
out(
    "packet_out",
    p.OFPPacketOut(dp, o.OFP_NO_BUFFER, 4, [p.OFPActionOutput(o.OFPP_TABLE)], b"packet"),
)
out(
    "meter_mod",
    p.OFPMeterMod(
        dp, o.OFPMC_MODIFY, o.OFPMF_PKTPS | o.OFPMF_BURST, 6,
        [p.OFPMeterBandDrop(100, 20), p.OFPMeterBandDscpRemark(50, 10, 1)],
    ),
)
buckets = [
    p.OFPBucket(5, 1, 2, [p.OFPActionDecNwTtl(), p.OFPActionOutput(3, 128)]),
    p.OFPBucket(0, o.OFPP_ANY, o.OFPG_ANY, []),
]
out("group_mod", p.OFPGroupMod(dp, o.OFPGC_MODIFY, o.OFPGT_FF, 9, buckets))

FIELDS = {
    "basic": dict(in_port=1, in_phy_port=2, metadata=(5, 0xFF), eth_dst=(ETH, "ff:ff:ff:ff:ff:ff")),
    "vlan": dict(eth_src=ETH, vlan_vid=(0x1005, 0x1FFF), vlan_pcp=3),
    "vlan_any": dict(vlan_vid=(0x1000, 0x1000)),
    "tcp": dict(eth_type=0x800, ip_dscp=9, ip_ecn=2, ip_proto=6, ipv4_src=("10.0.0.0", "255.0.0.0"),
                ipv4_dst="10.1.2.3", tcp_src=4, tcp_dst=5),
    "udp": dict(eth_type=0x800, ip_proto=17, udp_src=4, udp_dst=5),
    "sctp": dict(eth_type=0x86DD, ip_proto=132, sctp_src=4, sctp_dst=5),
    "icmp": dict(eth_type=0x800, ip_proto=1, icmpv4_type=8, icmpv4_code=1),
    "arp": dict(eth_type=0x806, arp_op=2, arp_spa="1.2.3.4", arp_tpa=("1.2.3.0", "255.255.255.0"),
                arp_sha=ETH, arp_tha=(ETH, "ff:ff:ff:ff:ff:ff")),
    "nd": dict(eth_type=0x86DD, ip_proto=58, ipv6_src="fe80::1", ipv6_dst=("fe80::", "ffff::"),
               ipv6_flabel=0xABCDE, icmpv6_type=135, icmpv6_code=0, ipv6_nd_target="fe80::2",
               ipv6_nd_sll=ETH),
    "na": dict(eth_type=0x86DD, ip_proto=58, icmpv6_type=136, ipv6_nd_tll=ETH),
    "mpls": dict(eth_type=0x8847, mpls_label=0xFFFFF, mpls_tc=7, mpls_bos=1),
    "pbb": dict(eth_type=0x88E7, pbb_isid=(0x10000, 0xFF0000)),
    "tunnel": dict(tunnel_id=(0x123456789ABCDEF0, 0xFFFFFFFFFFFFFFF0)),
    "exthdr": dict(eth_type=0x86DD, ipv6_exthdr=(0x21, 0x1F3)),
}
A = p.OFPActionSetField
ACTIONS = [
    p.OFPActionOutput(o.OFPP_CONTROLLER, o.OFPCML_NO_BUFFER), p.OFPActionCopyTtlOut(),
    p.OFPActionCopyTtlIn(), p.OFPActionSetMplsTtl(9), p.OFPActionDecMplsTtl(),
    p.OFPActionPushVlan(0x88A8), p.OFPActionPopVlan(), p.OFPActionPushMpls(0x8848),
    p.OFPActionPopMpls(0x800), p.OFPActionSetQueue(3), p.OFPActionGroup(4),
    p.OFPActionSetNwTtl(5), p.OFPActionDecNwTtl(), p.OFPActionPushPbb(0x88E7),
    p.OFPActionPopPbb(), A(eth_dst=ETH), A(vlan_vid=0x1007), A(ipv6_src="::9"),
    A(tunnel_id=7), A(mpls_bos=1), A(ip_dscp=9),
]
NX = [
    p.NXActionRegLoad(4 << 6 | 11, "reg3", 0xABC), p.NXActionRegMove("reg1", "reg2", 16),
    p.NXActionResubmitTable(5, 9), p.NXActionNote([1, 2, 3, 4, 5, 6]),
    p.NXActionController(128, 3, 1),
]
# These have another form that says the same.
REWRITTEN = [
    p.NXActionResubmit(7), p.NXActionDecTtl(), p.NXActionSetTunnel(5),
    p.NXActionSetTunnel64(0x500000000), p.NXActionPushMpls(0x8847), p.NXActionPopMpls(0x800),
    p.NXActionSetMplsTtl(4), p.NXActionDecMplsTtl(), p.NXActionRegLoad2("reg5", 7),
    p.NXActionController2(max_len=128, controller_id=3, reason=0),
]
INSTRUCTIONS = [
    p.OFPInstructionMeter(3),
    p.OFPInstructionActions(o.OFPIT_APPLY_ACTIONS, ACTIONS),
    p.OFPInstructionActions(o.OFPIT_CLEAR_ACTIONS, []),
    p.OFPInstructionActions(o.OFPIT_WRITE_ACTIONS, NX),
    p.OFPInstructionWriteMetadata(0x12, 0xFF),
    p.OFPInstructionGotoTable(7),
]
for name, fields in FIELDS.items():
    out("flow_mod " + name, p.OFPFlowMod(dp, match=match(**fields)))
out(
    "flow_mod instructions",
    p.OFPFlowMod(
        dp, cookie=1, cookie_mask=2, table_id=3, command=o.OFPFC_MODIFY_STRICT, idle_timeout=5,
        hard_timeout=6, priority=7, buffer_id=8, out_port=9, out_group=10, flags=31,
        match=match(in_port=1), instructions=INSTRUCTIONS,
    ),
)
rewritten = [p.OFPInstructionActions(o.OFPIT_APPLY_ACTIONS, REWRITTEN)]
out("flow_mod rewritten", p.OFPFlowMod(dp, match=match(in_port=1), instructions=rewritten))

# Requests of multipart messages.
out("desc_request", p.OFPDescStatsRequest(dp, 0))
out("flow_request", p.OFPFlowStatsRequest(dp, 0, 3, 4, 5, 6, 7, match(in_port=1)))
out("aggregate_request", p.OFPAggregateStatsRequest(dp, 0, 3, 4, 5, 6, 7, match(in_port=1)))
out("table_request", p.OFPTableStatsRequest(dp, 0))
out("port_stats_request", p.OFPPortStatsRequest(dp, 0, 5))
out("queue_request", p.OFPQueueStatsRequest(dp, 0, 5, 6))
out("group_request", p.OFPGroupStatsRequest(dp, 0, 5))
out("group_desc_request", p.OFPGroupDescStatsRequest(dp, 0))
out("group_features_request", p.OFPGroupFeaturesStatsRequest(dp, 0))
out("meter_request", p.OFPMeterStatsRequest(dp, 0, 5))
out("meter_config_request", p.OFPMeterConfigStatsRequest(dp, 0, 5))
out("meter_features_request", p.OFPMeterFeaturesStatsRequest(dp, 0))
out("port_desc_request", p.OFPPortDescStatsRequest(dp, 0))
out("experimenter_request", p.OFPExperimenterStatsRequest(dp, 0, 0x1234, 5, b"data"))
ids = [p.OFPOxmId("eth_dst", True), p.OFPOxmId("in_port")]
properties = [
    p.OFPTableFeaturePropInstructions(0, instruction_ids=[p.OFPInstructionId(1), p.OFPInstructionId(4)]),
    p.OFPTableFeaturePropNextTables(3, table_ids=[1, 2, 3]),
    p.OFPTableFeaturePropActions(4, action_ids=[p.OFPActionId(0), p.OFPActionId(25)]),
    p.OFPTableFeaturePropActions(7, action_ids=[p.OFPActionId(22)]),
    p.OFPTableFeaturePropOxm(8, oxm_ids=ids),
    p.OFPTableFeaturePropOxm(10, oxm_ids=ids),
    p.OFPTableFeaturePropOxm(12, oxm_ids=ids[1:]),
    p.OFPTableFeaturePropOxm(15, oxm_ids=ids[:1]),
]
features = p.OFPTableFeaturesStats(
    table_id=4, name=b"table four", metadata_match=5, metadata_write=6, config=3, max_entries=7,
    properties=properties,
)
out("table_features_request", p.OFPTableFeaturesStatsRequest(dp, o.OFPMPF_REQ_MORE, [features]))

# A switch's messages. Ryu has a serializer for some only; the others are put together here after
# its own parser's formats, and Ryu parses every one of them back below.
def tlv(m):
    buf = bytearray()
    m.serialize(buf, 0)
    return bytes(buf)


def instructions():
    buf = bytearray()
    for i in INSTRUCTIONS[:2]:
        i.serialize(buf, len(buf))
    return bytes(buf)


def bucket_bytes():
    buf = bytearray()
    for b in buckets:
        b.serialize(buf, len(buf))
    return bytes(buf)


def multipart(kind, flags, body):
    return struct.pack("!HH4x", kind, flags) + body


port = struct.pack("!I4x6s2x16s8I", 3, bytes.fromhex("001122334455"), b"veth0", *range(1, 9))
flow = tlv(match(in_port=1, eth_type=0x800, ip_proto=6)) + instructions()
raw("features_reply", 6, struct.pack("!QIBBxxII", 0x1122334455667788, 256, 254, 1, 0x4F, 0))
raw("get_config_reply", 8, struct.pack("!HH", 1, 128))
raw(
    "packet_in", 10,
    struct.pack("!IHBBQ", 0xFFFFFFFF, 60, 1, 3, 9) + tlv(match(in_port=7, metadata=5)) + b"\0\0frame",
)
raw(
    "flow_removed", 11,
    struct.pack("!QHBBIIHHQQ", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10) + tlv(match(in_port=7)),
)
raw("port_status", 12, struct.pack("!B7x", 2) + port)
raw(
    "queue_get_config_reply", 23,
    struct.pack("!I4x", 5) + struct.pack("!IIH6x", 1, 5, 48)
    + struct.pack("!HH4xH6x", 1, 16, 100) + struct.pack("!HH4xH6x", 2, 16, 900),
)
raw("role_reply", 25, struct.pack("!I4xQ", 3, 77))
raw("get_async_reply", 27, struct.pack("!6I", 1, 2, 3, 4, 5, 6))
raw("barrier_reply", 21, b"")
raw("desc", 19, multipart(0, 0, struct.pack("!256s256s256s32s256s", b"m", b"h", b"s", b"n", b"d")))
raw(
    "flow", 19,
    multipart(1, 1, struct.pack("!HBxIIHHHH4xQQQ", 48 + len(flow), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10) + flow),
)
raw("aggregate", 19, multipart(2, 0, struct.pack("!QQI4x", 1, 2, 3)))
raw("table", 19, multipart(3, 0, struct.pack("!B3xIQQ", 1, 2, 3, 4)))
raw("port_stats", 19, multipart(4, 0, struct.pack("!I4x12QII", *range(1, 16))))
raw("queue", 19, multipart(5, 0, struct.pack("!IIQQQII", *range(1, 8))))
raw("group", 19, multipart(6, 0, struct.pack("!H2xII4xQQII4Q", 72, *range(1, 11))))
raw("group_desc", 19, multipart(7, 0, struct.pack("!HBxI", 8 + len(bucket_bytes()), 1, 6) + bucket_bytes()))
raw("group_features", 19, multipart(8, 0, struct.pack("!10I", *range(1, 11))))
raw("meter", 19, multipart(9, 0, struct.pack("!IH6xIQQII2Q", 1, 56, *range(2, 9))))
raw(
    "meter_config", 19,
    multipart(10, 0, struct.pack("!HHI", 24, 5, 6) + struct.pack("!HHIIB3x", 2, 16, 7, 8, 9)),
)
raw("meter_features", 19, multipart(11, 0, struct.pack("!IIIBBxx", 1, 2, 3, 4, 5)))
buf = bytearray(features.serialize())
raw("table_features", 19, multipart(12, 0, bytes(buf)))
raw("port_desc", 19, multipart(13, 0, port))
raw("experimenter", 19, multipart(0xFFFF, 0, struct.pack("!II", 9, 8) + b"data"))
