//! UDP sockets in batches, with segmentation offload both ways.
//!
//! [`RecvBatch`] reads many datagrams in one `recvmmsg`, [`SendBatch`] writes many in one
//! `sendmmsg`. Each datagram carries its addresses, TOS and TTL in control messages, so that one
//! socket serves all tunnels.
//!
//! # Minimum kernel version
//!
//! `UDP_SEGMENT` (sending) came with Linux 4.18, `UDP_GRO` (receiving) with 5.0. Both are asked for
//! and may be refused.

use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;

/// `UDP_NO_CHECK6_TX` (linux/udp.h): send IPv6 datagrams without a checksum (RFC 6935).
const UDP_NO_CHECK6_TX: libc::c_int = 101;
/// `UDP_NO_CHECK6_RX`: accept such datagrams.
const UDP_NO_CHECK6_RX: libc::c_int = 102;
/// Datagrams in one call, at most.
pub const MAX_BATCH: usize = 64;
/// Datagrams that one `UDP_SEGMENT` send may become (`UDP_MAX_SEGMENTS`, linux/udp.h, before 6.9).
pub const MAX_SEGMENTS: usize = 64;
/// Longest payload of a UDP datagram over IPv4 in bytes (65535 - 20 - 8), and of a `UDP_SEGMENT` send.
pub const MAX_PAYLOAD: usize = 65_507;
/// Slices of one send: a header and a frame for each of its segments.
const MAX_SLICES: usize = 2 * MAX_SEGMENTS;
/// Room for the control messages of one datagram in 64-bit words: packet info (5), traffic class,
/// TOS, TTL, segment size and drops (3 each), and one to spare.
const CONTROL_WORDS: usize = 21;

fn setsockopt(
    fd: RawFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `value` is a live int and `len` is its size.
    let r = unsafe { libc::setsockopt(fd, level, name, ptr::from_ref(&value).cast(), len) };
    if r == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets a buffer size beyond `net.core.[rw]mem_max` where CAP_NET_ADMIN allows, else as far as it goes.
fn set_buffer(fd: RawFd, force: libc::c_int, plain: libc::c_int, bytes: libc::c_int) {
    if setsockopt(fd, libc::SOL_SOCKET, force, bytes).is_err() {
        // A smaller buffer only costs drops under bursts; it is no reason to fail.
        let _ = setsockopt(fd, libc::SOL_SOCKET, plain, bytes);
    }
}

/// A socket that receives datagrams for a port, over IPv4 and, where the host has it, IPv6.
#[derive(Debug)]
pub struct ReceiveSocket {
    socket: Socket,
    gro: bool,
}

impl ReceiveSocket {
    /// Binds to `port` on all addresses, with a receive buffer of `buffer` bytes.
    pub fn bind(port: u16, buffer: libc::c_int) -> io::Result<Self> {
        let kind = Type::DGRAM.nonblocking().cloexec();
        let (socket, any) = match Socket::new(Domain::IPV6, kind, Some(Protocol::UDP)) {
            Ok(s) => {
                s.set_only_v6(false)?;
                (s, IpAddr::from(Ipv6Addr::UNSPECIFIED))
            }
            // The host has no IPv6.
            Err(e) if e.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
                let s = Socket::new(Domain::IPV4, kind, Some(Protocol::UDP))?;
                (s, IpAddr::from(Ipv4Addr::UNSPECIFIED))
            }
            Err(e) => return Err(e),
        };
        let fd = socket.as_raw_fd();
        set_buffer(fd, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, buffer);
        if any.is_ipv6() {
            setsockopt(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?;
            setsockopt(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, 1)?;
            setsockopt(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, 1)?;
            setsockopt(fd, libc::IPPROTO_UDP, UDP_NO_CHECK6_RX, 1)?;
        } else {
            setsockopt(fd, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
        }
        // An IPv6 socket takes these too, for the IPv4 datagrams that it receives.
        setsockopt(fd, libc::IPPROTO_IP, libc::IP_RECVTOS, 1)?;
        setsockopt(fd, libc::IPPROTO_IP, libc::IP_RECVTTL, 1)?;
        // Once the kernel has dropped any, it says with each datagram how many. Without: not counted.
        let _ = setsockopt(fd, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1);
        let gro = setsockopt(fd, libc::IPPROTO_UDP, libc::UDP_GRO, 1).is_ok();
        socket.bind(&SocketAddr::new(any, port).into())?;
        Ok(Self { socket, gro })
    }

    /// Whether the kernel joins datagrams (`UDP_GRO`).
    #[must_use]
    pub fn gro(&self) -> bool {
        self.gro
    }
}

impl AsRawFd for ReceiveSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// A datagram, or several of one flow that the kernel joined.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// The payload.
    pub data: &'a mut [u8],
    /// Bytes of each datagram but the last, where the kernel joined several.
    pub segment: Option<usize>,
    /// Source address.
    pub src: IpAddr,
    /// The address that it was sent to.
    pub dst: IpAddr,
    /// TOS byte or traffic class.
    pub tos: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// The kernel cut it short.
    pub truncated: bool,
    /// How many the kernel had dropped on this socket when it queued this one, since the socket was
    /// opened (the count wraps): the queue was full, or the UDP checksum wrong. What it had joined
    /// counts once.
    pub dropped: u32,
}

/// Buffers for `recvmmsg`, used again and again.
pub struct RecvBatch {
    buffers: Vec<u8>,
    names: Vec<libc::sockaddr_in6>,
    control: Vec<[u64; CONTROL_WORDS]>,
    iovs: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

/// Bytes between the starts of two buffers: the longest payload, and an odd number of cache lines
/// more, so that the first lines of all buffers do not compete for the same cache sets.
const STRIDE: usize = 65_536 + 64 * 9;

// SAFETY: the raw pointers in `iovs` and `headers` point into the other vectors of the same value,
// which nothing else refers to; moving the value to another thread moves all of them together.
unsafe impl Send for RecvBatch {}

impl RecvBatch {
    /// Room for `count` datagrams of any length.
    #[must_use]
    pub fn new(count: usize) -> Self {
        // SAFETY: all of these are plain C structs for which zero bytes are a valid value.
        let (name, iov, header) = unsafe {
            (
                MaybeUninit::<libc::sockaddr_in6>::zeroed().assume_init(),
                MaybeUninit::<libc::iovec>::zeroed().assume_init(),
                MaybeUninit::<libc::mmsghdr>::zeroed().assume_init(),
            )
        };
        let mut b = Self {
            buffers: vec![0; STRIDE * count],
            names: vec![name; count],
            control: vec![[0; CONTROL_WORDS]; count],
            iovs: vec![iov; count],
            headers: vec![header; count],
        };
        // The vectors never grow, so these pointers stay good as long as the value lives.
        for i in 0..count {
            b.iovs[i].iov_base = b.buffers[i * STRIDE..].as_mut_ptr().cast();
            b.iovs[i].iov_len = 65_536;
            let h = &mut b.headers[i].msg_hdr;
            h.msg_name = ptr::from_mut(&mut b.names[i]).cast();
            h.msg_iov = ptr::from_mut(&mut b.iovs[i]);
            h.msg_iovlen = 1;
            h.msg_control = b.control[i].as_mut_ptr().cast();
        }
        b
    }

    /// Reads up to `max` datagrams without blocking; how many it were.
    pub fn receive(&mut self, socket: &ReceiveSocket, max: usize) -> io::Result<usize> {
        let max = max.min(self.headers.len());
        for h in &mut self.headers[..max] {
            h.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            h.msg_hdr.msg_controllen = CONTROL_WORDS * 8;
        }
        // SAFETY: the first `max` headers point to buffers, names and control space that this value
        // owns, with their right sizes; none of them is borrowed during the call.
        let n = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                max as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        usize::try_from(n).map_err(|_| io::Error::last_os_error())
    }

    /// Datagram `i` of those just read.
    pub fn datagram(&mut self, i: usize) -> Datagram<'_> {
        let m = &self.headers[i];
        let len = (m.msg_len as usize).min(65_536);
        let mut d = Datagram {
            data: &mut self.buffers[i * STRIDE..i * STRIDE + len],
            segment: None,
            src: address(&self.names[i]),
            dst: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            tos: 0,
            ttl: 0,
            truncated: m.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            dropped: 0,
        };
        // SAFETY: the kernel filled in the control messages and their length; CMSG_FIRSTHDR and
        // CMSG_NXTHDR stay within that length, and values are read unaligned, after their size was
        // checked.
        unsafe {
            let mut c = libc::CMSG_FIRSTHDR(&raw const m.msg_hdr);
            while !c.is_null() {
                let value = libc::CMSG_DATA(c);
                let len = ((*c).cmsg_len as usize).saturating_sub(value as usize - c as usize);
                match ((*c).cmsg_level, (*c).cmsg_type) {
                    (libc::IPPROTO_IP, libc::IP_TOS) if len >= 1 => d.tos = value.read(),
                    (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) if len >= 4 => {
                        d.tos = value.cast::<libc::c_int>().read_unaligned() as u8;
                    }
                    (libc::IPPROTO_IP, libc::IP_TTL)
                    | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT)
                        if len >= 4 =>
                    {
                        d.ttl = value.cast::<libc::c_int>().read_unaligned() as u8;
                    }
                    (libc::IPPROTO_IP, libc::IP_PKTINFO)
                        if len >= size_of::<libc::in_pktinfo>() =>
                    {
                        let info = value.cast::<libc::in_pktinfo>().read_unaligned();
                        d.dst = Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)).into();
                    }
                    (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO)
                        if len >= size_of::<libc::in6_pktinfo>() =>
                    {
                        let info = value.cast::<libc::in6_pktinfo>().read_unaligned();
                        d.dst = Ipv6Addr::from(info.ipi6_addr.s6_addr).to_canonical();
                    }
                    (libc::IPPROTO_UDP, libc::UDP_GRO) if len >= 4 => {
                        let size = value.cast::<libc::c_int>().read_unaligned();
                        d.segment = usize::try_from(size).ok().filter(|s| *s > 0);
                    }
                    (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) if len >= 4 => {
                        d.dropped = value.cast::<u32>().read_unaligned();
                    }
                    _ => {}
                }
                c = libc::CMSG_NXTHDR(&raw const m.msg_hdr, c);
            }
        }
        d
    }
}

/// The address in what the kernel wrote as a name, which is large enough for both families.
fn address(name: &libc::sockaddr_in6) -> IpAddr {
    if libc::c_int::from(name.sin6_family) == libc::AF_INET {
        // `sockaddr_in` has its address where `sockaddr_in6` has the flow label.
        Ipv4Addr::from(u32::from_be(name.sin6_flowinfo)).into()
    } else {
        Ipv6Addr::from(name.sin6_addr.s6_addr).to_canonical()
    }
}

/// A socket that only sends.
#[derive(Debug)]
pub struct SendSocket {
    socket: Socket,
    options: SendOptions,
}

/// How a [`SendSocket`] sends everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendOptions {
    /// Over IPv6.
    pub v6: bool,
    /// Never fragment: a datagram that is too long fails with EMSGSIZE. Else the kernel fragments.
    pub df: bool,
    /// Fill in the UDP checksum.
    pub csum: bool,
}

/// TTL that sockets are given, so that most datagrams need no control message for it.
const DEFAULT_TTL: u8 = 64;

impl SendSocket {
    /// Binds to `port` on all addresses, with a send buffer of `buffer` bytes.
    pub fn bind(port: u16, o: SendOptions, buffer: libc::c_int) -> io::Result<Self> {
        let (domain, any): (_, IpAddr) = if o.v6 {
            (Domain::IPV6, Ipv6Addr::UNSPECIFIED.into())
        } else {
            (Domain::IPV4, Ipv4Addr::UNSPECIFIED.into())
        };
        let kind = Type::DGRAM.nonblocking().cloexec();
        let socket = Socket::new(domain, kind, Some(Protocol::UDP))?;
        let fd = socket.as_raw_fd();
        // Nobody reads from it: refuse what comes before it is queued.
        let code = (libc::BPF_RET | libc::BPF_K) as u16;
        socket.attach_filter(&[socket2::SockFilter::new(code, 0, 0, 0)])?;
        set_buffer(fd, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, buffer);
        let ttl = libc::c_int::from(DEFAULT_TTL);
        if o.v6 {
            socket.set_only_v6(true)?;
            let discover = if o.df { libc::IPV6_PMTUDISC_DO } else { libc::IPV6_PMTUDISC_DONT };
            setsockopt(fd, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, discover)?;
            setsockopt(fd, libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS, ttl)?;
            if !o.csum {
                setsockopt(fd, libc::IPPROTO_UDP, UDP_NO_CHECK6_TX, 1)?;
            }
        } else {
            let discover = if o.df { libc::IP_PMTUDISC_DO } else { libc::IP_PMTUDISC_DONT };
            setsockopt(fd, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, discover)?;
            setsockopt(fd, libc::IPPROTO_IP, libc::IP_TTL, ttl)?;
            if !o.csum {
                setsockopt(fd, libc::SOL_SOCKET, libc::SO_NO_CHECK, 1)?;
            }
        }
        socket.bind(&SocketAddr::new(any, port).into())?;
        Ok(Self { socket, options: o })
    }

    /// Whether it fills in UDP checksums. Without them the kernel refuses `UDP_SEGMENT`.
    #[must_use]
    pub fn csum(&self) -> bool {
        self.options.csum
    }

    /// Whether the kernel knows `UDP_SEGMENT`.
    #[must_use]
    pub fn can_segment(&self) -> bool {
        let fd = self.socket.as_raw_fd();
        // A size of zero is the default: nothing is cut but what a control message asks for.
        setsockopt(fd, libc::IPPROTO_UDP, libc::UDP_SEGMENT, 0).is_ok()
    }
}

/// The longest IP packet (bytes) that the host sends to `remote` now, what it learned from ICMP
/// included. Opens a socket for the question; for slow paths.
pub fn path_mtu(remote: IpAddr, local: Option<IpAddr>, port: u16) -> io::Result<u16> {
    let domain = if remote.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::DGRAM.cloexec(), Some(Protocol::UDP))?;
    if let Some(local) = local {
        socket.bind(&SocketAddr::new(local, 0).into())?;
    }
    socket.connect(&SocketAddr::new(remote, port).into())?;
    let (level, name) = if remote.is_ipv4() {
        (libc::IPPROTO_IP, libc::IP_MTU)
    } else {
        (libc::IPPROTO_IPV6, libc::IPV6_MTU)
    };
    let mut value: libc::c_int = 0;
    let mut len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: `value` is an int and `len` its size, both live during the call.
    let r = unsafe {
        let value = ptr::from_mut(&mut value).cast();
        libc::getsockopt(socket.as_raw_fd(), level, name, value, &raw mut len)
    };
    if r != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u16::try_from(value).unwrap_or(u16::MAX))
}

/// Where a datagram goes, and what its IP header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Remote address, of the socket's family.
    pub remote: IpAddr,
    /// Remote port.
    pub port: u16,
    /// Source address, unless the route shall choose.
    pub local: Option<IpAddr>,
    /// TOS byte or traffic class.
    pub tos: u8,
    /// TTL or hop limit.
    pub ttl: u8,
}

/// Headers for `sendmmsg`, used again and again.
///
/// [`Sending::begin`] and [`Sending::slice`] describe datagrams, [`Sending::send`] hands them over. The
/// lifetime keeps the slices alive until then.
pub struct SendBatch {
    names: Vec<libc::sockaddr_in6>,
    control: Vec<[u64; CONTROL_WORDS]>,
    iovs: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

// SAFETY: the raw pointers are only looked at during `Sending::send`, while what they point to is
// borrowed; between calls they are stale and unused.
unsafe impl Send for SendBatch {}

impl Default for SendBatch {
    fn default() -> Self {
        Self {
            names: Vec::with_capacity(MAX_BATCH),
            control: Vec::with_capacity(MAX_BATCH),
            iovs: Vec::with_capacity(MAX_BATCH * 2),
            headers: Vec::with_capacity(MAX_BATCH),
        }
    }
}

impl SendBatch {
    /// Starts a call.
    pub fn start(&mut self) -> Sending<'_> {
        self.clear();
        Sending { batch: self, done: 0 }
    }

    fn clear(&mut self) {
        self.names.clear();
        self.control.clear();
        self.iovs.clear();
        self.headers.clear();
    }
}

/// Datagrams that are being handed over; the slices live at least as long.
pub struct Sending<'a> {
    batch: &'a mut SendBatch,
    done: usize,
}

impl<'a> Sending<'a> {
    /// Starts anew, with nothing to hand over.
    pub fn restart(&mut self) {
        self.batch.clear();
        self.done = 0;
    }

    /// Starts a datagram. With `segment`, the kernel cuts it into datagrams of that many bytes.
    pub fn begin(&mut self, d: &Destination, segment: Option<u16>) {
        let b = &mut *self.batch;
        // SAFETY: plain C structs for which zero bytes are a valid value.
        let (mut name, mut header) = unsafe {
            (
                MaybeUninit::<libc::sockaddr_in6>::zeroed().assume_init(),
                MaybeUninit::<libc::mmsghdr>::zeroed().assume_init(),
            )
        };
        name.sin6_port = d.port.to_be();
        match d.remote {
            IpAddr::V4(ip) => {
                // `sockaddr_in` has its address where `sockaddr_in6` has the flow label.
                name.sin6_family = libc::AF_INET as libc::sa_family_t;
                name.sin6_flowinfo = u32::from(ip).to_be();
                header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            }
            IpAddr::V6(ip) => {
                name.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                name.sin6_addr.s6_addr = ip.octets();
                header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            }
        }
        let mut control = Control { words: [0; CONTROL_WORDS], len: 0 };
        let v6 = d.remote.is_ipv6();
        match d.local {
            Some(IpAddr::V4(ip)) if !v6 => {
                let spec_dst = libc::in_addr { s_addr: u32::from(ip).to_be() };
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: spec_dst,
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                control.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            }
            Some(IpAddr::V6(ip)) if v6 => {
                let addr = libc::in6_addr { s6_addr: ip.octets() };
                let info = libc::in6_pktinfo { ipi6_addr: addr, ipi6_ifindex: 0 };
                control.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            }
            _ => {}
        }
        if d.tos != 0 {
            let tos = libc::c_int::from(d.tos);
            if v6 {
                control.push(libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &tos);
            } else {
                control.push(libc::IPPROTO_IP, libc::IP_TOS, &tos);
            }
        }
        // A TTL of zero cannot be sent.
        if d.ttl != DEFAULT_TTL && d.ttl != 0 {
            let ttl = libc::c_int::from(d.ttl);
            if v6 {
                control.push(libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT, &ttl);
            } else {
                control.push(libc::IPPROTO_IP, libc::IP_TTL, &ttl);
            }
        }
        if let Some(size) = segment {
            control.push(libc::IPPROTO_UDP, libc::UDP_SEGMENT, &size);
        }
        header.msg_hdr.msg_controllen = control.len;
        b.names.push(name);
        b.control.push(control.words);
        b.headers.push(header);
    }

    /// Adds bytes to the datagram begun last.
    pub fn slice(&mut self, bytes: &'a [u8]) {
        let Some(h) = self.batch.headers.last_mut() else { return };
        h.msg_hdr.msg_iovlen += 1;
        debug_assert!(h.msg_hdr.msg_iovlen <= MAX_SLICES);
        let base = bytes.as_ptr().cast_mut().cast();
        self.batch.iovs.push(libc::iovec { iov_base: base, iov_len: bytes.len() });
    }

    /// Sends what has not been sent, in order, without blocking: how many datagrams went. Fewer than
    /// all: ask again to learn why. An error is about the first of those that are left.
    pub fn send(&mut self, socket: &SendSocket) -> io::Result<usize> {
        let b = &mut *self.batch;
        if self.done == 0 {
            let mut iov = 0;
            for (i, h) in b.headers.iter_mut().enumerate() {
                let h = &mut h.msg_hdr;
                h.msg_name = ptr::from_mut(&mut b.names[i]).cast();
                h.msg_iov = b.iovs[iov..].as_mut_ptr();
                iov += h.msg_iovlen;
                if h.msg_controllen != 0 {
                    h.msg_control = b.control[i].as_mut_ptr().cast();
                }
            }
        }
        debug_assert!(b.names.iter().all(|n| {
            (libc::c_int::from(n.sin6_family) == libc::AF_INET6) == socket.options.v6
        }));
        let left = &mut b.headers[self.done..];
        // SAFETY: the headers point to names, control messages and slice lists in this batch, which
        // is borrowed exclusively, and those to bytes that live for 'a.
        let n = unsafe {
            libc::sendmmsg(
                socket.socket.as_raw_fd(),
                left.as_mut_ptr(),
                left.len() as libc::c_uint,
                libc::MSG_DONTWAIT,
            )
        };
        let n = usize::try_from(n).map_err(|_| io::Error::last_os_error())?;
        self.done += n;
        Ok(n)
    }

    /// Passes over the datagram that [`Self::send`] complained of.
    pub fn skip(&mut self) {
        self.done += 1;
    }

    /// Index of the first datagram that was neither sent nor skipped.
    #[must_use]
    pub fn done(&self) -> usize {
        self.done
    }

    /// Whether everything was sent or skipped.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.done >= self.batch.headers.len()
    }
}

/// Control messages of one datagram, as `cmsg(3)` lays them out.
struct Control {
    words: [u64; CONTROL_WORDS],
    len: usize,
}

impl Control {
    /// Adds one; `T` is the kernel's type of its value.
    fn push<T: Copy>(&mut self, level: libc::c_int, kind: libc::c_int, value: &T) {
        let size = size_of::<T>() as libc::c_uint;
        // SAFETY: CMSG_SPACE and CMSG_LEN only compute.
        let (space, len) = unsafe { (libc::CMSG_SPACE(size), libc::CMSG_LEN(size)) };
        let space = space as usize;
        assert!(self.len + space <= CONTROL_WORDS * 8);
        // SAFETY: `space` bytes from `len` on are inside `words` (just checked); header and value
        // fit in them, and everything is written as bytes, so alignment does not matter.
        unsafe {
            let at = self.words.as_mut_ptr().cast::<u8>().add(self.len).cast::<libc::cmsghdr>();
            at.write_unaligned(libc::cmsghdr {
                cmsg_len: len as usize,
                cmsg_level: level,
                cmsg_type: kind,
            });
            libc::CMSG_DATA(at).cast::<T>().write_unaligned(*value);
        }
        self.len += space;
    }
}
