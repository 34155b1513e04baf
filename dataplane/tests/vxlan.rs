//! Real traffic between a VXLAN port and a kernel `vxlan` device.

mod common;

use common::forward::{Forward, Seen};
use common::{Ns, can_run, veth, wait_for};
use dataplane::action::TunnelDest;
use dataplane::packet::{Gso, GsoKind, Packet, Pool};
use dataplane::port::tap::TapPort;
use dataplane::port::vxlan::{NO_PORT, VxlanReceiver, VxlanTransmitter};
use dataplane::port::{Receive, RxBatch, Transmit, TxItem, TxReport};
use dataplane::state::{
    BridgeId, Datapath, FlowOr, InheritOr, OfPort, Port, PortFlags, PortId, PortKind, Shared,
    VlanConfig, VxlanConfig, clock_ms,
};
use dataplane::too_big::{self, Limiter};
use dataplane::vtep::TunnelTable;
use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;
use std::time::Instant;

const VNI: u32 = 100;
const TUNNEL: PortId = PortId(1);

/// How the two hosts reach each other.
#[derive(Clone, Copy, Debug)]
struct Underlay {
    v6: bool,
    csum: bool,
}

impl Underlay {
    fn addresses(self) -> [IpAddr; 2] {
        let a = if self.v6 { ["fd09::1", "fd09::2"] } else { ["10.9.0.1", "10.9.0.2"] };
        a.map(|a| a.parse().unwrap())
    }

    fn mtu(self) -> u16 {
        if self.v6 { 1430 } else { 1450 }
    }
}

/// Two hosts: ours has a TAP `tap0` (10.77.0.1) and a VXLAN port, the other the kernel's `vxlan`
/// device (10.77.0.2).
struct Lab {
    ours: Ns,
    kernel: Ns,
    forward: Option<Forward>,
}

impl Lab {
    fn new(test: &str, u: Underlay, tap_mtu: u16) -> Self {
        let (ours, kernel) = (Ns::new(test, "o"), Ns::new(test, "k"));
        veth(&ours, "u0", &kernel, "u0");
        let [a, b] = u.addresses();
        let prefix = if u.v6 { 64 } else { 24 };
        ours.sh(&format!("ip addr add {a}/{prefix} dev u0"));
        let zero = match (u.v6, u.csum) {
            (_, true) => "udpcsum",
            (false, false) => "noudpcsum",
            (true, false) => "udp6zerocsumtx udp6zerocsumrx",
        };
        kernel.sh(&format!(
            "ip addr add {b}/{prefix} dev u0
             ip link add vx0 type vxlan id {VNI} dstport 4789 remote {a} local {b} {zero}
             ip link set vx0 address 02:00:00:00:00:02 mtu {} up
             ip addr add 10.77.0.2/24 dev vx0; ip addr add fd77::2/64 dev vx0",
            u.mtu()
        ));
        let forward = ours.inside(|| start(u, b));
        ours.sh(&format!(
            "ip link set tap0 mtu {tap_mtu} up
             ip addr add 10.77.0.1/24 dev tap0; ip addr add fd77::1/64 dev tap0"
        ));
        Self { ours, kernel, forward: Some(forward) }
    }

    fn seen(&self) -> Seen {
        self.forward.as_ref().expect("runs").seen()
    }
}

fn shared(config: VxlanConfig, max_frame: u16) -> Arc<Shared> {
    let config = Arc::new(config);
    let port = Port {
        id: TUNNEL,
        name: "vxlan0".into(),
        bridge: BridgeId(0),
        ofport: OfPort(1),
        kind: PortKind::Vxlan(Arc::clone(&config)),
        vlan: VlanConfig::default(),
        flags: PortFlags::default(),
        max_frame,
    };
    let dp = Datapath {
        ports: vec![None, Some(Arc::new(port))],
        tunnels: Arc::new(TunnelTable::new(vec![(TUNNEL, config)])),
        ..Datapath::default()
    };
    let shared = Shared::default();
    shared.0.store(Arc::new(dp));
    Arc::new(shared)
}

fn config(remote: FlowOr<IpAddr>, csum: bool) -> VxlanConfig {
    VxlanConfig {
        remote,
        local: None,
        key: FlowOr::Fixed(VNI),
        dst_port: 4789,
        tos: InheritOr::Fixed(0),
        ttl: InheritOr::Fixed(64),
        df: true,
        csum,
    }
}

fn dest(remote: IpAddr, csum: bool, max_frame: u16) -> TunnelDest {
    TunnelDest {
        remote,
        local: None,
        dst_port: 4789,
        vni: VNI,
        tos: 0,
        ttl: 64,
        df: true,
        csum,
        max_frame,
    }
}

fn start(u: Underlay, remote: IpAddr) -> Forward {
    let max_frame = u.mtu() + 14;
    let shared = shared(config(FlowOr::Fixed(remote), u.csum), max_frame);
    let rx = VxlanReceiver::open(4789, shared).expect("UDP port 4789");
    assert_eq!(rx.notes(), &[] as &[String]);
    let mut tap = TapPort::create("tap0", PortId(2), Some([2, 0, 0, 0, 0, 1])).expect("TAP");
    let tx = Tunnel {
        inner: VxlanTransmitter::new().expect("transmitter"),
        dest: Arc::new(dest(remote, u.csum, max_frame)),
        back: tap.transmitter().expect("TAP"),
        limiter: Limiter::default(),
        pool: Pool::default(),
        items: Vec::new(),
    };
    let local = (tap.receiver().expect("TAP"), tap.transmitter().expect("TAP"));
    Forward::start([(Box::new(rx), Box::new(tx)), local])
}

/// A tunnel with one remote, which answers frames that are too big as the switch does.
struct Tunnel {
    inner: VxlanTransmitter,
    dest: Arc<TunnelDest>,
    back: Box<dyn Transmit>,
    limiter: Limiter,
    pool: Pool,
    items: Vec<TxItem>,
}

impl Transmit for Tunnel {
    fn send(&mut self, packets: &[Packet], items: &[TxItem], report: &mut TxReport) {
        self.items.clear();
        self.items.extend(items.iter().map(|i| {
            let ports = packets[i.packet as usize].data().get(26..38).unwrap_or_default();
            let hash = ports.iter().fold(7u32, |h, b| h.wrapping_mul(31) ^ u32::from(*b));
            TxItem { packet: i.packet, hash, tunnel: Some(Arc::clone(&self.dest)) }
        }));
        self.inner.send(packets, &self.items, report);
        for &(packet, mtu) in &report.too_big {
            let original = packets[packet as usize].data();
            if self.limiter.allow(original, clock_ms())
                && let Some(reply) = too_big::reply(original, mtu, &mut self.pool)
            {
                let item = TxItem { packet: 0, hash: 0, tunnel: None };
                self.back.send(std::slice::from_ref(&reply), &[item], &mut TxReport::default());
                self.pool.put(reply);
            }
        }
    }
}

/// Nothing was dropped, but by a full queue, or by the TAP before it was up.
fn harmless(seen: &Seen) -> bool {
    seen.tx_drops.keys().all(|k| matches!(*k, "tx-queue-full" | "tx-link-down"))
}

const UNDERLAYS: [Underlay; 4] = [
    Underlay { v6: false, csum: true },
    Underlay { v6: false, csum: false },
    Underlay { v6: true, csum: true },
    Underlay { v6: true, csum: false },
];

#[test]
fn ping_and_neighbours_with_a_kernel_peer() {
    if !can_run(&["ping"]) {
        return;
    }
    for (i, u) in UNDERLAYS.into_iter().enumerate() {
        let lab = Lab::new(&format!("vxp{i}"), u, u.mtu());
        let full = u.mtu() - 28;
        for script in [
            "ping -q -c 5 -i 0.01 -W 2 10.77.0.2".to_string(),
            "ping -q -c 5 -i 0.01 -W 2 -s 1380 10.77.0.2".to_string(),
            format!("ping -q -c 5 -i 0.01 -W 2 -M do -s {full} 10.77.0.2"),
            // Longer than the MTU: the container's own stack makes fragments.
            "ping -q -c 5 -i 0.01 -W 2 -s 8000 10.77.0.2".to_string(),
            "ping -q -c 5 -i 0.01 -W 2 fd77::2".to_string(),
        ] {
            let (ok, out) = lab.ours.try_sh(&script);
            assert!(
                ok && out.contains(" 0% packet loss"),
                "{u:?} {script}: {out}\n{:?}",
                lab.seen()
            );
            let (ok, out) = lab.kernel.try_sh(&script.replace("::2", "::1").replace("0.2", "0.1"));
            assert!(ok, "{u:?} from the kernel, {script}: {out}\n{:?}", lab.seen());
        }
        assert!(harmless(&lab.seen()), "{u:?}: {:?}", lab.seen());
    }
}

#[test]
fn tcp_both_ways_with_a_kernel_peer() {
    if !can_run(&["python3"]) {
        return;
    }
    for (i, u) in UNDERLAYS.into_iter().enumerate() {
        let lab = Lab::new(&format!("vxt{i}"), u, u.mtu());
        for (net, mib) in [("10.77.0.", 64), ("fd77::", 16)] {
            let host = |n: u8| format!("{net}{n}");
            let out = tcp(&lab.kernel, &lab.ours, &host(2), mib);
            let back = tcp(&lab.ours, &lab.kernel, &host(1), mib);
            println!("{u:?}, {net}: out {out:.2} Gbit/s, in {back:.2} Gbit/s");
        }
        let seen = lab.seen();
        assert!(seen.longest > 20_000 && seen.gso > 100, "{u:?}: long frames stay whole: {seen:?}");
        assert!(seen.rx_drops.is_empty() && harmless(&seen), "{u:?}: {seen:?}");
    }
}

#[test]
fn udp_of_every_size_with_a_kernel_peer() {
    if !can_run(&[]) {
        return;
    }
    for (i, u) in UNDERLAYS.into_iter().enumerate() {
        let lab = Lab::new(&format!("vxu{i}"), u, u.mtu());
        lab.ours.sh("ping -q -c 1 -W 2 10.77.0.2");
        let sockets = [(&lab.ours, "10.77.0.1:7000"), (&lab.kernel, "10.77.0.2:7000")].map(
            |(ns, address)| {
                let s = ns.inside(|| UdpSocket::bind(address)).expect("bind");
                s.set_read_timeout(Some(std::time::Duration::from_secs(3))).expect("timeout");
                (s, address)
            },
        );
        let mut buf = vec![0; 9000];
        for len in (1..100).chain((100..8000).step_by(397)).chain([1422, 1423, 8000]) {
            let body: Vec<u8> = (0..len).map(|i| (i * 7 + len) as u8).collect();
            for (from, to) in [(0, 1), (1, 0)] {
                sockets[from].0.send_to(&body, sockets[to].1).expect("send");
                let n = sockets[to].0.recv(&mut buf);
                assert_eq!(n.ok(), Some(len), "{u:?}, {len} bytes from {from}: {:?}", lab.seen());
                assert!(buf[..len] == body, "{u:?}: {len} bytes differ");
            }
        }
    }
}

/// A container at MTU 1500 over an underlay of MTU 1500.
#[test]
fn a_sender_whose_mtu_is_too_large_is_told() {
    if !can_run(&["python3", "ping"]) {
        return;
    }
    for (i, v6) in [false, true].into_iter().enumerate() {
        let u = Underlay { v6, csum: true };
        let lab = Lab::new(&format!("vxm{i}"), u, 1500);
        // The peer would clamp the MSS to its own MTU: let it offer more, so that only the message helps.
        lab.kernel.sh("ip route change 10.77.0.0/24 dev vx0 advmss 1460");
        let (_, out) = lab.ours.try_sh("ping -c 2 -i 0.1 -W 1 -M do -s 1472 10.77.0.2");
        assert!(
            out.contains(&format!("mtu = {}", u.mtu()))
                || out.contains(&format!("mtu={}", u.mtu())),
            "{out}"
        );
        lab.ours.sh("ip route flush cache");
        tcp(&lab.kernel, &lab.ours, "10.77.0.2", 16);
        tcp(&lab.kernel, &lab.ours, "fd77::2", 16);
        let seen = lab.seen();
        assert!(seen.tx_drops["tx-too-big"] > 1, "{seen:?}");
    }
}

/// Sends `mib` MiB by TCP, whose receiver compares them; Gbit/s.
fn tcp(server: &Ns, client: &Ns, to: &str, mib: usize) -> f64 {
    let family = if to.contains(':') { "AF_INET6" } else { "AF_INET" };
    let common = "import socket,random,sys; block=random.Random(7).randbytes(1<<20)";
    let listen = server.spawn(&format!(
        "timeout 60 python3 -c '{common}\n\
         s=socket.create_server((\"{to}\",5001),family=socket.{family})\n\
         c,_=s.accept(); n=0; v=memoryview(block+block); b=bytearray(1<<18); m=memoryview(b)\n\
         while k:=c.recv_into(b):\n\
         \x20 o=n&1048575\n\
         \x20 if m[:k]!=v[o:o+k]: sys.exit(\"differs after %d bytes\" % n)\n\
         \x20 n+=k\n\
         sys.exit(0 if n=={mib}<<20 else \"broken: %d bytes\" % n)'"
    ));
    wait_for("listener", || server.sh("ss -Htln").contains(":5001"));
    let start = Instant::now();
    client.sh(&format!(
        "timeout 60 python3 -c '{common}\n\
         s=socket.create_connection((\"{to}\",5001))\n\
         for i in range({mib}): s.sendall(block)\n\
         s.close()'"
    ));
    let (ok, out) = listen.wait();
    assert!(ok, "{out}");
    (mib << 23) as f64 / start.elapsed().as_secs_f64() / 1e9
}

/// A way that is narrower than its first link: with DF the sender is told, without it the kernel
/// makes fragments.
#[test]
fn a_narrow_underlay_is_told_or_fragmented() {
    if !can_run(&[]) {
        return;
    }
    let (a, b) = (Ns::new("vxn", "a"), Ns::new("vxn", "b"));
    veth(&a, "u0", &b, "u0");
    a.sh("ip addr add 10.9.0.1/24 dev u0; ip route add 10.9.1.2 via 10.9.0.2 mtu 1300");
    a.sh("ip addr add fd09::1/64 dev u0; ip route add fd91::2 via fd09::2 mtu 1300");
    b.sh("ip addr add 10.9.0.2/24 dev u0; ip addr add 10.9.1.2/32 dev u0");
    b.sh("ip addr add fd09::2/64 dev u0; ip addr add fd91::2/128 dev u0");
    for (remote, overhead) in [("10.9.1.2", 36), ("fd91::2", 56)] {
        let remote: IpAddr = remote.parse().unwrap();
        let config = config(FlowOr::Flow, true);
        let mut rx =
            b.inside(|| VxlanReceiver::open(4789, shared(config, 1464))).expect("UDP port");
        a.inside(|| {
            let mut tx = VxlanTransmitter::new().unwrap();
            // A plain frame, and a TCP frame of three segments.
            let plain = Packet::copied(&[2; 1400]);
            let mut frame = vec![2; 12];
            frame.extend([8, 0]);
            etherparse::PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
                .tcp(1, 2, 3, 4)
                .write(&mut frame, &[7; 3000])
                .unwrap();
            let mut long = Packet::copied(&frame);
            long.offload.gso = Some(Gso { kind: GsoKind::TcpV4, size: 1300, ecn: false });
            let packets = [plain, long];
            for df in [true, false] {
                let d = Arc::new(TunnelDest { df, ..dest(remote, true, 1464) });
                let items =
                    [0, 1].map(|packet| TxItem { packet, hash: 0, tunnel: Some(Arc::clone(&d)) });
                let mut report = TxReport::default();
                tx.send(&packets, &items, &mut report);
                if df {
                    let fits = 1300 - overhead - 14;
                    assert_eq!(report.too_big, [(0, fits), (1, fits)], "{remote}");
                    assert_eq!((report.packets, report.drops[0].1), (0, 2));
                } else {
                    assert_eq!(
                        (report.packets, report.drops.len()),
                        (2, 0),
                        "{remote}: {report:?}"
                    );
                }
            }
            // The same where the switch knows the MTU: without DF only segments are answered.
            let known = Arc::new(TunnelDest { df: false, ..dest(remote, true, 1264) });
            let items =
                [0, 1].map(|packet| TxItem { packet, hash: 0, tunnel: Some(Arc::clone(&known)) });
            let mut report = TxReport::default();
            tx.send(&packets, &items, &mut report);
            assert_eq!((report.packets, report.too_big), (1, vec![(1, 1250)]), "{remote}");
            assert_eq!(tx.notes(), &[] as &[String]);
        });
        let (mut pool, mut batch) = (Pool::default(), RxBatch::default());
        wait_for("the fragments", || {
            while rx.receive(&mut pool, 64, &mut batch).unwrap() {}
            batch.frames.iter().map(|r| r.packet.len()).sum::<usize>() >= 4400
        });
        assert_eq!(batch.frames[0].packet.len(), 1400);
        assert_eq!(batch.drops, []);
    }
}

/// 64-byte frames from one of ours to another, with and without joining them on the way.
#[test]
#[ignore = "a measurement: cargo test --release -p dataplane --test vxlan measure -- --ignored --nocapture"]
fn measure_small_frames() {
    if !can_run(&[]) {
        return;
    }
    let (a, b) = (Ns::new("vxs", "a"), Ns::new("vxs", "b"));
    veth(&a, "u0", &b, "u0");
    a.sh("ip addr add 10.9.0.1/24 dev u0");
    b.sh("ip addr add 10.9.0.2/24 dev u0");
    let config = config(FlowOr::Flow, true);
    let mut rx = b.inside(|| VxlanReceiver::open(4789, shared(config, 1464))).expect("UDP port");
    // Sockets are opened when they are first needed: in this thread's namespace.
    a.enter();
    let mut tx = VxlanTransmitter::new().unwrap();
    let frame = [2; 64];
    let packets: Vec<_> = (0..32).map(|_| Packet::copied(&frame)).collect();
    for (name, df, flows) in
        [("one flow, joined", true, 1), ("one flow", false, 1), ("32 flows", true, 32)]
    {
        let d = Arc::new(TunnelDest { df, ..dest("10.9.0.2".parse().unwrap(), true, 1464) });
        let item = |packet| TxItem { packet, hash: packet % flows, tunnel: Some(Arc::clone(&d)) };
        let items: Vec<_> = (0..32).map(item).collect();
        let (mut pool, mut batch) = (Pool::default(), RxBatch::default());
        let mut report = TxReport::default();
        let (mut got, mut times) = (0, [0.0; 2]);
        for _ in 0..5000 {
            let start = Instant::now();
            tx.send(&packets, &items, &mut report);
            times[0] += start.elapsed().as_secs_f64();
            let start = Instant::now();
            while rx.receive(&mut pool, 64, &mut batch).unwrap() {}
            got += batch.frames.len();
            batch.frames.drain(..).for_each(|r| pool.put(r.packet));
            times[1] += start.elapsed().as_secs_f64();
        }
        let ns = times.map(|t| t * 1e9 / got as f64);
        println!("{name}: {got} frames, send {:.0} ns, receive {:.0} ns each", ns[0], ns[1]);
    }
}

/// Two of ours, or two kernels: TCP by iperf3, ping, across an underlay of MTU 1500.
#[test]
#[ignore = "a measurement: cargo test --release -p dataplane --test vxlan measure -- --ignored --nocapture"]
fn measure() {
    if !can_run(&["iperf3", "ping"]) {
        return;
    }
    let u = Underlay { v6: false, csum: true };
    for kind in ["ours", "kernel", "ours", "kernel"] {
        let (a, b) = (Ns::new("vxq", "a"), Ns::new("vxq", "b"));
        veth(&a, "u0", &b, "u0");
        let mut forwards = Vec::new();
        for (ns, n, peer) in [(&a, 1, 2), (&b, 2, 1)] {
            ns.sh(&format!("ip addr add 10.9.0.{n}/24 dev u0"));
            let remote = format!("10.9.0.{peer}").parse().unwrap();
            if kind == "ours" {
                forwards.push(ns.inside(|| start(u, remote)));
                ns.sh(&format!("ip link set tap0 address 02:00:00:00:00:0{n}"));
            } else {
                ns.sh(&format!(
                    "ip link add tap0 type vxlan id 100 dstport 4789 remote {remote} dev u0 udpcsum"
                ));
            }
            ns.sh(&format!("ip link set tap0 mtu 1450 up; ip addr add 10.77.0.{n}/24 dev tap0"));
        }
        let _server = b.spawn("iperf3 -s -1 -p 5300");
        wait_for("iperf3", || b.sh("ss -Htln").contains(":5300"));
        let tcp = a.sh("iperf3 -c 10.77.0.2 -p 5300 -t 4 -f g | grep receiver");
        let ping = a.sh("ping -q -c 200 -i 0.002 10.77.0.2 | tail -1");
        println!("{kind}: {}; {}", tcp.trim(), ping.trim());
        for f in &forwards {
            println!("  {:?}", f.seen());
        }
    }
}

/// What is not for us is dropped by name, and good traffic beside it goes on.
#[test]
fn bad_datagrams_are_counted_by_reason() {
    if !can_run(&[]) {
        return;
    }
    let ns = Ns::new("vxbad", "o");
    ns.inside(|| {
        let max_frame = 1464;
        let remote: IpAddr = "127.0.0.1".parse().unwrap();
        let mut rx =
            VxlanReceiver::open(4789, shared(config(FlowOr::Fixed(remote), true), max_frame))
                .expect("UDP port");
        let busy = VxlanReceiver::open(4789, Arc::default()).err().expect("one socket for a port");
        assert_eq!(busy.kind(), std::io::ErrorKind::AddrInUse);
        let s = UdpSocket::bind("127.0.0.1:0").unwrap();
        let good = |vni| [&dataplane::wire::vxlan::header(vni)[..], &[2; 60]].concat();
        let send = |d: &[u8]| s.send_to(d, "127.0.0.1:4789").map(|_| ()).unwrap();
        send(&good(VNI));
        send(&[]);
        send(&good(VNI)[..21]);
        send(&[0; 100]);
        send(&good(VNI + 1));
        send(&good(VNI));
        // A foreign VTEP with the right VNI.
        let foreign = UdpSocket::bind("127.0.0.2:0").unwrap();
        foreign.send_to(&good(VNI), "127.0.0.1:4789").unwrap();
        let (mut pool, mut batch) = (Pool::default(), RxBatch::default());
        while rx.receive(&mut pool, 64, &mut batch).unwrap() {}
        assert_eq!(batch.frames.len(), 2);
        let key = batch.frames[0].tunnel.unwrap();
        assert_eq!((key.id, key.src, key.dst, key.ttl), (VNI.into(), remote, remote, 64));
        let mut drops: Vec<_> = batch.drops.iter().map(|d| (d.0, d.1.name(), d.2)).collect();
        drops.sort_unstable_by_key(|d| d.1);
        assert_eq!(
            drops,
            [
                (NO_PORT, "vxlan-bad-flags", 1),
                (NO_PORT, "vxlan-too-short", 2),
                (NO_PORT, "vxlan-unknown-vni", 2),
            ]
        );

        // Out again: TOS, TTL, small frames of one flow joined on the way, in order.
        let mut d = dest(remote, true, max_frame);
        (d.tos, d.ttl, d.local) = (0xb8, 7, Some(remote));
        let d = Arc::new(d);
        let mut tx = VxlanTransmitter::new().unwrap();
        let packets: Vec<_> = (0..200u32)
            .map(|i| Packet::copied(&[&[2; 60][..], &i.to_be_bytes()].concat()))
            .collect();
        let items: Vec<_> = (0..200)
            .map(|packet| TxItem { packet, hash: 3, tunnel: Some(Arc::clone(&d)) })
            .collect();
        let mut report = TxReport::default();
        tx.send(&packets, &items, &mut report);
        assert_eq!((report.packets, report.bytes), (200, 200 * 64), "{report:?}");
        assert_eq!(tx.notes(), &[] as &[String]);
        batch.frames.clear();
        while rx.receive(&mut pool, 64, &mut batch).unwrap() {}
        assert_eq!(batch.frames.len(), 200);
        for (i, r) in batch.frames.iter().enumerate() {
            assert_eq!(r.packet.data(), packets[i].data());
            let key = r.tunnel.unwrap();
            assert_eq!((key.tos, key.ttl, key.src), (0xb8, 7, remote));
        }

        // No way there, and too big.
        let gone = Arc::new(dest("192.0.2.1".parse().unwrap(), true, max_frame));
        let long = Packet::copied(&[2; 1465]);
        let item = |tunnel| TxItem { packet: 0, hash: 0, tunnel };
        report.clear();
        tx.send(&[long], &[item(Some(d)), item(None)], &mut report);
        tx.send(&packets[..1], &[item(Some(gone))], &mut report);
        let drops: Vec<_> = report.drops.iter().map(|d| (d.0.name(), d.1)).collect();
        assert_eq!(drops, [("tx-too-big", 1), ("tunnel-no-remote", 1), ("tunnel-no-route", 1)]);
        assert_eq!(report.too_big, [(0, 1450)]);
    });
}

/// Datagrams that the socket's queue has no room for are counted: none is lost unseen.
#[test]
fn a_full_receive_queue_is_counted() {
    if !can_run(&[]) {
        return;
    }
    let ns = Ns::new("vxfull", "o");
    ns.inside(|| {
        let remote: IpAddr = "127.0.0.1".parse().unwrap();
        let mut rx = VxlanReceiver::open(4789, shared(config(FlowOr::Fixed(remote), true), 1464))
            .expect("UDP port");
        let s = UdpSocket::bind("127.0.0.1:0").unwrap();
        let datagram = [&dataplane::wire::vxlan::header(VNI)[..], &[2; 60]].concat();
        let sent = 80_000;
        (1..sent).for_each(|_| assert_eq!(s.send_to(&datagram, "127.0.0.1:4789").unwrap(), 68));
        let (mut pool, mut batch) = (Pool::default(), RxBatch::default());
        let mut got = 0;
        let mut drain = |batch: &mut RxBatch| {
            while rx.receive(&mut pool, 64, batch).unwrap() {}
            got += batch.frames.len() as u64;
            batch.frames.drain(..).for_each(|r| pool.put(r.packet));
            got
        };
        drain(&mut batch);
        // The kernel tells of its drops with the next datagram that it keeps.
        s.send_to(&datagram, "127.0.0.1:4789").unwrap();
        let got = drain(&mut batch);
        assert_eq!(batch.drops.len(), 1, "{:?}", batch.drops);
        let (port, reason, dropped) = batch.drops[0];
        assert_eq!((port, reason.name()), (NO_PORT, "rx-queue-full"));
        assert!(dropped > 0);
        assert_eq!(got + dropped, sent);
    });
}
