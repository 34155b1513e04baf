//! What the agent knows of a connection, and which messages it wants unasked.

use super::ConnKind;
use super::limit::Limiter;
use crate::outbox::Outbox;
use crate::wire::asynchronous::AsyncConfig;
use crate::wire::multipart::table::TableFeatures;
use crate::wire::packet_in::{REASON_ACTION, REASON_NO_MATCH};
use crate::wire::role::ControllerRole;

/// Bytes of a packet that are sent where no action says how many (`OFP_DEFAULT_MISS_SEND_LEN`).
const DEFAULT_MISS_SEND_LEN: u16 = 128;
/// Bytes that may wait for a connection that does not take them, before packet-ins are dropped.
const MAX_WAITING: usize = 1 << 20;

/// What a connection gets until it says otherwise (section 6.3.4: an equal or master everything, a
/// slave only port-status). As with Open vSwitch, packets whose TTL ran out have to be asked for.
const DEFAULT_ASYNC: AsyncConfig = AsyncConfig {
    packet_in: [1 << REASON_NO_MATCH | 1 << REASON_ACTION, 0],
    port_status: [0b111, 0b111],
    flow_removed: [0b1111, 0],
};

/// The kinds of messages that are sent unasked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unasked {
    PacketIn,
    PortStatus,
    FlowRemoved,
}

/// See the module.
pub(super) struct Connection {
    pub(super) kind: ConnKind,
    pub(super) outbox: Outbox,
    pub(super) role: ControllerRole,
    pub(super) asynchronous: AsyncConfig,
    pub(super) miss_send_len: u16,
    /// Open vSwitch's controller id.
    pub(super) controller_id: u16,
    /// Of each packet-in reason.
    pub(super) limiters: [Limiter; 3],
    /// Parts of a table features request that has not ended.
    pub(super) table_features: Option<PartialRequest>,
}

/// A request in several messages.
pub(super) struct PartialRequest {
    pub(super) xid: u32,
    pub(super) tables: Vec<TableFeatures>,
}

impl Connection {
    pub(super) fn new(kind: ConnKind) -> Self {
        let miss_send_len = match kind {
            ConnKind::Controller => DEFAULT_MISS_SEND_LEN,
            ConnKind::Service => 0,
        };
        Self {
            kind,
            outbox: Outbox::default(),
            role: ControllerRole::Equal,
            asynchronous: DEFAULT_ASYNC,
            miss_send_len,
            controller_id: 0,
            limiters: <[Limiter; 3]>::default(),
            table_features: None,
        }
    }

    /// Whether it wants a message of this kind and reason. A service connection asks for them by
    /// setting a miss_send_len, as with Open vSwitch.
    pub(super) fn wants(&self, what: Unasked, reason: u8) -> bool {
        if self.kind == ConnKind::Service && self.miss_send_len == 0 {
            return false;
        }
        let reasons = match what {
            Unasked::PacketIn => self.asynchronous.packet_in,
            Unasked::PortStatus => self.asynchronous.port_status,
            Unasked::FlowRemoved => self.asynchronous.flow_removed,
        };
        reasons[usize::from(self.role == ControllerRole::Slave)] & 1 << reason != 0
    }

    /// Whether it takes what it is sent.
    pub(super) fn keeps_up(&self) -> bool {
        self.outbox.waiting() < MAX_WAITING
    }
}
