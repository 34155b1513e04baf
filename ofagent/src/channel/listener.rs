//! Where controllers and tools connect to.

use super::stream::Stream;
use super::tls::Tls;
use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};
use std::fs::Permissions;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A listening socket. A Unix one's file goes with it.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener, Option<Arc<Tls>>),
    Unix(UnixListener, PathBuf),
}

impl Listener {
    pub(super) fn tcp(at: SocketAddr, tls: Option<Arc<Tls>>) -> io::Result<Self> {
        TcpListener::bind(at).map(|l| Self::Tcp(l, tls))
    }

    /// A socket for root only. One of that name that somebody left is removed; one that is served, and
    /// any other file, stays.
    pub(super) fn unix(path: &Path) -> io::Result<Self> {
        match std::fs::symlink_metadata(path) {
            Ok(meta) if meta.file_type().is_socket() => {
                if UnixStream::connect(path).is_ok() {
                    return Err(io::Error::new(
                        ErrorKind::AddrInUse,
                        "somebody serves this socket already; expected the name of another",
                    ));
                }
                std::fs::remove_file(path)?;
            }
            _ => {}
        }
        // Nobody else can reach in between bind and chmod: connect needs write permission, which
        // a umask of at least 022 denies; and the daemon runs as root.
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
        Ok(Self::Unix(listener, path.into()))
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Self::Tcp(l, _) => registry.register(l, token, Interest::READABLE),
            Self::Unix(l, _) => registry.register(l, token, Interest::READABLE),
        }
    }

    /// The next that waits; `None`: nobody does.
    pub(super) fn accept(&self) -> Option<io::Result<Stream>> {
        loop {
            let accepted = match self {
                Self::Tcp(l, tls) => {
                    l.accept().and_then(|(s, _)| Stream::accepted(s, tls.as_deref()))
                }
                Self::Unix(l, _) => l.accept().map(|(s, _)| Stream::Unix(s)),
            };
            match accepted {
                Err(e) if e.kind() == ErrorKind::WouldBlock => return None,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                // It went before it was looked at.
                Err(e) if e.kind() == ErrorKind::ConnectionAborted => {}
                other => return Some(other),
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Best effort: whoever comes next removes a stale socket too.
            let _ = std::fs::remove_file(path);
        }
    }
}
