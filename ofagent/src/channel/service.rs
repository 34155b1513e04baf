//! All connections of one bridge: the controllers that are configured, and the management socket.

use super::backoff::Backoff;
use super::connection::{Close, Connection, Versions};
use super::fail_mode::{FailMode, FailTimer};
use super::listener::Listener;
use super::live::{Live, Turn};
use super::resolve::Resolving;
use super::stream::Stream;
use super::target::{Host, Target};
use super::tls::Tls;
use crate::agent::{Agent, ConnId, ConnKind};
use dataplane::switch::Switch;
use mio::{Registry, Token};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Connections that a listener holds; one more takes the place of the one silent for longest.
const MAX_ACCEPTED: usize = 64;
/// For the hello of a peer that came.
const PASSIVE_PATIENCE: Duration = Duration::from_secs(10);
/// How often a resolver is asked whether it is done.
const RESOLVER_POLL: Duration = Duration::from_millis(50);
/// For the fail mode where probes are switched off: Open vSwitch's default interval.
const USUAL_PROBE: Duration = Duration::from_secs(5);
/// Bytes of one read.
const SCRATCH: usize = 64 << 10;

/// What is configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the controllers are, each once.
    pub controllers: Vec<Target>,
    /// Without them.
    pub fail_mode: FailMode,
    /// Time between inactivity probes; zero: none are sent.
    pub inactivity_probe: Duration,
    /// Longest wait between attempts to connect.
    pub max_backoff: Duration,
    /// For `ssl:` and `pssl:`.
    pub tls: Option<Arc<Tls>>,
}

/// A controller as it is.
#[derive(Clone, Debug)]
pub struct Status {
    /// Where it is.
    pub target: Target,
    /// Connections that have agreed on a version.
    pub connections: Vec<ConnId>,
    /// Why the last attempt or connection ended.
    pub error: Option<String>,
    /// How long it has been connected, or not.
    pub since: Duration,
}

/// See the module.
pub struct Channels {
    /// For the log.
    bridge: String,
    registry: Registry,
    /// Tokens from here on are this bridge's.
    base: usize,
    next: usize,
    settings: Settings,
    places: Vec<Place>,
    lives: BTreeMap<usize, Member>,
    timer: FailTimer,
    scratch: Vec<u8>,
}

/// A target, and what has come of it.
struct Place {
    target: Target,
    kind: ConnKind,
    state: State,
    backoff: Backoff,
    error: Option<String>,
    /// When `state` last became connected, or ceased to be.
    since: Instant,
}

enum State {
    /// The next attempt is then.
    Waiting(Instant),
    Resolving(Resolving),
    /// The connection's token.
    Connected(usize),
    /// The listener's token.
    Listening(usize, Listener),
}

struct Member {
    live: Live,
    target: Target,
}

impl Channels {
    /// Opens the management socket `management`, and later what [`Self::configure`] says. Tokens from
    /// `base` on are used.
    #[must_use]
    pub fn new(bridge: &str, management: PathBuf, registry: Registry, base: usize) -> Self {
        let now = Instant::now();
        let settings = Settings {
            controllers: Vec::new(),
            fail_mode: FailMode::default(),
            inactivity_probe: USUAL_PROBE,
            max_backoff: Duration::from_secs(8),
            tls: None,
        };
        let mut this = Self {
            bridge: bridge.into(),
            registry,
            base,
            next: 0,
            places: Vec::new(),
            lives: BTreeMap::new(),
            timer: FailTimer::new(now),
            scratch: vec![0; SCRATCH],
            settings,
        };
        this.add(Target::Punix(management), ConnKind::Service, now);
        this
    }

    /// Changes what is configured. Connections that may stay do.
    pub fn configure(&mut self, agent: &mut Agent, settings: Settings, now: Instant) {
        let tls_changed = settings.tls != self.settings.tls;
        let stays = |place: &Place| {
            place.kind == ConnKind::Service
                || settings.controllers.contains(&place.target)
                    && !(tls_changed && place.target.is_tls())
        };
        let (stay, gone): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.places).into_iter().partition(stays);
        self.places = stay;
        for place in gone {
            let members: Vec<usize> = self.members(&place.target).map(|(t, _)| *t).collect();
            members.into_iter().for_each(|token| drop(self.remove(agent, token)));
        }
        let targets = settings.controllers.clone();
        let (probe, max) = (settings.inactivity_probe, settings.max_backoff);
        self.settings = settings;
        for target in targets {
            if self.place(&target).is_none() {
                self.add(target, ConnKind::Controller, now);
            }
        }
        let controllers = self.places.iter_mut().filter(|p| p.kind == ConnKind::Controller);
        for place in controllers {
            place.backoff.set_max(max);
            for member in self.lives.values_mut().filter(|m| m.target == place.target) {
                member.live.set_probe(probe);
            }
        }
        // Listeners are there when this returns.
        self.tick(agent, now);
    }

    fn add(&mut self, target: Target, kind: ConnKind, now: Instant) {
        let backoff = Backoff::new(self.settings.max_backoff, now);
        let state = State::Waiting(now);
        self.places.push(Place { target, kind, state, backoff, error: None, since: now });
    }

    fn place(&mut self, target: &Target) -> Option<&mut Place> {
        self.places.iter_mut().find(|p| p.target == *target)
    }

    fn members(&self, target: &Target) -> impl Iterator<Item = (&usize, &Member)> {
        self.lives.iter().filter(move |(_, m)| m.target == *target)
    }

    fn token(&mut self) -> usize {
        self.next += 1;
        self.base + self.next
    }

    /// Something happened at one of the tokens.
    pub fn ready(&mut self, agent: &mut Agent, token: Token, now: Instant) {
        if let Some(member) = self.lives.get_mut(&token.0) {
            member.live.touched();
        } else if let Some(i) = self
            .places
            .iter()
            .position(|p| matches!(&p.state, State::Listening(t, _) if *t == token.0))
        {
            self.accept(agent, i, now);
        }
    }

    fn accept(&mut self, agent: &mut Agent, place: usize, now: Instant) {
        loop {
            let State::Listening(_, listener) = &self.places[place].state else { return };
            let (target, kind) = (self.places[place].target.clone(), self.places[place].kind);
            match listener.accept() {
                None => return,
                Some(Err(e)) => {
                    tracing::warn!("bridge {}: {target}: cannot accept: {e}", self.bridge);
                    self.places[place].error = Some(e.to_string());
                    // Out of descriptors, say: the listener is made anew a little later, since it
                    // will not be told again of those who wait.
                    let until = self.places[place].backoff.failed(false, now);
                    self.places[place].state = State::Waiting(until);
                    return;
                }
                Some(Ok(stream)) => {
                    if self.members(&target).count() >= MAX_ACCEPTED {
                        let silent = self.members(&target).min_by_key(|(_, m)| m.live.heard);
                        if let Some(token) = silent.map(|(t, _)| *t) {
                            self.remove(agent, token);
                        }
                    }
                    self.begin(stream, &target, kind, PASSIVE_PATIENCE, now);
                }
            }
        }
    }

    /// A connection that was made or accepted.
    fn begin(
        &mut self,
        mut stream: Stream,
        target: &Target,
        kind: ConnKind,
        patience: Duration,
        now: Instant,
    ) -> Option<usize> {
        let token = self.token();
        if let Err(e) = stream.register(&self.registry, Token(token)) {
            tracing::warn!("bridge {}: {target}: {e}", self.bridge);
            return None;
        }
        // Tools that listen for hours are no reason to talk.
        let (versions, probe) = match kind {
            ConnKind::Controller => (Versions::CONTROLLER, self.settings.inactivity_probe),
            ConnKind::Service => (Versions::TOOL, Duration::ZERO),
        };
        let connection = Connection::new(versions, probe, patience, now);
        let live = Live::new(stream, kind, connection, now);
        self.lives.insert(token, Member { live, target: target.clone() });
        Some(token)
    }

    /// Forgets a connection.
    fn remove(&mut self, agent: &mut Agent, token: usize) -> Option<Member> {
        let member = self.lives.remove(&token)?;
        if let Some(id) = member.live.id() {
            agent.disconnected(id);
        }
        Some(member)
    }

    /// A connection has ended.
    fn ended(&mut self, agent: &mut Agent, token: usize, why: &Close, now: Instant) {
        if let Some(member) = self.lives.get_mut(&token) {
            member.live.last_words(agent);
        }
        let Some(member) = self.remove(agent, token) else { return };
        let (bridge, was_ready) = (self.bridge.clone(), member.live.id().is_some());
        let Some(place) = self.place(&member.target) else { return };
        if place.kind == ConnKind::Controller {
            place.error = Some(why.to_string());
            if was_ready {
                tracing::info!("bridge {bridge}: {}: disconnected: {why}", place.target);
                place.since = now;
            } else {
                tracing::debug!("bridge {bridge}: {}: not connected: {why}", place.target);
            }
        }
        if matches!(place.state, State::Connected(t) if t == token) {
            place.state = State::Waiting(place.backoff.failed(was_ready, now));
        }
    }

    /// Reads and serves what is at hand of all connections, a bounded part of each. False: there was
    /// nothing.
    pub fn read(&mut self, agent: &mut Agent, switch: &mut Switch, now: Instant) -> bool {
        let mut any = false;
        let mut ended = Vec::new();
        for (token, member) in &mut self.lives {
            if !member.live.wants_read() {
                continue;
            }
            any = true;
            let was_ready = member.live.id().is_some();
            let mut turn =
                Turn { agent: &mut *agent, switch: &mut *switch, scratch: &mut self.scratch, now };
            if let Err(why) = member.live.read(&mut turn) {
                ended.push((*token, why));
            }
            if !was_ready && member.live.id().is_some() {
                let place = self.places.iter_mut().find(|p| p.target == member.target);
                if let Some(place) = place.filter(|p| p.kind == ConnKind::Controller) {
                    tracing::info!("bridge {}: {}: connected", self.bridge, place.target);
                    place.since = now;
                    place.error = None;
                }
            }
        }
        ended.iter().for_each(|(token, why)| self.ended(agent, *token, why, now));
        any
    }

    /// Sends what waits, as far as peers take it.
    pub fn write(&mut self, agent: &mut Agent, now: Instant) {
        let mut ended = Vec::new();
        for (token, member) in &mut self.lives {
            if let Err(why) = member.live.write(agent, now) {
                ended.push((*token, why));
            }
        }
        ended.iter().for_each(|(token, why)| self.ended(agent, *token, why, now));
    }

    /// Whether there is something to read or to write at once.
    pub fn has_work(&mut self, agent: &mut Agent) -> bool {
        self.lives.values_mut().any(|m| m.live.has_work(agent))
    }

    /// Does what is due: attempts to connect, probes, giving up.
    pub fn tick(&mut self, agent: &mut Agent, now: Instant) {
        for i in 0..self.places.len() {
            self.attempt(i, now);
        }
        let ticked = self.lives.iter_mut().map(|(token, m)| (*token, m.live.tick(now)));
        let ended: Vec<_> = ticked.filter_map(|(t, r)| r.err().map(|why| (t, why))).collect();
        ended.iter().for_each(|(token, why)| self.ended(agent, *token, why, now));
    }

    /// When [`Self::tick`] has something to do.
    #[must_use]
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let places = self.places.iter().filter_map(|p| match &p.state {
            State::Waiting(until) => Some(*until),
            State::Resolving(_) => Some(now + RESOLVER_POLL),
            State::Connected(_) | State::Listening(..) => None,
        });
        let lives = self.lives.values().filter_map(|m| m.live.deadline());
        let fail = self.timer.deadline(self.settings.fail_mode, self.fail_probe());
        places.chain(lives).chain(fail.filter(|_| !self.settings.controllers.is_empty())).min()
    }

    /// Opens a place whose time has come.
    fn attempt(&mut self, i: usize, now: Instant) {
        let place = &mut self.places[i];
        let opened = match &place.state {
            State::Waiting(until) if *until <= now => {
                place.backoff.begin(now);
                self.open(i, now)
            }
            State::Resolving(question) => match question.poll() {
                None => return,
                Some(answer) => answer.and_then(|to| self.connect(i, to, now)),
            },
            _ => return,
        };
        let place = &mut self.places[i];
        match opened {
            Ok(state) => place.state = state,
            Err(e) => {
                if place.kind == ConnKind::Service || place.target.is_passive() {
                    tracing::warn!("bridge {}: {}: {e}", self.bridge, place.target);
                }
                place.error = Some(e.to_string());
                place.state = State::Waiting(place.backoff.failed(false, now));
            }
        }
    }

    fn open(&mut self, i: usize, now: Instant) -> io::Result<State> {
        let target = self.places[i].target.clone();
        let listener = match target {
            Target::Tcp(Host::Ip(ip), port) | Target::Ssl(Host::Ip(ip), port) => {
                return self.connect(i, SocketAddr::new(ip, port), now);
            }
            Target::Tcp(Host::Name(name), port) | Target::Ssl(Host::Name(name), port) => {
                return Resolving::start(&name, port).map(State::Resolving);
            }
            Target::Unix(path) => return self.connected(i, Stream::unix(&path)?, now),
            Target::Ptcp(at) => Listener::tcp(at, None),
            Target::Pssl(at) => Listener::tcp(at, Some(self.tls()?)),
            Target::Punix(path) => Listener::unix(&path),
        };
        let mut listener = listener?;
        let token = self.token();
        listener.register(&self.registry, Token(token))?;
        self.places[i].error = None;
        Ok(State::Listening(token, listener))
    }

    fn connect(&mut self, i: usize, to: SocketAddr, now: Instant) -> io::Result<State> {
        let stream = match self.places[i].target {
            Target::Ssl(..) => Stream::tls(to, &*self.tls()?)?,
            _ => Stream::tcp(to)?,
        };
        self.connected(i, stream, now)
    }

    fn connected(&mut self, i: usize, stream: Stream, now: Instant) -> io::Result<State> {
        let place = &self.places[i];
        let (target, kind, patience) = (place.target.clone(), place.kind, place.backoff.patience());
        let token = self.begin(stream, &target, kind, patience, now);
        token.map(State::Connected).ok_or_else(|| io::Error::other("cannot be polled"))
    }

    fn tls(&self) -> io::Result<Arc<Tls>> {
        let missing =
            "no key and certificates; expected [ssl] with private_key, certificate, ca_cert";
        self.settings.tls.clone().ok_or_else(|| io::Error::other(missing))
    }

    /// Whether anybody is connected, on the management socket or otherwise.
    #[must_use]
    pub fn any_ready(&self) -> bool {
        self.lives.values().any(|m| m.live.id().is_some())
    }

    /// Whether the bridge is to forward like a learning bridge now, for want of controllers.
    pub fn fail_open(&mut self, now: Instant) -> bool {
        let controllers = !self.settings.controllers.is_empty();
        let connected = self.places.iter().any(|p| {
            p.kind == ConnKind::Controller
                && self.members(&p.target).any(|(_, m)| m.live.id().is_some())
        });
        let probe = self.fail_probe();
        self.timer.run(self.settings.fail_mode, controllers, connected, probe, now)
    }

    fn fail_probe(&self) -> Duration {
        let probe = self.settings.inactivity_probe;
        if probe.is_zero() { USUAL_PROBE } else { probe }
    }

    /// The controllers, in the order of the configuration.
    #[must_use]
    pub fn status(&self, now: Instant) -> Vec<Status> {
        let places = self
            .settings
            .controllers
            .iter()
            .filter_map(|t| self.places.iter().find(|p| p.target == *t));
        places
            .map(|p| Status {
                target: p.target.clone(),
                connections: self.members(&p.target).filter_map(|(_, m)| m.live.id()).collect(),
                error: p.error.clone(),
                since: now.saturating_duration_since(p.since),
            })
            .collect()
    }
}
