//! Which tunnel port a received datagram belongs to, and how long a frame the underlay carries.
//!
//! Many tunnels share one UDP port. They are told apart as Open vSwitch does it
//! (`ofproto/tunnel.c`, `tnl_find`): a tunnel may leave its key, its remote address and its local
//! address open; the most specific one wins, and the key weighs most, then the remote address, then
//! the local one. One hash table holds all classes, so that a lookup costs one probe for each class
//! that is in use, however many tunnels there are.

use crate::state::{FlowOr, PortId, VxlanConfig};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Bytes of Ethernet, VXLAN and UDP headers between an IPv4 underlay's MTU and the inner frame:
/// IPv4 (20), UDP (8), VXLAN (8). The inner Ethernet header counts as part of the frame.
pub const OVERHEAD_V4: u16 = 36;
/// The same over IPv6: IPv6 (40), UDP (8), VXLAN (8).
pub const OVERHEAD_V6: u16 = 56;

/// What a tunnel matches on; open fields are `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Match {
    dst_port: u16,
    key: Option<u32>,
    remote: Option<IpAddr>,
    local: Option<IpAddr>,
}

impl Match {
    fn of(config: &VxlanConfig) -> Self {
        Self {
            dst_port: config.dst_port,
            key: match config.key {
                FlowOr::Fixed(k) => Some(k),
                FlowOr::Flow => None,
            },
            remote: match config.remote {
                FlowOr::Fixed(r) => Some(r),
                FlowOr::Flow => None,
            },
            local: config.local,
        }
    }

    /// Which fields are open: the smaller, the more specific.
    fn class(&self) -> u8 {
        u8::from(self.key.is_none()) << 2
            | u8::from(self.remote.is_none()) << 1
            | u8::from(self.local.is_none())
    }
}

/// Whether no datagram could tell these two tunnels apart, so that only one of them may exist.
#[must_use]
pub fn conflict(a: &VxlanConfig, b: &VxlanConfig) -> bool {
    Match::of(a) == Match::of(b)
}

/// MTU toward a part of the underlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnderlayRoute {
    /// Network address.
    pub network: IpAddr,
    /// Length of the network's prefix in bits.
    pub prefix: u8,
    /// Longest IP packet in bytes.
    pub mtu: u16,
}

impl UnderlayRoute {
    fn contains(&self, ip: IpAddr) -> bool {
        match (self.network, ip) {
            (IpAddr::V4(n), IpAddr::V4(i)) => {
                let shift = 32u32.saturating_sub(self.prefix.into());
                let diff = u32::from(n) ^ u32::from(i);
                diff.checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(n), IpAddr::V6(i)) => {
                let shift = 128u32.saturating_sub(self.prefix.into());
                let diff = u128::from(n) ^ u128::from(i);
                diff.checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Longest inner frame (Ethernet header included, bytes) that an underlay of this MTU carries to
/// `remote`.
#[must_use]
pub fn max_frame(remote: IpAddr, mtu: u16) -> u16 {
    mtu.saturating_sub(if remote.is_ipv4() { OVERHEAD_V4 } else { OVERHEAD_V6 })
}

/// All tunnels of the datapath, and the underlay's MTUs.
#[derive(Clone, Debug, Default)]
pub struct TunnelTable {
    tunnels: HashMap<Match, (PortId, Arc<VxlanConfig>), RandomState>,
    /// Classes in use, most specific first.
    classes: Vec<u8>,
    /// Longest prefix first.
    underlay: Vec<UnderlayRoute>,
}

impl TunnelTable {
    /// A table of these tunnels. Where two are in [`conflict`], the first one counts.
    #[must_use]
    pub fn new(tunnels: Vec<(PortId, Arc<VxlanConfig>)>) -> Self {
        let mut t = Self::default();
        for (id, config) in tunnels {
            let m = Match::of(&config);
            if !t.classes.contains(&m.class()) {
                t.classes.push(m.class());
            }
            t.tunnels.entry(m).or_insert((id, config));
        }
        t.classes.sort_unstable();
        t
    }

    /// The same tunnels over an underlay with these routes.
    #[must_use]
    pub fn with_underlay(mut self, mut routes: Vec<UnderlayRoute>) -> Self {
        routes.sort_by_key(|r| std::cmp::Reverse(r.prefix));
        self.underlay = routes;
        self
    }

    /// The port for a datagram from `src` to `dst`, UDP port `dst_port`, with this VNI.
    #[must_use]
    pub fn lookup(&self, src: IpAddr, dst: IpAddr, dst_port: u16, vni: u32) -> Option<PortId> {
        self.lookup_config(src, dst, dst_port, vni).map(|(id, _)| *id)
    }

    /// As [`Self::lookup`], with the tunnel's configuration.
    #[must_use]
    pub fn lookup_config(
        &self,
        src: IpAddr,
        dst: IpAddr,
        dst_port: u16,
        vni: u32,
    ) -> Option<&(PortId, Arc<VxlanConfig>)> {
        self.classes.iter().find_map(|c| {
            self.tunnels.get(&Match {
                dst_port,
                key: (c & 4 == 0).then_some(vni),
                remote: (c & 2 == 0).then_some(src),
                local: (c & 1 == 0).then_some(dst),
            })
        })
    }

    /// Longest inner frame (see [`crate::action::TunnelDest::max_frame`]) that the underlay carries to
    /// `remote`; `None` where no route is known.
    #[must_use]
    pub fn max_frame(&self, remote: IpAddr) -> Option<u16> {
        let route = self.underlay.iter().find(|r| r.contains(remote))?;
        Some(max_frame(remote, route.mtu))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::InheritOr;

    fn tunnel(local: Option<&str>, remote: Option<&str>, key: Option<u32>) -> Arc<VxlanConfig> {
        Arc::new(VxlanConfig {
            remote: remote.map_or(FlowOr::Flow, |r| FlowOr::Fixed(r.parse().unwrap())),
            local: local.map(|l| l.parse().unwrap()),
            key: key.map_or(FlowOr::Flow, FlowOr::Fixed),
            dst_port: 4789,
            tos: InheritOr::Fixed(0),
            ttl: InheritOr::Fixed(64),
            df: true,
            csum: true,
        })
    }

    #[test]
    fn the_key_weighs_more_than_the_remote_and_that_more_than_the_local_address() {
        let (l, r) = ("10.0.0.1", "10.0.0.2");
        // Most specific first, in the order of ofproto/tunnel.c.
        let all = [
            tunnel(Some(l), Some(r), Some(7)),
            tunnel(None, Some(r), Some(7)),
            tunnel(Some(l), None, Some(7)),
            tunnel(None, None, Some(7)),
            tunnel(Some(l), Some(r), None),
            tunnel(None, Some(r), None),
            tunnel(Some(l), None, None),
            tunnel(None, None, None),
        ];
        for first in 0..all.len() {
            let mut rest: Vec<_> =
                (first..all.len()).map(|i| (PortId(i as u32), all[i].clone())).collect();
            rest.reverse();
            let t = TunnelTable::new(rest);
            let (src, dst) = (r.parse().unwrap(), l.parse().unwrap());
            assert_eq!(t.lookup(src, dst, 4789, 7), Some(PortId(first as u32)));
            assert_eq!(t.lookup(src, dst, 4790, 7), None);
        }
    }

    #[test]
    fn tunnels_that_nothing_tells_apart_conflict() {
        let a = tunnel(None, Some("10.0.0.2"), Some(1));
        assert!(conflict(&a, &a));
        assert!(!conflict(&a, &tunnel(None, Some("10.0.0.2"), Some(2))));
        assert!(!conflict(&a, &tunnel(Some("10.0.0.1"), Some("10.0.0.2"), Some(1))));
    }

    #[test]
    fn the_longest_prefix_gives_the_mtu() {
        let route =
            |n: &str, prefix, mtu| UnderlayRoute { network: n.parse().unwrap(), prefix, mtu };
        let t = TunnelTable::default().with_underlay(vec![
            route("0.0.0.0", 0, 9000),
            route("10.1.0.0", 16, 1400),
            route("::", 0, 1280),
        ]);
        assert_eq!(t.max_frame("10.1.2.3".parse().unwrap()), Some(1400 - 36));
        assert_eq!(t.max_frame("10.2.2.3".parse().unwrap()), Some(9000 - 36));
        assert_eq!(t.max_frame("fd00::1".parse().unwrap()), Some(1280 - 56));
        assert_eq!(TunnelTable::default().max_frame("10.1.2.3".parse().unwrap()), None);
    }
}
