//! An agent, its switch, and shorthands for messages.

use dataplane::fdb::FdbConfig;
use dataplane::packet::Packet;
use dataplane::port::Transmit;
use dataplane::port::memory::MemoryPort;
use dataplane::state::{OfPort, PortFlags, PortKind, VlanConfig};
use dataplane::switch::{Event, PortSpec, Switch};
use ofagent::agent::{Agent, BridgeInfo, ConnId, ConnKind, PortInfo};
use ofagent::wire::action::Action;
use ofagent::wire::error::WireError;
use ofagent::wire::flow_mod::{FlowMod, FlowModCommand};
use ofagent::wire::instruction::Instruction;
use ofagent::wire::multipart::flow::{FlowStats, FlowStatsRequest};
use ofagent::wire::multipart::{MultipartReply, MultipartRequest, ReplyBody, RequestBody};
use ofagent::wire::oxm::{Match, Oxm, OxmId, lookup};
use ofagent::wire::{GROUP_ANY, Message, NO_BUFFER, PORT_ANY, TABLE_ALL, decode, encode};
use std::time::{Duration, Instant};

/// How long something may take.
pub(crate) const WAIT: Duration = Duration::from_secs(5);
/// How long to wait for what shall not come.
pub(crate) const QUIET: Duration = Duration::from_millis(30);
pub(crate) const DATAPATH_ID: u64 = 0x0000_0200_0000_0001;
pub(crate) const XID: u32 = 0x1234_5678;

pub(crate) struct Bench {
    pub(crate) switch: Switch,
    pub(crate) agent: Agent,
    pub(crate) ports: Vec<MemoryPort>,
    pub(crate) infos: Vec<PortInfo>,
}

impl Bench {
    /// A bridge with ports 1 to `ports`.
    pub(crate) fn new(ports: u32) -> Self {
        let mut switch = Switch::new(1).unwrap();
        let bridge = switch.add_bridge("br0", FdbConfig::default()).unwrap();
        switch.set_controllers(bridge, true);
        let info = BridgeInfo { id: bridge, name: "br0".into(), datapath_id: DATAPATH_ID };
        let agent = Agent::new(info);
        let mut bench = Self { switch, agent, ports: Vec::new(), infos: Vec::new() };
        for number in 1..=ports {
            let id = bench.switch.reserve_port_id();
            let (port, rx, tx) = MemoryPort::new(id).unwrap();
            let spec = PortSpec {
                id,
                bridge,
                name: format!("p{number}"),
                ofport: OfPort(number),
                kind: PortKind::Memory,
                vlan: VlanConfig::default(),
                flags: PortFlags::default(),
                max_frame: 1514,
            };
            bench.switch.add_port(spec).unwrap();
            let make = &mut || Ok(Box::new(tx.clone()) as Box<dyn Transmit>);
            bench.switch.set_io(id, Some(Box::new(rx)), make).unwrap();
            bench.ports.push(port);
            bench.infos.push(info_of(number));
        }
        bench.agent.set_ports(&bench.switch, bench.infos.clone());
        bench
    }

    pub(crate) fn controller(&mut self) -> ConnId {
        self.agent.connected(ConnKind::Controller)
    }

    /// Sends a message, as bytes, to the agent.
    pub(crate) fn send(&mut self, conn: ConnId, message: &Message) {
        let mut raw = Vec::new();
        encode(XID, message, &mut raw).unwrap();
        self.send_raw(conn, &raw);
    }

    pub(crate) fn send_raw(&mut self, conn: ConnId, raw: &[u8]) {
        self.agent.receive(&mut self.switch, conn, decode(raw), raw);
        self.switch.commit();
    }

    /// What the agent has to say on a connection.
    pub(crate) fn received(&mut self, conn: ConnId) -> Vec<(u32, Message)> {
        self.pump();
        let mut bytes = Vec::new();
        let outbox = self.agent.outbox(conn).unwrap();
        loop {
            let some = outbox.bytes();
            let n = some.len();
            bytes.extend_from_slice(some);
            outbox.sent(n);
            if n == 0 && !outbox.is_dumping() {
                break;
            }
        }
        let mut messages = Vec::new();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let len = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
            messages.push(decode(&rest[..len]).unwrap());
            rest = &rest[len..];
        }
        messages
    }

    /// Waits for a message that nobody asked for.
    pub(crate) fn unasked(&mut self, conn: ConnId) -> Message {
        let start = Instant::now();
        loop {
            let mut got = self.received(conn);
            if !got.is_empty() {
                assert_eq!(got.len(), 1, "{got:?}");
                let (xid, message) = got.remove(0);
                assert_eq!(xid, 0, "of what nobody asked for");
                return message;
            }
            assert!(start.elapsed() < WAIT, "nothing came");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Brings the agent what the switch has for it.
    pub(crate) fn pump(&mut self) {
        let packets: Vec<_> = self.switch.packet_ins().collect();
        packets.iter().for_each(|p| self.agent.packet_in(p));
        for event in self.switch.take_events() {
            let Event::FlowRemoved { removed, .. } = event;
            self.agent.flow_removed(&removed);
        }
    }

    /// The one answer to a request.
    pub(crate) fn ask(&mut self, conn: ConnId, message: &Message) -> Message {
        self.send(conn, message);
        let mut got = self.received(conn);
        assert_eq!(got.len(), 1, "{message:?}: {got:?}");
        let (xid, answer) = got.remove(0);
        assert_eq!(xid, XID);
        answer
    }

    /// A request that is not answered.
    pub(crate) fn tell(&mut self, conn: ConnId, message: &Message) {
        self.send(conn, message);
        let got = self.received(conn);
        assert!(got.is_empty(), "{message:?}: {got:?}");
    }

    /// A request that is refused.
    pub(crate) fn refused(&mut self, conn: ConnId, message: &Message) -> WireError {
        match self.ask(conn, message) {
            Message::Error(e) => e.error,
            other => panic!("{message:?}: {other:?}"),
        }
    }

    /// A multipart request; the answer's parts.
    pub(crate) fn parts(&mut self, conn: ConnId, body: RequestBody) -> Vec<ReplyBody> {
        self.send(conn, &request(body));
        let got = self.received(conn);
        let count = got.len();
        let part = |(i, (xid, message))| match message {
            Message::MultipartReply(MultipartReply { more, body }) => {
                assert_eq!((xid, more), (XID, i + 1 < count));
                body
            }
            other => panic!("{other:?}"),
        };
        got.into_iter().enumerate().map(part).collect()
    }

    /// The answer, if it is one message.
    pub(crate) fn multipart(&mut self, conn: ConnId, body: RequestBody) -> ReplyBody {
        let mut parts = self.parts(conn, body);
        assert_eq!(parts.len(), 1, "{parts:?}");
        parts.remove(0)
    }

    /// Flow statistics, in the order of tables and priorities.
    pub(crate) fn flows(&mut self, conn: ConnId, wanted: FlowStatsRequest) -> Vec<FlowStats> {
        let mut flows = Vec::new();
        for part in self.parts(conn, RequestBody::Flow(wanted)) {
            let ReplyBody::Flow(some) = part else { panic!("{part:?}") };
            flows.extend(some);
        }
        flows.sort_by_key(|f| (f.table_id, f.priority));
        flows
    }

    pub(crate) fn all_flows(&mut self, conn: ConnId) -> Vec<FlowStats> {
        self.flows(conn, every_flow())
    }

    /// Waits until `n` frames have come in by a port.
    pub(crate) fn await_received(&self, port: usize, n: u64) {
        let start = Instant::now();
        loop {
            self.switch.sync();
            let stats = self.switch.stats();
            let counted = stats.ports.values().nth(port - 1).map(|s| s.rx_packets);
            if counted == Some(n) {
                return;
            }
            assert!(start.elapsed() < WAIT, "{counted:?} of {n} frames came in");
        }
    }

    pub(crate) fn put(&self, port: usize, frame: &[u8]) {
        self.ports[port - 1].put(Packet::copied(frame));
    }

    /// The next frame that leaves a port.
    pub(crate) fn next(&self, port: usize) -> Option<Vec<u8>> {
        self.ports[port - 1].next(WAIT).map(|p| p.data().to_vec())
    }

    pub(crate) fn is_quiet(&self, port: usize) -> bool {
        self.ports[port - 1].next(QUIET).is_none()
    }
}

pub(crate) fn info_of(number: u32) -> PortInfo {
    PortInfo {
        ofport: OfPort(number),
        name: format!("p{number}"),
        hw_addr: [2, 0, 0, 0, 1, number as u8],
        link_up: true,
        speed: 10_000_000,
    }
}

pub(crate) fn request(body: RequestBody) -> Message {
    Message::MultipartRequest(MultipartRequest { more: false, body })
}

pub(crate) fn every_flow() -> FlowStatsRequest {
    FlowStatsRequest {
        table_id: TABLE_ALL,
        out_port: PORT_ANY,
        out_group: GROUP_ANY,
        cookie: 0,
        cookie_mask: 0,
        matching: Match::default(),
    }
}

pub(crate) fn field(id: OxmId, value: u128, mask: Option<u128>) -> Oxm {
    Oxm { id, len: lookup(id).unwrap().bytes, value, mask }
}

/// A field of table 12, with its whole value.
pub(crate) fn basic(number: u8, value: u128) -> Oxm {
    field(OxmId::basic(number), value, None)
}

pub(crate) fn output(port: u32) -> Action {
    Action::Output { port, max_len: 0 }
}

pub(crate) fn add(priority: u16, fields: Vec<Oxm>, actions: Vec<Action>) -> FlowMod {
    FlowMod {
        cookie: 0,
        cookie_mask: 0,
        table_id: 0,
        command: FlowModCommand::Add,
        idle_timeout: 0,
        hard_timeout: 0,
        priority,
        buffer_id: NO_BUFFER,
        out_port: PORT_ANY,
        out_group: GROUP_ANY,
        flags: 0,
        matching: Match(fields),
        instructions: vec![Instruction::ApplyActions(actions)],
    }
}

pub(crate) fn flow_mod(m: FlowMod) -> Message {
    Message::FlowMod(Box::new(m))
}

/// An Ethernet frame that no protocol claims.
pub(crate) fn frame(dst: u8, src: u8) -> Vec<u8> {
    let mut f = vec![2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src, 0x88, 0xb5];
    f.resize(200, src);
    f
}
