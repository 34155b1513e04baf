//! Real traffic through two devices attached by AF_PACKET.

mod common;

use common::forward::Forward;
use common::{Ns, can_run, veth, wait_for};
use dataplane::packet::{Checksum, Gso, GsoKind, Packet, Pool};
use dataplane::port::af_packet::AfPacketPort;
use dataplane::port::attach::AttachError;
use dataplane::port::guard;
use dataplane::port::{Receive, RxBatch, TxItem, TxReport};
use dataplane::state::PortId;
use etherparse::PacketBuilder;

/// Two containers, and a host between them that holds `v1` and `v2`.
struct Lab {
    c1: Ns,
    c2: Ns,
    host: Ns,
}

impl Lab {
    fn new(test: &str) -> Self {
        let lab =
            Self { c1: Ns::new(test, "c1"), c2: Ns::new(test, "c2"), host: Ns::new(test, "h") };
        veth(&lab.host, "v1", &lab.c1, "eth0");
        veth(&lab.host, "v2", &lab.c2, "eth0");
        lab.c1.sh("ip addr add 10.0.0.1/24 dev eth0; ip addr add fd00::1/64 dev eth0");
        lab.c2.sh("ip addr add 10.0.0.2/24 dev eth0; ip addr add fd00::2/64 dev eth0");
        lab
    }

    fn attach(&self) -> Switch {
        self.host.inside(|| {
            let mut ports = ["v1", "v2"].map(|name| {
                let p = AfPacketPort::attach(name, PortId(1)).expect("attach");
                assert_eq!(p.notes(), &[] as &[String]);
                p
            });
            let halves = ports
                .each_mut()
                .map(|p| (p.receiver().expect("receiver"), p.transmitter().expect("transmitter")));
            Switch { forward: Forward::start(halves), _ports: ports }
        })
    }
}

struct Switch {
    forward: Forward,
    _ports: [AfPacketPort; 2],
}

#[test]
fn ping_and_own_frames_do_not_come_back() {
    if !can_run(&["ping"]) {
        return;
    }
    let lab = Lab::new("ping");
    let sw = lab.attach();
    lab.c1.sh("ping -q -c 20 -i 0.01 -W 2 10.0.0.2; ping -q -c 5 -i 0.01 -W 2 fd00::2");
    lab.c1.sh("ping -q -c 5 -i 0.01 -W 2 -s 1400 10.0.0.2");
    // Were own frames received, each frame would go back and forth for ever.
    let frames: u64 = sw.forward.seen().frames.iter().sum();
    assert!((60..200).contains(&frames), "{frames} frames for 30 pings");
}

#[test]
fn tcp_with_default_offloads_whole_and_unbroken() {
    if !can_run(&["python3"]) {
        return;
    }
    let lab = Lab::new("tcp");
    let sw = lab.attach();
    for to in ["10.0.0.2", "fd00::2"] {
        tcp(&lab.c2, &lab.c1, to, 128 << 20);
    }
    let seen = sw.forward.seen();
    assert!(seen.longest > 60_000, "64 KB frames arrive whole: {seen:?}");
    assert!(seen.gso > 100 && seen.partial > seen.gso / 2, "{seen:?}");
}

/// Sends `bytes` pseudo-random bytes by TCP; the receiver checks their SHA-256.
fn tcp(server: &Ns, client: &Ns, to: &str, bytes: usize) {
    let family = if to.contains(':') { "AF_INET6" } else { "AF_INET" };
    let common = "import socket,hashlib,random,sys; block=random.Random(7).randbytes(1<<20)";
    let listen = server.spawn(&format!(
        "timeout 60 python3 -c '{common}\n\
         s=socket.create_server((\"{to}\",5001),family=socket.{family}); print(1,flush=True)\n\
         c,_=s.accept(); h=hashlib.sha256(); n=0\n\
         while d:=c.recv(1<<20): h.update(d); n+=len(d)\n\
         w=hashlib.sha256()\n\
         for i in range({bytes}>>20): w.update(block)\n\
         sys.exit(0 if n=={bytes} and w.digest()==h.digest() else \"broken: %d bytes\" % n)'"
    ));
    wait_for("listener", || server.sh("ss -Htln").contains(":5001"));
    client.sh(&format!(
        "timeout 60 python3 -c '{common}\n\
         s=socket.create_connection((\"{to}\",5001))\n\
         for i in range({bytes}>>20): s.sendall(block)\n\
         s.close()'"
    ));
    let (ok, out) = listen.wait();
    assert!(ok, "{out}");
}

/// The containers' ends are taken by the switch's own ports here, so that frames can be made with
/// any tag and offload state, on kernels without VLAN devices too.
#[test]
fn vlan_tags_and_offloads_are_kept() {
    if !can_run(&[]) {
        return;
    }
    let lab = Lab::new("vlan");
    let sw = lab.attach();
    let mut c1 = lab.c1.inside(|| AfPacketPort::attach("eth0", PortId(1))).expect("c1");
    let mut c2 = lab.c2.inside(|| AfPacketPort::attach("eth0", PortId(2))).expect("c2");
    let mut tx = lab.c1.inside(|| c1.transmitter()).expect("transmitter");
    let mut rx = c2.receiver().expect("receiver");
    drop(c1.receiver());
    for tags in [
        &[][..],
        &[[0x81, 0, 0, 7]],
        &[[0x81, 0, 0xe0, 0]],
        &[[0x88, 0xa8, 0, 9]],
        &[[0x88, 0xa8, 0, 9], [0x81, 0, 0x20, 7]],
    ] {
        for (payload, gso) in [(100, None), (1400, None), (60_000, Some(1400))] {
            let sent = tcp_frame(tags, payload, gso);
            let mut report = TxReport::default();
            let item = TxItem { packet: 0, hash: 0, tunnel: None };
            tx.send(std::slice::from_ref(&sent), &[item], &mut report);
            assert_eq!(report.packets, 1, "{tags:x?} {payload}: {report:?}");
            let got = receive_tcp(rx.as_mut());
            assert!(got.data() == sent.data(), "{tags:x?} {payload}: {:x?}", &got.data()[..34]);
            assert_eq!(got.offload, sent.offload, "{tags:x?} {payload}");
        }
    }
    assert!(sw.forward.seen().tagged.len() >= 12);
}

/// A TCP/IPv4 frame with a partial checksum behind VLAN tags.
fn tcp_frame(tags: &[[u8; 4]], payload: usize, gso: Option<u16>) -> Packet {
    let mut f = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    f.extend(tags.iter().flatten());
    let tcp = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).tcp(5001, 5002, 1, 512);
    let mut ip = Vec::new();
    let body: Vec<u8> = (0..payload).map(|i| (i % 251) as u8).collect();
    tcp.write(&mut ip, &body).expect("a frame");
    f.extend([8, 0]);
    let start = (f.len() + 20) as u16;
    f.extend(ip);
    let mut p = Packet::copied(&f);
    p.offload.csum = Checksum::Partial { start, offset: 16 };
    p.offload.gso = gso.map(|size| Gso { kind: GsoKind::TcpV4, size, ecn: false });
    p
}

/// The next frame that is ours (the containers' stacks send neighbour discovery besides).
fn receive_tcp(rx: &mut dyn Receive) -> Packet {
    let (mut pool, mut batch) = (Pool::default(), RxBatch::default());
    let mut found = None;
    wait_for("the frame", || {
        let _ = rx.receive(&mut pool, 1, &mut batch).expect("receive");
        found =
            batch.frames.pop().map(|r| r.packet).filter(|p| p.data()[..6] == [2, 0, 0, 0, 0, 2]);
        found.is_some()
    });
    assert_eq!(batch.drops, []);
    found.expect("found")
}

#[test]
fn host_stack_is_silent_while_attached() {
    if !can_run(&["ping", "tc"]) {
        return;
    }
    let lab = Lab::new("guard");
    lab.host.sh("ip addr add 10.0.0.254/24 dev v1");
    let ping = || lab.c1.try_sh("ip neigh flush all; ping -q -c 1 -W 1 10.0.0.254").0;
    assert!(ping(), "the host answers before");
    let sw = lab.attach();
    assert!(!ping(), "the host is silent while the switch has the device");
    assert!(lab.c1.try_sh("ping -q -c 1 -W 2 10.0.0.2").0, "the switch is not");
    drop(sw);
    assert!(ping(), "the host answers again");
    assert_eq!(lab.host.sh("tc qdisc show dev v1 | grep clsact || true"), "");
    assert!(!lab.host.sh("ip -d link show v1").contains("promiscuity 1"));
}

#[test]
fn guard_left_by_a_crash_and_foreign_filters() {
    if !can_run(&["tc"]) {
        return;
    }
    let lab = Lab::new("leftover");
    let filters = || lab.host.sh("tc filter show dev v1 ingress");
    let qdisc = || lab.host.sh("tc qdisc show dev v1").contains("clsact");
    let port = lab.host.inside(|| AfPacketPort::attach("v1", PortId(1)).expect("attach"));
    assert!(port.is_guarded() && filters().contains("vxswitch-guard"));
    // What a crash leaves: the filter is there and nobody drops it.
    std::mem::forget(port);
    lab.host.inside(|| guard::release_leftovers("v1")).expect("release");
    assert!(!qdisc(), "nothing left");
    lab.host.inside(|| guard::release_leftovers("v1")).expect("nothing to release is fine");
    lab.host.inside(|| guard::release_leftovers("nosuch")).expect("no device is fine");

    // A second guard takes over the first one's leftover instead of failing or doubling.
    let index = lab.host.inside(|| dataplane::sys::packet::ifindex("v1")).expect("index");
    std::mem::forget(lab.host.inside(|| guard::Guard::take(index)).expect("first"));
    let second = lab.host.inside(|| guard::Guard::take(index)).expect("second");
    assert_eq!(filters().matches("vxswitch-guard").count(), 1, "{}", filters());
    drop(second);
    assert!(!qdisc());

    // Somebody else's clsact stays; so does one that we made and somebody else uses since.
    lab.host.sh("tc qdisc add dev v1 clsact");
    drop(lab.host.inside(|| guard::Guard::take(index)).expect("beside"));
    assert!(qdisc() && !filters().contains("vxswitch"), "{}", filters());
    lab.host.sh("tc qdisc del dev v1 clsact");
    let guard = lab.host.inside(|| guard::Guard::take(index)).expect("take");
    let foreign = lab.host.try_sh(
        "tc filter add dev v1 ingress pref 5 bpf da bytecode '1,6 0 0 4294967295,' 2>&1 ||
         tc filter add dev v1 ingress pref 5 bpf bytecode '1,6 0 0 4294967295,'",
    );
    assert!(foreign.0, "{}", foreign.1);
    drop(guard);
    assert!(qdisc() && filters().contains("pref 5"), "{}", filters());
}

#[test]
fn down_up_and_removed() {
    if !can_run(&["ping"]) {
        return;
    }
    let lab = Lab::new("updown");
    let sw = lab.attach();
    let ping = || lab.c1.try_sh("ip neigh flush all; ping -q -c 1 -W 1 10.0.0.2").0;
    assert!(ping());
    lab.host.sh("ip link set v2 down");
    wait_for("ENETDOWN", || sw.forward.seen().errors.contains(&(1, Some(libc::ENETDOWN))));
    assert!(!ping());
    wait_for("tx-link-down", || sw.forward.seen().tx_drops.contains_key("tx-link-down"));
    lab.host.sh("ip link set v2 up");
    wait_for("the link", ping);
    lab.c2.sh("ip link del eth0");
    wait_for("another error", || sw.forward.seen().errors.len() >= 2);
    assert!(!ping());
    wait_for("tx-error", || sw.forward.seen().tx_drops.contains_key("tx-error"));
    // The name comes back as a new device, which can be attached.
    veth(&lab.host, "v2", &lab.c2, "eth0");
    lab.c2.sh("ip addr add 10.0.0.2/24 dev eth0");
    drop(sw);
    let _sw = lab.attach();
    wait_for("the new device", ping);
}

#[test]
fn attach_to_a_device_that_is_down() {
    if !can_run(&["ping"]) {
        return;
    }
    let lab = Lab::new("down");
    lab.host.sh("ip link set v1 down");
    let _sw = lab.attach();
    lab.host.sh("ip link set v1 up");
    wait_for("the link", || lab.c1.try_sh("ping -q -c 1 -W 1 10.0.0.2").0);
}

#[test]
fn errors_say_what_is_wrong() {
    if !can_run(&[]) {
        return;
    }
    let host = Ns::new("noif", "h");
    let e = host.inside(|| AfPacketPort::attach("nosuch0", PortId(1))).expect_err("no device");
    assert!(matches!(e, AttachError::NoDevice { .. }), "{e}");
    assert!(e.to_string().contains("\"nosuch0\""), "{e}");
}

#[test]
fn frames_beyond_the_mtu_are_counted() {
    if !can_run(&["ping"]) {
        return;
    }
    let lab = Lab::new("mtu");
    lab.host.sh("ip link set v1 mtu 9000");
    lab.c1.sh("ip link set eth0 mtu 9000");
    let sw = lab.attach();
    // 8 KB frames are longer than a ring slot, and longer than v2's MTU.
    assert!(!lab.c1.try_sh("ping -q -c 2 -i 0.1 -W 1 -M do -s 8000 10.0.0.2").0);
    wait_for("tx-too-big", || sw.forward.seen().tx_drops.contains_key("tx-too-big"));
    lab.host.sh("ip link set v2 mtu 9000");
    lab.c2.sh("ip link set eth0 mtu 9000");
    lab.c1.sh("ping -q -c 3 -i 0.1 -W 1 -M do -s 8000 10.0.0.2");
}

#[test]
fn a_hundred_ports_stay_small() {
    if !can_run(&[]) {
        return;
    }
    let host = Ns::new("many", "h");
    host.sh("for i in $(seq 50); do echo link add a$i type veth peer name b$i; done | ip -batch -");
    // Of the whole process, so other tests' buffers are in it too: some MB.
    let resident = || -> usize {
        let status = std::fs::read_to_string("/proc/self/status").expect("status");
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("VmRSS");
        line.split_whitespace().nth(1).expect("a number").parse().expect("kB")
    };
    let before = resident();
    let ports: Vec<_> = host.inside(|| {
        let names = (1..=50).flat_map(|i| [format!("a{i}"), format!("b{i}")]);
        names.map(|n| AfPacketPort::attach(&n, PortId(1)).expect("attach")).collect()
    });
    let grown = resident() - before.min(resident());
    eprintln!("{} ports: {grown} kB", ports.len());
    assert!(grown < 70 * 1024, "{grown} kB for {} ports", ports.len());
}
