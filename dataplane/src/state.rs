//! The datapath's state as workers see it: an immutable snapshot, replaced as a whole.
//!
//! The control thread is the only writer. It builds the next [`Datapath`] (most of it shared with
//! the last one through `Arc`), gives it the next epoch and stores it in the [`Shared`] cell.
//! Workers load it once a turn. A cached decision whose epoch is older is translated anew at its
//! next hit, so nothing is ever flushed.

use crate::fdb::Fdb;
use crate::table::Pipeline;
use crate::vtep::TunnelTable;
use arc_swap::ArcSwap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Number of a port in the datapath, unique over all bridges and never reused while the switch runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortId(pub u32);

/// OpenFlow port number (OpenFlow 1.3 section 7.2.1), of one bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OfPort(pub u32);

impl OfPort {
    /// Largest number of a physical or logical port.
    pub const MAX: Self = Self(0xffff_ff00);
    /// Back out of the ingress port.
    pub const IN_PORT: Self = Self(0xffff_fff8);
    /// Submit to the first flow table (packet-out only).
    pub const TABLE: Self = Self(0xffff_fff9);
    /// Forward like a learning bridge.
    pub const NORMAL: Self = Self(0xffff_fffa);
    /// All ports but the ingress port and those with NO_FLOOD.
    pub const FLOOD: Self = Self(0xffff_fffb);
    /// All ports but the ingress port.
    pub const ALL: Self = Self(0xffff_fffc);
    /// To the controllers.
    pub const CONTROLLER: Self = Self(0xffff_fffd);
    /// The bridge's own port.
    pub const LOCAL: Self = Self(0xffff_fffe);
    /// No port; a wildcard in filters.
    pub const ANY: Self = Self(0xffff_ffff);
}

/// How NORMAL treats a port's VLANs (ovs-vswitchd.conf.db(5), Port `vlan_mode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VlanMode {
    /// Carries tagged frames of the VLANs in `trunks`, and untagged frames as VLAN 0.
    #[default]
    Trunk,
    /// Untagged member of one VLAN.
    Access,
    /// Trunk whose VLAN `tag` also is where untagged frames belong; leaves tagged.
    NativeTagged,
    /// The same, but leaves untagged.
    NativeUntagged,
}

/// VLAN configuration of a port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VlanConfig {
    /// Mode.
    pub mode: VlanMode,
    /// VLAN of access and native ports.
    pub tag: u16,
    /// VLANs that a trunk carries; empty: all.
    pub trunks: Vec<u16>,
}

impl VlanConfig {
    /// Whether the port carries `vid` (access: only its own).
    #[must_use]
    pub fn carries(&self, vid: u16) -> bool {
        match self.mode {
            VlanMode::Access => vid == self.tag,
            VlanMode::Trunk => self.trunks.is_empty() || self.trunks.contains(&vid),
            VlanMode::NativeTagged | VlanMode::NativeUntagged => {
                vid == self.tag || self.trunks.is_empty() || self.trunks.contains(&vid)
            }
        }
    }
}

/// A tunnel's address: given, or taken from the flow's `tun_*` fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowOr<T> {
    /// `=flow`.
    Flow,
    /// As configured.
    Fixed(T),
}

/// `tos` and `ttl` of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InheritOr {
    /// From the inner packet, where it is IP.
    Inherit,
    /// This value.
    Fixed(u8),
}

/// Configuration of a VXLAN port (ovs-vswitchd.conf.db(5), tunnel options).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VxlanConfig {
    /// `remote_ip`.
    pub remote: FlowOr<IpAddr>,
    /// `local_ip`; none: any on receipt, the route's choice on sending.
    pub local: Option<IpAddr>,
    /// `key`: the VNI.
    pub key: FlowOr<u32>,
    /// `dst_port`, 4789 by default.
    pub dst_port: u16,
    /// `tos` (ECN is always inherited).
    pub tos: InheritOr,
    /// `ttl`, 64 by default.
    pub ttl: InheritOr,
    /// `df_default`, true by default.
    pub df: bool,
    /// `csum`, true by default.
    pub csum: bool,
}

/// What a port is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortKind {
    /// A network device taken by AF_PACKET.
    System,
    /// The bridge's own TAP.
    Local,
    /// A VXLAN tunnel.
    Vxlan(Arc<VxlanConfig>),
    /// One end of a patch; frames sent here come in at the peer. `None` while the peer does not exist.
    Patch(Option<PortId>),
    /// In memory, for benches and tests.
    Memory,
}

/// Number of a bridge in [`Datapath::bridges`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BridgeId(pub u32);

/// `OFPPC_*` and `OFPPS_*` of a port, one bool each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortFlags {
    /// OFPPC_PORT_DOWN.
    pub down: bool,
    /// OFPPC_NO_RECV.
    pub no_recv: bool,
    /// OFPPC_NO_FWD.
    pub no_fwd: bool,
    /// OFPPC_NO_PACKET_IN.
    pub no_packet_in: bool,
    /// NO_FLOOD.
    pub no_flood: bool,
    /// The device exists and its link is up.
    pub link_up: bool,
}

impl Default for PortFlags {
    fn default() -> Self {
        Self {
            down: false,
            no_recv: false,
            no_fwd: false,
            no_packet_in: false,
            no_flood: false,
            link_up: true,
        }
    }
}

/// A port as the packet path sees it.
#[derive(Clone, Debug)]
pub struct Port {
    /// Its number in the datapath.
    pub id: PortId,
    /// Its name.
    pub name: String,
    /// The bridge it is on.
    pub bridge: BridgeId,
    /// Its OpenFlow number.
    pub ofport: OfPort,
    /// What it is.
    pub kind: PortKind,
    /// VLANs, for NORMAL.
    pub vlan: VlanConfig,
    /// Configuration and state.
    pub flags: PortFlags,
    /// Longest inner frame for tunnels to a fixed remote (see [`crate::action::TunnelDest::max_frame`]);
    /// for others the device's MTU + 14.
    pub max_frame: u16,
}

/// A bridge as the packet path sees it.
#[derive(Clone, Debug)]
pub struct Bridge {
    /// Its number.
    pub id: BridgeId,
    /// Its name.
    pub name: String,
    /// Its ports, by OpenFlow number, ascending.
    pub ports: Vec<(OfPort, PortId)>,
    /// What NORMAL learned.
    pub fdb: Arc<Fdb>,
    /// Flow tables.
    pub pipeline: Arc<Pipeline>,
    /// Somebody takes what is sent to CONTROLLER; else it is dropped.
    pub controllers: bool,
    /// Every packet is treated by NORMAL, whatever the flow tables say: the bridge is standalone and
    /// has lost its controllers.
    pub fail_open: bool,
}

impl Bridge {
    /// The port with this OpenFlow number.
    #[must_use]
    pub fn port(&self, of: OfPort) -> Option<PortId> {
        let i = self.ports.binary_search_by_key(&of, |p| p.0).ok()?;
        Some(self.ports[i].1)
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Datapath {
    /// Raised with every change.
    pub epoch: u64,
    /// Ports by [`PortId`].
    pub ports: Vec<Option<Arc<Port>>>,
    /// Bridges by [`BridgeId`].
    pub bridges: Vec<Option<Arc<Bridge>>>,
    /// Which tunnel a received datagram belongs to, and the underlay's MTU toward flow-chosen remotes.
    pub tunnels: Arc<TunnelTable>,
}

impl Datapath {
    /// A port.
    #[must_use]
    pub fn port(&self, id: PortId) -> Option<&Arc<Port>> {
        self.ports.get(id.0 as usize)?.as_ref()
    }

    /// A bridge.
    #[must_use]
    pub fn bridge(&self, id: BridgeId) -> Option<&Arc<Bridge>> {
        self.bridges.get(id.0 as usize)?.as_ref()
    }
}

/// The cell that workers read and the control thread writes.
#[derive(Debug, Default)]
pub struct Shared(pub ArcSwap<Datapath>);

fn since_start() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// Milliseconds since the process first asked, from 1 (so that 0 can mean "never").
#[must_use]
pub fn clock_ms() -> u64 {
    since_start().as_millis() as u64 + 1
}

/// The same clock in nanoseconds, for meters.
#[must_use]
pub fn clock_ns() -> u64 {
    since_start().as_nanos() as u64
}
