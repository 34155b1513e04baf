//! What only the whole can get wrong: names, numbers and tunnels used twice, patches without a peer.

use super::{Config, Line, Port, PortType, Problem};
use dataplane::state::{FlowOr, VxlanConfig};
use std::collections::HashMap;
use std::net::IpAddr;

/// Everything that contradicts something else in `config`. A patch port may still wait for its
/// peer: on the command line one of the two comes first.
#[must_use]
pub fn check(config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    names(config, &mut problems);
    numbers(config, &mut problems);
    tunnels(config, &mut problems);
    patches(config, &mut problems);
    controllers(config, &mut problems);
    problems
}

/// [`check`], and patch ports without a peer: a file has both or none.
#[must_use]
pub fn check_file(config: &Config) -> Vec<Problem> {
    let mut problems = check(config);
    for port in config.bridges.iter().flat_map(|b| &b.ports) {
        if let PortType::Patch { peer } = &port.kind
            && !peer.is_empty()
            && config.port(peer).is_none()
        {
            problems.push(wrong_peer(port, &format!("peer \"{peer}\" does not exist")));
        }
    }
    problems
}

/// " (line 3)" or nothing.
fn at(line: Line) -> String {
    line.0.map(|n| format!(" (line {n})")).unwrap_or_default()
}

fn names(config: &Config, problems: &mut Vec<Problem>) {
    let mut bridges: HashMap<&str, Line> = HashMap::new();
    for bridge in &config.bridges {
        if let Some(first) = bridges.insert(&bridge.name, bridge.line) {
            let what = format!(
                "bridge \"{}\" exists already{}; expected another name",
                bridge.name,
                at(first)
            );
            problems.push(Problem::new(bridge.line, what));
        }
    }
    let mut ports: HashMap<&str, (&str, Line)> = HashMap::new();
    for bridge in &config.bridges {
        for port in &bridge.ports {
            if let Some(line) = bridges.get(port.name.as_str()) {
                let what = format!(
                    "port \"{}\" has the name of a bridge{}, whose LOCAL port it is; expected \
                     another name",
                    port.name,
                    at(*line)
                );
                problems.push(Problem::new(port.line, what));
            }
            if let Some((on, line)) = ports.insert(&port.name, (&bridge.name, port.line)) {
                let what = format!(
                    "port \"{}\" is on bridge \"{on}\" already{}; expected each port once",
                    port.name,
                    at(line)
                );
                problems.push(Problem::new(port.line, what));
            }
        }
    }
}

fn numbers(config: &Config, problems: &mut Vec<Problem>) {
    for bridge in &config.bridges {
        let mut taken: HashMap<u32, &Port> = HashMap::new();
        for port in &bridge.ports {
            let Some(n) = port.ofport else { continue };
            if let Some(first) = taken.insert(n, port) {
                let what = format!(
                    "port \"{}\": ofport {n} is that of port \"{}\"{}; expected a number of its own",
                    port.name,
                    first.name,
                    at(first.line)
                );
                problems.push(Problem::new(port.line, what));
            }
        }
    }
}

/// What tells tunnels apart on receipt.
type TunnelIdentity = (FlowOr<IpAddr>, Option<IpAddr>, FlowOr<u32>, u16);

fn identity(c: &VxlanConfig) -> TunnelIdentity {
    (c.remote, c.local, c.key, c.dst_port)
}

fn tunnels(config: &Config, problems: &mut Vec<Problem>) {
    let mut seen: HashMap<TunnelIdentity, &Port> = HashMap::new();
    for port in config.bridges.iter().flat_map(|b| &b.ports) {
        let PortType::Vxlan(tunnel) = &port.kind else { continue };
        if let Some(first) = seen.insert(identity(tunnel), port) {
            let what = format!(
                "VXLAN port \"{}\" is the same tunnel as \"{}\"{}; expected another remote_ip, \
                 local_ip, key or dst_port",
                port.name,
                first.name,
                at(first.line)
            );
            problems.push(Problem::new(port.line, what));
        }
    }
}

fn controllers(config: &Config, problems: &mut Vec<Problem>) {
    let mut ids: HashMap<u64, (&str, Line)> = HashMap::new();
    for bridge in &config.bridges {
        if let Some(id) = bridge.datapath_id
            && let Some((other, line)) = ids.insert(id, (&bridge.name, bridge.line))
        {
            let what = format!(
                "bridge \"{}\": datapath_id = \"{id:016x}\" is that of bridge \"{other}\"{} already; \
                 expected one for each, for controllers know a switch by it",
                bridge.name,
                at(line)
            );
            problems.push(Problem::new(bridge.line, what));
        }
        if let Some(target) = bridge.controllers.iter().find(|t| t.is_tls() && config.ssl.is_none())
        {
            let what = format!(
                "bridge \"{}\": {target} needs a key and certificates; expected [ssl] with \
                 private_key, certificate and ca_cert",
                bridge.name
            );
            problems.push(Problem::new(bridge.line, what));
        }
    }
}

fn patches(config: &Config, problems: &mut Vec<Problem>) {
    for port in config.bridges.iter().flat_map(|b| &b.ports) {
        let PortType::Patch { peer } = &port.kind else { continue };
        if peer.is_empty() {
            continue; // reported where it was read
        }
        let mut refuse = |why: String| problems.push(wrong_peer(port, &why));
        if *peer == port.name {
            refuse("it is its own peer".into());
            continue;
        }
        match config.port(peer).map(|p| &p.1.kind) {
            None => {}
            Some(PortType::Patch { peer: back }) if *back == port.name => {}
            Some(PortType::Patch { peer: back }) => {
                refuse(format!("peer \"{peer}\" has the peer \"{back}\""));
            }
            Some(other) => refuse(format!("peer \"{peer}\" is of type {}", other.name())),
        }
    }
}

fn wrong_peer(port: &Port, why: &str) -> Problem {
    let name = &port.name;
    let what = format!("patch port \"{name}\": {why}; expected a patch port with peer={name}");
    Problem::new(port.line, what)
}
