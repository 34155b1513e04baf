//! Packets to controllers and from them (sections 7.4.1 and 7.3.7).

use super::buffers::{Buffered, Missing};
use super::connection::Unasked;
use super::{Agent, ConnKind, UNASKED};
use crate::convert;
use crate::wire::error::{WireError, bad_action, bad_request, kind};
use crate::wire::packet_in::PacketIn as WirePacketIn;
use crate::wire::packet_out::PacketOut as WirePacketOut;
use crate::wire::{Message, NO_BUFFER, WHOLE_PACKET};
use dataplane::action::Action;
use dataplane::flow::field::REGS;
use dataplane::flow::{Field, Match};
use dataplane::packet::Packet;
use dataplane::state::OfPort;
use dataplane::switch::Switch;
use dataplane::upcall::{PacketIn, PacketOut, Reason, ToController};
use std::time::Instant;

/// Bytes of a packet that a message holds beside its own fields.
const MAX_DATA: usize = u16::MAX as usize - 512;
/// Length of an Ethernet header: no packet is shorter.
const ETHERNET_LEN: usize = 14;

/// Fields of a packet-in that are not in the frame, beside the port.
const BESIDE_FRAME: [Field; 6] = [
    Field::Metadata,
    Field::TunId,
    Field::TunSrc,
    Field::TunDst,
    Field::TunIpv6Src,
    Field::TunIpv6Dst,
];

impl Agent {
    /// A packet for the controllers.
    pub fn packet_in(&mut self, packet: &PacketIn) {
        for frame in packet.frames() {
            self.frame_in(&packet.to, &frame);
        }
    }

    fn frame_in(&mut self, to: &ToController, frame: &[u8]) {
        let reason = convert::action::reason_to_wire(to.reason);
        let now = Instant::now();
        let limit = self.rate_limit;
        let mut kept = None;
        let mut message = None;
        for connection in self.connections.values_mut() {
            if !connection.wants(Unasked::PacketIn, reason)
                || connection.controller_id != to.controller
            {
                continue;
            }
            if !connection.keeps_up() {
                self.packet_ins_dropped += 1;
                continue;
            }
            if let (ConnKind::Controller, Some(limit)) = (connection.kind, limit)
                && !connection.limiters[usize::from(reason)].admits(limit, now)
            {
                self.packet_ins_dropped += 1;
                continue;
            }
            // "...when not using an output action to the OFPP_CONTROLLER logical port"
            // (section 7.3.2).
            let no_output = to.reason == Reason::InvalidTtl && to.max_len == WHOLE_PACKET;
            let max_len = if no_output { connection.miss_send_len } else { to.max_len };
            let whole = max_len == WHOLE_PACKET || usize::from(max_len) >= frame.len();
            let len = if whole { frame.len().min(MAX_DATA) } else { usize::from(max_len) };
            let buffer_id = if whole {
                NO_BUFFER
            } else {
                *kept.get_or_insert_with(|| {
                    self.buffers.keep(Buffered { in_port: to.in_port, frame: frame.to_vec() })
                })
            };
            let message = message.get_or_insert_with(|| packet_in(to, reason, frame.len()));
            let data = frame[..len].to_vec();
            let message = WirePacketIn { buffer_id, data, ..message.clone() };
            connection.outbox.send(UNASKED, &Message::PacketIn(message));
        }
    }

    pub(super) fn take_buffer(&mut self, id: u32) -> Result<Buffered, WireError> {
        self.buffers.take(id).map_err(|missing| {
            WireError::bad_request(match missing {
                Missing::Taken => bad_request::BUFFER_EMPTY,
                Missing::Unknown => bad_request::BUFFER_UNKNOWN,
            })
        })
    }

    pub(super) fn packet_out(
        &mut self,
        switch: &mut Switch,
        out: WirePacketOut,
    ) -> Result<(), WireError> {
        let actions = convert::action::list_from_wire(&out.actions, &Match::default())?;
        let pipeline = switch.pipeline(self.info.id);
        let has_group = |id| pipeline.as_ref().is_some_and(|p| p.groups().get(id).is_some());
        actions.iter().try_for_each(|action| check(action, has_group))?;
        let in_port = OfPort(out.in_port);
        let in_port = match in_port {
            // "It came from nowhere", as controllers of older versions say it.
            OfPort::ANY => OfPort::CONTROLLER,
            OfPort::CONTROLLER | OfPort::LOCAL => in_port,
            OfPort(number) if self.ports.has(number) => in_port,
            _ => return Err(WireError::bad_request(bad_request::BAD_PORT)),
        };
        let packet = if out.buffer_id == NO_BUFFER {
            if out.data.len() < ETHERNET_LEN {
                return Err(WireError::bad_request(bad_request::BAD_PACKET));
            }
            Packet::copied(&out.data)
        } else {
            Packet::copied(&self.take_buffer(out.buffer_id)?.frame)
        };
        switch.packet_out(self.info.id, PacketOut { in_port, actions, packet });
        Ok(())
    }
}

/// What all connections get of a packet, but for its bytes.
fn packet_in(to: &ToController, reason: u8, len: usize) -> WirePacketIn {
    let mut beside = Match::default();
    for &field in BESIDE_FRAME.iter().chain(&REGS) {
        let value = field.read(&to.key);
        if value != 0 {
            field.write(&mut beside.key, value);
            field.write(&mut beside.mask.0, field.max());
        }
    }
    let mut matching = convert::matching::to_wire(&beside);
    matching.0.insert(0, convert::matching::in_port(to.in_port.0));
    WirePacketIn {
        buffer_id: NO_BUFFER,
        total_len: len.min(usize::from(u16::MAX)) as u16,
        reason,
        table_id: to.table,
        cookie: to.cookie,
        matching,
        data: Vec::new(),
    }
}

/// Whether a packet-out may have this action: those of rules, and TABLE.
fn check(action: &Action, has_group: impl Fn(u32) -> bool) -> Result<(), WireError> {
    let refused = match action {
        Action::Output(output) => {
            let port = output.port.0;
            let known = (1..=OfPort::MAX.0).contains(&port)
                || (OfPort::IN_PORT.0..=OfPort::LOCAL.0).contains(&port);
            (!known).then_some(bad_action::BAD_OUT_PORT)
        }
        Action::Group(id) => (!has_group(*id)).then_some(bad_action::BAD_OUT_GROUP),
        _ => None,
    };
    refused.map_or(Ok(()), |code| Err(WireError::new(kind::BAD_ACTION, code)))
}
