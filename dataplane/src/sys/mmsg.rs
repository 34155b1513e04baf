//! sendmmsg(2), recvmmsg(2) and readv(2) of frames that have a virtio header before them.
//!
//! The scratch types keep the kernel's arrays from call to call, so that sending and receiving
//! allocate nothing. The pointers in the arrays are written and used within one call.

use super::{VNET_HDR_LEN, check};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Frames handed to the kernel in one call.
pub const BATCH: usize = 64;

const NO_IOVEC: libc::iovec = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };

fn iovec(bytes: &[u8]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() }
}

fn iovec_mut(bytes: &mut [u8]) -> libc::iovec {
    libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() }
}

fn no_msg() -> libc::mmsghdr {
    // SAFETY: mmsghdr is plain data (null pointers, zero lengths), for which all zeroes is a value.
    unsafe { std::mem::zeroed() }
}

/// Arrays for sending up to [`BATCH`] frames at once.
#[derive(Debug)]
pub struct SendScratch {
    hdrs: Box<[[u8; VNET_HDR_LEN]]>,
    iovs: Box<[[libc::iovec; 2]]>,
    msgs: Box<[libc::mmsghdr]>,
}

// SAFETY: the raw pointers in the arrays are dead between calls of `send`, which takes `&mut self`.
unsafe impl Send for SendScratch {}
// SAFETY: as above; nothing can be done with a shared reference.
unsafe impl Sync for SendScratch {}

impl Default for SendScratch {
    fn default() -> Self {
        Self {
            hdrs: vec![[0; VNET_HDR_LEN]; BATCH].into(),
            iovs: vec![[NO_IOVEC; 2]; BATCH].into(),
            msgs: vec![no_msg(); BATCH].into(),
        }
    }
}

impl SendScratch {
    /// Sends `n` frames (at most [`BATCH`]) in order. `frame(i)` gives frame i and its virtio
    /// header. Each frame's fate goes to `done(i, result)`; one that fails does not stop those
    /// after it, unless `done` returns false: then the rest is not tried, and its number of
    /// frames is returned.
    pub fn send<'a>(
        &mut self,
        fd: BorrowedFd<'_>,
        n: usize,
        mut frame: impl FnMut(usize) -> ([u8; VNET_HDR_LEN], &'a [u8]),
        mut done: impl FnMut(usize, io::Result<()>) -> bool,
    ) -> usize {
        let n = n.min(BATCH);
        for i in 0..n {
            let (hdr, data) = frame(i);
            self.hdrs[i] = hdr;
            self.iovs[i] = [iovec(&self.hdrs[i]), iovec(data)];
            self.msgs[i].msg_hdr.msg_iov = self.iovs[i].as_mut_ptr();
            self.msgs[i].msg_hdr.msg_iovlen = 2;
        }
        let mut next = 0;
        while next < n {
            let left = &mut self.msgs[next..n];
            // SAFETY: `left` holds `left.len()` messages whose iovecs point to the headers in
            // `self` and to frames borrowed for 'a, all alive and unchanged during the call. The
            // kernel only reads the frames.
            let ret = check(unsafe {
                libc::sendmmsg(
                    fd.as_raw_fd(),
                    left.as_mut_ptr(),
                    left.len() as libc::c_uint,
                    libc::MSG_DONTWAIT,
                )
            });
            match ret {
                Ok(sent) => {
                    for i in next..next + sent as usize {
                        done(i, Ok(()));
                    }
                    next += sent as usize;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    let go_on = done(next, Err(e));
                    next += 1;
                    if !go_on {
                        return n - next;
                    }
                }
            }
        }
        0
    }
}

/// Reads one frame and its virtio header with readv(2), as a TAP gives them. Returns the frame's
/// length.
pub fn read_frame(
    fd: BorrowedFd<'_>,
    hdr: &mut [u8; VNET_HDR_LEN],
    buf: &mut [u8],
) -> io::Result<usize> {
    let iov = [iovec_mut(hdr), iovec_mut(buf)];
    // SAFETY: both iovecs point to memory borrowed mutably for the whole call.
    let ret = unsafe { libc::readv(fd.as_raw_fd(), iov.as_ptr(), 2) };
    if ret < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((ret as usize).saturating_sub(VNET_HDR_LEN))
}

/// Writes one frame and its virtio header with writev(2), as a TAP takes them.
pub fn write_frame(fd: BorrowedFd<'_>, hdr: &[u8; VNET_HDR_LEN], frame: &[u8]) -> io::Result<()> {
    let iov = [iovec(hdr), iovec(frame)];
    // SAFETY: both iovecs point to memory borrowed for the whole call, which the kernel only reads.
    let ret = unsafe { libc::writev(fd.as_raw_fd(), iov.as_ptr(), 2) };
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Receives one frame and its virtio header with recvmsg(2). Returns the frame's length, which is
/// more than `buf.len()` if it was cut short (`MSG_TRUNC`).
pub fn recv_frame(
    fd: BorrowedFd<'_>,
    hdr: &mut [u8; VNET_HDR_LEN],
    buf: &mut [u8],
) -> io::Result<usize> {
    let mut iov = [iovec_mut(hdr), iovec_mut(buf)];
    let mut msg = no_msg().msg_hdr;
    msg.msg_iov = iov.as_mut_ptr();
    msg.msg_iovlen = 2;
    // SAFETY: the message has no name and no control buffer, and its iovecs point to memory
    // borrowed mutably for the whole call.
    let ret = unsafe {
        libc::recvmsg(fd.as_raw_fd(), &raw mut msg, libc::MSG_DONTWAIT | libc::MSG_TRUNC)
    };
    if ret < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((ret as usize).saturating_sub(VNET_HDR_LEN))
}

/// Space for one `PACKET_AUXDATA` message, with room to spare.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug)]
struct Control([u8; 64]);

/// What recvmmsg gave for one frame.
#[derive(Clone, Copy, Debug)]
pub struct RecvMeta {
    /// The virtio header.
    pub vnet: [u8; VNET_HDR_LEN],
    /// Length of the frame in bytes; more than the buffers' if it was cut short.
    pub len: usize,
    /// `tp_status`, `tp_vlan_tci` and `tp_vlan_tpid` of `PACKET_AUXDATA`.
    pub aux: (u32, u16, u16),
}

/// Arrays for receiving up to N frames at once: each into a first buffer given by the caller, and
/// what is longer into a spill buffer kept here.
#[derive(Debug)]
pub struct RecvScratch {
    hdrs: Box<[[u8; VNET_HDR_LEN]]>,
    spills: Box<[Box<[u8]>]>,
    control: Box<[Control]>,
    iovs: Box<[[libc::iovec; 3]]>,
    msgs: Box<[libc::mmsghdr]>,
}

// SAFETY: the raw pointers in the arrays are dead between calls of `receive`, which takes `&mut self`.
unsafe impl Send for RecvScratch {}
// SAFETY: as above; shared references read lengths and bytes only.
unsafe impl Sync for RecvScratch {}

impl RecvScratch {
    /// Arrays for `n` frames at once, each with a spill buffer of `spill` bytes.
    #[must_use]
    pub fn new(n: usize, spill: usize) -> Self {
        Self {
            hdrs: vec![[0; VNET_HDR_LEN]; n].into(),
            spills: (0..n).map(|_| vec![0; spill].into()).collect(),
            control: vec![Control([0; 64]); n].into(),
            iovs: vec![[NO_IOVEC; 3]; n].into(),
            msgs: vec![no_msg(); n].into(),
        }
    }

    /// Frames that one call receives at most.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.msgs.len()
    }

    /// Receives into `bufs` (and the spill buffers); returns how many frames came.
    pub fn receive<'a>(
        &mut self,
        fd: BorrowedFd<'_>,
        bufs: impl Iterator<Item = &'a mut [u8]>,
    ) -> io::Result<usize> {
        let mut n = 0;
        for (i, buf) in bufs.take(self.capacity()).enumerate() {
            self.iovs[i] =
                [iovec_mut(&mut self.hdrs[i]), iovec_mut(buf), iovec_mut(&mut self.spills[i])];
            let msg = &mut self.msgs[i].msg_hdr;
            msg.msg_iov = self.iovs[i].as_mut_ptr();
            msg.msg_iovlen = 3;
            msg.msg_control = self.control[i].0.as_mut_ptr().cast();
            msg.msg_controllen = size_of::<Control>();
            n = i + 1;
        }
        // SAFETY: the `n` messages' iovecs and control buffers point to memory of `self` and to
        // distinct buffers borrowed mutably for 'a, all alive during the call.
        let ret = check(unsafe {
            libc::recvmmsg(
                fd.as_raw_fd(),
                self.msgs.as_mut_ptr(),
                n as libc::c_uint,
                libc::MSG_DONTWAIT | libc::MSG_TRUNC,
                std::ptr::null_mut(),
            )
        })?;
        Ok(ret as usize)
    }

    /// What the last [`Self::receive`] gave for its frame `i`.
    #[must_use]
    pub fn meta(&self, i: usize) -> RecvMeta {
        let msg = &self.msgs[i];
        RecvMeta {
            vnet: self.hdrs[i],
            len: (msg.msg_len as usize).saturating_sub(VNET_HDR_LEN),
            aux: auxdata(&self.control[i], msg.msg_hdr.msg_controllen),
        }
    }

    /// The spill buffer of frame `i`: what its first buffer had no room for.
    #[must_use]
    pub fn spill(&self, i: usize) -> &[u8] {
        &self.spills[i]
    }
}

/// The first control message, if it is a `PACKET_AUXDATA`: status, VLAN TCI, VLAN TPID.
fn auxdata(control: &Control, len: usize) -> (u32, u16, u16) {
    let head = size_of::<libc::cmsghdr>();
    if len < head + size_of::<libc::tpacket_auxdata>() || len > control.0.len() {
        return (0, 0, 0);
    }
    // SAFETY: `control` is aligned as a cmsghdr and longer than one followed by the auxdata, both
    // plain data that the kernel wrote.
    let (cmsg, aux) = unsafe {
        let p = control.0.as_ptr();
        (
            p.cast::<libc::cmsghdr>().read(),
            p.add(head).cast::<libc::tpacket_auxdata>().read_unaligned(),
        )
    };
    if cmsg.cmsg_level != libc::SOL_PACKET || cmsg.cmsg_type != libc::PACKET_AUXDATA {
        return (0, 0, 0);
    }
    (aux.tp_status, aux.tp_vlan_tci, aux.tp_vlan_tpid)
}
