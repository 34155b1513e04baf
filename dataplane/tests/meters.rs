//! The rates of meters, measured on real traffic between two containers.

mod common;

use common::{Ns, can_run, veth, wait_for};
use dataplane::fdb::FdbConfig;
use dataplane::port::af_packet::AfPacketPort;
use dataplane::state::{BridgeId, OfPort, PortFlags, PortKind, VlanConfig};
use dataplane::switch::{PortSpec, Switch};
use dataplane::table::meter::{Band, BandKind, FLAG_KBPS, FLAG_PKTPS, MeterCommand, MeterMod};
use dataplane::table::pipeline::Command;
use dataplane::text;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How far a measured rate may be off.
const MOST: f64 = 0.05;
/// For this long; the second before it, in which the burst passes, does not count.
const MEASURE: Duration = Duration::from_secs(4);

/// Two containers with a switch between them that meters what the first sends.
struct Lab {
    c1: Ns,
    c2: Ns,
    switch: Switch,
    bridge: BridgeId,
    _ports: Vec<AfPacketPort>,
    _host: Ns,
}

impl Lab {
    fn new(test: &str) -> Self {
        let [c1, c2, host] = ["c1", "c2", "h"].map(|role| Ns::new(test, role));
        veth(&host, "v1", &c1, "eth0");
        veth(&host, "v2", &c2, "eth0");
        c1.sh("ip addr add 10.0.0.1/24 dev eth0");
        c2.sh("ip addr add 10.0.0.2/24 dev eth0");
        let (switch, bridge, ports) = host.inside(|| {
            let mut switch = Switch::new(2).unwrap();
            let bridge = switch.add_bridge("br0", FdbConfig::default()).unwrap();
            let ports = (1..=2).map(|n| attach(&mut switch, bridge, n)).collect();
            (switch, bridge, ports)
        });
        let mut lab = Self { c1, c2, switch, bridge, _ports: ports, _host: host };
        lab.flow("priority=1,actions=NORMAL", None);
        lab.switch.commit();
        lab.c1.sh("ping -q -c 3 -i 0.1 -W 2 10.0.0.2");
        lab
    }

    fn flow(&mut self, flow: &str, meter: Option<u32>) {
        let mut flow = text::parse_flow(flow, Command::Add, &|_| None).unwrap();
        flow.instructions.meter = meter;
        self.switch.flow_mod(self.bridge, &flow).unwrap();
    }

    /// Meters the first container's IP packets, all others pass.
    fn meter(&mut self, flags: u16, rate: u32) {
        let bands = vec![Band { kind: BandKind::Drop, rate, burst: 0 }];
        let delete = MeterMod { command: MeterCommand::Delete, id: 7, flags: 0, bands: Vec::new() };
        self.switch.meter_mod(self.bridge, &delete).unwrap();
        let add = MeterMod { command: MeterCommand::Add, id: 7, flags, bands };
        self.switch.meter_mod(self.bridge, &add).unwrap();
        self.flow("priority=2,in_port=1,ip,actions=output:2", Some(7));
        self.switch.barrier();
    }

    /// Packets and bytes that the second container's device has received.
    fn received(&self) -> (u64, u64) {
        let path = "/sys/class/net/eth0/statistics";
        let out = self.c2.sh(&format!("cat {path}/rx_packets {path}/rx_bytes"));
        let mut numbers = out.split_whitespace().map(|n| n.parse().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }

    /// Packets and bits a second that arrive.
    fn rates(&self) -> (f64, f64) {
        std::thread::sleep(Duration::from_secs(1));
        let (start, (packets, bytes)) = (Instant::now(), self.received());
        std::thread::sleep(MEASURE);
        let (end, took) = (self.received(), start.elapsed().as_secs_f64());
        ((end.0 - packets) as f64 / took, (end.1 - bytes) as f64 * 8.0 / took)
    }

    /// The rates while the first container sends UDP datagrams of `bytes`, `pps` a second.
    fn udp(&self, bytes: usize, pps: f64) -> (f64, f64) {
        let stop = AtomicBool::new(false);
        std::thread::scope(|s| {
            s.spawn(|| {
                self.c1.enter();
                let socket = UdpSocket::bind("10.0.0.1:0").unwrap();
                socket.connect("10.0.0.2:9").unwrap();
                let (datagram, start, mut sent) = (vec![0; bytes], Instant::now(), 0.0);
                while !stop.load(Ordering::Relaxed) {
                    while sent < start.elapsed().as_secs_f64() * pps {
                        // Nobody listens: every other call may say so.
                        let _ = socket.send(&datagram);
                        sent += 1.0;
                    }
                    std::thread::sleep(Duration::from_micros(300));
                }
            });
            let rates = self.rates();
            stop.store(true, Ordering::Relaxed);
            rates
        })
    }
}

fn attach(switch: &mut Switch, bridge: BridgeId, n: u32) -> AfPacketPort {
    let id = switch.reserve_port_id();
    let mut port = AfPacketPort::attach(&format!("v{n}"), id).expect("attach");
    let spec = PortSpec {
        id,
        bridge,
        name: format!("v{n}"),
        ofport: OfPort(n),
        kind: PortKind::System,
        vlan: VlanConfig::default(),
        flags: PortFlags::default(),
        max_frame: 1514,
    };
    switch.add_port(spec).unwrap();
    let receiver = port.receiver().expect("receiver");
    switch.set_io(id, Some(receiver), &mut || port.transmitter()).unwrap();
    port
}

fn check(what: &str, got: f64, wanted: f64) {
    let error = got / wanted - 1.0;
    eprintln!("{what}: {got:.0} a second, {:+.2} %", error * 100.0);
    assert!(error.abs() < MOST, "{what}: {got:.0} a second instead of {wanted}");
}

#[test]
fn udp_passes_at_the_meters_rate() {
    if !can_run(&["ping"]) {
        return;
    }
    let mut lab = Lab::new("mu");
    for (rate, bytes) in [(1000, 1400), (10_000, 200), (100_000, 1400)] {
        lab.meter(FLAG_KBPS, rate);
        let wanted = f64::from(rate) * 1000.0;
        // Twice as many as may pass, with their 42 bytes of headers.
        let offered = 2.0 * wanted / ((bytes + 42) * 8) as f64;
        let (_, bits) = lab.udp(bytes, offered);
        check(&format!("{rate} kbit/s, UDP of {bytes} bytes"), bits, wanted);
    }
    for rate in [100, 2000, 20_000] {
        lab.meter(FLAG_PKTPS, rate);
        let (packets, _) = lab.udp(100, 2.0 * f64::from(rate));
        check(&format!("{rate} packets/s, UDP"), packets, rate.into());
    }
}

/// What applications get, from the first byte on: the burst's share of these seconds is as large as
/// the headers'.
#[test]
fn tcp_gets_the_meters_rate() {
    if !can_run(&["ping", "iperf3"]) {
        return;
    }
    let mut lab = Lab::new("mt");
    let _server = lab.c2.spawn("iperf3 -s");
    wait_for("iperf3 listens", || lab.c2.try_sh("ss -ltn | grep -q :5201").0);
    for rate in [1000, 30_000, 1_000_000] {
        lab.meter(FLAG_KBPS, rate);
        let out = lab.c1.sh("iperf3 -c 10.0.0.2 -t 8 -f k");
        let line = out.lines().find(|l| l.ends_with("receiver")).expect("a sum");
        let words: Vec<_> = line.split_whitespace().collect();
        let unit = words.iter().position(|w| *w == "Kbits/sec").expect("-f k");
        let kbits: f64 = words[unit - 1].parse().expect("a number");
        check(&format!("{rate} kbit/s, TCP"), kbits * 1000.0, f64::from(rate) * 1000.0);
    }
}
