//! Flow-mods and flow-removed (OpenFlow 1.0, sections 5.3.3 and 5.4.2; `nicira-ext.h`: `nx_flow_mod`,
//! `nx_flow_removed`), and what flow statistics ask and tell (5.3.5; `nx_flow_stats`).

use super::port::widen;
use super::{action, matching};
use crate::wire::bytes::{Put, Reader};
use crate::wire::error::{WireError, flow_mod_failed, kind};
use crate::wire::flow_mod::{FlowMod, FlowModCommand};
use crate::wire::flow_removed::FlowRemoved;
use crate::wire::multipart::flow::{FlowStats, FlowStatsRequest};
use crate::wire::{GROUP_ANY, TABLE_ALL};

/// `OFPFF_EMERG`: for a cache of emergency flows, which there is none of.
const EMERG: u16 = 1 << 2;
/// `OFPFF_SEND_FLOW_REM` and `OFPFF_CHECK_OVERLAP`, the same in both versions.
const FLAGS: u16 = 3;
/// `OFPFF_RESET_COUNTS`: in 1.0 a flow that is added always begins anew, as in Open vSwitch.
const RESET_COUNTS: u16 = 1 << 2;
/// `OFPRR_DELETE`: the last reason that 1.0 has.
const REASON_DELETE: u8 = 2;

const fn bad(code: u16) -> WireError {
    WireError::new(kind::FLOW_MOD_FAILED, code)
}

/// Table and command: with `NXT_FLOW_MOD_TABLE_ID` they share a field; without, a flow is added to
/// the first table, and the others are for all.
fn command(word: u16, with_table: bool) -> Result<(u8, FlowModCommand), WireError> {
    let [table, low] = word.to_be_bytes();
    let (table, number) = if with_table { (table, u16::from(low)) } else { (TABLE_ALL, word) };
    let command = match number {
        0 => FlowModCommand::Add,
        1 => FlowModCommand::Modify,
        2 => FlowModCommand::ModifyStrict,
        3 => FlowModCommand::Delete,
        4 => FlowModCommand::DeleteStrict,
        _ => return Err(bad(flow_mod_failed::BAD_COMMAND)),
    };
    let anywhere = table == TABLE_ALL && command == FlowModCommand::Add;
    Ok((if anywhere { 0 } else { table }, command))
}

/// The flags of a flow-mod.
fn flags(flags: u16, command: FlowModCommand) -> Result<u16, WireError> {
    if flags & EMERG != 0 {
        return Err(bad(flow_mod_failed::TABLE_FULL));
    }
    if flags & !(FLAGS | EMERG) != 0 {
        return Err(bad(flow_mod_failed::BAD_FLAGS));
    }
    let reset = if command == FlowModCommand::Add { RESET_COUNTS } else { 0 };
    Ok(flags | reset)
}

/// What both kinds have between cookie and flags, and the flags.
struct Middle {
    table_id: u8,
    command: FlowModCommand,
    idle_timeout: u16,
    hard_timeout: u16,
    priority: u16,
    buffer_id: u32,
    out_port: u32,
    flags: u16,
}

impl Middle {
    fn decode(r: &mut Reader<'_>, with_table: bool) -> Result<Self, WireError> {
        let (table_id, command) = command(r.u16()?, with_table)?;
        Ok(Self {
            table_id,
            command,
            idle_timeout: r.u16()?,
            hard_timeout: r.u16()?,
            priority: r.u16()?,
            buffer_id: r.u32()?,
            out_port: widen(r.u16()?),
            flags: flags(r.u16()?, command)?,
        })
    }

    fn rest(
        self,
        cookie: u64,
        found: matching::Found,
        r: &mut Reader<'_>,
    ) -> Result<FlowMod, WireError> {
        // A cookie in the match chooses flows. Else it is the new flows'; of flows that are modified
        // it stays, as in later versions.
        let (cookie, cookie_mask) = found.cookie.unwrap_or((cookie, 0));
        let instructions = action::decode_instructions(r, &found.matching)?;
        Ok(FlowMod {
            cookie,
            cookie_mask,
            table_id: self.table_id,
            command: self.command,
            idle_timeout: self.idle_timeout,
            hard_timeout: self.hard_timeout,
            priority: self.priority,
            buffer_id: self.buffer_id,
            out_port: self.out_port,
            out_group: GROUP_ANY,
            flags: self.flags,
            matching: found.matching,
            instructions,
        })
    }
}

/// `ofp_flow_mod`.
pub(super) fn decode_mod(r: &mut Reader<'_>, with_table: bool) -> Result<FlowMod, WireError> {
    let matching = matching::decode(r)?;
    let cookie = r.u64()?;
    let middle = Middle::decode(r, with_table)?;
    middle.rest(cookie, matching::Found { matching, cookie: None }, r)
}

/// `NXT_FLOW_MOD`.
pub(super) fn decode_nxm_mod(r: &mut Reader<'_>, with_table: bool) -> Result<FlowMod, WireError> {
    let cookie = r.u64()?;
    let middle = Middle::decode(r, with_table)?;
    let match_len = usize::from(r.u16()?);
    r.skip(6)?;
    let mut found = matching::decode_nxm(r, match_len)?;
    if middle.command == FlowModCommand::Add {
        found.cookie = None;
    }
    middle.rest(cookie, found, r)
}

/// `ofp_flow_stats_request` and `ofp_aggregate_stats_request`.
pub(super) fn decode_request(r: &mut Reader<'_>) -> Result<FlowStatsRequest, WireError> {
    let matching = matching::decode(r)?;
    let table_id = r.u8()?;
    r.skip(1)?;
    let out_port = widen(r.u16()?);
    Ok(request(table_id, out_port, matching::Found { matching, cookie: None }))
}

/// `nx_flow_stats_request` and `nx_aggregate_stats_request`.
pub(super) fn decode_nxm_request(r: &mut Reader<'_>) -> Result<FlowStatsRequest, WireError> {
    let out_port = widen(r.u16()?);
    let match_len = usize::from(r.u16()?);
    let table_id = r.u8()?;
    r.skip(3)?;
    Ok(request(table_id, out_port, matching::decode_nxm(r, match_len)?))
}

fn request(table_id: u8, out_port: u32, found: matching::Found) -> FlowStatsRequest {
    let (cookie, cookie_mask) = found.cookie.unwrap_or_default();
    let matching = found.matching;
    FlowStatsRequest { table_id, out_port, out_group: GROUP_ANY, cookie, cookie_mask, matching }
}

/// `ofp_flow_stats`.
pub(super) fn encode_stats(stats: &FlowStats, out: &mut Vec<u8>) {
    let start = out.len();
    out.u16(0);
    out.u8(stats.table_id);
    out.zeros(1);
    matching::encode(&stats.matching, out);
    out.u32(stats.duration_sec);
    out.u32(stats.duration_nsec);
    out.u16(stats.priority);
    out.u16(stats.idle_timeout);
    out.u16(stats.hard_timeout);
    out.zeros(6);
    out.u64(stats.cookie);
    out.u64(stats.packet_count);
    out.u64(stats.byte_count);
    action::encode_instructions(&stats.instructions, out);
    out.patch_len(start, start);
}

/// `nx_flow_stats`. How long ago the flow was used or modified is not told.
pub(super) fn encode_nxm_stats(stats: &FlowStats, out: &mut Vec<u8>) {
    let start = out.len();
    out.u16(0);
    out.u8(stats.table_id);
    out.zeros(1);
    out.u32(stats.duration_sec);
    out.u32(stats.duration_nsec);
    out.u16(stats.priority);
    out.u16(stats.idle_timeout);
    out.u16(stats.hard_timeout);
    let len_at = out.len();
    out.zeros(6);
    out.u64(stats.cookie);
    out.u64(stats.packet_count);
    out.u64(stats.byte_count);
    let match_at = out.len();
    matching::encode_nxm(&stats.matching, out);
    out.patch_len(len_at, match_at);
    out.pad8(match_at);
    action::encode_instructions(&stats.instructions, out);
    out.patch_len(start, start);
}

/// `ofp_flow_removed`.
pub(super) fn encode_removed(removed: &FlowRemoved, out: &mut Vec<u8>) {
    matching::encode(&removed.matching, out);
    out.u64(removed.cookie);
    out.u16(removed.priority);
    out.u8(removed.reason.min(REASON_DELETE));
    out.zeros(1);
    out.u32(removed.duration_sec);
    out.u32(removed.duration_nsec);
    out.u16(removed.idle_timeout);
    out.zeros(2);
    out.u64(removed.packet_count);
    out.u64(removed.byte_count);
}

/// `nx_flow_removed`.
pub(super) fn encode_nxm_removed(removed: &FlowRemoved, out: &mut Vec<u8>) {
    out.u64(removed.cookie);
    out.u16(removed.priority);
    out.u8(removed.reason.min(REASON_DELETE));
    // Zero would be: not told.
    out.u8(removed.table_id.wrapping_add(1));
    out.u32(removed.duration_sec);
    out.u32(removed.duration_nsec);
    out.u16(removed.idle_timeout);
    let len_at = out.len();
    out.zeros(2);
    out.u64(removed.packet_count);
    out.u64(removed.byte_count);
    let match_at = out.len();
    matching::encode_nxm(&removed.matching, out);
    out.patch_len(len_at, match_at);
    out.pad8(match_at);
}
