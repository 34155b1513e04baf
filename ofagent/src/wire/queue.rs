//! Queues (sections 7.2.2 and 7.3.6).

use super::bytes::{Put, Reader};
use super::error::{WireError, bad_request};

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

/// `OFPQT_MIN_RATE`.
const MIN_RATE: u16 = 1;
/// `OFPQT_MAX_RATE`.
const MAX_RATE: u16 = 2;

const BAD_LEN: WireError = WireError::bad_request(bad_request::BAD_LEN);

impl QueueProperty {
    /// An experimenter's, and any other that is not known, is left out.
    fn decode(r: &mut Reader<'_>) -> Result<Option<Self>, WireError> {
        let kind = r.u16()?;
        let len = usize::from(r.u16()?).checked_sub(4).ok_or(BAD_LEN)?;
        let mut body = r.part(len)?;
        body.skip(4)?;
        Ok(match kind {
            MIN_RATE => Some(Self::MinRate(body.u16()?)),
            MAX_RATE => Some(Self::MaxRate(body.u16()?)),
            _ => None,
        })
    }

    fn encode(self, out: &mut Vec<u8>) {
        let (kind, rate) = match self {
            Self::MinRate(rate) => (MIN_RATE, rate),
            Self::MaxRate(rate) => (MAX_RATE, rate),
        };
        out.u16(kind);
        out.u16(16);
        out.zeros(4);
        out.u16(rate);
        out.zeros(6);
    }
}

impl PacketQueue {
    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let queue_id = r.u32()?;
        let port = r.u32()?;
        let len = usize::from(r.u16()?).checked_sub(10).ok_or(BAD_LEN)?;
        let mut body = r.part(len)?;
        body.skip(6)?;
        let mut properties = Vec::new();
        while !body.is_empty() {
            properties.extend(QueueProperty::decode(&mut body)?);
        }
        Ok(Self { queue_id, port, properties })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.u32(self.queue_id);
        out.u32(self.port);
        out.zeros(8);
        for property in &self.properties {
            property.encode(out);
        }
        out.patch_len(start + 8, start);
    }
}

impl QueueConfigReply {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let port = r.u32()?;
        r.skip(4)?;
        let mut queues = Vec::new();
        while !r.is_empty() {
            queues.push(PacketQueue::decode(r)?);
        }
        Ok(Self { port, queues })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.u32(self.port);
        out.zeros(4);
        for queue in &self.queues {
            queue.encode(out);
        }
    }
}
