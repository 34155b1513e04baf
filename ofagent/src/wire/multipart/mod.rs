//! Multipart messages (section 7.3.5).
//!
//! Replies that do not fit one message are several, all but the last with `more`. [`MultipartReply`]
//! is one of them.

pub mod desc;
pub mod flow;
pub mod group;
pub mod meter;
pub mod port;
pub mod queue;
pub mod table;
mod writer;

pub use writer::{Item, Writer};

use super::bytes::{Put, Reader};
use super::error::{WireError, bad_request};
use desc::Desc;
use flow::{AggregateStats, FlowStats, FlowStatsRequest};
use group::{GroupDesc, GroupFeatures, GroupStats};
use meter::{MeterConfig, MeterFeatures, MeterStats};
use port::PortStats;
use queue::{QueueStats, QueueStatsRequest};
use table::{TableFeatures, TableStats};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultipartRequest {
    /// `OFPMPF_REQ_MORE`.
    pub more: bool,
    /// What is asked for.
    pub body: RequestBody,
}

/// What is asked for (`enum ofp_multipart_type`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestBody {
    /// `OFPMP_DESC`.
    Desc,
    /// `OFPMP_FLOW`.
    Flow(FlowStatsRequest),
    /// `OFPMP_AGGREGATE`.
    Aggregate(FlowStatsRequest),
    /// `OFPMP_TABLE`.
    Table,
    /// `OFPMP_PORT_STATS`: of this port, or of all ([`super::PORT_ANY`]).
    PortStats(u32),
    /// `OFPMP_QUEUE`.
    Queue(QueueStatsRequest),
    /// `OFPMP_GROUP`: of this group, or of all (`OFPG_ALL`).
    Group(u32),
    /// `OFPMP_GROUP_DESC`.
    GroupDesc,
    /// `OFPMP_GROUP_FEATURES`.
    GroupFeatures,
    /// `OFPMP_METER`: of this meter, or of all (`OFPM_ALL`).
    Meter(u32),
    /// `OFPMP_METER_CONFIG`: of this meter, or of all (`OFPM_ALL`).
    MeterConfig(u32),
    /// `OFPMP_METER_FEATURES`.
    MeterFeatures,
    /// `OFPMP_TABLE_FEATURES`: empty to ask, else what the tables shall be.
    TableFeatures(Vec<TableFeatures>),
    /// `OFPMP_PORT_DESC`.
    PortDesc,
    /// `OFPMP_EXPERIMENTER`.
    Experimenter {
        /// Whose.
        experimenter: u32,
        /// Its type.
        exp_type: u32,
        /// What follows.
        data: Vec<u8>,
    },
}

/// A reply, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultipartReply {
    /// `OFPMPF_REPLY_MORE`.
    pub more: bool,
    /// What is answered.
    pub body: ReplyBody,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "as in the request")]
pub enum ReplyBody {
    Desc(Desc),
    Flow(Vec<FlowStats>),
    Aggregate(AggregateStats),
    Table(Vec<TableStats>),
    PortStats(Vec<PortStats>),
    Queue(Vec<QueueStats>),
    Group(Vec<GroupStats>),
    GroupDesc(Vec<GroupDesc>),
    GroupFeatures(GroupFeatures),
    Meter(Vec<MeterStats>),
    MeterConfig(Vec<MeterConfig>),
    MeterFeatures(MeterFeatures),
    TableFeatures(Vec<TableFeatures>),
    PortDesc(Vec<super::port::Port>),
    Experimenter { experimenter: u32, exp_type: u32, data: Vec<u8> },
}

/// `enum ofp_multipart_type`.
pub mod multipart_type {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const DESC: u16 = 0;
    pub const FLOW: u16 = 1;
    pub const AGGREGATE: u16 = 2;
    pub const TABLE: u16 = 3;
    pub const PORT_STATS: u16 = 4;
    pub const QUEUE: u16 = 5;
    pub const GROUP: u16 = 6;
    pub const GROUP_DESC: u16 = 7;
    pub const GROUP_FEATURES: u16 = 8;
    pub const METER: u16 = 9;
    pub const METER_CONFIG: u16 = 10;
    pub const METER_FEATURES: u16 = 11;
    pub const TABLE_FEATURES: u16 = 12;
    pub const PORT_DESC: u16 = 13;
    pub const EXPERIMENTER: u16 = 0xffff;
}

const BAD_LEN: WireError = WireError::bad_request(bad_request::BAD_LEN);
const BAD_MULTIPART: WireError = WireError::bad_request(bad_request::BAD_MULTIPART);

/// `OFPMPF_REQ_MORE` and `OFPMPF_REPLY_MORE`.
const MORE: u16 = 1;

/// `ofp_multipart_request` and `ofp_multipart_reply` without the message's header: type, flags, and
/// four bytes of padding.
fn decode_header(r: &mut Reader<'_>) -> Result<(u16, bool), WireError> {
    let kind = r.u16()?;
    let flags = r.u16()?;
    r.skip(4)?;
    Ok((kind, flags & MORE != 0))
}

fn encode_header(kind: u16, more: bool, out: &mut Vec<u8>) {
    out.u16(kind);
    out.u16(if more { MORE } else { 0 });
    out.zeros(4);
}

/// A number and four bytes of padding.
fn padded_u32(r: &mut Reader<'_>) -> Result<u32, WireError> {
    let number = r.u32()?;
    r.skip(4)?;
    Ok(number)
}

fn decode_items<T: Item>(r: &mut Reader<'_>) -> Result<Vec<T>, WireError> {
    let mut items = Vec::new();
    while !r.is_empty() {
        items.push(T::decode(r)?);
    }
    Ok(items)
}

fn encode_items<T: Item>(items: &[T], out: &mut Vec<u8>) {
    for item in items {
        item.encode(out);
    }
}

/// `ofp_experimenter_multipart_header` and what follows.
fn decode_experimenter(r: &mut Reader<'_>) -> Result<(u32, u32, Vec<u8>), WireError> {
    Ok((r.u32()?, r.u32()?, r.rest().to_vec()))
}

fn encode_experimenter(experimenter: u32, exp_type: u32, data: &[u8], out: &mut Vec<u8>) {
    out.u32(experimenter);
    out.u32(exp_type);
    out.extend_from_slice(data);
}

impl MultipartRequest {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        use multipart_type as t;
        let (kind, more) = decode_header(r)?;
        let body = match kind {
            t::DESC => RequestBody::Desc,
            t::FLOW => RequestBody::Flow(FlowStatsRequest::decode(r)?),
            t::AGGREGATE => RequestBody::Aggregate(FlowStatsRequest::decode(r)?),
            t::TABLE => RequestBody::Table,
            t::PORT_STATS => RequestBody::PortStats(padded_u32(r)?),
            t::QUEUE => RequestBody::Queue(QueueStatsRequest::decode(r)?),
            t::GROUP => RequestBody::Group(padded_u32(r)?),
            t::GROUP_DESC => RequestBody::GroupDesc,
            t::GROUP_FEATURES => RequestBody::GroupFeatures,
            t::METER => RequestBody::Meter(padded_u32(r)?),
            t::METER_CONFIG => RequestBody::MeterConfig(padded_u32(r)?),
            t::METER_FEATURES => RequestBody::MeterFeatures,
            t::TABLE_FEATURES => RequestBody::TableFeatures(decode_items(r)?),
            t::PORT_DESC => RequestBody::PortDesc,
            t::EXPERIMENTER => {
                let (experimenter, exp_type, data) = decode_experimenter(r)?;
                RequestBody::Experimenter { experimenter, exp_type, data }
            }
            _ => return Err(BAD_MULTIPART),
        };
        Ok(Self { more, body })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        encode_header(self.body.wire_type(), self.more, out);
        match &self.body {
            RequestBody::Desc
            | RequestBody::Table
            | RequestBody::GroupDesc
            | RequestBody::GroupFeatures
            | RequestBody::MeterFeatures
            | RequestBody::PortDesc => {}
            RequestBody::Flow(request) | RequestBody::Aggregate(request) => request.encode(out),
            RequestBody::PortStats(id)
            | RequestBody::Group(id)
            | RequestBody::Meter(id)
            | RequestBody::MeterConfig(id) => {
                out.u32(*id);
                out.zeros(4);
            }
            RequestBody::Queue(request) => request.encode(out),
            RequestBody::TableFeatures(items) => encode_items(items, out),
            RequestBody::Experimenter { experimenter, exp_type, data } => {
                encode_experimenter(*experimenter, *exp_type, data, out);
            }
        }
    }
}

impl RequestBody {
    /// Its number in `enum ofp_multipart_type` ([`multipart_type`]).
    #[must_use]
    pub const fn wire_type(&self) -> u16 {
        use multipart_type as t;
        match self {
            Self::Desc => t::DESC,
            Self::Flow(_) => t::FLOW,
            Self::Aggregate(_) => t::AGGREGATE,
            Self::Table => t::TABLE,
            Self::PortStats(_) => t::PORT_STATS,
            Self::Queue(_) => t::QUEUE,
            Self::Group(_) => t::GROUP,
            Self::GroupDesc => t::GROUP_DESC,
            Self::GroupFeatures => t::GROUP_FEATURES,
            Self::Meter(_) => t::METER,
            Self::MeterConfig(_) => t::METER_CONFIG,
            Self::MeterFeatures => t::METER_FEATURES,
            Self::TableFeatures(_) => t::TABLE_FEATURES,
            Self::PortDesc => t::PORT_DESC,
            Self::Experimenter { .. } => t::EXPERIMENTER,
        }
    }
}

impl MultipartReply {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        use multipart_type as t;
        let (kind, more) = decode_header(r)?;
        let body = match kind {
            t::DESC => ReplyBody::Desc(Desc::decode(r)?),
            t::FLOW => ReplyBody::Flow(decode_items(r)?),
            t::AGGREGATE => ReplyBody::Aggregate(AggregateStats::decode(r)?),
            t::TABLE => ReplyBody::Table(decode_items(r)?),
            t::PORT_STATS => ReplyBody::PortStats(decode_items(r)?),
            t::QUEUE => ReplyBody::Queue(decode_items(r)?),
            t::GROUP => ReplyBody::Group(decode_items(r)?),
            t::GROUP_DESC => ReplyBody::GroupDesc(decode_items(r)?),
            t::GROUP_FEATURES => ReplyBody::GroupFeatures(GroupFeatures::decode(r)?),
            t::METER => ReplyBody::Meter(decode_items(r)?),
            t::METER_CONFIG => ReplyBody::MeterConfig(decode_items(r)?),
            t::METER_FEATURES => ReplyBody::MeterFeatures(MeterFeatures::decode(r)?),
            t::TABLE_FEATURES => ReplyBody::TableFeatures(decode_items(r)?),
            t::PORT_DESC => ReplyBody::PortDesc(decode_items(r)?),
            t::EXPERIMENTER => {
                let (experimenter, exp_type, data) = decode_experimenter(r)?;
                ReplyBody::Experimenter { experimenter, exp_type, data }
            }
            _ => return Err(BAD_MULTIPART),
        };
        Ok(Self { more, body })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        encode_header(self.body.wire_type(), self.more, out);
        match &self.body {
            ReplyBody::Desc(desc) => desc.encode(out),
            ReplyBody::Flow(items) => encode_items(items, out),
            ReplyBody::Aggregate(stats) => stats.encode(out),
            ReplyBody::Table(items) => encode_items(items, out),
            ReplyBody::PortStats(items) => encode_items(items, out),
            ReplyBody::Queue(items) => encode_items(items, out),
            ReplyBody::Group(items) => encode_items(items, out),
            ReplyBody::GroupDesc(items) => encode_items(items, out),
            ReplyBody::GroupFeatures(features) => features.encode(out),
            ReplyBody::Meter(items) => encode_items(items, out),
            ReplyBody::MeterConfig(items) => encode_items(items, out),
            ReplyBody::MeterFeatures(features) => features.encode(out),
            ReplyBody::TableFeatures(items) => encode_items(items, out),
            ReplyBody::PortDesc(items) => encode_items(items, out),
            ReplyBody::Experimenter { experimenter, exp_type, data } => {
                encode_experimenter(*experimenter, *exp_type, data, out);
            }
        }
    }
}

impl ReplyBody {
    /// Its number in `enum ofp_multipart_type` ([`multipart_type`]).
    #[must_use]
    pub const fn wire_type(&self) -> u16 {
        use multipart_type as t;
        match self {
            Self::Desc(_) => t::DESC,
            Self::Flow(_) => t::FLOW,
            Self::Aggregate(_) => t::AGGREGATE,
            Self::Table(_) => t::TABLE,
            Self::PortStats(_) => t::PORT_STATS,
            Self::Queue(_) => t::QUEUE,
            Self::Group(_) => t::GROUP,
            Self::GroupDesc(_) => t::GROUP_DESC,
            Self::GroupFeatures(_) => t::GROUP_FEATURES,
            Self::Meter(_) => t::METER,
            Self::MeterConfig(_) => t::METER_CONFIG,
            Self::MeterFeatures(_) => t::METER_FEATURES,
            Self::TableFeatures(_) => t::TABLE_FEATURES,
            Self::PortDesc(_) => t::PORT_DESC,
            Self::Experimenter { .. } => t::EXPERIMENTER,
        }
    }
}
