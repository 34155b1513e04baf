//! Reading and writing of bytes in network order.

use super::error::WireError;

/// What is left of a structure; every read beyond its end gives the error that it was made with.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    short: WireError,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`; `short` is what is wrong when they do not suffice.
    pub(super) fn new(bytes: &'a [u8], short: WireError) -> Self {
        Self { bytes, short }
    }

    /// The same bytes with another error for when they do not suffice.
    pub(super) fn or(self, short: WireError) -> Self {
        Self { short, ..self }
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.bytes)
    }

    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.bytes.split_at_checked(n).ok_or(self.short)?;
        self.bytes = rest;
        Ok(taken)
    }

    /// The next `n` bytes, as a structure of its own.
    pub(super) fn part(&mut self, n: usize) -> Result<Self, WireError> {
        Ok(Self { bytes: self.take(n)?, short: self.short })
    }

    pub(super) fn skip(&mut self, n: usize) -> Result<(), WireError> {
        self.take(n).map(|_| ())
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (taken, rest) = self.bytes.split_first_chunk::<N>().ok_or(self.short)?;
        self.bytes = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, WireError> {
        self.array::<1>().map(|b| b[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next two bytes, left where they are.
    pub(super) fn peek_u16(&self) -> Result<u16, WireError> {
        let mut ahead = *self;
        ahead.u16()
    }

    /// A number of `n` bytes, at most 16.
    pub(super) fn number(&mut self, n: usize) -> Result<u128, WireError> {
        Ok(self.take(n)?.iter().fold(0, |v, b| v << 8 | u128::from(*b)))
    }

    /// A text in a field of `n` bytes, closed by NUL. What is not UTF-8 is shown as question marks.
    pub(super) fn text(&mut self, n: usize) -> Result<String, WireError> {
        let field = self.take(n)?;
        let field = &field[..n.saturating_sub(1)];
        let text = field.split(|b| *b == 0).next().unwrap_or(field);
        Ok(match std::str::from_utf8(text) {
            Ok(text) => text.to_owned(),
            Err(_) => {
                text.iter().map(|b| if b.is_ascii() { char::from(*b) } else { '?' }).collect()
            }
        })
    }

    /// That nothing is left.
    pub(super) fn end(&self) -> Result<(), WireError> {
        if self.is_empty() { Ok(()) } else { Err(self.short) }
    }
}

/// Appending of numbers.
pub(super) trait Put {
    fn u8(&mut self, v: u8);
    fn u16(&mut self, v: u16);
    fn u32(&mut self, v: u32);
    fn u64(&mut self, v: u64);
    /// The low `n` bytes of a number, at most 16.
    fn number(&mut self, v: u128, n: usize);
    fn zeros(&mut self, n: usize);
    /// A text in a field of `n` bytes, cut so that a NUL closes it.
    fn text(&mut self, text: &str, n: usize);
    /// Pads what was appended since `start` to a multiple of eight bytes.
    fn pad8(&mut self, start: usize);
    /// Writes the length of what was appended since `start` at `at`. One that does not fit is cut:
    /// it then is part of a message that does not fit either, and [`super::encode`] refuses that.
    fn patch_len(&mut self, at: usize, start: usize);
}

impl Put for Vec<u8> {
    fn u8(&mut self, v: u8) {
        self.push(v);
    }

    fn u16(&mut self, v: u16) {
        self.extend_from_slice(&v.to_be_bytes());
    }

    fn u32(&mut self, v: u32) {
        self.extend_from_slice(&v.to_be_bytes());
    }

    fn u64(&mut self, v: u64) {
        self.extend_from_slice(&v.to_be_bytes());
    }

    fn number(&mut self, v: u128, n: usize) {
        let bytes = v.to_be_bytes();
        self.extend_from_slice(&bytes[16 - n.min(16)..]);
    }

    fn zeros(&mut self, n: usize) {
        self.resize(self.len() + n, 0);
    }

    fn text(&mut self, text: &str, n: usize) {
        let mut end = text.len().min(n.saturating_sub(1));
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = text.as_bytes()[..end].split(|b| *b == 0).next().unwrap_or_default();
        self.extend_from_slice(text);
        self.zeros(n - text.len());
    }

    fn pad8(&mut self, start: usize) {
        self.zeros((self.len() - start).next_multiple_of(8) - (self.len() - start));
    }

    fn patch_len(&mut self, at: usize, start: usize) {
        let len = (self.len() - start) as u16;
        self[at..at + 2].copy_from_slice(&len.to_be_bytes());
    }
}
