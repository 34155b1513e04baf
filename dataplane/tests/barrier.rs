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
    // No worker is still in a round that began without the port.
    switch.sync();
    switch.barrier();
    port
}

fn stage(switch: &mut Switch, bridge: BridgeId, flow: &str) {
    let flow = text::parse_flow(flow, Command::Add, &|_| None).unwrap();
    switch.flow_mod(bridge, &flow).unwrap();
}

fn frame(ethertype: u16) -> Packet {
    let mut bytes = [0x02; 60];
    bytes[12..14].copy_from_slice(&ethertype.to_be_bytes());
    Packet::copied(&bytes)
}

/// The ports that the frames come in by are never empty, so that the workers go from round to round
/// and such a frame may well come into a round that began before it was sent.
#[test]
fn a_frame_behind_a_barrier_meets_the_new_flow() {
    const LOAD: u16 = 0x88b5;
    const PROBE: u16 = 0x88b6;
    let mut switch = Switch::new(2).unwrap();
    let bridge = switch.add_bridge("br0", FdbConfig::default()).unwrap();
    let from = [1, 2, 3, 4].map(|n| port(&mut switch, bridge, n));
    let to = [5, 6].map(|n| port(&mut switch, bridge, n));
    stage(&mut switch, bridge, "dl_type=0x88b5,actions=IN_PORT");
    switch.barrier();
    let stop = AtomicBool::new(false);
    std::thread::scope(|s| {
        let load = s.spawn(|| {
            let mut frames = 0;
            while !stop.load(Ordering::Relaxed) {
                for port in &from {
                    (0..256).for_each(|_| port.put(frame(LOAD)));
                }
                for port in &from {
                    for _ in 0..256 {
                        port.next(WAIT).expect("the load comes back");
                        frames += 1;
                    }
                }
            }
            frames
        });
        for n in 0..2000 {
            let out = n % 2;
            stage(&mut switch, bridge, &format!("dl_type=0x88b6,actions=output:{}", out + 5));
            switch.barrier();
            from.iter().for_each(|port| port.put(frame(PROBE)));
            let came = from.iter().filter(|_| to[out].next(WAIT).is_some()).count();
            if came < from.len() || !to[1 - out].sent().is_empty() {
                stop.store(true, Ordering::Relaxed);
                panic!("round {n}: a frame met the flow before the last");
            }
        }
        stop.store(true, Ordering::Relaxed);
        assert!(load.join().unwrap() > 10_000, "the workers had hardly anything to do");
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
