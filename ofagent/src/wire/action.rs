//! Actions (section 7.2.5), and Open vSwitch's extensions that everyday use needs.

use super::oxm::{Oxm, OxmId};

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
