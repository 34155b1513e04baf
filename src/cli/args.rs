//! The verbs and their arguments.

use crate::net::{Cidr, Mac, RouteSpec};
use clap::{Args as ClapArgs, Parser, Subcommand};
use std::net::IpAddr;
use std::path::PathBuf;

/// A userspace software switch for Linux hosts that run containers.
#[derive(Debug, Parser)]
#[command(name = "vxswitch", version, arg_required_else_help = true)]
pub(super) struct Args {
    /// Run directory of the daemon [env: VXSWITCH_RUNDIR] [default: /run/vxswitch]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) rundir: Option<PathBuf>,

    /// Print JSON
    #[arg(long, global = true)]
    pub(super) json: bool,

    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Run the switch in the foreground; SIGHUP reloads, SIGTERM stops and gives everything back
    Run {
        /// The configuration (TOML)
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Read the configuration file again and apply what changed in it
    Reload,
    /// Show bridges and ports
    Show,
    /// Add or delete a bridge
    Bridge {
        #[command(subcommand)]
        verb: BridgeVerb,
    },
    /// Add, delete or change a port
    Port {
        #[command(subcommand)]
        verb: PortVerb,
    },
    /// Add, modify, delete or list flows
    Flow {
        #[command(subcommand)]
        verb: FlowVerb,
    },
    /// Set, delete or list a bridge's OpenFlow controllers
    Controller {
        #[command(subcommand)]
        verb: ControllerVerb,
    },
    /// Show the MAC learning table of a bridge
    Fdb {
        /// Bridge
        bridge: String,
    },
    /// Show the counters of ports, and why packets were dropped
    Stats {
        /// Again each second, with rates
        #[arg(short, long)]
        watch: bool,
    },
    /// Show what this kernel and host can do, what is missing and what that costs
    Doctor,
}

#[derive(Debug, Subcommand)]
pub(super) enum BridgeVerb {
    /// Add a bridge
    Add {
        /// Bridge
        bridge: String,
        /// mac, mtu, flows, mac_aging_time, mac_table_size, controller, fail_mode, datapath_id,
        /// inactivity_probe, max_backoff, controller_rate_limit, controller_burst_limit
        #[arg(value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
    /// Delete a bridge and its ports
    Del {
        /// Bridge
        bridge: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ControllerVerb {
    /// Have these controllers instead of those there are
    Set {
        /// Bridge
        bridge: String,
        /// tcp:HOST[:PORT], ssl:HOST[:PORT], unix:FILE; to be connected to: ptcp:[PORT][:IP],
        /// pssl:[PORT][:IP], punix:FILE
        #[arg(required = true)]
        target: Vec<String>,
    },
    /// Have no controller
    Del {
        /// Bridge
        bridge: String,
    },
    /// List the controllers, and whether they are connected
    List {
        /// Bridge
        bridge: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum PortVerb {
    /// Add a port: a device, a tunnel, a patch, or a veth pair into a container
    Add {
        /// Bridge
        bridge: String,
        /// Port; with --container or --netns, the interface's name inside
        port: String,
        /// type, ofport, tag, trunks, vlan_mode; for type=vxlan remote_ip, local_ip, key, dst_port,
        /// tos, ttl, df_default, csum; for type=patch peer
        #[arg(value_name = "KEY=VALUE")]
        settings: Vec<String>,
        #[command(flatten)]
        end: End,
    },
    /// Delete a port
    Del {
        /// Bridge
        bridge: String,
        /// Port
        port: String,
    },
    /// Change settings of a port
    Set {
        /// Bridge
        bridge: String,
        /// Port
        port: String,
        /// As for add
        #[arg(value_name = "KEY=VALUE", required = true)]
        settings: Vec<String>,
    },
}

/// The end of a veth pair inside a container.
#[derive(ClapArgs, Debug)]
#[group(id = "end")]
pub(super) struct End {
    /// Put it into this Docker or podman container
    #[arg(long, value_name = "NAME", group = "target")]
    pub(super) container: Option<String>,
    /// Put it into this namespace of `ip netns`, or into that of a process
    #[arg(long, value_name = "NAME|PID", group = "target")]
    pub(super) netns: Option<String>,
    /// Address with prefix length; may be given again
    #[arg(long, value_name = "CIDR", requires = "target")]
    pub(super) ip: Vec<Cidr>,
    /// MAC address
    #[arg(long, requires = "target")]
    pub(super) mac: Option<Mac>,
    /// MTU in bytes [default: worked out from the underlay]
    #[arg(long, requires = "target", value_parser = clap::value_parser!(u32).range(68..=65535))]
    pub(super) mtu: Option<u32>,
    /// Default gateway
    #[arg(long, value_name = "IP", requires = "target")]
    pub(super) gateway: Option<IpAddr>,
    /// Route, CIDR or CIDR=via IP; may be given again
    #[arg(long, value_name = "CIDR[=via IP]", requires = "target")]
    pub(super) route: Vec<RouteSpec>,
}

#[derive(Debug, Subcommand)]
pub(super) enum FlowVerb {
    /// Add flows, in ovs-ofctl's syntax
    Add {
        /// Bridge
        bridge: String,
        #[command(flatten)]
        flows: Flows,
    },
    /// Change the actions of flows
    Mod {
        /// Bridge
        bridge: String,
        #[command(flatten)]
        flows: Flows,
        /// Only the flow of this very match and priority
        #[arg(long)]
        strict: bool,
    },
    /// Delete flows
    Del {
        /// Bridge
        bridge: String,
        /// Those that this covers; without it, all
        #[arg(value_name = "MATCH")]
        matching: Option<String>,
        /// Only the flow of this very match and priority
        #[arg(long, requires = "matching")]
        strict: bool,
    },
    /// List flows, as ovs-ofctl dump-flows does
    List {
        /// Bridge
        bridge: String,
        /// Those that this covers; without it, all
        #[arg(value_name = "MATCH")]
        matching: Option<String>,
    },
}

/// Flows, from an argument or from a file.
#[derive(ClapArgs, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct Flows {
    /// A flow
    pub(super) flow: Option<String>,
    /// A file of flows, one a line; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
}
