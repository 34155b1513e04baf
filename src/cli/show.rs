//! The daemon's answers as text.

use crate::control::message::{
    ControlInfo, FdbReply, FlowsReply, PortCounters, ShowReply, StatsReply,
};
use dataplane::state::OfPort;
use std::fmt::Write;

/// Number of a port as Open vSwitch prints it.
fn number(ofport: u32) -> String {
    if ofport == OfPort::LOCAL.0 { "LOCAL".into() } else { ofport.to_string() }
}

/// `show`, like `ovs-vsctl show`, with numbers and what is the matter.
pub(super) fn show(reply: &ShowReply) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(out, "vxswitch {} (process {})", reply.version, reply.pid);
    for warning in &reply.warnings {
        let _ = writeln!(out, "    warning: {warning}");
    }
    for bridge in &reply.bridges {
        let _ = writeln!(out, "    Bridge {}", bridge.name);
        let _ = writeln!(out, "        mtu: {}, flows: {}", bridge.mtu, bridge.flows);
        let control = &bridge.control;
        let fail_mode = &bridge.fail_mode;
        let _ =
            writeln!(out, "        datapath_id: {}, fail_mode: {fail_mode}", control.datapath_id);
        if control.fail_open {
            let _ = writeln!(
                out,
                "        warning: no controller for three inactivity probes; forwarding like a \
                 learning bridge"
            );
        }
        for line in controllers(control).lines() {
            let _ = writeln!(out, "        Controller {line}");
        }
        for port in &bridge.ports {
            let mtu = port.mtu.map(|m| format!(", mtu {m}")).unwrap_or_default();
            let _ = writeln!(
                out,
                "        Port {} ({}): {}, link {}{mtu}",
                port.name,
                number(port.ofport),
                port.kind,
                port.link
            );
            if !port.options.is_empty() {
                let options: Vec<String> =
                    port.options.iter().map(|(k, v)| format!("{k}={v}")).collect();
                let _ = writeln!(out, "            options: {}", options.join(", "));
            }
            for note in &port.notes {
                let _ = writeln!(out, "            note: {note}");
            }
            for warning in &port.warnings {
                let _ = writeln!(out, "            warning: {warning}");
            }
        }
    }
    out
}

/// `controller list`: one a line.
pub(super) fn controllers(reply: &ControlInfo) -> String {
    reply.controllers.iter().fold(String::new(), |mut out, c| {
        let state = if c.connected { "connected" } else { "not connected" };
        let _ = write!(out, "{}: {state} for {} s", c.target, c.since);
        if c.connections > 1 {
            let _ = write!(out, ", {} connections", c.connections);
        }
        for (name, value) in [("role", &c.role), ("version", &c.version), ("last error", &c.error)]
        {
            if let Some(value) = value {
                let _ = write!(out, ", {name}: {value}");
            }
        }
        out.push('\n');
        out
    })
}

/// `flow list`, like `ovs-ofctl dump-flows`.
pub(super) fn flows(reply: &FlowsReply) -> String {
    reply.flows.iter().fold(String::new(), |mut out, f| {
        let _ = writeln!(out, " {}", f.text);
        out
    })
}

/// `fdb`, like `ovs-appctl fdb/show`.
pub(super) fn fdb(reply: &FdbReply) -> String {
    let mut out = String::from(" port  VLAN  MAC                Age\n");
    for e in &reply.entries {
        let port = e.ofport.map_or_else(|| "?".into(), number);
        let _ = writeln!(out, "{port:>5}  {:>4}  {}  {:>3}", e.vlan, e.mac, e.age);
    }
    out
}

/// `stats`.
pub(super) fn stats(reply: &StatsReply) -> String {
    stats_since(reply, None)
}

/// `stats --watch`: with the difference to a second ago.
pub(super) fn stats_since(reply: &StatsReply, last: Option<&StatsReply>) -> String {
    let mut rows = vec![heading(last.is_some())];
    for port in &reply.ports {
        let old = last
            .and_then(|l| l.ports.iter().find(|p| p.bridge == port.bridge && p.port == port.port));
        rows.push(row(port, last.is_some(), old));
    }
    let mut out = table(&rows);
    if !reply.drops.is_empty() {
        let _ = writeln!(out, "\ndrops by reason");
        let mut rows = Vec::new();
        for d in &reply.drops {
            rows.push(vec![d.reason.clone(), d.count.to_string(), d.meaning.clone()]);
        }
        out.push_str(&table(&rows));
    }
    if reply.too_big_sent + reply.too_big_suppressed > 0 {
        let _ = writeln!(
            out,
            "\npackets too big for a tunnel: {} answered by ICMP or ICMPv6, {} left unanswered \
             (rate limit, or the RFCs forbid an answer)",
            reply.too_big_sent, reply.too_big_suppressed
        );
    }
    out
}

fn heading(rates: bool) -> Vec<String> {
    let mut names =
        vec!["bridge", "port", "no.", "rx packets", "rx bytes", "tx packets", "tx bytes", "drops"];
    if rates {
        names.extend(["rx packets/s", "rx Mbit/s", "tx packets/s", "tx Mbit/s"]);
    }
    names.into_iter().map(String::from).collect()
}

fn row(port: &PortCounters, rates: bool, old: Option<&PortCounters>) -> Vec<String> {
    let drops: u64 = port.drops.values().sum();
    let mut row = vec![port.bridge.clone(), port.port.clone(), number(port.ofport)];
    row.extend(
        [port.rx_packets, port.rx_bytes, port.tx_packets, port.tx_bytes, drops]
            .iter()
            .map(u64::to_string),
    );
    if rates {
        let zero = PortCounters::default();
        let old = old.unwrap_or(&zero);
        let megabits =
            |new: u64, old: u64| format!("{:.1}", (new.saturating_sub(old) * 8) as f64 / 1e6);
        row.push(port.rx_packets.saturating_sub(old.rx_packets).to_string());
        row.push(megabits(port.rx_bytes, old.rx_bytes));
        row.push(port.tx_packets.saturating_sub(old.tx_packets).to_string());
        row.push(megabits(port.tx_bytes, old.tx_bytes));
    }
    row
}

/// Columns two blanks apart; those whose every cell below the first row is a number to the right.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cells = |c: usize| rows.iter().filter_map(move |r| r.get(c));
    let widths: Vec<usize> =
        (0..columns).map(|c| cells(c).map(|x| x.chars().count()).max().unwrap_or(0)).collect();
    let numeric: Vec<bool> = (0..columns)
        .map(|c| {
            rows.len() > 1 && cells(c).skip(1).all(|x| x.parse::<f64>().is_ok() || x == "LOCAL")
        })
        .collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (c, cell) in row.iter().enumerate() {
            let width = widths[c];
            let _ = if numeric[c] {
                write!(line, "{cell:>width$}  ")
            } else {
                write!(line, "{cell:<width$}  ")
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
