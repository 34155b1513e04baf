//! The whole switch over memory ports: what is put into one port, and what leaves the others.

use dataplane::action::Action;
use dataplane::drop::DropReason;
use dataplane::fdb::FdbConfig;
use dataplane::packet::Packet;
use dataplane::port::Transmit;
use dataplane::port::memory::MemoryPort;
use dataplane::state::{BridgeId, OfPort, PortFlags, PortId, PortKind, VlanConfig, VlanMode};
use dataplane::switch::{Event, PortSpec, Switch};
use dataplane::table::group::{GroupCommand, GroupKind, GroupMod};
use dataplane::table::meter::{MeterCommand, MeterMod};
use dataplane::table::{Command, FlowFilter, FlowMod, RemovedReason};
use dataplane::text;
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(5);
const QUIET: Duration = Duration::from_millis(50);

struct Bench {
    switch: Switch,
    bridge: BridgeId,
}

impl Bench {
    fn new() -> Self {
        let mut switch = Switch::new(1).unwrap();
        let bridge = switch.add_bridge("br0", FdbConfig::default()).unwrap();
        Self { switch, bridge }
    }

    fn port(&mut self, ofport: u32, vlan: VlanConfig) -> (PortId, MemoryPort) {
        let id = self.switch.reserve_port_id();
        let (port, rx, tx) = MemoryPort::new(id).unwrap();
        self.add(self.bridge, id, ofport, PortKind::Memory, vlan);
        self.switch
            .set_io(id, Some(Box::new(rx)), &mut || Ok(Box::new(tx.clone()) as Box<dyn Transmit>))
            .unwrap();
        // No worker is still in a round that began without the port.
        self.switch.sync();
        self.switch.barrier();
        (id, port)
    }

    fn add(&mut self, bridge: BridgeId, id: PortId, of: u32, kind: PortKind, vlan: VlanConfig) {
        self.switch
            .add_port(PortSpec {
                id,
                bridge,
                name: format!("p{}", id.0),
                ofport: OfPort(of),
                kind,
                vlan,
                flags: PortFlags::default(),
                max_frame: 1514,
            })
            .unwrap();
    }

    fn flows(&mut self, bridge: BridgeId, flows: &[&str]) {
        let mods: Vec<_> =
            flows.iter().map(|f| text::parse_flow(f, Command::Add, &|_| None).unwrap()).collect();
        self.switch.flow_mods(bridge, &mods).map_err(|e| format!("{e:?}")).unwrap();
    }
}

fn frame(dst: u8, src: u8) -> Packet {
    let mut f = vec![2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src, 0x88, 0xb5];
    if dst == 0xff {
        f[..6].fill(0xff);
    }
    f.resize(60, src);
    Packet::copied(&f)
}

#[test]
fn normal_floods_then_learns_and_never_reflects() {
    let mut b = Bench::new();
    b.flows(b.bridge, &["priority=0,actions=NORMAL"]);
    let ports: Vec<_> = (1..=3).map(|n| b.port(n, VlanConfig::default()).1).collect();
    ports[0].put(frame(2, 1));
    assert_eq!(ports[1].next(WAIT).unwrap().data(), frame(2, 1).data());
    assert_eq!(ports[2].next(WAIT).unwrap().data(), frame(2, 1).data());
    ports[1].put(frame(1, 2));
    assert_eq!(ports[0].next(WAIT).unwrap().data(), frame(1, 2).data());
    for _ in 0..3 {
        ports[0].put(frame(2, 1));
        assert_eq!(ports[1].next(WAIT).unwrap().data(), frame(2, 1).data());
    }
    assert!(ports[2].next(QUIET).is_none(), "a learned address was flooded");
    assert!(ports[0].next(QUIET).is_none());
    // The station moves: its next frame teaches the new port.
    ports[2].put(frame(0xff, 2));
    assert!(ports[0].next(WAIT).is_some() && ports[1].next(WAIT).is_some());
    ports[0].put(frame(2, 1));
    assert_eq!(ports[2].next(WAIT).unwrap().data(), frame(2, 1).data());
    assert!(ports[1].next(QUIET).is_none(), "sent to where the station had been");
}

#[test]
fn access_ports_are_tagged_toward_trunks() {
    let access = |tag| VlanConfig { mode: VlanMode::Access, tag, trunks: vec![] };
    let mut b = Bench::new();
    b.flows(b.bridge, &["actions=NORMAL"]);
    let (_, red) = b.port(1, access(10));
    let (_, blue) = b.port(2, access(20));
    let (_, trunk) = b.port(3, VlanConfig::default());
    red.put(frame(0xff, 1));
    let tagged = trunk.next(WAIT).unwrap();
    assert_eq!(&tagged.data()[12..18], [0x81, 0x00, 0, 10, 0x88, 0xb5]);
    assert!(blue.next(QUIET).is_none(), "VLAN 10 leaked into VLAN 20");
    trunk.put(Packet::copied(tagged.data()));
    // Back from the trunk, from the same address: learned there now, flooded to red untagged.
    assert_eq!(red.next(WAIT).unwrap().data(), frame(0xff, 1).data());
}

#[test]
fn an_edit_between_two_outputs_leaves_the_first_alone() {
    let mut b = Bench::new();
    b.flows(
        b.bridge,
        &["in_port=1,actions=output:2,set_field:02:00:00:00:00:09->eth_dst,output:3,output:4"],
    );
    let ports: Vec<_> = (1..=4).map(|n| b.port(n, VlanConfig::default()).1).collect();
    ports[0].put(frame(2, 1));
    assert_eq!(ports[1].next(WAIT).unwrap().data(), frame(2, 1).data());
    assert_eq!(ports[2].next(WAIT).unwrap().data(), frame(9, 1).data());
    assert_eq!(ports[3].next(WAIT).unwrap().data(), frame(9, 1).data());
}

#[test]
fn patch_ports_join_two_bridges() {
    let mut b = Bench::new();
    let other = b.switch.add_bridge("br1", FdbConfig::default()).unwrap();
    b.flows(b.bridge, &["actions=NORMAL"]);
    b.flows(other, &["actions=NORMAL"]);
    let (here, there) = (b.switch.reserve_port_id(), b.switch.reserve_port_id());
    b.add(b.bridge, here, 10, PortKind::Patch(Some(there)), VlanConfig::default());
    b.add(other, there, 10, PortKind::Patch(Some(here)), VlanConfig::default());
    let (_, left) = b.port(1, VlanConfig::default());
    let bridge = std::mem::replace(&mut b.bridge, other);
    let (_, right) = b.port(1, VlanConfig::default());
    b.bridge = bridge;
    left.put(frame(2, 1));
    assert_eq!(right.next(WAIT).unwrap().data(), frame(2, 1).data());
    right.put(frame(1, 2));
    assert_eq!(left.next(WAIT).unwrap().data(), frame(1, 2).data());
    assert!(left.next(QUIET).is_none());
    // The patch ports count what passed, each from its own side; so do the workers' caches.
    b.switch.sync();
    let stats = b.switch.stats();
    for patch in [here, there] {
        let p = &stats.ports[&patch];
        assert_eq!((p.rx_packets, p.tx_packets, p.rx_bytes, p.tx_bytes), (1, 1, 60, 60));
    }
    assert_eq!((stats.switch.cache.misses, stats.switch.cache_entries), (2, 2));
}

#[test]
fn flow_mods_take_effect_at_once_and_count() {
    let mut b = Bench::new();
    let (from, a) = b.port(1, VlanConfig::default());
    let (_, c) = b.port(2, VlanConfig::default());
    a.put(frame(2, 1));
    assert!(c.next(QUIET).is_none(), "an empty table forwards nothing");
    for n in 1..=50u64 {
        b.flows(b.bridge, &["in_port=1,actions=output:2"]);
        a.put(frame(2, 1));
        assert!(c.next(WAIT).is_some());
        b.flows(b.bridge, &["in_port=1,actions=drop"]);
        a.put(frame(2, 1));
        b.switch.sync();
        assert!(c.next(Duration::from_millis(1)).is_none());
        // What is in the workers' hands when a frame has left is counted by the end of the turn.
        b.switch.sync();
        let stats = &b.switch.stats().ports[&from];
        assert_eq!(stats.rx_packets, 2 * n + 1);
    }
    let stats = b.switch.stats().ports[&from].clone();
    let reasons = DropReason::ALL;
    let dropped: Vec<_> = reasons.iter().filter(|r| stats.drops[**r as usize] > 0).collect();
    assert_eq!(dropped, [&DropReason::TableMiss, &DropReason::NoOutput]);
    assert_eq!(stats.drops.iter().sum::<u64>(), 51);
}

/// What [`Switch::take_events`] tells: cookies and reasons, by cookie.
fn told(b: &mut Bench) -> Vec<(u64, RemovedReason)> {
    let events = b.switch.take_events().into_iter().map(|event| match event {
        Event::FlowRemoved { bridge, removed } => {
            assert_eq!(bridge, b.bridge);
            (removed.rule.cookie, removed.reason)
        }
    });
    let mut told: Vec<_> = events.collect();
    told.sort_unstable_by_key(|t| t.0);
    told
}

#[test]
fn who_wants_to_hear_of_rules_that_go_hears_it_once() {
    let mut b = Bench::new();
    let group = |command| GroupMod { command, id: 1, kind: GroupKind::All, buckets: vec![] };
    let meter = |command| MeterMod { command, id: 1, flags: 0, bands: vec![] };
    b.switch.group_mod(b.bridge, &group(GroupCommand::Add)).unwrap();
    b.switch.meter_mod(b.bridge, &meter(MeterCommand::Add)).unwrap();
    let add =
        |n: u16, flags: u16| FlowMod { priority: n, cookie: n.into(), flags, ..FlowMod::default() };
    let mut mods: Vec<_> = (1..=9).map(|n| add(n, u16::from(n % 2 == 1))).collect();
    for m in &mut mods[0..2] {
        m.instructions.apply = vec![Action::Group(1)];
    }
    for m in &mut mods[2..4] {
        m.instructions.meter = Some(1);
    }
    for m in &mut mods[4..6] {
        m.hard_timeout = 1;
    }
    b.switch.flow_mods(b.bridge, &mods).unwrap();
    // One that is replaced is not told of.
    b.switch.flow_mod(b.bridge, &mods[6]).unwrap();
    assert_eq!(told(&mut b), []);
    b.switch.group_mod(b.bridge, &group(GroupCommand::Delete)).unwrap();
    b.switch.meter_mod(b.bridge, &meter(MeterCommand::Delete)).unwrap();
    assert_eq!(told(&mut b), [(1, RemovedReason::GroupDelete), (3, RemovedReason::MeterDelete)]);
    let strict = FlowMod { command: Command::DeleteStrict, ..mods[6].clone() };
    b.switch.flow_mod(b.bridge, &strict).unwrap();
    assert_eq!(told(&mut b), [(7, RemovedReason::Delete)]);
    std::thread::sleep(Duration::from_millis(1100));
    b.switch.tick();
    assert_eq!(told(&mut b), [(5, RemovedReason::HardTimeout)]);
    assert_eq!(b.switch.datapath().bridge(b.bridge).unwrap().pipeline.len(), 2);
    let all = FlowMod { command: Command::Delete, table: None, ..FlowMod::default() };
    let outcome = b.switch.flow_mods(b.bridge, &[all.clone(), all]).unwrap();
    assert_eq!([outcome[0].removed, outcome[1].removed], [2, 0]);
    assert_eq!(told(&mut b), [(9, RemovedReason::Delete)]);
}

#[test]
fn snapshots_that_nobody_uses_are_let_go_of() {
    let mut b = Bench::new();
    b.flows(b.bridge, &["actions=drop"]);
    let kept = b.switch.datapath();
    let rules = kept.bridge(b.bridge).unwrap().pipeline.rules(&FlowFilter::default());
    let rule = std::sync::Arc::downgrade(&rules[0].1);
    drop(rules);
    b.switch
        .flow_mods(b.bridge, &[FlowMod { command: Command::Delete, ..FlowMod::default() }])
        .unwrap();
    b.switch.barrier();
    b.switch.tick();
    std::thread::sleep(QUIET);
    assert!(rule.upgrade().is_some(), "who holds a snapshot keeps its rules");
    drop(kept);
    b.switch.tick();
    let start = std::time::Instant::now();
    while rule.upgrade().is_some() {
        assert!(start.elapsed() < WAIT, "a rule that has gone was never freed");
        std::thread::yield_now();
    }
}

#[test]
fn what_nobody_takes_has_its_own_reason() {
    let mut b = Bench::new();
    b.flows(b.bridge, &["in_port=1,actions=CONTROLLER", "in_port=2,actions=drop"]);
    let (one, a) = b.port(1, VlanConfig::default());
    let (two, c) = b.port(2, VlanConfig::default());
    a.put(frame(2, 1));
    c.put(frame(1, 2));
    let dropped =
        |b: &Bench, id, reason: DropReason| b.switch.stats().ports[&id].drops[reason as usize];
    let start = std::time::Instant::now();
    while dropped(&b, one, DropReason::NoController) + dropped(&b, two, DropReason::NoOutput) < 2 {
        assert!(start.elapsed() < WAIT, "{:?}", b.switch.stats());
        std::thread::yield_now();
    }
}
