//! Features (section 7.3.1) and configuration (7.3.2).

use super::bytes::{Put, Reader};
use super::error::WireError;

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

impl FeaturesReply {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let datapath_id = r.u64()?;
        let n_buffers = r.u32()?;
        let n_tables = r.u8()?;
        let auxiliary_id = r.u8()?;
        r.skip(2)?;
        let capabilities = r.u32()?;
        r.skip(4)?;
        Ok(Self { datapath_id, n_buffers, n_tables, auxiliary_id, capabilities })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.u64(self.datapath_id);
        out.u32(self.n_buffers);
        out.u8(self.n_tables);
        out.u8(self.auxiliary_id);
        out.zeros(2);
        out.u32(self.capabilities);
        out.zeros(4);
    }
}

impl SwitchConfig {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self { flags: r.u16()?, miss_send_len: r.u16()? })
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.u16(self.flags);
        out.u16(self.miss_send_len);
    }
}
