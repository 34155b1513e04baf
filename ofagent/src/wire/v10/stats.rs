//! Statistics (OpenFlow 1.0, section 5.3.5), and Open vSwitch's own (`nicira-ext.h`,
//! `nicira10_stats_msg`).

use super::port::{narrow, widen};
use super::{VERSION, flow, group, matching, message_type, port};
use crate::wire::bytes::{Put, Reader};
use crate::wire::error::{WireError, bad_request};
use crate::wire::experimenter::NICIRA;
use crate::wire::multipart::group::GroupFeatures;
use crate::wire::multipart::port::PortStats;
use crate::wire::multipart::queue::{QueueStats, QueueStatsRequest};
use crate::wire::multipart::table::TableStats;
use crate::wire::multipart::{Item, MultipartReply, MultipartRequest, ReplyBody, RequestBody};
use dataplane::table::pipeline::MAX_RULES;

/// `enum ofp_stats_types`.
mod kind {
    pub(super) const DESC: u16 = 0;
    pub(super) const FLOW: u16 = 1;
    pub(super) const AGGREGATE: u16 = 2;
    pub(super) const TABLE: u16 = 3;
    pub(super) const PORT: u16 = 4;
    pub(super) const QUEUE: u16 = 5;
    /// Open vSwitch takes it from 1.3.
    pub(super) const PORT_DESC: u16 = 13;
    pub(super) const VENDOR: u16 = 0xffff;
}

/// `NXST_*`: Open vSwitch's (`ofp-msgs.h`).
mod nxst {
    pub(super) const FLOW: u32 = 0;
    pub(super) const AGGREGATE: u32 = 1;
    pub(super) const GROUP: u32 = 7;
    pub(super) const GROUP_DESC: u32 = 8;
    pub(super) const GROUP_FEATURES: u32 = 9;
}

/// Which form the answer to a request shall have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// OpenFlow 1.0's.
    Own,
    /// Open vSwitch's.
    Nicira,
    /// Open vSwitch's, and only this group.
    OneGroup(u32),
    /// A part of the features.
    Features,
}

/// `OFPG_ALL`.
const GROUP_ALL: u32 = 0xffff_fffc;
/// `OFPSF_REPLY_MORE`.
const MORE: u16 = 1;
/// Table names have as many bytes (`OFP_MAX_TABLE_NAME_LEN`).
const TABLE_NAME_LEN: usize = 32;
/// All of 1.0's actions, as bits.
pub(super) const ALL_ACTIONS: u32 = 0xfff;

/// Reads a request.
pub(super) fn decode(r: &mut Reader<'_>) -> Result<(MultipartRequest, Asked), WireError> {
    let kind = r.u16()?;
    r.skip(2)?;
    let body = match kind {
        kind::DESC => RequestBody::Desc,
        kind::FLOW => RequestBody::Flow(flow::decode_request(r)?),
        kind::AGGREGATE => RequestBody::Aggregate(flow::decode_request(r)?),
        kind::TABLE => RequestBody::Table,
        kind::PORT => {
            let port = widen(r.u16()?);
            r.skip(6)?;
            RequestBody::PortStats(port)
        }
        kind::QUEUE => {
            let port = r.u16()?;
            r.skip(2)?;
            // 1.0 says "all" where later versions say "any".
            let port_no = if port == PORT_ALL { u32::MAX } else { widen(port) };
            RequestBody::Queue(QueueStatsRequest { port_no, queue_id: r.u32()? })
        }
        kind::PORT_DESC => RequestBody::PortDesc,
        kind::VENDOR => return nicira(r),
        _ => return Err(WireError::bad_request(bad_request::BAD_MULTIPART)),
    };
    Ok((MultipartRequest { more: false, body }, Asked::Own))
}

/// `OFPP_ALL`.
const PORT_ALL: u16 = 0xfffc;

fn nicira(r: &mut Reader<'_>) -> Result<(MultipartRequest, Asked), WireError> {
    if r.u32()? != NICIRA {
        return Err(WireError::bad_request(bad_request::BAD_EXPERIMENTER));
    }
    let subtype = r.u32()?;
    r.skip(4)?;
    let mut asked = Asked::Nicira;
    let body = match subtype {
        nxst::FLOW => RequestBody::Flow(flow::decode_nxm_request(r)?),
        nxst::AGGREGATE => RequestBody::Aggregate(flow::decode_nxm_request(r)?),
        nxst::GROUP => {
            let id = r.u32()?;
            r.skip(4)?;
            RequestBody::Group(id)
        }
        nxst::GROUP_DESC => {
            let id = r.u32()?;
            r.skip(4)?;
            if id != GROUP_ALL {
                asked = Asked::OneGroup(id);
            }
            RequestBody::GroupDesc
        }
        nxst::GROUP_FEATURES => RequestBody::GroupFeatures,
        _ => return Err(WireError::bad_request(bad_request::BAD_EXP_TYPE)),
    };
    Ok((MultipartRequest { more: false, body }, asked))
}

/// A reply that is being written: cut into several where a message is full, since items may be longer
/// here than they were.
struct Reply<'a> {
    out: &'a mut Vec<u8>,
    xid: u32,
    kind: u16,
    /// The subtype of one of Open vSwitch's.
    subtype: u32,
    /// Where the message that is being written starts.
    start: usize,
}

impl<'a> Reply<'a> {
    fn own(xid: u32, kind: u16, out: &'a mut Vec<u8>) -> Self {
        let mut this = Self { out, xid, kind, subtype: 0, start: 0 };
        this.begin();
        this
    }

    fn nicira(xid: u32, subtype: u32, out: &'a mut Vec<u8>) -> Self {
        let mut this = Self { out, xid, kind: kind::VENDOR, subtype, start: 0 };
        this.begin();
        this
    }

    fn begin(&mut self) {
        self.start = self.out.len();
        self.out.u8(VERSION);
        self.out.u8(message_type::STATS_REPLY);
        self.out.u16(0);
        self.out.u32(self.xid);
        self.out.u16(self.kind);
        self.out.u16(0);
        if self.kind == kind::VENDOR {
            self.out.u32(NICIRA);
            self.out.u32(self.subtype);
            self.out.zeros(4);
        }
    }

    /// Writes an item. One that does not even fit a message of its own is left out.
    fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.out.len();
        write(self.out);
        if self.out.len() - self.start <= usize::from(u16::MAX) {
            return;
        }
        let item = self.out.split_off(at);
        self.finish(true);
        self.begin();
        if self.out.len() - self.start + item.len() <= usize::from(u16::MAX) {
            self.out.extend_from_slice(&item);
        } else {
            tracing::error!(bytes = item.len(), "too long for a message, not sent");
        }
    }

    fn finish(&mut self, more: bool) {
        if more {
            // The low byte of the flags.
            self.out[self.start + 11] = MORE as u8;
        }
        self.out.patch_len(self.start + 2, self.start);
    }
}

/// Appends a reply.
pub(super) fn encode(xid: u32, reply: &MultipartReply, asked: Asked, out: &mut Vec<u8>) {
    let own = |kind, out| Reply::own(xid, kind, out);
    let nxst = |subtype, out| Reply::nicira(xid, subtype, out);
    let mut r;
    match &reply.body {
        // As in 1.3.
        ReplyBody::Desc(desc) => {
            r = own(kind::DESC, out);
            r.push(|out| desc.encode(out));
        }
        ReplyBody::Flow(flows) if asked == Asked::Own => {
            r = own(kind::FLOW, out);
            flows.iter().for_each(|f| r.push(|out| flow::encode_stats(f, out)));
        }
        ReplyBody::Flow(flows) => {
            r = nxst(nxst::FLOW, out);
            flows.iter().for_each(|f| r.push(|out| flow::encode_nxm_stats(f, out)));
        }
        ReplyBody::Aggregate(stats) => {
            r = if asked == Asked::Own {
                own(kind::AGGREGATE, out)
            } else {
                nxst(nxst::AGGREGATE, out)
            };
            r.push(|out| stats.encode(out));
        }
        ReplyBody::Table(tables) => {
            r = own(kind::TABLE, out);
            tables.iter().for_each(|t| r.push(|out| table(t, out)));
        }
        ReplyBody::PortStats(ports) => {
            r = own(kind::PORT, out);
            ports.iter().for_each(|p| r.push(|out| port_stats(p, out)));
        }
        ReplyBody::Queue(queues) => {
            r = own(kind::QUEUE, out);
            queues.iter().for_each(|q| r.push(|out| queue(q, out)));
        }
        ReplyBody::PortDesc(ports) => {
            r = own(kind::PORT_DESC, out);
            ports.iter().for_each(|p| r.push(|out| port::encode(p, out)));
        }
        ReplyBody::Group(groups) => {
            r = nxst(nxst::GROUP, out);
            groups.iter().for_each(|g| r.push(|out| g.encode(out)));
        }
        ReplyBody::GroupDesc(groups) => {
            r = nxst(nxst::GROUP_DESC, out);
            let wanted = groups.iter().filter(|g| match asked {
                Asked::OneGroup(id) => g.group_id == id,
                _ => true,
            });
            wanted.for_each(|g| r.push(|out| group::encode_desc(g, out)));
        }
        ReplyBody::GroupFeatures(features) => {
            r = nxst(nxst::GROUP_FEATURES, out);
            let features = GroupFeatures { actions: [ALL_ACTIONS; 4], ..*features };
            r.push(|out| features.encode(out));
        }
        // Nothing in 1.0 asks for these.
        ReplyBody::Meter(_)
        | ReplyBody::MeterConfig(_)
        | ReplyBody::MeterFeatures(_)
        | ReplyBody::TableFeatures(_)
        | ReplyBody::Experimenter { .. } => return,
    }
    r.finish(reply.more);
}

/// `ofp_table_stats`. Tables have no names, as in Open vSwitch.
fn table(stats: &TableStats, out: &mut Vec<u8>) {
    out.u8(stats.table_id);
    out.zeros(3 + TABLE_NAME_LEN);
    out.u32(matching::ALL_WILDCARDS);
    out.u32(MAX_RULES as u32);
    out.u32(stats.active_count);
    out.u64(stats.lookup_count);
    out.u64(stats.matched_count);
}

/// `ofp_port_stats`.
fn port_stats(stats: &PortStats, out: &mut Vec<u8>) {
    out.u16(narrow(stats.port_no));
    out.zeros(6);
    for counter in [
        stats.rx_packets,
        stats.tx_packets,
        stats.rx_bytes,
        stats.tx_bytes,
        stats.rx_dropped,
        stats.tx_dropped,
        stats.rx_errors,
        stats.tx_errors,
        stats.rx_frame_err,
        stats.rx_over_err,
        stats.rx_crc_err,
        stats.collisions,
    ] {
        out.u64(counter);
    }
}

/// `ofp_queue_stats`.
fn queue(stats: &QueueStats, out: &mut Vec<u8>) {
    out.u16(narrow(stats.port_no));
    out.zeros(2);
    out.u32(stats.queue_id);
    out.u64(stats.tx_bytes);
    out.u64(stats.tx_packets);
    out.u64(stats.tx_errors);
}
