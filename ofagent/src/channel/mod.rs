//! Connections: framing, version negotiation, echo, transports and back-off.
//!
//! ```text
//!  Channels    what is configured for one bridge: controllers to connect to, listeners, the
//!              management socket; owns the mio tokens
//!  Stream      TCP, TLS or Unix stream, non-blocking
//!  Connection  bytes in, whole messages out; hello, echo and probes; without any I/O or clock
//! ```
//!
//! Nothing here waits for a peer. What a peer costs is bounded: one message of input, some 256 KB
//! of answers before its next request is read, 30 seconds without taking what it is sent.

mod backoff;
mod connection;
mod fail_mode;
mod listener;
mod live;
mod resolve;
mod service;
mod stream;
mod target;
mod tls;

pub use connection::{Close, Connection, Event, Versions};
pub use fail_mode::{FailMode, FailTimer};
pub use service::{Channels, Settings, Status};
pub use target::{BadTarget, DEFAULT_PORT, Host, Target};
pub use tls::{Tls, TlsFiles};
