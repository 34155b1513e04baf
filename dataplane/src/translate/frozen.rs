//! Freezing: translation stops where it needs headers that the key does not have.
//!
//! When a label or a PBB header is popped, the key does not say what is behind it (the walk is then
//! *stale*). Outputs to ports can go on, as they do not look at the key. At the first thing that
//! does, the walk unwinds: each level on the way out adds what it has left to do to the work, inner
//! levels first, and the bottom one adds a [`Step::Recirculate`]. The worker takes the frame apart
//! anew and goes on with the work ([`super::translate_frozen`]). What runs on a copy of the packet
//! (buckets, the bridge behind a patch port) freezes by itself, and the packet goes on beside it.

use super::controller::{beside_frame, copy_beside_frame};
use super::{Flow, Lookup, Place, Source, TooManyHops, Walk};
use crate::action::{Action, Step};
use crate::drop::DropReason;
use crate::flow::FlowKey;
use crate::state::{BridgeId, OfPort, PortId};
use crate::table::Rule;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Something left to do.
#[derive(Clone, Debug)]
pub(super) enum Work {
    /// Actions.
    Actions(Box<[Action]>, Source),
    /// A rule of this table: its Apply-Actions from the `from`th, its other instructions, and the
    /// tables behind it.
    Rule { rule: Arc<Rule>, table: u8, from: usize },
    /// The tables from this one on.
    Tables(u8),
    /// Sending to a port.
    Send(PortId),
}

impl PartialEq for Work {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Actions(a, s), Self::Actions(b, t)) => a == b && s == t,
            (
                Self::Rule { rule: a, table: t, from: f },
                Self::Rule { rule: b, table: u, from: g },
            ) => Arc::ptr_eq(a, b) && (t, f) == (u, g),
            (Self::Tables(a), Self::Tables(b)) => a == b,
            (Self::Send(a), Self::Send(b)) => a == b,
            _ => false,
        }
    }
}

/// The state in which a walk stopped.
#[derive(Clone, Debug, PartialEq)]
struct State {
    bridge: BridgeId,
    /// The port that the packet came in by; none where a controller sent it.
    ingress: Option<PortId>,
    ofport: OfPort,
    /// Metadata, registers and tunnel fields; of other fields nothing.
    key: FlowKey,
    /// [`Walk::arrived`].
    arrived: FlowKey,
    action_set: Vec<Action>,
    /// What is left to do, in order. The last of it is the bottom level's.
    work: Vec<Work>,
    /// Whether the packet was sent somewhere already.
    sent: bool,
}

/// Where a packet goes on that was taken apart anew, because it has headers now that its key did not
/// have (a label or a PBB header was removed). Equal ones share a number, [`FlowKey::recirc`].
#[derive(Clone, Debug)]
pub struct Frozen {
    number: u32,
    state: State,
}

impl PartialEq for Frozen {
    /// The number is none of it.
    fn eq(&self, other: &Self) -> bool {
        self.state == other.state
    }
}

impl Eq for Frozen {}

impl Hash for Frozen {
    fn hash<H: Hasher>(&self, h: &mut H) {
        let State { bridge, ofport, key, action_set, work, .. } = &self.state;
        (bridge, ofport, key, action_set.len(), work.len()).hash(h);
        for work in work {
            match work {
                Work::Actions(actions, source) => (actions.len(), source.table).hash(h),
                Work::Rule { rule, from, .. } => (Arc::as_ptr(rule), from).hash(h),
                Work::Tables(table) => table.hash(h),
                Work::Send(port) => port.hash(h),
            }
        }
    }
}

impl Frozen {
    /// Its number in the cache that gave it one; 0: none did.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The same under a number.
    pub(crate) fn numbered(&self, number: u32) -> Self {
        Self { number, state: self.state.clone() }
    }

    /// Gives the key of the frame, as taken apart anew, what is known beside the frame.
    pub fn restore(&self, key: &mut FlowKey) {
        copy_beside_frame(key, &self.state.key);
        key.in_port.set(self.state.ofport.0);
        key.recirc.set(self.number);
    }
}

impl<'a, L: Lookup> Walk<'a, L> {
    /// Stops here: the work goes on when the frame has been taken apart.
    pub(super) fn freeze(&mut self, at: &Place<'_>, action_set: Vec<Action>) {
        self.unwildcard_tunnel();
        let state = State {
            bridge: at.bridge.id,
            ingress: at.ingress.map(|port| port.id),
            ofport: at.ofport,
            key: beside_frame(&self.key),
            arrived: self.arrived,
            action_set,
            work: std::mem::take(&mut self.work),
            sent: self.outputs > 0,
        };
        self.outputs += 1;
        self.steps.push(Step::Recirculate(Arc::new(Frozen { number: 0, state })));
    }

    /// Goes on where a walk stopped.
    pub(super) fn resume(&mut self, frozen: &Frozen) -> Result<(), TooManyHops> {
        let state = &frozen.state;
        let dp = self.dp;
        let ingress = state.ingress.and_then(|port| Some(&**dp.port(port)?));
        let bridge = dp.bridge(state.bridge);
        let (Some(bridge), true) = (bridge, ingress.is_some() == state.ingress.is_some()) else {
            // Removed meanwhile.
            self.note(DropReason::RxPortDown);
            return Ok(());
        };
        let at = Place { bridge, ingress, ofport: state.ofport };
        self.enter(&at);
        self.arrived = state.arrived;
        self.action_set.clone_from(&state.action_set);
        self.outputs = u32::from(state.sent);
        let mut flow = Flow::Continue;
        for (i, work) in state.work.iter().enumerate() {
            let left = &state.work[i + 1..];
            flow = match work {
                Work::Actions(actions, source) => self.run_list(&at, actions, *source)?,
                Work::Rule { rule, table, from } => {
                    self.run_rules(&at, *table, Arc::clone(rule), *from)?
                }
                Work::Tables(table) => self.run_tables(&at, *table)?,
                Work::Send(port) => {
                    self.send(&at, *port)?;
                    Flow::Continue
                }
            };
            match flow {
                Flow::Continue => {}
                // In tables that were resubmitted to: the caller goes on.
                Flow::Miss if !left.is_empty() => flow = Flow::Continue,
                Flow::Miss | Flow::Stop => break,
                Flow::Freeze => {
                    self.work.extend_from_slice(left);
                    break;
                }
            }
        }
        self.end(&at, flow)
    }
}
