//! Asynchronous configuration (section 7.3.10).

use super::bytes::{Put, Reader};
use super::error::WireError;

/// `ofp_async_config`: which asynchronous messages a connection wants, as bits of their reasons; of
/// each pair the first is for a master or equal, the second for a slave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct AsyncConfig {
    pub packet_in: [u32; 2],
    pub port_status: [u32; 2],
    pub flow_removed: [u32; 2],
}

impl AsyncConfig {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            packet_in: [r.u32()?, r.u32()?],
            port_status: [r.u32()?, r.u32()?],
            flow_removed: [r.u32()?, r.u32()?],
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for bits in [self.packet_in, self.port_status, self.flow_removed].as_flattened() {
            out.u32(*bits);
        }
    }
}
