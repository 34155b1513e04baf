//! Queue statistics (section 7.3.5.8).

use super::{Item, multipart_type};
use crate::wire::bytes::{Put, Reader};
use crate::wire::error::WireError;

/// `ofp_queue_stats_request`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct QueueStatsRequest {
    pub port_no: u32,
    pub queue_id: u32,
}

/// `ofp_queue_stats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct QueueStats {
    pub port_no: u32,
    pub queue_id: u32,
    pub tx_bytes: u64,
    pub tx_packets: u64,
    pub tx_errors: u64,
    pub duration_sec: u32,
    pub duration_nsec: u32,
}

impl QueueStatsRequest {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self { port_no: r.u32()?, queue_id: r.u32()? })
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.u32(self.port_no);
        out.u32(self.queue_id);
    }
}

impl Item for QueueStats {
    const KIND: u16 = multipart_type::QUEUE;

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            port_no: r.u32()?,
            queue_id: r.u32()?,
            tx_bytes: r.u64()?,
            tx_packets: r.u64()?,
            tx_errors: r.u64()?,
            duration_sec: r.u32()?,
            duration_nsec: r.u32()?,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.u32(self.port_no);
        out.u32(self.queue_id);
        out.u64(self.tx_bytes);
        out.u64(self.tx_packets);
        out.u64(self.tx_errors);
        out.u32(self.duration_sec);
        out.u32(self.duration_nsec);
    }
}
