//! Packet-out and packet-in (OpenFlow 1.0, sections 5.3.6 and 5.4.1), and Open vSwitch's two forms of
//! packet-in (`nicira-ext.h`).

use super::port::{narrow, widen};
use super::{action, matching};
use crate::wire::NO_BUFFER;
use crate::wire::bytes::{Put, Reader};
use crate::wire::error::{WireError, bad_request};
use crate::wire::oxm::{Match, OxmId, basic};
use crate::wire::packet_in::PacketIn;
use crate::wire::packet_out::PacketOut;

/// `enum nx_packet_in_format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    /// `NXPIF_STANDARD`: OpenFlow 1.0's.
    #[default]
    Standard,
    /// `NXPIF_NXT_PACKET_IN`.
    Nxt,
    /// `NXPIF_NXT_PACKET_IN2`.
    Nxt2,
}

/// `enum nx_packet_in2_prop_type`.
mod property {
    pub(super) const PACKET: u16 = 0;
    pub(super) const FULL_LEN: u16 = 1;
    pub(super) const BUFFER_ID: u16 = 2;
    pub(super) const TABLE_ID: u16 = 3;
    pub(super) const COOKIE: u16 = 4;
    pub(super) const REASON: u16 = 5;
    pub(super) const METADATA: u16 = 6;
}

impl Format {
    pub(super) fn from_wire(format: u32) -> Result<Self, WireError> {
        Ok(match format {
            0 => Self::Standard,
            1 => Self::Nxt,
            2 => Self::Nxt2,
            _ => return Err(WireError::bad_request(bad_request::EPERM)),
        })
    }
}

pub(super) fn decode_out(r: &mut Reader<'_>) -> Result<PacketOut, WireError> {
    let buffer_id = r.u32()?;
    let in_port = widen(r.u16()?);
    let actions_len = usize::from(r.u16()?);
    let actions = action::decode_list(&mut r.part(actions_len)?)?;
    Ok(PacketOut { buffer_id, in_port, actions, data: r.rest().to_vec() })
}

/// `ofp_packet_in`.
pub(super) fn encode_in(p: &PacketIn, out: &mut Vec<u8>) {
    out.u32(p.buffer_id);
    out.u16(p.total_len);
    out.u16(in_port(&p.matching));
    out.u8(p.reason);
    out.zeros(1);
    out.extend_from_slice(&p.data);
}

fn in_port(m: &Match) -> u16 {
    let field = m.0.iter().find(|o| o.id == OxmId::basic(basic::IN_PORT));
    narrow(field.map_or(u32::MAX, |o| o.value as u32))
}

/// `nx_packet_in`.
pub(super) fn encode_nxt_in(p: &PacketIn, out: &mut Vec<u8>) {
    out.u32(p.buffer_id);
    out.u16(p.total_len);
    out.u8(p.reason);
    out.u8(p.table_id);
    out.u64(p.cookie);
    let len_at = out.len();
    out.zeros(8);
    let match_at = out.len();
    matching::encode_nxm(&p.matching, out);
    out.patch_len(len_at, match_at);
    out.pad8(match_at);
    out.zeros(2);
    out.extend_from_slice(&p.data);
}

/// `NXT_PACKET_IN2`.
pub(super) fn encode_nxt2_in(p: &PacketIn, out: &mut Vec<u8>) {
    put(property::PACKET, out, |out| out.extend_from_slice(&p.data));
    if usize::from(p.total_len) != p.data.len() {
        put(property::FULL_LEN, out, |out| out.u32(p.total_len.into()));
    }
    if p.buffer_id != NO_BUFFER {
        put(property::BUFFER_ID, out, |out| out.u32(p.buffer_id));
    }
    put(property::TABLE_ID, out, |out| out.u8(p.table_id));
    put(property::COOKIE, out, |out| {
        out.zeros(4);
        out.u64(p.cookie);
    });
    put(property::REASON, out, |out| out.u8(p.reason));
    put(property::METADATA, out, |out| p.matching.0.iter().for_each(|oxm| oxm.encode(out)));
}

fn put(kind: u16, out: &mut Vec<u8>, value: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.u16(kind);
    out.u16(0);
    value(out);
    out.patch_len(start + 2, start);
    out.pad8(start);
}
