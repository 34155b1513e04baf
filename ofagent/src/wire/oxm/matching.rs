//! `ofp_match` (section 7.2.3.1): fields in order, each once, none before what it presupposes.

use super::{FieldInfo, Header, Match, Oxm, Prerequisite, VID_PRESENT, bad, basic};
use crate::wire::bytes::{Put, Reader};
use crate::wire::error::{WireError, bad_match};

/// `OFPMT_OXM`.
const OXM: u16 = 1;

/// What to do with a field that this codec does not know.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::wire) enum Unknown {
    /// It is an error: the match would mean something else without it.
    Refuse,
    /// Leave it out: a switch tells more than the reader understands.
    Ignore,
}

/// What the fields so far say, as far as others presuppose it.
#[derive(Default)]
struct Seen {
    subjects: u128,
    eth_type: Option<u16>,
    ip_proto: Option<u8>,
    icmpv6_type: Option<u8>,
    vlan: bool,
}

impl Seen {
    fn satisfies(&self, needs: Prerequisite) -> bool {
        use Prerequisite as P;
        let ip = matches!(self.eth_type, Some(0x0800 | 0x86dd));
        match needs {
            P::None => true,
            P::InPort => self.subjects & (1 << basic::IN_PORT) != 0,
            P::Vlan => self.vlan,
            P::Ip => ip,
            P::Ipv4 => self.eth_type == Some(0x0800),
            P::Ipv6 => self.eth_type == Some(0x86dd),
            P::Arp => matches!(self.eth_type, Some(0x0806 | 0x8035)),
            P::Mpls => matches!(self.eth_type, Some(0x8847 | 0x8848)),
            P::Pbb => self.eth_type == Some(0x88e7),
            P::Tcp => ip && self.ip_proto == Some(6),
            P::Udp => ip && self.ip_proto == Some(17),
            P::Sctp => ip && self.ip_proto == Some(132),
            P::Icmpv4 => self.eth_type == Some(0x0800) && self.ip_proto == Some(1),
            P::Icmpv6 => self.icmpv6(),
            P::Nd => self.icmpv6() && matches!(self.icmpv6_type, Some(135 | 136)),
            P::NdSolicit => self.icmpv6() && self.icmpv6_type == Some(135),
            P::NdAdvert => self.icmpv6() && self.icmpv6_type == Some(136),
        }
    }

    fn icmpv6(&self) -> bool {
        self.eth_type == Some(0x86dd) && self.ip_proto == Some(58)
    }

    fn add(&mut self, field: &FieldInfo, oxm: &Oxm) -> Result<(), WireError> {
        if !self.satisfies(field.needs) {
            return Err(bad(bad_match::BAD_PREREQ));
        }
        if self.subjects & field.subjects != 0 {
            return Err(bad(bad_match::DUP_FIELD));
        }
        self.subjects |= field.subjects;
        // A mask of zero says nothing of the field.
        if oxm.mask == Some(0) {
            return Ok(());
        }
        match field.subjects.trailing_zeros() as u8 {
            basic::ETH_TYPE => self.eth_type = Some(oxm.value as u16),
            basic::IP_PROTO => self.ip_proto = Some(oxm.value as u8),
            basic::ICMPV6_TYPE => self.icmpv6_type = Some(oxm.value as u8),
            // Of VLAN_VID and of Open vSwitch's VLAN_TCI, where the bit is the same.
            basic::VLAN_VID => self.vlan = oxm.value & VID_PRESENT != 0,
            _ => {}
        }
        Ok(())
    }
}

impl Match {
    /// Reads the structure with its padding.
    pub(in crate::wire) fn decode(r: &mut Reader<'_>, unknown: Unknown) -> Result<Self, WireError> {
        let mut whole = r.or(bad(bad_match::BAD_LEN));
        let mut head = whole;
        let kind = head.u16()?;
        let len = usize::from(head.u16()?);
        if kind != OXM {
            return Err(bad(bad_match::BAD_TYPE));
        }
        let padded = whole.take(len.next_multiple_of(8))?;
        let fields = padded[..len].get(4..).ok_or(bad(bad_match::BAD_LEN))?;
        r.skip(padded.len())?;
        Self::decode_fields(Reader::new(fields, bad(bad_match::BAD_LEN)), unknown)
    }

    pub(in crate::wire) fn decode_fields(
        mut r: Reader<'_>,
        unknown: Unknown,
    ) -> Result<Self, WireError> {
        let mut fields = Vec::with_capacity(r.left() / 8);
        let mut seen = Seen::default();
        while !r.is_empty() {
            let header = Header::decode(&mut r)?;
            let mut value = r.part(header.len)?;
            let Some(field) = header.field() else {
                if unknown == Unknown::Ignore {
                    continue;
                }
                return Err(bad(bad_match::BAD_FIELD));
            };
            if header.len != usize::from(field.bytes) << u8::from(header.masked) {
                return Err(bad(bad_match::BAD_LEN));
            }
            let oxm = Oxm::decode_value(field, header.masked, &mut value)?;
            seen.add(field, &oxm)?;
            fields.push(oxm);
        }
        Ok(Self(fields))
    }

    /// Appends the structure with its padding.
    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.u16(OXM);
        out.u16(0);
        for oxm in &self.0 {
            oxm.encode(out);
        }
        out.patch_len(start + 2, start);
        out.pad8(start);
    }
}
