//! A frame in a pooled buffer, with what the sender's stack left undone.
//!
//! A [`Packet`] owns one buffer. The frame sits behind some headroom, so that a VLAN tag can be
//! pushed without moving the payload. [`Offload`] says what the sender did *not* do: finish the
//! transport checksum, cut a long TCP frame into segments. Nothing between two local ports does
//! that work either; only [`crate::port::vxlan`] and captures do.

/// Bytes kept free before a received frame, for tags that actions push.
pub const HEADROOM: usize = 64;
/// Longest frame that a packet may hold: a 64 KB IP packet, its Ethernet header and two VLAN tags.
pub const MAX_FRAME: usize = 65_535 + 14 + 8;
/// Capacity of a small buffer (headroom included): a full frame of MTU 1500 and some.
pub const SMALL_BUF: usize = 2048;
/// Capacity of a large buffer, headroom included.
pub const LARGE_BUF: usize = HEADROOM + MAX_FRAME + 59;

/// State of the transport checksum (TCP, UDP; SCTP is never partial here).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// Nobody vouches for it: the bytes in the frame are what they are, forward them so.
    #[default]
    Unknown,
    /// The kernel verified it.
    Valid,
    /// Unfinished: the field holds the pseudo-header's sum. The sum from `start` to the frame's
    /// end goes to `start + offset`. Both in bytes, `start` from the frame's first byte.
    Partial {
        /// First byte that the sum covers.
        start: u16,
        /// Where the field is, counted from `start`.
        offset: u16,
    },
}

/// Kind of a frame that is longer than one segment (`VIRTIO_NET_HDR_GSO_*` in linux/virtio_net.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GsoKind {
    /// TCP over IPv4.
    TcpV4,
    /// TCP over IPv6.
    TcpV6,
    /// UDP datagrams of one flow, each `size` bytes of payload (`VIRTIO_NET_HDR_GSO_UDP_L4`).
    UdpL4,
}

/// How a long frame is to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gso {
    /// What the frame is.
    pub kind: GsoKind,
    /// Payload bytes of each segment but the last.
    pub size: u16,
    /// TCP only: the first segment alone carries CWR (`VIRTIO_NET_HDR_GSO_ECN`).
    pub ecn: bool,
}

/// What the sender's stack left to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// The transport checksum.
    pub csum: Checksum,
    /// Segmentation, if the frame is longer than its segments.
    pub gso: Option<Gso>,
}

/// A frame, from its destination MAC to its last byte (no FCS), in a buffer of its own.
#[derive(Debug)]
pub struct Packet {
    buf: Box<[u8]>,
    start: u32,
    end: u32,
    /// What is left undone.
    pub offload: Offload,
}

impl Packet {
    /// Wraps a buffer; the frame is empty and starts behind [`HEADROOM`].
    #[must_use]
    pub fn from_buf(buf: Box<[u8]>) -> Self {
        debug_assert!(buf.len() > HEADROOM);
        Self { buf, start: HEADROOM as u32, end: HEADROOM as u32, offload: Offload::default() }
    }

    /// A packet with a buffer just for it; for tests, packet-outs and other slow paths.
    #[must_use]
    pub fn copied(frame: &[u8]) -> Self {
        let mut p = Self::from_buf(vec![0; (HEADROOM + frame.len()).max(SMALL_BUF)].into());
        p.buf[HEADROOM..HEADROOM + frame.len()].copy_from_slice(frame);
        p.end = (HEADROOM + frame.len()) as u32;
        p
    }

    /// The frame.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.buf[self.start as usize..self.end as usize]
    }

    /// The frame, to be edited in place.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.buf[self.start as usize..self.end as usize]
    }

    /// Length of the frame in bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "an empty frame does not occur")]
    pub fn len(&self) -> usize {
        (self.end - self.start) as usize
    }

    /// All of the buffer behind the headroom, to be received into; then [`Self::set_len`].
    pub fn spare_mut(&mut self) -> &mut [u8] {
        let s = self.start as usize;
        &mut self.buf[s..]
    }

    /// Bytes that [`Self::set_len`] may reach.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.buf.len() - self.start as usize
    }

    /// Sets the frame's length; panics beyond [`Self::capacity`], which callers check first.
    pub fn set_len(&mut self, len: usize) {
        assert!(len <= self.capacity());
        self.end = self.start + len as u32;
    }

    /// Room before the frame in bytes.
    #[must_use]
    pub fn headroom(&self) -> usize {
        self.start as usize
    }

    /// Opens a gap of `n` bytes at `at` (bytes from the frame's start), moving what is before it
    /// toward the front, and keeps the checksum's position right. False if the headroom is used up.
    pub fn open_gap(&mut self, at: usize, n: usize) -> bool {
        if n > self.headroom() || at > self.len() {
            return false;
        }
        let s = self.start as usize;
        self.buf.copy_within(s..s + at, s - n);
        self.start -= n as u32;
        self.move_csum(at, n as i32);
        true
    }

    /// Removes `n` bytes at `at`, moving what is before it toward the end of the buffer.
    pub fn close_gap(&mut self, at: usize, n: usize) -> bool {
        if at + n > self.len() {
            return false;
        }
        let s = self.start as usize;
        self.buf.copy_within(s..s + at, s + n);
        self.start += n as u32;
        self.move_csum(at, -(n as i32));
        true
    }

    fn move_csum(&mut self, at: usize, by: i32) {
        if let Checksum::Partial { start, .. } = &mut self.offload.csum
            && usize::from(*start) >= at
        {
            *start = (i32::from(*start) + by) as u16;
        }
    }

    /// Empties the packet for its next use.
    pub fn reset(&mut self) {
        self.start = HEADROOM as u32;
        self.end = self.start;
        self.offload = Offload::default();
    }

    /// Whether the buffer is of the large kind.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.buf.len() >= LARGE_BUF
    }
}

/// A worker's own store of buffers. Allocates when it runs dry (warm-up), never after.
#[derive(Debug, Default)]
pub struct Pool {
    small: Vec<Packet>,
    large: Vec<Packet>,
}

/// Buffers of each size that a pool keeps; more are freed.
const KEEP_SMALL: usize = 4096;
const KEEP_LARGE: usize = 256;

impl Pool {
    /// An empty packet with room for `len` bytes.
    pub fn take(&mut self, len: usize) -> Packet {
        let (store, size) = if len <= SMALL_BUF - HEADROOM {
            (&mut self.small, SMALL_BUF)
        } else {
            (&mut self.large, LARGE_BUF)
        };
        store.pop().unwrap_or_else(|| Packet::from_buf(vec![0; size].into()))
    }

    /// Gives a packet's buffer back.
    pub fn put(&mut self, mut p: Packet) {
        p.reset();
        if p.is_large() {
            if self.large.len() < KEEP_LARGE {
                self.large.push(p);
            }
        } else if p.buf.len() == SMALL_BUF && self.small.len() < KEEP_SMALL {
            self.small.push(p);
        }
    }

    /// A copy of `p` with its offload state.
    pub fn clone_packet(&mut self, p: &Packet) -> Packet {
        let mut c = self.take(p.len());
        c.set_len(p.len());
        c.data_mut().copy_from_slice(p.data());
        c.offload = p.offload;
        c
    }
}
