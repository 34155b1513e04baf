//! AF_PACKET sockets (packet(7), linux/if_packet.h): opening them and their options.

use super::check;
use socket2::{Domain, Socket, Type};
use std::ffi::CString;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// `ETH_P_ALL`, every protocol (linux/if_ether.h).
pub const ETH_P_ALL: u16 = libc::ETH_P_ALL as u16;

/// Index of a device in this thread's network namespace.
pub fn ifindex(name: &str) -> io::Result<u32> {
    let name = CString::new(name).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // SAFETY: `name` is a NUL-terminated string that lives during the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 { Err(io::Error::last_os_error()) } else { Ok(index) }
}

/// Non-blocking SOCK_RAW socket of the family AF_PACKET.
#[derive(Debug)]
pub struct PacketSocket {
    fd: Socket,
}

impl PacketSocket {
    /// Opens a socket that receives nothing yet (protocol 0). Needs CAP_NET_RAW.
    pub fn open() -> io::Result<Self> {
        let kind = Type::RAW.nonblocking().cloexec();
        Ok(Self { fd: Socket::new(Domain::PACKET, kind, None)? })
    }

    /// Binds to a device and a protocol (`ETH_P_*`, host byte order; 0 receives nothing).
    pub fn bind(&self, ifindex: u32, protocol: u16) -> io::Result<()> {
        // SAFETY: sockaddr_ll is plain data, for which all zeroes is a value.
        let mut addr: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        addr.sll_family = libc::AF_PACKET as u16;
        addr.sll_protocol = protocol.to_be();
        addr.sll_ifindex = ifindex as i32;
        let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: `addr` is a sockaddr_ll of `len` bytes that lives during the call.
        check(unsafe { libc::bind(self.fd.as_raw_fd(), (&raw const addr).cast(), len) })?;
        Ok(())
    }

    /// Whether the device that the socket was bound to has been removed for good. (The kernel sets
    /// the bound index to -1 then; a device that is only down keeps it.)
    pub fn device_gone(&self) -> bool {
        // SAFETY: sockaddr_ll is plain data, for which all zeroes is a value.
        let mut addr: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        let mut len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        // SAFETY: `addr` has room for the `len` bytes announced and lives during the call.
        let ret =
            unsafe { libc::getsockname(self.fd.as_raw_fd(), (&raw mut addr).cast(), &raw mut len) };
        ret == 0 && addr.sll_ifindex == -1
    }

    /// PACKET_VNET_HDR: a virtio_net_hdr of 10 bytes goes before every frame, both ways.
    pub fn set_vnet_hdr(&self) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_VNET_HDR, &1_i32)
    }

    /// PACKET_AUXDATA: recvmsg hands over the VLAN tag that the kernel took off.
    pub fn set_auxdata(&self) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_AUXDATA, &1_i32)
    }

    /// PACKET_IGNORE_OUTGOING: do not receive what this host sends by the device.
    ///
    /// # Minimum kernel version
    /// 4.20.
    pub fn set_ignore_outgoing(&self) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1_i32)
    }

    /// PACKET_COPY_THRESH: frames longer than their ring slot are also queued for recvmsg, whole.
    pub fn set_copy_thresh(&self) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_COPY_THRESH, &1_i32)
    }

    /// Sets the receive queue's limit in bytes, past `net.core.rmem_max` where permitted.
    pub fn set_rcvbuf(&self, bytes: i32) -> io::Result<()> {
        self.set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &bytes)
            .or_else(|_| self.set(libc::SOL_SOCKET, libc::SO_RCVBUF, &bytes))
    }

    /// Sets the limit of bytes being sent, past `net.core.wmem_max` where permitted.
    pub fn set_sndbuf(&self, bytes: i32) -> io::Result<()> {
        self.set(libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &bytes)
            .or_else(|_| self.set(libc::SOL_SOCKET, libc::SO_SNDBUF, &bytes))
    }

    /// Puts the device in promiscuous mode, or takes back this socket's request for it.
    pub fn set_promiscuous(&self, ifindex: u32, on: bool) -> io::Result<()> {
        let req = libc::packet_mreq {
            mr_ifindex: ifindex as i32,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        let opt = if on { libc::PACKET_ADD_MEMBERSHIP } else { libc::PACKET_DROP_MEMBERSHIP };
        self.set(libc::SOL_PACKET, opt, &req)
    }

    /// Frames that the kernel dropped because the ring or the queue was full, since the last call.
    pub fn take_drops(&self) -> io::Result<u64> {
        let mut stats = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        let mut len = size_of::<libc::tpacket_stats>() as libc::socklen_t;
        // SAFETY: `stats` has room for the `len` bytes announced and lives during the call.
        check(unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut stats).cast(),
                &raw mut len,
            )
        })?;
        Ok(u64::from(stats.tp_drops))
    }

    /// The socket's pending error (SO_ERROR), cleared by being read.
    pub fn take_error(&self) -> io::Result<()> {
        self.fd.take_error()?.map_or(Ok(()), Err)
    }

    /// Sets an option whose value is the plain C structure or integer `T`.
    pub(super) fn set<T: Copy>(&self, level: i32, opt: i32, value: &T) -> io::Result<()> {
        let len = size_of::<T>() as libc::socklen_t;
        // SAFETY: `value` points to `len` readable bytes that live during the call.
        check(unsafe {
            libc::setsockopt(self.fd.as_raw_fd(), level, opt, std::ptr::from_ref(value).cast(), len)
        })?;
        Ok(())
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
