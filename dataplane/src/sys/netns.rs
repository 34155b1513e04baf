//! Network namespaces (setns(2)).

use super::check;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;

/// Moves this thread, and it alone, into the network namespace of `path`, such as
/// `/run/netns/NAME` or `/proc/PID/ns/net`. Sockets stay in the namespace they were opened in.
/// Needs CAP_SYS_ADMIN.
pub fn enter(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    // SAFETY: takes no pointers; the descriptor is open during the call.
    check(unsafe { libc::setns(file.as_fd().as_raw_fd(), libc::CLONE_NEWNET) })?;
    Ok(())
}
