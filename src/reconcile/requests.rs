//! What the command line asks for.

use super::Reconciler;
use crate::config::{Bridge, Config, Line, Port, PortType, Problem, Setting};
use crate::control::message::{PortAddReply, Request};
use crate::control::server::Answer;
use crate::net::Mac;
use crate::net::attach::{self, ContainerPort};
use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::Value;
use std::hash::{BuildHasher, RandomState};

impl Reconciler {
    /// Does what a request says.
    ///
    /// # Errors
    /// Why it was not done, for the operator.
    pub fn handle(&mut self, request: Request) -> Answer {
        let answer = match request {
            Request::BridgeAdd { bridge, settings } => json(self.bridge_add(&bridge, &settings)),
            Request::BridgeDel { bridge } => json(self.bridge_del(&bridge)),
            Request::ControllerDel { bridge } => json(self.controller_set(&bridge, &[])),
            Request::ControllerList { bridge } => json(self.controller_list(&bridge)),
            Request::ControllerSet { bridge, targets } => {
                json(self.controller_set(&bridge, &targets))
            }
            Request::Fdb { bridge } => json(self.fdb(&bridge)),
            Request::FlowList { bridge, matching } => {
                json(self.flow_list(&bridge, matching.as_deref()))
            }
            Request::FlowMod { bridge, command, flows } => {
                json(self.flow_mod(&bridge, command, &flows))
            }
            Request::PortAdd { bridge, port, settings, container } => {
                json(self.port_add(&bridge, &port, &settings, container))
            }
            Request::PortDel { bridge, port } => json(self.port_del(&bridge, &port)),
            Request::PortSet { bridge, port, settings } => {
                json(self.port_set(&bridge, &port, &settings))
            }
            Request::Reload => json(self.reload()),
            Request::Show => json(Ok(self.show())),
            Request::Stats => json(Ok(self.stats())),
        };
        answer.map_err(|e| format!("{e:#}"))
    }

    fn bridge_add(&mut self, name: &str, settings: &[String]) -> anyhow::Result<()> {
        let settings = words(settings)?;
        let mut problems = Vec::new();
        let bridge = Bridge::from_settings(name, Line(None), &settings, &mut problems);
        none(problems)?;
        if bridge.flows.as_ref().is_some_and(|f| f.is_relative()) {
            bail!("flows: expected an absolute path, since the daemon reads it");
        }
        self.change(|desired| {
            desired.bridges.push(bridge);
            Ok(())
        })
    }

    /// Changes one setting of a bridge.
    pub(super) fn bridge_set(&mut self, name: &str, word: &str) -> anyhow::Result<()> {
        let setting = Setting::from_word(word).map_err(|p| anyhow::anyhow!(p.to_string()))?;
        self.change(|desired| {
            let bridge = known(desired, name)?;
            bridge.set(&setting).map_err(|p| anyhow::anyhow!(p.to_string()))
        })
    }

    fn bridge_del(&mut self, name: &str) -> anyhow::Result<()> {
        self.change(|desired| {
            known(desired, name)?;
            desired.bridges.retain(|b| b.name != name);
            Ok(())
        })
    }

    fn port_add(
        &mut self,
        bridge: &str,
        port: &str,
        settings: &[String],
        container: Option<ContainerPort>,
    ) -> anyhow::Result<PortAddReply> {
        let name = match &container {
            Some(c) => attach::host_ifname(&c.target, &c.ifname),
            None => port.to_owned(),
        };
        let settings = words(settings)?;
        let mut problems = Vec::new();
        let new = Port::from_settings(&name, Line(None), &settings, &mut problems);
        none(problems)?;
        if container.is_some() && new.kind != PortType::System {
            bail!("type={} is not for a container; expected none or type=system", new.kind.name());
        }
        let mut desired = self.desired.clone();
        known(&mut desired, bridge)?.ports.push(new);
        let plan = self.plan(desired)?;
        // The veth is made when nothing else can refuse, and before its port looks for it.
        if let Some(mut c) = container {
            // Chosen here, so that the container has the same one when it is restarted: its
            // neighbours keep the old one in their ARP tables for half a minute and longer.
            c.mac = c.mac.or_else(|| Some(random_mac()));
            let asked = c.clone();
            let mtu = self.bridges.get(bridge).map(|b| b.mtu).filter(|m| *m != 0);
            c.mtu = c.mtu.or(mtu);
            self.attach_container(&name, &c)?;
            self.containers.insert(name.clone(), asked);
        }
        let number = plan.numbers.of(bridge, &name);
        if let Err(e) = self.carry_out_or_undo(plan) {
            if self.desired.port(&name).is_none() {
                self.detach_container(&name);
            }
            return Err(e);
        }
        let running = self.port_mut(bridge, &name);
        let warning = running.and_then(|p| match (&p.problem, p.link) {
            (Some(problem), _) => Some(problem.clone()),
            (None, super::Link::Missing) => {
                let what = match &p.config.kind {
                    PortType::Patch { peer } => peer,
                    _ => &name,
                };
                Some(format!("{what} does not exist yet; the port comes to life when it does"))
            }
            _ => None,
        });
        Ok(PortAddReply { port: name, ofport: number, warning })
    }

    fn port_del(&mut self, bridge: &str, port: &str) -> anyhow::Result<()> {
        self.change(|desired| {
            let bridge = known(desired, bridge)?;
            known_port(bridge, port)?;
            bridge.ports.retain(|p| p.name != port);
            Ok(())
        })
    }

    fn port_set(&mut self, bridge: &str, port: &str, changes: &[String]) -> anyhow::Result<()> {
        let changes = words(changes)?;
        self.change(|desired| {
            let bridge = known(desired, bridge)?;
            let old = known_port(bridge, port)?;
            let mut settings = old.settings();
            for change in changes {
                settings.retain(|s| s.key != change.key);
                if !change.is_empty() {
                    settings.push(change);
                }
            }
            let mut problems = Vec::new();
            let new = Port::from_settings(port, Line(None), &settings, &mut problems);
            none(problems)?;
            for p in bridge.ports.iter_mut().filter(|p| p.name == port) {
                *p = new.clone();
            }
            Ok(())
        })
    }

    /// Changes the desired state and carries it out, or leaves it as it was.
    fn change(
        &mut self,
        change: impl FnOnce(&mut Config) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut desired = self.desired.clone();
        change(&mut desired)?;
        let plan = self.plan(desired)?;
        self.carry_out_or_undo(plan)
    }

    /// Carries a plan out; where the system refuses, goes back to what was.
    pub(super) fn carry_out_or_undo(&mut self, plan: super::Plan) -> anyhow::Result<()> {
        let before = self.desired.clone();
        let was_unfinished = self.unfinished;
        let Err(e) = self.carry_out(plan) else { return Ok(()) };
        if was_unfinished {
            // It may be an older failure; what was asked for stays desired and is tried again.
            return Err(e);
        }
        let back = self.plan(before).and_then(|plan| self.carry_out(plan));
        back.context("and cannot go back to what was")
            .map_err(|b| anyhow::anyhow!("{e:#}; {b:#}"))?;
        Err(e)
    }
}

impl Setting {
    /// Whether it is `key=`, which takes the key away.
    fn is_empty(&self) -> bool {
        self.text("").is_ok_and(str::is_empty)
    }
}

/// An address that nobody was given (IEEE 802: locally administered, of one interface).
fn random_mac() -> Mac {
    // The hasher's keys are random, and others each time.
    let [_, a, b, c, d, e, ..] = RandomState::new().hash_one(()).to_be_bytes();
    Mac([0x02, a, b, c, d, e])
}

fn json<T: Serialize>(result: anyhow::Result<T>) -> anyhow::Result<Value> {
    Ok(serde_json::to_value(result?)?)
}

fn words(words: &[String]) -> anyhow::Result<Vec<Setting>> {
    Setting::from_words(words).or_else(|problems| none(problems).map(|()| Vec::new()))
}

fn none(problems: Vec<Problem>) -> anyhow::Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    bail!(lines.join("\n"))
}

fn known<'a>(config: &'a mut Config, name: &str) -> anyhow::Result<&'a mut Bridge> {
    let names: Vec<&str> = config.bridges.iter().map(|b| b.name.as_str()).collect();
    let list = if names.is_empty() { "there is none".into() } else { names.join(", ") };
    let missing = format!("no bridge \"{name}\"; expected one of: {list}");
    config.bridge_mut(name).context(missing)
}

fn known_port<'a>(bridge: &'a Bridge, name: &str) -> anyhow::Result<&'a Port> {
    bridge.port(name).with_context(|| {
        let names: Vec<&str> = bridge.ports.iter().map(|p| p.name.as_str()).collect();
        let list = if names.is_empty() { "it has none".into() } else { names.join(", ") };
        format!("no port \"{name}\" on bridge \"{}\"; expected one of: {list}", bridge.name)
    })
}
