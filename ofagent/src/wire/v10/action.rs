//! Actions (OpenFlow 1.0, section 5.2.4), and instructions as far as Open vSwitch's actions say them.

use super::matching::{PCP_SHIFT, VID, VLAN_TCI, nxm};
use super::port::{narrow, widen};
use crate::wire::action::{Action, bad};
use crate::wire::bytes::{Put, Reader};
use crate::wire::error::{WireError, bad_action};
use crate::wire::experimenter::NICIRA;
use crate::wire::instruction::Instruction;
use crate::wire::nicira;
use crate::wire::oxm::{BASIC, Match, NXM_1, Oxm, OxmId, VID_PRESENT, basic, lookup};

/// `enum ofp_action_type`.
mod kind {
    pub(super) const OUTPUT: u16 = 0;
    pub(super) const SET_VLAN_VID: u16 = 1;
    pub(super) const SET_VLAN_PCP: u16 = 2;
    pub(super) const STRIP_VLAN: u16 = 3;
    pub(super) const SET_DL_SRC: u16 = 4;
    pub(super) const SET_DL_DST: u16 = 5;
    pub(super) const SET_NW_SRC: u16 = 6;
    pub(super) const SET_NW_DST: u16 = 7;
    pub(super) const SET_NW_TOS: u16 = 8;
    pub(super) const SET_TP_SRC: u16 = 9;
    pub(super) const SET_TP_DST: u16 = 10;
    pub(super) const ENQUEUE: u16 = 11;
    pub(super) const VENDOR: u16 = 0xffff;
}

/// Open vSwitch's actions that OpenFlow 1.3 has of its own (`nicira-ext.h`, ovs-actions(7)).
mod subtype {
    pub(super) const SET_TUNNEL: u16 = 2;
    pub(super) const SET_QUEUE: u16 = 4;
    pub(super) const SET_TUNNEL64: u16 = 9;
    pub(super) const RESUBMIT_TABLE: u16 = 14;
    pub(super) const DEC_TTL: u16 = 18;
    pub(super) const WRITE_METADATA: u16 = 22;
    pub(super) const PUSH_MPLS: u16 = 23;
    pub(super) const POP_MPLS: u16 = 24;
    pub(super) const SET_MPLS_TTL: u16 = 25;
    pub(super) const DEC_MPLS_TTL: u16 = 26;
    pub(super) const GROUP: u16 = 40;
}

/// What stands in an output's `max_len`, which only outputs to controllers have a use for, when the
/// output and the set-queue before it were one enqueue action.
const ENQUEUED: u16 = 1;
/// `NXM_NX_IP_TTL`.
const IP_TTL: OxmId = OxmId { class: NXM_1, field: 29 };

/// Reads all actions that fill `r`, of a rule with this match; that tells which ports `SET_TP_SRC`
/// means. Write-metadata, which is an instruction in 1.3, can only be the last.
pub(super) fn decode_instructions(
    r: &mut Reader<'_>,
    m: &Match,
) -> Result<Vec<Instruction>, WireError> {
    let mut r = Reader::new(r.rest(), bad(bad_action::BAD_LEN));
    let mut actions = Vec::new();
    let mut metadata = None;
    while !r.is_empty() {
        if metadata.is_some() {
            return Err(bad(bad_action::UNSUPPORTED_ORDER));
        }
        metadata = decode(&mut r, proto(m), &mut actions)?;
    }
    let mut instructions = Vec::new();
    if !actions.is_empty() {
        instructions.push(Instruction::ApplyActions(actions));
    }
    instructions.extend(metadata);
    Ok(instructions)
}

/// Reads all actions that fill `r`, of a packet-out or a bucket.
pub(super) fn decode_list(r: &mut Reader<'_>) -> Result<Vec<Action>, WireError> {
    let mut r = Reader::new(r.rest(), bad(bad_action::BAD_LEN));
    let mut actions = Vec::new();
    while !r.is_empty() {
        if decode(&mut r, None, &mut actions)?.is_some() {
            return Err(bad(bad_action::BAD_TYPE));
        }
    }
    Ok(actions)
}

fn proto(m: &Match) -> Option<u128> {
    let is_proto = |o: &&Oxm| {
        o.id == OxmId::basic(basic::IP_PROTO) || o.id == nxm(OxmId::basic(basic::IP_PROTO))
    };
    m.0.iter().find(is_proto).map(|o| o.value)
}

fn decode(
    r: &mut Reader<'_>,
    proto: Option<u128>,
    actions: &mut Vec<Action>,
) -> Result<Option<Instruction>, WireError> {
    let mut ahead = *r;
    let kind = ahead.u16()?;
    let len = usize::from(ahead.u16()?);
    if len < 8 || len % 8 != 0 {
        return Err(bad(bad_action::BAD_LEN));
    }
    let mut body = r.part(len)?;
    body.skip(4)?;
    if kind == kind::VENDOR {
        return vendor(&mut body, actions);
    }
    let action = match kind {
        kind::OUTPUT => {
            let port = widen(body.u16()?);
            Action::Output { port, max_len: body.u16()? }
        }
        kind::SET_VLAN_VID => {
            let vid = body.u16()?;
            body.skip(2)?;
            limit(vid.into(), 0xfff)?;
            set_tci(VID_PRESENT | u128::from(vid), VID)
        }
        kind::SET_VLAN_PCP => {
            let pcp = body.u8()?;
            body.skip(3)?;
            limit(pcp.into(), 7)?;
            set_tci(VID_PRESENT | u128::from(pcp) << PCP_SHIFT, PCP)
        }
        kind::STRIP_VLAN => {
            body.skip(4)?;
            Action::PopVlan
        }
        kind::SET_DL_SRC => address(basic::ETH_SRC, &mut body)?,
        kind::SET_DL_DST => address(basic::ETH_DST, &mut body)?,
        kind::SET_NW_SRC => set(basic::IPV4_SRC, 4, body.u32()?.into()),
        kind::SET_NW_DST => set(basic::IPV4_DST, 4, body.u32()?.into()),
        kind::SET_NW_TOS => {
            let tos = body.u8()?;
            body.skip(3)?;
            if tos & 3 != 0 {
                return Err(bad(bad_action::BAD_ARGUMENT));
            }
            set(basic::IP_DSCP, 1, u128::from(tos >> 2))
        }
        kind::SET_TP_SRC => {
            let fields = [basic::TCP_SRC, basic::UDP_SRC, basic::SCTP_SRC];
            transport(fields, proto, &mut body)?
        }
        kind::SET_TP_DST => {
            let fields = [basic::TCP_DST, basic::UDP_DST, basic::SCTP_DST];
            transport(fields, proto, &mut body)?
        }
        kind::ENQUEUE => {
            let port = widen(body.u16()?);
            body.skip(6)?;
            actions.push(Action::SetQueue(body.u32()?));
            Action::Output { port, max_len: ENQUEUED }
        }
        _ => return Err(bad(bad_action::BAD_TYPE)),
    };
    body.end()?;
    actions.push(action);
    Ok(None)
}

/// Reads one of Open vSwitch's, type and length already taken.
fn vendor(
    body: &mut Reader<'_>,
    actions: &mut Vec<Action>,
) -> Result<Option<Instruction>, WireError> {
    let mut ahead = *body;
    let (vendor, subtype) = (ahead.u32()?, ahead.u16()?);
    if vendor != NICIRA {
        return Err(bad(bad_action::BAD_EXPERIMENTER));
    }
    let body = &mut match subtype {
        subtype::SET_QUEUE | subtype::GROUP | subtype::WRITE_METADATA => ahead,
        _ => {
            actions.push(nicira::decode(body)?);
            return Ok(None);
        }
    };
    let mut instruction = None;
    match subtype {
        subtype::WRITE_METADATA => {
            body.skip(6)?;
            let (metadata, mask) = (body.u64()?, body.u64()?);
            instruction = Some(Instruction::WriteMetadata { metadata, mask });
        }
        _ => {
            body.skip(2)?;
            let id = body.u32()?;
            let queue = subtype == subtype::SET_QUEUE;
            actions.push(if queue { Action::SetQueue(id) } else { Action::Group(id) });
        }
    }
    body.end()?;
    Ok(instruction)
}

/// Present bit and priority of a TCI.
const PCP: u128 = VID_PRESENT | 7 << PCP_SHIFT;

fn limit(value: u32, max: u32) -> Result<(), WireError> {
    if value > max { Err(bad(bad_action::BAD_ARGUMENT)) } else { Ok(()) }
}

/// Sets a part of the tag, which is pushed where there is none: so it is with 1.0.
fn set_tci(value: u128, mask: u128) -> Action {
    Action::SetField(Oxm { id: VLAN_TCI, len: 2, value, mask: Some(mask) })
}

fn set(field: u8, len: u8, value: u128) -> Action {
    Action::SetField(Oxm { id: OxmId::basic(field), len, value, mask: None })
}

fn address(field: u8, body: &mut Reader<'_>) -> Result<Action, WireError> {
    let value = body.number(6)?;
    body.skip(6)?;
    Ok(set(field, 6, value))
}

/// `fields`: those of TCP, UDP and SCTP.
fn transport(
    [tcp, udp, sctp]: [u8; 3],
    proto: Option<u128>,
    body: &mut Reader<'_>,
) -> Result<Action, WireError> {
    let port = body.u16()?;
    body.skip(2)?;
    let field = match proto {
        Some(17) => udp,
        Some(132) => sctp,
        _ => tcp,
    };
    Ok(set(field, 2, port.into()))
}

/// Appends instructions. What has no action (a meter, the action set) is left out, as in Open
/// vSwitch. Where a table follows, metadata is loaded, since its own action would have to be last.
pub(super) fn encode_instructions(instructions: &[Instruction], out: &mut Vec<u8>) {
    let goto = instructions.iter().any(|i| matches!(i, Instruction::GotoTable(_)));
    for instruction in instructions {
        match instruction {
            Instruction::ApplyActions(actions) => encode_list(actions, out),
            Instruction::WriteMetadata { metadata, mask } if goto => {
                let id = OxmId::basic(basic::METADATA);
                load(id, (*metadata).into(), (*mask).into(), out);
            }
            Instruction::WriteMetadata { metadata, mask } => {
                header(subtype::WRITE_METADATA, 32, out);
                out.zeros(6);
                out.u64(*metadata);
                out.u64(*mask);
            }
            Instruction::GotoTable(table) => {
                header(subtype::RESUBMIT_TABLE, 16, out);
                out.u16(nicira::RESUBMIT_IN_PORT);
                out.u8(*table);
                out.zeros(3);
            }
            Instruction::WriteActions(_) | Instruction::ClearActions | Instruction::Meter(_) => {}
        }
    }
}

/// Appends actions.
pub(super) fn encode_list(actions: &[Action], out: &mut Vec<u8>) {
    let mut rest = actions;
    while let Some((action, after)) = rest.split_first() {
        rest = after;
        if let Action::SetQueue(queue) = action
            && let Some((Action::Output { port, max_len: ENQUEUED }, after)) = after.split_first()
            && narrow(*port) != CONTROLLER
        {
            out.u16(kind::ENQUEUE);
            out.u16(16);
            out.u16(narrow(*port));
            out.zeros(6);
            out.u32(*queue);
            rest = after;
            continue;
        }
        encode(action, out);
    }
}

/// `OFPP_CONTROLLER`.
const CONTROLLER: u16 = 0xfffd;

fn encode(action: &Action, out: &mut Vec<u8>) {
    match action {
        Action::Output { port, max_len } => {
            let port = narrow(*port);
            let max_len = if port == CONTROLLER { *max_len } else { 0 };
            short(kind::OUTPUT, u32::from(port) << 16 | u32::from(max_len), out);
        }
        Action::PopVlan => short(kind::STRIP_VLAN, 0, out),
        Action::SetField(oxm) => set_field(oxm, out),
        Action::SetNwTtl(ttl) => load(IP_TTL, (*ttl).into(), 0xff, out),
        Action::DecNwTtl => nicira_u16(subtype::DEC_TTL, 0, out),
        Action::SetMplsTtl(ttl) => {
            nicira_u16(subtype::SET_MPLS_TTL, u16::from(*ttl) << 8, out);
        }
        Action::DecMplsTtl => nicira_u16(subtype::DEC_MPLS_TTL, 0, out),
        Action::PushMpls(ether_type) => nicira_u16(subtype::PUSH_MPLS, *ether_type, out),
        Action::PopMpls(ether_type) => nicira_u16(subtype::POP_MPLS, *ether_type, out),
        Action::SetQueue(queue) => nicira_u32(subtype::SET_QUEUE, *queue, out),
        Action::Group(group) => nicira_u32(subtype::GROUP, *group, out),
        Action::Load { field, bit, bits, value } => {
            let (bit, bits, value) = (*bit, *bits, *value);
            nicira::encode(&Action::Load { field: nxm(*field), bit, bits, value }, out);
        }
        Action::Move { src, src_bit, dst, dst_bit, bits } => {
            let (src, dst) = (nxm(*src), nxm(*dst));
            let (src_bit, dst_bit, bits) = (*src_bit, *dst_bit, *bits);
            nicira::encode(&Action::Move { src, src_bit, dst, dst_bit, bits }, out);
        }
        Action::Resubmit { .. } | Action::Controller { .. } | Action::Note(_) => {
            nicira::encode(action, out);
        }
        // In 1.0 a tag is pushed by setting its id or priority, which follows; the others nothing in
        // 1.0 says, and Open vSwitch has no action for them.
        Action::PushVlan(_)
        | Action::CopyTtlOut
        | Action::CopyTtlIn
        | Action::PushPbb(_)
        | Action::PopPbb => {}
    }
}

fn set_field(oxm: &Oxm, out: &mut Vec<u8>) {
    let word = oxm.value as u32;
    if oxm.id == VLAN_TCI && oxm.value & VID_PRESENT != 0 {
        match oxm.mask {
            Some(VID) => return short(kind::SET_VLAN_VID, (word & 0xfff) << 16, out),
            Some(PCP) => return short(kind::SET_VLAN_PCP, word >> PCP_SHIFT << 24, out),
            _ => {}
        }
    }
    if let (None, OxmId { class: BASIC, field }) = (oxm.mask, oxm.id) {
        match field {
            basic::VLAN_VID => return short(kind::SET_VLAN_VID, (word & 0xfff) << 16, out),
            basic::VLAN_PCP => return short(kind::SET_VLAN_PCP, word << 24, out),
            basic::ETH_SRC => return long(kind::SET_DL_SRC, oxm.value, out),
            basic::ETH_DST => return long(kind::SET_DL_DST, oxm.value, out),
            basic::IPV4_SRC => return short(kind::SET_NW_SRC, word, out),
            basic::IPV4_DST => return short(kind::SET_NW_DST, word, out),
            basic::IP_DSCP => return short(kind::SET_NW_TOS, word << 2 << 24, out),
            basic::TCP_SRC | basic::UDP_SRC | basic::SCTP_SRC => {
                return short(kind::SET_TP_SRC, word << 16, out);
            }
            basic::TCP_DST | basic::UDP_DST | basic::SCTP_DST => {
                return short(kind::SET_TP_DST, word << 16, out);
            }
            basic::TUNNEL_ID => return set_tunnel(oxm.value as u64, out),
            _ => {}
        }
    }
    let whole = lookup(oxm.id).map_or(u128::MAX, |field| field.max());
    load(nxm(oxm.id), oxm.value, oxm.mask.unwrap_or(whole), out);
}

fn set_tunnel(id: u64, out: &mut Vec<u8>) {
    if let Ok(id) = u32::try_from(id) {
        nicira_u32(subtype::SET_TUNNEL, id, out);
    } else {
        header(subtype::SET_TUNNEL64, 24, out);
        out.zeros(6);
        out.u64(id);
    }
}

/// Loads the bits of a mask: each run of them, in parts of 64 bits of the field at most.
fn load(field: OxmId, value: u128, mask: u128, out: &mut Vec<u8>) {
    let mut bit = 0;
    while bit < 128 && mask >> bit != 0 {
        bit += (mask >> bit).trailing_zeros();
        let bits = (mask >> bit).trailing_ones().min(64 - bit % 64);
        let part = (value >> bit) as u64 & u64::MAX >> (64 - bits);
        let (from, bits) = (bit as u16, bits as u16);
        nicira::encode(&Action::Load { field, bit: from, bits, value: part }, out);
        bit += u32::from(bits);
    }
}

/// An action of eight bytes.
fn short(kind: u16, value: u32, out: &mut Vec<u8>) {
    out.u16(kind);
    out.u16(8);
    out.u32(value);
}

/// `ofp_action_dl_addr`.
fn long(kind: u16, address: u128, out: &mut Vec<u8>) {
    out.u16(kind);
    out.u16(16);
    out.number(address, 6);
    out.zeros(6);
}

fn header(subtype: u16, len: u16, out: &mut Vec<u8>) {
    out.u16(kind::VENDOR);
    out.u16(len);
    out.u32(NICIRA);
    out.u16(subtype);
}

fn nicira_u16(subtype: u16, value: u16, out: &mut Vec<u8>) {
    header(subtype, 16, out);
    out.u16(value);
    out.zeros(4);
}

fn nicira_u32(subtype: u16, value: u32, out: &mut Vec<u8>) {
    header(subtype, 16, out);
    out.zeros(2);
    out.u32(value);
}
