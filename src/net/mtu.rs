//! How long a frame may be in a tunnel, and the MTU that follows for a bridge.
//!
//! The underlay carries IP packets up to the MTU of the route to the tunnel's remote: the `mtu`
//! metric, or what the kernel learned from the path, or the device's. VXLAN puts around each frame
//! an outer IP header (20 bytes, IPv6 40), UDP (8) and its own header (8); the frame brings its
//! Ethernet header (14):
//!
//! ```text
//!   underlay MTU 1500, IPv4:  1500 - 20 - 8 - 8 = 1464 bytes of frame = 1450 bytes of IP + 14
//!   underlay MTU 1500, IPv6:  1500 - 40 - 8 - 8 = 1444 bytes of frame = 1430 bytes of IP + 14
//! ```
//!
//! The bound is on the frame. A VLAN tag inside the tunnel is part of it: a tagged frame may hold 4
//! bytes of IP less for each tag. The overlay MTU is given without them, because most overlays
//! carry no tags; a tagged packet of the full MTU is answered as too big like any other.

use super::{Error, LinkChange, Netlink, Result};
use serde::Serialize;
use std::net::IpAddr;

/// Ethernet header without tags, bytes.
const ETHERNET: u32 = 14;

/// Outer IPv4, UDP and VXLAN headers, bytes (RFC 7348 section 5).
const OUTER_IPV4: u32 = 20 + 8 + 8;

/// Outer IPv6, UDP and VXLAN headers, bytes (RFC 7348 section 5).
const OUTER_IPV6: u32 = 40 + 8 + 8;

/// Longest IP packet, bytes: the loopback device has an MTU of one more.
const IP_MAX: u32 = 65_535;

/// MTU of a bridge with neither tunnels nor other ports (RFC 894).
const ETHERNET_MTU: u32 = 1500;

/// What lies under a tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Underlay {
    /// The device that the tunnel's packets leave by.
    pub device: String,
    /// Its number.
    pub ifindex: u32,
    /// Longest IP packet towards the remote, bytes.
    pub mtu: u32,
    /// The source address that the kernel takes.
    pub src: Option<IpAddr>,
    /// Longest inner frame, with its Ethernet header and tags, bytes.
    pub max_frame: u16,
    /// Longest inner IP packet without tags, bytes.
    pub overlay_mtu: u32,
}

/// What lies under a tunnel to `remote` (from `local`, where configured) now.
pub fn underlay(netlink: &mut Netlink, remote: IpAddr, local: Option<IpAddr>) -> Result<Underlay> {
    let route = netlink.route_get(remote, local)?;
    let device = netlink.link_by_index(route.oif)?.ok_or_else(|| {
        Error::new(
            format!("find the MTU towards {remote}"),
            format!("device number {} went away", route.oif),
            "",
        )
    })?;
    let mtu = route.mtu.map_or(device.mtu, |m| m.min(device.mtu));
    let max_frame = max_frame(mtu, remote.is_ipv6());
    Ok(Underlay {
        device: device.name,
        ifindex: route.oif,
        mtu: mtu.min(IP_MAX),
        src: route.src,
        max_frame,
        overlay_mtu: u32::from(max_frame).saturating_sub(ETHERNET),
    })
}

/// Longest inner frame, bytes, over an underlay of this MTU.
#[must_use]
pub fn max_frame(underlay_mtu: u32, ipv6: bool) -> u16 {
    let outer = if ipv6 { OUTER_IPV6 } else { OUTER_IPV4 };
    let room = underlay_mtu.min(IP_MAX).saturating_sub(outer);
    u16::try_from(room).unwrap_or(u16::MAX)
}

/// A bridge's MTU: the smallest of its tunnels' overlay MTUs; without tunnels the smallest of its
/// ports' MTUs; else 1500.
#[must_use]
pub fn bridge_mtu(
    overlay_mtus: impl IntoIterator<Item = u32>,
    port_mtus: impl IntoIterator<Item = u32>,
) -> u32 {
    overlay_mtus.into_iter().min().or_else(|| port_mtus.into_iter().min()).unwrap_or(ETHERNET_MTU)
}

/// A warning for a port whose device sends longer packets than the bridge's tunnels can carry.
#[must_use]
pub fn warning(port: &str, port_mtu: u32, overlay_mtu: u32) -> Option<String> {
    (port_mtu > overlay_mtu).then(|| {
        format!(
            "port '{port}' has MTU {port_mtu}, the bridge's tunnels carry {overlay_mtu}: longer \
             packets are answered with ICMP \"fragmentation needed\" / ICMPv6 \"packet too big\" \
             and the sender adapts; MTU {overlay_mtu} in the container \
             (`ip link set dev ... mtu {overlay_mtu}`) spares it that"
        )
    })
}

/// Sets the MTU of a device that the switch made (a bridge's TAP), if it differs.
pub fn set(netlink: &mut Netlink, name: &str, mtu: u32) -> Result<()> {
    let link = netlink.link(name)?;
    if link.mtu == mtu {
        return Ok(());
    }
    netlink.set_link(link.ifindex, &LinkChange { mtu: Some(mtu), ..LinkChange::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overhead_is_50_and_70() {
        assert_eq!(max_frame(1500, false), 1464);
        assert_eq!(max_frame(1500, true), 1444);
        assert_eq!(max_frame(65_536, false), 65_499);
        assert_eq!(max_frame(20, true), 0);
    }

    #[test]
    fn tunnels_rule_ports_follow() {
        assert_eq!(bridge_mtu([1450, 1430], [1500]), 1430);
        assert_eq!(bridge_mtu([], [9000, 1500]), 1500);
        assert_eq!(bridge_mtu([], []), 1500);
        assert!(warning("veth1", 1450, 1450).is_none());
        assert!(warning("veth1", 1500, 1450).is_some_and(|w| w.contains("veth1")));
    }
}
