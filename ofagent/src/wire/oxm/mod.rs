//! Flow match fields (section 7.2.3): OXM, and Open vSwitch's NXM.

mod matching;
mod table;

pub(super) use matching::Unknown;

pub use table::{FieldInfo, Prerequisite, all, lookup};

use super::bytes::{Put, Reader};
use super::error::{WireError, bad_match, kind};

/// A field's class and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OxmId {
    /// `OFPXMC_*`.
    pub class: u16,
    /// The field within the class.
    pub field: u8,
}

/// `OFPXMC_NXM_0`.
pub const NXM_0: u16 = 0x0000;
/// `OFPXMC_NXM_1`.
pub const NXM_1: u16 = 0x0001;
/// `OFPXMC_OPENFLOW_BASIC`.
pub const BASIC: u16 = 0x8000;
/// `OFPXMC_PACKET_REGS`.
pub const PACKET_REGS: u16 = 0x8001;
/// `OFPXMC_EXPERIMENTER`; of experimenters only [`ONF`] has fields here.
pub const EXPERIMENTER: u16 = 0xffff;
/// The Open Networking Foundation's experimenter id.
pub const ONF: u32 = 0x4f4e_4600;
/// `ONFOXM_ET_TCP_FLAGS`: TCP flags, of class [`EXPERIMENTER`].
pub const ONF_TCP_FLAGS: u8 = 42;
/// `OFPVID_PRESENT`: the bit of `VLAN_VID` that says that there is a tag.
pub const VID_PRESENT: u128 = 0x1000;

/// `enum oxm_ofb_match_fields` (table 12).
pub mod basic {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const IN_PORT: u8 = 0;
    pub const IN_PHY_PORT: u8 = 1;
    pub const METADATA: u8 = 2;
    pub const ETH_DST: u8 = 3;
    pub const ETH_SRC: u8 = 4;
    pub const ETH_TYPE: u8 = 5;
    pub const VLAN_VID: u8 = 6;
    pub const VLAN_PCP: u8 = 7;
    pub const IP_DSCP: u8 = 8;
    pub const IP_ECN: u8 = 9;
    pub const IP_PROTO: u8 = 10;
    pub const IPV4_SRC: u8 = 11;
    pub const IPV4_DST: u8 = 12;
    pub const TCP_SRC: u8 = 13;
    pub const TCP_DST: u8 = 14;
    pub const UDP_SRC: u8 = 15;
    pub const UDP_DST: u8 = 16;
    pub const SCTP_SRC: u8 = 17;
    pub const SCTP_DST: u8 = 18;
    pub const ICMPV4_TYPE: u8 = 19;
    pub const ICMPV4_CODE: u8 = 20;
    pub const ARP_OP: u8 = 21;
    pub const ARP_SPA: u8 = 22;
    pub const ARP_TPA: u8 = 23;
    pub const ARP_SHA: u8 = 24;
    pub const ARP_THA: u8 = 25;
    pub const IPV6_SRC: u8 = 26;
    pub const IPV6_DST: u8 = 27;
    pub const IPV6_FLABEL: u8 = 28;
    pub const ICMPV6_TYPE: u8 = 29;
    pub const ICMPV6_CODE: u8 = 30;
    pub const IPV6_ND_TARGET: u8 = 31;
    pub const IPV6_ND_SLL: u8 = 32;
    pub const IPV6_ND_TLL: u8 = 33;
    pub const MPLS_LABEL: u8 = 34;
    pub const MPLS_TC: u8 = 35;
    pub const MPLS_BOS: u8 = 36;
    pub const PBB_ISID: u8 = 37;
    pub const TUNNEL_ID: u8 = 38;
    pub const IPV6_EXTHDR: u8 = 39;
}

/// A field with its value, as it stands in a match or a set-field action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oxm {
    /// The field.
    pub id: OxmId,
    /// Bytes of the value (without mask), 1 to 16.
    pub len: u8,
    /// The value, as a number.
    pub value: u128,
    /// The mask, if the field was sent with one.
    pub mask: Option<u128>,
}

/// `ofp_match`: fields in the order in which they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match(pub Vec<Oxm>);

const fn bad(code: u16) -> WireError {
    WireError::new(kind::BAD_MATCH, code)
}

/// The header of an OXM TLV (section 7.2.3.2).
pub(super) struct Header {
    /// The field, or nothing for one of another experimenter's.
    pub(super) id: Option<OxmId>,
    pub(super) masked: bool,
    /// Bytes that follow.
    pub(super) len: usize,
}

impl Header {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let class = r.u16()?;
        let field = r.u8()?;
        let mut len = usize::from(r.u8()?);
        let mut id = Some(OxmId { class, field: field >> 1 });
        if class == EXPERIMENTER {
            len = len.checked_sub(4).ok_or(bad(bad_match::BAD_LEN))?;
            if r.u32()? != ONF {
                id = None;
            }
        }
        Ok(Self { id, masked: field & 1 != 0, len })
    }

    /// The field, if this codec knows it.
    pub(super) fn field(&self) -> Option<&'static FieldInfo> {
        self.id.and_then(lookup)
    }

    /// Writes the header of a field whose value has `len` bytes.
    pub(super) fn encode(id: OxmId, masked: bool, len: u8, out: &mut Vec<u8>) {
        let experimenter = if id.class == EXPERIMENTER { 4 } else { 0 };
        out.u16(id.class);
        out.u8(id.field << 1 | u8::from(masked));
        out.u8((len << u8::from(masked)).wrapping_add(experimenter));
        if experimenter != 0 {
            out.u32(ONF);
        }
    }
}

impl OxmId {
    /// A field of table 12.
    #[must_use]
    pub const fn basic(field: u8) -> Self {
        Self { class: BASIC, field }
    }
}

impl Oxm {
    /// The TLV, header included.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        Header::encode(self.id, self.mask.is_some(), self.len, out);
        out.number(self.value, usize::from(self.len));
        if let Some(mask) = self.mask {
            out.number(mask, usize::from(self.len));
        }
    }

    /// What follows the header. Checks mask and value as Open vSwitch does: value bits that the mask
    /// leaves out, then the mask, then the value.
    pub(super) fn decode_value(
        field: &FieldInfo,
        masked: bool,
        r: &mut Reader<'_>,
    ) -> Result<Self, WireError> {
        let bytes = usize::from(field.bytes);
        let value = r.number(bytes)?;
        let mut mask = None;
        if masked {
            let m = r.number(bytes)?;
            if value & !m != 0 {
                return Err(bad(bad_match::BAD_WILDCARDS));
            }
            let whole = u128::MAX >> (128 - 8 * bytes);
            if !field.maskable && m != 0 && m != whole {
                return Err(bad(bad_match::BAD_MASK));
            }
            mask = Some(m & field.max());
        }
        if value & !field.max() != 0 {
            return Err(bad(bad_match::BAD_VALUE));
        }
        Ok(Self { id: field.id, len: field.bytes, value, mask })
    }
}
