//! The VXLAN header (RFC 7348 section 5).
//!
//! ```text
//!  0                   1                   2                   3
//!  |R|R|R|R|I|R|R|R|            Reserved                           |
//!  |                VXLAN Network Identifier (VNI) |   Reserved    |
//! ```

/// Length of the header in bytes.
pub const HEADER_LEN: usize = 8;
/// UDP port that IANA gave to VXLAN.
pub const DST_PORT: u16 = 4789;
/// Flag "the VNI is valid", in the first byte.
pub const FLAG_I: u8 = 0x08;

/// A header with this VNI (the low 24 bits); reserved bits are zero, as RFC 7348 wants on sending.
#[must_use]
pub const fn header(vni: u32) -> [u8; HEADER_LEN] {
    let v = vni.to_be_bytes();
    [FLAG_I, 0, 0, 0, v[1], v[2], v[3], 0]
}

/// Why a datagram is not VXLAN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// Shorter than the header and an Ethernet header.
    TooShort,
    /// The I flag is not set.
    BadFlags,
}

/// The VNI of a datagram's payload; the inner frame follows at [`HEADER_LEN`]. Reserved bits are
/// ignored on receipt.
pub fn parse(datagram: &[u8]) -> Result<u32, ParseError> {
    if datagram.len() < HEADER_LEN + 14 {
        return Err(ParseError::TooShort);
    }
    if datagram[0] & FLAG_I == 0 {
        return Err(ParseError::BadFlags);
    }
    Ok(u32::from_be_bytes([0, datagram[4], datagram[5], datagram[6]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_bits_are_ignored_and_the_i_flag_is_required() {
        let mut d = [0xff; 22];
        d[..8].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x12, 0x34, 0x56, 0xff]);
        assert_eq!(parse(&d), Ok(0x12_3456));
        d[0] = 0xf7;
        assert_eq!(parse(&d), Err(ParseError::BadFlags));
        assert_eq!(parse(&d[..21]), Err(ParseError::TooShort));
        d[..8].copy_from_slice(&header(0x00ab_cdef));
        assert_eq!(parse(&d), Ok(0x00ab_cdef));
    }
}
