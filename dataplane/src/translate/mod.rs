//! Translation: what becomes of a packet, worked out once and remembered.
//!
//! [`translate`] walks the flow tables with a packet's key and gives a [`Decision`]: the steps to
//! do on the frame, and which bits of the key led to them. Every packet that agrees in those bits
//! is to be treated the same, as long as nothing changed that the decision depends on: the
//! datapath's epoch, and the generations of the FDB entries that were looked up.
//!
//! The rule that all code here lives by: before a bit of the packet's key influences anything, it is
//! added to the mask. Fields that actions changed are constants, or functions of bits at the same
//! place, so adding the bits of the original key at that place is right (VLAN tags, which move
//! when others are pushed and popped, are added whole).

mod action_set;
mod controller;
mod frozen;
mod group;
mod headers;
mod normal;
mod run;
mod set;
mod tunnel;

pub use self::frozen::Frozen;

use self::frozen::Work;
use crate::action::{Action, Step};
use crate::drop::DropReason;
use crate::fdb::{FdbDep, Learned};
use crate::flow::key::PACKET_WORDS;
use crate::flow::{FlowKey, Mask};
use crate::state::{Bridge, BridgeId, Datapath, OfPort, Port, PortId, PortKind};
use crate::table::Rule;
use crate::table::pipeline::TableStats;
use crate::table::rule::Counts;
use smallvec::SmallVec;
use std::sync::Arc;

/// Most table lookups for one packet (Open vSwitch: `MAX_RESUBMITS`).
pub const MAX_LOOKUPS: u32 = 4096;
/// Most patch ports, groups and resubmits, one within the other (Open vSwitch: `MAX_DEPTH`).
pub const MAX_DEPTH: u32 = 64;
/// Most times that one packet is taken apart anew.
pub const MAX_RECIRCULATIONS: usize = 64;

/// What to do with a packet, and for which packets and how long that holds.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What to do with the frame, in order.
    pub steps: Box<[Step]>,
    /// Why the packet is dropped; `None` where the steps send it somewhere.
    pub drop: Option<DropReason>,
    /// The bits of the key that decided.
    pub wildcards: Mask,
    /// Rules that the packet counts for.
    pub rules: Box<[Arc<Rule>]>,
    /// Groups and buckets that the packet counts for.
    pub counts: Box<[Arc<Counts>]>,
    /// Tables that the packet was looked up in, and whether it matched a rule.
    pub tables: Box<[(Arc<TableStats>, bool)]>,
    /// FDB entries that were looked up.
    pub fdb: SmallVec<[FdbDep; 2]>,
    /// FDB entries of the packet's source address, to be refreshed by each packet.
    pub learned: SmallVec<[Arc<Learned>; 1]>,
    /// Patch ports that the packet passed: the one that it left by, and its peer.
    pub patches: Box<[(PortId, PortId)]>,
    /// Epoch of the datapath.
    pub epoch: u64,
}

impl Decision {
    /// Whether the decision still holds.
    #[inline]
    #[must_use]
    pub fn is_current(&self, dp: &Datapath) -> bool {
        self.epoch == dp.epoch && self.fdb.iter().all(FdbDep::is_current)
    }

    /// Counts packets that were treated so: for rules, groups and tables, and the FDB learns that
    /// their source was seen.
    pub fn count(&self, packets: u64, bytes: u64, now_ms: u64) {
        for rule in &self.rules {
            rule.stats.add(packets, bytes, now_ms);
        }
        for counts in &self.counts {
            counts.add(packets, bytes);
        }
        for (table, matched) in &self.tables {
            table.add(packets, *matched);
        }
        for learned in &self.learned {
            learned.refresh(now_ms);
        }
    }
}

/// How rules are found: the tests put a simpler way in place of the classifier.
pub trait Lookup {
    /// The rule for `key` in a bridge's table; the bits that decided are added to `wc`.
    fn lookup(&self, bridge: &Bridge, table: u8, key: &FlowKey, wc: &mut Mask)
    -> Option<Arc<Rule>>;
}

/// Rules are found in the bridge's own tables.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tables;

impl Lookup for Tables {
    fn lookup(
        &self,
        bridge: &Bridge,
        table: u8,
        key: &FlowKey,
        wc: &mut Mask,
    ) -> Option<Arc<Rule>> {
        bridge.pipeline.lookup(table, key, wc).cloned()
    }
}

/// Works out what becomes of a packet with this key (`key.in_port` is the datapath's [`PortId`]).
/// Learns its source address where it meets NORMAL.
#[must_use]
pub fn translate(dp: &Datapath, key: &FlowKey, now_ms: u64) -> Decision {
    translate_by(&Tables, dp, key, now_ms)
}

/// [`translate`], with another way to find rules.
#[must_use]
pub fn translate_by(lookup: &impl Lookup, dp: &Datapath, key: &FlowKey, now_ms: u64) -> Decision {
    Walk::new(lookup, dp, key, now_ms).run(|walk| walk.receive(PortId(key.in_port.get())))
}

/// Goes on with a packet that was taken apart anew; `key` is what was found
/// ([`Frozen::restore`]d or not).
#[must_use]
pub fn translate_frozen(dp: &Datapath, key: &FlowKey, frozen: &Frozen, now_ms: u64) -> Decision {
    translate_frozen_by(&Tables, dp, key, frozen, now_ms)
}

/// [`translate_frozen`], with another way to find rules.
#[must_use]
pub fn translate_frozen_by(
    lookup: &impl Lookup,
    dp: &Datapath,
    key: &FlowKey,
    frozen: &Frozen,
    now_ms: u64,
) -> Decision {
    let mut key = *key;
    frozen.restore(&mut key);
    Walk::new(lookup, dp, &key, now_ms).run(|walk| walk.resume(frozen))
}

/// Works out what becomes of a packet that a controller sends with these actions, as if it came in
/// by `in_port`: a port of the bridge, or CONTROLLER or any other number for none of them. Output to
/// TABLE runs the tables. To be used for this packet only.
#[must_use]
pub fn translate_actions(
    dp: &Datapath,
    key: &FlowKey,
    bridge: BridgeId,
    in_port: OfPort,
    actions: &[Action],
    now_ms: u64,
) -> Decision {
    Walk::new(&Tables, dp, key, now_ms).run(|walk| {
        let Some(bridge) = dp.bridge(bridge) else { return Ok(()) };
        let ingress = bridge.port(in_port).and_then(|id| Some(&**dp.port(id)?));
        let at = Place { bridge, ingress, ofport: in_port };
        walk.enter(&at);
        let flow = walk.run_list(&at, actions, Source::default())?;
        walk.end(&at, flow)
    })
}

/// The whole translation is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TooManyHops;

/// How a list of actions or a walk through tables ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// At its end.
    Continue,
    /// No rule matched.
    Miss,
    /// The packet ends here: its TTL ran out.
    Stop,
    /// What is left needs the frame to be taken apart anew, and is in [`Walk::work`].
    Freeze,
}

/// Where actions come from, for controllers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Source {
    table: u8,
    cookie: u64,
    /// From a table-miss rule.
    miss: bool,
}

impl Default for Source {
    /// No rule.
    fn default() -> Self {
        Self { table: 0, cookie: u64::MAX, miss: false }
    }
}

/// Where in the datapath the walk is: a bridge and the port that the packet came in by.
#[derive(Clone, Copy)]
struct Place<'a> {
    bridge: &'a Bridge,
    /// `None`: a controller sent the packet, and named no port.
    ingress: Option<&'a Port>,
    /// The port's number, or what the controller said.
    ofport: OfPort,
}

struct Walk<'a, L> {
    lookup: &'a L,
    dp: &'a Datapath,
    now_ms: u64,
    /// The tunnel fields as the packet arrived.
    arrived: FlowKey,
    /// As actions have made it.
    key: FlowKey,
    /// The key does not say what the frame is: headers were removed, and nobody looked behind them.
    stale: bool,
    wildcards: Mask,
    steps: Vec<Step>,
    outputs: u32,
    /// The first reason for which something was not sent.
    drop: Option<DropReason>,
    rules: Vec<Arc<Rule>>,
    counts: Vec<Arc<Counts>>,
    tables: Vec<(Arc<TableStats>, bool)>,
    fdb: SmallVec<[FdbDep; 2]>,
    learned: SmallVec<[Arc<Learned>; 1]>,
    patches: Vec<(PortId, PortId)>,
    /// As written so far.
    action_set: Vec<Action>,
    /// The last rule.
    source: Source,
    /// Collected where the walk freezes.
    work: Vec<Work>,
    lookups: u32,
    depth: u32,
}

impl<'a, L: Lookup> Walk<'a, L> {
    fn new(lookup: &'a L, dp: &'a Datapath, key: &FlowKey, now_ms: u64) -> Self {
        let mut wildcards = Mask::default();
        wildcards.0.in_port.set(u32::MAX);
        wildcards.0.recirc.set(u32::MAX);
        Self {
            lookup,
            dp,
            now_ms,
            arrived: controller::beside_frame(key),
            key: *key,
            stale: false,
            wildcards,
            steps: Vec::new(),
            outputs: 0,
            drop: None,
            rules: Vec::new(),
            counts: Vec::new(),
            tables: Vec::new(),
            fdb: SmallVec::new(),
            learned: SmallVec::new(),
            patches: Vec::new(),
            action_set: Vec::new(),
            source: Source::default(),
            work: Vec::new(),
            lookups: 0,
            depth: 0,
        }
    }

    fn run(mut self, walk: impl FnOnce(&mut Self) -> Result<(), TooManyHops>) -> Decision {
        if walk(&mut self) == Err(TooManyHops) {
            self.steps.clear();
            self.outputs = 0;
            self.drop = Some(DropReason::TooManyHops);
        }
        self.finish()
    }

    /// The packet comes in by a port: runs the tables of the port's bridge.
    fn receive(&mut self, port: PortId) -> Result<(), TooManyHops> {
        let dp = self.dp;
        let ingress = dp.port(port).filter(|p| !p.flags.down && !p.flags.no_recv);
        let place = ingress.and_then(|ingress| {
            let bridge = dp.bridge(ingress.bridge)?;
            Some(Place { bridge, ingress: Some(ingress), ofport: ingress.ofport })
        });
        let Some(at) = place else {
            self.note(DropReason::RxPortDown);
            return Ok(());
        };
        self.enter(&at);
        self.run_pipeline(&at)
    }

    /// The key gets the numbers that the bridge has for its ports.
    fn enter(&mut self, at: &Place<'_>) {
        self.key.in_port.set(at.ofport.0);
        self.key.in_phy_port.set(at.ofport.0);
    }

    fn output(&mut self, at: &Place<'a>, port: OfPort) -> Result<(), TooManyHops> {
        let id = match port {
            OfPort::IN_PORT => at.ingress.map(|port| port.id),
            OfPort::NORMAL => return self.normal(at),
            OfPort::FLOOD => return self.flood(at, |port| !port.flags.no_flood),
            OfPort::ALL => return self.flood(at, |_| true),
            // "An output action to the ingress port must use OFPP_IN_PORT explicitly."
            port if port == at.ofport => {
                self.note(DropReason::SamePort);
                return Ok(());
            }
            port => at.bridge.port(port),
        };
        match id {
            Some(id) => self.send(at, id),
            None => {
                self.note(DropReason::TxNoPort);
                Ok(())
            }
        }
    }

    /// To all ports that are `wanted`, but never back.
    fn flood(&mut self, at: &Place<'a>, wanted: fn(&Port) -> bool) -> Result<(), TooManyHops> {
        let mut any = false;
        let ingress = at.ingress.map(|port| port.id);
        for (_, id) in &at.bridge.ports {
            let port = self.dp.port(*id).filter(|p| Some(p.id) != ingress && wanted(p));
            if port.is_some() {
                any = true;
                self.send(at, *id)?;
            }
        }
        if !any {
            self.note(DropReason::NoFloodPort);
        }
        Ok(())
    }

    /// Sends the frame as it is now.
    fn send(&mut self, at: &Place<'a>, id: PortId) -> Result<(), TooManyHops> {
        let Some(port) = self.dp.port(id) else {
            self.note(DropReason::TxNoPort);
            return Ok(());
        };
        if port.flags.down || port.flags.no_fwd {
            self.note(DropReason::TxPortDown);
        } else if !port.flags.link_up {
            self.note(DropReason::TxLinkDown);
        } else {
            match &port.kind {
                PortKind::Patch(Some(peer)) => {
                    self.patches.push((id, *peer));
                    return self.patch(*peer);
                }
                PortKind::Patch(None) => self.note(DropReason::TxNoPort),
                // The outer header inherits from the inner one.
                PortKind::Vxlan(_) if self.stale => {
                    return self.on_copy(|walk| {
                        walk.work.push(Work::Send(id));
                        walk.freeze(at, Vec::new());
                        Ok(())
                    });
                }
                PortKind::Vxlan(config) => match self.tunnel(port, config) {
                    Some(tunnel) => self.push_output(id, Some(tunnel)),
                    None => self.note(DropReason::TunnelNoRemote),
                },
                PortKind::System | PortKind::Local | PortKind::Memory => {
                    self.push_output(id, None);
                }
            }
        }
        Ok(())
    }

    fn push_output(&mut self, port: PortId, tunnel: Option<Arc<crate::action::TunnelDest>>) {
        self.outputs += 1;
        self.steps.push(Step::Output { port, tunnel });
    }

    /// Goes on in the bridge behind a patch port.
    fn patch(&mut self, peer: PortId) -> Result<(), TooManyHops> {
        if self.depth == MAX_DEPTH {
            return Err(TooManyHops);
        }
        self.depth += 1;
        let done = self.on_copy(|walk| {
            // As in Open vSwitch: what is known beside the frame stays in its bridge.
            walk.key.metadata.set(0);
            walk.key.regs = FlowKey::default().regs;
            crate::port::clear_tunnel(&mut walk.key);
            walk.receive(peer)
        });
        self.depth -= 1;
        done
    }

    /// Runs `f`; what it does to the frame and the key is undone behind it.
    fn on_copy(
        &mut self,
        f: impl FnOnce(&mut Self) -> Result<(), TooManyHops>,
    ) -> Result<(), TooManyHops> {
        let (key, stale, source) = (self.key, self.stale, self.source);
        let outer = std::mem::take(&mut self.steps);
        let done = f(self);
        let mut inner = std::mem::replace(&mut self.steps, outer);
        (self.key, self.stale, self.source) = (key, stale, source);
        trim(&mut inner);
        let edits =
            |s: &Step| !matches!(s, Step::Output { .. } | Step::Controller(_) | Step::Sub(_));
        if !inner.iter().any(edits) {
            self.steps.append(&mut inner);
        } else {
            self.steps.push(Step::Sub(inner.into()));
        }
        done
    }

    /// Notes why something was not sent.
    fn note(&mut self, reason: DropReason) {
        self.drop.get_or_insert(reason);
    }

    fn finish(mut self) -> Decision {
        trim(&mut self.steps);
        let dropped = self.outputs == 0;
        // What the pipeline wrote beside the packet came from the packet's bits, or from none.
        self.wildcards.0.words_mut()[PACKET_WORDS..].fill(0);
        Decision {
            steps: self.steps.into(),
            drop: dropped.then(|| self.drop.unwrap_or(DropReason::NoOutput)),
            wildcards: self.wildcards,
            rules: self.rules.into(),
            counts: self.counts.into(),
            tables: self.tables.into(),
            fdb: self.fdb,
            learned: self.learned,
            patches: self.patches.into(),
            epoch: self.dp.epoch,
        }
    }
}

/// Removes edits behind the last output, and the copy that the last steps would be run on.
fn trim(steps: &mut Vec<Step>) {
    loop {
        match steps.pop() {
            None => return,
            Some(Step::Sub(last)) => steps.extend(last),
            Some(
                Step::PushVlan { .. }
                | Step::PopVlan
                | Step::Set { .. }
                | Step::PushMpls { .. }
                | Step::PopMpls { .. }
                | Step::PushPbb { .. }
                | Step::PopPbb
                | Step::CopyTtl { .. },
            ) => {}
            Some(
                last @ (Step::Output { .. }
                | Step::Controller(_)
                | Step::Recirculate(_)
                // Counts, even where nothing is sent.
                | Step::Meter(_)),
            ) => {
                steps.push(last);
                return;
            }
        }
    }
}
