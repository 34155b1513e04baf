//! Which tunnel port a received datagram belongs to.

use crate::state::{PortId, VxlanConfig};
use std::net::IpAddr;
use std::sync::Arc;

/// All tunnels of the datapath.
#[derive(Clone, Debug, Default)]
pub struct TunnelTable {
    tunnels: Vec<(PortId, Arc<VxlanConfig>)>,
}

impl TunnelTable {
    /// A table of these tunnels.
    #[must_use]
    pub fn new(tunnels: Vec<(PortId, Arc<VxlanConfig>)>) -> Self {
        Self { tunnels }
    }

    /// The port for a datagram from `src` to `dst`, UDP port `dst_port`, with this VNI.
    #[must_use]
    pub fn lookup(&self, src: IpAddr, dst: IpAddr, dst_port: u16, vni: u32) -> Option<PortId> {
        let _ = (src, dst, dst_port, vni, &self.tunnels);
        None
    }

    /// Longest inner frame (see [`crate::action::TunnelDest::max_frame`]) toward a remote that a flow
    /// chose; `None` where the underlay's MTU is not known.
    #[must_use]
    pub fn max_frame(&self, remote: IpAddr) -> Option<u16> {
        let _ = remote;
        None
    }
}
