//! The model tests: whatever happens, a packet is treated as a switch without caches and with the
//! simplest flow tables would treat it.

mod continued;
mod flow_mods;
mod forwarding;
mod generate;
mod groups;
mod world;

use dataplane::action::{Action, Step};
use dataplane::cache::Cache;
use dataplane::flow::{FlowKey, Mask};
use dataplane::state::{Datapath, OfPort, PortId};
use dataplane::table::FlowModError;
use dataplane::table::group::{GroupCommand, GroupMod};
use dataplane::table::rule::FLAG_CHECK_OVERLAP;
use dataplane::translate::{Decision, Frozen, translate_by, translate_frozen_by};
use generate::{Event, GROUPS, Noise};
use proptest::prelude::*;
use std::sync::Arc;
use world::{Oracle, bridge_mut, datapath};

struct Model {
    /// The switch, as workers have it.
    dp: Datapath,
    cache: Cache,
    /// The same configuration with an FDB of its own, for the oracle.
    plain: Datapath,
    oracle: Oracle,
    now_ms: u64,
    packets: u64,
    /// Packets that were taken apart anew.
    continued: u64,
}

/// A decision's steps, with a mark where packets are taken apart anew, and how they go on.
fn split(steps: &[Step], left: &mut Vec<Arc<Frozen>>) -> Vec<Step> {
    let step = |step: &Step| match step {
        Step::Sub(steps) => Step::Sub(split(steps, left).into()),
        Step::Recirculate(frozen) => {
            left.push(Arc::clone(frozen));
            Step::Sub([].into())
        }
        other => other.clone(),
    };
    steps.iter().map(step).collect()
}

/// Compares two decisions; gives back how each goes on.
fn same(got: &Decision, wanted: &Decision, key: &FlowKey) -> Vec<(Arc<Frozen>, Arc<Frozen>)> {
    assert_eq!(got.drop, wanted.drop, "{key:?}");
    let (mut go_on, mut should) = (Vec::new(), Vec::new());
    assert_eq!(split(&got.steps, &mut go_on), split(&wanted.steps, &mut should), "{key:?}");
    let cookies = |d: &Decision| -> Vec<_> {
        d.rules.iter().map(|r| (r.priority, r.cookie, r.instructions.clone())).collect()
    };
    assert_eq!(cookies(got), cookies(wanted), "{key:?}");
    assert_eq!(got.counts.len(), wanted.counts.len(), "{key:?}");
    go_on.into_iter().zip(should).collect()
}

/// A packet that differs from this one only where the decision did not look.
fn like(key: &FlowKey, decision: &Decision, noise: &Noise) -> FlowKey {
    let Mask(mask) = decision.wildcards;
    let mut other = *key;
    for ((word, noise), mask) in other.words_mut().iter_mut().zip(noise).zip(mask.words()) {
        *word = *word & mask | noise & !mask;
    }
    other
}

impl Model {
    fn new(limit: usize) -> Self {
        Self {
            dp: datapath(),
            cache: Cache::with_limit(limit),
            plain: datapath(),
            oracle: Oracle::default(),
            now_ms: 1,
            packets: 0,
            continued: 0,
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Packet(key, behind, noise) => self.packet(key, behind, noise),
            Event::Group(bridge, m) => self.group_mod(*bridge, m),
            Event::FailOpen(open) => {
                for dp in [&mut self.dp, &mut self.plain] {
                    bridge_mut(dp, 0).fail_open = *open;
                }
                self.dp.epoch += 1;
            }
            Event::FlowMod(bridge, m) => self.flow_mod(*bridge, m),
            Event::Seen { vlan, mac, port } => {
                for dp in [&self.dp, &self.plain] {
                    let fdb = &dp.bridges[0].as_ref().unwrap().fdb;
                    fdb.learn(*vlan, *mac, PortId(*port), self.now_ms);
                }
            }
            Event::Flush(port) => {
                for dp in [&self.dp, &self.plain] {
                    dp.bridges[0].as_ref().unwrap().fdb.flush(PortId(*port));
                }
            }
            Event::Port { port, down, no_flood, link_up } => {
                for dp in [&mut self.dp, &mut self.plain] {
                    let flags = &mut Arc::make_mut(dp.ports[*port].as_mut().unwrap()).flags;
                    (flags.down, flags.no_flood, flags.link_up) = (*down, *no_flood, *link_up);
                }
                self.dp.epoch += 1;
            }
        }
    }

    fn packet(&mut self, key: &FlowKey, behind: &FlowKey, noise: &Noise) {
        self.packets += 1;
        self.now_ms += 7;
        let wanted = translate_by(&self.oracle, &self.plain, key, self.now_ms);
        let handle = self.cache.lookup(&self.dp, key, self.now_ms);
        let got = self.cache.decision(handle).clone();
        self.cache.account(handle, 100);
        let mut left = same(&got, &wanted, key);
        // A packet that differs only where the decision did not look gets the same.
        let other = like(key, &got, noise);
        let wanted = translate_by(&self.oracle, &self.plain, &other, self.now_ms);
        left.extend(same(&got, &wanted, &other));
        let mut rounds = 0;
        while let Some((go_on, should)) = left.pop() {
            rounds += 1;
            if rounds > 64 {
                break;
            }
            self.continued += 1;
            left.extend(self.go_on(&go_on, &should, behind, noise));
        }
        if self.packets.is_multiple_of(16) {
            self.cache.flush_stats(self.now_ms);
            self.cache.maintain(self.now_ms);
        }
    }

    /// A packet that was taken apart anew: `behind` is what was found.
    fn go_on(
        &mut self,
        go_on: &Arc<Frozen>,
        should: &Frozen,
        behind: &FlowKey,
        noise: &Noise,
    ) -> Vec<(Arc<Frozen>, Arc<Frozen>)> {
        let mut key = *behind;
        let handle = self.cache.lookup_frozen(&self.dp, &mut key, go_on, self.now_ms);
        let got = self.cache.decision(handle).clone();
        self.cache.account(handle, 100);
        let wanted = translate_frozen_by(&self.oracle, &self.plain, behind, should, self.now_ms);
        let left = same(&got, &wanted, &key);
        let other = like(&key, &got, noise);
        let wanted = translate_frozen_by(&self.oracle, &self.plain, &other, should, self.now_ms);
        same(&got, &wanted, &other);
        left
    }

    fn group_mod(&mut self, bridge: usize, m: &GroupMod) {
        let mut done = Vec::new();
        for dp in [&mut self.dp, &mut self.plain] {
            let b = bridge_mut(dp, bridge);
            done.push(Arc::make_mut(&mut b.pipeline).apply_group(m).map(|gone| gone.len()));
        }
        assert_eq!(done[0], done[1]);
        self.dp.epoch += 1;
    }

    fn flow_mod(&mut self, bridge: usize, m: &dataplane::table::FlowMod) {
        let mut m = m.clone();
        let adds = m.command == dataplane::table::Command::Add;
        let ambiguous = adds && self.oracle.ambiguous(bridge, &m);
        if ambiguous {
            m.flags |= FLAG_CHECK_OVERLAP;
        }
        let b = bridge_mut(&mut self.dp, bridge);
        let mut pipeline = (*b.pipeline).clone();
        match pipeline.apply(&m, self.now_ms) {
            Ok(outcome) => {
                assert!(!ambiguous, "CHECK_OVERLAP let through {m:?}");
                let got = (outcome.added, outcome.modified, outcome.removed);
                assert_eq!(got, self.oracle.apply(bridge, &m, self.now_ms), "{m:?}");
                b.pipeline = Arc::new(pipeline);
                self.dp.epoch += 1;
            }
            Err(FlowModError::Overlap { .. }) => assert!(ambiguous, "{m:?}"),
            Err(_) => {
                // Refused: nothing was changed.
                assert_eq!(pipeline.len(), b.pipeline.len());
            }
        }
        for (number, table) in self.oracle.tables[bridge].iter().enumerate() {
            let got = self.dp.bridges[bridge].as_ref().unwrap().pipeline.table(number as u8);
            assert_eq!(got.map_or(0, |t| t.rules.len()), table.rules.len());
        }
    }
}

#[derive(Clone, Debug)]
struct History {
    groups: Vec<(usize, GroupMod)>,
    rules: Vec<(usize, dataplane::table::FlowMod)>,
    events: Vec<Event>,
}

impl History {
    fn run(&self, mut model: Model) -> Model {
        for (bridge, m) in &self.groups {
            model.group_mod(*bridge, m);
        }
        for (bridge, m) in &self.rules {
            model.flow_mod(*bridge, m);
        }
        for event in &self.events {
            model.event(event);
        }
        model
    }
}

/// A history: groups and rules to begin with, then events, mostly packets that come again and again.
fn history() -> impl Strategy<Value = History> {
    // Rules at the bottom of the tables keep packets from ending there too often.
    let mut bottom = Vec::new();
    for (bridge, table) in [(0, 0), (0, 1), (0, 2), (1, 0)] {
        let mut m = dataplane::table::FlowMod { table: Some(table), ..Default::default() };
        m.priority = 0;
        m.instructions.apply = vec![Action::output(OfPort::NORMAL)];
        bottom.push((bridge, m));
    }
    let bottom = prop::sample::subsequence(bottom, 2..=4);
    let rules = prop::collection::vec((0..2usize, generate::addition()), 10..40);
    let rules = (bottom, rules).prop_map(|(bottom, rules)| [bottom, rules].concat());
    // Those behind first: a group sends to those that exist.
    let groups = |bridge: usize| -> Vec<_> {
        let group = |id| generate::group_mod(GroupCommand::Add, id).prop_map(move |m| (bridge, m));
        (1..=GROUPS).rev().map(group).collect()
    };
    let groups = [groups(0), groups(1)].into_iter().flatten().collect::<Vec<_>>();
    let packets = prop::collection::vec(generate::packet(), 1..16);
    (groups, rules, packets).prop_flat_map(|(groups, rules, packets)| {
        let events = prop::collection::vec(generate::event(packets), 300);
        events.prop_map(move |events| History {
            groups: groups.clone(),
            rules: rules.clone(),
            events,
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 160,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn caches_and_classifier_decide_as_the_oracle(history in history()) {
        let model = history.run(Model::new(65_536));
        prop_assert!(model.packets > 150);
    }

    #[test]
    fn a_full_cache_decides_as_the_oracle(history in history()) {
        let model = history.run(Model::new(4));
        prop_assert!(model.cache.len() <= 4);
    }
}
