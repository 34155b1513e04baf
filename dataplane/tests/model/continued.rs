//! What becomes of packets that are taken apart anew, and what controllers get, case by case.

use crate::forwarding::{A, B, TRUNK, TUNNEL_FIXED, add, apply, frame, rule};
use crate::world::{bridge_mut, datapath};
use dataplane::action::{Action, Instructions, Step};
use dataplane::cache::Cache;
use dataplane::drop::DropReason;
use dataplane::flow::{Field, FlowKey, Mask, Match};
use dataplane::state::{BridgeId, Datapath, OfPort};
use dataplane::table::group::{Bucket, GROUP_ANY, GroupCommand, GroupKind, GroupMod};
use dataplane::table::{Command, FlowMod};
use dataplane::translate::{Decision, Frozen, translate, translate_actions, translate_frozen};
use dataplane::upcall::{Reason, ToController};
use std::sync::Arc;

/// A labelled packet, and what is behind the label.
fn labelled() -> (FlowKey, FlowKey) {
    let mut key = frame(TRUNK, A, B, None);
    let behind = FlowKey { in_port: 0.into(), ..key };
    key.eth_type.set(0x8847);
    key.mpls[0].set(0x64 << 12 | 3 << 9 | 0x100 | 9);
    key.ip_ttl = 0;
    (key, behind)
}

fn mpls() -> Match {
    let (mut key, mut mask) = (FlowKey::default(), Mask::default());
    key.eth_type.set(0x8847);
    mask.0.eth_type.set(u16::MAX);
    Match::new(&key, &mask)
}

fn set(field: Field, value: u128) -> Action {
    Action::SetField { field, value, mask: field.max() }
}

fn port(n: u32) -> Action {
    Action::output(OfPort(n))
}

fn on_mpls(instructions: Instructions) -> FlowMod {
    FlowMod { matching: mpls(), instructions, ..FlowMod::default() }
}

fn ipv4(table: u8, actions: &[Action]) -> FlowMod {
    let (mut key, mut mask) = (FlowKey::default(), Mask::default());
    key.eth_type.set(0x0800);
    mask.0.eth_type.set(u16::MAX);
    FlowMod { table: Some(table), matching: Match::new(&key, &mask), ..rule(actions) }
}

fn resubmit(table: u8) -> Action {
    Action::Resubmit { port: None, table: Some(table) }
}

/// How a decision goes on, at the end of its steps or of a copy's.
fn left(steps: &[Step]) -> Vec<Arc<Frozen>> {
    let mut left = Vec::new();
    for step in steps {
        match step {
            Step::Recirculate(frozen) => left.push(Arc::clone(frozen)),
            Step::Sub(steps) => left.extend(crate::continued::left(steps)),
            _ => {}
        }
    }
    left
}

fn outputs(decision: &Decision) -> Vec<u32> {
    let port = |step: &Step| match step {
        Step::Output { port, .. } => Some(port.0),
        _ => None,
    };
    decision.steps.iter().filter_map(port).collect()
}

/// Goes on to the end; gives back the ports that the packet was sent to on the way.
fn follow(dp: &Datapath, key: &FlowKey, behind: &FlowKey) -> Vec<u32> {
    let first = translate(dp, key, 1);
    let mut out = outputs(&first);
    let mut todo = left(&first.steps);
    while let Some(frozen) = todo.pop() {
        let decision = translate_frozen(dp, behind, &frozen, 1);
        out.extend(outputs(&decision));
        todo.extend(left(&decision.steps));
    }
    out
}

#[test]
fn plain_outputs_behind_a_popped_label_need_no_second_look() {
    let mut dp = datapath();
    add(&mut dp, 0, &on_mpls(apply(&[Action::PopMpls(0x0800), port(2), port(3)])));
    let decision = translate(&dp, &labelled().0, 1);
    assert_eq!((decision.steps.len(), outputs(&decision)), (3, vec![2, 3]));
    assert!(left(&decision.steps).is_empty());
}

#[test]
fn labels_below_a_popped_one_are_known_while_the_bottom_is_in_sight() {
    let mut dp = datapath();
    let pop = [Action::PopMpls(0x8847), Action::DecMplsTtl, port(2)];
    add(&mut dp, 0, &on_mpls(apply(&pop)));
    let (mut key, _) = labelled();
    for (labels, known) in [(1, false), (2, true), (3, true), (4, false)] {
        for (i, entry) in key.mpls.iter_mut().enumerate() {
            let bottom = if i + 1 == labels { 0x100 } else { 0 };
            entry.set(if i < labels { bottom | 7 } else { 0 });
        }
        let decision = translate(&dp, &key, 1);
        assert_eq!(left(&decision.steps).is_empty(), known, "{labels}");
    }
}

#[test]
fn copied_ttls_are_known_but_for_those_of_ip() {
    let mut dp = datapath();
    let (mut key, _) = labelled();
    let mut run = |key: &FlowKey, copy: Action| {
        add(&mut dp, 0, &on_mpls(apply(&[copy, Action::DecMplsTtl, port(2)])));
        translate(&dp, key, 1)
    };
    assert_eq!(left(&run(&key, Action::CopyTtlOut).steps).len(), 1);
    assert!(left(&run(&key, Action::CopyTtlIn).steps).is_empty());
    key.mpls = [0x4_0009.into(), 0x5_0105.into(), 0.into()];
    let decision = run(&key, Action::CopyTtlOut);
    let ttl = Step::Set { field: Field::MplsTtl, value: 4, mask: 255 };
    assert_eq!(decision.steps[1], ttl);
}

#[test]
fn what_is_behind_a_popped_label_decides() {
    let mut dp = datapath();
    let mut m = on_mpls(apply(&[port(4), Action::PopMpls(0x0800)]));
    m.instructions.goto_table = Some(1);
    m.instructions.metadata = Some((5, 7));
    add(&mut dp, 0, &m);
    add(&mut dp, 0, &ipv4(1, &[Action::DecTtl, port(2)]));
    let (key, behind) = labelled();
    let first = translate(&dp, &key, 1);
    assert!(matches!(first.steps.last(), Some(Step::Recirculate(_))), "{first:?}");
    assert_eq!((first.tables.len(), first.rules.len()), (1, 1));
    let second = translate_frozen(&dp, &behind, &left(&first.steps)[0], 1);
    let ttl = Step::Set { field: Field::IpTtl, value: 63, mask: 255 };
    assert_eq!((&second.steps[0], outputs(&second)), (&ttl, vec![2]));
    assert_eq!((second.tables.len(), second.rules.len()), (1, 1));
    assert_eq!(second.wildcards.0.eth_type.get(), 0xffff);
    // It was sent before, so it is not lost where nothing matches.
    let lost = FlowKey { eth_type: 0x88cc.into(), ..behind };
    assert_eq!(translate_frozen(&dp, &lost, &left(&first.steps)[0], 1).drop, None);
}

#[test]
fn callers_and_the_action_set_go_on_with_what_they_had_left() {
    let mut dp = datapath();
    // Resubmitted to: pops, and looks on in the next table.
    let mut m = FlowMod { table: Some(1), ..on_mpls(apply(&[Action::PopMpls(0x0800)])) };
    m.instructions.goto_table = Some(2);
    add(&mut dp, 0, &m);
    add(&mut dp, 0, &ipv4(2, &[port(2)]));
    let reg = set(Field::Reg3, 7);
    let mut m = on_mpls(apply(&[reg, resubmit(1), port(3), resubmit(3)]));
    m.instructions.write = vec![port(4)];
    add(&mut dp, 0, &m);
    // Registers are as they were.
    let mut m = ipv4(3, &[port(5)]);
    let (mut key, mut mask) = (m.matching.key, m.matching.mask);
    key.regs[3].set(7);
    mask.0.regs[3].set(u32::MAX);
    m.matching = Match::new(&key, &mask);
    m.instructions.apply = vec![Action::output(OfPort::LOCAL)];
    add(&mut dp, 0, &m);
    let (key, behind) = labelled();
    assert_eq!(follow(&dp, &key, &behind), [2, 3, 0, 4]);
    // Where the resubmitted table's next finds nothing, its caller goes on all the same.
    let lost = FlowKey { eth_type: 0x88cc.into(), ..behind };
    assert_eq!(follow(&dp, &key, &lost), [3, 4]);
}

#[test]
fn tunnels_and_patches_look_behind_the_label_by_themselves() {
    let mut dp = datapath();
    add(&mut dp, 0, &on_mpls(apply(&[Action::PopMpls(0x0800), port(TUNNEL_FIXED), port(2)])));
    let (key, mut behind) = labelled();
    behind.ip_tos = 1;
    let first = translate(&dp, &key, 1);
    assert_eq!(outputs(&first), [2]);
    let second = translate_frozen(&dp, &behind, &left(&first.steps)[0], 1);
    let [Step::Output { port, tunnel: Some(tunnel) }] = &*second.steps else { panic!() };
    assert_eq!((port.0, tunnel.tos), (TUNNEL_FIXED, 1));
    // Behind a patch: the peer's tables run on what is behind the label.
    add(&mut dp, 0, &on_mpls(apply(&[Action::PopMpls(0x0800), self::port(7), self::port(2)])));
    add(&mut dp, 1, &ipv4(0, &[self::port(2)]));
    assert_eq!(follow(&dp, &key, &behind), [2, 9]);
}

#[test]
fn a_bucket_goes_on_beside_the_packet() {
    let mut dp = datapath();
    let bucket = Bucket {
        weight: 0,
        watch_port: OfPort::ANY,
        watch_group: GROUP_ANY,
        actions: vec![Action::PopMpls(0x0800), Action::DecTtl, port(2)],
        counts: Arc::default(),
    };
    let m = GroupMod {
        command: GroupCommand::Add,
        id: 1,
        kind: GroupKind::Indirect,
        buckets: vec![bucket],
    };
    Arc::make_mut(&mut bridge_mut(&mut dp, 0).pipeline).apply_group(&m).unwrap();
    add(&mut dp, 0, &on_mpls(apply(&[Action::Group(1), Action::DecMplsTtl, port(3)])));
    let (key, behind) = labelled();
    let first = translate(&dp, &key, 1);
    let ttl = Step::Set { field: Field::MplsTtl, value: 8, mask: 255 };
    assert!(matches!(&first.steps[0], Step::Sub(_)) && first.steps[1] == ttl, "{first:?}");
    assert_eq!(follow(&dp, &key, &behind), [3, 2]);
}

#[test]
fn equal_work_shares_a_cached_decision() {
    let mut dp = datapath();
    add(&mut dp, 0, &on_mpls(apply(&[Action::PopMpls(0x0800), resubmit(1)])));
    add(&mut dp, 0, &ipv4(1, &[port(2)]));
    let (key, behind) = labelled();
    let mut cache = Cache::new();
    let mut numbers = Vec::new();
    for round in 0..4 {
        // Decided anew, it leaves the same to do.
        dp.epoch += u64::from(round == 2);
        let handle = cache.lookup(&dp, &key, 1);
        let frozen = left(&cache.decision(handle).steps).remove(0);
        numbers.push(frozen.number());
        let mut restored = behind;
        let handle = cache.lookup_frozen(&dp, &mut restored, &frozen, 1);
        assert_eq!(restored.recirc.get(), frozen.number());
        assert_eq!(outputs(cache.decision(handle)), [2]);
    }
    assert!(numbers[0] != 0 && numbers.iter().all(|n| *n == numbers[0]), "{numbers:?}");
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.revalidated, stats.exact_hits), (2, 2, 4));
}

#[test]
fn pushed_headers_get_the_values_of_those_below() {
    let mut dp = datapath();
    let lse = |dp: &Datapath, key: &FlowKey| match translate(dp, key, 1).steps[..] {
        [Step::PushMpls { ethertype: 0x8847, lse }, Step::Output { .. }] => lse,
        ref other => panic!("{other:?}"),
    };
    add(&mut dp, 0, &rule(&[Action::PushMpls(0x8847), port(2)]));
    let (labelled, ip) = labelled();
    let ip = FlowKey { in_port: TRUNK.into(), ..ip };
    assert_eq!(lse(&dp, &ip), 0x100 | 64);
    assert_eq!(lse(&dp, &labelled), 0x64 << 12 | 3 << 9 | 9);
    assert_eq!(lse(&dp, &FlowKey { eth_type: 0x0806.into(), ..ip }), 0x100);
    let itag = |dp: &Datapath, key: &FlowKey| match translate(dp, key, 1).steps[..] {
        [Step::PushPbb { itag }, Step::Output { .. }] => itag,
        ref other => panic!("{other:?}"),
    };
    add(&mut dp, 0, &rule(&[Action::PushPbb(0x88e7), port(2)]));
    assert_eq!(itag(&dp, &ip), 0);
    let mut tagged = frame(TRUNK, A, B, Some(100));
    tagged.vlan[0].tci.set(3 << 13 | 0x1064);
    assert_eq!(itag(&dp, &tagged), 3 << 29);
    let mut backbone = FlowKey { eth_type: 0x88e7.into(), ..ip };
    backbone.pbb.set(0x123456);
    assert_eq!(itag(&dp, &backbone), 0x123456);
    add(&mut dp, 0, &rule(&[Action::PushVlan(0x88a8), port(2)]));
    let decision = translate(&dp, &tagged, 1);
    assert_eq!(decision.steps[0], Step::PushVlan { tpid: 0x88a8, tci: 3 << 13 | 100 });
}

#[test]
fn moved_bits_are_looked_at_and_set() {
    let mut dp = datapath();
    let copy =
        Action::Move { src: Field::EthSrc, src_bit: 0, dst: Field::EthDst, dst_bit: 8, bits: 8 };
    let load = Action::Load { field: Field::Reg1, bit: 4, bits: 4, value: 0xf };
    add(&mut dp, 0, &rule(&[load, copy, resubmit(1)]));
    let (mut key, mut mask) = (FlowKey::default(), Mask::default());
    key.regs[1].set(0xf0);
    mask.0.regs[1].set(u32::MAX);
    let m = FlowMod { table: Some(1), matching: Match::new(&key, &mask), ..rule(&[port(2)]) };
    add(&mut dp, 0, &m);
    let decision = translate(&dp, &frame(TRUNK, A, B, None), 1);
    let set = Step::Set { field: Field::EthDst, value: 0x0a00, mask: 0xff00 };
    assert_eq!((&decision.steps[0], outputs(&decision)), (&set, vec![2]));
    assert_eq!(decision.wildcards.0.eth_src, [0, 0, 0, 0, 0, 0xff]);
    // What the pipeline wrote is no part of what the packet decides.
    assert_eq!(decision.wildcards.0.regs[1].get(), 0);
}

#[test]
fn resubmit_replaces_the_port_for_the_search_only() {
    let mut dp = datapath();
    add(&mut dp, 0, &rule(&[Action::Resubmit { port: Some(OfPort(3)), table: Some(1) }]));
    let (mut key, mut mask) = (FlowKey::default(), Mask::default());
    key.in_port.set(3);
    mask.0.in_port.set(u32::MAX);
    let m = FlowMod {
        table: Some(1),
        matching: Match::new(&key, &mask),
        ..rule(&[Action::output(OfPort::IN_PORT), port(3)])
    };
    add(&mut dp, 0, &m);
    assert_eq!(outputs(&translate(&dp, &frame(TRUNK, A, B, None), 1)), [TRUNK, 3]);
    // To itself, for ever.
    add(&mut dp, 0, &rule(&[Action::Resubmit { port: None, table: None }]));
    let decision = translate(&dp, &frame(TRUNK, A, B, None), 1);
    assert_eq!(decision.drop, Some(DropReason::TooManyHops));
}

fn sent_to_controller(decision: &Decision) -> Vec<&ToController> {
    let mut sent = Vec::new();
    for step in &decision.steps {
        if let Step::Controller(to) = step {
            sent.push(&**to);
        }
    }
    sent
}

#[test]
fn controllers_hear_why_and_from_where() {
    let mut dp = datapath();
    let whole = |cookie| FlowMod { cookie, ..rule(&[Action::output(OfPort::CONTROLLER)]) };
    add(&mut dp, 0, &FlowMod { priority: 0, ..whole(8) });
    let mut key = frame(TRUNK, A, B, None);
    key.tun_id.set(77);
    let miss = translate(&dp, &key, 1);
    let [to] = sent_to_controller(&miss)[..] else { panic!() };
    assert_eq!((to.reason, to.table, to.cookie), (Reason::NoMatch, 0, 8));
    assert_eq!((to.in_port, to.key.tun_id.get(), to.key.eth_src), (OfPort(1), 77, [0; 6]));
    assert_eq!((miss.wildcards.0.tun_id.get(), miss.drop), (u64::MAX, None));
    add(&mut dp, 0, &whole(9));
    let decision = translate(&dp, &key, 1);
    assert_eq!(sent_to_controller(&decision)[0].reason, Reason::Action);
    // A port may be mute where no rule matches, and only there.
    Arc::make_mut(dp.ports[TRUNK as usize].as_mut().unwrap()).flags.no_packet_in = true;
    assert_eq!(sent_to_controller(&translate(&dp, &key, 1)).len(), 1);
    let other = FlowMod { command: Command::Delete, cookie: 9, cookie_mask: u64::MAX, ..rule(&[]) };
    add(&mut dp, 0, &other);
    assert_eq!(translate(&dp, &key, 1).drop, Some(DropReason::NoPacketIn));
    // A TTL that runs out ends the packet, and is told of all the same.
    let (mut wanted, mut mask) = (FlowKey::default(), Mask::default());
    wanted.eth_type.set(0x0800);
    mask.0.eth_type.set(u16::MAX);
    let matching = Match::new(&wanted, &mask);
    add(&mut dp, 0, &FlowMod { matching, priority: 0xffff, ..rule(&[Action::DecTtl, port(2)]) });
    key.ip_ttl = 1;
    let expired = translate(&dp, &key, 1);
    assert_eq!(sent_to_controller(&expired)[0].reason, Reason::InvalidTtl);
    assert_eq!((expired.drop, expired.steps.len()), (Some(DropReason::TtlExpired), 1));
    bridge_mut(&mut dp, 0).controllers = false;
    assert!(translate(&dp, &key, 1).steps.is_empty());
}

#[test]
fn packet_outs_run_their_actions_and_the_tables_on_a_copy() {
    let mut dp = datapath();
    let mut m = rule(&[Action::PushVlan(0x8100), port(2)]);
    (m.matching.key.in_port, m.matching.mask.0.in_port) =
        (OfPort::CONTROLLER.0.into(), u32::MAX.into());
    add(&mut dp, 0, &m);
    let key = frame(0, A, B, None);
    let run = |dp: &Datapath, in_port: OfPort, actions: &[Action]| {
        translate_actions(dp, &key, BridgeId(0), in_port, actions, 1)
    };
    let table = Action::output(OfPort::TABLE);
    let decision = run(&dp, OfPort::CONTROLLER, &[table.clone(), port(3)]);
    let [Step::Sub(copy), Step::Output { port: last, .. }] = &*decision.steps else { panic!() };
    assert!(matches!(copy[..], [Step::PushVlan { .. }, Step::Output { .. }]));
    assert_eq!((last.0, decision.rules.len()), (3, 1));
    // As if it came in by a port: not back there.
    let flood = Action::output(OfPort::ALL);
    let all = outputs(&run(&dp, OfPort::CONTROLLER, std::slice::from_ref(&flood)));
    let but_local = outputs(&run(&dp, OfPort::LOCAL, &[flood]));
    assert!(all.contains(&0) && !but_local.contains(&0) && all.len() == but_local.len() + 1);
    assert_eq!(run(&dp, OfPort(2), &[port(2)]).drop, Some(DropReason::SamePort));
    let back = run(&dp, OfPort::CONTROLLER, &[Action::output(OfPort::IN_PORT)]);
    assert_eq!(back.drop, Some(DropReason::TxNoPort));
    // NORMAL from nowhere learns nothing.
    run(&dp, OfPort::CONTROLLER, &[Action::output(OfPort::NORMAL)]);
    assert!(dp.bridges[0].as_ref().unwrap().fdb.is_empty());
    run(&dp, OfPort::LOCAL, &[Action::output(OfPort::NORMAL)]);
    assert!(!dp.bridges[0].as_ref().unwrap().fdb.is_empty());
}

#[test]
fn a_bridge_that_is_open_forwards_as_a_bridge() {
    let mut dp = datapath();
    add(&mut dp, 0, &rule(&[port(3)]));
    bridge_mut(&mut dp, 0).fail_open = true;
    let decision = translate(&dp, &frame(TRUNK, A, B, None), 1);
    assert!(outputs(&decision).len() > 1 && decision.rules.is_empty());
}
