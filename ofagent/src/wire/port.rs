//! Ports (sections 7.2.1, 7.3.4.3 and 7.4.3).

/// `ofp_port`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct Port {
    pub port_no: u32,
    pub hw_addr: [u8; 6],
    /// At most 15 bytes go over the wire.
    pub name: String,
    /// `OFPPC_*`.
    pub config: u32,
    /// `OFPPS_*`.
    pub state: u32,
    /// `OFPPF_*`.
    pub curr: u32,
    /// `OFPPF_*`.
    pub advertised: u32,
    /// `OFPPF_*`.
    pub supported: u32,
    /// `OFPPF_*`.
    pub peer: u32,
    /// kbit/s.
    pub curr_speed: u32,
    /// kbit/s.
    pub max_speed: u32,
}

/// `enum ofp_port_config`.
pub mod config {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const PORT_DOWN: u32 = 1;
    pub const NO_RECV: u32 = 1 << 2;
    /// `OFPPC_NO_FLOOD` of OpenFlow 1.0, which Open vSwitch keeps.
    pub const NO_FLOOD: u32 = 1 << 4;
    pub const NO_FWD: u32 = 1 << 5;
    pub const NO_PACKET_IN: u32 = 1 << 6;
}

/// `enum ofp_port_state`.
pub mod state {
    #![allow(missing_docs, reason = "the specification's names")]
    pub const LINK_DOWN: u32 = 1;
    pub const BLOCKED: u32 = 1 << 1;
    pub const LIVE: u32 = 1 << 2;
}

/// `ofp_port_mod`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct PortMod {
    pub port_no: u32,
    pub hw_addr: [u8; 6],
    pub config: u32,
    /// Bits of `config` to change.
    pub mask: u32,
    pub advertise: u32,
}

/// `enum ofp_port_reason`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
#[repr(u8)]
pub enum PortReason {
    Add = 0,
    Delete = 1,
    Modify = 2,
}

/// `ofp_port_status`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct PortStatus {
    pub reason: PortReason,
    pub port: Port,
}
