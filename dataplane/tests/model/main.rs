//! The model tests: whatever happens, a packet is treated as a switch without caches and with the
//! simplest flow tables would treat it.

mod flow_mods;
mod forwarding;
mod generate;
mod world;

use dataplane::action::Action;
use dataplane::cache::Cache;
use dataplane::flow::{FlowKey, Mask};
use dataplane::state::{Datapath, OfPort, PortId};
use dataplane::table::FlowModError;
use dataplane::table::rule::FLAG_CHECK_OVERLAP;
use dataplane::translate::{Decision, translate_by};
use generate::Event;
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
}

fn same(got: &Decision, wanted: &Decision, key: &FlowKey) {
    assert_eq!(got.drop, wanted.drop, "{key:?}");
    assert_eq!(got.steps, wanted.steps, "{key:?}");
    let cookies = |d: &Decision| -> Vec<_> {
        d.rules.iter().map(|r| (r.priority, r.cookie, r.instructions.clone())).collect()
    };
    assert_eq!(cookies(got), cookies(wanted), "{key:?}");
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
        }
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Packet(key, noise) => self.packet(key, noise),
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

    fn packet(&mut self, key: &FlowKey, noise: &[u64; 23]) {
        self.packets += 1;
        self.now_ms += 7;
        let wanted = translate_by(&self.oracle, &self.plain, key, self.now_ms);
        let handle = self.cache.lookup(&self.dp, key, self.now_ms);
        let got = self.cache.decision(handle);
        same(got, &wanted, key);
        // A packet that differs only where the decision did not look gets the same.
        let Mask(mask) = got.wildcards;
        let mut other = *key;
        for ((word, noise), mask) in other.words_mut().iter_mut().zip(noise).zip(mask.words()) {
            *word = *word & mask | noise & !mask;
        }
        let wanted = translate_by(&self.oracle, &self.plain, &other, self.now_ms);
        same(got, &wanted, &other);
        self.cache.account(handle, 100);
        if self.packets.is_multiple_of(16) {
            self.cache.flush_stats(self.now_ms);
            self.cache.maintain(self.now_ms);
        }
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

/// A history: rules to begin with, then events, mostly packets that come again and again.
fn history() -> impl Strategy<Value = (Vec<(usize, dataplane::table::FlowMod)>, Vec<Event>)> {
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
    let packets = prop::collection::vec(generate::packet(), 1..16);
    (rules, packets).prop_flat_map(|(rules, packets)| {
        let events = prop::collection::vec(generate::event(packets), 300);
        (Just(rules), events)
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 160,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn caches_and_classifier_decide_as_the_oracle((rules, events) in history()) {
        let mut model = Model::new(65_536);
        for (bridge, m) in &rules {
            model.flow_mod(*bridge, m);
        }
        for event in &events {
            model.event(event);
        }
        prop_assert!(model.packets > 150);
    }

    #[test]
    fn a_full_cache_decides_as_the_oracle((rules, events) in history()) {
        let mut model = Model::new(4);
        for (bridge, m) in &rules {
            model.flow_mod(*bridge, m);
        }
        for event in &events {
            model.event(event);
        }
        prop_assert!(model.cache.len() <= 4);
    }
}
