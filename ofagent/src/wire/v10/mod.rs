//! OpenFlow 1.0 with Open vSwitch's extensions, made of 1.3 and made into it, for tools that speak
//! nothing else: `ovs-ofctl` by default.
//!
//! The agent knows 1.3 only. A [`Translator`] stands between it and a peer of 1.0: requests become
//! the messages of 1.3 that mean the same, and what the agent answers becomes what 1.0 has for it.
//! Matches are told in NXM to who asks in it, which loses nothing. Of rules, what 1.0 cannot say is
//! left out as it is in Open vSwitch: meters and the action set; `goto_table` is a `resubmit`.
//!
//! Sources: OpenFlow Switch Specification 1.0.0; Open vSwitch's `nicira-ext.h` and `ofp-msgs.h`. What
//! of it Open vSwitch 3.1 sends to `ovs-ofctl` and gets from it was looked at on the wire.

mod action;
mod error;
mod flow;
mod group;
mod matching;
mod packet;
mod port;
mod stats;

use super::asynchronous::AsyncConfig;
use super::bytes::{Put, Reader};
use super::error::{WireError, bad_request};
use super::experimenter::{Experimenter, NICIRA};
use super::features::{FeaturesReply, SwitchConfig, capability};
use super::framing::message_len;
use super::multipart::{MultipartReply, MultipartRequest, ReplyBody, RequestBody};
use super::port::Port;
use super::{Message, decode as decode_now};
use packet::Format;
use stats::Asked;
use std::collections::VecDeque;

/// `OFP_VERSION` of OpenFlow 1.0.
pub const VERSION: u8 = 1;

/// `enum ofp_type`.
mod message_type {
    pub(super) const HELLO: u8 = 0;
    pub(super) const ERROR: u8 = 1;
    pub(super) const ECHO_REQUEST: u8 = 2;
    pub(super) const ECHO_REPLY: u8 = 3;
    pub(super) const VENDOR: u8 = 4;
    pub(super) const FEATURES_REQUEST: u8 = 5;
    pub(super) const FEATURES_REPLY: u8 = 6;
    pub(super) const GET_CONFIG_REQUEST: u8 = 7;
    pub(super) const GET_CONFIG_REPLY: u8 = 8;
    pub(super) const SET_CONFIG: u8 = 9;
    pub(super) const PACKET_IN: u8 = 10;
    pub(super) const FLOW_REMOVED: u8 = 11;
    pub(super) const PORT_STATUS: u8 = 12;
    pub(super) const PACKET_OUT: u8 = 13;
    pub(super) const FLOW_MOD: u8 = 14;
    pub(super) const PORT_MOD: u8 = 15;
    pub(super) const STATS_REQUEST: u8 = 16;
    pub(super) const STATS_REPLY: u8 = 17;
    pub(super) const BARRIER_REQUEST: u8 = 18;
    pub(super) const BARRIER_REPLY: u8 = 19;
    pub(super) const QUEUE_GET_CONFIG_REQUEST: u8 = 20;
    pub(super) const QUEUE_GET_CONFIG_REPLY: u8 = 21;
}

/// `NXT_*`: Open vSwitch's messages (`ofp-msgs.h`).
mod nxt {
    pub(super) const SET_FLOW_FORMAT: u32 = 12;
    pub(super) const FLOW_MOD: u32 = 13;
    pub(super) const FLOW_REMOVED: u32 = 14;
    pub(super) const FLOW_MOD_TABLE_ID: u32 = 15;
    pub(super) const SET_PACKET_IN_FORMAT: u32 = 16;
    pub(super) const PACKET_IN: u32 = 17;
    pub(super) const FLOW_AGE: u32 = 18;
    pub(super) const SET_ASYNC_CONFIG: u32 = 19;
    pub(super) const SET_CONTROLLER_ID: u32 = 20;
    pub(super) const PACKET_IN2: u32 = 30;
    pub(super) const GROUP_MOD: u32 = 31;
}

/// `NXFF_OPENFLOW10` and `NXFF_NXM`.
const FLOW_FORMATS: [u32; 2] = [0, 2];

/// `OFPC_ARP_MATCH_IP` of OpenFlow 1.0.
const ARP_MATCH_IP: u32 = 1 << 7;
/// Capabilities that mean the same in 1.0.
const CAPABILITIES: u32 = capability::FLOW_STATS
    | capability::TABLE_STATS
    | capability::PORT_STATS
    | capability::IP_REASM
    | capability::QUEUE_STATS;

/// Requests whose answers are waited for; more would be one that the agent never answers.
const MAX_ASKED: usize = 4096;

/// What a connection has agreed on beside its version, and is waiting for. Without any I/O.
#[derive(Debug, Default)]
pub struct Translator {
    /// The flow format is NXM: flows that go are told of in it.
    nxm: bool,
    /// `NXT_FLOW_MOD_TABLE_ID`: flow-mods name a table.
    with_table: bool,
    packet_ins: Format,
    /// Statistics requests that are not answered, and how they shall be.
    asked: VecDeque<(u32, Asked)>,
    /// A features reply whose ports are still to come.
    features: Option<(FeaturesReply, Vec<Port>)>,
}

impl Translator {
    /// A translator for a connection that just came to be.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes one whole message of 1.0 (its header's length is that of `bytes`): its transaction id,
    /// and the messages of 1.3 that mean the same, which are none for what is the translator's own.
    ///
    /// # Errors
    /// What an error message shall say of it.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<(u32, Vec<Message>), WireError> {
        let mut r = Reader::new(bytes, WireError::bad_request(bad_request::BAD_LEN));
        let version = r.u8()?;
        let kind = r.u8()?;
        let len = r.u16()?;
        let xid = r.u32()?;
        if version != VERSION {
            return Err(WireError::bad_request(bad_request::BAD_VERSION));
        }
        if usize::from(len) != bytes.len() {
            return Err(WireError::bad_request(bad_request::BAD_LEN));
        }
        let messages = self.decode_body(kind, xid, &mut r)?;
        r.end()?;
        Ok((xid, messages))
    }

    fn decode_body(
        &mut self,
        kind: u8,
        xid: u32,
        r: &mut Reader<'_>,
    ) -> Result<Vec<Message>, WireError> {
        use message_type as t;
        Ok(vec![match kind {
            // The channel has seen to the first.
            t::HELLO => {
                r.rest();
                return Ok(Vec::new());
            }
            t::ERROR => Message::Error(super::error::ErrorMessage::decode(r)?),
            t::ECHO_REQUEST => Message::EchoRequest(r.rest().to_vec()),
            t::ECHO_REPLY => Message::EchoReply(r.rest().to_vec()),
            t::VENDOR => return self.vendor(r),
            t::FEATURES_REQUEST => {
                // 1.0 tells the ports with the features.
                self.ask(xid, Asked::Features);
                let ports = MultipartRequest { more: false, body: RequestBody::PortDesc };
                return Ok(vec![Message::FeaturesRequest, Message::MultipartRequest(ports)]);
            }
            t::GET_CONFIG_REQUEST => Message::GetConfigRequest,
            t::SET_CONFIG => Message::SetConfig(SwitchConfig::decode(r)?),
            t::PACKET_OUT => Message::PacketOut(packet::decode_out(r)?),
            t::FLOW_MOD => Message::FlowMod(Box::new(flow::decode_mod(r, self.with_table)?)),
            t::PORT_MOD => Message::PortMod(port::decode_mod(r)?),
            t::STATS_REQUEST => {
                let (request, asked) = stats::decode(r)?;
                self.ask(xid, asked);
                Message::MultipartRequest(request)
            }
            t::BARRIER_REQUEST => Message::BarrierRequest,
            t::QUEUE_GET_CONFIG_REQUEST => {
                let port = port::widen(r.u16()?);
                r.skip(2)?;
                Message::QueueGetConfigRequest(port)
            }
            _ => return Err(WireError::bad_request(bad_request::BAD_TYPE)),
        }])
    }

    /// Open vSwitch's messages.
    fn vendor(&mut self, r: &mut Reader<'_>) -> Result<Vec<Message>, WireError> {
        let vendor = r.u32()?;
        if vendor != NICIRA {
            return Err(WireError::bad_request(bad_request::BAD_EXPERIMENTER));
        }
        Ok(vec![match r.u32()? {
            nxt::SET_FLOW_FORMAT => {
                let format = r.u32()?;
                if !FLOW_FORMATS.contains(&format) {
                    return Err(WireError::bad_request(bad_request::EPERM));
                }
                self.nxm = format != FLOW_FORMATS[0];
                return Ok(Vec::new());
            }
            nxt::FLOW_MOD => Message::FlowMod(Box::new(flow::decode_nxm_mod(r, self.with_table)?)),
            nxt::FLOW_MOD_TABLE_ID => {
                self.with_table = r.u8()? != 0;
                r.skip(7)?;
                return Ok(Vec::new());
            }
            nxt::SET_PACKET_IN_FORMAT => {
                self.packet_ins = Format::from_wire(r.u32()?)?;
                return Ok(Vec::new());
            }
            // How old flows are is told whenever it is known.
            nxt::FLOW_AGE => return Ok(Vec::new()),
            nxt::SET_ASYNC_CONFIG => Message::SetAsync(AsyncConfig::decode(r)?),
            nxt::SET_CONTROLLER_ID => {
                r.skip(6)?;
                Message::Experimenter(Experimenter::SetControllerId(r.u16()?))
            }
            nxt::GROUP_MOD => Message::GroupMod(group::decode_mod(r)?),
            _ => return Err(WireError::bad_request(bad_request::BAD_EXP_TYPE)),
        }])
    }

    fn ask(&mut self, xid: u32, asked: Asked) {
        if self.asked.len() >= MAX_ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back((xid, asked));
    }

    /// How a request is to be answered, and forgets it if this is the last of its answer. Requests
    /// are answered in their order; those before it never will be.
    fn asked(&mut self, xid: u32, last: bool) -> Option<Asked> {
        let at = self.asked.iter().position(|asked| asked.0 == xid)?;
        self.asked.drain(..at);
        let asked = self.asked.front()?.1;
        if last {
            self.asked.pop_front();
        }
        Some(asked)
    }

    /// Appends to `out` what whole messages are in 1.0; such as are of 1.0 already stay as they are.
    pub fn encode(&mut self, mut messages: &[u8], out: &mut Vec<u8>) {
        while let Ok(Some(len)) = message_len(messages) {
            let Some((message, rest)) = messages.split_at_checked(len) else { return };
            messages = rest;
            // A hello names all versions that its sender speaks, whichever was agreed on.
            if message[0] == VERSION || message[1] == message_type::HELLO {
                out.extend_from_slice(message);
                continue;
            }
            match decode_now(message) {
                Ok((xid, decoded)) => self.encode_one(xid, &decoded, out),
                // The agent writes nothing that cannot be read: a test sees to it.
                Err(error) => tracing::error!("message not sent: {error}"),
            }
        }
    }

    fn encode_one(&mut self, xid: u32, message: &Message, out: &mut Vec<u8>) {
        use message_type as t;
        let start = out.len();
        match message {
            Message::MultipartReply(reply) => return self.reply(xid, reply, out),
            Message::FeaturesReply(features) => {
                self.features = Some((features.clone(), Vec::new()));
                return;
            }
            Message::Error(error) => {
                self.asked(xid, true);
                begin(t::ERROR, xid, out);
                error::encode(error, out);
            }
            Message::EchoRequest(data) => {
                begin(t::ECHO_REQUEST, xid, out);
                out.extend_from_slice(data);
            }
            Message::EchoReply(data) => {
                begin(t::ECHO_REPLY, xid, out);
                out.extend_from_slice(data);
            }
            Message::GetConfigReply(config) => {
                begin(t::GET_CONFIG_REPLY, xid, out);
                config.encode(out);
            }
            Message::PacketIn(p) => self.packet_in(xid, p, out),
            Message::FlowRemoved(removed) if self.nxm => {
                begin_nicira(nxt::FLOW_REMOVED, xid, out);
                flow::encode_nxm_removed(removed, out);
            }
            Message::FlowRemoved(removed) => {
                begin(t::FLOW_REMOVED, xid, out);
                flow::encode_removed(removed, out);
            }
            Message::PortStatus(status) => {
                begin(t::PORT_STATUS, xid, out);
                port::encode_status(status, out);
            }
            Message::BarrierReply => begin(t::BARRIER_REPLY, xid, out),
            Message::QueueGetConfigReply(reply) => {
                begin(t::QUEUE_GET_CONFIG_REPLY, xid, out);
                // Ports have no queues.
                out.u16(port::narrow(reply.port));
                out.zeros(6);
            }
            // An agent sends no others to who speaks 1.0.
            _ => return,
        }
        finish(start, out);
    }

    fn packet_in(&self, xid: u32, p: &super::packet_in::PacketIn, out: &mut Vec<u8>) {
        match self.packet_ins {
            Format::Standard => {
                begin(message_type::PACKET_IN, xid, out);
                packet::encode_in(p, out);
            }
            Format::Nxt => {
                begin_nicira(nxt::PACKET_IN, xid, out);
                packet::encode_nxt_in(p, out);
            }
            Format::Nxt2 => {
                begin_nicira(nxt::PACKET_IN2, xid, out);
                packet::encode_nxt2_in(p, out);
            }
        }
    }

    fn reply(&mut self, xid: u32, reply: &MultipartReply, out: &mut Vec<u8>) {
        let asked = self.asked(xid, !reply.more).unwrap_or(Asked::Own);
        let ReplyBody::PortDesc(ports) = &reply.body else {
            return stats::encode(xid, reply, asked, out);
        };
        if asked != Asked::Features {
            return stats::encode(xid, reply, asked, out);
        }
        if let Some((_, known)) = &mut self.features {
            known.extend_from_slice(ports);
        }
        if !reply.more
            && let Some((features, ports)) = self.features.take()
        {
            encode_features(xid, &features, &ports, out);
        }
    }
}

/// Ports that fit a features reply. Who is shown so many asks for the rest by themselves.
const MAX_PORTS: usize = (u16::MAX as usize - 32) / 48;

fn encode_features(xid: u32, features: &FeaturesReply, ports: &[Port], out: &mut Vec<u8>) {
    let start = out.len();
    begin(message_type::FEATURES_REPLY, xid, out);
    out.u64(features.datapath_id);
    out.u32(features.n_buffers);
    out.u8(features.n_tables);
    out.zeros(3);
    out.u32(features.capabilities & CAPABILITIES | ARP_MATCH_IP);
    out.u32(stats::ALL_ACTIONS);
    ports.iter().take(MAX_PORTS).for_each(|p| port::encode(p, out));
    finish(start, out);
}

/// Starts a message.
fn begin(kind: u8, xid: u32, out: &mut Vec<u8>) {
    out.u8(VERSION);
    out.u8(kind);
    out.u16(0);
    out.u32(xid);
}

/// Starts one of Open vSwitch's.
fn begin_nicira(subtype: u32, xid: u32, out: &mut Vec<u8>) {
    begin(message_type::VENDOR, xid, out);
    out.u32(NICIRA);
    out.u32(subtype);
}

/// Fills in the length of the message that starts at `start`; one that is too long (as a packet-in of
/// nearly 64 KB may be) is taken away again.
fn finish(start: usize, out: &mut Vec<u8>) {
    let len = out.len() - start;
    if len > usize::from(u16::MAX) {
        tracing::error!(bytes = len, "too long for a message, not sent");
        out.truncate(start);
        return;
    }
    out.patch_len(start + 2, start);
}
