//! Features (section 7.3.1) and configuration (7.3.2).

/// `OFPC_FLOW_STATS` and the others of `enum ofp_capabilities`.
pub mod capability {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const FLOW_STATS: u32 = 1;
    pub const TABLE_STATS: u32 = 1 << 1;
    pub const PORT_STATS: u32 = 1 << 2;
    pub const GROUP_STATS: u32 = 1 << 3;
    pub const IP_REASM: u32 = 1 << 5;
    pub const QUEUE_STATS: u32 = 1 << 6;
    pub const PORT_BLOCKED: u32 = 1 << 8;
}

/// `ofp_switch_features`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeaturesReply {
    /// Datapath id.
    pub datapath_id: u64,
    /// Packets that can be buffered.
    pub n_buffers: u32,
    /// Tables.
    pub n_tables: u8,
    /// 0: the main connection.
    pub auxiliary_id: u8,
    /// [`capability`].
    pub capabilities: u32,
}

/// `ofp_switch_config`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchConfig {
    /// `OFPC_FRAG_*`: 0 normal, 1 drop, 2 reassemble.
    pub flags: u16,
    /// Bytes of a packet that table-miss packet-ins carry.
    pub miss_send_len: u16,
}
