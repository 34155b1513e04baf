//! Groups and meters.

use crate::bench::{Bench, add, basic, every_flow, flow_mod, frame, output};
use ofagent::wire::action::Action;
use ofagent::wire::error::{WireError, bad_action, group_mod_failed, kind, meter_mod_failed};
use ofagent::wire::flow_mod::FlowMod;
use ofagent::wire::group_mod::{Bucket, GroupMod, GroupModCommand, GroupType};
use ofagent::wire::instruction::Instruction;
use ofagent::wire::meter_mod::{Band, MeterMod, MeterModCommand};
use ofagent::wire::multipart::flow::FlowStatsRequest;
use ofagent::wire::multipart::{ReplyBody, RequestBody};
use ofagent::wire::oxm::basic as f;
use ofagent::wire::{GROUP_ANY, Message, PORT_ANY};

const GROUP_ALL: u32 = 0xffff_fffc;
const METER_ALL: u32 = u32::MAX;

fn bucket(weight: u16, actions: Vec<Action>) -> Bucket {
    Bucket { weight, watch_port: PORT_ANY, watch_group: GROUP_ANY, actions }
}

fn group(group_id: u32, kind: GroupType, buckets: Vec<Bucket>) -> GroupMod {
    GroupMod { command: GroupModCommand::Add, kind, group_id, buckets }
}

#[test]
fn groups_are_shown_as_sent_and_count() {
    let mut b = Bench::new(3);
    let c = b.controller();
    let set = Action::SetField(basic(f::ETH_DST, 0x0200_0000_0009));
    let all = vec![bucket(0, vec![output(2)]), bucket(0, vec![set, output(3)])];
    let fast = vec![
        Bucket { watch_port: 3, watch_group: 1, ..bucket(0, vec![output(3)]) },
        Bucket { watch_port: 2, ..bucket(0, vec![output(2)]) },
    ];
    let select = vec![bucket(5, vec![output(2)]), bucket(3, vec![Action::Group(1)])];
    let mods = [
        group(1, GroupType::All, all),
        group(2, GroupType::Indirect, vec![bucket(0, vec![output(2)])]),
        group(3, GroupType::FastFailover, fast),
        group(4, GroupType::Select, select),
    ];
    for m in &mods {
        b.tell(c, &Message::GroupMod(m.clone()));
    }
    let ReplyBody::GroupDesc(desc) = b.multipart(c, RequestBody::GroupDesc) else { panic!() };
    assert_eq!(desc.len(), 4);
    for (d, m) in desc.iter().zip(&mods) {
        assert_eq!((d.group_id, d.kind, &d.buckets), (m.group_id, m.kind, &m.buckets));
    }

    b.tell(c, &flow_mod(add(1, vec![basic(f::IN_PORT, 1)], vec![Action::Group(1)])));
    b.put(1, &frame(2, 1));
    assert_eq!((b.next(2), b.next(3)), (Some(frame(2, 1)), Some(frame(9, 1))));
    b.switch.barrier();
    let mut stats = |id| match b.multipart(c, RequestBody::Group(id)) {
        ReplyBody::Group(stats) => stats,
        other => panic!("{other:?}"),
    };
    let one = stats(1).remove(0);
    assert_eq!((one.group_id, one.packet_count, one.byte_count), (1, 1, 200));
    assert_eq!((one.ref_count, one.buckets), (2, vec![(1, 200), (1, 200)]));
    assert_eq!(stats(GROUP_ALL).len(), 4);
    assert!(stats(77).is_empty());
    let by_group = FlowStatsRequest { out_group: 1, ..every_flow() };
    assert_eq!(b.flows(c, by_group).len(), 1);

    let ReplyBody::GroupFeatures(g) = b.multipart(c, RequestBody::GroupFeatures) else { panic!() };
    assert_eq!((g.types, g.capabilities), (0xf, 0xf));
    assert_eq!(g.actions[0], 0x0fff_9801);
}

#[test]
fn flows_go_with_their_group_and_that_is_told() {
    let mut b = Bench::new(1);
    let c = b.controller();
    b.tell(c, &Message::GroupMod(group(1, GroupType::All, vec![])));
    b.tell(c, &flow_mod(FlowMod { flags: 1, ..add(1, vec![], vec![Action::Group(1)]) }));
    let delete =
        GroupMod { command: GroupModCommand::Delete, ..group(GROUP_ALL, GroupType::All, vec![]) };
    b.send(c, &Message::GroupMod(delete));
    let Message::FlowRemoved(gone) = b.unasked(c) else { panic!() };
    assert_eq!(gone.reason, 3);
    assert!(b.all_flows(c).is_empty());
}

#[test]
fn groups_that_are_wrong_are_refused() {
    let mut b = Bench::new(1);
    let c = b.controller();
    let of = |code| WireError::new(kind::GROUP_MOD_FAILED, code);
    b.tell(c, &Message::GroupMod(group(1, GroupType::All, vec![])));
    let modify = |m: GroupMod| GroupMod { command: GroupModCommand::Modify, ..m };
    let chain = |to| vec![bucket(0, vec![Action::Group(to)])];
    for (m, error) in [
        (group(1, GroupType::All, vec![]), of(group_mod_failed::GROUP_EXISTS)),
        (modify(group(2, GroupType::All, vec![])), of(group_mod_failed::UNKNOWN_GROUP)),
        (group(0xffff_ff01, GroupType::All, vec![]), of(group_mod_failed::INVALID_GROUP)),
        (modify(group(1, GroupType::All, chain(1))), of(group_mod_failed::LOOP)),
        (
            group(5, GroupType::All, chain(9)),
            WireError::new(kind::BAD_ACTION, bad_action::BAD_OUT_GROUP),
        ),
    ] {
        assert_eq!(b.refused(c, &Message::GroupMod(m.clone())), error, "{m:?}");
    }
}

#[test]
fn meters_are_shown_as_sent_count_and_drop() {
    let mut b = Bench::new(2);
    let c = b.controller();
    let bands = vec![
        Band::DscpRemark { rate: 5, burst: 5, prec_level: 1 },
        Band::Drop { rate: 10, burst: 10 },
    ];
    let m = MeterMod { command: MeterModCommand::Add, flags: 2 | 4 | 8, meter_id: 7, bands };
    b.tell(c, &Message::MeterMod(m.clone()));
    let instructions = vec![Instruction::Meter(7), Instruction::ApplyActions(vec![output(2)])];
    b.tell(c, &flow_mod(FlowMod { instructions: instructions.clone(), ..add(1, vec![], vec![]) }));
    assert_eq!(b.all_flows(c)[0].instructions, instructions);
    for _ in 0..30 {
        b.put(1, &frame(2, 1));
    }
    assert!(b.next(2).is_some());
    std::thread::sleep(crate::bench::QUIET);
    b.switch.barrier();
    let left = 1 + b.ports[1].sent().len() as u64;
    let ReplyBody::MeterConfig(config) = b.multipart(c, RequestBody::MeterConfig(METER_ALL)) else {
        panic!()
    };
    assert_eq!((config[0].flags, config[0].meter_id, &config[0].bands), (14, 7, &m.bands));
    let ReplyBody::Meter(stats) = b.multipart(c, RequestBody::Meter(7)) else { panic!() };
    assert_eq!((stats[0].flow_count, stats[0].packet_in_count), (1, 30));
    assert_eq!(stats[0].byte_in_count, 6000);
    assert_eq!(stats[0].bands[1].0, 30 - left);
    assert!((10..=12).contains(&left), "{left}");

    let ReplyBody::MeterFeatures(f) = b.multipart(c, RequestBody::MeterFeatures) else { panic!() };
    assert_eq!((f.band_types, f.capabilities, f.max_color), (6, 0xf, 0));
    let of = |code| WireError::new(kind::METER_MOD_FAILED, code);
    let unknown = of(meter_mod_failed::UNKNOWN_METER);
    assert_eq!(b.refused(c, &crate::bench::request(RequestBody::Meter(8))), unknown);
    assert_eq!(b.refused(c, &Message::MeterMod(m.clone())), of(meter_mod_failed::METER_EXISTS));
    let both = MeterMod { flags: 3, meter_id: 8, ..m.clone() };
    assert_eq!(b.refused(c, &Message::MeterMod(both)), of(meter_mod_failed::BAD_FLAGS));
    // The rule goes with its meter.
    b.tell(c, &Message::MeterMod(MeterMod { command: MeterModCommand::Delete, ..m }));
    assert!(b.all_flows(c).is_empty());
}
