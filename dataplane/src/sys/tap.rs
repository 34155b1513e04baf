//! TAP devices: the ioctls of linux/if_tun.h.

use super::check;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A queue of a TAP device; the device goes away with the last of its descriptors.
#[derive(Debug)]
pub struct TapFd {
    fd: OwnedFd,
}

impl TapFd {
    /// Opens /dev/net/tun, non-blocking.
    pub fn open() -> io::Result<Self> {
        let flags = libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC;
        // SAFETY: the path is a static NUL-terminated string.
        let fd = check(unsafe { libc::open(c"/dev/net/tun".as_ptr(), flags) })?;
        // SAFETY: `fd` was just opened and nothing else owns it.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }

    /// Makes the device (`TUNSETIFF`): Ethernet frames, each behind a virtio header.
    /// IFF_TUN_EXCL: an existing device of that name is refused with EBUSY, not adopted.
    pub fn create(&self, name: &str) -> io::Result<()> {
        let mut req = request(name)?;
        req.ifr_ifru.ifru_flags =
            (libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR | libc::IFF_TUN_EXCL) as i16;
        // SAFETY: TUNSETIFF reads and writes a struct ifreq, which `req` is.
        check(unsafe { libc::ioctl(self.fd.as_raw_fd(), libc::TUNSETIFF, &raw mut req) })?;
        Ok(())
    }

    /// Sets the length of the virtio header in bytes (`TUNSETVNETHDRSZ`).
    pub fn set_vnet_hdr_len(&self, len: usize) -> io::Result<()> {
        let len = len as libc::c_int;
        // SAFETY: TUNSETVNETHDRSZ reads an int, which `len` is.
        check(unsafe { libc::ioctl(self.fd.as_raw_fd(), libc::TUNSETVNETHDRSZ, &raw const len) })?;
        Ok(())
    }

    /// Says what the reader takes unfinished (`TUNSETOFFLOAD`, `TUN_F_*`).
    pub fn set_offload(&self, flags: u32) -> io::Result<()> {
        // SAFETY: TUNSETOFFLOAD takes its argument by value.
        check(unsafe {
            libc::ioctl(self.fd.as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(flags))
        })?;
        Ok(())
    }

    /// Sets the device's MAC address (`SIOCSIFHWADDR`, which a TAP's descriptor takes too).
    pub fn set_mac(&self, name: &str, mac: [u8; 6]) -> io::Result<()> {
        let mut req = request(name)?;
        let mut addr = libc::sockaddr { sa_family: libc::ARPHRD_ETHER, sa_data: [0; 14] };
        for (d, s) in addr.sa_data.iter_mut().zip(mac) {
            *d = s as libc::c_char;
        }
        req.ifr_ifru.ifru_hwaddr = addr;
        // SAFETY: SIOCSIFHWADDR reads a struct ifreq, which `req` is.
        check(unsafe { libc::ioctl(self.fd.as_raw_fd(), libc::SIOCSIFHWADDR, &raw const req) })?;
        Ok(())
    }

    /// Another descriptor of the same queue, for another thread.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { fd: self.fd.try_clone()? })
    }
}

impl AsFd for TapFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A struct ifreq that names a device.
fn request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: ifreq is plain data, for which all zeroes is a value.
    let mut req: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.is_empty() || name.len() >= req.ifr_name.len() || name.bytes().any(|b| b == 0) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    for (d, s) in req.ifr_name.iter_mut().zip(name.bytes()) {
        *d = s as libc::c_char;
    }
    Ok(req)
}
