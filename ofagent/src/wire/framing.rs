//! Where a message ends in a stream of bytes (section 7.1.1).

use super::HEADER_LEN;
use super::error::{WireError, bad_request};

/// Length of the message that `bytes` start with, or nothing while they do not hold its header yet.
/// Its bytes need not be at hand.
///
/// # Errors
/// The length is below that of the header: where the next message starts cannot be known, so the
/// connection is to be closed.
pub fn message_len(bytes: &[u8]) -> Result<Option<usize>, WireError> {
    if bytes.len() < HEADER_LEN {
        return Ok(None);
    }
    let len = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
    if len < HEADER_LEN {
        return Err(WireError::bad_request(bad_request::BAD_LEN));
    }
    Ok(Some(len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_needs_the_whole_header() {
        let echo = [4, 2, 0, 9, 0, 0, 0, 1, 0xaa];
        for n in 0..8 {
            assert_eq!(message_len(&echo[..n]), Ok(None));
        }
        assert_eq!(message_len(&echo[..8]), Ok(Some(9)));
        assert_eq!(message_len(&echo), Ok(Some(9)));
    }

    #[test]
    fn length_below_the_header_ends_the_connection() {
        for len in 0..8 {
            let bytes = [4, 2, 0, len, 0, 0, 0, 1];
            assert_eq!(message_len(&bytes), Err(WireError::bad_request(bad_request::BAD_LEN)));
        }
    }
}
