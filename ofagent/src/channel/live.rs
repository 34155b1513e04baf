//! A connection with its stream: moves bytes both ways, never more than it may in a turn.

use super::connection::{Close, Connection, Event};
use super::stream::Stream;
use crate::agent::{Agent, ConnId, ConnKind};
use crate::wire::{self, v10};
use dataplane::switch::Switch;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

/// Bytes read from one connection before others have their turn: some 600 flow-mods.
const READ_BUDGET: usize = 64 << 10;
/// Bytes written to one connection before others have their turn.
const WRITE_BUDGET: usize = 1 << 20;
/// Bytes that may wait for the peer before its next request is read.
const HIGH_WATER: usize = 256 << 10;
/// What a step of a dump counts that wrote nothing.
const DUMP_STEP: usize = 64 << 10;
/// Bytes that may wait for a peer at all: half a million messages of flows that went.
const MAX_WAITING: usize = 64 << 20;
/// A peer that takes nothing for so long is given up.
const STALL: Duration = Duration::from_secs(30);

/// What is lent to a connection for a turn.
pub(super) struct Turn<'a> {
    pub(super) agent: &'a mut Agent,
    pub(super) switch: &'a mut Switch,
    /// Where bytes are read into.
    pub(super) scratch: &'a mut [u8],
    pub(super) now: Instant,
}

/// See the module.
pub(super) struct Live {
    stream: Stream,
    connection: Connection,
    kind: ConnKind,
    /// The agent's name for it, when it is ready.
    id: Option<ConnId>,
    /// For a peer of OpenFlow 1.0.
    translator: Option<v10::Translator>,
    /// What waits for it, translated.
    translated: Vec<u8>,
    /// The transport's connection stands.
    opened: bool,
    /// There may be something to read.
    readable: bool,
    /// There may be room to write.
    writable: bool,
    /// Too much waits for the peer.
    paused: bool,
    /// When nothing waited last, or the peer took something.
    progress: Instant,
    /// When it was last heard of.
    pub(super) heard: Instant,
}

impl Live {
    pub(super) fn new(
        stream: Stream,
        kind: ConnKind,
        connection: Connection,
        now: Instant,
    ) -> Self {
        Self {
            stream,
            connection,
            kind,
            id: None,
            translator: None,
            translated: Vec::new(),
            opened: false,
            readable: true,
            writable: true,
            paused: false,
            progress: now,
            heard: now,
        }
    }

    pub(super) fn id(&self) -> Option<ConnId> {
        self.id
    }

    pub(super) fn set_probe(&mut self, probe: Duration) {
        self.connection.set_probe(probe);
    }

    /// Something happened to the stream. Both ways are tried: for TLS reading may need writing.
    pub(super) fn touched(&mut self) {
        self.readable = true;
        self.writable = true;
    }

    /// Reads and serves what is at hand.
    pub(super) fn read(&mut self, turn: &mut Turn<'_>) -> Result<(), Close> {
        if !self.opened {
            self.opened = self.stream.connected().map_err(io)?;
            if !self.opened {
                self.readable = false;
                self.writable = false;
                return Ok(());
            }
        }
        let mut budget = READ_BUDGET;
        while self.readable && !self.paused {
            self.deliver(turn)?;
            if self.paused || budget == 0 {
                break;
            }
            match self.stream.read(turn.scratch) {
                Ok(0) => return Err(Close::Eof),
                Ok(n) => {
                    self.heard = turn.now;
                    self.connection.received(&turn.scratch[..n], turn.now);
                    budget = budget.saturating_sub(n);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.readable = false,
                Err(e) => return Err(io(e)),
            }
        }
        Ok(())
    }

    /// Hands whole messages to the agent until there are none, or answers pile up.
    fn deliver(&mut self, turn: &mut Turn<'_>) -> Result<(), Close> {
        loop {
            self.paused = self.is_full(turn.agent);
            if self.paused {
                return Ok(());
            }
            let idle = match self.connection.next_event()? {
                Some(Event::Ready) => {
                    self.id = Some(turn.agent.connected(self.kind));
                    let old = self.connection.version() == Some(v10::VERSION);
                    self.translator = old.then(v10::Translator::new);
                    false
                }
                Some(Event::Message(raw)) => {
                    // Messages come after Ready.
                    if let Some(id) = self.id {
                        receive(turn, id, self.translator.as_mut(), raw);
                    }
                    false
                }
                None => self.connection.output().is_empty(),
            };
            if idle || self.id.is_none() {
                return Ok(());
            }
            self.hand_over(turn.agent);
        }
    }

    /// Queues what the connection itself has to say behind what the agent said.
    fn hand_over(&mut self, agent: &mut Agent) {
        let own = self.connection.output();
        if !own.is_empty()
            && let Some(outbox) = self.id.and_then(|id| agent.outbox(id))
        {
            outbox.append(own);
            own.clear();
        }
    }

    fn is_full(&self, agent: &mut Agent) -> bool {
        let outbox = self.id.and_then(|id| agent.outbox(id));
        outbox.is_some_and(|o| o.is_dumping() || o.waiting() > HIGH_WATER)
    }

    /// Sends what waits, as far as the peer takes it.
    pub(super) fn write(&mut self, agent: &mut Agent, now: Instant) -> Result<(), Close> {
        self.hand_over(agent);
        if !self.opened || !self.writable {
            if !self.has_output(agent) {
                self.progress = now;
            }
            return Ok(());
        }
        let mut budget = WRITE_BUDGET;
        loop {
            self.translate(agent);
            let bytes = match self.id.and_then(|id| agent.outbox(id)) {
                Some(_) if self.translator.is_some() => &self.translated,
                Some(outbox) => outbox.bytes(),
                None => self.connection.output(),
            };
            if budget == 0 {
                break;
            }
            if bytes.is_empty() {
                self.progress = now;
                let outbox = self.id.and_then(|id| agent.outbox(id));
                if !outbox.is_some_and(|o| o.is_dumping()) {
                    break;
                }
                // A step of a dump that found nothing.
                budget = budget.saturating_sub(DUMP_STEP);
                continue;
            }
            match self.stream.write(bytes) {
                Ok(n) => {
                    match self.id.and_then(|id| agent.outbox(id)) {
                        Some(_) if self.translator.is_some() => drop(self.translated.drain(..n)),
                        Some(outbox) => outbox.sent(n),
                        None => drop(self.connection.output().drain(..n)),
                    }
                    self.progress = now;
                    budget = budget.saturating_sub(n);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.writable = false;
                    break;
                }
                Err(e) => return Err(io(e)),
            }
        }
        if self.paused && !self.is_full(agent) {
            self.paused = false;
            // Messages may wait in the connection; and it was not read from meanwhile.
            self.readable = true;
            self.connection.excuse(now);
        }
        let outbox = self.id.and_then(|id| agent.outbox(id));
        if outbox.is_some_and(|o| o.waiting() > MAX_WAITING) {
            return Err(Close::Overrun(MAX_WAITING));
        }
        match self.stream.flush() {
            Err(e) if e.kind() != ErrorKind::WouldBlock => Err(io(e)),
            _ => Ok(()),
        }
    }

    /// Translates what the agent has to say, when all before it is sent.
    fn translate(&mut self, agent: &mut Agent) {
        if let Some(translator) = &mut self.translator
            && self.translated.is_empty()
            && let Some(outbox) = self.id.and_then(|id| agent.outbox(id))
        {
            let bytes = outbox.bytes();
            translator.encode(bytes, &mut self.translated);
            let n = bytes.len();
            outbox.sent(n);
        }
    }

    /// Tries once to say why it ends.
    pub(super) fn last_words(&mut self, agent: &mut Agent) {
        if self.opened {
            let now = self.progress;
            // It is over whatever comes of this.
            let _ = self.write(agent, now);
        }
    }

    fn has_output(&mut self, agent: &mut Agent) -> bool {
        !self.connection.output().is_empty()
            || !self.translated.is_empty()
            || self
                .id
                .and_then(|id| agent.outbox(id))
                .is_some_and(|o| o.is_dumping() || o.waiting() > 0)
    }

    /// Whether [`Self::read`] has something to do.
    pub(super) fn wants_read(&self) -> bool {
        self.readable && !self.paused
    }

    /// Whether there is something to do at once.
    pub(super) fn has_work(&mut self, agent: &mut Agent) -> bool {
        self.wants_read() || (self.opened && self.writable && self.has_output(agent))
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant) -> Result<(), Close> {
        if now.saturating_duration_since(self.progress) >= STALL {
            return Err(Close::Stalled(STALL));
        }
        if self.paused {
            self.connection.excuse(now);
        }
        self.connection.tick(now)
    }

    /// When [`Self::tick`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.connection.deadline()
    }
}

/// Hands a message to the agent, in the version that it knows.
fn receive(turn: &mut Turn<'_>, id: ConnId, translator: Option<&mut v10::Translator>, raw: &[u8]) {
    let (agent, switch) = (&mut *turn.agent, &mut *turn.switch);
    let Some(translator) = translator else {
        return agent.receive(switch, id, wire::decode(raw), raw);
    };
    match translator.decode(raw) {
        Ok((xid, messages)) => {
            for message in messages {
                agent.receive(switch, id, Ok((xid, message)), raw);
            }
        }
        Err(error) => agent.receive(switch, id, Err(error), raw),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn io(e: std::io::Error) -> Close {
    Close::Io(e.to_string())
}
