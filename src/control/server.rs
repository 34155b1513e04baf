//! The daemon's end of the control socket, served from its mio loop.
//!
//! Nothing here waits: sockets are non-blocking, and a client that is slow, silent or talks garbage
//! costs one of [`MAX_CONNECTIONS`] places at most. Of one connection only one request is in work at
//! a time, and the next is read when the answer is on its way, so buffers are bounded by the longest
//! request and the longest answer.

use super::message::{MAX_REQUEST, Request, Response};
use mio::net::{UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use serde_json::Value;
use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Connections at a time; one more takes the place of the one that has been silent for longest.
pub const MAX_CONNECTIONS: usize = 32;

/// Bytes read from one connection before the loop looks after others.
const READ_BUDGET: usize = 1 << 20;

/// A client that does not read its answer for so long is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    registry: Registry,
    /// Token of the listener; connections take those above it.
    base: usize,
    next: usize,
    connections: HashMap<usize, Connection>,
}

#[derive(Debug)]
struct Connection {
    stream: UnixStream,
    input: Vec<u8>,
    /// Up to here `input` has no end of line.
    scanned: usize,
    output: Vec<u8>,
    sent: usize,
    /// Nothing more is read; closed once `output` is out.
    closing: bool,
    active: Instant,
}

/// What a request comes to.
pub type Answer = Result<Value, String>;

impl Server {
    /// Opens the socket (mode 0600). Tokens from `base` upward are the server's.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn bind(path: &Path, registry: Registry, base: usize) -> io::Result<Self> {
        // Nobody else can reach in between bind and chmod: connect needs write permission, which
        // a umask of at least 022 denies; and the daemon runs as root.
        let mut listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        registry.register(&mut listener, Token(base), Interest::READABLE)?;
        Ok(Self {
            listener,
            path: path.into(),
            registry,
            base,
            next: base + 1,
            connections: HashMap::new(),
        })
    }

    /// Serves what is ready at `token`.
    pub fn ready(&mut self, token: Token, handle: &mut dyn FnMut(Request) -> Answer) {
        if token.0 == self.base {
            self.accept();
        } else if let Some(connection) = self.connections.get_mut(&token.0) {
            let alive = connection.serve(handle).and_then(|more| {
                if more {
                    // Edge-triggered: ask again to hear of what is still there.
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    self.registry.reregister(&mut connection.stream, token, interest)?;
                }
                Ok(())
            });
            if alive.is_err() {
                self.connections.remove(&token.0);
            }
        }
    }

    /// Gives up clients that do not read their answers. Call it now and then.
    pub fn tick(&mut self) {
        self.connections.retain(|_, c| c.output.is_empty() || c.active.elapsed() < PATIENCE);
    }

    fn accept(&mut self) {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => {
                    if e.kind() != ErrorKind::WouldBlock {
                        tracing::warn!("control socket: cannot accept: {e}");
                    }
                    return;
                }
            };
            if self.connections.len() >= MAX_CONNECTIONS {
                let oldest = self.connections.iter().min_by_key(|(_, c)| c.active);
                if let Some(oldest) = oldest.map(|(id, _)| *id) {
                    self.connections.remove(&oldest);
                }
            }
            let id = self.next;
            self.next += 1;
            let interest = Interest::READABLE | Interest::WRITABLE;
            if self.registry.register(&mut stream, Token(id), interest).is_ok() {
                self.connections.insert(id, Connection::new(stream));
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Best effort: the next daemon removes a stale socket too.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Connection {
    fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            input: Vec::new(),
            scanned: 0,
            output: Vec::new(),
            sent: 0,
            closing: false,
            active: Instant::now(),
        }
    }

    /// Moves everything that can be moved. True: there may be more at once. An error: it is over.
    fn serve(&mut self, handle: &mut dyn FnMut(Request) -> Answer) -> io::Result<bool> {
        let mut budget = READ_BUDGET;
        loop {
            self.flush()?;
            if !self.output.is_empty() {
                return Ok(false); // goes on when the client has read
            }
            if self.closing {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            if let Some(line) = self.line() {
                let answer = match serde_json::from_slice(&line) {
                    Ok(request) => handle(request),
                    Err(e) => {
                        self.closing = true;
                        Err(format!("not a request: {e}"))
                    }
                };
                self.respond(answer);
                // One request a turn, so that no client keeps the loop to itself.
                self.flush()?;
                return Ok(self.output.is_empty());
            }
            if self.input.len() > MAX_REQUEST {
                self.closing = true;
                self.input = Vec::new();
                self.scanned = 0;
                self.respond(Err(format!("request of more than {MAX_REQUEST} bytes")));
                continue;
            }
            if budget == 0 {
                return Ok(true);
            }
            let mut chunk = [0; 16 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    self.active = Instant::now();
                    self.input.extend_from_slice(&chunk[..n]);
                    budget = budget.saturating_sub(n);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(e),
            }
        }
    }

    /// Takes a line out of the input.
    fn line(&mut self) -> Option<Vec<u8>> {
        let Some(end) = self.input[self.scanned..].iter().position(|b| *b == b'\n') else {
            self.scanned = self.input.len();
            return None;
        };
        let rest = self.input.split_off(self.scanned + end + 1);
        let line = std::mem::replace(&mut self.input, rest);
        self.scanned = 0;
        Some(line)
    }

    fn respond(&mut self, answer: Answer) {
        let response = match answer {
            Ok(value) => Response::Ok(value),
            Err(why) => Response::Error(why),
        };
        self.output = serde_json::to_vec(&response).unwrap_or_else(|e| {
            tracing::error!("control socket: cannot write an answer: {e}");
            br#"{"error":"internal error"}"#.to_vec()
        });
        self.output.push(b'\n');
        self.sent = 0;
        self.active = Instant::now();
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.sent < self.output.len() {
            match self.stream.write(&self.output[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => {
                    self.sent += n;
                    self.active = Instant::now();
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            }
        }
        self.output = Vec::new();
        self.sent = 0;
        Ok(())
    }
}
