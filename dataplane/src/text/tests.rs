//! Flows there and back, and the same flows through the real `ovs-ofctl` where it is installed.

use super::*;
use crate::action::{Action, Instructions};
use crate::flow::{Field, Match};
use crate::state::OfPort;
use crate::table::group::{Bucket, GROUP_ALL, Group, GroupCommand, GroupMod};
use crate::table::meter::{METER_ALL, MeterCommand};
use crate::table::{Command, FlowMod, Rule, RuleStats};
use crate::upcall::Reason;
use proptest::prelude::*;
use std::process::Command as Process;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn ports(name: &str) -> Option<OfPort> {
    match name {
        "veth1" => Some(OfPort(1)),
        "vxlan0" => Some(OfPort(100)),
        _ => None,
    }
}

fn add(text: &str) -> Result<FlowMod, ParseError> {
    parse_flow(text, Command::Add, &ports)
}

/// The flow printed as `ovs-ofctl parse-flow` prints it behind "ADD ".
fn printed(m: &FlowMod) -> String {
    let matching = format_match(&m.matching);
    let space = if matching.is_empty() { "" } else { " " };
    format!("{matching}{space}actions={}", format_actions(&m.instructions, &m.matching))
}

/// Flows, and how they are printed.
const FLOWS: &[(&str, &str)] = &[
    ("in_port=1,actions=output:2", "in_port=1 actions=output:2"),
    ("in_port=\"veth1\",actions=\"vxlan0\"", "in_port=1 actions=output:100"),
    ("in_port=veth1,actions=vxlan0,3,LOCAL", "in_port=1 actions=output:100,output:3,LOCAL"),
    ("actions=all,flood,normal,in_port,local", "actions=ALL,FLOOD,NORMAL,IN_PORT,LOCAL"),
    ("in_port=65534,actions=65534", "in_port=LOCAL actions=LOCAL"),
    ("actions=", "actions=drop"),
    ("action=output:1", "actions=output:1"),
    ("actions=drop", "actions=drop"),
    ("tcp tp_src=5 actions=output:1, output:2", "tcp,tp_src=5 actions=output:1,output:2"),
    ("actions=CONTROLLER", "actions=CONTROLLER:65535"),
    ("actions=controller:128,output:CONTROLLER", "actions=CONTROLLER:128,CONTROLLER:65535"),
    ("vlan_vid=0x1005/0x1fff,actions=drop", "dl_vlan=5 actions=drop"),
    ("dl_vlan=0xffff,actions=drop", "vlan_tci=0x0000/0x1fff actions=drop"),
    ("vlan_tci=0,actions=drop", "vlan_tci=0x0000/0x1fff actions=drop"),
    ("vlan_tci=0x1000/0x1000,actions=pop_vlan", "vlan_tci=0x1000/0x1000 actions=pop_vlan"),
    ("dl_vlan=3,dl_vlan_pcp=2,actions=drop", "dl_vlan=3,dl_vlan_pcp=2 actions=drop"),
    ("dl_vlan=3,actions=mod_vlan_vid:5", "dl_vlan=3 actions=set_field:4101->vlan_vid"),
    ("dl_vlan=3,actions=set_field:0x1005->vlan_vid", "dl_vlan=3 actions=set_field:4101->vlan_vid"),
    (
        "actions=push_vlan:0x88a8,set_field:4101->vlan_vid,set_field:3->vlan_pcp,1",
        "actions=push_vlan:0x88a8,set_field:4101->vlan_vid,set_field:3->vlan_pcp,output:1",
    ),
    (
        "udp6,ipv6_src=fe80::/64,tp_src=0x10/0xfff0,actions=NORMAL",
        "udp6,ipv6_src=fe80::/64,tp_src=0x10/0xfff0 actions=NORMAL",
    ),
    (
        "ipv6,ipv6_label=0x5,nw_tos=252,ip_frag=yes,actions=drop",
        "ipv6,ipv6_label=0x00005,nw_tos=252,nw_frag=yes actions=drop",
    ),
    ("tcp,actions=mod_tp_src:4", "tcp actions=set_field:4->tcp_src"),
    ("udp,udp_src=3,actions=mod_tp_dst:3", "udp,tp_src=3 actions=set_field:3->udp_dst"),
    ("ip,actions=mod_nw_src:1.2.3.4", "ip actions=set_field:1.2.3.4->ip_src"),
    ("icmp,tp_src=3,actions=drop", "icmp,icmp_type=3 actions=drop"),
    (
        "icmp6,icmpv6_type=3,actions=set_field:3->icmpv6_type",
        "icmp6,icmp_type=3 actions=set_field:3->icmpv6_type",
    ),
    (
        "arp,arp_op=1,arp_spa=1.2.3.4,arp_sha=00:11:22:33:44:55,actions=set_field:2->arp_op,IN_PORT",
        "arp,arp_spa=1.2.3.4,arp_op=1,arp_sha=00:11:22:33:44:55 actions=set_field:2->arp_op,IN_PORT",
    ),
    (
        "icmp6,nd_target=fe80::1,nd_sll=00:00:00:00:00:01,icmp_type=135,icmp_code=0,actions=ALL",
        "icmp6,icmp_type=135,icmp_code=0,nd_target=fe80::1,nd_sll=00:00:00:00:00:01 actions=ALL",
    ),
    (
        "tun_id=5,tun_src=1.2.3.4,metadata=5/0xf,actions=set_tunnel:7,set_field:1.2.3.4->tun_dst",
        "tun_id=0x5,tun_src=1.2.3.4,metadata=0x5/0xf \
         actions=set_field:0x7->tun_id,set_field:1.2.3.4->tun_dst",
    ),
    (
        "actions=1,clear_actions,write_actions(output:2),write_metadata:0x5/0xff,goto_table:4",
        "actions=output:1,clear_actions,write_actions(output:2),write_metadata:0x5/0xff,goto_table:4",
    ),
    (
        "reg1=7,tun_id=3,metadata=2,in_port=1,mpls,mpls_label=3,mpls_tc=1,mpls_ttl=3,mpls_bos=1,\
         dl_vlan=4,dl_src=00:00:00:00:00:01,reg0=0x50/0xf0,actions=drop",
        "mpls,reg0=0x50/0xf0,reg1=0x7,tun_id=0x3,metadata=0x2,in_port=1,dl_vlan=4,\
         dl_src=00:00:00:00:00:01,mpls_label=3,mpls_tc=1,mpls_ttl=3,mpls_bos=1 actions=drop",
    ),
    (
        "mplsm,actions=set_mpls_label:7,set_mpls_tc:3,set_field:9->mpls_ttl,dec_mpls_ttl,1",
        "mplsm actions=set_field:7->mpls_label,set_field:3->mpls_tc,set_field:9->mpls_ttl,\
         dec_mpls_ttl,output:1",
    ),
    (
        "mpls,actions=pop_mpls:0x800,dec_ttl,push_mpls:0x8848,set_field:5->mpls_label",
        "mpls actions=pop_mpls:0x0800,dec_ttl,push_mpls:0x8848,set_field:5->mpls_label",
    ),
    (
        "mpls,actions=pop_mpls:0x8847,set_mpls_tc:1",
        "mpls actions=pop_mpls:0x8847,set_field:1->mpls_tc",
    ),
    ("actions=meter:4,set_queue:3,group:5", "actions=meter:4,set_queue:3,group:5"),
    ("actions=write_actions(group:3,set_queue:4)", "actions=write_actions(group:3,set_queue:4)"),
    (
        "actions=resubmit:3,resubmit(3,),resubmit(,4),resubmit(3,4),resubmit(in_port,4),resubmit(local,0)",
        "actions=resubmit:3,resubmit:3,resubmit(,4),resubmit(3,4),resubmit(,4),resubmit(LOCAL,0)",
    ),
    (
        "actions=load:5->NXM_NX_REG0[],load:0x3->reg15[0..15],load:1->NXM_OF_VLAN_TCI[12],\
         load:5->tun_id[0..31],load:5->OXM_OF_METADATA[],load:5->eth_dst",
        "actions=load:0x5->NXM_NX_REG0[],load:0x3->NXM_NX_REG15[0..15],load:0x1->NXM_OF_VLAN_TCI[12],\
         load:0x5->NXM_NX_TUN_ID[0..31],load:0x5->OXM_OF_METADATA[],load:0x5->NXM_OF_ETH_DST[]",
    ),
    (
        "actions=push_vlan:0x8100,load:5->OXM_OF_VLAN_VID[0..11],load:3->OXM_OF_VLAN_PCP[]",
        "actions=push_vlan:0x8100,load:0x5->OXM_OF_VLAN_VID[],load:0x3->OXM_OF_VLAN_PCP[]",
    ),
    (
        "actions=move:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15],move:OXM_OF_IN_PORT[]->reg1,\
         move:eth_src->NXM_OF_ETH_DST[],move:eth_type->reg0[16..31]",
        "actions=move:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15],move:OXM_OF_IN_PORT[]->NXM_NX_REG1[],\
         move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],move:NXM_OF_ETH_TYPE[]->NXM_NX_REG0[16..31]",
    ),
    (
        "tcp,actions=load:5->tcp_src,load:5->OXM_OF_TCP_DST[],load:5->NXM_NX_IP_TTL[],load:0x5->nw_src",
        "tcp actions=load:0x5->NXM_OF_TCP_SRC[],load:0x5->NXM_OF_TCP_DST[],load:0x5->NXM_NX_IP_TTL[],\
         load:0x5->NXM_OF_IP_SRC[]",
    ),
    (
        "udp6,actions=load:5->udp_src,load:5->ipv6_label,move:NXM_NX_IPV6_SRC[64..127]->ipv6_dst[0..63]",
        "udp6 actions=load:0x5->NXM_OF_UDP_SRC[],load:0x5->NXM_NX_IPV6_LABEL[],\
         move:NXM_NX_IPV6_SRC[64..127]->NXM_NX_IPV6_DST[0..63]",
    ),
    ("sctp,actions=load:5->sctp_dst", "sctp actions=load:0x5->OXM_OF_SCTP_DST[]"),
    ("icmp,actions=load:0->icmp_type", "icmp actions=load:0->NXM_OF_ICMP_TYPE[]"),
    ("icmp6,actions=load:8->icmpv6_code", "icmp6 actions=load:0x8->NXM_NX_ICMPV6_CODE[]"),
    (
        "arp,actions=load:2->NXM_OF_ARP_OP[],move:arp_sha->arp_tha,move:NXM_OF_ARP_SPA[]->arp_tpa",
        "arp actions=load:0x2->NXM_OF_ARP_OP[],move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],\
         move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[]",
    ),
    (
        "actions=controller(max_len=128,id=4,reason=invalid_ttl),controller(reason=action),\
         controller(max_len=5),controller(),controller(reason=no_match),controller(id=3)",
        "actions=controller(reason=invalid_ttl,max_len=128,id=4),CONTROLLER:65535,CONTROLLER:5,\
         CONTROLLER:65535,controller(reason=no_match),controller(id=3)",
    ),
    (
        "actions=note:00.11.22,note:,note:0011223344556677",
        "actions=note:00.11.22.00.00.00,note:00.00.00.00.00.00,\
         note:00.11.22.33.44.55.66.77.00.00.00.00.00.00",
    ),
    (
        "metadata=0/3,reg0=0,actions=set_field:0->metadata,write_metadata:0/0xff",
        "reg0=0,metadata=0/0x3 actions=set_field:0->metadata,\
         write_metadata:0/0xff",
    ),
    ("ipv6,ipv6_label=0,actions=drop", "ipv6,ipv6_label=0x00000 actions=drop"),
    ("ipv6,ipv6_label=0x5/0xf,actions=drop", "ipv6,ipv6_label=0x00005/0x0000f actions=drop"),
];

/// Flows with what `ovs-ofctl` has no words for.
const OWN_FLOWS: &[(&str, &str)] = &[
    (
        "dl_type=0x88e7,pbb_isid=0x64/0xff,actions=set_field:7->pbb_isid,pop_pbb,push_pbb:0x88e7",
        "dl_type=0x88e7,pbb_isid=0x64/0xff actions=set_field:0x7->pbb_isid,pop_pbb,push_pbb:0x88e7",
    ),
    ("actions=pop_pbb,goto_table:1", "actions=pop_pbb,goto_table:1"),
    ("ipv6,ipv6_exthdr=0x44,actions=drop", "ipv6,ipv6_exthdr=0x44 actions=drop"),
    ("in_phy_port=3,actions=drop", "in_phy_port=3 actions=drop"),
    ("actions=copy_ttl_out,copy_ttl_in", "actions=copy_ttl_out,copy_ttl_in"),
    ("mpls,actions=set_field:1->mpls_bos", "mpls actions=set_field:1->mpls_bos"),
    (
        "actions=set_field:0x800->eth_type,set_field:6->nw_proto,mod_tp_src:3",
        "actions=set_field:0x0800->eth_type,set_field:6->nw_proto,set_field:3->tp_src",
    ),
    ("mpls,actions=set_mpls_ttl:5", "mpls actions=set_field:5->mpls_ttl"),
];

#[test]
fn flows_are_read_and_printed() {
    for (text, expected) in FLOWS.iter().chain(OWN_FLOWS) {
        let flow = add(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(printed(&flow), *expected, "{text}");
    }
}

#[test]
fn errors_name_the_token_and_what_was_expected() {
    for (text, token, problem) in [
        ("tp_srcx=3,actions=drop", "tp_srcx=3", "unknown field"),
        ("nonsense,actions=drop", "nonsense", "unknown field or flag"),
        ("priority=70000,actions=drop", "priority=70000", "at most 16 bits"),
        ("nw_src=1.2.3.4,actions=drop", "nw_src=1.2.3.4", "needs ip or arp"),
        ("tcp6,nw_src=1.2.3.4,actions=drop", "nw_src=1.2.3.4", "needs ip"),
        ("ip,tcp_src=80,actions=drop", "tcp_src=80", "needs tcp or tcp6"),
        ("tp_dst=80,actions=drop", "tp_dst=80", "needs tcp"),
        ("icmp6,nd_target=fe80::1,actions=drop", "nd_target=fe80::1", "icmp_type=135"),
        ("tcp,udp,actions=drop", "udp", "contradicts"),
        ("dl_vlan=5,dl_vlan=6,actions=drop", "dl_vlan=6", "contradicts"),
        ("vlan_vid=5,actions=drop", "vlan_vid=5", "present bit"),
        ("dl_vlan=5/0xfff,actions=drop", "dl_vlan=5/0xfff", "expected a number"),
        ("ip,nw_src=1.2.3.4/33,actions=drop", "nw_src=1.2.3.4/33", "0 to 32"),
        ("ip,nw_tos=3,actions=drop", "nw_tos=3", "ECN"),
        ("in_port=veth9,actions=drop", "in_port=veth9", "no such port"),
        ("in_port=1", "in_port=1", "expected actions="),
        ("in_port=1,actions", "actions", "expected actions="),
        ("cookie=1/2,actions=drop", "cookie=1/2", "no mask"),
        ("actions=outpt:1", "outpt:1", "unknown action"),
        ("actions=output:veth9", "output:veth9", "no such port"),
        ("actions=set_field:80->tcp_dst", "set_field:80->tcp_dst", "needs tcp"),
        ("tcp,actions=set_field:70000->tcp_dst", "set_field:70000->tcp_dst", "16 bits"),
        ("ip,actions=set_field:0->ip_frag", "set_field:0->ip_frag", "cannot be set"),
        ("mpls_label=5,actions=drop", "mpls_label=5", "needs mpls or mplsm"),
        ("mpls,mpls_label=5/7,actions=drop", "mpls_label=5/7", "no mask"),
        ("ip,pbb_isid=5,actions=drop", "pbb_isid=5", "needs dl_type=0x88e7"),
        ("actions=pop_mpls:0x0800", "pop_mpls:0x0800", "needs mpls"),
        ("actions=dec_mpls_ttl", "dec_mpls_ttl", "needs mpls"),
        ("actions=push_mpls:0x0800", "push_mpls:0x0800", "0x8848"),
        ("actions=push_pbb:0x8100", "push_pbb:0x8100", "0x88e7"),
        ("ip,actions=push_mpls:0x8847,dec_ttl", "dec_ttl", "needs ip"),
        ("actions=output:1,meter:3", "meter:3", "before output"),
        ("actions=resubmit(,255)", "resubmit(,255)", "expected resubmit"),
        ("actions=load:0x12345->NXM_NX_REG0[0..15]", "load:0x12345->NXM_NX_REG0[0..15]", "16 bits"),
        ("actions=load:1->reg20", "load:1->reg20", "unknown field"),
        ("actions=load:1->reg0[40]", "load:1->reg0[40]", "bits 0 to 31"),
        ("actions=load:1->reg0[3", "load:1->reg0[3", "final ]"),
        ("actions=load:1->OXM_OF_VLAN_PCP[]", "load:1->OXM_OF_VLAN_PCP[]", "needs a VLAN"),
        ("actions=load:1->OXM_OF_IN_PORT[]", "load:1->OXM_OF_IN_PORT[]", "cannot be set"),
        ("actions=move:reg0[0..3]->reg1[0..4]", "move:reg0[0..3]->reg1[0..4]", "source has 4"),
        ("actions=controller(reason=group)", "controller(reason=group)", "invalid_ttl"),
        ("actions=note:0", "note:0", "two hexadecimal"),
        ("actions=group:all", "group:all", "32 bits"),
        ("actions=dec_ttl", "dec_ttl", "needs ip or ipv6"),
        ("actions=push_vlan:0x1234", "push_vlan:0x1234", "0x88a8"),
        ("actions=drop,output:1", "drop", "no other action"),
        ("actions=output:1,goto_table:3,output:2", "output:2", "before goto_table"),
        ("actions=write_actions(output:2", "write_actions(output:2", "not closed"),
        ("tcp,tcp_flags=+syn-foo,actions=drop", "tcp_flags=+syn-foo", "unknown flag"),
        ("dl_src=02:00,actions=drop", "dl_src=02:00", "MAC address"),
    ] {
        let e = add(text).expect_err(text);
        assert!(e.token == token && e.problem.contains(problem), "{text}: {e}");
    }
}

#[test]
fn files_have_comments_and_errors_their_line() {
    let text = "# the chain\n\n  in_port=1,actions=2 # there\nin_port=2,actions=1\n";
    assert_eq!(parse_flows(text, Command::Add, &ports).unwrap().len(), 2);
    let e = parse_flows("\nin_port=1,actions=2\nfoo=1,actions=2\n", Command::Add, &ports);
    assert_eq!(e.unwrap_err().to_string(), "line 3: \"foo=1\": unknown field");
}

#[test]
fn options_of_flow_mods() {
    let m = add(
        "table=3,priority=7,cookie=0x5,idle_timeout=60,hard_timeout=70,send_flow_rem,check_overlap,\
         reset_counts,no_packet_counts,no_byte_counts,actions=drop",
    )
    .unwrap();
    let got = (m.table, m.priority, m.cookie, m.idle_timeout, m.hard_timeout, m.flags);
    assert_eq!(got, (Some(3), 7, 5, 60, 70, 31));

    let m = parse_flow("cookie=0x5/-1,out_port=2", Command::Delete, &ports).unwrap();
    let got = (m.table, m.cookie, m.cookie_mask, m.out_port);
    assert_eq!(got, (None, 5, u64::MAX, OfPort(2)));
    assert!(parse_flow("priority=3", Command::Delete, &ports).is_err());
    assert!(parse_flow("cookie=3", Command::Delete, &ports).is_err());
    assert_eq!(parse_flow("priority=3", Command::DeleteStrict, &ports).unwrap().priority, 3);
    assert_eq!(parse_filter("table=2,tcp", &ports).unwrap().table, Some(2));
}

#[test]
fn vlan_actions_of_openflow_1_0_push_a_missing_tag() {
    let set = |text: &str| match &add(text).unwrap().instructions.apply[..] {
        [Action::SetField { field, value, mask }] => (*field, *value, *mask),
        other => panic!("{other:?}"),
    };
    assert_eq!(set("actions=mod_vlan_vid:5"), (Field::VlanTci, 0x1005, 0x1fff));
    assert_eq!(set("actions=mod_vlan_pcp:3"), (Field::VlanTci, 0x7000, 0xf000));
    assert_eq!(set("dl_vlan=1,actions=mod_vlan_vid:5"), (Field::VlanVid, 0x1005, 0x1fff));
    assert_eq!(set("dl_vlan=1,actions=set_field:5->vlan_vid"), (Field::VlanVid, 0x1005, 0x1fff));
}

#[test]
fn a_dumped_rule_is_read_again() {
    let m = add("idle_timeout=9,priority=1,in_port=1,actions=output:2").unwrap();
    let now = Instant::now();
    let rule = Rule {
        matching: (&m.matching).into(),
        priority: m.priority,
        instructions: Arc::new(m.instructions.clone()),
        cookie: 0,
        idle_timeout: m.idle_timeout,
        hard_timeout: 0,
        flags: 1,
        created: now,
        created_ms: 1,
        stats: Arc::new(RuleStats::default()),
    };
    rule.stats.add(3, 294, 1);
    let dump = format_flow(&rule, 0, now + Duration::from_millis(1200));
    let expected = " cookie=0x0, duration=1.200s, table=0, n_packets=3, n_bytes=294, idle_timeout=9, \
                    send_flow_rem priority=1,in_port=1 actions=output:2";
    assert_eq!(dump, expected);
    let again = add(&dump).unwrap();
    assert_eq!((again.matching, again.instructions), (m.matching, m.instructions));
}

#[test]
fn keys_are_printed() {
    let m = add("tcp,in_port=3,dl_vlan=5,nw_src=1.2.3.4,tp_dst=80,actions=drop").unwrap();
    let text = "tcp,in_port=3,dl_vlan=5,dl_vlan_pcp=0,nw_src=1.2.3.4,tp_dst=80";
    assert_eq!(format_key(&m.matching.key), text);
    assert_eq!(format!("{:?}", m.matching.key), text);
}

/// Groups, and how they are printed.
const GROUPS: &[(&str, &str)] = &[
    (
        "group_id=1,type=select,bucket=weight:1,actions=output:2,bucket=weight:5,output:3",
        "group_id=1,type=select,bucket=actions=output:2,bucket=weight:5,actions=output:3",
    ),
    (
        "group_id=3 type=fast_failover bucket=watch_port:2,actions=output:2,bucket=watch_group:1,3",
        "group_id=3,type=ff,bucket=watch_port:2,actions=output:2,bucket=watch_group:1,actions=output:3",
    ),
    (
        "group_id=2,type=all,bucket=output:2,push_mpls:0x8847,dec_mpls_ttl,bucket=dec_ttl,veth1",
        "group_id=2,type=all,bucket=actions=output:2,push_mpls:0x8847,dec_mpls_ttl,\
         bucket=actions=dec_ttl,output:1",
    ),
    (
        "group_id=5,type=indirect,bucket=bucket_id:7,drop",
        "group_id=5,type=indirect,bucket=actions=drop",
    ),
    ("group_id=8,type=all", "group_id=8,type=all"),
    (
        "group_id=9,type=indirect,bucket=actions=set_field:80->tcp_dst,resubmit(,3)",
        "group_id=9,type=indirect,bucket=actions=set_field:80->tp_dst,resubmit(,3)",
    ),
];

#[test]
fn groups_are_read_and_printed() {
    let parse = |text: &str| parse_group(text, GroupCommand::Add, &ports);
    for (text, expected) in GROUPS {
        let m = parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let GroupMod { id, kind, buckets, .. } = m;
        let group = Group { id, kind, buckets, counts: Arc::default(), created: Instant::now() };
        assert_eq!(format_group(&group), *expected);
        let again = parse(expected).unwrap();
        assert_eq!((again.id, again.kind, again.buckets.len()), (id, kind, group.buckets.len()));
        for (a, b) in again.buckets.iter().zip(&group.buckets) {
            let parts = |b: &Bucket| (b.weight, b.watch_port, b.watch_group, b.actions.clone());
            assert_eq!(parts(a), parts(b));
        }
    }
    for (text, problem) in [
        ("type=all,bucket=1", "group_id"),
        ("group_id=15,bucket=1", "type="),
        ("group_id=4294967295,type=all", "4294967040"),
        ("group_id=1,type=any", "expected type=all"),
        ("group_id=1,type=all,bucket=weight:3,1", "weight"),
        ("group_id=1,type=select,bucket=weight:70000,1", "16 bits"),
        ("group_id=1,type=ff,bucket=1", "watch_port"),
        ("group_id=1,type=indirect,bucket=1,bucket=2", "one bucket"),
        ("group_id=1,type=all,bucket=outpt:1", "unknown action"),
        ("group_id=1,type=all,wait,bucket=1", "expected group_id"),
    ] {
        assert!(parse(text).expect_err(text).to_string().contains(problem), "{text}");
    }
    let delete = |text: &str| parse_group(text, GroupCommand::Delete, &ports);
    assert_eq!(delete("group_id=all").unwrap().id, GROUP_ALL);
    assert_eq!(delete("group_id=7").unwrap().id, 7);
    assert!(delete("group_id=7,type=all").is_err());
}

#[test]
fn meters_are_read_and_printed() {
    for (text, expected) in [
        (
            "meter=1,kbps,burst,stats,bands=type=drop,rate=100,burst_size=10",
            "meter=1 kbps burst stats bands=\ntype=drop rate=100 burst_size=10",
        ),
        (
            "meter=2 pktps band=type=drop rate=5,type=dscp_remark,rate=3,prec_level=1",
            "meter=2 pktps bands=\ntype=drop rate=5\ntype=dscp_remark rate=3 prec_level=1",
        ),
    ] {
        let m = parse_meter(text, MeterCommand::Add).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(format_meter(m.id, m.flags, &m.bands), expected);
        let again = parse_meter(expected, MeterCommand::Add).unwrap();
        assert_eq!((again.id, again.flags, again.bands), (m.id, m.flags, m.bands));
    }
    for (text, problem) in [
        ("meter=4,bands=type=drop,rate=7", "kbps or pktps"),
        ("meter=4,kbps,pktps,bands=type=drop,rate=7", "kbps or pktps"),
        ("meter=4,kbps", "bands="),
        ("kbps,bands=type=drop,rate=7", "meter=NUMBER"),
        ("meter=0,kbps,bands=type=drop,rate=7", "1 to"),
        ("meter=4,kbps,bands=rate=7", "begins with its type"),
        ("meter=4,kbps,bands=type=drop", "a rate"),
        ("meter=4,kbps,bands=type=drop,rate=7,burst_size=3", "flag burst"),
        ("meter=4,kbps,bands=type=drop,rate=7,prec_level=3", "only dscp_remark"),
        ("meter=4,kbps,bands=type=mark,rate=7", "expected type=drop"),
    ] {
        let e = parse_meter(text, MeterCommand::Add).expect_err(text);
        assert!(e.to_string().contains(problem), "{text}: {e}");
    }
    let delete = parse_meter("meter=all", MeterCommand::Delete).unwrap();
    assert_eq!(delete.id, METER_ALL);
}

/// The flows that both understand are printed alike.
#[test]
fn ovs_ofctl_prints_the_same() {
    if Process::new("ovs-ofctl").arg("--version").output().is_err() {
        println!("skipped: ovs-ofctl is not installed");
        return;
    }
    for (text, expected) in FLOWS {
        // Names of ports need a running switch there.
        if text.contains("veth1") {
            continue;
        }
        let out = Process::new("ovs-ofctl").args(["-O", "OpenFlow13", "parse-flow", text]).output();
        let out = out.unwrap();
        let stdout = String::from_utf8_lossy(&out.stdout);
        let theirs = stdout.lines().find_map(|l| l.split_once("ADD ")).map(|l| l.1);
        assert_eq!(theirs, Some(*expected), "{text}: {}", String::from_utf8_lossy(&out.stderr));
    }
}

/// A field set to some value, under some mask where it may have one.
fn part(name: &'static str, bits: u32, maskable: bool) -> BoxedStrategy<String> {
    let max = u128::MAX >> (128 - bits);
    (any::<u128>(), any::<u128>(), any::<bool>())
        .prop_map(move |(value, mask, masked)| {
            let field = names::field(name).unwrap().0;
            let mask = if maskable && masked && mask & max != 0 { mask & max } else { max };
            format!("{name}={}", value::format(field, value & mask & max, mask))
        })
        .boxed()
}

fn some_match() -> impl Strategy<Value = String> {
    let l2 = vec![
        part("in_port", 16, false),
        part("metadata", 64, true),
        part("tun_id", 64, true),
        part("tun_ipv6_src", 128, true),
        part("tun_dst", 32, true),
        part("tun_tos", 8, false),
        part("eth_src", 48, true),
        part("eth_dst", 48, true),
        part("vlan_tci", 16, true),
    ];
    let ip = vec![part("nw_ecn", 2, false), part("ip_dscp", 6, false), part("nw_ttl", 8, false)];
    let v4 = vec![part("nw_src", 32, true), part("nw_dst", 32, true)];
    let v6 = vec![part("ipv6_src", 128, true), part("ipv6_label", 20, true)];
    let tp = vec![part("tp_src", 16, true), part("tp_dst", 16, true)];
    let tcp = vec![part("tcp_flags", 12, true)];
    let icmp = vec![part("icmp_type", 8, false), part("icmp_code", 8, false)];
    let arp = vec![part("arp_op", 8, false), part("arp_spa", 32, true), part("arp_tha", 48, true)];
    let kinds = vec![
        ("", vec![]),
        ("arp", arp),
        ("ip", [ip.clone(), v4.clone()].concat()),
        ("tcp", [ip.clone(), v4.clone(), tp.clone(), tcp].concat()),
        ("udp6", [ip.clone(), v6.clone(), tp.clone()].concat()),
        ("sctp", [v4.clone(), tp].concat()),
        ("icmp", [ip.clone(), v4, icmp.clone()].concat()),
        ("icmp6", [ip, v6, icmp].concat()),
    ];
    proptest::sample::select(kinds).prop_flat_map(move |(name, fields)| {
        let all = [l2.clone(), fields].concat();
        let n = all.len();
        (all, proptest::collection::vec(any::<bool>(), n)).prop_map(move |(parts, use_it)| {
            let chosen = parts.into_iter().zip(use_it).filter(|p| p.1).map(|p| p.0);
            let all: Vec<String> = std::iter::once(name.to_owned()).chain(chosen).collect();
            all.join(",")
        })
    })
}

fn some_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        (1u32..0xff00).prop_map(|p| Action::output(OfPort(p))),
        Just(Action::output(OfPort::NORMAL)),
        Just(Action::output(OfPort::IN_PORT)),
        Just(Action::PopVlan),
        Just(Action::PushVlan(0x88a8)),
        (any::<u64>(), any::<u64>()).prop_map(|(value, mask)| {
            let mask = u128::from(mask | 1);
            Action::SetField { field: Field::Metadata, value: u128::from(value) & mask, mask }
        }),
        (any::<u64>(), 1..1u128 << 48).prop_map(|(value, mask)| {
            Action::SetField { field: Field::EthDst, value: u128::from(value) & mask, mask }
        }),
        (0u128..4096).prop_map(|vid| {
            Action::SetField { field: Field::VlanTci, value: 0x1000 | vid, mask: 0x1fff }
        }),
        any::<u32>().prop_map(Action::Group),
        any::<u32>().prop_map(Action::SetQueue),
        Just(Action::CopyTtlOut),
        Just(Action::CopyTtlIn),
        (any::<Option<u8>>(), 1u32..0xff00).prop_map(|(table, port)| Action::Resubmit {
            port: Some(OfPort(port)),
            table: table.filter(|t| *t != 255),
        }),
        (0u16..64, 1u16..=64, any::<u64>()).prop_map(|(bit, bits, value)| {
            let bits = bits.min(64 - bit);
            let value = value >> (64 - bits);
            Action::Load { field: Field::Metadata, bit, bits, value }
        }),
        (0u16..32, 1u16..=32, 0u16..32).prop_map(|(src_bit, bits, dst_bit)| {
            let bits = bits.min(32 - src_bit.max(dst_bit));
            let (src, dst) = (Field::InPort, Field::Reg9);
            Action::Move { src, src_bit, dst, dst_bit, bits }
        }),
        (any::<u16>(), 1u16..).prop_map(|(max_len, id)| Action::Controller {
            max_len,
            id,
            reason: Reason::InvalidTtl,
        }),
        proptest::collection::vec(any::<u8>(), 6).prop_map(|b| Action::Note(b.into())),
    ]
}

proptest! {
    #[test]
    fn matches_come_back(text in some_match()) {
        let m: Match = add(&format!("{text},actions=drop")).unwrap().matching;
        let again = add(&format!("{},actions=drop", format_match(&m))).unwrap().matching;
        prop_assert_eq!(m, again, "{} printed as {}", text, format_match(&m));
    }

    #[test]
    fn actions_come_back(
        apply in proptest::collection::vec(some_action(), 0..6),
        write in proptest::collection::vec(some_action(), 0..3),
        clear: bool,
        metadata: Option<(u64, u64)>,
        goto_table: Option<u8>,
        meter: Option<u32>,
    ) {
        let metadata = metadata.map(|(v, m)| (v & m, m));
        // A tag that may be there is set as such; see vlan_actions_of_openflow_1_0.
        let plain = |a: &Action| !matches!(a, Action::SetField { field: Field::VlanTci, .. });
        let tagged = apply.iter().chain(&write).any(|a| matches!(a, Action::PushVlan(_)));
        prop_assume!(!tagged || apply.iter().chain(&write).all(plain));
        prop_assume!(apply.iter().chain(&write).filter(|a| !plain(a)).count() < 2);
        let i = Instructions { apply, clear, write, metadata, goto_table, meter };
        let text = format_actions(&i, &Match::default());
        let again = add(&format!("actions={text}")).unwrap().instructions;
        prop_assert_eq!(i, again, "{}", text);
    }

    #[test]
    fn nothing_panics(text in "[a-z_=,:/0-9x()>\" +|.\\[\\]-]{0,60}") {
        let _ = add(&text);
        let _ = add(&format!("tcp,{text},actions={text}"));
        for name in ["load:", "move:", "note:", "resubmit(", "controller(", "set_field:"] {
            let _ = add(&format!("actions={name}{text}"));
        }
        let _ = parse_group(&format!("group_id=1,type=ff,bucket={text}"), GroupCommand::Add, &ports);
        let _ = parse_meter(&format!("meter=1,kbps,bands={text}"), MeterCommand::Add);
    }
}
