//! System calls and shared memory: the only `unsafe` of the project.

pub mod affinity;
pub mod bpf;
pub mod mmsg;
pub mod netns;
pub mod packet;
pub mod ring;
pub mod tap;
pub mod udp;

use std::io;

/// Length of a `virtio_net_hdr` without `num_buffers` (linux/virtio_net.h), in bytes.
pub const VNET_HDR_LEN: usize = 10;

/// The result of a system call that returns -1 and sets errno when it fails.
pub(crate) fn check(ret: libc::c_int) -> io::Result<libc::c_int> {
    if ret < 0 { Err(io::Error::last_os_error()) } else { Ok(ret) }
}
