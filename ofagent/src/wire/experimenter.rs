//! Experimenter messages (section 7.5.4): those of Nicira that `ovs-ofctl` sends to a switch.

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
