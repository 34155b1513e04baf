//! Requests, and what the daemon answers.

use crate::net::attach::ContainerPort;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest request, bytes: a file of some 500,000 flows.
pub const MAX_REQUEST: usize = 64 << 20;

/// What a client wants.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "verb", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Adds a bridge. Answer: `null`.
    BridgeAdd {
        /// Its name.
        bridge: String,
        /// `key=value`.
        #[serde(default)]
        settings: Vec<String>,
    },
    /// Removes a bridge and its ports. Answer: `null`.
    BridgeDel {
        /// Its name.
        bridge: String,
    },
    /// Takes a bridge's controllers away. Answer: `null`.
    ControllerDel {
        /// The bridge.
        bridge: String,
    },
    /// The controllers of a bridge as they are. Answer: [`ControlInfo`].
    ControllerList {
        /// The bridge.
        bridge: String,
    },
    /// Gives a bridge these controllers instead of those it has. Answer: `null`.
    ControllerSet {
        /// The bridge.
        bridge: String,
        /// `tcp:HOST[:PORT]` and so on.
        targets: Vec<String>,
    },
    /// The MAC learning table. Answer: [`FdbReply`].
    Fdb {
        /// Of this bridge.
        bridge: String,
    },
    /// The flows that a match covers. Answer: [`FlowsReply`].
    FlowList {
        /// Of this bridge.
        bridge: String,
        /// Only what this match covers.
        #[serde(default)]
        matching: Option<String>,
    },
    /// Adds, modifies or deletes flows, all or none. Answer: [`FlowModReply`].
    FlowMod {
        /// On this bridge.
        bridge: String,
        /// What to do.
        command: FlowCommand,
        /// Flows (for a deletion: matches), one each.
        flows: Vec<FlowText>,
    },
    /// Adds a port. Answer: [`PortAddReply`].
    PortAdd {
        /// To this bridge.
        bridge: String,
        /// Its name; with `container`, the name of the interface inside.
        port: String,
        /// `key=value`.
        #[serde(default)]
        settings: Vec<String>,
        /// Make a veth pair, and put its other end into this container.
        #[serde(default)]
        container: Option<ContainerPort>,
    },
    /// Removes a port. Answer: `null`.
    PortDel {
        /// From this bridge.
        bridge: String,
        /// Its name.
        port: String,
    },
    /// Changes a port's settings; those not named keep their values. Answer: `null`.
    PortSet {
        /// On this bridge.
        bridge: String,
        /// Its name.
        port: String,
        /// `key=value`.
        settings: Vec<String>,
    },
    /// Reads the configuration file again and applies what changed in it. Answer: `null`.
    Reload,
    /// Bridges and ports as they are. Answer: [`ShowReply`].
    Show,
    /// Counters. Answer: [`StatsReply`].
    Stats,
}

/// What a [`Request::FlowMod`] does (ovs-ofctl(8): `add-flow`, `mod-flows`, `del-flows`, `--strict`).
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlowCommand {
    /// Adds; replaces a flow of the same match and priority.
    Add,
    /// Deletes what the match covers.
    Delete,
    /// Deletes the flow of this very match and priority.
    DeleteStrict,
    /// Changes the actions of what the match covers.
    Modify,
    /// Changes the actions of the flow of this very match and priority.
    ModifyStrict,
}

/// A flow, and where it was written.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct FlowText {
    /// `FILE:LINE`, or empty for an argument.
    #[serde(default)]
    pub at: String,
    /// In ovs-ofctl's syntax.
    pub flow: String,
}

/// What the daemon answers.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response {
    /// Done; what it is depends on the request.
    Ok(serde_json::Value),
    /// Not done, and why.
    Error(String),
}

/// See [`Request::Show`].
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct ShowReply {
    /// Version of the daemon.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Its configuration file.
    pub config: String,
    /// Bridges, in the order in which they were made.
    pub bridges: Vec<BridgeInfo>,
    /// What the operator should know, beyond one port.
    pub warnings: Vec<String>,
}

/// A bridge as it is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct BridgeInfo {
    /// Name.
    pub name: String,
    /// MTU of LOCAL and of the veths that the switch made, bytes.
    pub mtu: u32,
    /// How many flows it has.
    pub flows: usize,
    /// `secure` or `standalone`.
    pub fail_mode: String,
    /// Its controllers.
    pub control: ControlInfo,
    /// Ports, by number.
    pub ports: Vec<PortInfo>,
}

/// How a bridge is controlled.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct ControlInfo {
    /// OpenFlow datapath id, 16 hexadecimal digits.
    pub datapath_id: String,
    /// It forwards like a learning bridge, for want of controllers (fail mode standalone).
    pub fail_open: bool,
    /// Packet-ins dropped by `controller_rate_limit`, or because a controller did not read.
    pub packet_ins_dropped: u64,
    /// Controllers, in the order of the configuration.
    pub controllers: Vec<ControllerInfo>,
}

/// A controller as it is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct ControllerInfo {
    /// Where it is.
    pub target: String,
    /// Whether it is connected and the OpenFlow version agreed on.
    pub connected: bool,
    /// How many connections there are; of `ptcp:` and the like there may be more than one.
    pub connections: usize,
    /// `other` (equal), `master` or `slave`, as Open vSwitch says it; of several the highest.
    pub role: Option<String>,
    /// OpenFlow version.
    pub version: Option<String>,
    /// Why the last attempt failed or the last connection ended; `None` while connected.
    pub error: Option<String>,
    /// Seconds since it was connected, or was not any more.
    pub since: u64,
}

/// A port as it is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct PortInfo {
    /// Name.
    pub name: String,
    /// OpenFlow number; LOCAL is 4294967294.
    pub ofport: u32,
    /// `system`, `internal`, `vxlan` or `patch`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `up`, `down` or `missing` (there is no such device).
    pub link: String,
    /// MTU of the device, or the longest IP packet that the tunnel carries, bytes.
    pub mtu: Option<u32>,
    /// Settings, as `key=value` would give them.
    pub options: BTreeMap<String, String>,
    /// How it is attached, and what the kernel could not do.
    pub notes: Vec<String>,
    /// What is wrong.
    pub warnings: Vec<String>,
}

/// See [`Request::PortAdd`].
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct PortAddReply {
    /// Name of the port on the bridge (of a veth pair, the host's end).
    pub port: String,
    /// OpenFlow number.
    pub ofport: u32,
    /// Why it does not carry frames yet.
    pub warning: Option<String>,
}

/// See [`Request::FlowMod`].
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct FlowModReply {
    /// Flows added, modified or deleted.
    pub changed: usize,
}

/// See [`Request::FlowList`].
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct FlowsReply {
    /// Flows, by table, then by falling priority.
    pub flows: Vec<FlowInfo>,
}

/// A flow and its counters.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct FlowInfo {
    /// As `ovs-ofctl dump-flows` prints it.
    pub text: String,
    /// Table.
    pub table: u8,
    /// Priority.
    pub priority: u16,
    /// Cookie.
    pub cookie: u64,
    /// Seconds since it was added.
    pub duration: f64,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

/// See [`Request::Fdb`].
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct FdbReply {
    /// What NORMAL learned.
    pub entries: Vec<FdbInfo>,
}

/// A learned MAC.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct FdbInfo {
    /// OpenFlow number of the port; `None`: the port has just gone.
    pub ofport: Option<u32>,
    /// Name of the port.
    pub port: String,
    /// VLAN, 0 for untagged.
    pub vlan: u16,
    /// Address.
    pub mac: String,
    /// Seconds since it was last seen.
    pub age: u64,
}

/// See [`Request::Stats`].
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct StatsReply {
    /// Ports, by bridge and number.
    pub ports: Vec<PortCounters>,
    /// Drops over all ports, by reason, those that occurred.
    pub drops: Vec<DropCount>,
    /// ICMP and ICMPv6 too-big messages sent.
    pub too_big_sent: u64,
    /// Too-big messages held back by the rate limit or because the RFCs forbid an answer.
    pub too_big_suppressed: u64,
}

/// A port's counters.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct PortCounters {
    /// Bridge.
    pub bridge: String,
    /// Port.
    pub port: String,
    /// OpenFlow number.
    pub ofport: u32,
    /// Frames received.
    pub rx_packets: u64,
    /// Bytes of them.
    pub rx_bytes: u64,
    /// Frames sent.
    pub tx_packets: u64,
    /// Bytes of them.
    pub tx_bytes: u64,
    /// Drops at this port, by reason.
    pub drops: BTreeMap<String, u64>,
}

/// Drops of one reason.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct DropCount {
    /// Its name.
    pub reason: String,
    /// What it means.
    pub meaning: String,
    /// How many.
    pub count: u64,
}
