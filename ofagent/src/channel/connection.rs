//! One connection without its I/O: bytes in, messages out; hello, echo and probes are its own business.
//!
//! Times are passed in. Whoever drives it reads bytes only when [`Connection::next_event`] has no more
//! messages, so that at most one unfinished message is held.

use crate::wire::error::{bad_request, hello_failed, kind};
use crate::wire::{HEADER_LEN, VERSION, v10};
use std::time::{Duration, Instant};

/// `OFPT_*` that a connection serves itself (section 7.1.1, `enum ofp_type`).
mod types {
    pub(super) const HELLO: u8 = 0;
    pub(super) const ERROR: u8 = 1;
    pub(super) const ECHO_REQUEST: u8 = 2;
    pub(super) const ECHO_REPLY: u8 = 3;
}

/// `OFPHET_VERSIONBITMAP` (section 7.5.1).
const VERSION_BITMAP: u16 = 1;

/// Bytes of a message that an error gives back (section 7.4.4: at least 64).
const ERROR_DATA: usize = 64;

/// The versions that this side may speak, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions(u32);

impl Versions {
    /// OpenFlow 1.3 alone: for controllers.
    pub const CONTROLLER: Self = Self(1 << VERSION);
    /// 1.0 too, for tools that do not speak 1.3 unless told to.
    pub const TOOL: Self = Self(1 << VERSION | 1 << v10::VERSION);
}

/// Why a connection ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Close {
    /// The peer closed it.
    #[error("closed by the peer")]
    Eof,
    /// It speaks no version that this side speaks.
    #[error("{0}")]
    Incompatible(String),
    /// It said that it speaks no version that this side speaks, or something else went wrong there.
    #[error("the peer sent an error instead of a hello: {0}")]
    Refused(String),
    /// Something came before the hello.
    #[error("message of type {0} before the hello")]
    NoHello(u8),
    /// A length below that of the header: there is no telling where the next message begins.
    #[error("message with a length of {0} bytes")]
    Framing(u16),
    /// No connection, or no hello, in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// No answer to an echo request.
    #[error("no answer to an inactivity probe within {0:?}")]
    Silent(Duration),
    /// It does not take what it is sent.
    #[error("the peer did not read for {0:?}")]
    Stalled(Duration),
    /// It takes what it is sent too slowly.
    #[error("more than {0} bytes wait for the peer")]
    Overrun(usize),
    /// The system refused.
    #[error("{0}")]
    Io(String),
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A version is agreed on ([`Connection::version`]). Comes once, before any message.
    Ready,
    /// A whole message for the agent.
    Message(&'a [u8]),
}

/// See the module.
#[derive(Debug)]
pub struct Connection {
    input: Vec<u8>,
    /// Up to here `input` is served.
    at: usize,
    versions: Versions,
    /// The one that is agreed on, when it is.
    version: Option<u8>,
    /// What this side has to say itself.
    out: Vec<u8>,
    xid: u32,
    /// Zero: no probes.
    probe: Duration,
    /// When the peer was last heard of.
    heard: Instant,
    /// An echo request is on its way.
    probing: bool,
    /// The peer's hello must have come by then.
    hello_by: Instant,
    patience: Duration,
}

impl Connection {
    /// A connection that just came to be: the hello is in [`Self::output`]. `probe`: after this time
    /// of silence an echo request goes out, and after as much again the connection is dead; zero:
    /// never. `patience`: for the peer's hello.
    #[must_use]
    pub fn new(versions: Versions, probe: Duration, patience: Duration, now: Instant) -> Self {
        let mut this = Self {
            input: Vec::new(),
            at: 0,
            versions,
            version: None,
            out: Vec::new(),
            xid: 0,
            probe,
            heard: now,
            probing: false,
            hello_by: now + patience,
            patience,
        };
        let bitmap = versions.0.to_be_bytes();
        let xid = this.next_xid();
        let element = [[0, VERSION_BITMAP as u8, 0, 8], bitmap].concat();
        this.say(VERSION, types::HELLO, xid, &[&element]);
        this
    }

    /// Changes the time between probes.
    pub fn set_probe(&mut self, probe: Duration) {
        self.probe = probe;
    }

    /// The version that is agreed on.
    #[must_use]
    pub fn version(&self) -> Option<u8> {
        self.version
    }

    /// Bytes from the peer.
    pub fn received(&mut self, bytes: &[u8], now: Instant) {
        self.heard = now;
        self.probing = false;
        self.input.drain(..self.at);
        self.at = 0;
        self.input.extend_from_slice(bytes);
    }

    /// The peer is not read from at the moment, and shall not be blamed for silence.
    pub fn excuse(&mut self, now: Instant) {
        self.heard = now;
        self.probing = false;
    }

    /// What this side has to say itself; whoever sends it empties it.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// The next thing that came. `None`: more bytes are needed.
    ///
    /// # Errors
    /// Why it is over; what [`Self::output`] holds should still be tried to be sent.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, Close> {
        loop {
            let rest = &self.input[self.at..];
            let Some(header) = rest.first_chunk::<HEADER_LEN>() else { return Ok(None) };
            let [version, kind, l0, l1, x0, x1, x2, x3] = *header;
            let length = u16::from_be_bytes([l0, l1]);
            if usize::from(length) < HEADER_LEN {
                return Err(Close::Framing(length));
            }
            let xid = u32::from_be_bytes([x0, x1, x2, x3]);
            if self.version.is_none() && !matches!(kind, types::HELLO | types::ERROR) {
                // Not OpenFlow, most likely: its length would mean nothing.
                self.refuse(version, xid, "expected a hello first");
                return Err(Close::NoHello(kind));
            }
            if rest.len() < usize::from(length) {
                return Ok(None);
            }
            let message = self.at..self.at + usize::from(length);
            self.at = message.end;
            let Some(agreed) = self.version else {
                self.first(version, kind, xid, message)?;
                return Ok(Some(Event::Ready));
            };
            match kind {
                types::HELLO => {} // again: of no meaning (section 6.3.1)
                _ if version != agreed => {
                    let shown = message.start..message.end.min(message.start + ERROR_DATA);
                    let data = self.input[shown].to_vec();
                    self.error(agreed, xid, kind::BAD_REQUEST, bad_request::BAD_VERSION, &data);
                }
                types::ECHO_REQUEST => {
                    let data = message.start + HEADER_LEN..message.end;
                    let payload = &self.input[data];
                    append(&mut self.out, agreed, types::ECHO_REPLY, xid, &[payload]);
                }
                types::ECHO_REPLY => {}
                _ => return Ok(Some(Event::Message(&self.input[message]))),
            }
            if self.out.len() > ENOUGH {
                // Let the answers go out before more of the same is looked at.
                return Ok(None);
            }
        }
    }

    /// The first message: a hello, or an error.
    fn first(
        &mut self,
        version: u8,
        kind: u8,
        xid: u32,
        message: std::ops::Range<usize>,
    ) -> Result<(), Close> {
        let body = &self.input[message.start + HEADER_LEN..message.end];
        if kind == types::ERROR {
            let text = String::from_utf8_lossy(body.get(4..).unwrap_or_default());
            let printable = text.chars().filter(|c| !c.is_control()).take(200);
            return Err(Close::Refused(printable.collect()));
        }
        let offered = offered(version, body);
        // The highest of both (section 6.3.1).
        self.version = (offered & self.versions.0).checked_ilog2().map(|v| v as u8);
        if self.version.is_none() {
            let versions: Vec<String> =
                (0..32).filter(|v| offered & 1 << v != 0).map(|v| format!("{v:#04x}")).collect();
            let ours = if self.versions == Versions::TOOL {
                "1.3 (0x04) and 1.0 (0x01)"
            } else {
                "1.3 (0x04)"
            };
            let text = format!(
                "this switch speaks OpenFlow {ours} only; the peer offers {}",
                if versions.is_empty() { "none".into() } else { versions.join(", ") }
            );
            self.refuse(version, xid, &text);
            return Err(Close::Incompatible(text));
        }
        Ok(())
    }

    /// Answers a first message that will not do.
    fn refuse(&mut self, version: u8, xid: u32, text: &str) {
        // The highest version that both may know how an error looks in.
        let version = version.clamp(1, VERSION);
        let code = hello_failed::INCOMPATIBLE;
        self.error(version, xid, kind::HELLO_FAILED, code, text.as_bytes());
    }

    /// Does what is due.
    ///
    /// # Errors
    /// When the peer is dead.
    pub fn tick(&mut self, now: Instant) -> Result<(), Close> {
        let Some(version) = self.version else {
            let late = now >= self.hello_by;
            return if late { Err(Close::Timeout(self.patience)) } else { Ok(()) };
        };
        if self.probe.is_zero() {
            return Ok(());
        }
        let silent = now.saturating_duration_since(self.heard);
        if silent >= self.probe * 2 && self.probing {
            return Err(Close::Silent(self.probe));
        }
        if silent >= self.probe && !self.probing {
            self.probing = true;
            // However late this comes, the peer has a whole interval for its answer.
            self.heard = now.checked_sub(self.probe).unwrap_or(now);
            let xid = self.next_xid();
            self.say(version, types::ECHO_REQUEST, xid, &[]);
        }
        Ok(())
    }

    /// When [`Self::tick`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        if self.version.is_none() {
            Some(self.hello_by)
        } else if self.probe.is_zero() {
            None
        } else {
            Some(self.heard + self.probe * if self.probing { 2 } else { 1 })
        }
    }

    fn next_xid(&mut self) -> u32 {
        self.xid = self.xid.wrapping_add(1);
        self.xid
    }

    fn say(&mut self, version: u8, kind: u8, xid: u32, body: &[&[u8]]) {
        append(&mut self.out, version, kind, xid, body);
    }

    fn error(&mut self, version: u8, xid: u32, kind: u16, code: u16, data: &[u8]) {
        let numbers = [kind.to_be_bytes(), code.to_be_bytes()].concat();
        self.say(version, types::ERROR, xid, &[&numbers, data]);
    }
}

/// Bytes of its own answers after which a connection looks at no further message.
const ENOUGH: usize = 64 << 10;

/// Appends a message of at most 64 KB.
fn append(out: &mut Vec<u8>, version: u8, kind: u8, xid: u32, body: &[&[u8]]) {
    let length = HEADER_LEN + body.iter().map(|b| b.len()).sum::<usize>();
    let [l0, l1] = (length as u16).to_be_bytes();
    out.extend_from_slice(&[version, kind, l0, l1]);
    out.extend_from_slice(&xid.to_be_bytes());
    body.iter().for_each(|b| out.extend_from_slice(b));
}

/// The versions that a hello offers, one bit each (section 7.5.1): those of its bitmap, or without
/// one all up to that of its header. A hello is read here whatever its version: before 1.3.1 its
/// body had no meaning, and later ones may have elements that nobody knows yet.
fn offered(version: u8, body: &[u8]) -> u32 {
    let mut rest = body;
    while let [t0, t1, l0, l1, ..] = *rest {
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let Some(element) = rest.get(4..length) else { break };
        if u16::from_be_bytes([t0, t1]) == VERSION_BITMAP
            && let Some(bitmap) = element.first_chunk()
        {
            return u32::from_be_bytes(*bitmap) & !1;
        }
        rest = rest.get(length.next_multiple_of(8)..).unwrap_or_default();
    }
    // Bits 1 to `version`.
    1_u32.checked_shl(u32::from(version) + 1).unwrap_or(0).wrapping_sub(1) & !1
}

#[cfg(test)]
mod tests;
