//! Multipart requests (section 7.3.5).

mod features;
mod flows;
mod listing;
mod tables;

use super::connection::PartialRequest;
use super::{Agent, ConnId};
use crate::convert;
use crate::wire::error::{WireError, bad_request, kind, meter_mod_failed, queue_op_failed};
use crate::wire::multipart::desc::Desc;
use crate::wire::multipart::meter::{MeterConfig, MeterStats};
use crate::wire::multipart::queue::{QueueStats, QueueStatsRequest};
use crate::wire::multipart::table::TableFeatures;
use crate::wire::multipart::{Item, MultipartReply, MultipartRequest, ReplyBody, RequestBody};
use crate::wire::{Message, PORT_ANY};
use dataplane::switch::Switch;
use dataplane::table::Pipeline;
use dataplane::table::group::{GROUP_ALL, Group};
use dataplane::table::meter::{METER_ALL, Meter};
use flows::{Aggregate, FlowDump};
use listing::Listing;
use std::sync::Arc;

/// `OFPQ_ALL`.
const QUEUE_ALL: u32 = u32::MAX;
/// Tables that a request in several messages may hold.
const MAX_TABLES: usize = 512;

impl Agent {
    pub(super) fn multipart(
        &mut self,
        switch: &mut Switch,
        conn: ConnId,
        xid: u32,
        request: MultipartRequest,
    ) -> Result<(), WireError> {
        if let RequestBody::TableFeatures(tables) = request.body {
            return self.table_features(switch, conn, xid, tables, request.more);
        }
        if request.more {
            // No other request has an array that could go on in the next message.
            return Err(WireError::bad_request(bad_request::MULTIPART_BUFFER_OVERFLOW));
        }
        let Some(pipeline) = switch.pipeline(self.info.id) else { return Ok(()) };
        match request.body {
            RequestBody::Desc => self.reply(conn, xid, ReplyBody::Desc(self.desc())),
            RequestBody::Flow(request) => {
                let filter = convert::flow::filter_from_wire(&request)?;
                let dump = FlowDump::new(xid, pipeline.cursor(filter));
                self.with_outbox(conn, |outbox| outbox.dump(Box::new(dump)));
            }
            RequestBody::Aggregate(request) => {
                let filter = convert::flow::filter_from_wire(&request)?;
                let dump = Aggregate::new(xid, pipeline.cursor(filter));
                self.with_outbox(conn, |outbox| outbox.dump(Box::new(dump)));
            }
            RequestBody::Table => {
                self.list(conn, xid, tables::stats(&pipeline));
            }
            RequestBody::PortStats(number) => self.port_stats(switch, conn, xid, number)?,
            RequestBody::Queue(request) => self.queue_stats(conn, xid, request)?,
            RequestBody::Group(id) => {
                let stats = |g: &Arc<Group>| {
                    convert::group::stats_to_wire(g, pipeline.group_references(g.id))
                };
                self.list(conn, xid, groups(&pipeline, id).iter().map(stats).collect());
            }
            RequestBody::GroupDesc => {
                let all = groups(&pipeline, GROUP_ALL);
                let desc = |g: Arc<Group>| convert::group::desc_to_wire(&g);
                let dump = Listing::new(xid, all.into_iter().map(desc));
                self.with_outbox(conn, |outbox| outbox.dump(Box::new(dump)));
            }
            RequestBody::GroupFeatures => {
                self.reply(conn, xid, ReplyBody::GroupFeatures(features::groups()));
            }
            RequestBody::Meter(id) => {
                let stats = |m: &Arc<Meter>| {
                    convert::meter::stats_to_wire(m, pipeline.meter_references(m.id))
                };
                let found = meters(&pipeline, id)?;
                self.list::<MeterStats>(conn, xid, found.iter().map(stats).collect());
            }
            RequestBody::MeterConfig(id) => {
                let found = meters(&pipeline, id)?;
                let configs = found.iter().map(|m| convert::meter::config_to_wire(m));
                self.list::<MeterConfig>(conn, xid, configs.collect());
            }
            RequestBody::MeterFeatures => {
                self.reply(conn, xid, ReplyBody::MeterFeatures(features::meters()));
            }
            RequestBody::PortDesc => {
                let ports = self.ports.iter().map(|known| known.port.clone()).collect();
                self.list(conn, xid, ports);
            }
            RequestBody::TableFeatures(_) => {}
            RequestBody::Experimenter { .. } => {
                return Err(WireError::bad_request(bad_request::BAD_EXPERIMENTER));
            }
        }
        Ok(())
    }

    fn reply(&mut self, conn: ConnId, xid: u32, body: ReplyBody) {
        self.send(conn, xid, &Message::MultipartReply(MultipartReply { more: false, body }));
    }

    /// Answers with items, in as many messages as they need.
    fn list<T: Item + Send + 'static>(&mut self, conn: ConnId, xid: u32, items: Vec<T>) {
        let dump = Listing::new(xid, items.into_iter());
        self.with_outbox(conn, |outbox| outbox.dump(Box::new(dump)));
    }

    fn with_outbox(&mut self, conn: ConnId, write: impl FnOnce(&mut crate::outbox::Outbox)) {
        if let Some(connection) = self.connections.get_mut(&conn) {
            write(&mut connection.outbox);
        }
    }

    fn desc(&self) -> Desc {
        Desc {
            mfr_desc: "vxswitch".into(),
            hw_desc: "userspace datapath".into(),
            sw_desc: env!("CARGO_PKG_VERSION").into(),
            serial_num: "None".into(),
            dp_desc: self.info.name.clone(),
        }
    }

    fn port_stats(
        &mut self,
        switch: &Switch,
        conn: ConnId,
        xid: u32,
        number: u32,
    ) -> Result<(), WireError> {
        if number != PORT_ANY && !self.ports.has(number) {
            return Err(WireError::bad_request(bad_request::BAD_PORT));
        }
        let stats = switch.stats();
        let known = self.ports.iter().filter(|k| number == PORT_ANY || k.port.port_no == number);
        let ports = known.map(|known| {
            let id = super::ports::port_id(switch, self.info.id, known.port.port_no);
            let counters = id.and_then(|id| stats.ports.get(&id)).cloned().unwrap_or_default();
            convert::port::stats_to_wire(known.port.port_no, &counters, known.since.elapsed())
        });
        let ports = ports.collect();
        self.list(conn, xid, ports);
        Ok(())
    }

    /// Ports have no queues.
    fn queue_stats(
        &mut self,
        conn: ConnId,
        xid: u32,
        request: QueueStatsRequest,
    ) -> Result<(), WireError> {
        let refuse = |code| Err(WireError::new(kind::QUEUE_OP_FAILED, code));
        if request.port_no != PORT_ANY && !self.ports.has(request.port_no) {
            return refuse(queue_op_failed::BAD_PORT);
        }
        if request.queue_id != QUEUE_ALL {
            return refuse(queue_op_failed::BAD_QUEUE);
        }
        self.list::<QueueStats>(conn, xid, Vec::new());
        Ok(())
    }

    /// Tables are what they are; who asks for just that has it granted.
    fn table_features(
        &mut self,
        switch: &Switch,
        conn: ConnId,
        xid: u32,
        mut tables: Vec<TableFeatures>,
        more: bool,
    ) -> Result<(), WireError> {
        let Some(connection) = self.connections.get_mut(&conn) else { return Ok(()) };
        if let Some(part) = connection.table_features.take_if(|part| part.xid == xid) {
            tables.splice(0..0, part.tables);
        }
        if tables.len() > MAX_TABLES {
            return Err(WireError::bad_request(bad_request::MULTIPART_BUFFER_OVERFLOW));
        }
        if more {
            connection.table_features = Some(PartialRequest { xid, tables });
            return Ok(());
        }
        let Some(pipeline) = switch.pipeline(self.info.id) else { return Ok(()) };
        if !tables.is_empty() {
            tables::check(&pipeline, &tables)?;
        }
        let dump = Listing::new(xid, tables::features(&pipeline).into_iter());
        self.with_outbox(conn, |outbox| outbox.dump(Box::new(dump)));
        Ok(())
    }
}

/// The groups that a request is about, by number; none if there is no such group, as in Open vSwitch.
fn groups(pipeline: &Pipeline, id: u32) -> Vec<Arc<Group>> {
    let groups = pipeline.groups();
    let mut found: Vec<_> = if id == GROUP_ALL {
        groups.iter().cloned().collect()
    } else {
        groups.get(id).cloned().into_iter().collect()
    };
    found.sort_unstable_by_key(|g| g.id);
    found
}

/// The meters that a request is about, by number.
fn meters(pipeline: &Pipeline, id: u32) -> Result<Vec<Arc<Meter>>, WireError> {
    let meters = pipeline.meters();
    if id != METER_ALL {
        let unknown = WireError::new(kind::METER_MOD_FAILED, meter_mod_failed::UNKNOWN_METER);
        return Ok(vec![Arc::clone(meters.get(id).ok_or(unknown)?)]);
    }
    let mut found: Vec<_> = meters.iter().cloned().collect();
    found.sort_unstable_by_key(|m| m.id);
    Ok(found)
}
