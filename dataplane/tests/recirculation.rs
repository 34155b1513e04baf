//! The whole switch over memory ports: frames that are taken apart anew on their way.

mod frames;

use dataplane::action::{Action, Instructions};
use dataplane::drop::DropReason;
use dataplane::fdb::FdbConfig;
use dataplane::flow::key::PACKET_WORDS;
use dataplane::flow::{Field, FlowKey, Mask, Match};
use dataplane::packet::Packet;
use dataplane::port::Transmit;
use dataplane::port::memory::MemoryPort;
use dataplane::state::{BridgeId, OfPort, PortFlags, PortId, PortKind, VlanConfig};
use dataplane::switch::{PortSpec, Switch};
use dataplane::table::{FlowFilter, FlowMod};
use dataplane::upcall::PacketOut;
use frames::{L4, Spec};
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(5);
const QUIET: Duration = Duration::from_millis(50);

struct Bench {
    switch: Switch,
    bridge: BridgeId,
    ports: Vec<(PortId, MemoryPort)>,
}

impl Bench {
    /// A bridge with ports 1 to 3.
    fn new(mods: &[FlowMod]) -> Self {
        let mut switch = Switch::new(1).unwrap();
        let bridge = switch.add_bridge("br0", FdbConfig::default()).unwrap();
        let mut ports = Vec::new();
        for n in 1..=3 {
            let id = switch.reserve_port_id();
            let (port, rx, tx) = MemoryPort::new(id).unwrap();
            switch
                .add_port(PortSpec {
                    id,
                    bridge,
                    name: format!("p{n}"),
                    ofport: OfPort(n),
                    kind: PortKind::Memory,
                    vlan: VlanConfig::default(),
                    flags: PortFlags::default(),
                    max_frame: 1514,
                })
                .unwrap();
            let mut transmit = || Ok(Box::new(tx.clone()) as Box<dyn Transmit>);
            switch.set_io(id, Some(Box::new(rx)), &mut transmit).unwrap();
            ports.push((id, port));
        }
        switch.flow_mods(bridge, mods).map_err(|e| format!("{e:?}")).unwrap();
        Self { switch, bridge, ports }
    }

    fn put(&self, frame: &[u8]) {
        self.ports[0].1.put(Packet::copied(frame));
    }

    /// What leaves port 2 or 3.
    fn next(&self, port: usize) -> Vec<u8> {
        self.ports[port - 1].1.next(WAIT).expect("a frame").data().to_vec()
    }

    fn quiet(&self, port: usize) -> bool {
        self.ports[port - 1].1.next(QUIET).is_none()
    }
}

fn on(table: u8, fields: &[(Field, u128)], actions: &[Action]) -> FlowMod {
    let (mut key, mut mask) = (FlowKey::default(), Mask::default());
    for (field, value) in fields {
        field.write(&mut key, *value);
        field.write(&mut mask.0, u128::MAX);
    }
    let instructions = Instructions { apply: actions.to_vec(), ..Instructions::default() };
    FlowMod {
        table: Some(table),
        matching: Match::new(&key, &mask),
        instructions,
        ..FlowMod::default()
    }
}

fn port(n: u32) -> Action {
    Action::output(OfPort(n))
}

fn ip_frame(v6: bool, ttl: u8) -> Vec<u8> {
    Spec { ttl, ..Spec::new(v6, L4::Udp) }.build()
}

/// The frame behind label 100.
fn labelled(frame: &[u8]) -> Vec<u8> {
    let mut out = frame.to_vec();
    out.splice(12..14, [0x88, 0x47, 0, 0x06, 0x41, 9]);
    out
}

const IPV4: (Field, u128) = (Field::EthType, 0x0800);
const MPLS: (Field, u128) = (Field::EthType, 0x8847);

#[test]
fn what_is_behind_a_label_is_matched_and_edited() {
    let pop = [Action::PopMpls(0x0800)];
    let mut first = on(0, &[MPLS, (Field::MplsLabel, 100)], &pop);
    first.instructions.goto_table = Some(1);
    let ports = [IPV4, (Field::IpProto, 17), (Field::TpDst, 2000)];
    let set = Action::SetField { field: Field::TpDst, value: 53, mask: 0xffff };
    let second = on(1, &ports, &[Action::DecTtl, set, port(2)]);
    let bench = Bench::new(&[first, second]);
    let wanted = Spec { ttl: 63, ports: (1000, 53), ..Spec::new(false, L4::Udp) }.build();
    for _ in 0..5 {
        bench.put(&labelled(&ip_frame(false, 64)));
        assert_eq!(bench.next(2), wanted);
    }
    // Another inside, the same outside.
    let other = Spec { ports: (1000, 2001), ..Spec::new(false, L4::Udp) };
    bench.put(&labelled(&other.build()));
    assert!(bench.quiet(2));
    // Each packet counts once for every table and rule that it met.
    let pipeline = bench.switch.pipeline(bench.bridge).unwrap();
    let tables = [0, 1].map(|n| {
        let stats = &pipeline.table(n).unwrap().stats;
        (stats.lookups(), stats.matched())
    });
    assert_eq!(tables, [(6, 6), (6, 5)]);
    let rules = pipeline.rules(&FlowFilter::default());
    let packets: Vec<_> = rules.iter().map(|(_, rule)| rule.stats.packets()).collect();
    assert_eq!(packets, [6, 5]);
    let drops = bench.switch.stats().ports[&bench.ports[0].0].drops;
    assert_eq!(drops[DropReason::TableMiss as usize], 1);
}

#[test]
fn copies_go_on_by_themselves() {
    // Out as it is, then without label and with its TTL less, then as it was again.
    let clone = [port(3), Action::PopMpls(0x0800), port(2), Action::DecTtl, port(2), port(3)];
    let bench = Bench::new(&[on(0, &[MPLS], &clone)]);
    let frame = labelled(&ip_frame(false, 64));
    bench.put(&frame);
    let less = ip_frame(false, 63);
    assert_eq!((bench.next(2), bench.next(2)), (ip_frame(false, 64), less.clone()));
    assert_eq!((bench.next(3), bench.next(3)), (frame, less));
}

#[test]
fn an_endless_way_ends() {
    let again = Action::Resubmit { port: None, table: Some(1) };
    let around = [Action::PushMpls(0x8847), Action::PopMpls(0x0800), again.clone()];
    let bench = Bench::new(&[on(0, &[IPV4], &[again]), on(1, &[IPV4], &around)]);
    bench.put(&ip_frame(false, 64));
    assert!(bench.quiet(2));
    let drops = bench.switch.stats().ports[&bench.ports[0].0].drops;
    assert_eq!(drops[DropReason::TooManyRecirculations as usize], 1);
    assert_eq!(drops.iter().sum::<u64>(), 1);
}

#[test]
fn packets_of_controllers_go_on_too() {
    let mut first = on(0, &[MPLS], &[Action::PopMpls(0x86dd)]);
    first.instructions.goto_table = Some(1);
    let v6 = (Field::EthType, 0x86dd);
    let mut bench = Bench::new(&[first, on(1, &[v6], &[Action::DecTtl, port(2)])]);
    bench.switch.packet_out(
        bench.bridge,
        PacketOut {
            in_port: OfPort::CONTROLLER,
            actions: vec![Action::output(OfPort::TABLE), port(3)],
            packet: Packet::copied(&labelled(&ip_frame(true, 9))),
        },
    );
    assert_eq!(bench.next(2), ip_frame(true, 8));
    assert_eq!(bench.next(3), labelled(&ip_frame(true, 9)));
}

#[test]
fn registers_are_no_part_of_what_a_packet_decides() {
    let words = FlowKey::default().packet_words().len();
    assert_eq!(words, PACKET_WORDS);
    for field in [Field::Metadata, Field::InPhyPort, Field::Reg0, Field::Reg15] {
        assert!(field.offset() >= words * 8, "{}", field.name());
    }
}
