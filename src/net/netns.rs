//! Network namespaces: find one, and do something inside it without leaving one's own.
//!
//! A namespace belongs to a thread. The control thread never changes its own: a closure that has to
//! run elsewhere gets a thread that enters the namespace, runs it and ends. Sockets opened there
//! stay there.

use super::{Error, Result};
use nix::sched::{CloneFlags, setns, unshare};
use std::fmt;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where `ip netns` keeps its names (ip-netns(8)).
const NAMED: &str = "/run/netns";

/// An open network namespace; it lives as long as this does.
#[derive(Debug)]
pub struct NetNs {
    file: File,
    text: String,
}

impl fmt::Display for NetNs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "network namespace {}", self.text)
    }
}

impl NetNs {
    /// The calling thread's.
    pub fn current() -> Result<Self> {
        Self::open(PathBuf::from("/proc/thread-self/ns/net"), "of this thread".into(), "")
    }

    /// One that `ip netns` named.
    pub fn by_name(name: &str) -> Result<Self> {
        if name.is_empty() || name.contains('/') || name == "." || name == ".." {
            return Err(Error::new(
                format!("open network namespace '{name}'"),
                "this is not a namespace's name",
                "`ip netns` lists them",
            ));
        }
        Self::open(
            Path::new(NAMED).join(name),
            format!("'{name}'"),
            "`ip netns` lists those that have a name",
        )
    }

    /// The one that a process is in.
    pub fn by_pid(pid: u32) -> Result<Self> {
        Self::open(
            PathBuf::from(format!("/proc/{pid}/ns/net")),
            format!("of process {pid}"),
            "is the process still running?",
        )
    }

    /// One that a file stands for.
    pub fn by_path(path: &Path) -> Result<Self> {
        Self::open(path.to_path_buf(), path.display().to_string(), "")
    }

    /// From an operator's word: a path if it has a slash, a PID if it is a number and no namespace
    /// is named so, else a name.
    pub fn parse(text: &str) -> Result<Self> {
        if text.contains('/') {
            return Self::by_path(Path::new(text));
        }
        match text.parse() {
            Ok(pid) if !Path::new(NAMED).join(text).exists() => Self::by_pid(pid),
            _ => Self::by_name(text),
        }
    }

    fn open(path: PathBuf, text: String, fix: &str) -> Result<Self> {
        let doing = || format!("open network namespace {text}");
        let file = File::open(&path).map_err(|e| {
            let error = Error::io(doing(), &e);
            match e.kind() {
                std::io::ErrorKind::NotFound => error.with_fix(fix),
                _ => error,
            }
        })?;
        let netns = Self { file, text };
        // An ordinary file opens as well; the file system of namespaces tells them apart.
        let kind = nix::sys::statfs::fstatfs(&netns.file)
            .map_err(|e| Error::errno(format!("open {netns}"), e, None))?;
        if kind.filesystem_type() != nix::sys::statfs::NSFS_MAGIC {
            return Err(Error::new(
                format!("open {netns}"),
                format!("{} is not a namespace", path.display()),
                "give a name of `ip netns`, a PID, or a path such as /proc/PID/ns/net",
            ));
        }
        Ok(netns)
    }

    /// For requests that name a namespace by its descriptor.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The inode: the namespace's identity while it lives.
    pub fn inode(&self) -> Result<u64> {
        let meta = self.file.metadata();
        Ok(meta.map_err(|e| Error::io(format!("look at {self}"), &e))?.ino())
    }

    /// Runs `work` in the namespace, in a thread of its own, and waits for it.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        in_thread(
            || {
                setns(&self.file, CloneFlags::CLONE_NEWNET)
                    .map_err(|e| Error::errno(format!("enter {self}"), e, None))
            },
            work,
        )
    }
}

/// Runs `work` in a new, empty namespace that ends with it; for trying things without touching the
/// host.
pub fn run_in_private<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T> {
    in_thread(
        || {
            unshare(CloneFlags::CLONE_NEWNET)
                .map_err(|e| Error::errno("make a network namespace", e, None))
        },
        work,
    )
}

fn in_thread<T: Send>(
    enter: impl FnOnce() -> Result<()> + Send,
    work: impl FnOnce() -> T + Send,
) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("netns".into())
            .spawn_scoped(scope, || enter().map(|()| work()))
            .map_err(|e| Error::io("start a thread", &e))?;
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
