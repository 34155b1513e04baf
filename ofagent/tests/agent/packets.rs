//! Packet-in, packet-out, and packets that wait in between.

use crate::bench::{Bench, QUIET, add, basic, field, flow_mod, frame, output};
use ofagent::agent::{ConnId, ConnKind, RateLimit};
use ofagent::wire::action::Action;
use ofagent::wire::asynchronous::AsyncConfig;
use ofagent::wire::error::{WireError, bad_action, bad_request, kind};
use ofagent::wire::experimenter::Experimenter;
use ofagent::wire::features::SwitchConfig;
use ofagent::wire::flow_mod::FlowMod;
use ofagent::wire::instruction::Instruction;
use ofagent::wire::oxm::{Match, NXM_1, OxmId, basic as f};
use ofagent::wire::packet_in::PacketIn;
use ofagent::wire::packet_out::PacketOut;
use ofagent::wire::{Message, NO_BUFFER, PORT_ANY, WHOLE_PACKET};

const CONTROLLER: u32 = 0xffff_fffd;
const TABLE: u32 = 0xffff_fff9;

fn to_controller(max_len: u16) -> Action {
    Action::Output { port: CONTROLLER, max_len }
}

fn packet_in(b: &mut Bench, c: ConnId) -> PacketIn {
    match b.unasked(c) {
        Message::PacketIn(p) => p,
        other => panic!("{other:?}"),
    }
}

fn packet_out(actions: Vec<Action>, data: Vec<u8>) -> PacketOut {
    PacketOut { buffer_id: NO_BUFFER, in_port: CONTROLLER, actions, data }
}

#[test]
fn a_packet_in_says_where_and_why() {
    let mut b = Bench::new(1);
    let c = b.controller();
    // The table-miss rule.
    b.tell(c, &flow_mod(add(0, vec![], vec![to_controller(WHOLE_PACKET)])));
    b.put(1, &frame(2, 1));
    let p = packet_in(&mut b, c);
    assert_eq!(
        (p.buffer_id, p.total_len, p.reason, p.table_id, p.cookie),
        (NO_BUFFER, 200, 0, 0, 0)
    );
    assert_eq!((p.matching, p.data), (Match(vec![basic(f::IN_PORT, 1)]), frame(2, 1)));
    // An action, in another table, with metadata and a register.
    let reg3 = OxmId { class: NXM_1, field: 3 };
    let first = vec![
        Instruction::ApplyActions(vec![Action::SetField(field(reg3, 9, None))]),
        Instruction::WriteMetadata { metadata: 0x55, mask: u64::MAX },
        Instruction::GotoTable(4),
    ];
    b.tell(c, &flow_mod(FlowMod { instructions: first, ..add(9, vec![], vec![]) }));
    let second = add(3, vec![basic(f::METADATA, 0x55)], vec![to_controller(100)]);
    b.tell(c, &flow_mod(FlowMod { table_id: 4, cookie: 0xc0, ..second }));
    b.put(1, &frame(2, 1));
    let p = packet_in(&mut b, c);
    assert_ne!(p.buffer_id, NO_BUFFER);
    assert_eq!((p.total_len, p.reason, p.table_id, p.cookie), (200, 1, 4, 0xc0));
    let fields = vec![basic(f::IN_PORT, 1), basic(f::METADATA, 0x55), field(reg3, 9, None)];
    assert_eq!(p.matching, Match(fields));
    assert_eq!(p.data, frame(2, 1)[..100]);
}

#[test]
fn a_buffered_packet_goes_out_once() {
    let mut b = Bench::new(2);
    let c = b.controller();
    b.tell(c, &flow_mod(add(0, vec![], vec![to_controller(64)])));
    b.put(1, &frame(2, 1));
    let id = packet_in(&mut b, c).buffer_id;
    let out = PacketOut { buffer_id: id, in_port: 1, actions: vec![output(2)], data: vec![] };
    b.tell(c, &Message::PacketOut(out.clone()));
    assert_eq!(b.next(2), Some(frame(2, 1)));
    let refused = b.refused(c, &Message::PacketOut(out.clone()));
    assert_eq!(refused, WireError::bad_request(bad_request::BUFFER_EMPTY));
    let unknown = PacketOut { buffer_id: 12345, ..out };
    let refused = b.refused(c, &Message::PacketOut(unknown));
    assert_eq!(refused, WireError::bad_request(bad_request::BUFFER_UNKNOWN));
}

#[test]
fn a_flow_mod_sends_the_buffered_packet_through_the_tables() {
    let mut b = Bench::new(2);
    let c = b.controller();
    b.tell(c, &flow_mod(add(0, vec![], vec![to_controller(64)])));
    b.put(1, &frame(2, 1));
    let id = packet_in(&mut b, c).buffer_id;
    let m = add(1, vec![basic(f::IN_PORT, 1)], vec![output(2)]);
    b.tell(c, &flow_mod(FlowMod { buffer_id: id, ..m.clone() }));
    assert_eq!(b.next(2), Some(frame(2, 1)));
    b.switch.barrier();
    assert_eq!(b.all_flows(c)[1].packet_count, 1);
    // The flow is there although the packet is not.
    let m = FlowMod { buffer_id: id, priority: 9, ..m };
    let refused = b.refused(c, &flow_mod(m));
    assert_eq!(refused, WireError::bad_request(bad_request::BUFFER_EMPTY));
    assert_eq!(b.all_flows(c).len(), 3);
}

#[test]
fn a_packet_out_goes_where_it_is_told() {
    let mut b = Bench::new(3);
    let c = b.controller();
    let set = Action::SetField(basic(f::ETH_DST, 0x0200_0000_0009));
    b.tell(c, &Message::PacketOut(packet_out(vec![output(2), set, output(3)], frame(2, 1))));
    assert_eq!(b.next(2), Some(frame(2, 1)));
    assert_eq!(b.next(3), Some(frame(9, 1)));
    // Through the tables, with the flow-mod just before it.
    b.tell(c, &flow_mod(add(1, vec![basic(f::IN_PORT, 3)], vec![output(1)])));
    let through = PacketOut { in_port: 3, ..packet_out(vec![output(TABLE)], frame(5, 6)) };
    b.tell(c, &Message::PacketOut(through));
    assert_eq!(b.next(1), Some(frame(5, 6)));
    // To itself.
    let back = PacketOut {
        in_port: PORT_ANY,
        ..packet_out(vec![to_controller(WHOLE_PACKET)], frame(7, 8))
    };
    b.send(c, &Message::PacketOut(back));
    let p = packet_in(&mut b, c);
    assert_eq!((p.reason, p.matching), (1, Match(vec![basic(f::IN_PORT, CONTROLLER.into())])));
}

#[test]
fn no_error_answers_an_error() {
    let mut b = Bench::new(1);
    let c = b.controller();
    // Without type and code.
    b.send_raw(c, &[4, 1, 0, 8, 0, 0, 0, 9]);
    assert!(b.received(c).is_empty());
    b.send_raw(c, &[4, 99, 0, 8, 0, 0, 0, 9]);
    assert_eq!(b.received(c).len(), 1);
}

#[test]
fn a_packet_out_that_is_wrong_is_refused() {
    let mut b = Bench::new(1);
    let c = b.controller();
    let good = packet_out(vec![output(1)], frame(2, 1));
    let bad_port = WireError::new(kind::BAD_ACTION, bad_action::BAD_OUT_PORT);
    let request = WireError::bad_request;
    for (out, error) in [
        (PacketOut { in_port: 77, ..good.clone() }, request(bad_request::BAD_PORT)),
        (PacketOut { in_port: 0, ..good.clone() }, request(bad_request::BAD_PORT)),
        (PacketOut { data: vec![1, 2], ..good.clone() }, request(bad_request::BAD_PACKET)),
        (PacketOut { actions: vec![output(0)], ..good.clone() }, bad_port),
        (PacketOut { actions: vec![output(PORT_ANY)], ..good.clone() }, bad_port),
        (
            PacketOut { actions: vec![Action::Group(7)], ..good.clone() },
            WireError::new(kind::BAD_ACTION, bad_action::BAD_OUT_GROUP),
        ),
    ] {
        assert_eq!(b.refused(c, &Message::PacketOut(out.clone())), error, "{out:?}");
    }
    assert!(b.ports[0].next(QUIET).is_none());
}

#[test]
fn a_service_connection_has_to_ask_for_packets() {
    let mut b = Bench::new(1);
    let c = b.agent.connected(ConnKind::Service);
    b.tell(c, &flow_mod(add(0, vec![], vec![to_controller(WHOLE_PACKET)])));
    b.put(1, &frame(2, 1));
    std::thread::sleep(QUIET);
    assert!(b.received(c).is_empty());
    b.tell(c, &Message::SetConfig(SwitchConfig { flags: 0, miss_send_len: 65534 }));
    b.put(1, &frame(2, 1));
    assert_eq!(packet_in(&mut b, c).data, frame(2, 1));
}

#[test]
fn a_controller_id_chooses_the_connection() {
    let mut b = Bench::new(1);
    let (plain, chosen) = (b.controller(), b.controller());
    b.tell(chosen, &Message::Experimenter(Experimenter::SetControllerId(7)));
    let action = Action::Controller { max_len: 0xffff, id: 7, reason: 1 };
    b.tell(plain, &flow_mod(add(1, vec![], vec![action])));
    b.put(1, &frame(2, 1));
    assert_eq!(packet_in(&mut b, chosen).reason, 1);
    assert!(b.received(plain).is_empty());
}

#[test]
fn invalid_ttl_is_told_to_those_who_ask() {
    let mut b = Bench::new(2);
    let (c, asks) = (b.controller(), b.controller());
    let all = AsyncConfig { packet_in: [7, 0], port_status: [7, 7], flow_removed: [15, 0] };
    b.tell(asks, &Message::SetAsync(all));
    b.tell(asks, &Message::SetConfig(SwitchConfig { flags: 0, miss_send_len: 40 }));
    let ip = vec![basic(f::ETH_TYPE, 0x0800)];
    b.tell(c, &flow_mod(add(1, ip, vec![Action::DecNwTtl, output(2)])));
    let mut packet = frame(2, 1);
    packet[12..14].copy_from_slice(&[8, 0]);
    packet[14..34]
        .copy_from_slice(&[0x45, 0, 0, 186, 0, 0, 0, 0, 1, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    b.put(1, &packet);
    let p = packet_in(&mut b, asks);
    assert_eq!((p.reason, p.data.len(), p.total_len), (2, 40, 200));
    assert!(b.received(c).is_empty());
}

#[test]
fn a_flood_is_limited_for_each_controller() {
    let mut b = Bench::new(1);
    let c = b.controller();
    b.agent.set_rate_limit(Some(RateLimit { rate: 1, burst: 10 }));
    b.tell(c, &flow_mod(add(0, vec![], vec![to_controller(WHOLE_PACKET)])));
    let mut got = 0;
    for round in 1..=20 {
        (0..20).for_each(|_| b.put(1, &frame(2, 1)));
        b.await_received(1, 20 * round);
        got += b.received(c).len();
    }
    assert!((10..=15).contains(&got), "{got} of 400");
}

#[test]
fn a_controller_that_takes_nothing_does_not_fill_the_memory() {
    let mut b = Bench::new(1);
    let c = b.controller();
    b.tell(c, &flow_mod(add(0, vec![], vec![to_controller(WHOLE_PACKET)])));
    for _ in 0..20 {
        (0..500).for_each(|_| b.put(1, &frame(2, 1)));
        std::thread::sleep(std::time::Duration::from_millis(5));
        b.pump();
    }
    let waiting = b.agent.outbox(c).unwrap().waiting();
    assert!((1 << 20..(1 << 20) + 1000).contains(&waiting), "{waiting}");
}
