//! From frames to UDP datagrams.

use crate::action::TunnelDest;
use crate::drop::DropReason;
use crate::offload::{self, Scratch, SegmentError};
use crate::packet::{Checksum, Packet};
use crate::port::{Transmit, TxItem, TxReport};
use crate::state::clock_ms;
use crate::sys::udp::{
    Destination, MAX_BATCH, MAX_PAYLOAD, MAX_SEGMENTS, SendBatch, SendOptions, SendSocket, Sending,
    path_mtu,
};
use crate::vtep;
use crate::wire::vxlan;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::IpAddr;

/// Source ports for each kind of socket; the inner flow's hash chooses one.
const SPREAD: usize = 16;
/// Kinds of sockets: IPv4 or IPv6, with or without DF, with or without a UDP checksum.
const KINDS: usize = 8;
/// Source ports come from here (RFC 7348 section 5: the dynamic range of RFC 6335).
const FIRST_PORT: u16 = 49_152;
/// Ports that are tried before giving up.
const PORT_TRIES: u16 = 64;
/// Send buffer of a socket in bytes.
const BUFFER: libc::c_int = 8 << 20;
/// Bytes of segments that are made before they are sent.
const SCRATCH: usize = 256 << 10;
/// How long a path MTU that was asked for is good, in milliseconds.
const PATH_MTU_AGE: u64 = 1000;

/// Sends for all tunnels; one for each worker.
pub struct VxlanTransmitter {
    /// [`KINDS`] times [`SPREAD`], made at their first use.
    sockets: Vec<Option<SendSocket>>,
    batch: SendBatch,
    singles: SendBatch,
    scratch: Scratch,
    pending: Vec<Pending>,
    /// Sockets that `pending` uses, a bit each.
    used: u128,
    order: Vec<usize>,
    groups: Vec<Group>,
    status: Status,
}

/// One send that is to be made.
#[derive(Debug)]
struct Pending {
    socket: usize,
    /// Index into the items.
    item: usize,
    header: [u8; vxlan::HEADER_LEN],
    dest: Destination,
    df: bool,
    source: Source,
    /// The last send of its item.
    last: bool,
}

/// Where the bytes of a send are.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// The packet itself; the VXLAN header goes before it.
    Packet,
    /// `len` bytes of the scratch buffer, headers included.
    Made { at: usize, len: usize },
    /// The same, several datagrams of `size` bytes each but the last.
    Segments { at: usize, len: usize, size: u16 },
}

/// Sends that became one: so many of `order`, from `first`.
#[derive(Clone, Copy, Debug)]
struct Group {
    first: usize,
    count: usize,
    segmented: bool,
}

/// What was learned about the kernel and the way.
#[derive(Debug)]
struct Status {
    /// `UDP_SEGMENT` works, as far as is known.
    segment: bool,
    /// Kinds of sockets that cannot be made, a bit each.
    broken: u8,
    /// The item whose drop was counted last.
    dropped: Option<usize>,
    path_mtu: Option<(IpAddr, u16, u64)>,
    notes: Vec<String>,
}

impl VxlanTransmitter {
    /// Makes one; sockets are opened when they are first needed.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            sockets: (0..KINDS * SPREAD).map(|_| None).collect(),
            batch: SendBatch::default(),
            singles: SendBatch::default(),
            scratch: Scratch::default(),
            pending: Vec::with_capacity(2 * MAX_BATCH),
            used: 0,
            order: Vec::with_capacity(2 * MAX_BATCH),
            groups: Vec::with_capacity(2 * MAX_BATCH),
            status: Status {
                segment: true,
                broken: 0,
                dropped: None,
                path_mtu: None,
                notes: Vec::new(),
            },
        })
    }

    /// What this kernel lacks, in words for an operator.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.status.notes
    }

    /// The socket for an item, opened if need be.
    fn socket(&mut self, t: &TunnelDest, hash: u32) -> Option<usize> {
        let options = SendOptions { v6: t.remote.is_ipv6(), df: t.df, csum: t.csum };
        let kind =
            usize::from(options.v6) << 2 | usize::from(options.df) << 1 | usize::from(options.csum);
        let index = kind * SPREAD + (hash ^ hash >> 16) as usize % SPREAD;
        if self.sockets[index].is_some() {
            return Some(index);
        }
        if self.status.broken & 1 << kind != 0 {
            return None;
        }
        match open(options) {
            Ok(s) => {
                if self.status.segment && !s.can_segment() {
                    self.status
                        .no_segment("UDP_SEGMENT is unknown to it (Linux 4.18 and later have it)");
                }
                self.sockets[index] = Some(s);
                Some(index)
            }
            Err(e) => {
                self.status.broken |= 1 << kind;
                self.status.note(format!("VXLAN cannot send ({options:?}): {e}"));
                None
            }
        }
    }

    /// Makes the sends of an item.
    fn prepare(
        &mut self,
        index: usize,
        packet: &Packet,
        item: &TxItem,
        report: &mut TxReport,
        made: &mut Option<Made>,
    ) {
        let Some(t) = item.tunnel.as_deref() else {
            report.drop(DropReason::TunnelNoRemote, 1);
            return;
        };
        let frame = packet.data();
        let longest = match &packet.offload.gso {
            Some(g) => match offload::header_len(frame, g) {
                Ok(h) => frame.len().min(h + usize::from(g.size)),
                Err(_) => return report.drop(DropReason::TxError, 1),
            },
            None => frame.len(),
        };
        // Without DF the underlay may fragment, as the operator asked; a stack that sends segments is
        // told all the same, because it then makes them fit, which costs far less.
        let may_fragment = !t.df && packet.offload.gso.is_none();
        if longest > usize::from(t.max_frame) && !may_fragment {
            report.drop(DropReason::TxTooBig, 1);
            report.too_big.push((item.packet, t.max_frame.saturating_sub(l2_len(frame))));
            return;
        }
        let Some(socket) = self.socket(t, item.hash) else {
            report.drop(DropReason::TunnelNoRoute, 1);
            return;
        };
        let header = vxlan::header(t.vni);
        let send = |source, last| Pending {
            socket,
            item: index,
            header,
            dest: Destination {
                remote: t.remote,
                port: t.dst_port,
                local: t.local,
                tos: t.tos,
                ttl: t.ttl,
            },
            df: t.df,
            source,
            last,
        };
        self.used |= 1 << socket;

        if packet.offload.gso.is_none() && !matches!(packet.offload.csum, Checksum::Partial { .. })
        {
            self.pending.push(send(Source::Packet, true));
            return;
        }
        let reuse = made.filter(|m| m.packet == item.packet && m.vni == t.vni);
        let m = match reuse.map_or_else(|| make(packet, item.packet, t.vni, &mut self.scratch), Ok)
        {
            Ok(m) => m,
            Err(_) => return report.drop(DropReason::TxError, 1),
        };
        *made = Some(m);
        if m.total <= m.size {
            self.pending.push(send(Source::Made { at: m.at, len: m.total }, true));
            return;
        }
        let chunk = MAX_SEGMENTS.min(MAX_PAYLOAD / m.size).max(1) * m.size;
        let mut done = 0;
        while done < m.total {
            let len = chunk.min(m.total - done);
            let at = m.at + done;
            let source = if len <= m.size {
                Source::Made { at, len }
            } else {
                Source::Segments { at, len, size: m.size as u16 }
            };
            done += len;
            self.pending.push(send(source, done == m.total));
        }
    }

    /// Sends everything that is pending, socket by socket. Frames of one flow share a socket, so
    /// they stay in order.
    fn flush(&mut self, packets: &[Packet], items: &[TxItem], report: &mut TxReport) {
        while self.used != 0 {
            let socket = self.used.trailing_zeros() as usize;
            self.used &= self.used - 1;
            self.order.clear();
            let of_socket = self.pending.iter().enumerate().filter(|(_, p)| p.socket == socket);
            self.order.extend(of_socket.map(|(i, _)| i));
            self.send_socket(socket, packets, items, report);
        }
        self.pending.clear();
        self.scratch.clear();
    }

    fn send_socket(
        &mut self,
        socket: usize,
        packets: &[Packet],
        items: &[TxItem],
        report: &mut TxReport,
    ) {
        let Self { sockets, batch, singles, scratch, pending, order, groups, status, .. } = self;
        let Some(socket) = &sockets[socket] else { return };
        let csum = socket.csum();
        let work = Work { packets, items, scratch: scratch.bytes(), pending };

        groups.clear();
        let mut sending = batch.start();
        let mut first = 0;
        while first < order.len() {
            let p = &pending[order[first]];
            let may_segment = status.segment && csum;
            let count = if may_segment { work.run(&order[first..]) } else { 1 };
            let segment = match p.source {
                Source::Segments { size, .. } if may_segment => Some(size),
                Source::Segments { .. } => None,
                _ if count > 1 => Some(work.len(p) as u16),
                _ => None,
            };
            let group = Group { first, count, segmented: segment.is_some() };
            first += count;
            if let (Source::Segments { .. }, None) = (p.source, segment) {
                // The kernel cannot cut it. What is before it goes first.
                send_all(&mut sending, socket, &work, order, groups, singles, status, report);
                work.send_singly(&order[group.first..first], socket, singles, status, report);
                sending.restart();
                groups.clear();
                continue;
            }
            sending.begin(&p.dest, segment);
            for &k in &order[group.first..first] {
                work.slices(&pending[k], &mut sending);
            }
            groups.push(group);
        }
        send_all(&mut sending, socket, &work, order, groups, singles, status, report);
    }
}

/// Hands the groups over, and deals with what the kernel says to it.
#[allow(clippy::too_many_arguments, reason = "the parts of the transmitter, borrowed one by one")]
fn send_all(
    sending: &mut Sending<'_>,
    socket: &SendSocket,
    work: &Work<'_>,
    order: &[usize],
    groups: &[Group],
    singles: &mut SendBatch,
    status: &mut Status,
    report: &mut TxReport,
) {
    while !sending.is_finished() {
        let at = sending.done();
        let members = |g: &Group| &order[g.first..g.first + g.count];
        match sending.send(socket) {
            Ok(n) => {
                for g in &groups[at..at + n] {
                    members(g).iter().for_each(|&k| work.sent(k, status, report));
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if is_full(&e) => {
                for g in &groups[at..] {
                    members(g).iter().for_each(|&k| work.dropped(k, &e, status, report));
                }
                return;
            }
            Err(e) => {
                let g = &groups[at];
                sending.skip();
                let refused = matches!(
                    e.raw_os_error(),
                    Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE | libc::EOPNOTSUPP)
                );
                if g.segmented && refused {
                    // EIO is the kernel's word for a device that cannot do it (udp(7)). The others
                    // may be about this datagram alone: one by one, the kernel says.
                    if e.raw_os_error() == Some(libc::EIO) {
                        status
                            .no_segment("UDP_SEGMENT was refused for the underlay's device (EIO)");
                    }
                    work.send_singly(members(g), socket, singles, status, report);
                } else {
                    members(g).iter().for_each(|&k| work.dropped(k, &e, status, report));
                }
            }
        }
    }
}

/// What a flush looks at.
struct Work<'a> {
    packets: &'a [Packet],
    items: &'a [TxItem],
    scratch: &'a [u8],
    pending: &'a [Pending],
}

impl<'a> Work<'a> {
    /// Length of the UDP payload.
    fn len(&self, p: &Pending) -> usize {
        match p.source {
            Source::Packet => vxlan::HEADER_LEN + self.packet(p).len(),
            Source::Made { len, .. } | Source::Segments { len, .. } => len,
        }
    }

    fn packet(&self, p: &Pending) -> &'a Packet {
        &self.packets[self.items[p.item].packet as usize]
    }

    fn slices(&self, p: &'a Pending, sending: &mut Sending<'a>) {
        match p.source {
            Source::Packet => {
                sending.slice(&p.header);
                sending.slice(self.packet(p).data());
            }
            Source::Made { at, len } | Source::Segments { at, len, .. } => {
                sending.slice(&self.scratch[at..at + len]);
            }
        }
    }

    /// How many of the first sends can go as one, cut by the kernel: to the same place, of the same
    /// length, the last of them perhaps shorter. Not without DF: such datagrams may need fragments,
    /// which the kernel does not make of segments.
    fn run(&self, order: &[usize]) -> usize {
        let first = &self.pending[order[0]];
        if matches!(first.source, Source::Segments { .. }) || !first.df {
            return 1;
        }
        let size = self.len(first);
        let most = MAX_SEGMENTS.min(MAX_PAYLOAD / size).min(order.len());
        let mut n = 1;
        while n < most {
            let p = &self.pending[order[n]];
            let len = self.len(p);
            if matches!(p.source, Source::Segments { .. }) || len > size || p.dest != first.dest {
                break;
            }
            n += 1;
            if len < size {
                break;
            }
        }
        n
    }

    /// Sends without the kernel's segmentation, each datagram for itself.
    fn send_singly(
        &self,
        members: &[usize],
        socket: &SendSocket,
        singles: &mut SendBatch,
        status: &mut Status,
        report: &mut TxReport,
    ) {
        for &k in members {
            let p = &self.pending[k];
            let mut sending = singles.start();
            match p.source {
                Source::Segments { at, len, size } => {
                    for part in self.scratch[at..at + len].chunks(size.into()) {
                        sending.begin(&p.dest, None);
                        sending.slice(part);
                    }
                }
                _ => {
                    sending.begin(&p.dest, None);
                    self.slices(p, &mut sending);
                }
            }
            let mut result = Ok(());
            while result.is_ok() && !sending.is_finished() {
                result = match sending.send(socket) {
                    Err(e) if e.kind() != io::ErrorKind::Interrupted => Err(e),
                    _ => Ok(()),
                };
            }
            match result {
                Ok(()) => self.sent(k, status, report),
                Err(e) => self.dropped(k, &e, status, report),
            }
        }
    }

    fn sent(&self, k: usize, status: &Status, report: &mut TxReport) {
        let p = &self.pending[k];
        if p.last && status.dropped != Some(p.item) {
            report.packets += 1;
            report.bytes += self.packet(p).len() as u64;
        }
    }

    fn dropped(&self, k: usize, e: &io::Error, status: &mut Status, report: &mut TxReport) {
        let p = &self.pending[k];
        if status.dropped.replace(p.item) == Some(p.item) {
            return;
        }
        let reason = match e.raw_os_error() {
            _ if is_full(e) => DropReason::TxQueueFull,
            Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EADDRNOTAVAIL | libc::ENETDOWN) => {
                DropReason::TunnelNoRoute
            }
            Some(libc::EMSGSIZE) => {
                let overhead =
                    if p.dest.remote.is_ipv4() { vtep::OVERHEAD_V4 } else { vtep::OVERHEAD_V6 };
                if let Some(mtu) = status.path_mtu(&p.dest) {
                    let fits = mtu.saturating_sub(overhead + l2_len(self.packet(p).data()));
                    report.too_big.push((self.items[p.item].packet, fits));
                }
                DropReason::TxTooBig
            }
            _ => DropReason::TxError,
        };
        report.drop(reason, 1);
    }
}

impl Status {
    fn note(&mut self, text: String) {
        tracing::warn!("{text}");
        self.notes.push(text);
    }

    fn no_segment(&mut self, why: &str) {
        if self.segment {
            self.segment = false;
            self.note(format!("VXLAN sends one datagram at a time, slowly: {why}"));
        }
    }

    /// The way's MTU, as the kernel learned it. Asked for once a second, not for every frame.
    fn path_mtu(&mut self, d: &Destination) -> Option<u16> {
        let now = clock_ms();
        if let Some((remote, mtu, when)) = self.path_mtu
            && remote == d.remote
            && now - when < PATH_MTU_AGE
        {
            return Some(mtu);
        }
        let mtu = path_mtu(d.remote, d.local, d.port).ok()?;
        self.path_mtu = Some((d.remote, mtu, now));
        Some(mtu)
    }
}

impl Transmit for VxlanTransmitter {
    fn send(&mut self, packets: &[Packet], items: &[TxItem], report: &mut TxReport) {
        self.status.dropped = None;
        let mut made = None;
        for (index, item) in items.iter().enumerate() {
            self.prepare(index, &packets[item.packet as usize], item, report, &mut made);
            if self.pending.len() >= MAX_BATCH || self.scratch.bytes().len() >= SCRATCH {
                self.flush(packets, items, report);
                made = None;
            }
        }
        self.flush(packets, items, report);
    }
}

/// Encapsulated datagrams of one packet in the scratch buffer, for the tunnels that follow.
#[derive(Clone, Copy, Debug)]
struct Made {
    packet: u32,
    vni: u32,
    at: usize,
    /// Bytes of each datagram but the last.
    size: usize,
    /// Bytes of all of them.
    total: usize,
}

/// Cuts a packet, or finishes its checksum.
fn make(
    packet: &Packet,
    index: u32,
    vni: u32,
    scratch: &mut Scratch,
) -> Result<Made, SegmentError> {
    let (frame, header) = (packet.data(), vxlan::header(vni));
    let at = scratch.bytes().len();
    if let Some(gso) = &packet.offload.gso {
        let s = offload::segment(frame, gso, &header, scratch)?;
        return Ok(Made { packet: index, vni, at, size: s.len, total: s.total });
    }
    let total = header.len() + frame.len();
    scratch.take(total);
    let (h, copy) = scratch.bytes_mut()[at..].split_at_mut(header.len());
    h.copy_from_slice(&header);
    copy.copy_from_slice(frame);
    if let Checksum::Partial { start, offset } = packet.offload.csum
        && !offload::finish_checksum(copy, start, offset)
    {
        return Err(SegmentError::BadHeaders);
    }
    Ok(Made { packet: index, vni, at, size: total, total })
}

/// Bytes of a frame before its IP header.
fn l2_len(frame: &[u8]) -> u16 {
    offload::network_offset(frame).map_or(14, |(at, _)| at as u16)
}

fn is_full(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM))
}

/// A socket on a free port of the dynamic range.
fn open(options: SendOptions) -> io::Result<SendSocket> {
    let start = RandomState::new().build_hasher().finish() as u16;
    let mut last = io::ErrorKind::AddrInUse.into();
    for i in 0..PORT_TRIES {
        let port = FIRST_PORT | start.wrapping_add(i);
        match SendSocket::bind(port, options, BUFFER) {
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => last = e,
            other => return other,
        }
    }
    Err(last)
}
