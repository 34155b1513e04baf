//! Ports of 16 bits: numbers, `ofp_phy_port`, port-mod and port-status (OpenFlow 1.0, sections 5.2.1,
//! 5.3.3 and 5.4.3).

use crate::wire::bytes::{Put, Reader};
use crate::wire::error::WireError;
use crate::wire::port::{Port, PortMod, PortStatus, state};

/// `OFPP_MAX` of OpenFlow 1.0: the first of the reserved ports.
const FIRST_RESERVED: u16 = 0xff00;
/// What 32 bits have above the numbers of the reserved ports.
const HIGH: u32 = 0xffff_0000;
/// `OFPP_NONE`.
const NONE: u16 = 0xffff;
/// `OFPPF_10MB_HD` to `OFPPF_10GB_FD`, the same in both versions.
const SPEEDS: u32 = 0x7f;
/// `OFPPF_COPPER` to `OFPPF_PAUSE_ASYM`, which follow each other in both versions: from here on in 1.0,
const MEDIA: u32 = 7;
/// and from here on in 1.3.
const MEDIA_NOW: u32 = 11;
/// How many they are, as bits.
const MEDIA_MASK: u32 = 0x1f;
/// `OFP_MAX_PORT_NAME_LEN`.
const NAME_LEN: usize = 16;

/// A number of OpenFlow 1.0 as 1.3 has it.
pub(super) const fn widen(port: u16) -> u32 {
    if port >= FIRST_RESERVED { port as u32 | HIGH } else { port as u32 }
}

/// The other way round; a port whose number has no 16 bits is none.
pub(super) const fn narrow(port: u32) -> u16 {
    let low = port as u16;
    if widen(low) == port { low } else { NONE }
}

pub(super) fn encode(port: &Port, out: &mut Vec<u8>) {
    out.u16(narrow(port.port_no));
    out.extend_from_slice(&port.hw_addr);
    out.text(&port.name, NAME_LEN);
    // The bits that ports have are the same in 1.0, which Open vSwitch took its NO_FLOOD from.
    out.u32(port.config);
    out.u32(port.state & state::LINK_DOWN);
    for features in [port.curr, port.advertised, port.supported, port.peer] {
        out.u32(features & SPEEDS | (features >> MEDIA_NOW & MEDIA_MASK) << MEDIA);
    }
}

pub(super) fn decode_mod(r: &mut Reader<'_>) -> Result<PortMod, WireError> {
    let port_no = widen(r.u16()?);
    let hw_addr = r.array()?;
    let (config, mask, features) = (r.u32()?, r.u32()?, r.u32()?);
    r.skip(4)?;
    let advertise = features & SPEEDS | (features >> MEDIA & MEDIA_MASK) << MEDIA_NOW;
    Ok(PortMod { port_no, hw_addr, config, mask, advertise })
}

pub(super) fn encode_status(status: &PortStatus, out: &mut Vec<u8>) {
    out.u8(status.reason as u8);
    out.zeros(7);
    encode(&status.port, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_ports_keep_their_meaning() {
        for (old, new) in [(1, 1), (0xfeff, 0xfeff), (0xff00, 0xffff_ff00), (NONE, u32::MAX)] {
            assert_eq!((widen(old), narrow(new)), (new, old));
        }
        assert_eq!(narrow(0x1_0000), NONE);
        assert_eq!(narrow(0xff00), NONE, "a number that 1.0 has for something else");
    }
}
