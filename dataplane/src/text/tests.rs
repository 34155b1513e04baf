//! Flows there and back, and the same flows through the real `ovs-ofctl` where it is installed.

use super::*;
use crate::action::{Action, Instructions};
use crate::flow::{Field, Match};
use crate::state::OfPort;
use crate::table::{Command, FlowMod, Rule, RuleStats};
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
];

#[test]
fn flows_are_read_and_printed() {
    for (text, expected) in FLOWS {
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
        ("tcp,actions=set_field:6->nw_proto", "set_field:6->nw_proto", "cannot be set"),
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
    ) {
        let metadata = metadata.map(|(v, m)| (v & m, m));
        // A tag that may be there is set as such; see vlan_actions_of_openflow_1_0.
        let plain = |a: &Action| !matches!(a, Action::SetField { field: Field::VlanTci, .. });
        let tagged = apply.iter().chain(&write).any(|a| matches!(a, Action::PushVlan(_)));
        prop_assume!(!tagged || apply.iter().chain(&write).all(plain));
        prop_assume!(apply.iter().chain(&write).filter(|a| !plain(a)).count() < 2);
        let i = Instructions { apply, clear, write, metadata, goto_table, ..Instructions::default() };
        let text = format_actions(&i, &Match::default());
        let again = add(&format!("actions={text}")).unwrap().instructions;
        prop_assert_eq!(i, again, "{}", text);
    }

    #[test]
    fn nothing_panics(text in "[a-z_=,:/0-9x()>\" +|.-]{0,60}") {
        let _ = add(&text);
        let _ = add(&format!("tcp,{text},actions={text}"));
    }
}
