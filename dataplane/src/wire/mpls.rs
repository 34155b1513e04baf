//! MPLS label stack entries (RFC 3032 section 2.1, RFC 5462).
//!
//! ```text
//!   0                   1                   2                   3
//!   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//!  |                 Label                 | TC  |S|      TTL      |
//! ```

use super::at;

/// Length of an entry.
pub const LEN: usize = 4;
/// Offset of the TTL in an entry.
pub const TTL: usize = 3;
/// Bottom of stack (S): what follows the entry is no entry.
pub const BOTTOM: u32 = 0x100;

/// Bits below the label, and the traffic class, in an entry.
pub const LABEL_SHIFT: u32 = 12;
/// Bits below the traffic class.
pub const TC_SHIFT: u32 = 9;

/// The entry at `offset`.
#[inline]
#[must_use]
pub fn entry(frame: &[u8], offset: usize) -> Option<u32> {
    at(frame, offset).map(|b| u32::from_be_bytes(*b))
}

/// Where the stack that begins at `offset` ends: the first byte behind the entry with the bottom bit.
/// `None` if the frame ends before.
#[must_use]
pub fn stack_end(frame: &[u8], mut offset: usize) -> Option<usize> {
    loop {
        let entry = entry(frame, offset)?;
        offset += LEN;
        if entry & BOTTOM != 0 {
            return Some(offset);
        }
    }
}
