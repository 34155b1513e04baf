//! What the host's files and tools say. Nothing is changed, no port is opened.

use super::{Check, Status};
use crate::net::container::{self, TOOLS};
use nix::sys::resource::{Resource, getrlimit};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// UDP port of VXLAN (RFC 7348 section 5).
const VXLAN_PORT: u16 = 4789;

/// Capabilities by their bits (linux/capability.h).
const CAPABILITIES: [(&str, u32, Status, &str); 4] = [
    ("CAP_NET_RAW", 13, Status::Missing, "devices cannot be attached"),
    ("CAP_NET_ADMIN", 12, Status::Missing, "devices, TAPs and routes cannot be set up"),
    (
        "CAP_SYS_ADMIN",
        21,
        Status::Limited,
        "other network namespaces, so containers, cannot be entered",
    ),
    ("CAP_BPF", 39, Status::Limited, "the host-stack guard cannot be loaded"),
];

/// What decides over everything that follows.
pub(super) fn before() -> Vec<Check> {
    let mut checks = vec![kernel()];
    checks.extend(capabilities());
    checks
}

/// What is around the switch.
pub(super) fn after() -> Vec<Check> {
    let mut checks = vec![vxlan_port()];
    checks.extend([memlock(), containers(), openvswitch()].into_iter().flatten());
    checks.extend([forwarding(), reverse_path(), bridge_netfilter()].into_iter().flatten());
    checks
}

fn sysctl(name: &str) -> Option<String> {
    let text = fs::read_to_string(Path::new("/proc/sys").join(name)).ok()?;
    Some(text.trim().to_string())
}

/// The kernel's version, first two numbers.
fn version() -> Option<(u32, u32)> {
    parse_version(&sysctl("kernel/osrelease")?)
}

fn parse_version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn kernel() -> Check {
    let release = sysctl("kernel/osrelease").unwrap_or_else(|| "unknown".into());
    match version() {
        Some(v) if v < (4, 20) => Check::bad("kernel", Status::Limited, release)
            .costs("some of the lines below; whatever is missing is named there")
            .fix("Linux 5.0 or newer; 6.2 or newer has everything"),
        _ => Check::ok("kernel", release),
    }
}

fn capabilities() -> Vec<Check> {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let effective = status
        .lines()
        .find_map(|l| l.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    let Some(effective) = effective else {
        return vec![
            Check::bad("capabilities", Status::Limited, "cannot be read from /proc")
                .fix("mount /proc"),
        ];
    };
    let has = |bit: u32| effective & (1 << bit) != 0;
    let mut lacking = Vec::new();
    for (name, bit, status, cost) in CAPABILITIES {
        // CAP_SYS_ADMIN does what CAP_BPF (Linux 5.8) was split off for.
        let covered = name == "CAP_BPF" && has(21);
        if !has(bit) && !covered {
            lacking.push(
                Check::bad("capabilities", status, format!("no {name}"))
                    .costs(cost)
                    .fix(format!("run as root, or give the process {name}")),
            );
        }
    }
    if lacking.is_empty() {
        let who = if nix::unistd::geteuid().is_root() { "root" } else { "not root" };
        let names = CAPABILITIES.map(|c| c.0).join(", ");
        lacking.push(Check::ok("capabilities", format!("{who}, with {names}")));
    }
    lacking
}

/// Who has the VXLAN port: from the kernel's list of sockets, and the processes that hold them.
fn vxlan_port() -> Check {
    const NAME: &str = "UDP port 4789";
    let mut inodes = BTreeSet::new();
    for table in ["udp", "udp6"] {
        let list = fs::read_to_string(format!("/proc/thread-self/net/{table}")).unwrap_or_default();
        inodes.extend(list.lines().filter_map(|l| socket_on(l, VXLAN_PORT)));
    }
    if inodes.is_empty() {
        return Check::ok(NAME, "free");
    }
    let holders = holders(&inodes);
    if holders.is_empty() {
        return Check::bad(
            NAME,
            Status::Limited,
            "taken, and no process holds it: a kernel VXLAN device",
        )
        .costs("tunnels cannot use this port")
        .fix(
            "`ip -d link show type vxlan` lists them; remove them, or give the tunnels \
             another dst_port on all hosts",
        );
    }
    let text: Vec<String> = holders.into_iter().collect();
    let text = text.join(", ");
    if text.starts_with("vxswitch ") {
        return Check::ok(NAME, format!("taken by {text}"));
    }
    Check::bad(NAME, Status::Limited, format!("taken by {text}"))
        .costs("tunnels cannot use this port")
        .fix("stop that process, or give the tunnels another dst_port on all hosts")
}

/// The inode of a line of /proc/net/udp (proc_net(5)) if the socket is bound to this port.
fn socket_on(line: &str, port: u16) -> Option<u64> {
    let mut fields = line.split_whitespace();
    let local = fields.nth(1)?;
    let (_, hex) = local.rsplit_once(':')?;
    if u16::from_str_radix(hex, 16) != Ok(port) {
        return None;
    }
    fields.nth(7)?.parse().ok()
}

/// Processes that hold one of these sockets, as "name (PID n)".
fn holders(inodes: &BTreeSet<u64>) -> BTreeSet<String> {
    let wanted: BTreeSet<String> = inodes.iter().map(|i| format!("socket:[{i}]")).collect();
    let mut found = BTreeSet::new();
    let Ok(processes) = fs::read_dir("/proc") else { return found };
    for process in processes.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().filter(|n| n.bytes().all(|b| b.is_ascii_digit())) else {
            continue;
        };
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else { continue };
        let holds = descriptors
            .flatten()
            .filter_map(|d| fs::read_link(d.path()).ok())
            .any(|l| l.to_str().is_some_and(|l| wanted.contains(l)));
        if holds {
            let comm = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            found.insert(format!("{} (PID {pid})", comm.trim()));
        }
    }
    found
}

/// Kernels before 5.11 count BPF programs against RLIMIT_MEMLOCK.
fn memlock() -> Vec<Check> {
    const NAME: &str = "locked memory";
    const ENOUGH: u64 = 8 << 20;
    let Ok((soft, _)) = getrlimit(Resource::RLIMIT_MEMLOCK) else { return Vec::new() };
    if version().is_none_or(|v| v >= (5, 11)) {
        return vec![Check::ok(NAME, "BPF needs none since Linux 5.11")];
    }
    let found = format!("limit {soft} bytes");
    vec![if soft >= ENOUGH {
        Check::ok(NAME, found)
    } else {
        Check::bad(NAME, Status::Limited, found)
            .costs("the host-stack guard may not load for many ports")
            .fix("`ulimit -l 8192`, or LimitMEMLOCK=8M in the unit")
    }]
}

fn containers() -> Vec<Check> {
    let mut found = Vec::new();
    for tool in TOOLS {
        let mut command = Command::new(tool);
        command.args(["ps", "-q"]);
        match container::output(&mut command) {
            Ok(output) if output.success => {
                let running = output.stdout.lines().filter(|l| !l.trim().is_empty()).count();
                found.push(format!("{tool} answers, {running} running"));
            }
            Ok(output) => {
                found.push(format!("{tool}: {}", container::one_line(&output.stderr)));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => found.push(format!("{tool}: {error}")),
        }
    }
    let answers = found.iter().any(|f| f.contains(" answers, "));
    let text = if found.is_empty() { "no docker, no podman".into() } else { found.join("; ") };
    vec![if answers {
        Check::ok("containers", text)
    } else {
        Check::bad("containers", Status::Note, text)
            .costs("`port add --container` has nobody to ask; `--netns NAME|PID` works")
    }]
}

fn openvswitch() -> Vec<Check> {
    let loaded = Path::new("/sys/module/openvswitch").exists();
    vec![if loaded {
        Check::bad("openvswitch module", Status::Note, "loaded")
            .costs("nothing: both can run side by side on different devices and UDP ports")
    } else {
        Check::ok("openvswitch module", "not loaded, not needed")
    }]
}

fn forwarding() -> Vec<Check> {
    let off: Vec<&str> =
        [("IPv4", "net/ipv4/ip_forward"), ("IPv6", "net/ipv6/conf/all/forwarding")]
            .into_iter()
            .filter(|(_, key)| sysctl(key).as_deref() == Some("0"))
            .map(|(family, _)| family)
            .collect();
    if off.is_empty() {
        return vec![Check::ok("forwarding", "on: the host can route for a bridge through LOCAL")];
    }
    vec![
        Check::bad("forwarding", Status::Note, format!("off for {}", off.join(" and ")))
            .costs("the host does not route between LOCAL and its other devices")
            .fix(
                "if it is to be a gateway: sysctl -w net.ipv4.ip_forward=1 \
             net.ipv6.conf.all.forwarding=1",
            ),
    ]
}

/// Strict reverse-path filtering drops a tunnel's packets that come by another device than the
/// answers leave by (RFC 3704).
fn reverse_path() -> Vec<Check> {
    if sysctl("net/ipv4/conf/all/rp_filter").as_deref() != Some("1") {
        return Vec::new();
    }
    vec![
        Check::bad("rp_filter", Status::Note, "strict (1)")
            .costs(
                "if the underlay's routes differ by direction, the kernel drops tunnel \
             packets unseen",
            )
            .fix("only then: sysctl -w net.ipv4.conf.all.rp_filter=2"),
    ]
}

fn bridge_netfilter() -> Vec<Check> {
    if sysctl("net/bridge/bridge-nf-call-iptables").as_deref() != Some("1") {
        return Vec::new();
    }
    vec![Check::bad("bridge netfilter", Status::Note, "bridge-nf-call-iptables is 1").costs(
        "frames through Linux bridges, not through vxswitch, meet iptables: where a Linux bridge \
                    carries the underlay, its rules may drop UDP 4789",
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_socket_lines() {
        assert_eq!(parse_version("6.1.0-28-amd64"), Some((6, 1)));
        assert_eq!(parse_version("5.10.0+"), Some((5, 10)));
        assert_eq!(parse_version("what"), None);
        let line = "  77: 00000000:12B5 00000000:0000 07 00000000:00000000 00:00000000 00000000 \
                    0        0 12345 2 0000000000000000 0";
        assert_eq!(socket_on(line, 4789), Some(12345));
        assert_eq!(socket_on(line, 4790), None);
        assert_eq!(socket_on("  sl  local_address rem_address", 4789), None);
    }
}
