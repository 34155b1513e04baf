//! Cuts a GSO frame into segments.

use super::headers::{Headers, UDP};
use super::{get16, get32, put16, put32};
use crate::packet::{Gso, GsoKind};
use crate::wire::checksum;

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;

/// Most bytes that one frame may become. A sender may ask for segments of a few bytes, each with
/// all headers; this bounds what that costs.
const MAX_OUTPUT: usize = 1 << 20;

/// Why a frame cannot be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// The headers are not what the GSO kind says, or are cut short.
    #[error("the headers do not fit the GSO kind")]
    BadHeaders,
    /// A segment size of zero, or one so small that the segments would exceed all bounds.
    #[error("the GSO size is too small for the frame")]
    BadSize,
}

/// The segments in the output buffer: all of the same length but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// How many.
    pub count: usize,
    /// Bytes of each but the last, prefix and headers included.
    pub len: usize,
    /// Bytes of all of them.
    pub total: usize,
}

/// Length of all headers of a GSO frame in bytes: segments are this much longer than `gso.size`.
pub fn header_len(frame: &[u8], gso: &Gso) -> Result<usize, SegmentError> {
    parse(frame, gso).map(|(_, len)| len)
}

fn parse(frame: &[u8], gso: &Gso) -> Result<(Headers, usize), SegmentError> {
    let h = Headers::parse_encapsulated(frame).ok_or(SegmentError::BadHeaders)?;
    let transport = match (gso.kind, h.v6) {
        (GsoKind::TcpV4, false) | (GsoKind::TcpV6, true) => h.tcp_len(frame),
        (GsoKind::UdpL4, _) => (h.proto == UDP && h.l4 + 8 <= frame.len()).then_some(8),
        _ => None,
    };
    let len = h.l4 + transport.ok_or(SegmentError::BadHeaders)?;
    // The length field has 16 bits; IPv6's does not count its own header.
    if frame.len() - h.l3 > 65_535 + if h.v6 { 40 } else { 0 } {
        return Err(SegmentError::BadHeaders);
    }
    Ok((h, len))
}

/// A buffer that frames are made in. It only ever grows, and is not cleared between uses, so that
/// nothing is allocated or zeroed once it is warm.
#[derive(Debug, Default)]
pub struct Scratch {
    buf: Vec<u8>,
    used: usize,
}

impl Scratch {
    /// Takes the next `len` bytes, whatever they hold, and returns where they begin.
    pub fn take(&mut self, len: usize) -> usize {
        let at = self.used;
        self.used += len;
        if self.buf.len() < self.used {
            self.buf.resize(self.used, 0);
        }
        at
    }

    /// Bytes that were taken.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.buf[..self.used]
    }

    /// Bytes that were taken, to be written.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buf[..self.used]
    }

    /// Forgets what was taken.
    pub fn clear(&mut self) {
        self.used = 0;
    }
}

/// Cuts `frame` and appends the segments to `out`, each behind a copy of `prefix`. IP lengths, the
/// IPv4 ID, TCP's sequence number and flags, and all checksums are those of the segments: FIN and
/// PSH are on the last only, CWR is on the first only.
pub fn segment(
    frame: &[u8],
    gso: &Gso,
    prefix: &[u8],
    out: &mut Scratch,
) -> Result<Segments, SegmentError> {
    let (h, header) = parse(frame, gso)?;
    let payload = &frame[header..];
    let size = usize::from(gso.size);
    if size == 0 {
        return Err(SegmentError::BadSize);
    }
    let count = payload.len().div_ceil(size).max(1);
    let total = payload.len() + count * (prefix.len() + header);
    if total > MAX_OUTPUT {
        return Err(SegmentError::BadSize);
    }
    let mut at = out.take(total);
    let out = out.bytes_mut();

    let template = Template::new(frame, &h, header);
    for i in 0..count {
        let part = &payload[i * size..payload.len().min((i + 1) * size)];
        let end = at + prefix.len() + header + part.len();
        let (p, seg) = out[at..end].split_at_mut(prefix.len());
        p.copy_from_slice(prefix);
        template.write(seg, part, i, i + 1 == count, size);
        at = end;
    }
    Ok(Segments { count, len: prefix.len() + header + size.min(payload.len()), total })
}

/// The headers, with the sums over what is the same in every segment.
struct Template<'a> {
    header: &'a [u8],
    h: &'a Headers,
    /// IPv4 header without total length, ID and checksum.
    ip_sum: u64,
    /// Pseudo-header without length, and transport header without the fields that change.
    l4_sum: u64,
    /// UDP over IPv4 without a checksum.
    no_checksum: bool,
}

impl<'a> Template<'a> {
    fn new(frame: &'a [u8], h: &'a Headers, len: usize) -> Self {
        let header = &frame[..len];
        let ip_sum = if h.v6 {
            0
        } else {
            let ip = &header[h.l3..h.l4];
            checksum::sum(&ip[..2]) + checksum::sum(&ip[6..10]) + checksum::sum(&ip[12..])
        };
        let l4 = &header[h.l4..];
        let pseudo = checksum::pseudo_header(h.addresses(frame), h.proto, 0);
        let (l4_sum, no_checksum) = if h.proto == UDP {
            (pseudo + checksum::sum(&l4[..4]), !h.v6 && get16(l4, 6) == 0)
        } else {
            // Without sequence number, flags and checksum.
            let fixed = checksum::sum(&l4[..4]) + checksum::sum(&l4[8..12]);
            let rest = checksum::sum(&l4[14..16]) + checksum::sum(&l4[18..]);
            (pseudo + fixed + rest, false)
        };
        Self { header, h, ip_sum, l4_sum, no_checksum }
    }

    fn write(&self, seg: &mut [u8], part: &[u8], index: usize, last: bool, size: usize) {
        let (head, body) = seg.split_at_mut(self.header.len());
        head.copy_from_slice(self.header);
        let payload_sum = checksum::copy_and_sum(body, part);
        let (l3, l4) = (self.h.l3, self.h.l4);
        let l4_len = head.len() - l4 + part.len();

        if self.h.v6 {
            put16(head, l3 + 4, (l4 - l3 - 40 + l4_len) as u16);
        } else {
            let ip_len = (l4 - l3 + l4_len) as u16;
            let id = get16(head, l3 + 4).wrapping_add(index as u16);
            put16(head, l3 + 2, ip_len);
            put16(head, l3 + 4, id);
            let sum = self.ip_sum + u64::from(ip_len) + u64::from(id);
            put16(head, l3 + 10, checksum::finish(sum));
        }

        let sum = self.l4_sum + l4_len as u64 + payload_sum;
        if self.h.proto == UDP {
            put16(head, l4 + 4, l4_len as u16);
            if !self.no_checksum {
                let value = checksum::finish(sum + l4_len as u64);
                put16(head, l4 + 6, if value == 0 { 0xffff } else { value });
            }
            return;
        }
        let seq = get32(head, l4 + 4).wrapping_add((index * size) as u32);
        put32(head, l4 + 4, seq);
        if !last {
            head[l4 + 13] &= !(FIN | PSH);
        }
        if index > 0 {
            head[l4 + 13] &= !CWR;
        }
        let flags = get16(head, l4 + 12);
        let sum = sum + u64::from(seq >> 16) + u64::from(seq & 0xffff) + u64::from(flags);
        put16(head, l4 + 16, checksum::finish(sum));
    }
}
