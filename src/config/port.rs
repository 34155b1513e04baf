//! A port of the desired state: a device, a tunnel, or one end of a patch.

use super::setting::check_name;
use super::{Line, Problem, Setting, Value};
use dataplane::state::{FlowOr, InheritOr, VlanConfig, VlanMode, VxlanConfig};

/// Keys that every port has.
const KEYS: &[&str] = &["name", "type", "ofport", "tag", "trunks", "vlan_mode"];
/// Keys of VXLAN ports.
const VXLAN_KEYS: &[&str] =
    &["remote_ip", "local_ip", "key", "dst_port", "tos", "ttl", "df_default", "csum"];

/// Largest `ofport` that can be asked for (ovs-vswitchd.conf.db(5), `ofport_request`).
pub(super) const MAX_OFPORT: i64 = 65_279;

/// The UDP port of VXLAN (RFC 7348 section 8.1).
pub(super) const VXLAN_UDP_PORT: u16 = 4789;

/// What a port is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortType {
    /// One end of a patch between bridges.
    Patch {
        /// Name of the other end.
        peer: String,
    },
    /// A network device of the port's name.
    System,
    /// A VXLAN tunnel.
    Vxlan(VxlanConfig),
}

impl PortType {
    /// Name as in `type=`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Patch { .. } => "patch",
            Self::System => "system",
            Self::Vxlan(_) => "vxlan",
        }
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Name; of a system port, the device's.
    pub name: String,
    /// OpenFlow number asked for.
    pub ofport: Option<u32>,
    /// What it is.
    pub kind: PortType,
    /// VLANs, for NORMAL.
    pub vlan: VlanConfig,
    /// Where it was read from.
    pub line: Line,
}

impl Port {
    /// A port from its settings; what is wrong with them goes into `problems`.
    pub fn from_settings(
        name: &str,
        line: Line,
        settings: &[Setting],
        problems: &mut Vec<Problem>,
    ) -> Self {
        problems.extend(check_name(name, line).err());
        let mut b = Builder::default();
        for setting in settings {
            problems.extend(b.set(setting).err());
        }
        let vlan = b.vlan(name, line).unwrap_or_else(|p| {
            problems.push(p);
            VlanConfig::default()
        });
        let ofport = b.ofport;
        let kind = b.kind(name, line, problems);
        Self { name: name.into(), ofport, kind, vlan, line }
    }
}

impl Port {
    /// The settings that make this port; [`Self::from_settings`] is the way back.
    #[must_use]
    pub fn settings(&self) -> Vec<Setting> {
        let mut settings = Vec::new();
        let mut say = |key: &str, value: String| {
            settings.push(Setting { key: key.into(), value: Value::Word(value), line: self.line });
        };
        if self.kind != PortType::System {
            say("type", self.kind.name().into());
        }
        if let Some(n) = self.ofport {
            say("ofport", n.to_string());
        }
        match &self.kind {
            PortType::System => {}
            PortType::Patch { peer } => say("peer", peer.clone()),
            PortType::Vxlan(c) => say_tunnel(c, &mut say),
        }
        let vlan = &self.vlan;
        if vlan.mode != VlanMode::Trunk {
            say("tag", vlan.tag.to_string());
        }
        if !vlan.trunks.is_empty() {
            let trunks: Vec<String> = vlan.trunks.iter().map(u16::to_string).collect();
            say("trunks", trunks.join(","));
        }
        match vlan.mode {
            VlanMode::Access | VlanMode::Trunk => {}
            VlanMode::NativeTagged => say("vlan_mode", "native-tagged".into()),
            VlanMode::NativeUntagged => say("vlan_mode", "native-untagged".into()),
        }
        settings
    }
}

/// The settings of a tunnel that differ from their defaults, and where it goes.
fn say_tunnel(c: &VxlanConfig, say: &mut impl FnMut(&str, String)) {
    let default = Tunnel::default().config;
    say("remote_ip", flow_or(&c.remote));
    say("key", flow_or(&c.key));
    if let Some(local) = c.local {
        say("local_ip", local.to_string());
    }
    if c.dst_port != default.dst_port {
        say("dst_port", c.dst_port.to_string());
    }
    let inherit = |v: InheritOr| match v {
        InheritOr::Inherit => "inherit".to_owned(),
        InheritOr::Fixed(n) => n.to_string(),
    };
    if c.tos != default.tos {
        say("tos", inherit(c.tos));
    }
    if c.ttl != default.ttl {
        say("ttl", inherit(c.ttl));
    }
    if c.df != default.df {
        say("df_default", c.df.to_string());
    }
    if c.csum != default.csum {
        say("csum", c.csum.to_string());
    }
}

fn flow_or<T: ToString>(value: &FlowOr<T>) -> String {
    match value {
        FlowOr::Flow => "flow".into(),
        FlowOr::Fixed(v) => v.to_string(),
    }
}

/// What was said so far; keys come in any order.
#[derive(Default)]
struct Builder {
    kind: Kind,
    ofport: Option<u32>,
    tag: Option<u16>,
    trunks: Vec<u16>,
    vlan_mode: Option<VlanMode>,
    peer: Option<(String, Line)>,
    tunnel: Tunnel,
    /// First key that only VXLAN ports have.
    tunnel_key: Option<(String, Line)>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    System,
    Patch,
    Vxlan,
}

struct Tunnel {
    remote: Option<FlowOr<std::net::IpAddr>>,
    config: VxlanConfig,
}

impl Default for Tunnel {
    fn default() -> Self {
        Self {
            remote: None,
            config: VxlanConfig {
                remote: FlowOr::Flow,
                local: None,
                key: FlowOr::Fixed(0),
                dst_port: VXLAN_UDP_PORT,
                tos: InheritOr::Fixed(0),
                ttl: InheritOr::Fixed(64),
                df: true,
                csum: true,
            },
        }
    }
}

impl Builder {
    fn set(&mut self, s: &Setting) -> Result<(), Problem> {
        let t = &mut self.tunnel;
        let key = s.key.as_str();
        match key {
            "type" => {
                self.kind = s.one_of(&[
                    ("system", Kind::System),
                    ("vxlan", Kind::Vxlan),
                    ("patch", Kind::Patch),
                ])?;
            }
            "ofport" | "ofport_request" => self.ofport = Some(s.integer(1, MAX_OFPORT)? as u32),
            "tag" => self.tag = Some(s.integer(1, 4094)? as u16),
            "trunks" => {
                self.trunks = s.integers(0, 4094)?.into_iter().map(|n| n as u16).collect();
                self.trunks.sort_unstable();
                self.trunks.dedup();
            }
            "vlan_mode" => {
                self.vlan_mode = Some(s.one_of(&[
                    ("access", VlanMode::Access),
                    ("trunk", VlanMode::Trunk),
                    ("native-tagged", VlanMode::NativeTagged),
                    ("native-untagged", VlanMode::NativeUntagged),
                ])?);
            }
            "peer" => self.peer = Some((s.text("the name of a patch port")?.into(), s.line)),
            "remote_ip" => {
                t.remote = Some(if is_word(s, "flow") {
                    FlowOr::Flow
                } else {
                    FlowOr::Fixed(s.unicast_ip("an IP address or flow")?)
                });
            }
            "local_ip" => t.config.local = Some(s.unicast_ip("an IP address")?),
            "key" => {
                t.config.key = if is_word(s, "flow") {
                    FlowOr::Flow
                } else {
                    FlowOr::Fixed(s.integer(0, 0xff_ffff).map_err(|mut p| {
                        p.what.push_str(", or flow");
                        p
                    })? as u32)
                };
            }
            "dst_port" => t.config.dst_port = s.integer(1, 65_535)? as u16,
            "tos" => t.config.tos = inherit_or(s, 0)?,
            "ttl" => t.config.ttl = inherit_or(s, 1)?,
            "df_default" => t.config.df = s.boolean()?,
            "csum" => t.config.csum = s.boolean()?,
            _ => {
                let known = [KEYS, VXLAN_KEYS, &["peer"]].concat();
                return Err(s.unknown("a port", &known));
            }
        }
        if VXLAN_KEYS.contains(&key) && self.tunnel_key.is_none() {
            self.tunnel_key = Some((key.into(), s.line));
        }
        Ok(())
    }

    fn vlan(&self, name: &str, line: Line) -> Result<VlanConfig, Problem> {
        let refuse = |what: &str| Err(Problem::new(line, format!("port \"{name}\": {what}")));
        let mode = match (self.vlan_mode, self.tag, self.trunks.is_empty()) {
            (Some(mode), ..) => mode,
            (None, Some(_), true) => VlanMode::Access,
            (None, None, _) => VlanMode::Trunk,
            (None, Some(_), false) => {
                return refuse(
                    "tag with trunks; expected one of them, or vlan_mode=native-tagged or \
                     vlan_mode=native-untagged",
                );
            }
        };
        match (mode, self.tag, self.trunks.is_empty()) {
            (VlanMode::Trunk, Some(_), _) => refuse("vlan_mode=trunk has no tag; expected trunks"),
            (VlanMode::Access, _, false) => refuse("vlan_mode=access has no trunks; expected tag"),
            (VlanMode::Trunk, None, _) => {
                Ok(VlanConfig { mode, tag: 0, trunks: self.trunks.clone() })
            }
            (_, None, _) => refuse("this vlan_mode needs a tag; expected tag = 1 to 4094"),
            (_, Some(tag), _) => Ok(VlanConfig { mode, tag, trunks: self.trunks.clone() }),
        }
    }

    fn kind(self, name: &str, line: Line, problems: &mut Vec<Problem>) -> PortType {
        if self.kind != Kind::Vxlan
            && let Some((key, at)) = &self.tunnel_key
        {
            let what = format!("port \"{name}\": {key} is a key of tunnels; expected type=vxlan");
            problems.push(Problem::new(*at, what));
        }
        if self.kind != Kind::Patch
            && let Some((_, at)) = &self.peer
        {
            let what =
                format!("port \"{name}\": peer is a key of patch ports; expected type=patch");
            problems.push(Problem::new(*at, what));
        }
        match self.kind {
            Kind::System => PortType::System,
            Kind::Patch => {
                let peer = self.peer.map(|p| p.0).unwrap_or_else(|| {
                    let what = format!("patch port \"{name}\" has no peer; expected peer=NAME");
                    problems.push(Problem::new(line, what));
                    String::new()
                });
                PortType::Patch { peer }
            }
            Kind::Vxlan => {
                let mut config = self.tunnel.config;
                match self.tunnel.remote {
                    Some(remote) => config.remote = remote,
                    // The key may be there and wrong, which was reported already.
                    None if problems.iter().any(|p| p.what.starts_with("remote_ip")) => {}
                    None => {
                        let what = format!(
                            "VXLAN port \"{name}\" has no remote_ip; expected an IP address or flow"
                        );
                        problems.push(Problem::new(line, what));
                    }
                }
                if let (FlowOr::Fixed(remote), Some(local)) = (config.remote, config.local)
                    && remote.is_ipv4() != local.is_ipv4()
                {
                    let what = format!(
                        "VXLAN port \"{name}\": local_ip {local} and remote_ip {remote} are of \
                         different families; expected both IPv4 or both IPv6"
                    );
                    problems.push(Problem::new(line, what));
                }
                PortType::Vxlan(config)
            }
        }
    }
}

fn is_word(s: &Setting, word: &str) -> bool {
    s.text("").is_ok_and(|t| t == word)
}

fn inherit_or(s: &Setting, low: i64) -> Result<InheritOr, Problem> {
    if is_word(s, "inherit") {
        return Ok(InheritOr::Inherit);
    }
    let n = s.integer(low, 255).map_err(|mut p| {
        p.what.push_str(", or inherit");
        p
    })?;
    Ok(InheritOr::Fixed(n as u8))
}
