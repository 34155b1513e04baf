//! Which processors the calling thread may run on (sched_setaffinity(2)).

use super::check;
use std::io;

/// A set of processors.
#[derive(Clone, Copy)]
pub struct Processors(libc::cpu_set_t);

impl Processors {
    /// Those that the calling thread may run on.
    ///
    /// # Errors
    /// EINVAL on a machine with more than 1024 processors.
    pub fn allowed() -> io::Result<Self> {
        // SAFETY: all bytes zero is a valid, empty set.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: `set` is a set of the size given, writable for the call's duration.
        check(unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) })?;
        Ok(Self(set))
    }

    /// The one that the calling thread runs on now.
    ///
    /// # Errors
    /// ENOSYS where the kernel does not tell; EINVAL for a processor beyond 1023.
    pub fn current() -> io::Result<Self> {
        // SAFETY: takes no arguments and touches no memory of ours.
        let cpu = check(unsafe { libc::sched_getcpu() })? as usize;
        if cpu >= libc::CPU_SETSIZE as usize {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        // SAFETY: all bytes zero is a valid, empty set.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: `cpu` is below CPU_SETSIZE, so its bit lies within the set.
        unsafe { libc::CPU_SET(cpu, &mut set) };
        Ok(Self(set))
    }

    /// Lets the calling thread run on these and no others.
    ///
    /// # Errors
    /// EINVAL when none of them is online or permitted (cpusets).
    pub fn apply(&self) -> io::Result<()> {
        // SAFETY: the set has the size given and is only read.
        check(unsafe { libc::sched_setaffinity(0, size_of_val(&self.0), &raw const self.0) })?;
        Ok(())
    }
}
