//! Multipart messages written item by item, cut where a message is full.

use super::encode_header;
use crate::wire::bytes::Reader;
use crate::wire::error::WireError;
use crate::wire::{HEADER_LEN, TooLong, begin, finish, message_type};
use std::marker::PhantomData;

/// An element of a multipart message's array.
pub trait Item: Sized {
    /// `enum ofp_multipart_type`.
    #[doc(hidden)]
    const KIND: u16;

    #[doc(hidden)]
    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError>;

    #[doc(hidden)]
    fn encode(&self, out: &mut Vec<u8>);
}

/// Writes items into as many messages as they need. Every message but the last has `more` set.
///
/// An answer that is written in several goes is one writer for each, finished with
/// [`Self::finish_part`] and the last with [`Self::finish`].
#[derive(Debug)]
pub struct Writer<'a, T> {
    out: &'a mut Vec<u8>,
    xid: u32,
    kind: u8,
    /// Where the message that is being written starts.
    start: usize,
    items: PhantomData<fn(&T)>,
}

impl<'a, T: Item> Writer<'a, T> {
    /// A reply to the request `xid`.
    pub fn reply(xid: u32, out: &'a mut Vec<u8>) -> Self {
        Self::new(message_type::MULTIPART_REPLY, xid, out)
    }

    /// A request (table features are the one that has items).
    pub fn request(xid: u32, out: &'a mut Vec<u8>) -> Self {
        Self::new(message_type::MULTIPART_REQUEST, xid, out)
    }

    fn new(kind: u8, xid: u32, out: &'a mut Vec<u8>) -> Self {
        let start = begin(kind, xid, out);
        encode_header(T::KIND, false, out);
        Self { out, xid, kind, start, items: PhantomData }
    }

    /// Adds an item.
    ///
    /// # Errors
    /// It does not even fit a message of its own, and is left out.
    pub fn push(&mut self, item: &T) -> Result<(), TooLong> {
        let at = self.out.len();
        item.encode(self.out);
        if self.out.len() - self.start <= usize::from(u16::MAX) {
            return Ok(());
        }
        let len = HEADER_LEN + 8 + self.out.len() - at;
        self.out.truncate(at);
        if len > usize::from(u16::MAX) {
            return Err(TooLong { len });
        }
        self.close(true);
        self.start = begin(self.kind, self.xid, self.out);
        encode_header(T::KIND, false, self.out);
        item.encode(self.out);
        Ok(())
    }

    /// Bytes of the message that is being written.
    #[must_use]
    pub fn message_len(&self) -> usize {
        self.out.len() - self.start
    }

    /// Ends the last message.
    pub fn finish(mut self) {
        self.close(false);
    }

    /// Ends a message that others follow; one without items is not written at all.
    pub fn finish_part(mut self) {
        if self.out.len() > self.start + HEADER_LEN + 8 {
            self.close(true);
        } else {
            self.out.truncate(self.start);
        }
    }

    fn close(&mut self, more: bool) {
        if more {
            self.out[self.start + HEADER_LEN + 3] = super::MORE as u8;
        }
        // Its length was checked with every item.
        let fits = finish(self.start, self.out);
        debug_assert!(fits.is_ok());
    }
}
