//! A bridge of the desired state.

use super::setting::check_name;
use super::{Line, Port, Problem, Setting};
use ofagent::channel::{FailMode, Target};
use std::path::PathBuf;

/// Keys of a bridge; `port` only in a file.
const KEYS: &[&str] = &[
    "name",
    "mac",
    "mtu",
    "flows",
    "mac_aging_time",
    "mac_table_size",
    "controller",
    "fail_mode",
    "datapath_id",
    "inactivity_probe",
    "max_backoff",
    "controller_rate_limit",
    "controller_burst_limit",
    "port",
];

/// MTUs that a TAP takes: 68 is what every IPv4 link must carry (RFC 791 section 3.2).
pub(super) const MTU_RANGE: (i64, i64) = (68, 65521);

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// Name, also that of its TAP (LOCAL).
    pub name: String,
    /// LOCAL's address; `None`: the kernel's choice.
    pub mac: Option<[u8; 6]>,
    /// LOCAL's MTU, bytes; `None`: worked out.
    pub mtu: Option<u16>,
    /// File of flows; `None`: one flow, `priority=0,actions=NORMAL`, or none where controllers shall
    /// say what there is ([`Self::is_normal`]).
    pub flows: Option<PathBuf>,
    /// Seconds after which a MAC that was not seen is forgotten.
    pub mac_aging_time: u32,
    /// How many MACs NORMAL may learn.
    pub mac_table_size: u32,
    /// Its controllers, each once.
    pub controllers: Vec<Target>,
    /// Without a controller.
    pub fail_mode: FailMode,
    /// OpenFlow datapath id; `None`: LOCAL's MAC address.
    pub datapath_id: Option<u64>,
    /// Milliseconds between inactivity probes; 0: none.
    pub inactivity_probe: u32,
    /// Longest wait between attempts to connect, milliseconds.
    pub max_backoff: u32,
    /// Packet-ins a second, for each controller and reason; `None`: no limit.
    pub controller_rate_limit: Option<u32>,
    /// Packet-ins at once beyond that; `None`: a quarter of the rate.
    pub controller_burst_limit: Option<u32>,
    /// Ports, in the order of the file.
    pub ports: Vec<Port>,
    /// Where it was read from.
    pub line: Line,
}

impl Bridge {
    /// A bridge with nothing said but its name.
    #[must_use]
    pub fn new(name: &str, line: Line) -> Self {
        Self {
            name: name.into(),
            mac: None,
            mtu: None,
            flows: None,
            mac_aging_time: 300,
            mac_table_size: 8192,
            controllers: Vec::new(),
            fail_mode: FailMode::default(),
            datapath_id: None,
            inactivity_probe: 5000,
            max_backoff: 8000,
            controller_rate_limit: None,
            controller_burst_limit: None,
            ports: Vec::new(),
            line,
        }
    }

    /// A bridge from its settings; what is wrong with them goes into `problems`.
    pub fn from_settings(
        name: &str,
        line: Line,
        settings: &[Setting],
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut bridge = Self::new(name, line);
        problems.extend(check_name(name, line).err());
        for setting in settings {
            problems.extend(bridge.set(setting).err());
        }
        bridge
    }

    /// Changes what a setting says.
    ///
    /// # Errors
    /// What is wrong with it; then nothing was changed.
    pub fn set(&mut self, s: &Setting) -> Result<(), Problem> {
        match s.key.as_str() {
            "mac" => self.mac = Some(s.unicast_mac()?),
            "mtu" => self.mtu = Some(s.integer(MTU_RANGE.0, MTU_RANGE.1)? as u16),
            "flows" => self.flows = Some(s.text("the path of a file of flows")?.into()),
            "mac_aging_time" => self.mac_aging_time = s.integer(1, 86_400)? as u32,
            "mac_table_size" => self.mac_table_size = s.integer(10, 1_000_000)? as u32,
            "controller" => self.controllers = targets(s)?,
            "fail_mode" => {
                let modes = [FailMode::Secure, FailMode::Standalone].map(|m| (m.name(), m));
                self.fail_mode = s.one_of(&modes)?;
            }
            "datapath_id" => self.datapath_id = Some(datapath_id(s)?),
            "inactivity_probe" => self.inactivity_probe = s.integer(0, 3_600_000)? as u32,
            "max_backoff" => self.max_backoff = s.integer(1000, 3_600_000)? as u32,
            "controller_rate_limit" => {
                self.controller_rate_limit = Some(s.integer(100, 10_000_000)? as u32);
            }
            "controller_burst_limit" => {
                self.controller_burst_limit = Some(s.integer(25, 10_000_000)? as u32);
            }
            _ => return Err(s.unknown("a bridge", KEYS)),
        }
        Ok(())
    }

    /// Whether it begins with the flow `priority=0,actions=NORMAL` where it has no file of flows
    /// (as in Open vSwitch: not where controllers shall fill the tables).
    #[must_use]
    pub fn is_normal(&self) -> bool {
        self.controllers.is_empty() && self.fail_mode == FailMode::Standalone
    }

    /// The port of this name.
    #[must_use]
    pub fn port(&self, name: &str) -> Option<&Port> {
        self.ports.iter().find(|p| p.name == name)
    }
}

/// Controllers, each once.
fn targets(s: &Setting) -> Result<Vec<Target>, Problem> {
    let mut targets = Vec::new();
    for text in s.texts("a controller such as tcp:192.0.2.1:6653, or a list of them")? {
        let bad = |e| Problem::new(s.line, format!("{}: {e}", s.key));
        let target = text.parse().map_err(bad)?;
        if targets.contains(&target) {
            let what = format!("{}: {target} is there twice; expected each once", s.key);
            return Err(Problem::new(s.line, what));
        }
        targets.push(target);
    }
    Ok(targets)
}

/// 16 hexadecimal digits, or fewer after `0x` (ovs-vswitchd.conf.db(5), `datapath-id`); not zero.
fn datapath_id(s: &Setting) -> Result<u64, Problem> {
    let what = "16 hexadecimal digits such as \"00000000000000a1\"";
    let text = s.text(what)?;
    let digits = text.strip_prefix("0x").filter(|d| d.len() <= 16);
    let digits = digits.or_else(|| Some(text).filter(|d| d.len() == 16));
    digits
        .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
        .and_then(|d| u64::from_str_radix(d, 16).ok())
        .filter(|id| *id != 0)
        .ok_or_else(|| Problem::new(s.line, format!("{} = {}: expected {what}", s.key, s.value)))
}
