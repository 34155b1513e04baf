//! The codec: messages of OpenFlow 1.3 to bytes and back, in both directions, without any I/O.
//!
//! A decoder never panics, never reads beyond the message, and allocates no more than a small
//! multiple of the message's own bytes, whatever its length fields claim.

pub mod action;
pub mod asynchronous;
pub mod error;
pub mod experimenter;
pub mod features;
pub mod flow_mod;
pub mod flow_removed;
pub mod group_mod;
pub mod hello;
pub mod instruction;
pub mod meter_mod;
pub mod multipart;
pub mod oxm;
pub mod packet_in;
pub mod packet_out;
pub mod port;
pub mod queue;
pub mod role;
pub mod table_mod;

use asynchronous::AsyncConfig;
use error::{ErrorMessage, WireError};
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

/// Decodes one whole message (its header's length is that of `bytes`); gives its transaction id.
///
/// # Errors
/// What an error message shall say of it.
pub fn decode(bytes: &[u8]) -> Result<(u32, Message), WireError> {
    let _ = bytes;
    Err(WireError::bad_request(error::bad_request::BAD_TYPE))
}

/// Appends a message to `out`.
pub fn encode(xid: u32, message: &Message, out: &mut Vec<u8>) {
    let _ = (xid, message, out);
}
