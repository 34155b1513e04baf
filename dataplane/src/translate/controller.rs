//! Packets to the controllers.

use super::{Lookup, Place, Source, Walk};
use crate::action::Step;
use crate::drop::DropReason;
use crate::flow::FlowKey;
use crate::upcall::{Reason, ToController};
use std::sync::Arc;

/// `OFPCML_NO_BUFFER`: the whole packet (OpenFlow 1.3 section 7.2.6.2).
const WHOLE: u16 = u16::MAX;

/// What of a key is not in the frame: metadata, registers and tunnel fields.
pub(super) fn beside_frame(key: &FlowKey) -> FlowKey {
    let mut beside = FlowKey::default();
    copy_beside_frame(&mut beside, key);
    beside
}

/// Puts the fields that are not in the frame from one key into another.
pub(super) fn copy_beside_frame(to: &mut FlowKey, from: &FlowKey) {
    to.tun_id = from.tun_id;
    to.tun_flags = from.tun_flags;
    to.tun_tos = from.tun_tos;
    to.tun_ttl = from.tun_ttl;
    to.tun_src = from.tun_src;
    to.tun_dst = from.tun_dst;
    to.tun_ipv6_src = from.tun_ipv6_src;
    to.tun_ipv6_dst = from.tun_ipv6_dst;
    to.metadata = from.metadata;
    to.regs = from.regs;
}

impl<L: Lookup> Walk<'_, L> {
    /// For what copies the tunnel fields: the same for no two tunnels.
    pub(super) fn unwildcard_tunnel(&mut self) {
        let wc = &mut self.wildcards.0;
        wc.tun_id.set(u64::MAX);
        wc.tun_flags.set(u16::MAX);
        (wc.tun_tos, wc.tun_ttl) = (u8::MAX, u8::MAX);
        wc.tun_src.set(u32::MAX);
        wc.tun_dst.set(u32::MAX);
        (wc.tun_ipv6_src, wc.tun_ipv6_dst) = ([u8::MAX; 16], [u8::MAX; 16]);
    }

    /// An output to CONTROLLER.
    pub(super) fn output_controller(&mut self, at: &Place<'_>, source: Source, max_len: u16) {
        let reason = if source.miss { Reason::NoMatch } else { Reason::Action };
        self.controller(at, source, reason, max_len, 0);
    }

    /// A TTL that ran out: the packet ends, and the controllers hear of it.
    pub(super) fn ttl_expired(&mut self, at: &Place<'_>, source: Source) {
        self.note(DropReason::TtlExpired);
        self.controller(at, source, Reason::InvalidTtl, WHOLE, 0);
    }

    /// To the controllers, as the frame is now.
    pub(super) fn controller(
        &mut self,
        at: &Place<'_>,
        source: Source,
        reason: Reason,
        max_len: u16,
        controller: u16,
    ) {
        let mute = at.ingress.is_some_and(|port| port.flags.no_packet_in);
        if !at.bridge.controllers {
            return self.note(DropReason::NoController);
        }
        // "Packets on that port that generate a table miss should never trigger a packet-in message"
        // (section 7.2.1.1).
        if mute && reason == Reason::NoMatch {
            return self.note(DropReason::NoPacketIn);
        }
        if reason != Reason::InvalidTtl {
            self.outputs += 1;
        }
        self.unwildcard_tunnel();
        self.steps.push(Step::Controller(Arc::new(ToController {
            bridge: at.bridge.id,
            reason,
            table: source.table,
            cookie: source.cookie,
            max_len,
            controller,
            in_port: at.ofport,
            key: beside_frame(&self.key),
        })));
    }
}
