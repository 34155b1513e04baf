//! Actions (section 7.2.5), and Open vSwitch's extensions that everyday use needs.

use super::bytes::{Put, Reader};
use super::error::{WireError, bad_action, bad_match, kind};
use super::nicira;
use super::oxm::{BASIC, FieldInfo, Header, Oxm, OxmId, VID_PRESENT, basic};

/// An action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `OFPAT_OUTPUT`.
    Output {
        /// Port.
        port: u32,
        /// `OFPCML_*`.
        max_len: u16,
    },
    /// `OFPAT_COPY_TTL_OUT`.
    CopyTtlOut,
    /// `OFPAT_COPY_TTL_IN`.
    CopyTtlIn,
    /// `OFPAT_SET_MPLS_TTL`.
    SetMplsTtl(u8),
    /// `OFPAT_DEC_MPLS_TTL`.
    DecMplsTtl,
    /// `OFPAT_PUSH_VLAN`.
    PushVlan(u16),
    /// `OFPAT_POP_VLAN`.
    PopVlan,
    /// `OFPAT_PUSH_MPLS`.
    PushMpls(u16),
    /// `OFPAT_POP_MPLS`.
    PopMpls(u16),
    /// `OFPAT_SET_QUEUE`.
    SetQueue(u32),
    /// `OFPAT_GROUP`.
    Group(u32),
    /// `OFPAT_SET_NW_TTL`.
    SetNwTtl(u8),
    /// `OFPAT_DEC_NW_TTL`.
    DecNwTtl,
    /// `OFPAT_SET_FIELD`; a masked one is Open vSwitch's `NXAST_REG_LOAD2`.
    SetField(Oxm),
    /// `OFPAT_PUSH_PBB`.
    PushPbb(u16),
    /// `OFPAT_POP_PBB`.
    PopPbb,
    /// `NXAST_REG_LOAD`.
    Load {
        /// The field.
        field: OxmId,
        /// Lowest bit.
        bit: u16,
        /// Number of bits.
        bits: u16,
        /// Their value.
        value: u64,
    },
    /// `NXAST_REG_MOVE`.
    Move {
        /// From.
        src: OxmId,
        /// Lowest bit of it.
        src_bit: u16,
        /// To.
        dst: OxmId,
        /// Lowest bit of it.
        dst_bit: u16,
        /// Number of bits.
        bits: u16,
    },
    /// `NXAST_RESUBMIT` and `NXAST_RESUBMIT_TABLE`.
    Resubmit {
        /// Port; `0xfff8` (`OFPP_IN_PORT` of OpenFlow 1.0): as it is.
        port: u16,
        /// Table; 255: the current one.
        table: u8,
    },
    /// `NXAST_CONTROLLER`, and `NXAST_CONTROLLER2` without userdata and the like.
    Controller {
        /// Bytes.
        max_len: u16,
        /// Controller id.
        id: u16,
        /// `OFPR_*`.
        reason: u8,
    },
    /// `NXAST_NOTE`: the bytes, padding included.
    Note(Vec<u8>),
}

/// `enum ofp_action_type`.
pub mod action_type {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const OUTPUT: u16 = 0;
    pub const COPY_TTL_OUT: u16 = 11;
    pub const COPY_TTL_IN: u16 = 12;
    pub const SET_MPLS_TTL: u16 = 15;
    pub const DEC_MPLS_TTL: u16 = 16;
    pub const PUSH_VLAN: u16 = 17;
    pub const POP_VLAN: u16 = 18;
    pub const PUSH_MPLS: u16 = 19;
    pub const POP_MPLS: u16 = 20;
    pub const SET_QUEUE: u16 = 21;
    pub const GROUP: u16 = 22;
    pub const SET_NW_TTL: u16 = 23;
    pub const DEC_NW_TTL: u16 = 24;
    pub const SET_FIELD: u16 = 25;
    pub const PUSH_PBB: u16 = 26;
    pub const POP_PBB: u16 = 27;
    pub const EXPERIMENTER: u16 = 0xffff;
}

pub(super) const fn bad(code: u16) -> WireError {
    WireError::new(kind::BAD_ACTION, code)
}

/// Shortest action (section 7.2.5, `ofp_action_header`).
const MIN_LEN: usize = 8;

impl Action {
    /// All actions that fill `r`.
    pub(super) fn decode_list(r: &mut Reader<'_>) -> Result<Vec<Self>, WireError> {
        let mut r = Reader::new(r.rest(), bad(bad_action::BAD_LEN));
        // Most are of 8 or 16 bytes; one that is not grows the list once.
        let mut actions = Vec::with_capacity(r.left().div_ceil(16).min(64));
        while !r.is_empty() {
            actions.push(Self::decode(&mut r)?);
        }
        Ok(actions)
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut ahead = *r;
        let kind = ahead.u16()?;
        let len = usize::from(ahead.u16()?);
        if len < MIN_LEN || len % 8 != 0 {
            return Err(bad(bad_action::BAD_LEN));
        }
        let mut body = r.part(len)?;
        body.skip(4)?;
        let action = match kind {
            action_type::OUTPUT => {
                let port = body.u32()?;
                let max_len = body.u16()?;
                body.skip(6)?;
                Self::Output { port, max_len }
            }
            action_type::COPY_TTL_OUT => padded(Self::CopyTtlOut, &mut body)?,
            action_type::COPY_TTL_IN => padded(Self::CopyTtlIn, &mut body)?,
            action_type::SET_MPLS_TTL => Self::SetMplsTtl(ttl(&mut body)?),
            action_type::DEC_MPLS_TTL => padded(Self::DecMplsTtl, &mut body)?,
            action_type::PUSH_VLAN => Self::PushVlan(ether_type(&mut body, &[0x8100, 0x88a8])?),
            action_type::POP_VLAN => padded(Self::PopVlan, &mut body)?,
            action_type::PUSH_MPLS => Self::PushMpls(ether_type(&mut body, &[0x8847, 0x8848])?),
            action_type::POP_MPLS => Self::PopMpls(ether_type(&mut body, &[])?),
            action_type::SET_QUEUE => Self::SetQueue(body.u32()?),
            action_type::GROUP => Self::Group(body.u32()?),
            action_type::SET_NW_TTL => Self::SetNwTtl(ttl(&mut body)?),
            action_type::DEC_NW_TTL => padded(Self::DecNwTtl, &mut body)?,
            action_type::SET_FIELD => {
                let field = set_field(&mut body, false)?;
                body.rest();
                Self::SetField(field)
            }
            action_type::PUSH_PBB => Self::PushPbb(ether_type(&mut body, &[0x88e7])?),
            action_type::POP_PBB => padded(Self::PopPbb, &mut body)?,
            action_type::EXPERIMENTER => return nicira::decode(&mut body),
            _ => return Err(bad(bad_action::BAD_TYPE)),
        };
        body.end()?;
        Ok(action)
    }

    /// Appends all of `actions`.
    pub(super) fn encode_list(actions: &[Self], out: &mut Vec<u8>) {
        for action in actions {
            action.encode(out);
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        use action_type as t;
        match self {
            Self::Output { port, max_len } => {
                out.u16(t::OUTPUT);
                out.u16(16);
                out.u32(*port);
                out.u16(*max_len);
                out.zeros(6);
            }
            Self::CopyTtlOut => short(t::COPY_TTL_OUT, 0, out),
            Self::CopyTtlIn => short(t::COPY_TTL_IN, 0, out),
            Self::SetMplsTtl(ttl) => short(t::SET_MPLS_TTL, u32::from(*ttl) << 24, out),
            Self::DecMplsTtl => short(t::DEC_MPLS_TTL, 0, out),
            Self::PushVlan(ether_type) => short(t::PUSH_VLAN, u32::from(*ether_type) << 16, out),
            Self::PopVlan => short(t::POP_VLAN, 0, out),
            Self::PushMpls(ether_type) => short(t::PUSH_MPLS, u32::from(*ether_type) << 16, out),
            Self::PopMpls(ether_type) => short(t::POP_MPLS, u32::from(*ether_type) << 16, out),
            Self::SetQueue(queue) => short(t::SET_QUEUE, *queue, out),
            Self::Group(group) => short(t::GROUP, *group, out),
            Self::SetNwTtl(ttl) => short(t::SET_NW_TTL, u32::from(*ttl) << 24, out),
            Self::DecNwTtl => short(t::DEC_NW_TTL, 0, out),
            Self::PushPbb(ether_type) => short(t::PUSH_PBB, u32::from(*ether_type) << 16, out),
            Self::PopPbb => short(t::POP_PBB, 0, out),
            Self::SetField(oxm) if oxm.mask.is_none() => {
                let start = out.len();
                out.u16(t::SET_FIELD);
                out.u16(0);
                oxm.encode(out);
                out.pad8(start);
                out.patch_len(start + 2, start);
            }
            Self::SetField(_)
            | Self::Load { .. }
            | Self::Move { .. }
            | Self::Resubmit { .. }
            | Self::Controller { .. }
            | Self::Note(_) => nicira::encode(self, out),
        }
    }
}

/// An action of eight bytes.
fn short(kind: u16, value: u32, out: &mut Vec<u8>) {
    out.u16(kind);
    out.u16(8);
    out.u32(value);
}

fn padded(action: Action, body: &mut Reader<'_>) -> Result<Action, WireError> {
    body.skip(4)?;
    Ok(action)
}

fn ttl(body: &mut Reader<'_>) -> Result<u8, WireError> {
    let ttl = body.u8()?;
    body.skip(3)?;
    Ok(ttl)
}

/// An EtherType, one of `allowed` unless that is empty.
pub(super) fn ether_type(body: &mut Reader<'_>, allowed: &[u16]) -> Result<u16, WireError> {
    let ether_type = body.u16()?;
    body.skip(2)?;
    if !allowed.is_empty() && !allowed.contains(&ether_type) {
        return Err(bad(bad_action::BAD_ARGUMENT));
    }
    Ok(ether_type)
}

/// The header of a field to be set or read (an action's, not a match's).
pub(super) fn field_header(
    body: &mut Reader<'_>,
) -> Result<(&'static FieldInfo, Header), WireError> {
    let mut r = body.or(bad(bad_action::BAD_SET_LEN));
    let left = r.left();
    let header = Header::decode(&mut r).map_err(|_| bad(bad_action::BAD_SET_LEN))?;
    body.skip(left - r.left())?;
    let field = header.field().ok_or(bad(bad_action::BAD_SET_TYPE))?;
    if header.len != usize::from(field.bytes) << u8::from(header.masked) {
        return Err(bad(bad_action::BAD_SET_LEN));
    }
    Ok((field, header))
}

/// The OXM TLV of a set-field action (section 7.2.5, `ofp_action_set_field`). `NXAST_REG_LOAD2` takes
/// a mask; OpenFlow 1.3 does not.
pub(super) fn set_field(body: &mut Reader<'_>, may_mask: bool) -> Result<Oxm, WireError> {
    let (field, header) = field_header(body)?;
    if header.masked && !may_mask {
        return Err(bad(bad_action::BAD_SET_TYPE));
    }
    let mut value = body.or(bad(bad_action::BAD_SET_LEN)).part(header.len)?;
    body.skip(header.len)?;
    let oxm = Oxm::decode_value(field, header.masked, &mut value).map_err(|e| {
        if e.code == bad_match::BAD_MASK || e.code == bad_match::BAD_WILDCARDS {
            e
        } else {
            bad(bad_action::BAD_SET_ARGUMENT)
        }
    })?;
    if field.id.class == BASIC
        && match field.id.field {
            basic::IN_PORT | basic::IN_PHY_PORT => true,
            basic::VLAN_VID => oxm.value & VID_PRESENT == 0 && oxm.mask.is_none(),
            _ => false,
        }
    {
        return Err(bad(bad_action::BAD_SET_ARGUMENT));
    }
    Ok(oxm)
}
