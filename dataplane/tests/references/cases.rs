//! Group-mods and meter-mods, case by case.

use super::{bucket, flow, group, meter, refused, refused_flow, refused_meter};
use dataplane::action::Action;
use dataplane::flow::Field;
use dataplane::state::OfPort;
use dataplane::table::group::{
    Bucket, GROUP_ALL, GROUP_MAX, GroupCommand, GroupKind, GroupMod, GroupModError, MAX_BUCKETS,
};
use dataplane::table::meter::{
    Band, BandKind, FLAG_KBPS, FLAG_PKTPS, MAX_BANDS, METER_ALL, METER_MAX, MeterCommand, MeterMod,
    MeterModError,
};
use dataplane::table::{Command, FlowModError, Pipeline, RemovedReason};
use std::sync::Arc;

fn with_groups(ids: &[u32]) -> Pipeline {
    let mut p = Pipeline::default();
    for id in ids {
        p.apply_group(&group(GroupCommand::Add, *id, &[])).unwrap();
    }
    p
}

fn of(kind: GroupKind, id: u32, buckets: Vec<Bucket>) -> GroupMod {
    GroupMod { command: GroupCommand::Add, id, kind, buckets }
}

#[test]
fn a_group_must_look_like_its_type() {
    let mut p = with_groups(&[1]);
    let out = || bucket(vec![Action::output(OfPort(1))]);
    let invalid = |p: &mut Pipeline, m: &GroupMod| {
        assert!(matches!(refused(p, m), GroupModError::Invalid { .. }), "{m:?}");
    };
    assert_eq!(refused(&mut p, &of(GroupKind::All, 1, vec![])), GroupModError::Exists(1));
    invalid(&mut p, &of(GroupKind::All, GROUP_MAX + 1, vec![]));
    invalid(&mut p, &of(GroupKind::All, GROUP_ALL, vec![]));
    invalid(&mut p, &of(GroupKind::Indirect, 2, vec![]));
    invalid(&mut p, &of(GroupKind::Indirect, 2, vec![out(), out()]));
    invalid(&mut p, &of(GroupKind::All, 2, vec![Bucket { weight: 1, ..out() }]));
    invalid(&mut p, &of(GroupKind::FastFailover, 2, vec![out()]));
    let watching = || Bucket { watch_port: OfPort(3), ..out() };
    for kind in [GroupKind::All, GroupKind::Indirect] {
        let refused = refused(&mut p, &of(kind, 2, vec![watching()]));
        assert_eq!(refused, GroupModError::WatchUnsupported(2));
    }
    let watching_normal = Bucket { watch_port: OfPort::NORMAL, ..out() };
    assert_eq!(
        refused(&mut p, &of(GroupKind::FastFailover, 2, vec![watching_normal])),
        GroupModError::BadWatchPort(OfPort::NORMAL.0)
    );
    let many = vec![out(); MAX_BUCKETS + 1];
    let refused = refused(&mut p, &of(GroupKind::All, 2, many));
    assert_eq!(refused, GroupModError::OutOfBuckets(MAX_BUCKETS + 1));
    assert_eq!(p.groups().len(), 1);
    p.apply_group(&of(GroupKind::FastFailover, 2, vec![watching()])).unwrap();
    p.apply_group(&of(GroupKind::Select, 3, vec![Bucket { weight: 1, ..watching() }])).unwrap();
    p.apply_group(&of(GroupKind::Indirect, GROUP_MAX, vec![out()])).unwrap();
    // "That group can be cleared by sending a modify with no buckets specified."
    let clear =
        GroupMod { command: GroupCommand::Modify, ..of(GroupKind::Indirect, GROUP_MAX, vec![]) };
    p.apply_group(&clear).unwrap();
}

#[test]
fn a_buckets_actions_are_checked_as_those_of_a_rule() {
    let mut p = with_groups(&[1]);
    let all = |actions| of(GroupKind::All, 2, vec![bucket(vec![]), bucket(actions)]);
    let bad = |error| GroupModError::BadAction { bucket: 1, error };
    let to_any = all(vec![Action::output(OfPort::ANY)]);
    assert_eq!(refused(&mut p, &to_any), bad(FlowModError::BadOutPort(OfPort::ANY.0)));
    let set = Action::SetField { field: Field::VlanPcp, value: 8, mask: 15 };
    assert_eq!(refused(&mut p, &all(vec![set])), bad(FlowModError::BadSetValue(Field::VlanPcp)));
    let unknown = all(vec![Action::Group(7)]);
    assert_eq!(refused(&mut p, &unknown), bad(FlowModError::UnknownGroup(7)));
}

#[test]
fn groups_form_no_loops() {
    let mut p = with_groups(&[1]);
    p.apply_group(&group(GroupCommand::Add, 2, &[1])).unwrap();
    p.apply_group(&group(GroupCommand::Add, 3, &[2, 1])).unwrap();
    let modify = |id, children: &[u32]| group(GroupCommand::Modify, id, children);
    assert_eq!(refused(&mut p, &modify(1, &[1])), GroupModError::Loop(1));
    assert_eq!(refused(&mut p, &modify(1, &[3])), GroupModError::Loop(1));
    assert_eq!(refused(&mut p, &group(GroupCommand::Add, 4, &[4])), GroupModError::Loop(4));
    assert_eq!(refused(&mut p, &modify(4, &[])), GroupModError::Unknown(4));
    let watching = |watch_group| Bucket { watch_group, ..bucket(vec![]) };
    let failover = |id, watched| GroupMod {
        command: GroupCommand::Modify,
        ..of(GroupKind::FastFailover, id, vec![watching(watched)])
    };
    assert_eq!(refused(&mut p, &failover(1, 1)), GroupModError::BadWatchGroup(1));
    assert_eq!(refused(&mut p, &failover(1, 3)), GroupModError::BadWatchGroup(1));
    // One that does not exist may be watched; it cannot close a loop when it comes.
    p.apply_group(&failover(1, 5)).unwrap();
    assert_eq!(
        refused(&mut p, &of(GroupKind::FastFailover, 5, vec![watching(2)])),
        GroupModError::BadWatchGroup(5)
    );
}

#[test]
fn a_group_that_another_sends_to_stays() {
    let mut p = with_groups(&[1]);
    p.apply_group(&group(GroupCommand::Add, 2, &[1])).unwrap();
    assert_eq!(p.group_references(1), 1);
    let delete = |id| group(GroupCommand::Delete, id, &[]);
    assert_eq!(refused(&mut p, &delete(1)), GroupModError::Chained { group: 1, by: 2 });
    p.apply_group(&delete(77)).unwrap();
    p.apply_group(&group(GroupCommand::Modify, 2, &[])).unwrap();
    p.apply_group(&delete(1)).unwrap();
    p.apply_group(&group(GroupCommand::Add, 1, &[2])).unwrap();
    p.apply_group(&delete(GROUP_ALL)).unwrap();
    assert!(p.groups().is_empty());
}

#[test]
fn a_modified_group_goes_on_counting_and_its_buckets_begin_anew() {
    let mut p = with_groups(&[]);
    let two = || vec![bucket(vec![]), bucket(vec![])];
    p.apply_group(&of(GroupKind::All, 1, two())).unwrap();
    let before = Arc::clone(p.groups().get(1).unwrap());
    before.counts.add(3, 300);
    before.buckets[0].counts.add(3, 300);
    let modify = GroupMod { command: GroupCommand::Modify, ..of(GroupKind::Select, 1, two()) };
    p.apply_group(&modify).unwrap();
    let after = p.groups().get(1).unwrap();
    assert_eq!(
        (after.kind, after.counts.packets(), after.counts.bytes()),
        (GroupKind::Select, 3, 300)
    );
    assert_eq!(after.created, before.created);
    assert_eq!(after.buckets[0].counts.packets(), 0);
}

#[test]
fn rules_go_with_their_group_and_their_meter() {
    let mut p = with_groups(&[1, 2]);
    assert_eq!(
        refused_flow(&mut p, &flow(Command::Add, 0, 1, &[3], None)),
        FlowModError::UnknownGroup(3)
    );
    assert_eq!(
        refused_flow(&mut p, &flow(Command::Add, 0, 1, &[], Some(1))),
        FlowModError::UnknownMeter(1)
    );
    p.apply_meter(&meter(MeterCommand::Add, 1)).unwrap();
    p.apply(&flow(Command::Add, 0, 1, &[1], Some(1)), 1).unwrap();
    p.apply(&flow(Command::Add, 3, 2, &[1, 1, 2], None), 1).unwrap();
    p.apply(&flow(Command::Add, 3, 3, &[2], Some(1)), 1).unwrap();
    assert_eq!((p.group_references(1), p.group_references(2), p.meter_references(1)), (2, 2, 2));
    let gone = p.apply_group(&group(GroupCommand::Delete, 1, &[])).unwrap();
    assert_eq!(gone.len(), 2);
    assert!(gone.iter().all(|r| r.reason == RemovedReason::GroupDelete));
    assert_eq!((p.len(), p.group_references(2), p.meter_references(1)), (1, 1, 1));
    let gone = p.apply_meter(&meter(MeterCommand::Delete, METER_ALL)).unwrap();
    assert_eq!((gone.len(), gone[0].table, gone[0].reason), (1, 3, RemovedReason::MeterDelete));
    assert!(p.is_empty() && p.meters().is_empty());
}

#[test]
fn a_meter_must_make_sense() {
    let mut p = Pipeline::default();
    let add = meter(MeterCommand::Add, 1);
    for id in [0, METER_MAX + 1, METER_ALL] {
        assert_eq!(
            refused_meter(&mut p, &MeterMod { id, ..add.clone() }),
            MeterModError::Invalid(id)
        );
    }
    let modify = meter(MeterCommand::Modify, 1);
    assert_eq!(refused_meter(&mut p, &modify), MeterModError::Unknown(1));
    for flags in [FLAG_KBPS | FLAG_PKTPS, 0x10] {
        let m = MeterMod { flags, ..add.clone() };
        assert_eq!(refused_meter(&mut p, &m), MeterModError::BadFlags(flags));
    }
    let band = Band { kind: BandKind::DscpRemark(0), rate: 1, burst: 0 };
    let with = |bands| MeterMod { bands, ..add.clone() };
    assert_eq!(refused_meter(&mut p, &with(vec![band])), MeterModError::BadBandValue(0));
    let silent = Band { kind: BandKind::Drop, rate: 0, burst: 0 };
    assert_eq!(refused_meter(&mut p, &with(vec![silent])), MeterModError::BadRate(0));
    let many = vec![Band { rate: 1, ..silent }; MAX_BANDS + 1];
    assert_eq!(refused_meter(&mut p, &with(many)), MeterModError::OutOfBands(MAX_BANDS + 1));
    assert!(p.meters().is_empty());
    p.apply_meter(&add).unwrap();
    assert_eq!(refused_meter(&mut p, &add), MeterModError::Exists(1));
    p.apply_meter(&MeterMod { flags: FLAG_PKTPS, ..modify }).unwrap();
    assert_eq!(p.meters().get(1).unwrap().flags, FLAG_PKTPS);
    p.apply_meter(&meter(MeterCommand::Delete, 9)).unwrap();
}
