//! A case: groups and flows in `ovs-ofctl`'s words, and the packets to send, in parts that can be
//! left out one by one.

use crate::packets::Shot;
use crate::tables::Mode;
use std::fmt::Write;

/// A flow. Matches and actions are `ovs-ofctl` words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flow {
    pub(crate) table: u8,
    pub(crate) priority: u16,
    pub(crate) matches: Vec<String>,
    pub(crate) apply: Vec<String>,
    pub(crate) clear: bool,
    pub(crate) write: Vec<String>,
    pub(crate) metadata: Option<String>,
    pub(crate) goto: Option<u8>,
}

impl Flow {
    pub(crate) fn text(&self) -> String {
        let mut words = self.apply.clone();
        if self.clear {
            words.push("clear_actions".into());
        }
        if !self.write.is_empty() {
            words.push(format!("write_actions({})", self.write.join(",")));
        }
        words.extend(self.metadata.iter().map(|m| format!("write_metadata:{m}")));
        words.extend(self.goto.map(|t| format!("goto_table:{t}")));
        if words.is_empty() {
            words.push("drop".into());
        }
        let mut text = format!("table={},priority={}", self.table, self.priority);
        for word in &self.matches {
            let _ = write!(text, ",{word}");
        }
        let _ = write!(text, ",actions={}", words.join(","));
        text
    }
}

/// A bucket of a group.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    pub(crate) watch_port: Option<usize>,
    pub(crate) actions: Vec<String>,
}

/// A group.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: u32,
    pub(crate) kind: &'static str,
    pub(crate) buckets: Vec<Bucket>,
}

impl Group {
    pub(crate) fn text(&self) -> String {
        let mut text = format!("group_id={},type={}", self.id, self.kind);
        for bucket in &self.buckets {
            text.push_str(",bucket=");
            if let Some(port) = bucket.watch_port {
                let _ = write!(text, "watch_port:{port},");
            }
            let _ = write!(text, "actions={}", bucket.actions.join(","));
        }
        text
    }
}

/// Tables and packets.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) groups: Vec<Group>,
    pub(crate) flows: Vec<Flow>,
    pub(crate) shots: Vec<Shot>,
    /// The switch learns addresses: packets go one at a time, because their order matters.
    pub(crate) learns: bool,
    pub(crate) mode: Mode,
}

impl Case {
    pub(crate) fn flows_text(&self) -> String {
        self.flows.iter().map(|f| f.text() + "\n").collect()
    }

    pub(crate) fn groups_text(&self) -> String {
        self.groups.iter().map(|g| g.text() + "\n").collect()
    }

    /// Cases that are smaller by one part each, the largest parts first.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        let mut out = Vec::new();
        // where there is an action set, each table keeps its answer for all: tables.rs says why
        let sets = self.flows.iter().any(|f| !f.write.is_empty());
        let mut size = self.flows.len() / 2;
        while size > 0 {
            for at in (0..self.flows.len()).step_by(size) {
                let mut smaller = self.clone();
                let kept = |(i, f): &(usize, &Flow)| {
                    !(at..at + size).contains(i) || (sets && f.priority == 0)
                };
                smaller.flows =
                    self.flows.iter().enumerate().filter(kept).map(|(_, f)| f.clone()).collect();
                if smaller.flows.len() < self.flows.len() {
                    out.push(smaller);
                }
            }
            size /= 2;
        }
        let mut without = |change: &mut dyn FnMut(&mut Self)| {
            let mut smaller = self.clone();
            change(&mut smaller);
            out.push(smaller);
        };
        if self.shots.len() > 1 {
            // the last one shows the difference; those before only taught addresses
            let before = self.shots.len() - 1;
            let mut size = before.div_ceil(2);
            while size > 0 {
                for at in (0..before).step_by(size) {
                    without(&mut |c| drop(c.shots.drain(at..(at + size).min(before))));
                }
                size /= 2;
            }
        }
        for g in 0..self.groups.len() {
            without(&mut |c| drop(c.groups.remove(g)));
            for b in 0..self.groups[g].buckets.len() {
                without(&mut |c| drop(c.groups[g].buckets.remove(b)));
                for a in 0..self.groups[g].buckets[b].actions.len() {
                    without(&mut |c| drop(c.groups[g].buckets[b].actions.remove(a)));
                }
            }
        }
        for (f, flow) in self.flows.iter().enumerate() {
            for a in 0..flow.apply.len() {
                without(&mut |c| drop(c.flows[f].apply.remove(a)));
            }
            for a in 0..flow.write.len() {
                without(&mut |c| drop(c.flows[f].write.remove(a)));
            }
            if flow.clear {
                without(&mut |c| c.flows[f].clear = false);
            }
            if flow.metadata.is_some() {
                without(&mut |c| c.flows[f].metadata = None);
            }
            if flow.goto.is_some() {
                without(&mut |c| c.flows[f].goto = None);
            }
            for m in 0..flow.matches.len() {
                without(&mut |c| drop(c.flows[f].matches.remove(m)));
            }
        }
        out
    }
}
