//! Names of hosts to addresses. The system's resolver waits for answers, so it does so in a thread of
//! its own, which ends with the answer.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;

/// A question that was asked.
#[derive(Debug)]
pub(super) struct Resolving(Receiver<io::Result<SocketAddr>>);

impl Resolving {
    pub(super) fn start(name: &str, port: u16) -> io::Result<Self> {
        let (answer, receiver) = sync_channel(1);
        let name = name.to_owned();
        thread::Builder::new().name("resolver".into()).spawn(move || {
            let none = || io::Error::other(format!("{name} has no address"));
            let found = (name.as_str(), port).to_socket_addrs();
            let first = found.and_then(|mut all| all.next().ok_or_else(none));
            // Nobody waits any more when the controller was taken out of the configuration.
            let _ = answer.send(first);
        })?;
        Ok(Self(receiver))
    }

    /// The answer, when it is there.
    pub(super) fn poll(&self) -> Option<io::Result<SocketAddr>> {
        match self.0.try_recv() {
            Ok(answer) => Some(answer),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                Some(Err(io::Error::other("the resolver gave no answer")))
            }
        }
    }
}
