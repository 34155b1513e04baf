//! Flow-mods, and whether statistics show what was sent.

use crate::bench::{Bench, add, basic, every_flow, field, flow_mod, frame, output};
use ofagent::wire::action::Action;
use ofagent::wire::error::{
    WireError, bad_action, bad_instruction, bad_match, flow_mod_failed, kind,
};
use ofagent::wire::flow_mod::{FlowMod, FlowModCommand};
use ofagent::wire::instruction::Instruction;
use ofagent::wire::multipart::flow::FlowStatsRequest;
use ofagent::wire::multipart::{ReplyBody, RequestBody};
use ofagent::wire::oxm::{EXPERIMENTER, Match, NXM_0, NXM_1, Oxm, OxmId, basic as f};
use ofagent::wire::{Message, PORT_ANY, TABLE_ALL};

const IPV4: u128 = 0x0800;
const IPV6: u128 = 0x86dd;

fn nxm(class: u16, number: u8, value: u128, mask: Option<u128>) -> Oxm {
    field(OxmId { class, field: number }, value, mask)
}

fn masked(number: u8, value: u128, mask: u128) -> Oxm {
    field(OxmId::basic(number), value, Some(mask))
}

/// Matches that go in and come out the same; together they have every field.
fn matches() -> Vec<Vec<Oxm>> {
    let eth = |t: u128| basic(f::ETH_TYPE, t);
    let proto = |eth_type, p: u128| vec![eth(eth_type), basic(f::IP_PROTO, p)];
    let with = |mut m: Vec<Oxm>, more: &[Oxm]| {
        m.extend_from_slice(more);
        m
    };
    let mut all = vec![
        vec![],
        vec![basic(f::IN_PORT, 7), basic(f::IN_PHY_PORT, 7), masked(f::METADATA, 0x1200, 0xff00)],
        vec![basic(f::METADATA, u128::from(u64::MAX))],
        vec![
            masked(f::ETH_DST, 0x0100_0000_0000, 0x0100_0000_0000),
            basic(f::ETH_SRC, 0x0200_0000_0001),
            eth(0x88b5),
        ],
        // VLANs (section 7.2.3.7, table 13).
        vec![basic(f::VLAN_VID, 0)],
        vec![masked(f::VLAN_VID, 0x1000, 0x1000)],
        vec![basic(f::VLAN_VID, 0x1000 | 42), basic(f::VLAN_PCP, 5)],
        vec![masked(f::VLAN_VID, 0x1000, 0x1000), basic(f::VLAN_PCP, 5)],
        vec![masked(f::VLAN_VID, 0x1002, 0x100f)],
        vec![nxm(NXM_0, 4, 0x2000, Some(0x6000))],
        vec![nxm(NXM_0, 4, 0x1001, Some(0x3fff))],
        with(vec![eth(IPV4)], &[basic(f::IP_DSCP, 46), basic(f::IP_ECN, 3), basic(f::IP_PROTO, 4)]),
        vec![
            eth(IPV4),
            masked(f::IPV4_SRC, 0x0a00_0000, 0xff00_0000),
            basic(f::IPV4_DST, 0x0a00_0001),
        ],
        vec![
            eth(0x0806),
            basic(f::ARP_OP, 1),
            masked(f::ARP_SPA, 0x0a00_0000, 0xff00_0000),
            basic(f::ARP_TPA, 0x0a00_0001),
            basic(f::ARP_SHA, 5),
            masked(f::ARP_THA, 6, 7),
        ],
        vec![
            eth(IPV6),
            masked(f::IPV6_SRC, 1 << 120, 0xff << 120),
            basic(f::IPV6_DST, u128::MAX),
            masked(f::IPV6_FLABEL, 0x12300, 0xfff00),
            masked(f::IPV6_EXTHDR, 0x10, 0x30),
        ],
        with(
            proto(IPV6, 58),
            &[
                basic(f::ICMPV6_TYPE, 135),
                basic(f::ICMPV6_CODE, 0),
                basic(f::IPV6_ND_TARGET, 1),
                basic(f::IPV6_ND_SLL, 2),
            ],
        ),
        with(proto(IPV6, 58), &[basic(f::ICMPV6_TYPE, 136), basic(f::IPV6_ND_TLL, 3)]),
        with(proto(IPV4, 1), &[basic(f::ICMPV4_TYPE, 8), basic(f::ICMPV4_CODE, 0)]),
        vec![
            eth(0x8847),
            basic(f::MPLS_LABEL, 0xfffff),
            basic(f::MPLS_TC, 7),
            basic(f::MPLS_BOS, 1),
            nxm(NXM_1, 30, 9, None),
        ],
        vec![eth(0x88e7), masked(f::PBB_ISID, 0xabcd00, 0xffff00)],
        vec![masked(f::TUNNEL_ID, 100, 0xff_ffff)],
        vec![nxm(NXM_1, 31, 0x0a00_0001, None), nxm(NXM_1, 32, 0x0a00_0000, Some(0xff00_0000))],
        vec![nxm(NXM_1, 109, 1, None), nxm(NXM_1, 110, 2, None)],
        vec![eth(IPV4), nxm(NXM_1, 26, 1, Some(1)), nxm(NXM_1, 29, 64, None)],
        with(proto(IPV4, 6), &[field(OxmId { class: EXPERIMENTER, field: 42 }, 2, Some(0x12))]),
        (0..16).map(|r| nxm(NXM_1, r, u128::from(r) + 1, Some(0xff))).collect(),
    ];
    for (number, src, dst) in
        [(6, f::TCP_SRC, f::TCP_DST), (17, f::UDP_SRC, f::UDP_DST), (132, f::SCTP_SRC, f::SCTP_DST)]
    {
        for eth_type in [IPV4, IPV6] {
            all.push(with(proto(eth_type, number), &[basic(src, 1), masked(dst, 0x50, 0xf0)]));
        }
    }
    all
}

#[test]
fn statistics_show_every_match_as_it_was_sent() {
    let mut b = Bench::new(1);
    let c = b.controller();
    let mut fields = std::collections::BTreeSet::new();
    for (i, m) in matches().into_iter().enumerate() {
        fields.extend(m.iter().map(|o| o.id));
        b.tell(c, &flow_mod(add(i as u16, m, vec![output(1)])));
    }
    let flows = b.all_flows(c);
    assert_eq!(flows.len(), matches().len());
    for (flow, m) in flows.iter().zip(matches()) {
        assert_eq!(flow.matching, Match(m));
    }
    let missing: Vec<_> = (0..40).map(OxmId::basic).filter(|id| !fields.contains(id)).collect();
    assert!(missing.is_empty(), "not tried: {missing:?}");
    // The numbers of older versions mean the same.
    let old = vec![nxm(NXM_0, 3, IPV4, None), nxm(NXM_0, 5, 46 << 2, None), nxm(NXM_0, 7, 1, None)];
    b.tell(c, &flow_mod(FlowMod { table_id: 9, ..add(1, old, vec![]) }));
    let new = vec![basic(f::ETH_TYPE, IPV4), basic(f::IP_DSCP, 46), basic(f::IPV4_SRC, 1)];
    assert_eq!(b.all_flows(c).last().unwrap().matching, Match(new));
}

#[test]
fn a_masked_whole_field_is_the_field() {
    let mut b = Bench::new(1);
    let c = b.controller();
    let m = vec![masked(f::ETH_TYPE, IPV4, 0xffff), masked(f::IPV4_DST, 5, 0xffff_ffff)];
    b.tell(c, &flow_mod(add(1, m, vec![])));
    let m = vec![basic(f::ETH_TYPE, IPV4), basic(f::IPV4_DST, 5)];
    b.tell(c, &flow_mod(add(1, m.clone(), vec![])));
    let flows = b.all_flows(c);
    assert_eq!(flows.len(), 1, "the same match twice");
    assert_eq!(flows[0].matching, Match(m));
    // A mask of zero says nothing.
    b.tell(c, &flow_mod(add(2, vec![masked(f::METADATA, 0, 0)], vec![])));
    assert_eq!(b.all_flows(c)[1].matching, Match(vec![]));
}

#[test]
fn statistics_show_every_action_as_it_was_sent() {
    let (reg0, reg1) = (OxmId { class: NXM_1, field: 0 }, OxmId { class: NXM_1, field: 1 });
    let actions = vec![
        Action::Output { port: 3, max_len: 0xffe5 },
        Action::Output { port: 0xffff_fffd, max_len: 77 },
        Action::SetQueue(4),
        Action::SetField(basic(f::ETH_DST, 0x0200_0000_0009)),
        Action::SetField(masked(f::IPV4_SRC, 0x0a00_0000, 0xff00_0000)),
        Action::SetField(basic(f::IP_DSCP, 46)),
        Action::SetField(basic(f::UDP_DST, 53)),
        Action::SetField(basic(f::TUNNEL_ID, 5)),
        Action::SetField(field(reg0, 5, None)),
        Action::SetNwTtl(9),
        Action::DecNwTtl,
        Action::Load { field: reg0, bit: 4, bits: 8, value: 0xab },
        Action::Move { src: reg0, src_bit: 4, dst: reg1, dst_bit: 0, bits: 8 },
        Action::Resubmit { port: 0xfff8, table: 5 },
        Action::Resubmit { port: 2, table: 255 },
        Action::Controller { max_len: 100, id: 3, reason: 1 },
        Action::Note(vec![1, 2, 3, 0, 0, 0]),
        Action::PushVlan(0x8100),
        Action::SetField(basic(f::VLAN_VID, 0x1000 | 7)),
        Action::SetField(basic(f::VLAN_PCP, 3)),
        Action::PopVlan,
        Action::CopyTtlOut,
        Action::CopyTtlIn,
        Action::PushPbb(0x88e7),
        Action::SetField(basic(f::PBB_ISID, 7)),
        Action::PopPbb,
        Action::PushMpls(0x8847),
        Action::SetField(basic(f::MPLS_LABEL, 16)),
        Action::SetMplsTtl(3),
        Action::DecMplsTtl,
        Action::PopMpls(0x0800),
    ];
    let instructions = vec![
        Instruction::ApplyActions(actions),
        Instruction::ClearActions,
        Instruction::WriteActions(vec![Action::SetNwTtl(3), output(1)]),
        Instruction::WriteMetadata { metadata: 5, mask: 0xff },
        Instruction::GotoTable(9),
    ];
    let m = vec![basic(f::ETH_TYPE, IPV4), basic(f::IP_PROTO, 17)];
    let mut b = Bench::new(1);
    let c = b.controller();
    b.tell(c, &flow_mod(FlowMod { instructions: instructions.clone(), ..add(1, m, vec![]) }));
    assert_eq!(b.all_flows(c)[0].instructions, instructions);
}

/// The ARP responder that many a flow table has.
#[test]
fn the_whole_opcode_of_arp_is_loaded() {
    let mut b = Bench::new(1);
    let c = b.controller();
    let (opcode, bit) = (OxmId::basic(f::ARP_OP), 0);
    let load = Action::Load { field: opcode, bit, bits: 16, value: 2 };
    let arp = vec![basic(f::ETH_TYPE, 0x0806)];
    b.tell(c, &flow_mod(add(1, arp.clone(), vec![load.clone()])));
    assert_eq!(b.all_flows(c)[0].instructions, [Instruction::ApplyActions(vec![load])]);
    let load = Action::Load { field: opcode, bit, bits: 16, value: 0x102 };
    let refused = b.refused(c, &flow_mod(add(2, arp, vec![load])));
    assert_eq!(refused, WireError::new(kind::BAD_ACTION, bad_action::BAD_ARGUMENT));
}

#[test]
fn a_flow_has_what_it_was_given_and_counts() {
    let mut b = Bench::new(2);
    let c = b.controller();
    let m = FlowMod {
        cookie: 0xabc,
        table_id: 0,
        idle_timeout: 60,
        hard_timeout: 600,
        flags: 1 | 2 | 4 | 8,
        ..add(77, vec![basic(f::IN_PORT, 1)], vec![output(2)])
    };
    b.tell(c, &flow_mod(m));
    b.put(1, &frame(2, 1));
    assert!(b.next(2).is_some());
    b.switch.barrier();
    let flow = b.all_flows(c).remove(0);
    assert_eq!(
        (flow.cookie, flow.priority, flow.idle_timeout, flow.hard_timeout),
        (0xabc, 77, 60, 600)
    );
    // CHECK_OVERLAP and RESET_COUNTS were the flow-mod's.
    assert_eq!((flow.flags, flow.packet_count, flow.byte_count), (1 | 8, 1, 200));
    assert!(flow.duration_nsec < 1_000_000_000 && flow.duration_sec < 60);
}

#[test]
fn what_is_wrong_is_refused_with_its_code() {
    let mut b = Bench::new(1);
    let c = b.controller();
    let m = |fields: Vec<Oxm>| add(1, fields, vec![output(1)]);
    let act = |action: Action| add(1, vec![], vec![action]);
    let of = |kind, code| WireError::new(kind, code);
    let cases = [
        (m(vec![basic(f::VLAN_VID, 5)]), of(kind::BAD_MATCH, bad_match::BAD_VALUE)),
        (
            m(vec![basic(f::ETH_TYPE, 0x806), basic(f::ARP_OP, 0x101)]),
            of(kind::BAD_MATCH, bad_match::BAD_VALUE),
        ),
        (m(vec![basic(f::TCP_DST, 5)]), of(kind::BAD_MATCH, bad_match::BAD_PREREQ)),
        (m(vec![basic(f::VLAN_PCP, 5)]), of(kind::BAD_MATCH, bad_match::BAD_PREREQ)),
        (
            m(vec![basic(f::IN_PORT, 5), basic(f::IN_PORT, 5)]),
            of(kind::BAD_MATCH, bad_match::DUP_FIELD),
        ),
        (act(output(0)), of(kind::BAD_ACTION, bad_action::BAD_OUT_PORT)),
        (act(output(PORT_ANY)), of(kind::BAD_ACTION, bad_action::BAD_OUT_PORT)),
        (act(output(0xffff_fff9)), of(kind::BAD_ACTION, bad_action::BAD_OUT_PORT)),
        (act(Action::Group(9)), of(kind::BAD_ACTION, bad_action::BAD_OUT_GROUP)),
        (act(Action::PushVlan(0x800)), of(kind::BAD_ACTION, bad_action::BAD_ARGUMENT)),
        (
            act(Action::SetField(basic(f::IN_PORT, 1))),
            of(kind::BAD_ACTION, bad_action::BAD_SET_ARGUMENT),
        ),
        (
            act(Action::SetField(basic(f::IPV4_SRC, 1))),
            of(kind::BAD_ACTION, bad_action::MATCH_INCONSISTENT),
        ),
        (
            act(Action::SetField(basic(f::VLAN_VID, 0))),
            of(kind::BAD_ACTION, bad_action::BAD_SET_ARGUMENT),
        ),
        (
            add(
                1,
                vec![basic(f::ETH_TYPE, IPV4), basic(f::IP_PROTO, 17)],
                vec![Action::SetField(basic(f::TCP_DST, 1))],
            ),
            of(kind::BAD_ACTION, bad_action::MATCH_INCONSISTENT),
        ),
        (
            FlowMod { instructions: vec![Instruction::GotoTable(0)], ..m(vec![]) },
            of(kind::BAD_INSTRUCTION, bad_instruction::BAD_TABLE_ID),
        ),
        (
            FlowMod { instructions: vec![Instruction::Meter(3)], ..m(vec![]) },
            of(kind::METER_MOD_FAILED, 3),
        ),
        (
            FlowMod { flags: 0x20, ..m(vec![]) },
            of(kind::FLOW_MOD_FAILED, flow_mod_failed::BAD_FLAGS),
        ),
        (
            FlowMod { table_id: 254, ..m(vec![]) },
            of(kind::FLOW_MOD_FAILED, flow_mod_failed::BAD_TABLE_ID),
        ),
        (
            FlowMod { table_id: TABLE_ALL, ..m(vec![]) },
            of(kind::FLOW_MOD_FAILED, flow_mod_failed::BAD_TABLE_ID),
        ),
    ];
    for (m, error) in cases {
        assert_eq!(b.refused(c, &flow_mod(m.clone())), error, "{m:?}");
    }
    assert!(b.all_flows(c).is_empty());
}

#[test]
fn commands_flags_and_filters_do_what_they_say() {
    let mut b = Bench::new(1);
    let c = b.controller();
    let port = |n: u128| vec![basic(f::IN_PORT, n)];
    for n in 1..=4 {
        let m = FlowMod { cookie: n as u64, ..add(n as u16, port(n), vec![output(n as u32)]) };
        b.tell(c, &flow_mod(m));
    }
    let priorities = |b: &mut Bench| b.all_flows(c).iter().map(|f| f.priority).collect::<Vec<_>>();
    // Filters of statistics.
    let mut count = |wanted: FlowStatsRequest| {
        let flows = b.flows(c, wanted.clone()).len();
        let ReplyBody::Aggregate(sum) = b.multipart(c, RequestBody::Aggregate(wanted)) else {
            panic!()
        };
        assert_eq!(sum.flow_count as usize, flows);
        flows
    };
    assert_eq!(count(every_flow()), 4);
    assert_eq!(count(FlowStatsRequest { table_id: 0, ..every_flow() }), 4);
    assert_eq!(count(FlowStatsRequest { table_id: 1, ..every_flow() }), 0);
    assert_eq!(count(FlowStatsRequest { out_port: 3, ..every_flow() }), 1);
    assert_eq!(count(FlowStatsRequest { out_group: 3, ..every_flow() }), 0);
    assert_eq!(count(FlowStatsRequest { cookie: 2, cookie_mask: u64::MAX, ..every_flow() }), 1);
    assert_eq!(count(FlowStatsRequest { matching: Match(port(2)), ..every_flow() }), 1);

    let base = || FlowMod { command: FlowModCommand::Modify, ..add(0, vec![], vec![output(9)]) };
    // Modify by cookie; its own filters mean nothing but for deletes.
    b.tell(
        c,
        &flow_mod(FlowMod {
            cookie: 2,
            cookie_mask: u64::MAX,
            out_port: 0,
            out_group: 0,
            ..base()
        }),
    );
    let outputs = |b: &mut Bench| {
        let of = |i: &Instruction| match i {
            Instruction::ApplyActions(a) => a.clone(),
            _ => vec![],
        };
        b.all_flows(c).iter().flat_map(|f| f.instructions.iter().flat_map(of)).collect::<Vec<_>>()
    };
    assert_eq!(outputs(&mut b), [output(1), output(9), output(3), output(4)]);
    b.tell(
        c,
        &flow_mod(FlowMod {
            command: FlowModCommand::ModifyStrict,
            priority: 3,
            matching: Match(port(3)),
            ..base()
        }),
    );
    assert_eq!(outputs(&mut b), [output(1), output(9), output(9), output(4)]);

    let delete = || FlowMod { command: FlowModCommand::Delete, instructions: vec![], ..base() };
    // What the seed's application sends: a filter on output to port 0 and group 0.
    b.tell(c, &flow_mod(FlowMod { out_port: 0, out_group: 0, ..delete() }));
    assert_eq!(priorities(&mut b), [1, 2, 3, 4]);
    b.tell(c, &flow_mod(FlowMod { out_port: 9, ..delete() }));
    assert_eq!(priorities(&mut b), [1, 4]);
    b.tell(
        c,
        &flow_mod(FlowMod {
            command: FlowModCommand::DeleteStrict,
            priority: 2,
            matching: Match(port(4)),
            ..delete()
        }),
    );
    assert_eq!(priorities(&mut b), [1, 4]);
    b.tell(
        c,
        &flow_mod(FlowMod {
            command: FlowModCommand::DeleteStrict,
            priority: 4,
            matching: Match(port(4)),
            ..delete()
        }),
    );
    assert_eq!(priorities(&mut b), [1]);
    // Overlaps.
    let overlap = FlowMod { flags: 2, ..add(1, vec![], vec![]) };
    let error = WireError::new(kind::FLOW_MOD_FAILED, flow_mod_failed::OVERLAP);
    assert_eq!(b.refused(c, &flow_mod(overlap)), error);
    b.tell(c, &flow_mod(FlowMod { table_id: TABLE_ALL, ..delete() }));
    assert!(priorities(&mut b).is_empty());
}

#[test]
fn flow_removed_says_which_and_why() {
    let mut b = Bench::new(2);
    let c = b.controller();
    let told =
        FlowMod { cookie: 7, flags: 1, ..add(5, vec![basic(f::IN_PORT, 1)], vec![output(2)]) };
    b.tell(c, &flow_mod(told.clone()));
    b.tell(c, &flow_mod(add(6, vec![], vec![])));
    let delete = FlowMod { command: FlowModCommand::Delete, ..add(0, vec![], vec![]) };
    b.send(c, &flow_mod(delete));
    let Message::FlowRemoved(gone) = b.unasked(c) else { panic!() };
    assert_eq!((gone.cookie, gone.priority, gone.reason, gone.table_id), (7, 5, 2, 0));
    assert_eq!(gone.matching, Match(vec![basic(f::IN_PORT, 1)]));
    // By its timeout.
    b.tell(c, &flow_mod(FlowMod { hard_timeout: 1, ..told }));
    let start = std::time::Instant::now();
    let gone = loop {
        b.switch.tick();
        if let Some((_, Message::FlowRemoved(gone))) = b.received(c).pop() {
            break gone;
        }
        assert!(start.elapsed() < crate::bench::WAIT);
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    assert_eq!((gone.reason, gone.hard_timeout, gone.duration_sec), (1, 1, 1));
}

#[test]
fn flows_outlive_the_connection_that_made_them() {
    let mut b = Bench::new(1);
    let (one, two) = (b.controller(), b.controller());
    b.tell(one, &flow_mod(add(1, vec![], vec![])));
    b.tell(two, &flow_mod(add(2, vec![], vec![])));
    b.agent.disconnected(one);
    b.agent.disconnected(two);
    let three = b.controller();
    assert_eq!(b.all_flows(three).len(), 2);
}

/// A dump of many messages, while flows change: the snapshot is whole, each flow once.
#[test]
fn a_large_dump_is_a_snapshot_in_many_messages() {
    const FLOWS: u32 = 20_000;
    let mut b = Bench::new(1);
    let (c, other) = (b.controller(), b.controller());
    for n in 0..FLOWS {
        let m = FlowMod {
            cookie: n.into(),
            ..add(1, vec![basic(f::IN_PORT, n.into())], vec![output(1)])
        };
        b.tell(c, &flow_mod(m));
    }
    b.send(c, &crate::bench::request(RequestBody::Flow(every_flow())));
    let outbox = b.agent.outbox(c).unwrap();
    let first = outbox.bytes().len();
    assert!(outbox.is_dumping() && (1..=128 << 10).contains(&first), "{first}");
    let delete = FlowMod { command: FlowModCommand::Delete, ..add(0, vec![], vec![]) };
    b.tell(other, &flow_mod(delete));
    let got = b.received(c);
    assert!(got.len() > 10);
    let mut cookies = Vec::new();
    for (i, (_, message)) in got.iter().enumerate() {
        let Message::MultipartReply(reply) = message else { panic!("{message:?}") };
        assert_eq!(reply.more, i + 1 < got.len());
        let ReplyBody::Flow(flows) = &reply.body else { panic!() };
        cookies.extend(flows.iter().map(|f| f.cookie));
    }
    cookies.sort_unstable();
    assert!(cookies.into_iter().eq(0..u64::from(FLOWS)));
    assert!(b.all_flows(other).is_empty());
}

#[test]
fn an_add_has_no_filters() {
    let mut b = Bench::new(1);
    let c = b.controller();
    let m = FlowMod { out_port: 0, out_group: 0, buffer_id: u32::MAX, ..add(1, vec![], vec![]) };
    b.tell(c, &flow_mod(m));
    assert_eq!(b.all_flows(c).len(), 1);
}
