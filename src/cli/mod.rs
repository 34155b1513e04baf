//! The command line: verbs, and what each does.

mod args;
mod flow;
mod show;

use crate::config;
use crate::control::message::{
    ControlInfo, FdbReply, FlowModReply, FlowsReply, PortAddReply, ShowReply, StatsReply,
};
use crate::control::{Client, Request};
use crate::doctor;
use crate::net::attach::ContainerPort;
use crate::net::container::Target;
use args::{Args, BridgeVerb, ControllerVerb, FlowVerb, PortVerb, Verb};
use clap::Parser;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Parses the command line and does what it says. Exit codes: 0 done, 1 not done (the reason on
/// stderr), 2 wrong usage.
#[must_use]
pub fn main() -> ExitCode {
    let args = Args::parse();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            // A reader that went away (`vxswitch show | head -1`) is no failure worth words.
            let broken = e.downcast_ref::<std::io::Error>();
            if broken.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe) {
                return ExitCode::FAILURE;
            }
            for line in format!("{e:#}").lines() {
                eprintln!("vxswitch: {line}");
            }
            ExitCode::FAILURE
        }
    }
}

/// What every verb needs.
struct Cli {
    rundir: PathBuf,
    json: bool,
}

fn run(args: Args) -> anyhow::Result<()> {
    let said = args.rundir.or_else(|| std::env::var_os("VXSWITCH_RUNDIR").map(PathBuf::from));
    if let Verb::Run { config } = &args.verb {
        return crate::daemon::run(config, said.as_deref());
    }
    let cli =
        Cli { rundir: said.unwrap_or_else(|| config::DEFAULT_RUNDIR.into()), json: args.json };
    match args.verb {
        Verb::Run { .. } => unreachable!("handled above"),
        Verb::Reload => cli.done(&Request::Reload),
        Verb::Show => cli.print::<ShowReply>(&Request::Show, show::show),
        Verb::Bridge { verb } => cli.bridge(verb),
        Verb::Controller { verb } => cli.controller(verb),
        Verb::Port { verb } => cli.port(verb),
        Verb::Flow { verb } => cli.flow(verb),
        Verb::Fdb { bridge } => cli.print::<FdbReply>(&Request::Fdb { bridge }, show::fdb),
        Verb::Stats { watch } => cli.stats(watch),
        Verb::Doctor => cli.doctor(),
    }
}

impl Cli {
    fn call<T: DeserializeOwned>(&self, request: &Request) -> anyhow::Result<T> {
        Client::connect(&self.rundir)?.call(request)
    }

    /// A request that is answered by nothing.
    fn done(&self, request: &Request) -> anyhow::Result<()> {
        self.call::<()>(request)?;
        if self.json { emit("{}\n") } else { Ok(()) }
    }

    /// A request whose answer is printed.
    fn print<T: DeserializeOwned + Serialize>(
        &self,
        request: &Request,
        text: fn(&T) -> String,
    ) -> anyhow::Result<()> {
        let reply: T = self.call(request)?;
        self.emit(&reply, text)
    }

    fn emit<T: Serialize>(&self, reply: &T, text: fn(&T) -> String) -> anyhow::Result<()> {
        if self.json {
            emit(&(serde_json::to_string_pretty(reply)? + "\n"))
        } else {
            emit(&text(reply))
        }
    }

    fn bridge(&self, verb: BridgeVerb) -> anyhow::Result<()> {
        self.done(&match verb {
            BridgeVerb::Add { bridge, settings } => Request::BridgeAdd { bridge, settings },
            BridgeVerb::Del { bridge } => Request::BridgeDel { bridge },
        })
    }

    fn controller(&self, verb: ControllerVerb) -> anyhow::Result<()> {
        match verb {
            ControllerVerb::Set { bridge, target: targets } => {
                self.done(&Request::ControllerSet { bridge, targets })
            }
            ControllerVerb::Del { bridge } => self.done(&Request::ControllerDel { bridge }),
            ControllerVerb::List { bridge } => {
                self.print::<ControlInfo>(&Request::ControllerList { bridge }, show::controllers)
            }
        }
    }

    fn port(&self, verb: PortVerb) -> anyhow::Result<()> {
        match verb {
            PortVerb::Add { bridge, port, settings, end } => {
                let target = match (end.container, end.netns) {
                    (Some(name), _) => Some(Target::Container(name)),
                    (None, Some(name)) => Some(Target::Netns(name)),
                    (None, None) => None,
                };
                let container = target.map(|target| ContainerPort {
                    target,
                    ifname: port.clone(),
                    ip: end.ip,
                    mac: end.mac,
                    mtu: end.mtu,
                    gateway: end.gateway,
                    routes: end.route,
                });
                let request = Request::PortAdd { bridge, port, settings, container };
                let reply: PortAddReply = self.call(&request)?;
                if let Some(warning) = &reply.warning {
                    eprintln!("vxswitch: warning: {warning}");
                }
                self.emit(&reply, |r| format!("port {} has number {}\n", r.port, r.ofport))
            }
            PortVerb::Del { bridge, port } => self.done(&Request::PortDel { bridge, port }),
            PortVerb::Set { bridge, port, settings } => {
                self.done(&Request::PortSet { bridge, port, settings })
            }
        }
    }

    fn flow(&self, verb: FlowVerb) -> anyhow::Result<()> {
        if let FlowVerb::List { bridge, matching } = verb {
            return self.print::<FlowsReply>(&Request::FlowList { bridge, matching }, show::flows);
        }
        let request = flow::request(verb)?;
        self.print::<FlowModReply>(&request, |_| String::new())
    }

    /// Needs no daemon.
    fn doctor(&self) -> anyhow::Result<()> {
        let checks = doctor::run();
        if self.json {
            emit(&(serde_json::to_string_pretty(&checks)? + "\n"))?;
        } else {
            doctor::print(&checks, &mut std::io::stdout().lock())?;
        }
        anyhow::ensure!(doctor::can_work(&checks), "the switch cannot work here");
        Ok(())
    }

    fn stats(&self, watch: bool) -> anyhow::Result<()> {
        if !watch {
            return self.print::<StatsReply>(&Request::Stats, show::stats);
        }
        let mut client = Client::connect(&self.rundir)?;
        let mut last: Option<StatsReply> = None;
        loop {
            let reply: StatsReply = client.call(&Request::Stats)?;
            if self.json {
                // One object a line, so that a reader can tell them apart.
                emit(&(serde_json::to_string(&reply)? + "\n"))?;
            } else {
                emit(&format!("\x1b[H\x1b[2J{}", show::stats_since(&reply, last.as_ref())))?;
            }
            last = Some(reply);
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

/// Writes to stdout; a closed pipe is an error here, not a panic.
fn emit(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}
