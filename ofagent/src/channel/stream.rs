//! Non-blocking streams: TCP, TLS over TCP, Unix.

use super::tls::Tls;
use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::path::Path;

/// Plaintext taken into one TLS write, bytes: four records (RFC 8446 section 5.1).
const TLS_WRITE: usize = 64 << 10;

/// See the module. To be registered for both directions, edge-triggered: reads and writes go on until
/// [`ErrorKind::WouldBlock`].
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream>),
    Unix(UnixStream),
}

/// TLS over TCP.
#[derive(Debug)]
pub(super) struct TlsStream {
    tls: rustls::Connection,
    tcp: TcpStream,
}

impl Stream {
    /// Begins to connect; [`Self::connected`] tells how it went.
    pub(super) fn tcp(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    /// Begins to connect and to shake hands.
    pub(super) fn tls(to: SocketAddr, tls: &Tls) -> io::Result<Self> {
        let tls = tls.client(to.ip()).map_err(io::Error::other)?;
        let tcp = TcpStream::connect(to)?;
        tcp.set_nodelay(true)?;
        Ok(Self::Tls(Box::new(TlsStream { tls, tcp })))
    }

    /// Connects, or is refused, at once.
    pub(super) fn unix(to: &Path) -> io::Result<Self> {
        UnixStream::connect(to).map(Self::Unix)
    }

    /// The server's side of a connection that was accepted.
    pub(super) fn accepted(tcp: TcpStream, tls: Option<&Tls>) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        Ok(match tls {
            None => Self::Tcp(tcp),
            Some(tls) => {
                let tls = tls.server().map_err(io::Error::other)?;
                Self::Tls(Box::new(TlsStream { tls, tcp }))
            }
        })
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let source: &mut dyn Source = match self {
            Self::Tcp(s) => s,
            Self::Tls(s) => &mut s.tcp,
            Self::Unix(s) => s,
        };
        registry.register(source, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Whether a connection that was begun stands. TLS may still be shaking hands: nothing can be
    /// read or written then.
    pub(super) fn connected(&self) -> io::Result<bool> {
        let tcp = match self {
            Self::Tcp(s) => s,
            Self::Tls(s) => &s.tcp,
            Self::Unix(_) => return Ok(true),
        };
        if let Some(e) = tcp.take_error()? {
            return Err(e);
        }
        match tcp.peer_addr() {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == ErrorKind::NotConnected => Ok(false),
            Err(e) => Err(e),
        }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(s) => s.read(buffer),
            Self::Tls(s) => s.read(buffer),
            Self::Unix(s) => s.read(buffer),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(s) => s.write(bytes),
            Self::Tls(s) => s.write(bytes),
            Self::Unix(s) => s.write(bytes),
        }
    }

    /// Sends what was taken by [`Self::write`] and not sent yet. `WouldBlock`: there is more.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tls(s) => s.flush(),
            Self::Tcp(_) | Self::Unix(_) => Ok(()),
        }
    }
}

impl TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.tls.reader().read(buffer) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => {}
                // Some peers go without a word; what they said before was whole messages or not.
                Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                other => return other,
            }
            if self.tls.read_tls(&mut self.tcp)? == 0 {
                return Ok(0);
            }
            let result = self.tls.process_new_packets();
            // The handshake's next step, or the alert that says what was wrong.
            let sent = self.flush();
            result.map_err(io::Error::other)?;
            match sent {
                Err(e) if e.kind() != ErrorKind::WouldBlock => return Err(e),
                _ => {}
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        if self.tls.is_handshaking() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let taken = self.tls.writer().write(&bytes[..bytes.len().min(TLS_WRITE)])?;
        match self.flush() {
            Err(e) if e.kind() != ErrorKind::WouldBlock => Err(e),
            _ => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            if self.tls.write_tls(&mut self.tcp)? == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}
