//! The codec: messages of OpenFlow 1.3 to bytes and back, in both directions, without any I/O.
//!
//! A decoder never panics, never reads beyond the message, and allocates no more than a small
//! multiple of the message's own bytes, whatever its length fields claim.

pub mod action;
pub mod asynchronous;
mod bytes;
pub mod error;
pub mod experimenter;
pub mod features;
pub mod flow_mod;
pub mod flow_removed;
pub mod framing;
pub mod group_mod;
pub mod hello;
pub mod instruction;
pub mod meter_mod;
pub mod multipart;
pub mod nicira;
pub mod oxm;
pub mod packet_in;
pub mod packet_out;
pub mod port;
pub mod queue;
pub mod role;
pub mod table_mod;
pub mod v10;

use asynchronous::AsyncConfig;
use bytes::{Put, Reader};
use error::{ErrorMessage, WireError, bad_request};
use experimenter::Experimenter;
use features::{FeaturesReply, SwitchConfig};
use flow_mod::FlowMod;
use flow_removed::FlowRemoved;
use group_mod::GroupMod;
use hello::Hello;
use meter_mod::MeterMod;
use multipart::{MultipartReply, MultipartRequest};
use packet_in::PacketIn;
use packet_out::PacketOut;
use port::{PortMod, PortStatus};
use queue::QueueConfigReply;
use role::Role;
use table_mod::TableMod;
use thiserror::Error;

/// `OFP_VERSION` of OpenFlow 1.3.
pub const VERSION: u8 = 4;
/// Length of `ofp_header` (section 7.1.1).
pub const HEADER_LEN: usize = 8;
/// `OFP_NO_BUFFER`: the packet is not buffered in the switch.
pub const NO_BUFFER: u32 = u32::MAX;
/// `OFPCML_NO_BUFFER`: send the whole packet.
pub const WHOLE_PACKET: u16 = 0xffff;
/// `OFPP_ANY`.
pub const PORT_ANY: u32 = u32::MAX;
/// `OFPG_ANY`.
pub const GROUP_ANY: u32 = u32::MAX;
/// `OFPTT_ALL`.
pub const TABLE_ALL: u8 = 0xff;

/// A message (section 7.1.1, `enum ofp_type`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Either way: the versions that the sender speaks.
    Hello(Hello),
    /// Either way: something was wrong with a message.
    Error(ErrorMessage),
    /// Either way: answer this, with the same bytes.
    EchoRequest(Vec<u8>),
    /// Either way.
    EchoReply(Vec<u8>),
    /// Either way.
    Experimenter(Experimenter),
    /// To the switch.
    FeaturesRequest,
    /// To the controller.
    FeaturesReply(FeaturesReply),
    /// To the switch.
    GetConfigRequest,
    /// To the controller.
    GetConfigReply(SwitchConfig),
    /// To the switch.
    SetConfig(SwitchConfig),
    /// To the controller.
    PacketIn(PacketIn),
    /// To the controller.
    FlowRemoved(FlowRemoved),
    /// To the controller.
    PortStatus(PortStatus),
    /// To the switch.
    PacketOut(PacketOut),
    /// To the switch.
    FlowMod(Box<FlowMod>),
    /// To the switch.
    GroupMod(GroupMod),
    /// To the switch.
    PortMod(PortMod),
    /// To the switch.
    TableMod(TableMod),
    /// To the switch.
    MultipartRequest(MultipartRequest),
    /// To the controller.
    MultipartReply(MultipartReply),
    /// To the switch.
    BarrierRequest,
    /// To the controller.
    BarrierReply,
    /// To the switch: the queues of this port ([`PORT_ANY`]: of all).
    QueueGetConfigRequest(u32),
    /// To the controller.
    QueueGetConfigReply(QueueConfigReply),
    /// To the switch.
    RoleRequest(Role),
    /// To the controller.
    RoleReply(Role),
    /// To the switch.
    GetAsyncRequest,
    /// To the controller.
    GetAsyncReply(AsyncConfig),
    /// To the switch.
    SetAsync(AsyncConfig),
    /// To the switch.
    MeterMod(MeterMod),
}

/// `enum ofp_type`.
pub mod message_type {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const HELLO: u8 = 0;
    pub const ERROR: u8 = 1;
    pub const ECHO_REQUEST: u8 = 2;
    pub const ECHO_REPLY: u8 = 3;
    pub const EXPERIMENTER: u8 = 4;
    pub const FEATURES_REQUEST: u8 = 5;
    pub const FEATURES_REPLY: u8 = 6;
    pub const GET_CONFIG_REQUEST: u8 = 7;
    pub const GET_CONFIG_REPLY: u8 = 8;
    pub const SET_CONFIG: u8 = 9;
    pub const PACKET_IN: u8 = 10;
    pub const FLOW_REMOVED: u8 = 11;
    pub const PORT_STATUS: u8 = 12;
    pub const PACKET_OUT: u8 = 13;
    pub const FLOW_MOD: u8 = 14;
    pub const GROUP_MOD: u8 = 15;
    pub const PORT_MOD: u8 = 16;
    pub const TABLE_MOD: u8 = 17;
    pub const MULTIPART_REQUEST: u8 = 18;
    pub const MULTIPART_REPLY: u8 = 19;
    pub const BARRIER_REQUEST: u8 = 20;
    pub const BARRIER_REPLY: u8 = 21;
    pub const QUEUE_GET_CONFIG_REQUEST: u8 = 22;
    pub const QUEUE_GET_CONFIG_REPLY: u8 = 23;
    pub const ROLE_REQUEST: u8 = 24;
    pub const ROLE_REPLY: u8 = 25;
    pub const GET_ASYNC_REQUEST: u8 = 26;
    pub const GET_ASYNC_REPLY: u8 = 27;
    pub const SET_ASYNC: u8 = 28;
    pub const METER_MOD: u8 = 29;
}

/// Decodes one whole message (its header's length is that of `bytes`); gives its transaction id.
///
/// A hello of any version is decoded, and an error message too, since a peer that speaks another
/// version says so in one; other messages must be of [`VERSION`].
///
/// # Errors
/// What an error message shall say of it.
pub fn decode(bytes: &[u8]) -> Result<(u32, Message), WireError> {
    use message_type as t;
    let mut r = Reader::new(bytes, WireError::bad_request(bad_request::BAD_LEN));
    let version = r.u8()?;
    let kind = r.u8()?;
    let len = r.u16()?;
    let xid = r.u32()?;
    if version != VERSION && kind != t::HELLO && kind != t::ERROR {
        return Err(WireError::bad_request(bad_request::BAD_VERSION));
    }
    if usize::from(len) != bytes.len() {
        return Err(WireError::bad_request(bad_request::BAD_LEN));
    }
    let r = &mut r;
    let message = match kind {
        t::HELLO => {
            let hello = Hello::decode(version, r);
            r.rest();
            Message::Hello(hello)
        }
        t::ERROR => Message::Error(ErrorMessage::decode(r)?),
        t::ECHO_REQUEST => Message::EchoRequest(r.rest().to_vec()),
        t::ECHO_REPLY => Message::EchoReply(r.rest().to_vec()),
        t::EXPERIMENTER => Message::Experimenter(Experimenter::decode(r)?),
        t::FEATURES_REQUEST => Message::FeaturesRequest,
        t::FEATURES_REPLY => Message::FeaturesReply(FeaturesReply::decode(r)?),
        t::GET_CONFIG_REQUEST => Message::GetConfigRequest,
        t::GET_CONFIG_REPLY => Message::GetConfigReply(SwitchConfig::decode(r)?),
        t::SET_CONFIG => Message::SetConfig(SwitchConfig::decode(r)?),
        t::PACKET_IN => Message::PacketIn(PacketIn::decode(r)?),
        t::FLOW_REMOVED => Message::FlowRemoved(FlowRemoved::decode(r)?),
        t::PORT_STATUS => Message::PortStatus(PortStatus::decode(r)?),
        t::PACKET_OUT => Message::PacketOut(PacketOut::decode(r)?),
        t::FLOW_MOD => Message::FlowMod(Box::new(FlowMod::decode(r)?)),
        t::GROUP_MOD => Message::GroupMod(GroupMod::decode(r)?),
        t::PORT_MOD => Message::PortMod(PortMod::decode(r)?),
        t::TABLE_MOD => Message::TableMod(TableMod::decode(r)?),
        t::MULTIPART_REQUEST => Message::MultipartRequest(MultipartRequest::decode(r)?),
        t::MULTIPART_REPLY => Message::MultipartReply(MultipartReply::decode(r)?),
        t::BARRIER_REQUEST => Message::BarrierRequest,
        t::BARRIER_REPLY => Message::BarrierReply,
        t::QUEUE_GET_CONFIG_REQUEST => {
            let port = r.u32()?;
            r.skip(4)?;
            Message::QueueGetConfigRequest(port)
        }
        t::QUEUE_GET_CONFIG_REPLY => Message::QueueGetConfigReply(QueueConfigReply::decode(r)?),
        t::ROLE_REQUEST => Message::RoleRequest(Role::decode(r)?),
        t::ROLE_REPLY => Message::RoleReply(Role::decode(r)?),
        t::GET_ASYNC_REQUEST => Message::GetAsyncRequest,
        t::GET_ASYNC_REPLY => Message::GetAsyncReply(AsyncConfig::decode(r)?),
        t::SET_ASYNC => Message::SetAsync(AsyncConfig::decode(r)?),
        t::METER_MOD => Message::MeterMod(MeterMod::decode(r)?),
        _ => return Err(WireError::bad_request(bad_request::BAD_TYPE)),
    };
    r.end()?;
    Ok((xid, message))
}

/// A message of more than 65535 bytes, which the header's length cannot say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "an OpenFlow message of {len} bytes cannot be sent, since its length field ends at 65535; \
     send fewer actions, fields or bytes in one message"
)]
pub struct TooLong {
    /// Bytes that it would have.
    pub len: usize,
}

/// Appends a message to `out`.
///
/// # Errors
/// The message would be longer than one can be; `out` is as it was.
pub fn encode(xid: u32, message: &Message, out: &mut Vec<u8>) -> Result<(), TooLong> {
    let start = begin(message.wire_type(), xid, out);
    message.encode_body(out);
    if let Message::Hello(hello) = message {
        out[start] = hello.version;
    }
    finish(start, out)
}

/// Starts a message; gives where.
fn begin(kind: u8, xid: u32, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.u8(VERSION);
    out.u8(kind);
    out.u16(0);
    out.u32(xid);
    start
}

/// Fills in the length of the message that starts at `start`, or takes it away again.
fn finish(start: usize, out: &mut Vec<u8>) -> Result<(), TooLong> {
    let len = out.len() - start;
    if len > usize::from(u16::MAX) {
        out.truncate(start);
        return Err(TooLong { len });
    }
    out.patch_len(start + 2, start);
    Ok(())
}

impl Message {
    /// Its number in `enum ofp_type` ([`message_type`]).
    #[must_use]
    pub const fn wire_type(&self) -> u8 {
        use message_type as t;
        match self {
            Self::Hello(_) => t::HELLO,
            Self::Error(_) => t::ERROR,
            Self::EchoRequest(_) => t::ECHO_REQUEST,
            Self::EchoReply(_) => t::ECHO_REPLY,
            Self::Experimenter(_) => t::EXPERIMENTER,
            Self::FeaturesRequest => t::FEATURES_REQUEST,
            Self::FeaturesReply(_) => t::FEATURES_REPLY,
            Self::GetConfigRequest => t::GET_CONFIG_REQUEST,
            Self::GetConfigReply(_) => t::GET_CONFIG_REPLY,
            Self::SetConfig(_) => t::SET_CONFIG,
            Self::PacketIn(_) => t::PACKET_IN,
            Self::FlowRemoved(_) => t::FLOW_REMOVED,
            Self::PortStatus(_) => t::PORT_STATUS,
            Self::PacketOut(_) => t::PACKET_OUT,
            Self::FlowMod(_) => t::FLOW_MOD,
            Self::GroupMod(_) => t::GROUP_MOD,
            Self::PortMod(_) => t::PORT_MOD,
            Self::TableMod(_) => t::TABLE_MOD,
            Self::MultipartRequest(_) => t::MULTIPART_REQUEST,
            Self::MultipartReply(_) => t::MULTIPART_REPLY,
            Self::BarrierRequest => t::BARRIER_REQUEST,
            Self::BarrierReply => t::BARRIER_REPLY,
            Self::QueueGetConfigRequest(_) => t::QUEUE_GET_CONFIG_REQUEST,
            Self::QueueGetConfigReply(_) => t::QUEUE_GET_CONFIG_REPLY,
            Self::RoleRequest(_) => t::ROLE_REQUEST,
            Self::RoleReply(_) => t::ROLE_REPLY,
            Self::GetAsyncRequest => t::GET_ASYNC_REQUEST,
            Self::GetAsyncReply(_) => t::GET_ASYNC_REPLY,
            Self::SetAsync(_) => t::SET_ASYNC,
            Self::MeterMod(_) => t::METER_MOD,
        }
    }

    fn encode_body(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello(m) => m.encode(out),
            Self::Error(m) => m.encode(out),
            Self::EchoRequest(data) | Self::EchoReply(data) => out.extend_from_slice(data),
            Self::Experimenter(m) => m.encode(out),
            Self::FeaturesReply(m) => m.encode(out),
            Self::GetConfigReply(m) | Self::SetConfig(m) => m.encode(out),
            Self::PacketIn(m) => m.encode(out),
            Self::FlowRemoved(m) => m.encode(out),
            Self::PortStatus(m) => m.encode(out),
            Self::PacketOut(m) => m.encode(out),
            Self::FlowMod(m) => m.encode(out),
            Self::GroupMod(m) => m.encode(out),
            Self::PortMod(m) => m.encode(out),
            Self::TableMod(m) => m.encode(out),
            Self::MultipartRequest(m) => m.encode(out),
            Self::MultipartReply(m) => m.encode(out),
            Self::QueueGetConfigRequest(port) => {
                out.u32(*port);
                out.zeros(4);
            }
            Self::QueueGetConfigReply(m) => m.encode(out),
            Self::RoleRequest(m) | Self::RoleReply(m) => m.encode(out),
            Self::GetAsyncReply(m) | Self::SetAsync(m) => m.encode(out),
            Self::MeterMod(m) => m.encode(out),
            Self::FeaturesRequest
            | Self::GetConfigRequest
            | Self::BarrierRequest
            | Self::BarrierReply
            | Self::GetAsyncRequest => {}
        }
    }
}
