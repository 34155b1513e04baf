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

mod normal;
mod set;
mod tunnel;

use crate::action::{Action, Instructions, Step};
use crate::drop::DropReason;
use crate::fdb::{FdbDep, Learned};
use crate::flow::{FlowKey, Mask};
use crate::state::{Bridge, BridgeId, Datapath, OfPort, Port, PortId, PortKind};
use crate::table::Rule;
use crate::table::pipeline::TableStats;
use crate::table::rule::Counts;
use smallvec::SmallVec;
use std::sync::Arc;

/// Most table lookups for one packet (Open vSwitch: `MAX_RESUBMITS`).
pub const MAX_LOOKUPS: u32 = 4096;
/// Most patch ports, one behind the other (Open vSwitch: `MAX_DEPTH`).
pub const MAX_DEPTH: u32 = 64;

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
}

/// Where a packet goes on that was taken apart anew, because it has headers now that its key did not
/// have (a label or a PBB header was removed). Equal ones share a number, [`FlowKey::recirc`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// The port that the packet came in by.
    pub in_port: PortId,
    /// Metadata, registers and tunnel fields as they were; of other fields nothing.
    pub key: FlowKey,
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
    let mut wildcards = Mask::default();
    wildcards.0.in_port.set(u32::MAX);
    let mut walk = Walk {
        lookup,
        dp,
        now_ms,
        original: key,
        key: *key,
        wildcards,
        steps: Vec::new(),
        outputs: 0,
        drop: None,
        rules: Vec::new(),
        tables: Vec::new(),
        fdb: SmallVec::new(),
        learned: SmallVec::new(),
        patches: Vec::new(),
        lookups: 0,
        depth: 0,
    };
    if walk.receive(PortId(key.in_port.get())) == Err(TooManyHops) {
        walk.steps.clear();
        walk.outputs = 0;
        walk.drop = Some(DropReason::TooManyHops);
    }
    walk.finish()
}

/// Works out what becomes of a controller's packet (stand-in).
#[must_use]
pub fn translate_actions(
    dp: &Datapath,
    key: &FlowKey,
    bridge: BridgeId,
    in_port: OfPort,
    actions: &[Action],
    now_ms: u64,
) -> Decision {
    let _ = (bridge, in_port, actions);
    translate(dp, key, now_ms)
}

/// The whole translation is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TooManyHops;

/// Whether the rest of a bridge's actions are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Continue,
    /// `dec_ttl` found that the packet ends here.
    Stop,
}

/// Where in the datapath the walk is: a bridge and the port that the packet came in by.
struct Place<'a> {
    bridge: &'a Bridge,
    ingress: &'a Port,
}

struct Walk<'a, L> {
    lookup: &'a L,
    dp: &'a Datapath,
    now_ms: u64,
    /// As the packet arrived.
    original: &'a FlowKey,
    /// As actions have made it.
    key: FlowKey,
    wildcards: Mask,
    steps: Vec<Step>,
    outputs: u32,
    /// The first reason for which something was not sent.
    drop: Option<DropReason>,
    rules: Vec<Arc<Rule>>,
    tables: Vec<(Arc<TableStats>, bool)>,
    fdb: SmallVec<[FdbDep; 2]>,
    learned: SmallVec<[Arc<Learned>; 1]>,
    patches: Vec<(PortId, PortId)>,
    lookups: u32,
    depth: u32,
}

impl<'a, L: Lookup> Walk<'a, L> {
    /// The packet comes in by a port: runs the tables of the port's bridge.
    fn receive(&mut self, port: PortId) -> Result<(), TooManyHops> {
        let dp = self.dp;
        let place = dp.port(port).and_then(|ingress| {
            let bridge = dp.bridge(ingress.bridge)?;
            Some(Place { bridge, ingress })
        });
        let Some(place) = place.filter(|p| !p.ingress.flags.down && !p.ingress.flags.no_recv)
        else {
            self.note(DropReason::RxPortDown);
            return Ok(());
        };
        self.key.in_port.set(place.ingress.ofport.0);
        self.run_tables(&place)
    }

    fn run_tables(&mut self, at: &Place<'a>) -> Result<(), TooManyHops> {
        let mut action_set = Vec::new();
        let mut next = Some(0);
        while let Some(table) = next {
            self.lookups += 1;
            if self.lookups > MAX_LOOKUPS {
                return Err(TooManyHops);
            }
            let rule = self.lookup.lookup(at.bridge, table, &self.key, &mut self.wildcards);
            if let Some(t) = at.bridge.pipeline.table(table) {
                self.tables.push((Arc::clone(&t.stats), rule.is_some()));
            }
            let Some(rule) = rule else {
                // "If a table-miss flow entry does not exist, by default packets unmatched are dropped."
                self.note(DropReason::TableMiss);
                return Ok(());
            };
            self.rules.push(Arc::clone(&rule));
            if self.run_instructions(at, &rule.instructions, &mut action_set)? == Flow::Stop {
                return Ok(());
            }
            next = rule.instructions.goto_table.filter(|to| *to > table);
        }
        self.run_action_set(at, &action_set)
    }

    fn run_instructions(
        &mut self,
        at: &Place<'a>,
        instructions: &Instructions,
        action_set: &mut Vec<Action>,
    ) -> Result<Flow, TooManyHops> {
        for action in &instructions.apply {
            if self.run_action(at, action)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
        }
        if instructions.clear {
            action_set.clear();
        }
        action_set.extend_from_slice(&instructions.write);
        if let Some((value, mask)) = instructions.metadata {
            let old = self.key.metadata.get();
            self.key.metadata.set(old & !mask | value & mask);
        }
        Ok(Flow::Continue)
    }

    /// Does the actions of the set in OpenFlow's order (1.3 section 5.10): pop, push, TTL, set,
    /// output. Of each kind the one written last counts; set-fields of other fields do not replace
    /// each other.
    fn run_action_set(&mut self, at: &Place<'a>, set: &[Action]) -> Result<(), TooManyHops> {
        let last = |wanted: fn(&Action) -> bool| set.iter().rfind(|a| wanted(a));
        let pop = last(|a| matches!(a, Action::PopVlan));
        let push = last(|a| matches!(a, Action::PushVlan(_)));
        let ttl = last(|a| matches!(a, Action::DecTtl));
        let fields = set.iter().filter(|a| matches!(a, Action::SetField { .. }));
        let output = last(|a| matches!(a, Action::Output(_)));
        let ordered = pop.into_iter().chain(push).chain(ttl).chain(fields).chain(output);
        for action in ordered {
            if self.run_action(at, action)? == Flow::Stop {
                break;
            }
        }
        Ok(())
    }

    fn run_action(&mut self, at: &Place<'a>, action: &Action) -> Result<Flow, TooManyHops> {
        match action {
            Action::Output(output) => self.output(at, output.port)?,
            Action::PushVlan(tpid) => self.push_vlan(*tpid),
            Action::PopVlan => self.pop_vlan(),
            Action::SetField { field, value, mask } => self.set_field(*field, *value, *mask),
            Action::DecTtl => return Ok(self.dec_ttl()),
            _ => {}
        }
        Ok(Flow::Continue)
    }

    fn output(&mut self, at: &Place<'a>, port: OfPort) -> Result<(), TooManyHops> {
        match port {
            OfPort::IN_PORT => self.send(at.ingress.id),
            OfPort::NORMAL => self.normal(at),
            OfPort::FLOOD => self.flood(at, |port| !port.flags.no_flood),
            OfPort::ALL => self.flood(at, |_| true),
            OfPort::CONTROLLER => {
                self.note(DropReason::NoController);
                Ok(())
            }
            // "An output action to the ingress port must use OFPP_IN_PORT explicitly."
            port if port == at.ingress.ofport => {
                self.note(DropReason::SamePort);
                Ok(())
            }
            port => match at.bridge.port(port) {
                Some(id) => self.send(id),
                None => {
                    self.note(DropReason::TxNoPort);
                    Ok(())
                }
            },
        }
    }

    /// To all ports that are `wanted`, but never back.
    fn flood(&mut self, at: &Place<'a>, wanted: fn(&Port) -> bool) -> Result<(), TooManyHops> {
        let mut any = false;
        for (_, id) in &at.bridge.ports {
            let port = self.dp.port(*id).filter(|p| p.id != at.ingress.id && wanted(p));
            if port.is_some() {
                any = true;
                self.send(*id)?;
            }
        }
        if !any {
            self.note(DropReason::NoFloodPort);
        }
        Ok(())
    }

    /// Sends the frame as it is now.
    fn send(&mut self, id: PortId) -> Result<(), TooManyHops> {
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
        let key = self.key;
        let outer = std::mem::take(&mut self.steps);
        let done = f(self);
        let mut inner = std::mem::replace(&mut self.steps, outer);
        self.key = key;
        trim(&mut inner);
        if inner.iter().all(|s| matches!(s, Step::Output { .. } | Step::Sub(_))) {
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
        Decision {
            steps: self.steps.into(),
            drop: dropped.then(|| self.drop.unwrap_or(DropReason::NoOutput)),
            wildcards: self.wildcards,
            rules: self.rules.into(),
            counts: Box::default(),
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
            Some(output @ Step::Output { .. }) => {
                steps.push(output);
                return;
            }
            Some(_) => {}
        }
    }
}
