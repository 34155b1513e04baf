//! A controller's end of a connection, that waits.

use crate::Failure;
use ofagent::wire::framing::message_len;
use ofagent::wire::hello::Hello;
use ofagent::wire::message_type as kind;
use ofagent::wire::multipart::flow::FlowStatsRequest;
use ofagent::wire::multipart::{MultipartRequest, ReplyBody, RequestBody};
use ofagent::wire::oxm::Match;
use ofagent::wire::{self, GROUP_ANY, Message, PORT_ANY, TABLE_ALL};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Whatever a switch is asked, it answers something within this time, and takes something.
const PATIENCE: Duration = Duration::from_secs(120);

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// See the module.
pub(crate) struct Controller {
    stream: Box<dyn Stream>,
    input: Vec<u8>,
    /// Up to here `input` is read.
    at: usize,
    xid: u32,
}

impl Controller {
    /// Connects, and waits until the version is agreed on.
    pub(crate) fn connect(target: &str) -> Result<Self, Failure> {
        let stream: Box<dyn Stream> = if let Some(path) = target.strip_prefix("unix:") {
            let s = UnixStream::connect(path).map_err(|e| format!("{target}: {e}"))?;
            s.set_read_timeout(Some(PATIENCE))?;
            s.set_write_timeout(Some(PATIENCE))?;
            Box::new(s)
        } else if let Some(address) = target.strip_prefix("tcp:") {
            let s = TcpStream::connect(address).map_err(|e| format!("{target}: {e}"))?;
            s.set_nodelay(true)?;
            s.set_read_timeout(Some(PATIENCE))?;
            s.set_write_timeout(Some(PATIENCE))?;
            Box::new(s)
        } else {
            return Err(format!("{target}: expected unix:FILE or tcp:IP:PORT").into());
        };
        let mut this = Self { stream, input: Vec::new(), at: 0, xid: 0 };
        this.ask(&Message::Hello(Hello::ours()))?;
        while this.next()?.0 != kind::HELLO {}
        Ok(this)
    }

    /// Sends messages that are bytes already.
    pub(crate) fn say(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.stream.write_all(bytes)?)
    }

    fn ask(&mut self, message: &Message) -> Result<u32, Failure> {
        self.xid += 1;
        let mut bytes = Vec::new();
        wire::encode(self.xid, message, &mut bytes)?;
        self.say(&bytes)?;
        Ok(self.xid)
    }

    /// Waits until the switch has done what it was sent.
    pub(crate) fn barrier(&mut self) -> Result<(), Failure> {
        let xid = self.ask(&Message::BarrierRequest)?;
        loop {
            let (kind, range) = self.next()?;
            let (got, _) = wire::decode(&self.input[range]).map_err(|e| e.to_string())?;
            if kind == kind::BARRIER_REPLY && got == xid {
                return Ok(());
            }
        }
    }

    /// How many flows are those of [`load`](crate::load).
    pub(crate) fn count(&mut self) -> Result<u32, Failure> {
        use crate::load::{COOKIE, COOKIE_MASK};
        let request = FlowStatsRequest { cookie: COOKIE, cookie_mask: COOKIE_MASK, ..everything() };
        self.multipart(RequestBody::Aggregate(request))?;
        loop {
            let (kind, range) = self.next()?;
            if kind != kind::MULTIPART_REPLY {
                continue;
            }
            let (_, message) = wire::decode(&self.input[range]).map_err(|e| e.to_string())?;
            if let Message::MultipartReply(reply) = message
                && let ReplyBody::Aggregate(sum) = reply.body
            {
                return Ok(sum.flow_count);
            }
        }
    }

    /// Asks for all flows; gives how many came, in how many bytes. They are counted by their lengths:
    /// to decode them would take longer than the switch takes to say them.
    pub(crate) fn dump(&mut self) -> Result<(u32, usize), Failure> {
        /// Of `ofp_multipart_reply` (section 7.3.5).
        const BODY: usize = 16;
        self.multipart(RequestBody::Flow(everything()))?;
        let (mut flows, mut bytes) = (0, 0);
        loop {
            let (kind, range) = self.next()?;
            if kind != kind::MULTIPART_REPLY {
                continue;
            }
            let message = &self.input[range];
            bytes += message.len();
            let more = message.get(10..12) == Some(&[0, 1]);
            let mut rest = message.get(BODY..).ok_or("a short multipart reply")?;
            while let [l0, l1, ..] = *rest {
                let len = usize::from(u16::from_be_bytes([l0, l1]));
                rest = rest.get(len.max(1)..).ok_or("a flow longer than its message")?;
                flows += 1;
            }
            if !more {
                return Ok((flows, bytes));
            }
        }
    }

    fn multipart(&mut self, body: RequestBody) -> Result<u32, Failure> {
        self.ask(&Message::MultipartRequest(MultipartRequest { more: false, body }))
    }

    /// The next message's type, and where in the input it is. An error message is a failure.
    fn next(&mut self) -> Result<(u8, std::ops::Range<usize>), Failure> {
        loop {
            let rest = &self.input[self.at..];
            if let Some(len) = message_len(rest).map_err(|e| e.to_string())?
                && rest.len() >= len
            {
                let range = self.at..self.at + len;
                self.at = range.end;
                match rest[1] {
                    kind::ERROR => {
                        let (_, message) = wire::decode(&rest[..len]).map_err(|e| e.to_string())?;
                        return Err(format!("the switch says {message:?}").into());
                    }
                    kind::ECHO_REQUEST => {
                        let mut reply = rest[..len].to_vec();
                        reply[1] = kind::ECHO_REPLY;
                        self.say(&reply)?;
                    }
                    other => return Ok((other, range)),
                }
                continue;
            }
            self.input.drain(..self.at);
            self.at = 0;
            let mut some = [0; 64 << 10];
            match self.stream.read(&mut some)? {
                0 => return Err("the switch closed the connection".into()),
                n => self.input.extend_from_slice(&some[..n]),
            }
        }
    }
}

/// Every flow.
fn everything() -> FlowStatsRequest {
    FlowStatsRequest {
        table_id: TABLE_ALL,
        out_port: PORT_ANY,
        out_group: GROUP_ANY,
        cookie: 0,
        cookie_mask: 0,
        matching: Match::default(),
    }
}
