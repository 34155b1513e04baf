//! Flows: those of the file, applied at the bridge's birth and by difference on a reload, and those
//! of the command line.

use super::Reconciler;
use super::numbers::Numbers;
use crate::config::Bridge;
use crate::control::message::{FlowCommand, FlowInfo, FlowModReply, FlowText, FlowsReply};
use crate::flows::{Names, lines};
use anyhow::{Context, bail};
use dataplane::flow::Match;
use dataplane::state::OfPort;
use dataplane::table::{Command, FlowFilter, FlowMod, Pipeline};
use dataplane::text::{ParseError, format_flow, parse_filter, parse_flow};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::Instant;

/// The flow of a bridge that has no file of flows and no controllers: forward like a learning
/// bridge.
const DEFAULT_FLOW: &str = "priority=0,actions=NORMAL";

/// Longest file of flows in bytes: some million flows.
const MAX_FILE: u64 = 256 << 20;

/// Reads a regular file: a FIFO would hold the switch's control up, a device might never end.
fn read(file: &Path) -> io::Result<String> {
    let meta = std::fs::metadata(file)?;
    if !meta.is_file() || meta.len() > MAX_FILE {
        let what = format!("expected a regular file of up to {} MiB", MAX_FILE >> 20);
        return Err(io::Error::other(what));
    }
    std::fs::read_to_string(file)
}

/// A file's flows.
#[derive(Clone, Debug, Default)]
pub(super) struct FileFlows {
    flows: Vec<FileFlow>,
}

#[derive(Clone, Debug)]
struct FileFlow {
    text: String,
    /// `FILE:LINE`.
    at: String,
    flow: FlowMod,
}

/// What makes a flow the same one in a table.
type Identity = (Option<u8>, u16, Match);

impl FileFlow {
    fn identity(&self) -> Identity {
        (self.flow.table, self.flow.priority, self.flow.matching)
    }

    /// Whether the tables have it, and not another in its place.
    fn is_there(&self, tables: &Pipeline) -> bool {
        let table = tables.table(self.flow.table.unwrap_or_default());
        table
            .and_then(|t| t.rules.find(&self.flow.matching, self.flow.priority))
            .is_some_and(|rule| *rule.instructions == self.flow.instructions)
    }
}

impl FileFlows {
    /// Reads a bridge's file.
    ///
    /// # Errors
    /// Everything that is wrong with it, as `FILE:LINE: what`.
    pub(super) fn load(bridge: &Bridge, numbers: &Numbers) -> Result<Self, Vec<String>> {
        let names = names(bridge, numbers);
        let (file, text) = match &bridge.flows {
            None if !bridge.is_normal() => return Ok(Self::default()),
            None => (Path::new("default"), DEFAULT_FLOW.to_owned()),
            Some(file) => {
                let text = read(file).map_err(|e| {
                    vec![format!(
                        "{}: cannot read it: {e}; expected the flows of bridge \"{}\"",
                        file.display(),
                        bridge.name
                    )]
                })?;
                (file.as_path(), text)
            }
        };
        let mut flows = Vec::new();
        let mut problems = Vec::new();
        // Tried on tables of nobody, so that what the real ones would refuse is known before
        // anything is applied.
        let mut trial = Pipeline::default();
        for (line, text) in lines(&text) {
            let at = format!("{}:{line}", file.display());
            let flow = match parse(text, Command::Add, &names) {
                Ok(flow) => flow,
                Err(e) => {
                    problems.push(format!("{at}: {e}"));
                    continue;
                }
            };
            match trial.apply(&flow, 0) {
                Ok(_) => flows.push(FileFlow { text: text.into(), at, flow }),
                Err(e) => problems.push(format!("{at}: {e}")),
            }
        }
        if problems.is_empty() { Ok(Self { flows }) } else { Err(problems) }
    }

    /// The flow-mods that lead from `old`, as it is in the tables, to these, each with where it was
    /// written. A flow that somebody else has put in the place of one of `old` is theirs, and stays.
    fn changes(&self, old: &Self, tables: &Pipeline) -> Vec<(String, FlowMod)> {
        let new: HashMap<Identity, &FileFlow> =
            self.flows.iter().map(|f| (f.identity(), f)).collect();
        let before: HashMap<Identity, &FileFlow> =
            old.flows.iter().map(|f| (f.identity(), f)).collect();
        // Deletions first, so that no overlap check trips over what goes.
        let gone =
            old.flows.iter().filter(|f| !new.contains_key(&f.identity()) && f.is_there(tables));
        let deletions = gone.map(|f| {
            let delete = FlowMod {
                command: Command::DeleteStrict,
                table: f.flow.table,
                priority: f.flow.priority,
                matching: f.flow.matching,
                ..FlowMod::default()
            };
            (f.at.clone(), delete)
        });
        // Names of ports may stand for other numbers now: what the text came to is compared too.
        let changed = self.flows.iter().filter(|f| {
            before
                .get(&f.identity())
                .is_none_or(|b| b.text != f.text || b.flow.instructions != f.flow.instructions)
        });
        deletions.chain(changed.map(|f| (f.at.clone(), f.flow.clone()))).collect()
    }
}

impl Reconciler {
    /// Applies what differs between a bridge's file of flows and what was applied of it before.
    ///
    /// # Errors
    /// The flow that was refused; then none was applied.
    pub(super) fn converge_flows(&mut self, bridge: &str, flows: &FileFlows) -> Result<(), String> {
        let Some(running) = self.bridges.get_mut(bridge) else { return Ok(()) };
        let Some(pipeline) = self.switch.pipeline(running.id) else { return Ok(()) };
        let (places, mods): (Vec<_>, Vec<_>) =
            flows.changes(&running.flows, &pipeline).into_iter().unzip();
        if !mods.is_empty() {
            self.switch
                .flow_mods(running.id, &mods)
                .map_err(|(i, e)| format!("{}: {e}", places[i]))?;
        }
        running.flows = flows.clone();
        Ok(())
    }

    /// Changes flows, all or none.
    pub(super) fn flow_mod(
        &mut self,
        bridge: &str,
        command: FlowCommand,
        flows: &[FlowText],
    ) -> anyhow::Result<FlowModReply> {
        let id = self.running(bridge)?.id;
        let names = self.running_names(bridge);
        let command = match command {
            FlowCommand::Add => Command::Add,
            FlowCommand::Delete => Command::Delete,
            FlowCommand::DeleteStrict => Command::DeleteStrict,
            FlowCommand::Modify => Command::Modify,
            FlowCommand::ModifyStrict => Command::ModifyStrict,
        };
        let at = |f: &FlowText| if f.at.is_empty() { String::new() } else { format!("{}: ", f.at) };
        let mut mods = Vec::with_capacity(flows.len());
        let mut problems = Vec::new();
        for f in flows {
            match parse(&f.flow, command, &names) {
                Ok(flow) => mods.push(flow),
                Err(e) => problems.push(format!("{}{e}", at(f))),
            }
        }
        if !problems.is_empty() {
            bail!(problems.join("\n"));
        }
        let outcomes = self
            .switch
            .flow_mods(id, &mods)
            .map_err(|(i, e)| anyhow::anyhow!("{}{e}", at(&flows[i])))?;
        let changed = outcomes.iter().map(|o| o.added + o.modified + o.removed).sum();
        Ok(FlowModReply { changed })
    }

    /// The flows that a match covers.
    pub(super) fn flow_list(
        &self,
        bridge: &str,
        matching: Option<&str>,
    ) -> anyhow::Result<FlowsReply> {
        let id = self.running(bridge)?.id;
        let names = self.running_names(bridge);
        let filter = match matching {
            None => FlowFilter::default(),
            Some(text) => parse_filter(text, &|name| names.get(name).copied())?,
        };
        let datapath = self.switch.datapath();
        let on = datapath.bridge(id).context("the bridge is being removed")?;
        let now = Instant::now();
        let flows = on.pipeline.rules(&filter).into_iter().map(|(table, rule)| FlowInfo {
            text: format_flow(&rule, table, now).trim_start().to_owned(),
            table,
            priority: rule.priority,
            cookie: rule.cookie,
            duration: rule.created.elapsed().as_secs_f64(),
            packets: rule.stats.packets(),
            bytes: rule.stats.bytes(),
        });
        Ok(FlowsReply { flows: flows.collect() })
    }

    /// Names of a running bridge's ports.
    fn running_names(&self, bridge: &str) -> Names {
        let ports = self.bridges.get(bridge).into_iter().flat_map(|b| &b.ports);
        let ports = ports.map(|(name, p)| (name.clone(), OfPort(p.ofport)));
        ports.chain([(bridge.to_owned(), OfPort::LOCAL)]).collect()
    }
}

fn names(bridge: &Bridge, numbers: &Numbers) -> Names {
    let ports = bridge
        .ports
        .iter()
        .filter_map(|p| Some((p.name.clone(), OfPort(numbers.find(&bridge.name, &p.name)?))));
    ports.chain([(bridge.name.clone(), OfPort::LOCAL)]).collect()
}

/// Parses a flow in ovs-ofctl's syntax.
fn parse(text: &str, command: Command, names: &Names) -> Result<FlowMod, ParseError> {
    parse_flow(text, command, &|name| names.get(name).copied())
}
