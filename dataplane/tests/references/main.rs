//! Rules, groups and meters that name each other: nothing ever names what does not exist, and what
//! goes takes its rules along (OpenFlow 1.3.5 sections 6.4 to 6.6).

mod cases;

use dataplane::action::Action;
use dataplane::flow::{FlowKey, Mask, Match};
use dataplane::state::OfPort;
use dataplane::table::group::{
    Bucket, GROUP_ALL, GROUP_ANY, GroupCommand, GroupKind, GroupMod, GroupModError,
};
use dataplane::table::meter::{
    Band, BandKind, FLAG_KBPS, METER_ALL, MeterCommand, MeterMod, MeterModError,
};
use dataplane::table::{
    Command, FlowFilter, FlowMod, FlowModError, Pipeline, Removed, RemovedReason,
};
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) fn bucket(actions: Vec<Action>) -> Bucket {
    Bucket {
        weight: 0,
        watch_port: OfPort::ANY,
        watch_group: GROUP_ANY,
        actions,
        counts: Arc::default(),
    }
}

pub(crate) fn group(command: GroupCommand, id: u32, children: &[u32]) -> GroupMod {
    let buckets = children.iter().map(|c| bucket(vec![Action::Group(*c)])).collect();
    GroupMod { command, id, kind: GroupKind::All, buckets }
}

pub(crate) fn meter(command: MeterCommand, id: u32) -> MeterMod {
    let bands = vec![Band { kind: BandKind::Drop, rate: 1000, burst: 0 }];
    MeterMod { command, id, flags: FLAG_KBPS, bands }
}

/// A match on one of a few EtherTypes.
pub(crate) fn on_type(eth_type: u16) -> Match {
    let (mut key, mut mask) = (FlowKey::default(), Mask::default());
    key.eth_type.set(eth_type);
    mask.0.eth_type.set(u16::MAX);
    Match::new(&key, &mask)
}

/// A flow-mod for the rule of a table and EtherType that sends to groups, by a meter.
pub(crate) fn flow(
    command: Command,
    table: u8,
    eth_type: u16,
    groups: &[u32],
    meter: Option<u32>,
) -> FlowMod {
    let mut m =
        FlowMod { command, table: Some(table), matching: on_type(eth_type), ..FlowMod::default() };
    m.instructions.apply = groups.iter().map(|g| Action::Group(*g)).collect();
    m.instructions.meter = meter;
    m
}

#[derive(Clone, Debug)]
enum Op {
    Flow(Box<FlowMod>),
    Group(GroupMod),
    Meter(MeterMod),
    Expire,
}

fn op() -> impl Strategy<Value = Op> {
    let groups = || prop::collection::vec(0..6u32, 0..3);
    let commands = select(vec![
        Command::Add,
        Command::Add,
        Command::Add,
        Command::Modify,
        Command::ModifyStrict,
        Command::Delete,
        Command::DeleteStrict,
    ]);
    let flows = (
        (commands, 0..3u8, 0..8u16, groups(), prop::option::weighted(0.5, 1..4u32)),
        (any::<bool>(), prop::option::weighted(0.3, 0..6u32), 0..2u16, any::<bool>()),
    );
    let flows = flows.prop_map(|((command, table, kind, groups, meter), rest)| {
        let (written, out_group, timeout, wide) = rest;
        let mut m = flow(command, table, kind, &groups, meter);
        if written {
            m.instructions.write = std::mem::take(&mut m.instructions.apply);
        }
        m.flags = kind & 1;
        m.hard_timeout = timeout;
        m.out_group = out_group.unwrap_or(GROUP_ANY);
        if wide && command != Command::Add {
            m.matching = Match::default();
        }
        if wide && command == Command::Delete {
            m.table = None;
        }
        Op::Flow(m.into())
    });
    let commands = vec![GroupCommand::Add, GroupCommand::Modify, GroupCommand::Delete];
    let ids = prop_oneof![20 => 0..6u32, 1 => Just(GROUP_ALL)];
    let group_mods = (select(commands), ids, groups())
        .prop_map(|(command, id, children)| Op::Group(group(command, id, &children)));
    let commands = vec![MeterCommand::Add, MeterCommand::Modify, MeterCommand::Delete];
    let ids = prop_oneof![20 => 1..4u32, 1 => Just(METER_ALL)];
    let meter_mods = (select(commands), ids).prop_map(|(c, id)| Op::Meter(meter(c, id)));
    prop_oneof![6 => flows, 4 => group_mods, 2 => meter_mods, 1 => Just(Op::Expire)]
}

/// A rule's place, and what it names.
type Rules = BTreeMap<(u8, u16), Named>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Named {
    groups: BTreeSet<u32>,
    meter: Option<u32>,
    flags: u16,
    due_ms: Option<u64>,
}

/// The same, in the plainest way.
#[derive(Clone, Default)]
struct Oracle {
    rules: Rules,
    groups: BTreeMap<u32, BTreeSet<u32>>,
    meters: BTreeSet<u32>,
}

impl Oracle {
    /// Whether `id` can be come to from `from`.
    fn reaches(&self, from: &BTreeSet<u32>, id: u32) -> bool {
        from.contains(&id)
            || from.iter().any(|c| self.groups.get(c).is_some_and(|next| self.reaches(next, id)))
    }

    fn drop_rules(&mut self, goes: impl Fn(&(u8, u16), &Named) -> bool) -> Vec<(u8, u16)> {
        let gone = self.rules.iter().filter(|(at, rule)| goes(at, rule));
        let gone: Vec<_> = gone.map(|(at, _)| *at).collect();
        for at in &gone {
            self.rules.remove(at);
        }
        gone
    }

    /// Which flow-mods are refused: those that name what is not there.
    fn flow(&mut self, m: &FlowMod, now_ms: u64) -> Result<Vec<(u8, u16)>, ()> {
        let actions = m.instructions.apply.iter().chain(&m.instructions.write);
        let groups: BTreeSet<u32> = actions
            .map(|a| match a {
                Action::Group(id) => *id,
                other => panic!("{other:?}"),
            })
            .collect();
        let meter = m.instructions.meter;
        let kind = m.matching.key.eth_type.get();
        let wide = m.matching == Match::default();
        let strict = matches!(m.command, Command::ModifyStrict | Command::DeleteStrict);
        let deletes = matches!(m.command, Command::Delete | Command::DeleteStrict);
        if !deletes {
            let known = groups.iter().all(|g| self.groups.contains_key(g))
                && meter.is_none_or(|id| self.meters.contains(&id));
            if !known {
                return Err(());
            }
        }
        let selects = |at: &(u8, u16), rule: &Named| {
            m.table.is_none_or(|t| t == at.0)
                && (kind == at.1 && !wide || wide && !strict)
                && (!deletes || m.out_group == GROUP_ANY || rule.groups.contains(&m.out_group))
        };
        if deletes {
            let flags: BTreeMap<_, _> = self.rules.iter().map(|(at, r)| (*at, r.flags)).collect();
            let gone = self.drop_rules(selects);
            return Ok(gone.into_iter().filter(|at| flags[at] & 1 != 0).collect());
        }
        if m.command == Command::Add {
            let due_ms = (m.hard_timeout != 0).then(|| now_ms + 1000 * u64::from(m.hard_timeout));
            let rule = Named { groups, meter, flags: m.flags, due_ms };
            self.rules.insert((m.table.unwrap(), kind), rule);
            return Ok(Vec::new());
        }
        for (at, rule) in &mut self.rules {
            if selects(at, rule) {
                (rule.groups, rule.meter) = (groups.clone(), meter);
            }
        }
        Ok(Vec::new())
    }

    fn group(&mut self, m: &GroupMod) -> Result<Vec<(u8, u16)>, ()> {
        let children: BTreeSet<u32> = m
            .buckets
            .iter()
            .flat_map(|b| &b.actions)
            .map(|a| match a {
                Action::Group(id) => *id,
                other => panic!("{other:?}"),
            })
            .collect();
        let exists = self.groups.contains_key(&m.id);
        if m.command == GroupCommand::Delete {
            if m.id == GROUP_ALL {
                self.groups.clear();
                return Ok(self.drop_rules(|_, rule| !rule.groups.is_empty()));
            }
            if self.groups.values().any(|c| c.contains(&m.id)) {
                return Err(());
            }
            self.groups.remove(&m.id);
            return Ok(self.drop_rules(|_, rule| rule.groups.contains(&m.id)));
        }
        let known = children.iter().all(|c| self.groups.contains_key(c));
        if exists != (m.command == GroupCommand::Modify)
            || m.id == GROUP_ALL
            || self.reaches(&children, m.id)
            || !known
        {
            return Err(());
        }
        self.groups.insert(m.id, children);
        Ok(Vec::new())
    }

    fn meter(&mut self, m: &MeterMod) -> Result<Vec<(u8, u16)>, ()> {
        let exists = self.meters.contains(&m.id);
        match m.command {
            MeterCommand::Add if exists || m.id == METER_ALL => Err(()),
            MeterCommand::Add => {
                self.meters.insert(m.id);
                Ok(Vec::new())
            }
            MeterCommand::Modify if exists => Ok(Vec::new()),
            MeterCommand::Modify => Err(()),
            MeterCommand::Delete if m.id == METER_ALL => {
                self.meters.clear();
                Ok(self.drop_rules(|_, rule| rule.meter.is_some()))
            }
            MeterCommand::Delete => {
                self.meters.remove(&m.id);
                Ok(self.drop_rules(|_, rule| rule.meter == Some(m.id)))
            }
        }
    }
}

/// By place: the groups and the meter of a rule, and its flags.
type Found = BTreeMap<(u8, u16), (BTreeSet<u32>, Option<u32>, u16)>;

/// What is in the tables, found by a walk in small steps.
fn rules(pipeline: &Arc<Pipeline>) -> Found {
    let mut cursor = pipeline.cursor(FlowFilter::default());
    let mut found = BTreeMap::new();
    while let Some(part) = cursor.next(2) {
        for (table, rule) in part {
            let at = (table, rule.matching().key.eth_type.get());
            let named = (rule.groups().into_iter().collect(), rule.instructions.meter, rule.flags);
            assert!(found.insert(at, named).is_none(), "came twice: {at:?}");
        }
    }
    found
}

fn places(removed: &[Removed], reason: RemovedReason) -> Vec<(u8, u16)> {
    assert!(removed.iter().all(|r| r.reason == reason));
    let at = removed.iter().map(|r| (r.table, r.rule.matching().key.eth_type.get()));
    let mut at: Vec<_> = at.collect();
    at.sort_unstable();
    at
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_names_what_is_not_there(ops in prop::collection::vec(op(), 1..120)) {
        let (mut pipeline, mut oracle) = (Arc::new(Pipeline::default()), Oracle::default());
        let mut now_ms = 1;
        let mut snapshot = (Arc::clone(&pipeline), rules(&pipeline));
        for (i, op) in ops.iter().enumerate() {
            now_ms += 150;
            let p = Arc::make_mut(&mut pipeline);
            match op {
                Op::Flow(m) => {
                    // A transaction that fails leaves nothing behind.
                    let _ = p.clone().apply(m, now_ms);
                    let got = p.apply(m, now_ms).map(|o| places(&o.told, RemovedReason::Delete));
                    prop_assert_eq!(got.map_err(|_| ()), oracle.flow(m, now_ms), "{:?}", m);
                }
                Op::Group(m) => {
                    let got = p.apply_group(m).map(|r| places(&r, RemovedReason::GroupDelete));
                    prop_assert_eq!(got.map_err(|_| ()), oracle.group(m), "{:?}", m);
                }
                Op::Meter(m) => {
                    let got = p.apply_meter(m).map(|r| places(&r, RemovedReason::MeterDelete));
                    prop_assert_eq!(got.map_err(|_| ()), oracle.meter(m), "{:?}", m);
                }
                Op::Expire => {
                    let got = places(&p.expire(now_ms), RemovedReason::HardTimeout);
                    let wanted = oracle.drop_rules(|_, r| r.due_ms.is_some_and(|d| d <= now_ms));
                    prop_assert_eq!(got, wanted);
                }
            }
            let found = rules(&pipeline);
            prop_assert_eq!(pipeline.len(), found.len());
            let wanted: BTreeMap<_, _> = oracle.rules.iter()
                .map(|(at, r)| (*at, (r.groups.clone(), r.meter, r.flags)))
                .collect();
            prop_assert_eq!(&found, &wanted);
            for id in 0..6 {
                let flows = wanted.values().filter(|r| r.0.contains(&id)).count();
                let groups = oracle.groups.values().filter(|c| c.contains(&id)).count();
                prop_assert_eq!(pipeline.group_references(id) as usize, flows + groups);
                prop_assert_eq!(pipeline.groups().get(id).is_some(), oracle.groups.contains_key(&id));
                let flows = wanted.values().filter(|r| r.1 == Some(id)).count();
                prop_assert_eq!(pipeline.meter_references(id) as usize, flows);
            }
            if i % 8 == 0 {
                prop_assert_eq!(&rules(&snapshot.0), &snapshot.1, "a snapshot changed");
                snapshot = (Arc::clone(&pipeline), found);
            }
        }
    }
}

/// What a mod was refused with.
pub(crate) fn refused(p: &mut Pipeline, m: &GroupMod) -> GroupModError {
    p.apply_group(m).unwrap_err()
}

/// The same for meters.
pub(crate) fn refused_meter(p: &mut Pipeline, m: &MeterMod) -> MeterModError {
    p.apply_meter(m).unwrap_err()
}

/// The same for flows.
pub(crate) fn refused_flow(p: &mut Pipeline, m: &FlowMod) -> FlowModError {
    p.apply(m, 1).unwrap_err()
}
