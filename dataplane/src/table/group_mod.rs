//! The groups of a bridge, and group-mods on them (OpenFlow 1.3.5 sections 6.5 and 7.3.4.2).

use super::group::{Bucket, GROUP_ALL, GROUP_ANY, GROUP_MAX, Group, GroupKind};
use super::group::{MAX_BUCKETS, MAX_GROUPS};
use super::rule::groups_of;
use super::validate::{self, FlowModError};
use crate::action::Instructions;
use crate::flow::Match;
use crate::state::OfPort;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;
use thiserror::Error;

/// `OFPGC_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupCommand {
    /// Add a group.
    Add,
    /// Replace a group's type and buckets.
    Modify,
    /// Remove a group, and the rules that send to it.
    Delete,
}

/// A change of the groups (OpenFlow 1.3 section 7.3.4.2).
#[derive(Clone, Debug)]
pub struct GroupMod {
    /// What to do.
    pub command: GroupCommand,
    /// The group; [`GROUP_ALL`]: all (delete only).
    pub id: u32,
    /// Its type.
    pub kind: GroupKind,
    /// Its buckets; their counts are not looked at.
    pub buckets: Vec<Bucket>,
}

/// Why a group-mod was refused (`OFPGMFC_*`); nothing of it was done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GroupModError {
    /// `OFPGMFC_GROUP_EXISTS`.
    #[error("group {0} exists already")]
    Exists(u32),
    /// `OFPGMFC_INVALID_GROUP`.
    #[error("group {id}: {why}")]
    Invalid {
        /// The group.
        id: u32,
        /// What is wrong with it.
        why: &'static str,
    },
    /// `OFPGMFC_OUT_OF_GROUPS`.
    #[error("the bridge has {MAX_GROUPS} groups, and no room for more")]
    OutOfGroups,
    /// `OFPGMFC_OUT_OF_BUCKETS`.
    #[error("{0} buckets: a group has {MAX_BUCKETS} at most")]
    OutOfBuckets(usize),
    /// `OFPGMFC_WATCH_UNSUPPORTED`.
    #[error("group {0}: only buckets of select and fast failover groups watch a port or group")]
    WatchUnsupported(u32),
    /// `OFPGMFC_LOOP`.
    #[error("group {0} would send to itself, directly or by other groups")]
    Loop(u32),
    /// `OFPGMFC_UNKNOWN_GROUP`.
    #[error("group {0} does not exist")]
    Unknown(u32),
    /// `OFPGMFC_CHAINED_GROUP`.
    #[error("group {group} is not deleted: group {by} sends to it")]
    Chained {
        /// The one to be deleted.
        group: u32,
        /// One that sends to it.
        by: u32,
    },
    /// `OFPGMFC_BAD_WATCH`: no such reserved port.
    #[error("port {0:#x} cannot be watched: expected the number of a port of the bridge")]
    BadWatchPort(u32),
    /// `OFPGMFC_BAD_WATCH`: reserved, or whether the group is live would depend on itself.
    #[error("group {0} cannot be watched here: it is reserved, or depends on this group itself")]
    BadWatchGroup(u32),
    /// What a flow-mod with this action would be refused for.
    #[error("bucket {bucket}: {error}")]
    BadAction {
        /// The bucket's place, from 0.
        bucket: usize,
        /// What is wrong with its actions.
        error: FlowModError,
    },
}

/// The groups of a bridge. Every group that a bucket sends to exists; a group that is watched need
/// not (then it is not live), as in Open vSwitch.
#[derive(Clone, Debug, Default)]
pub struct GroupTable {
    groups: HashMap<u32, Arc<Group>>,
    /// How many groups send to which.
    parents: HashMap<u32, u32>,
}

impl GroupTable {
    /// A group.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&Arc<Group>> {
        self.groups.get(&id)
    }

    /// All groups, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.groups.values()
    }

    /// Number of groups.
    #[must_use]
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether there is no group.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// How many groups send to this one.
    #[must_use]
    pub fn parents(&self, id: u32) -> u32 {
        self.parents.get(&id).copied().unwrap_or(0)
    }

    /// Does a group-mod, wholly or (on an error) not at all; gives back the groups that went.
    pub(super) fn apply(&mut self, m: &GroupMod) -> Result<Vec<u32>, GroupModError> {
        match m.command {
            GroupCommand::Add => {
                if self.groups.contains_key(&m.id) {
                    return Err(GroupModError::Exists(m.id));
                }
                self.check(m)?;
                if self.groups.len() >= MAX_GROUPS {
                    return Err(GroupModError::OutOfGroups);
                }
                self.put(m, Arc::default(), Instant::now());
            }
            GroupCommand::Modify => {
                let old = self.get(m.id).ok_or(GroupModError::Unknown(m.id))?;
                // "Group top-level statistics are preserved (continued), group bucket statistics are
                // reset (cleared)."
                let (counts, created) = (Arc::clone(&old.counts), old.created);
                self.check(m)?;
                self.put(m, counts, created);
            }
            GroupCommand::Delete if m.id == GROUP_ALL => {
                self.parents.clear();
                return Ok(self.groups.drain().map(|(id, _)| id).collect());
            }
            GroupCommand::Delete => {
                if self.parents(m.id) != 0 {
                    let by = self.groups.values().find(|g| g.children().contains(&m.id));
                    let by = by.map_or(m.id, |g| g.id);
                    return Err(GroupModError::Chained { group: m.id, by });
                }
                // "If no group entry with the specified group identifier currently exists in the
                // group table, no error is recorded."
                return Ok(self.take(m.id).map(|_| m.id).into_iter().collect());
            }
        }
        Ok(Vec::new())
    }

    fn put(&mut self, m: &GroupMod, counts: Arc<super::rule::Counts>, created: Instant) {
        self.take(m.id);
        let buckets = m.buckets.iter().map(|b| Bucket { counts: Arc::default(), ..b.clone() });
        let buckets = buckets.collect();
        let group = Group { id: m.id, kind: m.kind, buckets, counts, created };
        for child in group.children() {
            *self.parents.entry(child).or_insert(0) += 1;
        }
        self.groups.insert(m.id, Arc::new(group));
    }

    fn take(&mut self, id: u32) -> Option<Arc<Group>> {
        let group = self.groups.remove(&id)?;
        for child in group.children() {
            if let Some(n) = self.parents.get_mut(&child) {
                *n -= 1;
                if *n == 0 {
                    self.parents.remove(&child);
                }
            }
        }
        Some(group)
    }

    /// Whether a group may look like this.
    fn check(&self, m: &GroupMod) -> Result<(), GroupModError> {
        let invalid = |why| Err(GroupModError::Invalid { id: m.id, why });
        if m.id > GROUP_MAX {
            return invalid("the highest number of a group is 0xffffff00");
        }
        if m.buckets.len() > MAX_BUCKETS {
            return Err(GroupModError::OutOfBuckets(m.buckets.len()));
        }
        // A group may be cleared ("by sending a modify with no buckets specified"), whatever it is.
        let one = m.buckets.len() == 1 || m.buckets.is_empty() && m.command == GroupCommand::Modify;
        if m.kind == GroupKind::Indirect && !one {
            return invalid("an indirect group has exactly one bucket");
        }
        for (at, bucket) in m.buckets.iter().enumerate() {
            if bucket.weight != 0 && m.kind != GroupKind::Select {
                return invalid("only buckets of a select group have a weight");
            }
            let watches = bucket.watch_port != OfPort::ANY || bucket.watch_group != GROUP_ANY;
            match m.kind {
                GroupKind::All | GroupKind::Indirect if watches => {
                    return Err(GroupModError::WatchUnsupported(m.id));
                }
                GroupKind::FastFailover if !watches => {
                    return invalid("each bucket of a fast failover group watches a port or group");
                }
                _ => {}
            }
            let port = bucket.watch_port;
            let exists = port.0 != 0 && port <= OfPort::MAX;
            if !exists && port != OfPort::LOCAL && port != OfPort::ANY {
                return Err(GroupModError::BadWatchPort(port.0));
            }
            if bucket.watch_group > GROUP_MAX && bucket.watch_group != GROUP_ANY {
                return Err(GroupModError::BadWatchGroup(bucket.watch_group));
            }
            self.check_actions(bucket)
                .map_err(|error| GroupModError::BadAction { bucket: at, error })?;
        }
        self.check_loops(m)?;
        let children = groups_of(m.buckets.iter().flat_map(|b| &b.actions));
        match children.into_iter().find(|id| !self.groups.contains_key(id)) {
            None => Ok(()),
            Some(id) => {
                let names = |b: &Bucket| b.actions.contains(&crate::action::Action::Group(id));
                let bucket = m.buckets.iter().position(names).unwrap_or(0);
                Err(GroupModError::BadAction { bucket, error: FlowModError::UnknownGroup(id) })
            }
        }
    }

    /// A bucket's actions are an action set: checked like those that a rule writes.
    fn check_actions(&self, bucket: &Bucket) -> Result<(), FlowModError> {
        let write = bucket.actions.clone();
        validate::check(0, &Match::default(), &Instructions { write, ..Instructions::default() })
    }

    /// No group may send to itself, and whether one is live may not depend on itself.
    fn check_loops(&self, m: &GroupMod) -> Result<(), GroupModError> {
        let sends = |buckets: &[Bucket]| groups_of(buckets.iter().flat_map(|b| &b.actions));
        if self.reaches(m, sends) {
            return Err(GroupModError::Loop(m.id));
        }
        // What is sent to counts as well: a chained group's liveness may be its buckets'.
        let depends = |buckets: &[Bucket]| {
            let mut groups = sends(buckets);
            let watched = buckets.iter().map(|b| b.watch_group).filter(|id| *id != GROUP_ANY);
            groups.extend(watched);
            groups
        };
        if self.reaches(m, depends) {
            return Err(GroupModError::BadWatchGroup(m.id));
        }
        Ok(())
    }

    /// Whether one comes back to the group when one goes on from its new buckets to the `next` of each.
    fn reaches<I: IntoIterator<Item = u32>>(
        &self,
        m: &GroupMod,
        next: impl Fn(&[Bucket]) -> I,
    ) -> bool {
        let mut todo: Vec<u32> = next(&m.buckets).into_iter().collect();
        let mut seen = HashSet::new();
        while let Some(id) = todo.pop() {
            if id == m.id {
                return true;
            }
            if seen.insert(id)
                && let Some(group) = self.groups.get(&id)
            {
                todo.extend(next(&group.buckets));
            }
        }
        false
    }
}
