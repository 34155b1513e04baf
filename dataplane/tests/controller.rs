//! Packets to controllers and from them, over memory ports.

use dataplane::action::{Action, Output};
use dataplane::drop::DropReason;
use dataplane::fdb::FdbConfig;
use dataplane::packet::Packet;
use dataplane::port::Transmit;
use dataplane::port::memory::MemoryPort;
use dataplane::state::{BridgeId, OfPort, PortFlags, PortId, PortKind, VlanConfig};
use dataplane::switch::{PortSpec, Switch};
use dataplane::table::pipeline::Command;
use dataplane::text;
use dataplane::upcall::{PacketIn, PacketOut, QUEUE, Reason};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const WAIT: Duration = Duration::from_secs(5);

struct Bench {
    switch: Switch,
    bridge: BridgeId,
    poll: mio::Poll,
}

impl Bench {
    /// A bridge whose controllers are there, with these flows.
    fn new(workers: usize, flows: &[&str]) -> Self {
        let mut switch = Switch::new(workers).unwrap();
        let bridge = switch.add_bridge("br0", FdbConfig::default()).unwrap();
        switch.set_controllers(bridge, true);
        let poll = mio::Poll::new().unwrap();
        let waker = mio::Waker::new(poll.registry(), mio::Token(0)).unwrap();
        switch.set_waker(Arc::new(waker));
        let mut b = Self { switch, bridge, poll };
        flows.iter().for_each(|f| b.flow(f));
        b.switch.barrier();
        b
    }

    fn flow(&mut self, flow: &str) {
        let flow = text::parse_flow(flow, Command::Add, &|_| None).unwrap();
        self.switch.flow_mod(self.bridge, &flow).unwrap();
    }

    fn port(&mut self, ofport: u32) -> (PortId, MemoryPort) {
        let id = self.switch.reserve_port_id();
        let (port, rx, tx) = MemoryPort::new(id).unwrap();
        let spec = PortSpec {
            id,
            bridge: self.bridge,
            name: format!("p{ofport}"),
            ofport: OfPort(ofport),
            kind: if OfPort(ofport) == OfPort::LOCAL { PortKind::Local } else { PortKind::Memory },
            vlan: VlanConfig::default(),
            flags: PortFlags::default(),
            max_frame: 1514,
        };
        self.switch.add_port(spec).unwrap();
        self.switch
            .set_io(id, Some(Box::new(rx)), &mut || Ok(Box::new(tx.clone()) as Box<dyn Transmit>))
            .unwrap();
        // No worker is still in a round that began without the port.
        self.switch.sync();
        self.switch.barrier();
        (id, port)
    }

    /// The next `n` packets for controllers, slept for as a control thread would.
    fn packet_ins(&mut self, n: usize) -> Vec<PacketIn> {
        let mut got = Vec::new();
        let mut events = mio::Events::with_capacity(4);
        while got.len() < n {
            self.poll.poll(&mut events, Some(WAIT)).unwrap();
            assert!(!events.is_empty(), "not woken; {} of {n} have come", got.len());
            got.extend(self.switch.packet_ins());
        }
        got
    }

    fn send(&mut self, in_port: OfPort, actions: Vec<Action>, packet: Packet) {
        assert!(self.switch.packet_out(self.bridge, PacketOut { in_port, actions, packet }));
    }
}

fn to(port: u32) -> Action {
    Action::output(OfPort(port))
}

fn frame(n: u8) -> Packet {
    let mut bytes = [n; 60];
    bytes[..14].copy_from_slice(&[2, 0, 0, 0, 0, 99, 2, 0, 0, 0, 0, n, 0x88, 0xb5]);
    Packet::copied(&bytes)
}

fn numbers(port: &MemoryPort) -> Vec<u8> {
    port.sent().iter().map(|p| p.data()[11]).collect()
}

#[test]
fn a_packet_in_says_what_came_where_and_why() {
    let local = OfPort::LOCAL.0;
    let mut b = Bench::new(
        1,
        &["priority=9,in_port=LOCAL,actions=CONTROLLER:65535", "priority=0,actions=CONTROLLER:128"],
    );
    let flow = "cookie=7,in_port=1,actions=output:2,set_field:02:00:00:00:00:07->eth_dst";
    let mut flow = text::parse_flow(flow, Command::Add, &|_| None).unwrap();
    let controller = Action::Controller { max_len: 40, id: 3, reason: Reason::Action };
    flow.instructions.apply.push(controller);
    b.switch.flow_mod(b.bridge, &flow).unwrap();
    let (_, one) = b.port(1);
    let (_, two) = b.port(2);
    let (_, own) = b.port(local);
    let check = |p: &PacketIn, in_port, reason, max_len, controller, cookie| {
        let t = &p.to;
        let got = (t.in_port, t.reason, t.max_len, t.controller, t.cookie, t.table);
        assert_eq!(got, (OfPort(in_port), reason, max_len, controller, cookie, 0));
    };
    one.put(frame(5));
    let p = b.packet_ins(1).remove(0);
    check(&p, 1, Reason::Action, 40, 3, 7);
    let mut edited = frame(5);
    edited.data_mut()[5] = 7;
    assert_eq!(p.frames(), [edited.data()], "as the frame was at that action");
    assert_eq!(two.next(WAIT).unwrap().data(), frame(5).data());

    own.put(frame(6));
    check(&b.packet_ins(1).remove(0), local, Reason::Action, 65_535, 0, 0);
    two.put(frame(7));
    let p = b.packet_ins(1).remove(0);
    check(&p, 2, Reason::NoMatch, 128, 0, 0);
    assert_eq!(p.frames(), [frame(7).data()]);
    b.switch.sync();
    let stats = b.switch.stats().switch;
    assert_eq!(stats.packet_ins, [1, 2, 0]);
    assert_eq!(stats.packet_in_drops, [0; Reason::COUNT]);
}

#[test]
fn a_flood_of_packet_ins_is_counted_and_holds_nobody_up() {
    let mut b = Bench::new(1, &["in_port=1,actions=CONTROLLER", "in_port=2,actions=output:3"]);
    let (_, noisy) = b.port(1);
    let (_, from) = b.port(2);
    let (_, to) = b.port(3);
    // Nobody drains: the queue is full soon.
    let stop = AtomicBool::new(false);
    let round_trips = |b: &Bench| {
        let start = Instant::now();
        for _ in 0..500 {
            from.put(frame(1));
            to.next(WAIT).expect("forwarded");
        }
        b.switch.sync();
        start.elapsed()
    };
    let quiet = round_trips(&b);
    let flooded = std::thread::scope(|s| {
        s.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                (0..64).for_each(|_| noisy.put(frame(9)));
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        let start = Instant::now();
        while b.switch.stats().switch.packet_in_drops[1] < 1000 && start.elapsed() < WAIT {
            std::thread::sleep(Duration::from_millis(1));
        }
        let took = round_trips(&b);
        stop.store(true, Ordering::Relaxed);
        took
    });
    b.switch.sync();
    let stats = b.switch.stats().switch;
    let (queued, lost) = (stats.packet_ins[1], stats.packet_in_drops[1]);
    assert_eq!(queued, QUEUE as u64);
    assert!(lost >= 1000, "the flood was none: {lost}");
    assert_eq!(stats.drops[DropReason::PacketInQueueFull as usize], lost);
    assert_eq!(b.packet_ins(QUEUE).len(), QUEUE);
    // A round trip is two threads waking each other; the flood in its way may cost some of them.
    let most = quiet * 8 + Duration::from_millis(500);
    assert!(flooded < most, "500 frames took {quiet:?}, and {flooded:?} beside the flood");
    // Room again.
    noisy.put(frame(8));
    assert_eq!(b.packet_ins(1)[0].packet.data(), frame(8).data());
}

#[test]
fn a_packet_out_goes_where_its_actions_say() {
    let mut b =
        Bench::new(2, &["in_port=1,actions=output:3", "in_port=CONTROLLER,actions=output:2"]);
    let ports = [b.port(1).1, b.port(2).1, b.port(3).1];
    let all = |b: &mut Bench| {
        // What was sent before a barrier has left when it returns.
        b.switch.barrier();
        ports.each_ref().map(numbers)
    };
    let none = Vec::new;
    b.send(OfPort::CONTROLLER, vec![to(2), to(3)], frame(1));
    assert_eq!(all(&mut b), [none(), vec![1], vec![1]]);
    b.send(OfPort::CONTROLLER, vec![Action::output(OfPort::FLOOD)], frame(2));
    assert_eq!(all(&mut b), [vec![2], vec![2], vec![2]]);
    b.send(OfPort(2), vec![Action::output(OfPort::FLOOD)], frame(3));
    assert_eq!(all(&mut b), [vec![3], none(), vec![3]]);
    b.send(OfPort(1), vec![Action::output(OfPort::IN_PORT)], frame(4));
    assert_eq!(all(&mut b), [vec![4], none(), none()]);
    b.send(OfPort(1), vec![Action::output(OfPort::TABLE)], frame(5));
    assert_eq!(all(&mut b), [none(), none(), vec![5]]);
    b.send(OfPort::CONTROLLER, vec![Action::output(OfPort::TABLE)], frame(6));
    assert_eq!(all(&mut b), [none(), vec![6], none()]);
    // NORMAL learns: 7 sits behind port 1 from now on.
    b.send(OfPort(1), vec![Action::output(OfPort::NORMAL)], frame(7));
    assert_eq!(all(&mut b), [none(), vec![7], vec![7]]);
    let mut back = frame(8);
    back.data_mut()[5] = 7;
    b.send(OfPort(3), vec![Action::output(OfPort::NORMAL)], back);
    assert_eq!(all(&mut b), [vec![8], none(), none()]);
    let whole = Action::Output(Output { port: OfPort::CONTROLLER, max_len: 65_535 });
    b.send(OfPort(2), vec![whole], frame(9));
    let p = b.packet_ins(1).remove(0);
    assert_eq!((p.to.in_port, p.to.reason, p.to.cookie), (OfPort(2), Reason::Action, u64::MAX));
    // Output to the ingress port, and to nowhere.
    b.send(OfPort(2), vec![to(2)], frame(10));
    b.send(OfPort(2), vec![], frame(11));
    b.send(OfPort(2), vec![to(1)], Packet::copied(&[1; 13]));
    assert_eq!(all(&mut b), [none(), none(), none()]);
    let drops = b.switch.stats().switch.drops;
    let counted = |reason: DropReason| drops[reason as usize];
    assert_eq!(drops.iter().sum::<u64>(), 3, "{drops:?}");
    assert_eq!((counted(DropReason::SamePort), counted(DropReason::RxTooShort)), (1, 1));
}

/// What is behind a label is looked at only when the frame has been taken apart anew: the frame that
/// is queued meanwhile stays as it is, and a packet-out is treated as a frame that comes in.
#[test]
fn behind_a_label_the_frame_is_taken_apart_anew() {
    let mut ip = vec![0x45, 0, 0, 20, 0, 0, 0, 0, 9, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
    let checksum = !ip.chunks(2).fold(0u32, |sum, w| {
        let sum = sum + u32::from(u16::from_be_bytes([w[0], w[1]]));
        (sum & 0xffff) + (sum >> 16)
    }) as u16;
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    let mut bytes = vec![2; 12];
    bytes.extend([0x88, 0x47, 0, 1, 0x01, 0x40]);
    bytes.extend(&ip);
    bytes.resize(60, 0);
    let labelled = Packet::copied(&bytes);

    let actions = vec![to(2), Action::PopMpls(0x0800), Action::DecTtl, to(3)];
    let mut b = Bench::new(1, &[]);
    let mut flow =
        text::parse_flow("in_port=1,dl_type=0x8847,actions=drop", Command::Add, &|_| None).unwrap();
    flow.instructions.apply = actions.clone();
    b.switch.flow_mod(b.bridge, &flow).unwrap();
    let ports = [b.port(1).1, b.port(2).1, b.port(3).1];
    let check = |b: &mut Bench, how: &str| {
        assert_eq!(ports[1].next(WAIT).expect(how).data(), bytes, "{how}");
        let plain = ports[2].next(WAIT).expect(how);
        assert_eq!((plain.len(), plain.data()[12..14].to_vec()), (56, vec![8, 0]), "{how}");
        assert_eq!(plain.data()[14 + 8], 8, "{how}: the TTL");
        b.switch.sync();
        let drops = b.switch.stats().switch.drops;
        assert_eq!(drops.iter().sum::<u64>(), 0, "{how}: {drops:?}");
    };
    for _ in 0..2 {
        ports[0].put(Packet::copied(labelled.data()));
        check(&mut b, "a frame");
        b.send(OfPort(1), actions.clone(), Packet::copied(labelled.data()));
        check(&mut b, "a packet-out");
    }
    let flows = b.switch.pipeline(b.bridge).unwrap();
    assert_eq!(flows.table(0).unwrap().stats.matched(), 2, "a frame counts once");
}

#[test]
fn packet_outs_keep_their_order_and_see_the_flows_before_them() {
    let mut b = Bench::new(2, &[]);
    let (_, two) = b.port(2);
    for n in 0..250u8 {
        b.flow(&format!("actions=set_field:02:00:00:00:00:{n:02x}->eth_dst,output:2"));
        b.send(OfPort::CONTROLLER, vec![Action::output(OfPort::TABLE)], frame(n));
    }
    b.switch.barrier();
    for (n, packet) in two.sent().iter().enumerate() {
        let (flow, packet) = (packet.data()[5], packet.data()[11]);
        assert_eq!(usize::from(packet), n, "out of order");
        // A later flow may have been quicker than the packet.
        assert!(flow >= packet, "packet {packet} met flow {flow}");
    }
    let flows = b.switch.pipeline(b.bridge).unwrap();
    assert_eq!(flows.table(0).unwrap().stats.matched(), 250);
}

#[test]
fn packet_outs_beyond_the_bound_are_counted() {
    let mut b = Bench::new(1, &[]);
    let (_, two) = b.port(2);
    let sent = (0..200_000)
        .filter(|_| {
            let out =
                PacketOut { in_port: OfPort::CONTROLLER, actions: vec![to(2)], packet: frame(1) };
            b.switch.packet_out(b.bridge, out)
        })
        .count();
    b.switch.barrier();
    assert_eq!(numbers(&two).len(), sent, "what was taken was sent");
    let lost = b.switch.stats().switch.drops[DropReason::PacketOutQueueFull as usize];
    assert_eq!(lost as usize + sent, 200_000);
}
