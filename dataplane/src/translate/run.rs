//! Tables, rules and lists of actions.

use super::action_set::order;
use super::frozen::Work;
use super::{Flow, Lookup, MAX_DEPTH, MAX_LOOKUPS, Place, Source, TooManyHops, Walk};
use crate::action::{Action, Instructions, Step};
use crate::drop::DropReason;
use crate::state::OfPort;
use crate::table::Rule;
use std::sync::Arc;

/// Where the actions of a rule of this table come from.
fn source_of(rule: &Rule, table: u8) -> Source {
    // "A table-miss flow entry wildcards all match fields and has the lowest priority (0)."
    let miss = rule.priority == 0 && rule.matching.values().is_empty();
    Source { table, cookie: rule.cookie, miss }
}

/// Whether an action looks at the packet's key. Outputs that do freeze by themselves.
fn reads_key(action: &Action) -> bool {
    match action {
        Action::Output(output) => output.port == OfPort::NORMAL,
        Action::SetField { field, .. } | Action::Load { field, .. } => !field.beside_frame(),
        Action::Move { src, dst, .. } => !src.beside_frame() || !dst.beside_frame(),
        Action::SetQueue(_) | Action::Controller { .. } | Action::Note(_) => false,
        Action::Group(_)
        | Action::PushVlan(_)
        | Action::PopVlan
        | Action::PushMpls(_)
        | Action::PopMpls(_)
        | Action::PushPbb(_)
        | Action::PopPbb
        | Action::DecTtl
        | Action::DecMplsTtl
        | Action::CopyTtlOut
        | Action::CopyTtlIn
        | Action::Resubmit { .. } => true,
    }
}

impl<'a, L: Lookup> Walk<'a, L> {
    /// Runs a bridge's tables from the first, and the action set behind them.
    pub(super) fn run_pipeline(&mut self, at: &Place<'a>) -> Result<(), TooManyHops> {
        let outer = std::mem::take(&mut self.action_set);
        let flow = if at.bridge.fail_open {
            self.run_list(at, &[Action::output(OfPort::NORMAL)], Source::default())?
        } else {
            self.run_tables(at, 0)?
        };
        self.end(at, flow)?;
        self.action_set = outer;
        Ok(())
    }

    /// The end of the bottom level: the action set, or a freeze that has come down to here.
    pub(super) fn end(&mut self, at: &Place<'a>, flow: Flow) -> Result<(), TooManyHops> {
        let set = std::mem::take(&mut self.action_set);
        match flow {
            Flow::Freeze => self.freeze(at, set),
            Flow::Miss | Flow::Stop => {}
            Flow::Continue => {
                let source = Source { miss: false, ..self.source };
                // What tables that the set resubmits to write comes too late.
                if self.run_list(at, &order(&set), source)? == Flow::Freeze {
                    self.freeze(at, Vec::new());
                }
            }
        }
        Ok(())
    }

    /// Runs the tables from this one on.
    pub(super) fn run_tables(&mut self, at: &Place<'a>, table: u8) -> Result<Flow, TooManyHops> {
        if self.stale {
            self.work.push(Work::Tables(table));
            return Ok(Flow::Freeze);
        }
        match self.find_rule(at, table)? {
            Some(rule) => self.run_rules(at, table, rule, 0),
            None => Ok(Flow::Miss),
        }
    }

    fn find_rule(&mut self, at: &Place<'a>, table: u8) -> Result<Option<Arc<Rule>>, TooManyHops> {
        self.count_lookup()?;
        let rule = self.lookup.lookup(at.bridge, table, &self.key, &mut self.wildcards);
        if let Some(t) = at.bridge.pipeline.table(table) {
            self.tables.push((Arc::clone(&t.stats), rule.is_some()));
        }
        match &rule {
            Some(rule) => self.rules.push(Arc::clone(rule)),
            // "If a table-miss flow entry does not exist, by default packets unmatched are dropped."
            None => self.note(DropReason::TableMiss),
        }
        Ok(rule)
    }

    /// Everything that a loop could repeat for ever is counted.
    pub(super) fn count_lookup(&mut self) -> Result<(), TooManyHops> {
        self.lookups += 1;
        if self.lookups > MAX_LOOKUPS { Err(TooManyHops) } else { Ok(()) }
    }

    /// Runs a rule of this table, its actions from the `from`th on, and those of the tables behind.
    pub(super) fn run_rules(
        &mut self,
        at: &Place<'a>,
        mut table: u8,
        mut rule: Arc<Rule>,
        mut from: usize,
    ) -> Result<Flow, TooManyHops> {
        loop {
            let flow = self.run_rule(at, table, &rule, from)?;
            let next = rule.instructions.goto_table.filter(|to| *to > table);
            let (Flow::Continue, Some(next)) = (flow, next) else { return Ok(flow) };
            if self.stale {
                self.work.push(Work::Tables(next));
                return Ok(Flow::Freeze);
            }
            let Some(found) = self.find_rule(at, next)? else { return Ok(Flow::Miss) };
            (table, rule, from) = (next, found, 0);
        }
    }

    fn run_rule(
        &mut self,
        at: &Place<'a>,
        table: u8,
        rule: &Arc<Rule>,
        from: usize,
    ) -> Result<Flow, TooManyHops> {
        let Instructions { apply, clear, write, metadata, meter, goto_table: _ } =
            &*rule.instructions;
        // A rule that goes on after a freeze has done one action at least: the key was good when it
        // was found.
        if let (Some(id), 0) = (meter, from) {
            match at.bridge.pipeline.meters().get(*id) {
                Some(meter) => self.steps.push(Step::Meter(Arc::clone(meter))),
                None => {
                    self.note(DropReason::NoMeter);
                    return Ok(Flow::Stop);
                }
            }
        }
        let source = source_of(rule, table);
        self.source = source;
        let (flow, done) = self.run_from(at, apply, from, source)?;
        match flow {
            Flow::Continue => {}
            Flow::Freeze => {
                self.work.push(Work::Rule { rule: Arc::clone(rule), table, from: done });
                return Ok(flow);
            }
            Flow::Miss | Flow::Stop => return Ok(flow),
        }
        if *clear {
            self.action_set.clear();
        }
        self.action_set.extend_from_slice(write);
        if let Some((value, mask)) = metadata {
            let old = self.key.metadata.get();
            self.key.metadata.set(old & !mask | value & mask);
        }
        Ok(Flow::Continue)
    }

    /// Does actions. On a freeze, what is left of them is added to the work.
    pub(super) fn run_list(
        &mut self,
        at: &Place<'a>,
        actions: &[Action],
        source: Source,
    ) -> Result<Flow, TooManyHops> {
        let (flow, done) = self.run_from(at, actions, 0, source)?;
        if flow == Flow::Freeze {
            self.work.push(Work::Actions(actions[done..].into(), source));
        }
        Ok(flow)
    }

    /// Does the actions from the `from`th on; gives back how it ended and how many are done.
    fn run_from(
        &mut self,
        at: &Place<'a>,
        actions: &[Action],
        from: usize,
        source: Source,
    ) -> Result<(Flow, usize), TooManyHops> {
        for (i, action) in actions.iter().enumerate().skip(from) {
            if self.stale && reads_key(action) {
                return Ok((Flow::Freeze, i));
            }
            match self.run_action(at, action, source)? {
                Flow::Continue => {}
                // What the action had left is in the work already.
                flow => return Ok((flow, i + 1)),
            }
        }
        Ok((Flow::Continue, actions.len()))
    }

    fn run_action(
        &mut self,
        at: &Place<'a>,
        action: &Action,
        source: Source,
    ) -> Result<Flow, TooManyHops> {
        match action {
            Action::Output(output) => match output.port {
                OfPort::CONTROLLER => self.output_controller(at, source, output.max_len),
                OfPort::TABLE => self.submit(at)?,
                port => self.output(at, port)?,
            },
            Action::Controller { max_len, id, reason } => {
                self.controller(at, source, *reason, *max_len, *id);
            }
            Action::Group(id) => self.group(at, *id, source)?,
            Action::Resubmit { port, table } => {
                let (port, table) = (port.unwrap_or(at.ofport), table.unwrap_or(source.table));
                return self.resubmit(at, port, table);
            }
            Action::PushVlan(tpid) => self.push_vlan(*tpid),
            Action::PopVlan => self.pop_vlan(),
            Action::PushMpls(ethertype) => self.push_mpls(*ethertype),
            Action::PopMpls(ethertype) => self.pop_mpls(*ethertype),
            Action::PushPbb(_) => self.push_pbb(),
            Action::PopPbb => self.pop_pbb(),
            Action::SetField { field, value, mask } => self.set_field(*field, *value, *mask),
            Action::Load { field, bit, bits, value } => self.load(*field, *bit, *bits, *value),
            Action::Move { src, src_bit, dst, dst_bit, bits } => {
                self.copy_bits((*src, *src_bit), (*dst, *dst_bit), *bits);
            }
            Action::DecTtl => return Ok(self.dec_ttl(at, source)),
            Action::DecMplsTtl => return Ok(self.dec_mpls_ttl(at, source)),
            Action::CopyTtlOut => self.copy_ttl(true),
            Action::CopyTtlIn => self.copy_ttl(false),
            // Ports have no queues to choose from.
            Action::SetQueue(_) | Action::Note(_) => {}
        }
        Ok(Flow::Continue)
    }

    /// Searches a table with another port in `in_port`, and does what is found with the real one
    /// (or NORMAL and IN_PORT would have surprising behaviour, as Open vSwitch notes).
    fn resubmit(&mut self, at: &Place<'a>, port: OfPort, table: u8) -> Result<Flow, TooManyHops> {
        if self.depth == MAX_DEPTH {
            return Err(TooManyHops);
        }
        self.depth += 1;
        self.key.in_port.set(port.0);
        let rule = self.find_rule(at, table)?;
        self.key.in_port.set(at.ofport.0);
        let caller = self.source;
        let flow = match rule {
            Some(rule) => self.run_rules(at, table, rule, 0)?,
            None => Flow::Miss,
        };
        self.source = caller;
        self.depth -= 1;
        // Where nothing is found, the caller goes on.
        Ok(if flow == Flow::Miss { Flow::Continue } else { flow })
    }

    /// Output to TABLE: what the tables do to the packet is done to a copy.
    fn submit(&mut self, at: &Place<'a>) -> Result<(), TooManyHops> {
        if self.depth == MAX_DEPTH {
            return Err(TooManyHops);
        }
        self.depth += 1;
        self.on_copy(|walk| walk.run_pipeline(at))?;
        self.depth -= 1;
        Ok(())
    }
}
