//! Joins in-order segments of one TCP flow into one long frame, as the kernel's GRO does.

use super::headers::{Headers, partial_checksum};
use super::{get16, get32, put16};
use crate::packet::{Checksum, Gso, GsoKind, LARGE_BUF, Packet, Pool};
use crate::wire::checksum;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const URG: u8 = 0x20;
const CWR: u8 = 0x80;
/// Longest IP packet (RFC 791: the length field has 16 bits).
const MAX_IP: usize = 65_535;

/// Takes frames one after the other and gives packets, long ones where frames belong together.
///
/// Frames keep their order. A segment is only joined if its own checksum was verified, so that the
/// long frame's checksum may be left unfinished; a segment that fails goes on alone and unchanged.
#[derive(Debug, Default)]
pub struct Coalescer {
    current: Option<Current>,
}

/// A long frame in the making.
#[derive(Debug)]
struct Current {
    packet: Packet,
    h: Headers,
    /// Length of all headers.
    header: usize,
    /// Payload of every segment but the last.
    size: usize,
    count: u16,
    next_seq: u32,
    /// How the IPv4 ID moves from segment to segment: by one, or not at all (with DF only).
    id_step: Option<u16>,
}

/// A frame that may be joined.
struct Segment<'a> {
    frame: &'a [u8],
    h: Headers,
    header: usize,
    flags: u8,
}

impl<'a> Segment<'a> {
    fn parse(frame: &'a [u8]) -> Option<Self> {
        let h = Headers::parse(frame)?;
        let header = h.l4 + h.tcp_len(frame)?;
        let plain_ip = h.l4 - h.l3 == if h.v6 { 40 } else { 20 };
        let flags = frame[h.l4 + 13];
        let data = header < h.end && h.end == frame.len();
        (plain_ip && data && flags & (SYN | RST | URG) == 0).then_some(Self {
            frame,
            h,
            header,
            flags,
        })
    }

    fn payload(&self) -> &'a [u8] {
        &self.frame[self.header..]
    }

    fn seq(&self) -> u32 {
        get32(self.frame, self.h.l4 + 4)
    }

    /// Whether checksums are right, given the payload's sum.
    fn verify(&self, payload_sum: u64) -> bool {
        let (f, h) = (self.frame, &self.h);
        let tcp = checksum::pseudo_header(h.addresses(f), h.proto, h.end - h.l4)
            + checksum::sum(&f[h.l4..self.header])
            + payload_sum;
        checksum::fold(tcp) == 0xffff
            && (h.v6 || checksum::fold(checksum::sum(&f[h.l3..h.l4])) == 0xffff)
    }
}

impl Coalescer {
    /// Takes a frame. `more` says whether another frame follows at once; without one, nothing is
    /// held back. `max_frame` is the longest frame (bytes) that its tunnel carries: one that is
    /// longer and has an unfinished checksum was not cut by its sender (see [`single`]).
    pub fn push(
        &mut self,
        frame: &[u8],
        more: bool,
        max_frame: u16,
        pool: &mut Pool,
        emit: &mut impl FnMut(Packet),
    ) {
        let segment = Segment::parse(frame);
        if let (Some(cur), Some(seg)) = (&mut self.current, &segment)
            && cur.append(seg)
        {
            let last = seg.payload().len() < cur.size || seg.flags & (PSH | FIN) != 0;
            if last || !more {
                self.flush(pool, emit);
            }
            return;
        }
        self.flush(pool, emit);
        if more
            && let Some(seg) = &segment
            && seg.flags & (PSH | FIN) == 0
            && let Some(cur) = Current::start(seg, pool)
        {
            self.current = Some(cur);
            return;
        }
        emit(single(frame, max_frame, pool));
    }

    /// Gives the frame in the making, if there is one. Before frames of another tunnel, and at the
    /// end.
    pub fn flush(&mut self, pool: &mut Pool, emit: &mut impl FnMut(Packet)) {
        if let Some(cur) = self.current.take() {
            emit(cur.finish(pool));
        }
    }
}

/// One frame as one packet. Its bytes stay as they are; an unfinished checksum is seen as such, and
/// an unfinished TCP frame that is longer than `max_frame` becomes a GSO frame.
pub fn single(frame: &[u8], max_frame: u16, pool: &mut Pool) -> Packet {
    let mut p = pool.take(frame.len());
    p.set_len(frame.len());
    p.data_mut().copy_from_slice(frame);
    let Some(h) = Headers::parse(frame) else { return p };
    let Some(csum) = partial_checksum(frame, &h) else { return p };
    p.offload.csum = csum;
    if frame.len() > usize::from(max_frame)
        && let Some(tcp) = h.tcp_len(frame)
        && let Some(size) = usize::from(max_frame).checked_sub(h.l4 + tcp).filter(|s| *s > 0)
    {
        let kind = if h.v6 { GsoKind::TcpV6 } else { GsoKind::TcpV4 };
        let ecn = frame[h.l4 + 13] & CWR != 0;
        p.offload.gso = Some(Gso { kind, size: size as u16, ecn });
    }
    p
}

impl Current {
    fn start(seg: &Segment<'_>, pool: &mut Pool) -> Option<Self> {
        let len = seg.frame.len();
        let mut packet = pool.take(LARGE_BUF);
        if len > packet.capacity() {
            pool.put(packet);
            return None;
        }
        packet.set_len(len);
        let (head, body) = packet.data_mut().split_at_mut(seg.header);
        head.copy_from_slice(&seg.frame[..seg.header]);
        let sum = checksum::copy_and_sum(body, seg.payload());
        if !seg.verify(sum) {
            pool.put(packet);
            return None;
        }
        let size = seg.payload().len();
        Some(Self {
            packet,
            h: seg.h,
            header: seg.header,
            size,
            count: 1,
            next_seq: seg.seq().wrapping_add(size as u32),
            id_step: None,
        })
    }

    /// Adds a segment, if it is the next one of the same flow and its checksum is right.
    fn append(&mut self, seg: &Segment<'_>) -> bool {
        let payload = seg.payload();
        let old = self.packet.len();
        let new = old + payload.len();
        let fits = payload.len() <= self.size && new - self.h.l3 <= MAX_IP;
        if !fits || seg.seq() != self.next_seq || !self.same_flow(seg) {
            return false;
        }
        let Some(id_step) = self.id_step_to(seg) else { return false };
        self.packet.set_len(new);
        let sum = checksum::copy_and_sum(&mut self.packet.data_mut()[old..], payload);
        if !seg.verify(sum) {
            self.packet.set_len(old);
            return false;
        }
        self.packet.data_mut()[self.h.l4 + 13] |= seg.flags & (PSH | FIN);
        self.id_step = id_step;
        self.count += 1;
        self.next_seq = self.next_seq.wrapping_add(payload.len() as u32);
        true
    }

    /// The rules of `dev_gro_receive`, `inet_gro_receive` and `tcp_gro_receive`: everything is the
    /// same but lengths, ID, sequence number, PSH, FIN and checksums.
    fn same_flow(&self, seg: &Segment<'_>) -> bool {
        let (a, b) = (self.packet.data(), seg.frame);
        let Headers { l3, l4, v6, .. } = self.h;
        if (seg.h.l3, seg.h.l4, seg.h.v6, seg.header) != (l3, l4, v6, self.header) {
            return false;
        }
        let same = |from: usize, to: usize| a[from..to] == b[from..to];
        let ip = if v6 {
            same(l3, l3 + 4) && same(l3 + 6, l4)
        } else {
            same(l3, l3 + 2) && same(l3 + 6, l3 + 10) && same(l3 + 12, l4)
        };
        ip && same(0, l3)
            && same(l4, l4 + 4)
            && same(l4 + 8, l4 + 13)
            && (a[l4 + 13] ^ seg.flags) & !(CWR | FIN | PSH) == 0
            && seg.flags & CWR == 0
            && same(l4 + 14, l4 + 16)
            && same(l4 + 18, self.header)
    }

    /// How the ID moves if `seg` is the next one; None if it does not fit.
    fn id_step_to(&self, seg: &Segment<'_>) -> Option<Option<u16>> {
        if self.h.v6 {
            return Some(None);
        }
        let l3 = self.h.l3;
        let moved = get16(seg.frame, l3 + 4).wrapping_sub(get16(self.packet.data(), l3 + 4));
        let df = seg.frame[l3 + 6] & 0x40 != 0;
        let step = self.id_step.or(match moved {
            1 => Some(1),
            0 if df => Some(0),
            _ => None,
        })?;
        (moved == step * self.count).then_some(Some(step))
    }

    fn finish(mut self, pool: &mut Pool) -> Packet {
        if self.count == 1 {
            self.packet.offload.csum = Checksum::Valid;
            let small = pool.clone_packet(&self.packet);
            pool.put(self.packet);
            return small;
        }
        let h = Headers { end: self.packet.len(), ..self.h };
        let frame = self.packet.data_mut();
        if h.v6 {
            put16(frame, h.l3 + 4, (h.end - h.l4) as u16);
        } else {
            put16(frame, h.l3 + 2, (h.end - h.l3) as u16);
            put16(frame, h.l3 + 10, 0);
            let sum = checksum::sum(&frame[h.l3..h.l4]);
            put16(frame, h.l3 + 10, checksum::finish(sum));
        }
        let pseudo = checksum::pseudo_header(h.addresses(frame), h.proto, h.end - h.l4);
        put16(frame, h.l4 + 16, checksum::fold(pseudo));
        let ecn = frame[h.l4 + 13] & CWR != 0;
        let kind = if h.v6 { GsoKind::TcpV6 } else { GsoKind::TcpV4 };
        self.packet.offload.csum = Checksum::Partial { start: h.l4 as u16, offset: 16 };
        self.packet.offload.gso = Some(Gso { kind, size: self.size as u16, ecn });
        self.packet
    }
}
