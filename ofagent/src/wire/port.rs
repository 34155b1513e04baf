//! Ports (sections 7.2.1, 7.3.4.3 and 7.4.3).

use super::bytes::{Put, Reader};
use super::error::{WireError, bad_request};

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

/// `OFP_MAX_PORT_NAME_LEN`.
const NAME_LEN: usize = 16;

impl Port {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let port_no = r.u32()?;
        r.skip(4)?;
        let hw_addr = r.array()?;
        r.skip(2)?;
        Ok(Self {
            port_no,
            hw_addr,
            name: r.text(NAME_LEN)?,
            config: r.u32()?,
            state: r.u32()?,
            curr: r.u32()?,
            advertised: r.u32()?,
            supported: r.u32()?,
            peer: r.u32()?,
            curr_speed: r.u32()?,
            max_speed: r.u32()?,
        })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.u32(self.port_no);
        out.zeros(4);
        out.extend_from_slice(&self.hw_addr);
        out.zeros(2);
        out.text(&self.name, NAME_LEN);
        for word in [
            self.config,
            self.state,
            self.curr,
            self.advertised,
            self.supported,
            self.peer,
            self.curr_speed,
            self.max_speed,
        ] {
            out.u32(word);
        }
    }
}

impl PortMod {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let port_no = r.u32()?;
        r.skip(4)?;
        let hw_addr = r.array()?;
        r.skip(2)?;
        let config = r.u32()?;
        let mask = r.u32()?;
        let advertise = r.u32()?;
        r.skip(4)?;
        Ok(Self { port_no, hw_addr, config, mask, advertise })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.u32(self.port_no);
        out.zeros(4);
        out.extend_from_slice(&self.hw_addr);
        out.zeros(2);
        out.u32(self.config);
        out.u32(self.mask);
        out.u32(self.advertise);
        out.zeros(4);
    }
}

impl PortReason {
    fn from_wire(reason: u8) -> Result<Self, WireError> {
        Ok(match reason {
            0 => Self::Add,
            1 => Self::Delete,
            2 => Self::Modify,
            // Nobody answers a port-status, so no code is made for this.
            _ => return Err(WireError::bad_request(bad_request::BAD_TYPE)),
        })
    }
}

impl PortStatus {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let reason = PortReason::from_wire(r.u8()?)?;
        r.skip(7)?;
        Ok(Self { reason, port: Port::decode(r)? })
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.u8(self.reason as u8);
        out.zeros(7);
        self.port.encode(out);
    }
}
