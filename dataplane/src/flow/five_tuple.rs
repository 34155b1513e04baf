//! A hash of a packet's flow, the same for all packets of it.

use super::hash::mix;
use super::key::{FRAG_ANY, FlowKey};
use crate::wire::ethernet;

/// Odd constants with well mixed bits (the fractional part of pi).
const K: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7345];

/// Hash over the IP addresses, the protocol and the ports; over MAC addresses and type for what is
/// not IP. Fragments go without their ports, which only the first of them has. Not symmetric.
#[inline]
#[must_use]
pub fn hash(key: &FlowKey) -> u32 {
    let mut tail = u64::from(key.ip_proto);
    if key.ip_frag & FRAG_ANY == 0 {
        tail |= u64::from(key.tp_src.get()) << 32 | u64::from(key.tp_dst.get()) << 16;
    }
    let word = |a: &[u8; 16], i: usize| {
        let (words, _) = a.as_chunks::<8>();
        u64::from_le_bytes(words[i])
    };
    let mac = |m: [u8; 6]| u64::from_le_bytes([m[0], m[1], m[2], m[3], m[4], m[5], 0, 0]);
    let addresses = match key.eth_type.get() {
        ethernet::IPV4 => {
            let pair = u64::from(key.ipv4_src.get()) << 32 | u64::from(key.ipv4_dst.get());
            mix(pair ^ K[0], K[1])
        }
        ethernet::IPV6 => {
            let (s, d) = (&key.ipv6_src, &key.ipv6_dst);
            mix(word(s, 0) ^ K[0], word(s, 1) ^ K[1])
                ^ mix(word(d, 0) ^ K[1], word(d, 1) ^ K[0]).rotate_left(17)
        }
        t => mix(mac(key.eth_src) ^ K[0], mac(key.eth_dst) ^ K[1]) ^ u64::from(t),
    };
    // Twice: flows often differ in one port only, and every bit of the result has to vary by it.
    let h = mix(mix(addresses ^ K[1], tail ^ K[0]), K[1]);
    (h ^ h >> 32) as u32
}
