//! Ports: descriptions, counters, port-mod and port-status.

use crate::bench::{Bench, QUIET, add, flow_mod, frame, output, request};
use ofagent::wire::error::{WireError, bad_request, kind, port_mod_failed};
use ofagent::wire::multipart::{ReplyBody, RequestBody};
use ofagent::wire::port::{Port, PortMod, PortReason, config, state};
use ofagent::wire::{Message, PORT_ANY};

fn described(b: &mut Bench, c: ofagent::agent::ConnId) -> Vec<Port> {
    match b.multipart(c, RequestBody::PortDesc) {
        ReplyBody::PortDesc(ports) => ports,
        other => panic!("{other:?}"),
    }
}

fn port_mod(port: u32, config: u32, mask: u32) -> PortMod {
    let hw_addr = [2, 0, 0, 0, 1, port as u8];
    PortMod { port_no: port, hw_addr, config, mask, advertise: 0 }
}

#[test]
fn ports_are_described_and_counted() {
    let mut b = Bench::new(2);
    let c = b.controller();
    let ports = described(&mut b, c);
    assert_eq!(ports.iter().map(|p| p.port_no).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((ports[0].name.as_str(), ports[0].hw_addr), ("p1", [2, 0, 0, 0, 1, 1]));
    assert_eq!((ports[0].config, ports[0].state, ports[0].curr), (0, state::LIVE, 1 << 6));
    assert_eq!(ports[0].curr_speed, 10_000_000);

    b.tell(c, &flow_mod(add(1, vec![], vec![output(2)])));
    b.put(1, &frame(2, 1));
    assert_eq!(b.next(2), Some(frame(2, 1)));
    // The turn that sent it counts it at its end.
    b.switch.sync();
    let stats = |b: &mut Bench, port| match b.multipart(c, RequestBody::PortStats(port)) {
        ReplyBody::PortStats(stats) => stats,
        other => panic!("{other:?}"),
    };
    let all = stats(&mut b, PORT_ANY);
    assert_eq!(all.len(), 2);
    assert_eq!((all[0].rx_packets, all[0].rx_bytes, all[0].tx_packets), (1, 200, 0));
    assert_eq!((all[1].tx_packets, all[1].tx_bytes, all[1].collisions), (1, 200, u64::MAX));
    assert_eq!(stats(&mut b, 2).len(), 1);
    let refused = b.refused(c, &request(RequestBody::PortStats(3)));
    assert_eq!(refused, WireError::bad_request(bad_request::BAD_PORT));
}

#[test]
fn a_port_mod_does_what_it_says_and_all_hear_of_it() {
    let mut b = Bench::new(3);
    let (c, other) = (b.controller(), b.controller());
    b.tell(c, &flow_mod(add(1, vec![], vec![output(0xffff_fffb)])));
    b.put(1, &frame(2, 1));
    assert!(b.next(2).is_some() && b.next(3).is_some());
    for (bits, port) in [(config::NO_FLOOD, 2), (config::NO_FWD, 2), (config::PORT_DOWN, 2)] {
        b.send(c, &Message::PortMod(port_mod(port, bits, bits)));
        for conn in [c, other] {
            let Message::PortStatus(status) = b.unasked(conn) else { panic!() };
            assert_eq!((status.reason, status.port.config), (PortReason::Modify, bits));
            let live = if bits == config::PORT_DOWN { 0 } else { state::LIVE };
            assert_eq!(status.port.state, live);
        }
        b.put(1, &frame(2, 1));
        assert!(b.next(3).is_some());
        assert!(b.is_quiet(2), "{bits:#x}");
        b.send(c, &Message::PortMod(port_mod(port, 0, bits)));
        b.unasked(c);
        b.unasked(other);
    }
    b.send(c, &Message::PortMod(port_mod(1, config::NO_RECV, config::NO_RECV)));
    b.unasked(c);
    b.put(1, &frame(2, 1));
    assert!(b.ports[2].next(QUIET).is_none());
}

#[test]
fn a_port_mod_that_is_wrong_changes_nothing() {
    let mut b = Bench::new(1);
    let c = b.controller();
    let bad = |code| WireError::new(kind::PORT_MOD_FAILED, code);
    let good = port_mod(1, 1, 1);
    for (m, code) in [
        (PortMod { port_no: 9, ..good }, port_mod_failed::BAD_PORT),
        (PortMod { port_no: PORT_ANY, ..good }, port_mod_failed::BAD_PORT),
        (PortMod { hw_addr: [0; 6], ..good }, port_mod_failed::BAD_HW_ADDR),
        (PortMod { mask: 1 << 9, ..good }, port_mod_failed::BAD_CONFIG),
        (PortMod { advertise: 1, ..good }, port_mod_failed::BAD_ADVERTISE),
    ] {
        assert_eq!(b.refused(c, &Message::PortMod(m)), bad(code), "{m:?}");
    }
    assert_eq!(described(&mut b, c)[0].config, 0);
}

#[test]
fn ports_that_come_and_go_are_told_of() {
    let mut b = Bench::new(2);
    let c = b.controller();
    let gone = b.infos.remove(0);
    b.agent.set_ports(&b.switch, b.infos.clone());
    let Message::PortStatus(status) = b.unasked(c) else { panic!() };
    assert_eq!((status.reason, status.port.port_no), (PortReason::Delete, 1));
    b.infos.push(gone);
    b.agent.set_ports(&b.switch, b.infos.clone());
    let Message::PortStatus(status) = b.unasked(c) else { panic!() };
    assert_eq!((status.reason, status.port.name.as_str()), (PortReason::Add, "p1"));
    b.agent.set_ports(&b.switch, b.infos.clone());
    assert!(b.received(c).is_empty(), "nothing changed");
}
