//! The virtio_net_hdr that PACKET_VNET_HDR and IFF_VNET_HDR put before a frame
//! (linux/virtio_net.h; legacy layout, fields in the host's byte order), to and from [`Offload`].
//!
//! ```text
//!  byte 0      1         2        4         6           8
//!       flags  gso_type  hdr_len  gso_size  csum_start  csum_offset
//! ```

use crate::drop::DropReason;
use crate::packet::{Checksum, Gso, GsoKind, Offload};

/// Length of the header in bytes.
pub const LEN: usize = 10;

/// `VIRTIO_NET_HDR_F_NEEDS_CSUM`: the checksum is partial.
const NEEDS_CSUM: u8 = 1;
/// `VIRTIO_NET_HDR_F_DATA_VALID`: the checksum has been verified.
const DATA_VALID: u8 = 2;
/// `VIRTIO_NET_HDR_GSO_NONE`.
const GSO_NONE: u8 = 0;
/// `VIRTIO_NET_HDR_GSO_TCPV4`.
const GSO_TCPV4: u8 = 1;
/// `VIRTIO_NET_HDR_GSO_TCPV6`.
const GSO_TCPV6: u8 = 4;
/// `VIRTIO_NET_HDR_GSO_UDP_L4`.
const GSO_UDP_L4: u8 = 5;
/// `VIRTIO_NET_HDR_GSO_ECN`, set beside a TCP kind.
const GSO_ECN: u8 = 0x80;

/// Shortest Ethernet header in bytes.
const ETH_LEN: usize = 14;
/// Offset of the checksum field in a TCP header (RFC 9293 section 3.1).
const TCP_CSUM: u16 = 16;
/// Offset of the checksum field in a UDP header (RFC 768).
const UDP_CSUM: u16 = 6;
/// Bytes of a UDP header.
const UDP_LEN: usize = 8;
/// Bytes of a TCP header without options.
const TCP_LEN: usize = 20;

/// Reads the header of a frame. A header that contradicts itself or its frame is refused with
/// [`DropReason::RxBadVnetHdr`], a frame without a whole Ethernet header with
/// [`DropReason::RxTooShort`]: after this, a partial checksum lies inside the frame, and a GSO
/// frame has a partial checksum at the place where its protocol has it.
pub fn decode(hdr: &[u8; LEN], frame: &[u8]) -> Result<Offload, DropReason> {
    decode_len(hdr, frame.len())
}

/// [`decode`] when only the length of the frame is at hand.
pub fn decode_len(hdr: &[u8; LEN], frame_len: usize) -> Result<Offload, DropReason> {
    if frame_len < ETH_LEN {
        return Err(DropReason::RxTooShort);
    }
    let field = |at: usize| u16::from_ne_bytes([hdr[at], hdr[at + 1]]);
    let csum = if hdr[0] & NEEDS_CSUM != 0 {
        let (start, offset) = (field(6), field(8));
        let end = usize::from(start) + usize::from(offset) + 2;
        if usize::from(start) < ETH_LEN || end > frame_len {
            return Err(DropReason::RxBadVnetHdr);
        }
        Checksum::Partial { start, offset }
    } else if hdr[0] & DATA_VALID != 0 {
        Checksum::Valid
    } else {
        Checksum::Unknown
    };
    let gso = match hdr[1] & !GSO_ECN {
        GSO_NONE if hdr[1] & GSO_ECN == 0 => None,
        GSO_TCPV4 => Some(GsoKind::TcpV4),
        GSO_TCPV6 => Some(GsoKind::TcpV6),
        GSO_UDP_L4 if hdr[1] & GSO_ECN == 0 => Some(GsoKind::UdpL4),
        _ => return Err(DropReason::RxBadVnetHdr),
    };
    let gso = match gso {
        None => None,
        Some(kind) => {
            let (field_at, header) = match kind {
                GsoKind::TcpV4 | GsoKind::TcpV6 => (TCP_CSUM, TCP_LEN),
                GsoKind::UdpL4 => (UDP_CSUM, UDP_LEN),
            };
            let size = field(4);
            let fits = match csum {
                Checksum::Partial { start, offset } => {
                    offset == field_at && usize::from(start) + header <= frame_len
                }
                Checksum::Unknown | Checksum::Valid => false,
            };
            if !fits || size == 0 {
                return Err(DropReason::RxBadVnetHdr);
            }
            Some(Gso { kind, size, ecn: hdr[1] & GSO_ECN != 0 })
        }
    };
    Ok(Offload { csum, gso })
}

/// Writes the header for a frame that goes out with this offload state.
///
/// `hdr_len`, the kernel's hint of how many bytes to put in the first, contiguous part of its
/// buffer, covers the headers of a GSO frame; without it the kernel looks for 64 KB in one piece.
#[must_use]
pub fn encode(offload: &Offload, frame: &[u8]) -> [u8; LEN] {
    let mut hdr = [0; LEN];
    let mut put = |at: usize, v: u16| hdr[at..at + 2].copy_from_slice(&v.to_ne_bytes());
    let mut flags = 0;
    let mut gso_type = GSO_NONE;
    match offload.csum {
        Checksum::Partial { start, offset } => {
            flags = NEEDS_CSUM;
            put(6, start);
            put(8, offset);
            if let Some(gso) = offload.gso {
                let l4 = usize::from(start);
                let header = match gso.kind {
                    GsoKind::UdpL4 => UDP_LEN,
                    // Data offset, in 32-bit words (RFC 9293 section 3.1).
                    GsoKind::TcpV4 | GsoKind::TcpV6 => {
                        frame.get(l4 + 12).map_or(TCP_LEN, |b| usize::from(b >> 4) * 4)
                    }
                };
                gso_type = match gso.kind {
                    GsoKind::TcpV4 => GSO_TCPV4,
                    GsoKind::TcpV6 => GSO_TCPV6,
                    GsoKind::UdpL4 => GSO_UDP_L4,
                };
                if gso.ecn {
                    gso_type |= GSO_ECN;
                }
                put(2, (l4 + header).min(frame.len()) as u16);
                put(4, gso.size);
            }
        }
        Checksum::Valid => flags = DATA_VALID,
        Checksum::Unknown => {}
    }
    hdr[0] = flags;
    hdr[1] = gso_type;
    hdr
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hdr(flags: u8, gso: u8, hdr_len: u16, size: u16, start: u16, offset: u16) -> [u8; LEN] {
        let mut h = [0; LEN];
        h[0] = flags;
        h[1] = gso;
        for (i, v) in [hdr_len, size, start, offset].into_iter().enumerate() {
            h[2 + 2 * i..4 + 2 * i].copy_from_slice(&v.to_ne_bytes());
        }
        h
    }

    #[test]
    fn plain_and_verified() {
        assert_eq!(decode_len(&hdr(0, 0, 0, 0, 0, 0), 60), Ok(Offload::default()));
        let valid = Offload { csum: Checksum::Valid, gso: None };
        assert_eq!(decode_len(&hdr(DATA_VALID, 0, 0, 0, 0, 0), 60), Ok(valid));
        assert_eq!(encode(&valid, &[0; 60]), hdr(DATA_VALID, 0, 0, 0, 0, 0));
    }

    #[test]
    fn there_and_back() {
        let mut frame = vec![0; 4000];
        frame[34 + 12] = 8 << 4; // 32 bytes of TCP header
        for (h, off) in [
            (hdr(NEEDS_CSUM, 0, 0, 0, 34, 16), 16),
            (hdr(NEEDS_CSUM, GSO_TCPV4, 66, 1448, 34, 16), 16),
            (hdr(NEEDS_CSUM, GSO_TCPV4 | GSO_ECN, 66, 1448, 34, 16), 16),
            (hdr(NEEDS_CSUM, GSO_TCPV6, 66, 1428, 34, 16), 16),
            (hdr(NEEDS_CSUM, GSO_UDP_L4, 42, 1200, 34, 6), 6),
        ] {
            let offload = decode(&h, &frame).unwrap();
            assert_eq!(offload.csum, Checksum::Partial { start: 34, offset: off });
            assert_eq!(encode(&offload, &frame), h);
        }
    }

    #[test]
    fn contradictions_are_refused() {
        for (why, h) in [
            ("checksum field behind the frame", hdr(NEEDS_CSUM, 0, 0, 0, 90, 16)),
            ("checksum start behind the frame", hdr(NEEDS_CSUM, 0, 0, 0, 65_535, 65_535)),
            ("checksum start in the Ethernet header", hdr(NEEDS_CSUM, 0, 0, 0, 10, 16)),
            ("GSO without partial checksum", hdr(0, GSO_TCPV4, 54, 1448, 34, 16)),
            ("GSO of size 0", hdr(NEEDS_CSUM, GSO_TCPV4, 54, 0, 34, 16)),
            ("TCP with the checksum of UDP", hdr(NEEDS_CSUM, GSO_TCPV4, 54, 1448, 34, 6)),
            ("UDP with the checksum of TCP", hdr(NEEDS_CSUM, GSO_UDP_L4, 54, 1448, 34, 16)),
            ("UDP with CWR", hdr(NEEDS_CSUM, GSO_UDP_L4 | GSO_ECN, 54, 1448, 34, 6)),
            ("CWR alone", hdr(0, GSO_ECN, 0, 0, 0, 0)),
            ("old UFO", hdr(NEEDS_CSUM, 3, 54, 1448, 34, 6)),
            ("unknown kind", hdr(NEEDS_CSUM, 77, 54, 1448, 34, 16)),
            ("TCP header cut", hdr(NEEDS_CSUM, GSO_TCPV4, 54, 1448, 81, 16)),
        ] {
            assert_eq!(decode_len(&h, 100), Err(DropReason::RxBadVnetHdr), "{why}");
        }
        assert_eq!(decode_len(&[0; LEN], 13), Err(DropReason::RxTooShort));
    }

    #[test]
    fn any_header_is_survived() {
        // Every value of each byte with the others at a few values: no panic, and what is accepted
        // encodes again.
        let frame = [0xff; 80];
        for at in 0..LEN {
            for v in 0..=255 {
                for fill in [0, 1, 4, 5, 0x22, 0xff] {
                    let mut h = [fill; LEN];
                    h[at] = v;
                    if let Ok(o) = decode(&h, &frame) {
                        assert_eq!(decode(&encode(&o, &frame), &frame), Ok(o));
                    }
                }
            }
        }
    }
}
