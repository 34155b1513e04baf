//! ICMP (RFC 792), ICMPv6 (RFC 4443) and neighbour discovery (RFC 4861).

/// Length of an ICMP header.
pub const ICMP_LEN: usize = 8;
/// Length of the part that all ICMPv6 messages share.
pub const ICMPV6_LEN: usize = 4;
/// Offset of the type.
pub const TYPE: usize = 0;
/// Offset of the code.
pub const CODE: usize = 1;
/// Offset of the checksum.
pub const CHECKSUM: usize = 2;

/// Neighbour solicitation.
pub const NEIGHBOR_SOLICIT: u8 = 135;
/// Neighbour advertisement.
pub const NEIGHBOR_ADVERT: u8 = 136;
/// Offset of the target address in both.
pub const ND_TARGET: usize = 8;
/// Offset of the options in both.
pub const ND_OPTIONS: usize = 24;
/// Option: source link-layer address.
pub const ND_SLL: u8 = 1;
/// Option: target link-layer address.
pub const ND_TLL: u8 = 2;
/// Length of those options with an Ethernet address, and the unit of all options' lengths.
pub const ND_OPTION_LEN: usize = 8;

/// Places of a neighbour message's link-layer address options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NdOptions {
    /// Offset of the source link-layer address in the message.
    pub sll: Option<usize>,
    /// Offset of the target link-layer address.
    pub tll: Option<usize>,
}

/// Whether `message` is a neighbour solicitation or advertisement with its target address.
#[inline]
#[must_use]
pub fn is_nd(message: &[u8]) -> bool {
    message.len() >= ND_OPTIONS
        && matches!(message[TYPE], NEIGHBOR_SOLICIT | NEIGHBOR_ADVERT)
        && message[CODE] == 0
}

/// Finds the options of a message that [`is_nd`]. `None` if one of the two comes twice: the message
/// is invalid then. An option with a lying length ends the search.
#[must_use]
pub fn nd_options(message: &[u8]) -> Option<NdOptions> {
    let mut found = NdOptions::default();
    let mut at = ND_OPTIONS;
    while let Some(&[kind, units, ..]) = super::at::<ND_OPTION_LEN>(message, at) {
        let len = usize::from(units) * ND_OPTION_LEN;
        if len == 0 || message.len() - at < len {
            break;
        }
        let place = match kind {
            ND_SLL => Some(&mut found.sll),
            ND_TLL => Some(&mut found.tll),
            _ => None,
        };
        if let Some(place) = place
            && len == ND_OPTION_LEN
            && place.replace(at + 2).is_some()
        {
            return None;
        }
        at += len;
    }
    Some(found)
}
