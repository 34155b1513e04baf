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
