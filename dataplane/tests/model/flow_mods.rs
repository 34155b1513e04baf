//! Flow-mods, timeouts and counters (OpenFlow 1.3 sections 5.8, 6.4), case by case.

use crate::world::{bridge_mut, datapath};
use dataplane::action::Action;
use dataplane::cache::Cache;
use dataplane::flow::prereq::Prerequisite;
use dataplane::flow::{Field, FlowKey, Mask, Match};
use dataplane::state::OfPort;
use dataplane::table::rule::{FLAG_CHECK_OVERLAP, FLAG_RESET_COUNTS, FLAG_SEND_FLOW_REM};
use dataplane::table::{
    Command, FlowFilter, FlowMod, FlowModError, FlowModOutcome, Pipeline, RemovedReason,
};
use std::sync::Arc;

fn to_port(port: u32) -> FlowMod {
    let mut m = FlowMod::default();
    m.instructions.apply.push(Action::output(OfPort(port)));
    m
}

fn on_type(eth_type: u16) -> Match {
    let (mut key, mut mask) = (FlowKey::default(), Mask::default());
    key.eth_type.set(eth_type);
    mask.0.eth_type.set(u16::MAX);
    Match::new(&key, &mask)
}

fn ok(p: &mut Pipeline, m: &FlowMod, now_ms: u64) -> FlowModOutcome {
    p.apply(m, now_ms).unwrap()
}

fn counts(p: &Pipeline) -> Vec<(u64, u64)> {
    let rules = p.rules(&FlowFilter::default());
    rules.iter().map(|(_, r)| (r.stats.packets(), r.stats.bytes())).collect()
}

#[test]
fn an_equal_rule_is_replaced_and_keeps_its_counters_unless_told() {
    let mut p = Pipeline::default();
    ok(&mut p, &to_port(1), 1);
    p.rules(&FlowFilter::default())[0].1.stats.add(3, 300, 2);
    assert_eq!(ok(&mut p, &FlowMod { cookie: 9, ..to_port(2) }, 5).added, 1);
    assert_eq!((p.len(), counts(&p)), (1, vec![(3, 300)]));
    assert_eq!(p.rules(&FlowFilter::default())[0].1.cookie, 9);
    ok(&mut p, &FlowMod { flags: FLAG_RESET_COUNTS, ..to_port(2) }, 6);
    assert_eq!(counts(&p), [(0, 0)]);
}

#[test]
fn check_overlap_refuses_and_changes_nothing() {
    let mut p = Pipeline::default();
    ok(&mut p, &FlowMod { cookie: 7, ..to_port(1) }, 1);
    let m = FlowMod { matching: on_type(0x0800), flags: FLAG_CHECK_OVERLAP, ..to_port(2) };
    let refused = p.apply(&m, 1).unwrap_err();
    assert_eq!(refused, FlowModError::Overlap { priority: 0x8000, cookie: 7 });
    assert_eq!(p.len(), 1);
    ok(&mut p, &FlowMod { priority: 1, ..m }, 1);
    assert_eq!(p.len(), 2);
}

#[test]
fn modify_keeps_what_is_not_an_instruction() {
    let mut p = Pipeline::default();
    let m = FlowMod { cookie: 5, hard_timeout: 10, matching: on_type(0x0806), ..to_port(1) };
    ok(&mut p, &m, 1);
    p.rules(&FlowFilter::default())[0].1.stats.add(1, 60, 1);
    let modify = FlowMod { command: Command::Modify, cookie: 99, ..to_port(4) };
    assert_eq!(ok(&mut p, &modify, 2).modified, 1);
    let (_, rule) = p.rules(&FlowFilter::default()).remove(0);
    assert_eq!((rule.cookie, rule.hard_timeout, rule.stats.packets()), (5, 10, 1));
    assert_eq!(*rule.instructions, to_port(4).instructions);
    // Strict and cookie filters that select nothing are no error, and add nothing.
    let strict = FlowMod { command: Command::ModifyStrict, ..modify.clone() };
    assert_eq!(ok(&mut p, &strict, 2).modified, 0);
    assert_eq!(ok(&mut p, &FlowMod { cookie: 4, cookie_mask: 0xf, ..modify }, 2).modified, 0);
    assert_eq!(p.len(), 1);
}

#[test]
fn delete_filters_by_table_port_and_cookie() {
    let mut p = Pipeline::default();
    for (table, cookie, port) in [(0, 1, 1), (0, 2, 2), (3, 1, 2), (200, 4, 3)] {
        let priority = cookie as u16;
        let flags = FLAG_SEND_FLOW_REM;
        ok(&mut p, &FlowMod { table: Some(table), cookie, priority, flags, ..to_port(port) }, 1);
    }
    let delete = FlowMod { command: Command::Delete, table: None, ..FlowMod::default() };
    let removed = ok(&mut p, &FlowMod { out_port: OfPort(2), ..delete.clone() }, 1).told;
    assert_eq!(removed.iter().map(|r| r.table).collect::<Vec<_>>(), [0, 3]);
    assert!(removed.iter().all(|r| r.reason == RemovedReason::Delete));
    let by_cookie = FlowMod { cookie: 4, cookie_mask: u64::MAX, ..delete.clone() };
    assert_eq!(ok(&mut p, &by_cookie, 1).removed, 1);
    assert_eq!(ok(&mut p, &FlowMod { table: Some(1), ..delete.clone() }, 1).removed, 0);
    assert_eq!(ok(&mut p, &delete, 1).removed, 1);
    assert!(p.is_empty());
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let mut p = Pipeline::default();
    let with = |action: Action| {
        let mut m = FlowMod::default();
        m.instructions.apply.push(action);
        m
    };
    let set = |field: Field, value: u128| with(Action::SetField { field, value, mask: value });
    let goto = |table, to| {
        let mut m = FlowMod { table: Some(table), ..FlowMod::default() };
        m.instructions.goto_table = Some(to);
        m
    };
    let inconsistent =
        FlowModError::Inconsistent { field: Field::Ipv4Src, needs: Prerequisite::Ipv4 };
    let cases = [
        (goto(1, 1), FlowModError::BadGoto { from: 1, to: 1 }),
        (goto(0, 254), FlowModError::BadGoto { from: 0, to: 254 }),
        (FlowMod { table: Some(254), ..to_port(1) }, FlowModError::BadTable(254)),
        (FlowMod { table: None, ..to_port(1) }, FlowModError::AllTables),
        (with(Action::output(OfPort::ANY)), FlowModError::BadOutPort(0xffff_ffff)),
        (with(Action::PushVlan(0x9100)), FlowModError::BadTpid(0x9100)),
        (set(Field::IpFrag, 1), FlowModError::NotSettable(Field::IpFrag)),
        (set(Field::VlanPcp, 8), FlowModError::BadSetValue(Field::VlanPcp)),
        (set(Field::Ipv4Src, 1), inconsistent),
    ];
    for (m, error) in cases {
        assert_eq!(p.apply(&m, 1).unwrap_err(), error);
    }
    assert!(p.is_empty());
    ok(&mut p, &FlowMod { matching: on_type(0x0800), ..set(Field::Ipv4Src, 1) }, 1);
}

#[test]
fn rules_expire_by_age_and_by_silence() {
    let mut p = Pipeline::default();
    ok(&mut p, &FlowMod { priority: 1, hard_timeout: 10, ..to_port(1) }, 1000);
    ok(&mut p, &FlowMod { priority: 2, idle_timeout: 3, ..to_port(1) }, 1000);
    ok(&mut p, &FlowMod { priority: 3, ..to_port(1) }, 1000);
    assert!(!p.has_expired(3999));
    // Used meanwhile: lives on, and a clone knows as much.
    let idle = p.rules(&FlowFilter::default()).remove(1).1;
    idle.stats.add(1, 1, 3500);
    let mut p = p.clone();
    assert!(p.has_expired(4000) && p.expire(4000).is_empty());
    assert!(p.expire(6499).is_empty());
    let gone = p.expire(6500);
    assert_eq!((gone.len(), gone[0].reason), (1, RemovedReason::IdleTimeout));
    assert!(Arc::ptr_eq(&gone[0].rule, &idle));
    let gone = p.expire(11_000);
    assert_eq!((gone.len(), gone[0].reason), (1, RemovedReason::HardTimeout));
    assert_eq!(p.len(), 1);
    // Deleted or replaced before it came due: nothing happens.
    ok(&mut p, &FlowMod { hard_timeout: 1, ..to_port(1) }, 20_000);
    ok(&mut p, &to_port(1), 20_000);
    assert!(p.expire(u64::MAX).is_empty());
}

#[test]
fn a_modify_leaves_timeouts_and_duration_and_an_add_begins_anew() {
    let mut p = Pipeline::default();
    let m = FlowMod { hard_timeout: 10, idle_timeout: 6, ..to_port(1) };
    ok(&mut p, &m, 1000);
    let created = p.rules(&FlowFilter::default())[0].1.created;
    ok(&mut p, &FlowMod { command: Command::Modify, ..to_port(2) }, 5000);
    assert_eq!(p.rules(&FlowFilter::default())[0].1.created, created);
    p.rules(&FlowFilter::default())[0].1.stats.add(1, 60, 6000);
    assert!(p.expire(10_999).is_empty());
    let gone = p.clone().expire(11_000);
    assert_eq!((gone.len(), gone[0].reason), (1, RemovedReason::HardTimeout));
    // The same rule added again, before it went.
    ok(&mut p, &m, 10_500);
    assert!(p.rules(&FlowFilter::default())[0].1.created > created);
    assert!(p.expire(16_499).is_empty());
    let gone = p.expire(16_500);
    assert_eq!((gone.len(), gone[0].reason), (1, RemovedReason::IdleTimeout));
}

#[test]
fn tables_keep_what_a_table_mod_says() {
    let mut p = Pipeline::default();
    p.set_table_config(Some(3), 3).unwrap();
    assert_eq!((p.table_config(3), p.table_config(4)), (3, 0));
    p.set_table_config(None, 1).unwrap();
    assert_eq!((p.table_config(3), p.table_config(253)), (1, 1));
    assert_eq!(p.set_table_config(Some(254), 1), Err(FlowModError::BadTable(254)));
}

#[test]
fn cached_packets_reach_rule_table_and_fdb() {
    let mut dp = datapath();
    let mut m = to_port(1);
    m.instructions.apply = vec![Action::output(OfPort::NORMAL)];
    Arc::make_mut(&mut bridge_mut(&mut dp, 0).pipeline).apply(&m, 1).unwrap();
    let mut cache = Cache::new();
    let mut key = FlowKey { eth_src: [2; 6], eth_dst: [0xff; 6], ..FlowKey::default() };
    key.in_port.set(1);
    for _ in 0..10 {
        let handle = cache.lookup(&dp, &key, 1);
        cache.account(handle, 60);
    }
    let bridge = dp.bridges[0].as_ref().unwrap();
    assert_eq!(counts(&bridge.pipeline), [(0, 0)]);
    cache.flush_stats(9000);
    assert_eq!(counts(&bridge.pipeline), [(10, 600)]);
    let table = &bridge.pipeline.table(0).unwrap().stats;
    assert_eq!((table.lookups(), table.matched()), (10, 10));
    assert_eq!(bridge.fdb.entries(10_000)[0].age_s, 1);
    let stats = cache.stats();
    assert_eq!((stats.misses, stats.exact_hits), (1, 9));
    // Idle entries go by and by.
    cache.maintain(19_000);
    assert_eq!(cache.len(), 1);
    cache.maintain(19_001);
    assert!(cache.is_empty() && cache.masks() == 0);
}
