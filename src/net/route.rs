//! Addresses and routes through rtnetlink (linux/rtnetlink.h, rtnetlink(7)).

use super::netlink::{Netlink, attribute, u32_of};
use super::{Cidr, Error, Result};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{
    AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::route::{
    RouteAttribute, RouteHeader, RouteMessage, RouteMetric, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::errno::Errno;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Metrics of a route, and in them its MTU (linux/rtnetlink.h).
const RTAX_MTU: u16 = 2;

/// A route of the main table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where to; host bits are ignored.
    pub dst: Cidr,
    /// The router; none: the destination is on the link.
    pub via: Option<IpAddr>,
    /// The device that it leaves by.
    pub oif: u32,
    /// `mtu` metric, bytes.
    pub mtu: Option<u32>,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.dst.network())?;
        match self.via {
            Some(via) => write!(f, " via {via}"),
            None => Ok(()),
        }
    }
}

/// How the kernel would send to an address now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteHit {
    /// The device that it leaves by.
    pub oif: u32,
    /// The source address that it would take.
    pub src: Option<IpAddr>,
    /// The router.
    pub via: Option<IpAddr>,
    /// The route's MTU, bytes, if one is set or was learned from the path (RFC 1191, RFC 8201).
    pub mtu: Option<u32>,
    /// The address is this host's own.
    pub local: bool,
}

/// A unicast route of the main table, as far as its MTU is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RouteEntry {
    /// Where to.
    pub(crate) dst: Cidr,
    /// The devices that packets may leave by (several with multipath).
    pub(crate) oifs: Vec<u32>,
    /// `mtu` metric, bytes.
    pub(crate) mtu: Option<u32>,
}

impl Netlink {
    /// The unicast routes of the main table, both families.
    pub(crate) fn routes(&mut self) -> Result<Vec<RouteEntry>> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut message = RouteMessage::default();
            message.header.address_family = family;
            let replies = self
                .dump(RouteNetlinkMessage::GetRoute(message))
                .map_err(|e| e.doing("list the routes"))?;
            routes.extend(replies.iter().filter_map(|r| parse_entry(&r.payload)));
        }
        Ok(routes)
    }

    /// Gives a device an address. `EEXIST` (field [`errno`](struct@Error)) if it has it already.
    ///
    /// IPv6: without duplicate address detection, which would keep the address unusable for a
    /// second, and could not be answered anyway before the switch forwards.
    pub fn add_address(&mut self, ifindex: u32, address: Cidr) -> Result<()> {
        let mut message = AddressMessage::default();
        message.header.family = family(address.addr);
        message.header.prefix_len = address.prefix;
        message.header.index = ifindex;
        message.header.scope = AddressScope::Universe;
        message.attributes =
            vec![AddressAttribute::Local(address.addr), AddressAttribute::Address(address.addr)];
        match address.addr {
            IpAddr::V4(a) if address.prefix < 31 => {
                let host = u32::MAX >> address.prefix;
                let broadcast = Ipv4Addr::from(u32::from(a) | host);
                message.attributes.push(AddressAttribute::Broadcast(broadcast));
            }
            IpAddr::V4(_) => {}
            IpAddr::V6(_) => message.header.flags |= AddressHeaderFlags::Nodad,
        }
        self.execute(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL).map_err(
            |refused| {
                let errno = refused.errno;
                let device = self.device_text(ifindex);
                let error = refused.doing(format!("give device {device} the address {address}"));
                match errno {
                    Errno::EEXIST => error.with_fix("the device has it already"),
                    Errno::EACCES | Errno::EOPNOTSUPP if address.addr.is_ipv6() => error.with_fix(
                        "IPv6 is off there: sysctl net.ipv6.conf.all.disable_ipv6=0, or leave the \
                     address out",
                    ),
                    _ => error,
                }
            },
        )
    }

    /// Adds a route to the main table. `EEXIST` (field [`errno`](struct@Error)) if one to the same
    /// prefix exists.
    pub fn add_route(&mut self, route: &Route) -> Result<()> {
        let dst = route.dst.network();
        let mut message = RouteMessage::default();
        message.header.address_family = family(dst.addr);
        message.header.destination_prefix_length = dst.prefix;
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Static;
        message.header.kind = RouteType::Unicast;
        message.header.scope = match route.via {
            None if dst.addr.is_ipv4() => RouteScope::Link,
            _ => RouteScope::Universe,
        };
        message.attributes =
            vec![RouteAttribute::Destination(dst.addr.into()), RouteAttribute::Oif(route.oif)];
        message.attributes.extend(route.via.map(|via| RouteAttribute::Gateway(via.into())));
        message
            .attributes
            .extend(route.mtu.map(|mtu| RouteAttribute::Metrics(vec![RouteMetric::Mtu(mtu)])));
        self.execute(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL).map_err(
            |refused| {
                let errno = refused.errno;
                let device = self.device_text(route.oif);
                let error = refused.doing(format!("add the route {route} through device {device}"));
                match errno {
                    Errno::EEXIST => error.with_fix(
                        "another route to the same prefix exists: delete it, or leave this one out",
                    ),
                    Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::EINVAL => error.with_fix(
                        "the router must be within a prefix of the device's own addresses",
                    ),
                    Errno::ENETDOWN => error.with_fix("set the device up first"),
                    _ => error,
                }
            },
        )
    }

    /// How the kernel would send a packet to `dst`, from `from` if given (which must be this
    /// host's).
    pub fn route_get(&mut self, dst: IpAddr, from: Option<IpAddr>) -> Result<RouteHit> {
        let doing = || match from {
            Some(from) => format!("find the route to {dst} from {from}"),
            None => format!("find the route to {dst}"),
        };
        let bits = if dst.is_ipv4() { 32 } else { 128 };
        let mut message = RouteMessage::default();
        message.header.address_family = family(dst);
        message.header.destination_prefix_length = bits;
        message.attributes = vec![RouteAttribute::Destination(dst.into())];
        if let Some(from) = from {
            if from.is_ipv4() != dst.is_ipv4() {
                return Err(Error::new(
                    doing(),
                    "one is IPv4, the other IPv6",
                    "remote_ip and local_ip must be of one family",
                ));
            }
            message.header.source_prefix_length = bits;
            message.attributes.push(RouteAttribute::Source(from.into()));
        }
        let reply = self.get(RouteNetlinkMessage::GetRoute(message)).map_err(|refused| {
            let errno = refused.errno;
            let error = refused.doing(doing());
            match (errno, from) {
                (Errno::EINVAL | Errno::ENETUNREACH, Some(from)) => error.with_fix(format!(
                    "is {from} an address of this host, and is there a route (`ip route get \
                         {dst}`)?"
                )),
                _ => error,
            }
        })?;
        parse_hit(&reply.payload)
            .ok_or_else(|| Error::new(doing(), "the kernel's answer names no device", ""))
    }
}

/// Reads an RTM_NEWROUTE message's body.
fn parse_hit(body: &[u8]) -> Option<RouteHit> {
    // struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type (8 bits each),
    // flags
    let (header, rest) = body.split_first_chunk::<12>()?;
    Some(RouteHit {
        oif: attribute(rest, libc::RTA_OIF).and_then(u32_of)?,
        src: attribute(rest, libc::RTA_PREFSRC).and_then(address_of),
        via: attribute(rest, libc::RTA_GATEWAY).and_then(address_of),
        mtu: mtu_metric(rest),
        local: header[7] == libc::RTN_LOCAL,
    })
}

fn mtu_metric(attributes: &[u8]) -> Option<u32> {
    let metrics = attribute(attributes, libc::RTA_METRICS)?;
    attribute(metrics, RTAX_MTU).and_then(u32_of).filter(|mtu| *mtu != 0)
}

/// Reads an RTM_NEWROUTE message's body; none for anything but unicast routes of the main table.
fn parse_entry(body: &[u8]) -> Option<RouteEntry> {
    let (header, rest) = body.split_first_chunk::<12>()?;
    if header[4] != libc::RT_TABLE_MAIN || header[7] != libc::RTN_UNICAST {
        return None;
    }
    let unspecified = match i32::from(header[0]) {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        libc::AF_INET6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let addr = attribute(rest, libc::RTA_DST).and_then(address_of).unwrap_or(unspecified);
    let mut oifs: Vec<u32> = attribute(rest, libc::RTA_OIF).and_then(u32_of).into_iter().collect();
    oifs.extend(next_hops(attribute(rest, libc::RTA_MULTIPATH).unwrap_or_default()));
    Some(RouteEntry { dst: Cidr { addr, prefix: header[1] }, oifs, mtu: mtu_metric(rest) })
}

/// Devices of a list of struct rtnexthop: length (16 bits), flags, hops (8 each), device (32), and
/// attributes up to the length.
fn next_hops(mut list: &[u8]) -> Vec<u32> {
    let mut oifs = Vec::new();
    while let Some((hop, _)) = list.split_first_chunk::<8>() {
        oifs.extend(u32_of(&hop[4..]));
        let length = usize::from(u16::from_ne_bytes([hop[0], hop[1]]));
        list = list.get(length.next_multiple_of(4).max(8)..).unwrap_or_default();
    }
    oifs
}

fn address_of(value: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(value) {
        return Some(Ipv4Addr::from(v4).into());
    }
    Some(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).into())
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}
