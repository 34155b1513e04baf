//! What is to be sent on a connection: bytes, and answers that are written as the peer takes them.

use crate::wire::{self, Message};
use std::collections::VecDeque;

/// An answer too long to be written at once (a dump of a million flows).
pub trait Dump: Send {
    /// Appends the next messages, some 64 KB. False when that was the last.
    fn write(&mut self, out: &mut Vec<u8>) -> bool;
}

/// See the module.
#[derive(Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    dumps: VecDeque<Box<dyn Dump>>,
}

impl Outbox {
    /// Queues a message. One that is longer than a message can be is not sent, and that is logged.
    pub fn send(&mut self, xid: u32, message: &Message) {
        if let Err(e) = wire::encode(xid, message, &mut self.bytes) {
            tracing::error!(error = %e, kind = message.wire_type(), "message not sent");
        }
    }

    /// Queues a message that is bytes already.
    pub fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Queues an answer that is written bit by bit. While [`Self::is_dumping`], no further request of
    /// the connection is to be read, so that answers keep their order.
    pub fn dump(&mut self, dump: Box<dyn Dump>) {
        self.dumps.push_back(dump);
    }

    /// Whether an answer is still being written.
    #[must_use]
    pub fn is_dumping(&self) -> bool {
        !self.dumps.is_empty()
    }

    /// Bytes to be sent now. When there are none, it takes one step of a dump, which may be one that
    /// wrote nothing (it looked at rules that nobody asked for): so there may be more to come even
    /// if this is empty, as [`Self::is_dumping`] tells.
    pub fn bytes(&mut self) -> &[u8] {
        if self.bytes.is_empty()
            && let Some(dump) = self.dumps.front_mut()
            && !dump.write(&mut self.bytes)
        {
            self.dumps.pop_front();
        }
        &self.bytes
    }

    /// Says that the first `n` bytes are sent.
    pub fn sent(&mut self, n: usize) {
        self.bytes.drain(..n);
    }

    /// Bytes that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.bytes.len()
    }
}
