//! Copies TTLs between headers (OpenFlow 1.3.5 section 5.12), and raises the drop precedence of a
//! meter's excess packets (section 5.7.1, RFC 2597).

use super::set_field::{Set, set_field, update};
use crate::drop::DropReason;
use crate::flow::extract::network_type;
use crate::flow::prereq::ETH_MPLS;
use crate::flow::{Field, Layout};
use crate::packet::Packet;
use crate::wire::{at, ethernet, ipv4, ipv6, mpls};

/// IP protocol numbers of IPv4 and IPv6 in IP (RFC 2003, RFC 4213).
const IP_IN_IP: [u8; 2] = [4, 41];

/// A header with a TTL.
#[derive(Clone, Copy)]
struct Header {
    /// Where its TTL is.
    ttl: usize,
    /// Where the checksum over it begins and is, if there is one: IPv4's header.
    ipv4: Option<usize>,
    /// Where the next header that may have one begins.
    next: Next,
}

#[derive(Clone, Copy)]
enum Next {
    /// An MPLS entry.
    Entry(usize),
    /// An IP header, or something else, by the first four bits.
    Ip(usize),
    None,
}

/// Copies the TTL from the next-to-outermost header with TTL to the outermost (`out`), or from the
/// outermost to the next-to-outermost: MPLS to MPLS, IP to MPLS, IP to IP, and back. A frame without
/// two such headers is left as it is.
pub fn copy_ttl(p: &mut Packet, layout: &Layout, out: bool) -> Result<(), DropReason> {
    let Some((outer, inner)) = headers(p.data(), layout) else {
        return Ok(());
    };
    let (from, to) = if out { (inner, outer) } else { (outer, inner) };
    let ttl = p.data()[from.ttl];
    let set = Set { value: ttl.into(), mask: 0xff };
    let base = to.ipv4.unwrap_or(0);
    let delta = set.write::<1>(p.data_mut(), base, to.ttl - base).ok_or(DropReason::BadAction)?;
    if let Some(ip) = to.ipv4 {
        update(p.data_mut(), ip + ipv4::CHECKSUM, delta).ok_or(DropReason::BadAction)?;
    }
    Ok(())
}

/// The two outermost headers with TTL; their TTLs lie within the frame.
fn headers(frame: &[u8], layout: &Layout) -> Option<(Header, Header)> {
    let outer = match layout.ethertype(frame)? {
        t if ETH_MPLS.contains(&t) => entry(frame, layout.l2_len())?,
        _ if layout.l3 != 0 => match network_type(frame, layout.l3)? {
            ethernet::IPV4 | ethernet::IPV6 => ip(frame, layout.l3.into())?,
            _ => return None,
        },
        _ => return None,
    };
    let inner = match outer.next {
        Next::Entry(at) => entry(frame, at)?,
        Next::Ip(at) => ip(frame, at)?,
        Next::None => return None,
    };
    Some((outer, inner))
}

fn entry(frame: &[u8], at: usize) -> Option<Header> {
    let next = at + mpls::LEN;
    let bottom = mpls::entry(frame, at)? & mpls::BOTTOM != 0;
    let next = if bottom { Next::Ip(next) } else { Next::Entry(next) };
    Some(Header { ttl: at + mpls::TTL, ipv4: None, next })
}

fn ip(frame: &[u8], start: usize) -> Option<Header> {
    match frame.get(start)? >> 4 {
        4 => {
            let h = ipv4::Ipv4(at(frame, start)?);
            if h.header_len() < ipv4::HEADER_LEN {
                return None;
            }
            let inside = IP_IN_IP.contains(&h.proto()) && !h.is_later_fragment();
            let next = if inside { Next::Ip(start + h.header_len()) } else { Next::None };
            Some(Header { ttl: start + ipv4::TTL, ipv4: Some(start), next })
        }
        6 => {
            let h = ipv6::Ipv6(at(frame, start)?);
            let payload = start + ipv6::HEADER_LEN;
            let inside = ipv6::extensions(h.next_header(), &frame[payload..])
                .filter(|x| IP_IN_IP.contains(&x.proto) && !x.later);
            let next = inside.map_or(Next::None, |x| Next::Ip(payload + x.len));
            Some(Header { ttl: start + ipv6::HOP_LIMIT, ipv4: None, next })
        }
        _ => None,
    }
}

/// Raises the drop precedence of an IP packet of an assured forwarding class (RFC 2597 section 6: AF11
/// to AF43) by `levels`, to the highest of its class at most. Any other packet is left as it is.
pub fn remark_dscp(p: &mut Packet, layout: &mut Layout, levels: u8) -> Result<(), DropReason> {
    let l3 = usize::from(layout.l3);
    let tos = match network_type(p.data(), layout.l3) {
        Some(ethernet::IPV4) => at(p.data(), l3).map(|h| ipv4::Ipv4(h).tos()),
        Some(ethernet::IPV6) => at(p.data(), l3).map(|h| ipv6::Ipv6(h).traffic_class()),
        _ => None,
    };
    let Some(dscp) = tos.filter(|_| l3 != 0).map(|t| t >> 2) else {
        return Ok(());
    };
    let (class, precedence) = (dscp >> 3, dscp >> 1 & 3);
    if !(1..=4).contains(&class) || precedence == 0 || dscp & 1 != 0 {
        return Ok(());
    }
    let raised = precedence.saturating_add(levels).min(3);
    let value = class << 3 | raised << 1;
    set_field(p, layout, Field::IpDscp, value.into(), Field::IpDscp.max())
}
