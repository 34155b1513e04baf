//! Output to a VXLAN port: the outer header, from the port's configuration and the packet's key.

use super::{Lookup, Walk};
use crate::action::TunnelDest;
use crate::flow::prereq::Prerequisite;
use crate::state::{FlowOr, InheritOr, Port, VxlanConfig};
use std::net::IpAddr;
use std::sync::Arc;

/// TTL of tunnels (Open vSwitch: `DEFAULT_TTL`), also for what has no TTL to inherit.
const DEFAULT_TTL: u8 = 64;
/// Both ECN bits: Congestion Experienced (RFC 3168 section 5).
const ECN_CE: u8 = 3;
/// ECN-Capable Transport, ECT(0).
const ECN_ECT_0: u8 = 2;
/// VNIs have 24 bits (RFC 7348 section 5).
const VNI: u64 = 0xff_ffff;

impl<L: Lookup> Walk<'_, L> {
    /// Where the frame goes; `None` if nobody said.
    pub(super) fn tunnel(&mut self, port: &Port, config: &VxlanConfig) -> Option<Arc<TunnelDest>> {
        let (remote, max_frame) = match config.remote {
            FlowOr::Fixed(remote) => (remote, port.max_frame),
            FlowOr::Flow => {
                let remote = self.flow_remote()?;
                (remote, self.dp.tunnels.max_frame(remote).unwrap_or(port.max_frame))
            }
        };
        let vni = match config.key {
            FlowOr::Fixed(vni) => vni,
            FlowOr::Flow => {
                self.wildcards.0.tun_id.set(u64::MAX);
                (self.key.tun_id.get() & VNI) as u32
            }
        };
        let is_ip = Prerequisite::Ip.met(&self.key, &mut self.wildcards);
        if is_ip {
            self.wildcards.0.ip_tos |= ECN_CE;
        }
        let inner_tos = if is_ip { self.key.ip_tos } else { 0 };
        let dscp = match config.tos {
            InheritOr::Fixed(tos) => tos,
            InheritOr::Inherit => {
                if is_ip {
                    self.wildcards.0.ip_tos = u8::MAX;
                }
                inner_tos
            }
        };
        // ECN is always inherited, CE as ECT(0): the outer header starts without congestion
        // (RFC 3168 section 9.1.1, as Open vSwitch does it).
        let ecn = match inner_tos & ECN_CE {
            ECN_CE => ECN_ECT_0,
            other => other,
        };
        let ttl = match config.ttl {
            InheritOr::Fixed(ttl) => ttl,
            InheritOr::Inherit if is_ip => {
                self.wildcards.0.ip_ttl = u8::MAX;
                self.key.ip_ttl
            }
            InheritOr::Inherit => DEFAULT_TTL,
        };
        Some(Arc::new(TunnelDest {
            remote,
            local: config.local,
            dst_port: config.dst_port,
            vni,
            tos: dscp & !ECN_CE | ecn,
            ttl,
            df: config.df,
            csum: config.csum,
            max_frame,
        }))
    }

    /// The remote that a flow set. The one that the packet arrived with is the switch's own address:
    /// as in Open vSwitch, nothing is sent there.
    fn flow_remote(&mut self) -> Option<IpAddr> {
        let (key, arrived) = (&self.key, &self.arrived);
        self.wildcards.0.tun_dst.set(u32::MAX);
        self.wildcards.0.tun_ipv6_dst = [u8::MAX; 16];
        if key.tun_dst.get() != 0 && key.tun_dst != arrived.tun_dst {
            Some(IpAddr::V4(key.tun_dst.get().into()))
        } else if key.tun_ipv6_dst != [0; 16] && key.tun_ipv6_dst != arrived.tun_ipv6_dst {
            Some(IpAddr::V6(key.tun_ipv6_dst.into()))
        } else {
            None
        }
    }
}
