//! Matches: NXM (`nicira-ext.h`, `nx_match`), which says all that OXM does, and `ofp_match` (OpenFlow
//! 1.0, section 5.2.3), which does not.

use super::port::{narrow, widen};
use crate::wire::bytes::{Put, Reader};
use crate::wire::error::{WireError, bad_match, kind};
use crate::wire::oxm::{
    BASIC, EXPERIMENTER, Header, Match, NXM_0, NXM_1, ONF_TCP_FLAGS, Oxm, OxmId, Unknown,
    VID_PRESENT, basic,
};

/// `NXM_NX_COOKIE`, with its mask or without: stands in the match, and is no field of packets.
const COOKIE: OxmId = OxmId { class: NXM_1, field: 30 };
/// Its bytes: another field has the same number, but one byte.
const COOKIE_LEN: usize = 8;
/// `NXM_OF_VLAN_TCI`.
pub(super) const VLAN_TCI: OxmId = OxmId { class: NXM_0, field: 4 };
/// Its present bit and VLAN id.
pub(super) const VID: u128 = 0x1fff;
/// Its priority, and how far from the lowest bit it is.
pub(super) const PCP_SHIFT: u32 = 13;
const IN_PORT: OxmId = OxmId { class: NXM_0, field: 0 };
const IP_TOS: OxmId = OxmId { class: NXM_0, field: 5 };

const BAD_LEN: WireError = WireError::new(kind::BAD_MATCH, bad_match::BAD_LEN);

/// Fields of OXM that NXM has with the same value, and their numbers there (Open vSwitch shows these).
const SAME: [(u8, u16, u8); 24] = [
    (basic::ETH_DST, NXM_0, 1),
    (basic::ETH_SRC, NXM_0, 2),
    (basic::ETH_TYPE, NXM_0, 3),
    (basic::IP_PROTO, NXM_0, 6),
    (basic::IPV4_SRC, NXM_0, 7),
    (basic::IPV4_DST, NXM_0, 8),
    (basic::TCP_SRC, NXM_0, 9),
    (basic::TCP_DST, NXM_0, 10),
    (basic::UDP_SRC, NXM_0, 11),
    (basic::UDP_DST, NXM_0, 12),
    (basic::ICMPV4_TYPE, NXM_0, 13),
    (basic::ICMPV4_CODE, NXM_0, 14),
    (basic::ARP_OP, NXM_0, 15),
    (basic::ARP_SPA, NXM_0, 16),
    (basic::ARP_TPA, NXM_0, 17),
    (basic::TUNNEL_ID, NXM_1, 16),
    (basic::ARP_SHA, NXM_1, 17),
    (basic::ARP_THA, NXM_1, 18),
    (basic::IPV6_SRC, NXM_1, 19),
    (basic::IPV6_DST, NXM_1, 20),
    (basic::IPV6_ND_TARGET, NXM_1, 23),
    (basic::IPV6_ND_SLL, NXM_1, 24),
    (basic::IPV6_ND_TLL, NXM_1, 25),
    (basic::IPV6_FLABEL, NXM_1, 27),
];
/// The same for those whose numbers are not beside each other.
const SAME_TOO: [(u8, u16, u8); 3] =
    [(basic::ICMPV6_TYPE, NXM_1, 21), (basic::ICMPV6_CODE, NXM_1, 22), (basic::IP_ECN, NXM_1, 28)];
/// `NXM_NX_TCP_FLAGS`.
const TCP_FLAGS: OxmId = OxmId { class: NXM_1, field: 34 };

/// The number that NXM has for a field, where its value is the same.
pub(super) fn nxm(id: OxmId) -> OxmId {
    match id {
        OxmId { class: BASIC, field } => SAME
            .iter()
            .chain(&SAME_TOO)
            .find(|same| same.0 == field)
            .map_or(id, |&(_, class, field)| OxmId { class, field }),
        OxmId { class: EXPERIMENTER, field: ONF_TCP_FLAGS } => TCP_FLAGS,
        _ => id,
    }
}

/// A match, and the cookie with its mask that stood in it.
pub(super) struct Found {
    pub(super) matching: Match,
    pub(super) cookie: Option<(u64, u64)>,
}

/// Reads an `nx_match` of `len` bytes and its padding.
pub(super) fn decode_nxm(r: &mut Reader<'_>, len: usize) -> Result<Found, WireError> {
    let padded = r.take(len.next_multiple_of(8))?;
    let mut rest = Reader::new(&padded[..len], BAD_LEN);
    let mut fields = Vec::with_capacity(len);
    let mut cookie = None;
    while !rest.is_empty() {
        let start = rest;
        let header = Header::decode(&mut rest)?;
        let mut value = rest.part(header.len)?;
        if header.id == Some(COOKIE) && header.len == COOKIE_LEN << u8::from(header.masked) {
            let id = value.u64()?;
            let mask = if header.masked { value.u64()? } else { u64::MAX };
            cookie = Some((id, mask));
        } else {
            let mut field = start;
            fields.extend_from_slice(field.take(start.left() - rest.left())?);
        }
    }
    let matching = Match::decode_fields(Reader::new(&fields, BAD_LEN), Unknown::Refuse)?;
    Ok(Found { matching, cookie })
}

/// Appends an `nx_match` without its padding; gives its length.
pub(super) fn encode_nxm(m: &Match, out: &mut Vec<u8>) -> u16 {
    let start = out.len();
    let mut tci: Option<(u128, u128)> = None;
    let mut fields = m.0.iter().peekable();
    while let Some(oxm) = fields.next() {
        if let Some((value, mask)) = part_of_tci(oxm) {
            let before = tci.unwrap_or((0, 0));
            let whole = (before.0 | value, before.1 | mask);
            tci = Some(whole);
            // Priority follows id, and they are one field here.
            if fields.peek().is_none_or(|next| part_of_tci(next).is_none()) {
                tlv(VLAN_TCI, 2, whole.0, Some(whole.1).filter(|mask| *mask != 0xffff), out);
            }
            continue;
        }
        match oxm.id {
            OxmId { class: BASIC, field: basic::IN_PORT } => {
                tlv(IN_PORT, 2, narrow(oxm.value as u32).into(), None, out);
            }
            OxmId { class: BASIC, field: basic::IP_DSCP } => {
                tlv(IP_TOS, 1, oxm.value << 2, None, out);
            }
            id => tlv(nxm(id), oxm.len, oxm.value, oxm.mask, out),
        }
    }
    (out.len() - start) as u16
}

fn tlv(id: OxmId, len: u8, value: u128, mask: Option<u128>, out: &mut Vec<u8>) {
    Oxm { id, len, value, mask }.encode(out);
}

/// What a field says of the VLAN's TCI: value and mask.
fn part_of_tci(oxm: &Oxm) -> Option<(u128, u128)> {
    match oxm.id {
        OxmId { class: BASIC, field: basic::VLAN_VID } => {
            // A packet without a tag has a TCI of zero, which is how users of 1.0 ask for it.
            let untagged = oxm.value == 0 && oxm.mask.is_none_or(|mask| mask == VID);
            Some((oxm.value, if untagged { 0xffff } else { oxm.mask.unwrap_or(VID) }))
        }
        OxmId { class: BASIC, field: basic::VLAN_PCP } => {
            Some((oxm.value << PCP_SHIFT, 7 << PCP_SHIFT))
        }
        _ => None,
    }
}

/// `enum ofp_flow_wildcards`.
mod wildcard {
    pub(super) const IN_PORT: u32 = 1;
    pub(super) const DL_VLAN: u32 = 1 << 1;
    pub(super) const DL_SRC: u32 = 1 << 2;
    pub(super) const DL_DST: u32 = 1 << 3;
    pub(super) const DL_TYPE: u32 = 1 << 4;
    pub(super) const NW_PROTO: u32 = 1 << 5;
    pub(super) const TP_SRC: u32 = 1 << 6;
    pub(super) const TP_DST: u32 = 1 << 7;
    /// Bits of the address that do not matter, in six bits; 32 and more: none does.
    pub(super) const NW_SRC_SHIFT: u32 = 8;
    pub(super) const NW_DST_SHIFT: u32 = 14;
    pub(super) const DL_VLAN_PCP: u32 = 1 << 20;
    pub(super) const NW_TOS: u32 = 1 << 21;
    /// `OFPFW_ALL`.
    pub(super) const ALL: u32 = (1 << 22) - 1;
}

/// `OFPFW_ALL`.
pub(super) const ALL_WILDCARDS: u32 = wildcard::ALL;

/// `OFP_VLAN_NONE`.
const VLAN_NONE: u16 = 0xffff;

/// `ofp_match`.
#[derive(Default)]
struct OldMatch {
    wildcards: u32,
    in_port: u16,
    dl_src: [u8; 6],
    dl_dst: [u8; 6],
    dl_vlan: u16,
    dl_vlan_pcp: u8,
    dl_type: u16,
    nw_tos: u8,
    nw_proto: u8,
    nw_src: u32,
    nw_dst: u32,
    tp_src: u16,
    tp_dst: u16,
}

/// Reads an `ofp_match`. What is asked for without its prerequisite is left out, as in Open vSwitch.
pub(super) fn decode(r: &mut Reader<'_>) -> Result<Match, WireError> {
    let m = OldMatch {
        wildcards: r.u32()?,
        in_port: r.u16()?,
        dl_src: r.array()?,
        dl_dst: r.array()?,
        dl_vlan: r.u16()?,
        dl_vlan_pcp: {
            let pcp = r.u8()?;
            r.skip(1)?;
            pcp
        },
        dl_type: r.u16()?,
        nw_tos: r.u8()?,
        nw_proto: {
            let proto = r.u8()?;
            r.skip(2)?;
            proto
        },
        nw_src: r.u32()?,
        nw_dst: r.u32()?,
        tp_src: r.u16()?,
        tp_dst: r.u16()?,
    };
    Ok(m.fields())
}

impl OldMatch {
    fn has(&self, wildcard: u32) -> bool {
        self.wildcards & wildcard == 0
    }

    fn fields(&self) -> Match {
        let mut fields = Vec::new();
        let mut push = |field: u8, len: u8, value: u128| {
            fields.push(Oxm { id: OxmId::basic(field), len, value, mask: None });
        };
        let mac = |a: [u8; 6]| a.iter().fold(0, |n: u128, b| n << 8 | u128::from(*b));
        if self.has(wildcard::IN_PORT) {
            push(basic::IN_PORT, 4, widen(self.in_port).into());
        }
        if self.has(wildcard::DL_DST) {
            push(basic::ETH_DST, 6, mac(self.dl_dst));
        }
        if self.has(wildcard::DL_SRC) {
            push(basic::ETH_SRC, 6, mac(self.dl_src));
        }
        if self.has(wildcard::DL_TYPE) {
            push(basic::ETH_TYPE, 2, self.dl_type.into());
        }
        fields.extend(self.tci());
        if self.has(wildcard::DL_TYPE) {
            self.network(&mut fields);
        }
        Match(fields)
    }

    /// The VLAN's TCI: id and priority are one field in Open vSwitch's eyes.
    fn tci(&self) -> Option<Oxm> {
        let (vid, pcp) = (self.has(wildcard::DL_VLAN), self.has(wildcard::DL_VLAN_PCP));
        let tci = |value: u128, mask: u128| {
            let mask = Some(mask).filter(|mask| *mask != 0xffff);
            Some(Oxm { id: VLAN_TCI, len: 2, value, mask })
        };
        if vid && self.dl_vlan == VLAN_NONE {
            return tci(0, 0xffff);
        }
        let (mut value, mut mask) = (VID_PRESENT, VID_PRESENT);
        if vid {
            value |= u128::from(self.dl_vlan & 0xfff);
            mask |= VID;
        }
        if pcp {
            value |= u128::from(self.dl_vlan_pcp & 7) << PCP_SHIFT;
            mask |= 7 << PCP_SHIFT;
        }
        if vid || pcp { tci(value, mask) } else { None }
    }

    fn network(&self, fields: &mut Vec<Oxm>) {
        let mut push = |field: u8, len: u8, value: u128, mask: Option<u128>| {
            fields.push(Oxm { id: OxmId::basic(field), len, value, mask });
        };
        let arp = matches!(self.dl_type, 0x0806 | 0x8035);
        let (v4, v6) = (self.dl_type == 0x0800, self.dl_type == 0x86dd);
        let proto = self.has(wildcard::NW_PROTO);
        if (v4 || v6) && self.has(wildcard::NW_TOS) {
            push(basic::IP_DSCP, 1, (self.nw_tos >> 2).into(), None);
        }
        if proto && (v4 || v6) {
            push(basic::IP_PROTO, 1, self.nw_proto.into(), None);
        }
        if proto && arp {
            push(basic::ARP_OP, 2, self.nw_proto.into(), None);
        }
        let (src, dst) =
            if arp { (basic::ARP_SPA, basic::ARP_TPA) } else { (basic::IPV4_SRC, basic::IPV4_DST) };
        let addresses = [
            (src, self.nw_src, self.wildcards >> wildcard::NW_SRC_SHIFT & 0x3f),
            (dst, self.nw_dst, self.wildcards >> wildcard::NW_DST_SHIFT & 0x3f),
        ];
        for (field, address, free) in addresses {
            if (v4 || arp) && free < 32 {
                let mask = u32::MAX << free;
                let masked = Some(u128::from(mask)).filter(|_| free != 0);
                push(field, 4, (address & mask).into(), masked);
            }
        }
        if !proto {
            return;
        }
        let (src, dst, len) = match self.nw_proto {
            6 if v4 || v6 => (basic::TCP_SRC, basic::TCP_DST, 2),
            17 if v4 || v6 => (basic::UDP_SRC, basic::UDP_DST, 2),
            132 if v4 || v6 => (basic::SCTP_SRC, basic::SCTP_DST, 2),
            1 if v4 => (basic::ICMPV4_TYPE, basic::ICMPV4_CODE, 1),
            58 if v6 => (basic::ICMPV6_TYPE, basic::ICMPV6_CODE, 1),
            _ => return,
        };
        let bits = if len == 1 { 0xff } else { 0xffff };
        if self.has(wildcard::TP_SRC) {
            push(src, len, (self.tp_src & bits).into(), None);
        }
        if self.has(wildcard::TP_DST) {
            push(dst, len, (self.tp_dst & bits).into(), None);
        }
    }

    /// As much of a match as an `ofp_match` says: the rest is wildcarded, as in Open vSwitch.
    fn of(m: &Match) -> Self {
        let mut old = Self { wildcards: wildcard::ALL, ..Self::default() };
        for oxm in &m.0 {
            old.add(oxm);
        }
        old
    }

    fn add(&mut self, oxm: &Oxm) {
        let value = oxm.value;
        let mac = || {
            let [.., a, b, c, d, e, f] = value.to_be_bytes();
            [a, b, c, d, e, f]
        };
        if let Some((tci, mask)) = part_of_tci(oxm) {
            if mask == 0xffff && tci == 0 {
                self.dl_vlan = VLAN_NONE;
                self.wildcards &= !wildcard::DL_VLAN;
            } else if mask & VID == VID {
                self.dl_vlan = (tci & 0xfff) as u16;
                self.wildcards &= !wildcard::DL_VLAN;
            } else if mask == 7 << PCP_SHIFT {
                self.dl_vlan_pcp = (tci >> PCP_SHIFT) as u8;
                self.wildcards &= !wildcard::DL_VLAN_PCP;
            }
            return;
        }
        let OxmId { class: BASIC, field } = oxm.id else { return };
        let free = oxm.mask.map_or(0, |mask| (mask as u32).trailing_zeros());
        let is_prefix = oxm.mask.is_none_or(|mask| mask as u32 == u32::MAX.wrapping_shl(free));
        if oxm.mask.is_some()
            && !matches!(field, basic::IPV4_SRC..=basic::IPV4_DST | basic::ARP_SPA..=basic::ARP_TPA)
        {
            return;
        }
        let known = match field {
            basic::IN_PORT => {
                self.in_port = narrow(value as u32);
                wildcard::IN_PORT
            }
            basic::ETH_DST => {
                self.dl_dst = mac();
                wildcard::DL_DST
            }
            basic::ETH_SRC => {
                self.dl_src = mac();
                wildcard::DL_SRC
            }
            basic::ETH_TYPE => {
                self.dl_type = value as u16;
                wildcard::DL_TYPE
            }
            basic::IP_DSCP => {
                self.nw_tos = (value << 2) as u8;
                wildcard::NW_TOS
            }
            basic::IP_PROTO | basic::ARP_OP => {
                self.nw_proto = value as u8;
                wildcard::NW_PROTO
            }
            basic::IPV4_SRC | basic::ARP_SPA if is_prefix => {
                self.nw_src = value as u32;
                (0x3f ^ free) << wildcard::NW_SRC_SHIFT
            }
            basic::IPV4_DST | basic::ARP_TPA if is_prefix => {
                self.nw_dst = value as u32;
                (0x3f ^ free) << wildcard::NW_DST_SHIFT
            }
            basic::TCP_SRC
            | basic::UDP_SRC
            | basic::SCTP_SRC
            | basic::ICMPV4_TYPE
            | basic::ICMPV6_TYPE => {
                self.tp_src = value as u16;
                wildcard::TP_SRC
            }
            basic::TCP_DST
            | basic::UDP_DST
            | basic::SCTP_DST
            | basic::ICMPV4_CODE
            | basic::ICMPV6_CODE => {
                self.tp_dst = value as u16;
                wildcard::TP_DST
            }
            _ => 0,
        };
        self.wildcards &= !known;
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.u32(self.wildcards);
        out.u16(self.in_port);
        out.extend_from_slice(&self.dl_src);
        out.extend_from_slice(&self.dl_dst);
        out.u16(self.dl_vlan);
        out.u8(self.dl_vlan_pcp);
        out.zeros(1);
        out.u16(self.dl_type);
        out.u8(self.nw_tos);
        out.u8(self.nw_proto);
        out.zeros(2);
        out.u32(self.nw_src);
        out.u32(self.nw_dst);
        out.u16(self.tp_src);
        out.u16(self.tp_dst);
    }
}

/// Appends the match as an `ofp_match`, as far as that goes.
pub(super) fn encode(m: &Match, out: &mut Vec<u8>) {
    OldMatch::of(m).encode(out);
}
