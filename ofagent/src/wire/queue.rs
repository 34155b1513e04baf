//! Queues (sections 7.2.2 and 7.3.6).

/// `enum ofp_queue_properties`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueProperty {
    /// Minimum rate in tenths of a percent.
    MinRate(u16),
    /// Maximum rate in tenths of a percent.
    MaxRate(u16),
}

/// `ofp_packet_queue`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct PacketQueue {
    pub queue_id: u32,
    pub port: u32,
    pub properties: Vec<QueueProperty>,
}

/// `ofp_queue_get_config_reply`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct QueueConfigReply {
    pub port: u32,
    pub queues: Vec<PacketQueue>,
}
