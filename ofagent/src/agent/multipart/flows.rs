//! Flow and aggregate statistics (sections 7.3.5.2 and 7.3.5.3), of tables of any size.

use super::listing::{STEP, push};
use crate::convert;
use crate::outbox::Dump;
use crate::wire::multipart::flow::AggregateStats;
use crate::wire::multipart::{MultipartReply, ReplyBody, Writer};
use crate::wire::{self, Message};
use dataplane::table::Rule;
use dataplane::table::cursor::Cursor;
use std::sync::Arc;

/// Rules that are taken from the tables at once.
const BATCH: usize = 128;
/// Rules that are looked at in one go: some milliseconds' worth.
const LOOKS: usize = 16 * 1024;

/// The answer to a request for flow statistics. It holds a snapshot of the tables, not a copy.
pub(super) struct FlowDump {
    xid: u32,
    cursor: Cursor,
    batch: std::vec::IntoIter<(u8, Arc<Rule>)>,
}

impl FlowDump {
    pub(super) fn new(xid: u32, cursor: Cursor) -> Self {
        Self { xid, cursor, batch: Vec::new().into_iter() }
    }
}

impl Dump for FlowDump {
    fn write(&mut self, out: &mut Vec<u8>) -> bool {
        let mut writer = Writer::reply(self.xid, out);
        let (mut written, mut looks) = (0, 0);
        while written < STEP {
            if let Some((table, rule)) = self.batch.next() {
                written += push(&mut writer, &convert::flow::stats_to_wire(table, &rule));
                continue;
            }
            if looks >= LOOKS {
                break;
            }
            looks += BATCH;
            let Some(batch) = self.cursor.next(BATCH) else {
                writer.finish();
                return false;
            };
            self.batch = batch.into_iter();
        }
        writer.finish_part();
        true
    }
}

/// The answer to a request for aggregate statistics: one message, when all rules were looked at.
pub(super) struct Aggregate {
    xid: u32,
    cursor: Cursor,
    sum: AggregateStats,
}

impl Aggregate {
    pub(super) fn new(xid: u32, cursor: Cursor) -> Self {
        let sum = AggregateStats { packet_count: 0, byte_count: 0, flow_count: 0 };
        Self { xid, cursor, sum }
    }
}

impl Dump for Aggregate {
    fn write(&mut self, out: &mut Vec<u8>) -> bool {
        if let Some(batch) = self.cursor.next(LOOKS) {
            for (_, rule) in batch {
                self.sum.packet_count += rule.stats.packets();
                self.sum.byte_count += rule.stats.bytes();
                self.sum.flow_count += 1;
            }
            return true;
        }
        let body = ReplyBody::Aggregate(self.sum);
        let reply = Message::MultipartReply(MultipartReply { more: false, body });
        if let Err(error) = wire::encode(self.xid, &reply, out) {
            tracing::error!("aggregate statistics not sent: {error}");
        }
        false
    }
}
