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

use super::{Cidr, Error, LinkChange, Netlink, Result};
use dataplane::vtep::{UnderlayRoute, max_frame};
use serde::Serialize;
use std::collections::HashMap;
use std::net::IpAddr;

/// Ethernet header without tags, bytes.
const ETHERNET: u32 = 14;

/// MTU of a bridge with neither tunnels nor other ports (RFC 894).
const ETHERNET_MTU: u32 = 1500;

/// Longest inner IP packet over an IPv4 underlay of 1500 bytes: taken where nothing is known of it.
pub const USUAL_OVERLAY_MTU: u32 = ETHERNET_MTU - 50;

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
    let max_frame = max_frame(remote, clamp(mtu));
    Ok(Underlay {
        device: device.name,
        ifindex: route.oif,
        mtu: clamp(mtu).into(),
        src: route.src,
        max_frame,
        overlay_mtu: u32::from(max_frame).saturating_sub(ETHERNET),
    })
}

/// The underlay's MTUs by destination, for tunnels whose remote is chosen by the flow.
///
/// From the main table's unicast routes; a route whose MTU is that of the shorter prefix around it
/// decides nothing and is left out, so that a full Internet table does not become a long list.
pub fn underlay_routes(netlink: &mut Netlink) -> Result<Vec<UnderlayRoute>> {
    let devices: HashMap<u32, u32> =
        netlink.links()?.into_iter().map(|l| (l.ifindex, l.mtu)).collect();
    let mut routes: Vec<(Cidr, u16)> = netlink
        .routes()?
        .into_iter()
        .filter_map(|route| {
            let device = route.oifs.iter().filter_map(|oif| devices.get(oif)).min()?;
            let mtu = route.mtu.map_or(*device, |m| m.min(*device));
            Some((route.dst.network(), clamp(mtu)))
        })
        .collect();
    // Shorter prefixes first; of several routes to one prefix (other metrics), the smallest MTU.
    routes.sort_by_key(|(dst, mtu)| (dst.prefix, dst.addr, *mtu));
    routes.dedup_by_key(|(dst, _)| *dst);
    let mut deciding: HashMap<Cidr, u16> = HashMap::new();
    for (dst, mtu) in routes {
        let around = (0..=dst.prefix)
            .rev()
            .find_map(|prefix| deciding.get(&Cidr { addr: dst.addr, prefix }.network()));
        if around != Some(&mtu) {
            deciding.insert(dst, mtu);
        }
    }
    Ok(deciding
        .into_iter()
        .map(|(dst, mtu)| UnderlayRoute { network: dst.addr, prefix: dst.prefix, mtu })
        .collect())
}

fn clamp(mtu: u32) -> u16 {
    u16::try_from(mtu).unwrap_or(u16::MAX)
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
    fn tunnels_rule_ports_follow() {
        assert_eq!(bridge_mtu([1450, 1430], [1500]), 1430);
        assert_eq!(bridge_mtu([], [9000, 1500]), 1500);
        assert_eq!(bridge_mtu([], []), 1500);
        assert!(warning("veth1", 1450, 1450).is_none());
        assert!(warning("veth1", 1500, 1450).is_some_and(|w| w.contains("veth1")));
    }
}
