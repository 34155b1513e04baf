//! What NORMAL, the action set, patch and tunnel ports are meant to do, case by case (the oracle
//! shares this code with the switch, so it cannot tell).

use crate::world::{bridge_mut, datapath};
use dataplane::action::{Action, Instructions, Step};
use dataplane::drop::DropReason;
use dataplane::flow::key::VLAN_PRESENT;
use dataplane::flow::{Field, FlowKey, Mask, Match};
use dataplane::state::{Datapath, OfPort, PortId};
use dataplane::table::FlowMod;
use dataplane::translate::{Decision, translate};
use std::sync::Arc;

pub(crate) const A: [u8; 6] = [2, 0, 0, 0, 0, 0xa];
pub(crate) const B: [u8; 6] = [2, 0, 0, 0, 0, 0xb];
const BROADCAST: [u8; 6] = [0xff; 6];

/// Ports of [`datapath`], by what they are.
const LOCAL: u32 = 0;
pub(crate) const TRUNK: u32 = 1;
const ACCESS_10: u32 = 2;
const ACCESS_20: u32 = 3;
const NATIVE_UNTAGGED_10: u32 = 4;
const TUNNEL_FLOW: u32 = 5;
pub(crate) const TUNNEL_FIXED: u32 = 6;
const PATCH: u32 = 7;
const PEER_PORT: u32 = 9;

pub(crate) fn frame(port: u32, src: [u8; 6], dst: [u8; 6], vid: Option<u16>) -> FlowKey {
    let mut key = FlowKey { eth_src: src, eth_dst: dst, ..FlowKey::default() };
    key.in_port.set(port);
    key.eth_type.set(0x0800);
    key.ip_ttl = 64;
    if let Some(vid) = vid {
        key.vlan[0].tpid.set(0x8100);
        key.vlan[0].tci.set(VLAN_PRESENT | vid);
    }
    key
}

pub(crate) fn add(dp: &mut Datapath, bridge: usize, m: &FlowMod) {
    let b = bridge_mut(dp, bridge);
    Arc::make_mut(&mut b.pipeline).apply(m, 1).unwrap();
    dp.epoch += 1;
}

pub(crate) fn apply(actions: &[Action]) -> Instructions {
    Instructions { apply: actions.to_vec(), ..Instructions::default() }
}

pub(crate) fn rule(actions: &[Action]) -> FlowMod {
    FlowMod { instructions: apply(actions), ..FlowMod::default() }
}

fn normal() -> Datapath {
    let mut dp = datapath();
    add(&mut dp, 0, &rule(&[Action::output(OfPort::NORMAL)]));
    dp
}

/// The frames that leave: port, and the tags they leave with (TPID, TCI), outermost first.
fn sent(decision: &Decision, key: &FlowKey) -> Vec<(u32, Vec<u16>)> {
    fn run(steps: &[Step], mut tags: Vec<u16>, out: &mut Vec<(u32, Vec<u16>)>) {
        for step in steps {
            match step {
                Step::Output { port, .. } => out.push((port.0, tags.clone())),
                Step::PushVlan { tci, .. } => tags.insert(0, *tci),
                Step::PopVlan => drop(tags.remove(0)),
                Step::Set { field: Field::VlanVid, value, mask } => {
                    assert_eq!(*mask, 0xfff);
                    tags[0] = tags[0] & 0xf000 | *value as u16;
                }
                Step::Set { .. } => {}
                Step::Sub(steps) => run(steps, tags.clone(), out),
                other => panic!("{other:?}"),
            }
        }
    }
    let tags = key.vlan.iter().map(|v| v.tci.get()).filter(|t| *t != 0);
    let mut out = Vec::new();
    run(&decision.steps, tags.map(|t| t & !VLAN_PRESENT).collect(), &mut out);
    out.sort();
    out
}

fn forward(dp: &Datapath, key: &FlowKey) -> Vec<(u32, Vec<u16>)> {
    sent(&translate(dp, key, 1), key)
}

#[test]
fn normal_floods_within_the_vlan_with_the_tags_that_ports_want() {
    let dp = normal();
    let key = frame(ACCESS_10, A, BROADCAST, None);
    // The flow-based tunnel has no remote, the peer bridge no rule; VLAN 20's access port is not in.
    let wanted = [
        (LOCAL, vec![10]),
        (TRUNK, vec![10]),
        (NATIVE_UNTAGGED_10, vec![]),
        (TUNNEL_FIXED, vec![10]),
    ];
    assert_eq!(forward(&dp, &key), wanted);
    let key = frame(TRUNK, A, BROADCAST, Some(20));
    let wanted = [(LOCAL, vec![20]), (ACCESS_20, vec![]), (NATIVE_UNTAGGED_10, vec![20])];
    assert_eq!(forward(&dp, &key), wanted);
}

#[test]
fn normal_drops_vlans_that_the_port_does_not_carry() {
    let dp = normal();
    for (port, vid) in [(ACCESS_10, 10), (ACCESS_10, 20), (NATIVE_UNTAGGED_10, 30), (6, 20)] {
        let decision = translate(&dp, &frame(port, A, BROADCAST, Some(vid)), 1);
        assert_eq!(decision.drop, Some(DropReason::VlanNotAllowed), "{port} {vid}");
        assert!(dp.bridges[0].as_ref().unwrap().fdb.is_empty(), "learned {port} {vid}");
    }
}

#[test]
fn normal_learns_and_a_frame_moves_its_address() {
    let dp = normal();
    forward(&dp, &frame(ACCESS_10, A, BROADCAST, None));
    let to_a = frame(TRUNK, B, A, Some(10));
    let decision = translate(&dp, &to_a, 2);
    assert_eq!(sent(&decision, &to_a), [(ACCESS_10, vec![])]);
    assert!(decision.is_current(&dp));
    // A gratuitous ARP from elsewhere.
    let mut arp = frame(NATIVE_UNTAGGED_10, A, BROADCAST, None);
    arp.eth_type.set(0x0806);
    forward(&dp, &arp);
    assert!(!decision.is_current(&dp));
    assert_eq!(forward(&dp, &to_a), [(NATIVE_UNTAGGED_10, vec![])]);
    // Behind the ingress port itself: nowhere.
    let back = translate(&dp, &frame(NATIVE_UNTAGGED_10, B, A, None), 3);
    assert_eq!(back.drop, Some(DropReason::SamePort));
    // In another VLAN the address is not known.
    assert_eq!(forward(&dp, &frame(TRUNK, B, A, Some(20))).len(), 3);
}

#[test]
fn normal_does_not_forward_reserved_addresses() {
    let dp = normal();
    for last in 0..=0x10 {
        let key = frame(TRUNK, A, [0x01, 0x80, 0xc2, 0, 0, last], None);
        let reserved = translate(&dp, &key, 1).drop == Some(DropReason::ReservedAddress);
        assert_eq!(reserved, last < 0x10, "{last:#x}");
    }
}

#[test]
fn flood_and_all_leave_out_the_ingress_port() {
    for (port, with_no_flood) in [(OfPort::FLOOD, false), (OfPort::ALL, true)] {
        let mut dp = datapath();
        Arc::make_mut(dp.ports[TRUNK as usize].as_mut().unwrap()).flags.no_flood = true;
        add(&mut dp, 0, &rule(&[Action::output(port)]));
        let out = forward(&dp, &frame(ACCESS_20, A, BROADCAST, None));
        assert_eq!(out.iter().any(|o| o.0 == TRUNK), with_no_flood);
        assert!(out.iter().all(|o| o.0 != ACCESS_20));
        assert!(out.iter().any(|o| o.0 == LOCAL));
    }
}

#[test]
fn only_in_port_sends_back() {
    let mut dp = datapath();
    add(&mut dp, 0, &rule(&[Action::output(OfPort(1))]));
    let key = frame(TRUNK, A, B, None);
    assert_eq!(translate(&dp, &key, 1).drop, Some(DropReason::SamePort));
    add(&mut dp, 0, &rule(&[Action::output(OfPort::IN_PORT)]));
    assert_eq!(forward(&dp, &key), [(TRUNK, vec![])]);
}

#[test]
fn the_action_set_runs_in_openflows_order() {
    let mut dp = datapath();
    let set_vid = |vid: u128| Action::SetField {
        field: Field::VlanVid,
        value: 0x1000 | vid,
        mask: Field::VlanVid.max(),
    };
    let mut m = rule(&[]);
    m.instructions.write = vec![Action::output(OfPort(2)), set_vid(5), Action::PushVlan(0x88a8)];
    m.instructions.goto_table = Some(1);
    add(&mut dp, 0, &m);
    let mut m = FlowMod { table: Some(1), ..rule(&[]) };
    m.instructions.write = vec![Action::output(OfPort(3)), Action::PopVlan];
    add(&mut dp, 0, &m);
    let key = frame(TRUNK, A, B, Some(7));
    let decision = translate(&dp, &key, 1);
    assert_eq!(sent(&decision, &key), [(ACCESS_20, vec![5])]);
    assert_eq!(decision.rules.len(), 2);
    assert!(matches!(decision.steps[0], Step::PopVlan));
    // Cleared, it does nothing.
    m.instructions = Instructions { clear: true, ..Instructions::default() };
    add(&mut dp, 0, &m);
    assert_eq!(translate(&dp, &key, 1).drop, Some(DropReason::NoOutput));
}

#[test]
fn what_the_peer_of_a_patch_changes_does_not_leak_back() {
    let mut dp = datapath();
    let outputs = [Action::output(OfPort(7)), Action::output(OfPort(2))];
    add(&mut dp, 0, &rule(&outputs));
    add(&mut dp, 1, &rule(&[Action::PushVlan(0x8100), Action::output(OfPort(2))]));
    let key = frame(TRUNK, A, B, None);
    assert_eq!(forward(&dp, &key), [(ACCESS_10, vec![]), (PEER_PORT, vec![0])]);
    // Two bridges that send to each other for ever.
    add(&mut dp, 0, &rule(&[Action::output(OfPort(7)), Action::output(OfPort::IN_PORT)]));
    add(&mut dp, 1, &rule(&[Action::output(OfPort::IN_PORT)]));
    let decision = translate(&dp, &key, 1);
    assert_eq!((decision.drop, decision.steps.len()), (Some(DropReason::TooManyHops), 0));
    // From the patch port itself, as it came in there.
    assert_eq!(dp.port(PortId(PATCH)).unwrap().ofport, OfPort(7));
}

#[test]
fn a_ttl_that_runs_out_ends_the_packet() {
    let mut dp = datapath();
    // In the action set, which may be done on packets of any kind.
    let write = vec![Action::DecTtl, Action::output(OfPort(2))];
    let instructions = Instructions { write, ..Instructions::default() };
    add(&mut dp, 0, &FlowMod { instructions, ..FlowMod::default() });
    let mut key = frame(TRUNK, A, B, None);
    for (ttl, drop) in
        [(2, None), (1, Some(DropReason::TtlExpired)), (0, Some(DropReason::TtlExpired))]
    {
        key.ip_ttl = ttl;
        let decision = translate(&dp, &key, 1);
        assert_eq!(decision.drop, drop);
        assert_eq!(decision.wildcards.0.ip_ttl, 0xff);
    }
    key.eth_type.set(0x88cc);
    assert_eq!(translate(&dp, &key, 1).drop, None);
}

#[test]
fn a_tunnels_outer_header_follows_flow_and_packet() {
    let mut dp = datapath();
    let set = |field: Field, value: u128| Action::SetField { field, value, mask: field.max() };
    let remote = set(Field::TunDst, 0xc000_0202);
    let m = rule(&[remote, set(Field::TunId, 77), Action::output(OfPort(5))]);
    add(&mut dp, 0, &m);
    let mut key = frame(TRUNK, A, B, None);
    key.ip_tos = 0xb8 | 3;
    key.ip_ttl = 9;
    let decision = translate(&dp, &key, 1);
    let Step::Output { port, tunnel: Some(tunnel) } = &decision.steps[0] else { panic!() };
    assert_eq!(port.0, TUNNEL_FLOW);
    assert_eq!((tunnel.vni, tunnel.ttl), (77, 9));
    assert_eq!(tunnel.remote, "192.0.2.2".parse::<std::net::IpAddr>().unwrap());
    // Congestion Experienced goes out as ECT(0).
    assert_eq!(tunnel.tos, 0xb8 | 2);
    // The address that the packet came to is the switch's own.
    key.tun_dst.set(0xc000_0202);
    assert_eq!(translate(&dp, &key, 1).drop, Some(DropReason::TunnelNoRemote));
}

#[test]
fn a_field_that_the_packet_lacks_is_not_set() {
    let mut dp = datapath();
    let mut m = rule(&[Action::output(OfPort(2))]);
    m.matching.key.eth_type.set(0x0800);
    m.matching.key.ip_proto = 6;
    let mut mask = Mask::default();
    mask.0.eth_type.set(u16::MAX);
    mask.0.ip_proto = 0xff;
    m.matching = Match::new(&m.matching.key, &mask);
    let port = Action::SetField { field: Field::TpDst, value: 80, mask: Field::TpDst.max() };
    m.instructions.apply.insert(0, port);
    add(&mut dp, 0, &m);
    let mut key = frame(TRUNK, A, B, None);
    key.ip_proto = 6;
    assert_eq!(translate(&dp, &key, 1).steps.len(), 2);
    key.ip_frag = dataplane::flow::key::FRAG_ANY | dataplane::flow::key::FRAG_LATER;
    assert_eq!(translate(&dp, &key, 1).steps.len(), 1);
}

#[test]
fn ports_that_are_down_neither_receive_nor_send() {
    let mut dp = datapath();
    add(&mut dp, 0, &rule(&[Action::output(OfPort(2))]));
    let key = frame(TRUNK, A, B, None);
    let flags = |dp: &mut Datapath, port: u32, set: fn(&mut dataplane::state::PortFlags)| {
        let port = Arc::make_mut(dp.ports[port as usize].as_mut().unwrap());
        port.flags = dataplane::state::PortFlags::default();
        set(&mut port.flags);
    };
    flags(&mut dp, ACCESS_10, |f| f.link_up = false);
    assert_eq!(translate(&dp, &key, 1).drop, Some(DropReason::TxLinkDown));
    flags(&mut dp, ACCESS_10, |f| f.no_fwd = true);
    assert_eq!(translate(&dp, &key, 1).drop, Some(DropReason::TxPortDown));
    flags(&mut dp, TRUNK, |f| f.no_recv = true);
    assert_eq!(translate(&dp, &key, 1).drop, Some(DropReason::RxPortDown));
}
