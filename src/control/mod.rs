//! The control socket: how the command line talks to the daemon.
//!
//! `RUNDIR/vxswitch.sock`, a stream socket of mode 0600. One JSON object a line each way: a
//! [`Request`] from the client, then a [`Response`]. A client may send the next request when it has
//! the response to the last.

pub mod client;
pub mod message;
pub mod rundir;
pub mod server;

pub use client::Client;
pub use message::{Request, Response};
pub use rundir::RunDir;
pub use server::Server;
