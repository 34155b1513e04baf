//! Snapshots that are no longer in force: dropped when no worker uses them any more, by a thread of
//! their own.
//!
//! With the last reference to a snapshot goes all that only it held: after "delete all", a million
//! rules, for which freeing them takes a good part of a second. Neither a worker, which would
//! receive nothing meanwhile, nor the control thread should be the one that does it.

use crate::state::Datapath;
use crossbeam_channel::{Sender, unbounded};
use std::io;
use std::sync::Arc;

/// See the module.
pub(crate) struct Retired {
    /// Not yet let go of by all; oldest first.
    waiting: Vec<Arc<Datapath>>,
    to_thread: Sender<Arc<Datapath>>,
}

impl Retired {
    /// Starts the thread; it ends with this value.
    pub(crate) fn start() -> io::Result<Self> {
        let (to_thread, snapshots) = unbounded();
        let drop_all = move || snapshots.into_iter().for_each(drop);
        std::thread::Builder::new().name("retired".into()).spawn(drop_all)?;
        Ok(Self { waiting: Vec::new(), to_thread })
    }

    /// Takes the snapshot that another one has just replaced.
    pub(crate) fn add(&mut self, snapshot: Arc<Datapath>) {
        self.waiting.push(snapshot);
        self.drop_unused();
    }

    /// Hands over what nobody uses any more. Nobody can begin to: it is in force no longer.
    pub(crate) fn drop_unused(&mut self) {
        for unused in self.waiting.extract_if(.., |s| Arc::strong_count(s) == 1) {
            // Where the thread has gone, it is dropped here.
            let _ = self.to_thread.send(unused);
        }
    }
}
