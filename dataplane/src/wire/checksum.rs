//! The Internet checksum (RFC 1071): one's complement sums over bytes, fast.
//!
//! Sums are kept as plain integers in which the carries pile up; [`fold`] brings them down to 16
//! bits. The value of a sum is always that of big-endian 16-bit words, whatever the machine's byte
//! order, so that header fields can be added to it as numbers.

/// Bytes that one round of the fast loops takes. Eight independent 64-bit sums of 32-bit words are
/// what the compiler turns into vector instructions.
const LANES: usize = 8;
const ROUND: usize = LANES * 4;

/// Folds a sum of 16-bit words down to 16 bits.
#[must_use]
pub const fn fold(mut sum: u64) -> u16 {
    sum = (sum & 0xffff_ffff) + (sum >> 32);
    sum = (sum & 0xffff_ffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}

/// The value for a checksum field, from the sum of everything that it covers.
#[must_use]
pub const fn finish(sum: u64) -> u16 {
    !fold(sum)
}

/// Sum of `data`, whose first byte is the high byte of a word. At most 16 bits wide.
#[must_use]
pub fn sum(data: &[u8]) -> u64 {
    let mut lanes = [0u64; LANES];
    let mut rounds = data.chunks_exact(ROUND);
    for r in &mut rounds {
        add_round(&mut lanes, r);
    }
    let acc = lanes.iter().sum::<u64>() + sum_tail(rounds.remainder());
    u64::from(u16::from_be(fold(acc)))
}

/// Copies `src` to `dst` and returns its [`sum`]. Copies and sums the shorter length of the two.
pub fn copy_and_sum(dst: &mut [u8], src: &[u8]) -> u64 {
    let n = dst.len().min(src.len());
    let (dst, src) = (&mut dst[..n], &src[..n]);
    let mut lanes = [0u64; LANES];
    let mut from = src.chunks_exact(ROUND);
    let mut to = dst.chunks_exact_mut(ROUND);
    for (d, s) in (&mut to).zip(&mut from) {
        d.copy_from_slice(s);
        add_round(&mut lanes, s);
    }
    to.into_remainder().copy_from_slice(from.remainder());
    let acc = lanes.iter().sum::<u64>() + sum_tail(from.remainder());
    u64::from(u16::from_be(fold(acc)))
}

#[inline(always)]
fn add_round(lanes: &mut [u64; LANES], round: &[u8]) {
    for (lane, w) in lanes.iter_mut().zip(round.as_chunks::<4>().0) {
        *lane += u64::from(u32::from_ne_bytes(*w));
    }
}

/// Sum in the machine's byte order; an odd last byte is padded with zero behind it.
fn sum_tail(data: &[u8]) -> u64 {
    let (words, rest) = data.as_chunks::<2>();
    let mut acc = words.iter().map(|w| u64::from(u16::from_ne_bytes(*w))).sum();
    if let [last] = rest {
        acc += u64::from(u16::from_ne_bytes([*last, 0]));
    }
    acc
}

/// Sum of the pseudo-header of TCP or UDP: `addresses` are source and destination as they stand in
/// the IPv4 (8 bytes) or IPv6 (32 bytes) header (RFC 9293 section 3.1, RFC 8200 section 8.1),
/// `len` is the length of transport header and payload in bytes.
#[must_use]
pub fn pseudo_header(addresses: &[u8], proto: u8, len: usize) -> u64 {
    sum(addresses) + u64::from(proto) + (len as u64 >> 16) + (len as u64 & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slow(data: &[u8]) -> u16 {
        let mut s = 0u32;
        for (i, b) in data.iter().enumerate() {
            s += if i % 2 == 0 { u32::from(*b) << 8 } else { u32::from(*b) };
            s = (s & 0xffff) + (s >> 16);
        }
        s as u16
    }

    #[test]
    fn sums_like_the_plain_algorithm_at_every_length() {
        let data: Vec<u8> =
            (0..4000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for n in (0..300).chain([1448, 1499, 3999, 4000]) {
            let mut copy = vec![0; n];
            // 0 and 0xffff are the same number in one's complement.
            let want = slow(&data[..n]) % 0xffff;
            assert_eq!(sum(&data[..n]) % 0xffff, u64::from(want), "length {n}");
            assert_eq!(copy_and_sum(&mut copy, &data[..n]) % 0xffff, u64::from(want));
            assert_eq!(copy, &data[..n]);
        }
    }

    #[test]
    fn many_ones_do_not_overflow() {
        assert_eq!(fold(sum(&[0xff; 65_535])), slow(&[0xff; 65_535]));
    }
}
