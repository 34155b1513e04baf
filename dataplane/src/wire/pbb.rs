//! Provider backbone bridges, "MAC-in-MAC" (IEEE 802.1Q section 9.7): the I-TAG between the backbone
//! addresses and the customer's frame.
//!
//! ```text
//!  B-DA 6  B-SA 6  [B-TAG 4]  0x88e7  I-TAG 4  C-DA 6  C-SA 6  the customer's tags and EtherType
//!
//!  I-TAG: PCP 3 bits, DEI 1, UCA 1, reserved 3, I-SID 24
//! ```

use super::ethernet;

/// Length of the I-TAG's control information, behind its EtherType.
pub const ITAG_LEN: usize = 4;
/// Bytes of a backbone header without a B-TAG: addresses, EtherType, I-TAG.
pub const HEADER_LEN: usize = ethernet::HEADER_LEN + ITAG_LEN;
/// The service instance identifier in the I-TAG.
pub const ISID: u32 = 0x00ff_ffff;
/// Bits below the priority in the I-TAG.
pub const PCP_SHIFT: u32 = 29;
