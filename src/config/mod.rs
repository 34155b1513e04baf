//! Desired state: which bridges, ports and tunnels there shall be.
//!
//! The same types come from two places, through the same checks: a TOML file ([`mod@file`]) and
//! `key=value` arguments of the command line ([`Port::from_settings`], [`Bridge::from_settings`]).
//! A [`Config`] that exists is valid as a whole ([`check`]); everything wrong with a file is
//! reported at once, each with its line, and nothing of it is applied.

pub mod check;
pub mod file;
pub mod merge;
pub mod setting;

mod bridge;
mod port;

pub use bridge::Bridge;
pub use port::{Port, PortType};
pub use setting::{Problem, Setting, Value};

use ofagent::channel::TlsFiles;
use std::path::PathBuf;

/// Where the control socket lives unless told otherwise.
pub const DEFAULT_RUNDIR: &str = "/run/vxswitch";

/// Most worker threads that may be asked for.
pub const MAX_WORKERS: i64 = 64;

/// The whole desired state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Directory of the control socket and of the record of what was taken; `None`: not said.
    pub rundir: Option<PathBuf>,
    /// Worker threads.
    pub workers: usize,
    /// Key and certificates for `ssl:` and `pssl:` controllers.
    pub ssl: Option<TlsFiles>,
    /// Bridges, in the order of the file.
    pub bridges: Vec<Bridge>,
}

impl Default for Config {
    fn default() -> Self {
        Self { rundir: None, workers: 1, ssl: None, bridges: Vec::new() }
    }
}

impl Config {
    /// The bridge of this name.
    #[must_use]
    pub fn bridge(&self, name: &str) -> Option<&Bridge> {
        self.bridges.iter().find(|b| b.name == name)
    }

    /// The same, to change.
    pub fn bridge_mut(&mut self, name: &str) -> Option<&mut Bridge> {
        self.bridges.iter_mut().find(|b| b.name == name)
    }

    /// A port by name, with its bridge.
    #[must_use]
    pub fn port(&self, name: &str) -> Option<(&Bridge, &Port)> {
        self.bridges.iter().find_map(|b| b.port(name).map(|p| (b, p)))
    }
}

/// Line of a file that something was read from (from 1), or `None` for the command line. Says
/// where, not what: two that differ only in it are equal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line(pub Option<usize>);

impl PartialEq for Line {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Line {}
