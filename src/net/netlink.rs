//! A synchronous rtnetlink client: one request, its whole answer, then the next.
//!
//! The socket belongs to the network namespace in which it was opened, and stays there whatever the
//! thread does later. Devices are in `link.rs`, addresses and routes in `route.rs`; this file
//! sends, receives, and turns refusals into errors that say what was refused and, where the kernel
//! explains itself (extended acknowledgement, Linux 4.12), why.

use super::{Error, Result};
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_MULTIPART, NLM_F_REQUEST, NLMSG_DONE,
    NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN, NetlinkBuffer, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use std::io;

/// Receive buffer, bytes. The kernel fills messages of a dump up to 32 KB (`netlink_dump`).
pub(crate) const RECEIVE: usize = 64 * 1024;

/// Set in a netlink header when extended acknowledgement attributes follow (linux/netlink.h).
const NLM_F_ACK_TLVS: u16 = 0x200;

/// `NLMSGERR_ATTR_MSG`: the kernel's explanation, a string (linux/netlink.h).
const NLMSGERR_ATTR_MSG: u16 = 1;

/// How long the kernel may take for one answer, seconds. It answers in the request's own system
/// call, so this only guards against waiting forever for an answer that was lost.
const ANSWER_TIMEOUT: i64 = 10;

/// How often a dump is repeated because devices changed under it.
const DUMP_TRIES: usize = 5;

/// One message of an answer.
pub(crate) struct Reply {
    /// `RTM_*`.
    pub(crate) kind: u16,
    /// What follows the netlink header.
    pub(crate) payload: Vec<u8>,
}

/// Why a request failed: the kernel's number, and its own words if it gave any.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) errno: Errno,
    pub(crate) text: Option<String>,
}

impl Refused {
    /// As an error about `doing`.
    pub(crate) fn doing(self, doing: impl Into<String>) -> Error {
        Error::errno(doing, self.errno, self.text.as_deref())
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self { errno: Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)), text: None }
    }
}

/// The client. See the module.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    /// A client for the network namespace that the calling thread is in.
    pub fn open() -> Result<Self> {
        let doing = "open an rtnetlink socket";
        let open = || -> io::Result<Socket> {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind(&SocketAddr::new(0, 0))?;
            socket.connect(&SocketAddr::new(0, 0))?;
            socket.set_ext_ack(true)?;
            // Without the request's copy the explanation's place in the answer is fixed.
            socket.set_cap_ack(true)?;
            setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::seconds(ANSWER_TIMEOUT))?;
            Ok(socket)
        };
        let socket = open().map_err(|e| Error::io(doing, &e))?;
        Ok(Self { socket, sequence: 0, buffer: Vec::with_capacity(RECEIVE) })
    }

    /// Sends a request and waits until the kernel has done it; `flags` are `NLM_F_CREATE` and the
    /// like.
    pub(crate) fn execute(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> std::result::Result<(), Refused> {
        self.send(message, NLM_F_REQUEST | NLM_F_ACK | flags)?;
        self.answer().map(drop)
    }

    /// Sends a request that is answered by one message.
    pub(crate) fn get(
        &mut self,
        message: RouteNetlinkMessage,
    ) -> std::result::Result<Reply, Refused> {
        self.send(message, NLM_F_REQUEST)?;
        let mut replies = self.answer()?;
        // `answer` returns without an error only after a message or an acknowledgement, and no
        // acknowledgement was asked for.
        replies.pop().ok_or(Refused { errno: Errno::ENODATA, text: None })
    }

    /// Sends a request that is answered by everything there is, consistently: a list that changed
    /// while it was read is read again.
    pub(crate) fn dump(
        &mut self,
        message: RouteNetlinkMessage,
    ) -> std::result::Result<Vec<Reply>, Refused> {
        for _ in 0..DUMP_TRIES {
            self.send(message.clone(), NLM_F_REQUEST | NLM_F_DUMP)?;
            match self.answer() {
                Err(Refused { errno: Errno::EINTR, .. }) => {}
                other => return other,
            }
        }
        Err(Refused {
            errno: Errno::EAGAIN,
            text: Some("devices or routes changed each time they were read".into()),
        })
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        Ok(())
    }

    /// The answer to the request sent last. A dump that the kernel marks as inconsistent is read to
    /// its end (or the next answer would begin with its rest) and then refused with EINTR.
    fn answer(&mut self) -> std::result::Result<Vec<Reply>, Refused> {
        let mut replies = Vec::new();
        let mut interrupted = false;
        loop {
            self.buffer.clear();
            let length = match self.socket.recv(&mut self.buffer, 0) {
                Ok(length) => length,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e.into()),
            };
            let mut rest = &self.buffer[..length.min(self.buffer.len())];
            while let Some((message, after)) = first_message(rest) {
                rest = after;
                if message.sequence_number() != self.sequence {
                    continue; // of a request whose answer was given up
                }
                interrupted |= message.flags() & NLM_F_DUMP_INTR != 0;
                match message.message_type() {
                    NLMSG_NOOP => {}
                    NLMSG_DONE | NLMSG_ERROR => {
                        check_error(&message)?;
                        return finished(replies, interrupted);
                    }
                    NLMSG_OVERRUN => return Err(refused(Errno::ENOBUFS)),
                    kind => {
                        replies.push(Reply { kind, payload: message.payload().to_vec() });
                        if message.flags() & NLM_F_MULTIPART == 0 {
                            return finished(replies, interrupted);
                        }
                    }
                }
            }
        }
    }
}

fn refused(errno: Errno) -> Refused {
    Refused { errno, text: None }
}

fn finished(replies: Vec<Reply>, interrupted: bool) -> std::result::Result<Vec<Reply>, Refused> {
    if interrupted {
        return Err(refused(Errno::EINTR));
    }
    Ok(replies)
}

/// Splits the first message off; none at the end, or where the rest is no message.
pub(crate) fn first_message(bytes: &[u8]) -> Option<(NetlinkBuffer<&[u8]>, &[u8])> {
    let message = NetlinkBuffer::new_checked(bytes).ok()?;
    let length = (message.length() as usize).next_multiple_of(4);
    Some((message, bytes.get(length..).unwrap_or_default()))
}

/// What an NLMSG_ERROR or NLMSG_DONE message says; number 0 is success.
fn check_error(message: &NetlinkBuffer<&[u8]>) -> std::result::Result<(), Refused> {
    let payload = message.payload();
    let code = payload.first_chunk().map_or(0, |c: &[u8; 4]| i32::from_ne_bytes(*c));
    if code == 0 {
        return Ok(());
    }
    // NLMSG_ERROR repeats the request's header (16 bytes, NETLINK_CAP_ACK) before the attributes.
    let attributes = match message.message_type() {
        NLMSG_ERROR => payload.get(20..),
        _ => payload.get(4..),
    };
    let text = (message.flags() & NLM_F_ACK_TLVS != 0)
        .then_some(attributes)
        .flatten()
        .and_then(|a| attribute(a, NLMSGERR_ATTR_MSG).and_then(text_of));
    Err(Refused { errno: Errno::from_raw(-code), text })
}

/// The value of the first attribute of this kind.
pub(crate) fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    let mut rest = bytes;
    loop {
        // struct nlattr, linux/netlink.h: length with header, then kind; both of 16 bits
        let length = usize::from(u16::from_ne_bytes(*rest.first_chunk()?));
        let found = u16::from_ne_bytes(*rest.get(2..)?.first_chunk()?) & 0x3fff;
        let value = rest.get(4..length)?;
        if found == kind {
            return Some(value);
        }
        rest = rest.get(length.next_multiple_of(4)..)?;
    }
}

/// A string attribute's text.
pub(crate) fn text_of(value: &[u8]) -> Option<String> {
    let text = value.split(|b| *b == 0).next()?;
    Some(String::from_utf8_lossy(text).into_owned())
}

/// A 32-bit attribute.
pub(crate) fn u32_of(value: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(*value.first_chunk()?))
}
