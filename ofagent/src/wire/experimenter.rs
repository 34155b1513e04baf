//! Experimenter messages (section 7.5.4): those of Nicira that `ovs-ofctl` sends to a switch.

use super::bytes::{Put, Reader};
use super::error::WireError;

/// Nicira's experimenter id (Open vSwitch: `NX_VENDOR_ID`).
pub const NICIRA: u32 = 0x0000_2320;

/// An experimenter message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Experimenter {
    /// `NXT_SET_PACKET_IN_FORMAT`: 0 OpenFlow 1.0's or the version's standard, 1 `NXPIF_NXT_PACKET_IN`, 2
    /// `NXT_PACKET_IN2`.
    SetPacketInFormat(u32),
    /// `NXT_SET_CONTROLLER_ID`.
    SetControllerId(u16),
    /// Any other.
    Other {
        /// Whose.
        experimenter: u32,
        /// Its type.
        exp_type: u32,
        /// What follows.
        data: Vec<u8>,
    },
}

/// `NXT_SET_PACKET_IN_FORMAT`.
const SET_PACKET_IN_FORMAT: u32 = 16;
/// `NXT_SET_CONTROLLER_ID`.
const SET_CONTROLLER_ID: u32 = 20;

impl Experimenter {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let experimenter = r.u32()?;
        let exp_type = r.u32()?;
        match (experimenter, exp_type) {
            (NICIRA, SET_PACKET_IN_FORMAT) => Ok(Self::SetPacketInFormat(r.u32()?)),
            (NICIRA, SET_CONTROLLER_ID) => {
                r.skip(6)?;
                Ok(Self::SetControllerId(r.u16()?))
            }
            _ => Ok(Self::Other { experimenter, exp_type, data: r.rest().to_vec() }),
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let (experimenter, exp_type) = match self {
            Self::SetPacketInFormat(_) => (NICIRA, SET_PACKET_IN_FORMAT),
            Self::SetControllerId(_) => (NICIRA, SET_CONTROLLER_ID),
            Self::Other { experimenter, exp_type, .. } => (*experimenter, *exp_type),
        };
        out.u32(experimenter);
        out.u32(exp_type);
        match self {
            Self::SetPacketInFormat(format) => out.u32(*format),
            Self::SetControllerId(id) => {
                out.zeros(6);
                out.u16(*id);
            }
            Self::Other { data, .. } => out.extend_from_slice(data),
        }
    }
}
