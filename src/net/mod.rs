//! The host's networks, as far as the switch has to do with them: devices, routes and namespaces
//! through rtnetlink, what comes and goes, containers, and the MTU that the underlay leaves.
//!
//! Everything here belongs to the control thread and blocks for as long as the kernel takes to
//! answer; only [`monitor::Monitor`] is non-blocking, because its descriptor waits in the control
//! thread's poll.
//!
//! ```text
//!  netlink    one request, one answer      links, veth pairs, addresses, routes, route lookup
//!  monitor    what changed meanwhile       devices that come, go, get renamed; moved routes
//!  netns      the same in another network namespace
//!  container  a container's name -> PID;   attach: veth into it, named, addressed, up
//!  mtu        route to the remote -> how long a frame may be in the tunnel
//!  taken      what the switch took or made, on disk, so that the next start can give it back
//! ```

pub mod addr;
pub mod attach;
pub mod container;
mod link;
pub mod monitor;
pub mod mtu;
pub mod netlink;
pub mod netns;
mod route;
pub mod taken;

pub use addr::{Cidr, Mac, RouteSpec};
pub use link::{IFNAME_MAX, Link, LinkChange, OperState, VethSpec};
pub use netlink::Netlink;
pub use route::{Route, RouteHit};

use nix::errno::Errno;

/// What was tried, what the kernel (or a tool) said, and what to do about it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot {doing}: {said}{}{fix}", if fix.is_empty() { "" } else { "; " })]
pub struct Error {
    /// What was tried, with the object's name: "set the MTU of 'veth1' to 9000".
    pub doing: String,
    /// The error's text, the kernel's own explanation in brackets where it gave one.
    pub said: String,
    /// What the operator can do; may be empty.
    pub fix: String,
    /// The kernel's error number; none where a tool or a file was the cause.
    pub errno: Option<Errno>,
}

/// Result with this module's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of the switch's own making.
    pub(crate) fn new(
        doing: impl Into<String>,
        said: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { doing: doing.into(), said: said.into(), fix: fix.into(), errno: None }
    }

    /// An error number that the kernel gave; the advice follows from the number.
    pub(crate) fn errno(doing: impl Into<String>, errno: Errno, extack: Option<&str>) -> Self {
        let mut said = errno.desc().to_string();
        if let Some(text) = extack {
            said.push_str(&format!(" ({text})"));
        }
        Self { doing: doing.into(), said, fix: advice(errno).to_string(), errno: Some(errno) }
    }

    /// An error of a system call or a file operation.
    pub(crate) fn io(doing: impl Into<String>, error: &std::io::Error) -> Self {
        match error.raw_os_error() {
            Some(code) => Self::errno(doing, Errno::from_raw(code), None),
            None => Self::new(doing, error.to_string(), ""),
        }
    }

    /// The same error with other advice.
    #[must_use]
    pub(crate) fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }
}

fn advice(errno: Errno) -> &'static str {
    match errno {
        Errno::EPERM | Errno::EACCES => "run as root, or with CAP_NET_ADMIN and CAP_SYS_ADMIN",
        Errno::ENODEV | Errno::ENXIO => "the device does not exist; `ip link` lists those that do",
        Errno::EEXIST => "choose another name, or delete the one that exists",
        Errno::EOPNOTSUPP => "this kernel cannot do it; `vxswitch doctor` tells what is missing",
        Errno::ENETUNREACH | Errno::EHOSTUNREACH => "add a route to it (`ip route add`)",
        Errno::ENOBUFS | Errno::ENOMEM => "the host is short of memory",
        _ => "",
    }
}

/// FNV-1a, 64 bits (draft-eastlake-fnv), for names and addresses that must come out the same in
/// every version of this program.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
