//! A bridge of the desired state.

use super::setting::check_name;
use super::{Line, Port, Problem, Setting};
use std::path::PathBuf;

/// Keys of a bridge; `port` only in a file.
const KEYS: &[&str] = &["name", "mac", "mtu", "flows", "mac_aging_time", "mac_table_size", "port"];

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
    /// File of flows; `None`: one flow, `priority=0,actions=NORMAL`.
    pub flows: Option<PathBuf>,
    /// Seconds after which a MAC that was not seen is forgotten.
    pub mac_aging_time: u32,
    /// How many MACs NORMAL may learn.
    pub mac_table_size: u32,
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

    fn set(&mut self, s: &Setting) -> Result<(), Problem> {
        match s.key.as_str() {
            "mac" => self.mac = Some(s.unicast_mac()?),
            "mtu" => self.mtu = Some(s.integer(MTU_RANGE.0, MTU_RANGE.1)? as u16),
            "flows" => self.flows = Some(s.text("the path of a file of flows")?.into()),
            "mac_aging_time" => self.mac_aging_time = s.integer(1, 86_400)? as u32,
            "mac_table_size" => self.mac_table_size = s.integer(10, 1_000_000)? as u32,
            _ => return Err(s.unknown("a bridge", KEYS)),
        }
        Ok(())
    }

    /// The port of this name.
    #[must_use]
    pub fn port(&self, name: &str) -> Option<&Port> {
        self.ports.iter().find(|p| p.name == name)
    }
}
