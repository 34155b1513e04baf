//! Barriers: what was changed before one is in force for every frame behind it.

use dataplane::fdb::FdbConfig;
use dataplane::packet::Packet;
use dataplane::port::Transmit;
use dataplane::port::memory::MemoryPort;
use dataplane::state::{BridgeId, OfPort, PortFlags, PortKind, VlanConfig};
use dataplane::switch::{PortSpec, Switch};
use dataplane::table::pipeline::Command;
use dataplane::text;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const WAIT: Duration = Duration::from_secs(5);

fn port(switch: &mut Switch, bridge: BridgeId, ofport: u32) -> MemoryPort {
    let id = switch.reserve_port_id();
    let (port, rx, tx) = MemoryPort::new(id).unwrap();
    let spec = PortSpec {
        id,
        bridge,
        name: format!("p{ofport}"),
        ofport: OfPort(ofport),
        kind: PortKind::Memory,
        vlan: VlanConfig::default(),
        flags: PortFlags::default(),
        max_frame: 1514,
    };
    switch.add_port(spec).unwrap();
    switch
        .set_io(id, Some(Box::new(rx)), &mut || Ok(Box::new(tx.clone()) as Box<dyn Transmit>))
        .unwrap();
    port
}

fn stage(switch: &mut Switch, bridge: BridgeId, flow: &str) {
    let flow = text::parse_flow(flow, Command::Add, &|_| None).unwrap();
    switch.flow_mod(bridge, &flow).unwrap();
}

fn frame() -> Packet {
    let mut bytes = [0x02; 60];
    bytes[12..14].copy_from_slice(&[0x88, 0xb5]);
    Packet::copied(&bytes)
}

#[test]
fn a_frame_behind_a_barrier_meets_the_new_flow() {
    let mut switch = Switch::new(2).unwrap();
    let bridge = switch.add_bridge("br0", FdbConfig::default()).unwrap();
    // By twos, so that each worker has one that is loaded and one that is looked at.
    let loaded = [port(&mut switch, bridge, 10), port(&mut switch, bridge, 11)];
    let from = [port(&mut switch, bridge, 1), port(&mut switch, bridge, 2)];
    let to = [port(&mut switch, bridge, 3), port(&mut switch, bridge, 4)];
    stage(&mut switch, bridge, "in_port=10,actions=IN_PORT");
    stage(&mut switch, bridge, "in_port=11,actions=IN_PORT");
    switch.barrier();
    let stop = AtomicBool::new(false);
    std::thread::scope(|s| {
        let turns = s.spawn(|| {
            let mut turns = 0;
            while !stop.load(Ordering::Relaxed) {
                for port in &loaded {
                    (0..64).for_each(|_| port.put(frame()));
                }
                for port in &loaded {
                    for _ in 0..64 {
                        port.next(WAIT).expect("the load comes back");
                    }
                }
                turns += 1;
            }
            turns
        });
        for n in 0..3000 {
            let (way, out) = (n / 2 % 2, n % 2);
            let flow = format!("in_port={},actions=output:{}", way + 1, out + 3);
            stage(&mut switch, bridge, &flow);
            switch.barrier();
            from[way].put(frame());
            let came = to[out].next(WAIT);
            if came.is_none() || !to[1 - out].sent().is_empty() {
                stop.store(true, Ordering::Relaxed);
                panic!("round {n}: the frame met the flow before the last");
            }
        }
        stop.store(true, Ordering::Relaxed);
        assert!(turns.join().unwrap() > 10, "the workers had hardly anything to do");
    });
}

#[test]
fn a_barrier_of_an_idle_switch_takes_no_time() {
    let mut switch = Switch::new(4).unwrap();
    let bridge = switch.add_bridge("br0", FdbConfig::default()).unwrap();
    let _ports = [port(&mut switch, bridge, 1), port(&mut switch, bridge, 2)];
    switch.sync();
    let mut took: Vec<_> = (0..1000)
        .map(|n| {
            stage(&mut switch, bridge, &format!("priority={n},actions=drop"));
            let start = Instant::now();
            switch.barrier();
            start.elapsed()
        })
        .collect();
    took.sort_unstable();
    assert!(took[500] < Duration::from_millis(1), "the median of 1000 barriers is {:?}", took[500]);
}
