//! Answers of many items, written piece by piece.

use crate::outbox::Dump;
use crate::wire::multipart::{Item, Writer};
use std::iter::Peekable;

/// Bytes that are written in one go, or some more.
pub(super) const STEP: usize = 64 << 10;

/// An answer whose items are made as they are sent.
pub(super) struct Listing<I: Iterator> {
    xid: u32,
    items: Peekable<I>,
}

impl<T: Item, I: Iterator<Item = T>> Listing<I> {
    pub(super) fn new(xid: u32, items: I) -> Self {
        Self { xid, items: items.peekable() }
    }
}

impl<T: Item, I: Iterator<Item = T> + Send> Dump for Listing<I>
where
    T: Send,
{
    fn write(&mut self, out: &mut Vec<u8>) -> bool {
        let mut writer = Writer::reply(self.xid, out);
        let mut written = 0;
        while written < STEP {
            let Some(item) = self.items.next() else {
                writer.finish();
                return false;
            };
            written += push(&mut writer, &item);
        }
        if self.items.peek().is_none() {
            writer.finish();
            return false;
        }
        writer.finish_part();
        true
    }
}

/// Adds an item; gives how many bytes it took. What fits no message cannot be told (a group or rule
/// that came in a message of just 64 KB, and needs a few bytes more in an answer).
pub(super) fn push<T: Item>(writer: &mut Writer<'_, T>, item: &T) -> usize {
    let before = writer.message_len();
    if let Err(error) = writer.push(item) {
        tracing::warn!("left out of an answer: {error}");
    }
    // A new message begins where the old one was full.
    writer.message_len().checked_sub(before).unwrap_or(writer.message_len())
}
