//! Real traffic between a host's stack on a TAP and a container on a veth.

mod common;

use common::forward::Forward;
use common::{Ns, can_run, veth, wait_for};
use dataplane::port::af_packet::AfPacketPort;
use dataplane::port::attach::AttachError;
use dataplane::port::tap::TapPort;
use dataplane::state::PortId;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x11];

#[test]
fn host_and_container_by_local() {
    if !can_run(&["ping", "iperf3"]) {
        return;
    }
    let (host, c1) = (Ns::new("tap", "h"), Ns::new("tap", "c1"));
    veth(&host, "v1", &c1, "eth0");
    c1.sh("ip addr add 10.0.0.1/24 dev eth0");
    let (mut tap, mut veth) = host.inside(|| {
        let tap = TapPort::create("br-test", PortId(0), Some(MAC)).expect("tap");
        (tap, AfPacketPort::attach("v1", PortId(1)).expect("attach"))
    });
    assert!(host.sh("ip link show br-test").contains("02:00:00:00:00:11"));
    host.sh("ip addr add 10.0.0.254/24 dev br-test; ip link set br-test up");
    let halves = |rx: std::io::Result<_>, tx: std::io::Result<_>| (rx.unwrap(), tx.unwrap());
    let tx = host.inside(|| veth.transmitter());
    let forward =
        Forward::start([halves(tap.receiver(), tap.transmitter()), halves(veth.receiver(), tx)]);
    assert!(tap.receiver().is_err(), "only one receiver");
    c1.sh("ping -q -c 10 -i 0.01 -W 2 10.0.0.254");
    host.sh("ping -q -c 10 -i 0.01 -W 2 10.0.0.1");
    let _server = c1.spawn("iperf3 -s");
    wait_for("iperf3", || c1.sh("ss -Htln").contains(":5201"));
    for reverse in ["", "-R"] {
        let out = host.sh(&format!("iperf3 -c 10.0.0.1 -n 200M --connect-timeout 3000 {reverse}"));
        eprintln!("{}", out.lines().filter(|l| l.contains("receiver")).collect::<String>());
        let seen = forward.seen();
        assert!(seen.longest > 60_000 && seen.gso > 100, "{seen:?}");
    }
    host.sh("ip link set br-test down");
    let _ = c1.try_sh("ip neigh flush all; ping -q -c 1 -W 1 10.0.0.254");
    wait_for("tx-link-down", || forward.seen().tx_drops.contains_key("tx-link-down"));
    host.sh("ip link set br-test up");
    wait_for("the link", || host.try_sh("ping -q -c 1 -W 1 10.0.0.1").0);
    drop((forward, tap));
    assert!(!host.try_sh("ip link show br-test").0, "the device goes with its last descriptor");
}

#[test]
fn foreign_device_is_not_adopted() {
    if !can_run(&[]) {
        return;
    }
    let host = Ns::new("foreign", "h");
    host.sh("ip link add taken type veth peer name other; ip tuntap add dev tuned mode tap");
    for name in ["taken", "tuned"] {
        let e = host.inside(|| TapPort::create(name, PortId(0), None)).expect_err("foreign");
        assert!(matches!(e, AttachError::Exists { .. }), "{e}");
        assert!(host.try_sh(&format!("ip link show {name}")).0, "left alone");
    }
    let e = host.inside(|| TapPort::create("a-name-too-long-for-a-device", PortId(0), None));
    assert!(matches!(e, Err(AttachError::Unsupported { .. })), "{e:?}");
}
