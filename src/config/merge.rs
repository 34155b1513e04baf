//! What a reload comes to: the difference between the old file and the new one, applied to what is.
//!
//! Bridges and ports that the command line made are left alone, and so is what it changed or deleted,
//! unless the file now says something else about the very same bridge or port than it said before.

use super::{Bridge, Config};

/// `current`, with everything applied that differs between `old` and `new`.
#[must_use]
pub fn merge(old: &Config, new: &Config, current: &Config) -> Config {
    let mut merged = current.clone();
    merged.rundir.clone_from(&new.rundir);
    merged.workers = new.workers;
    merged.ssl.clone_from(&new.ssl);
    merged.bridges.retain(|b| old.bridge(&b.name).is_none() || new.bridge(&b.name).is_some());
    for bridge in &new.bridges {
        let before = old.bridge(&bridge.name);
        match merged.bridge_mut(&bridge.name) {
            Some(now) => merge_bridge(before, bridge, now),
            // Deleted by the command line, and the file says what it said: it stays away.
            None if before == Some(bridge) => {}
            None => merged.bridges.push(bridge.clone()),
        }
    }
    merged
}

fn merge_bridge(old: Option<&Bridge>, new: &Bridge, now: &mut Bridge) {
    let settings = |b: &Bridge| Bridge { ports: Vec::new(), ..b.clone() };
    if old.map(settings) != Some(settings(new)) {
        let ports = std::mem::take(&mut now.ports);
        *now = Bridge { ports, ..settings(new) };
    }
    let was = |name: &str| old.and_then(|b| b.port(name));
    now.ports.retain(|p| was(&p.name).is_none() || new.port(&p.name).is_some());
    for port in &new.ports {
        if was(&port.name) == Some(port) {
            continue;
        }
        match now.ports.iter_mut().find(|p| p.name == port.name) {
            Some(p) => *p = port.clone(),
            None => now.ports.push(port.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::parse;
    use std::path::Path;

    fn config(text: &str) -> Config {
        parse(text, Path::new("test.toml")).expect("valid")
    }

    fn names(config: &Config) -> Vec<String> {
        let ports = config
            .bridges
            .iter()
            .flat_map(|b| b.ports.iter().map(move |p| format!("{}/{}", b.name, p.name)));
        ports.collect()
    }

    const A: &str =
        "[[bridge]]\nname='a'\n[[bridge.port]]\nname='a1'\n[[bridge.port]]\nname='a2'\n";

    #[test]
    fn command_line_ports_survive_a_reload() {
        let old = config(A);
        let now = config(&format!("{A}[[bridge.port]]\nname='cli'\n[[bridge]]\nname='b'\n"));
        let new = config("[[bridge]]\nname='a'\n[[bridge.port]]\nname='a1'\n");
        let merged = merge(&old, &new, &now);
        assert_eq!(names(&merged), ["a/a1", "a/cli"]);
        assert!(merged.bridge("b").is_some(), "made by the command line");
    }

    #[test]
    fn what_the_command_line_changed_stays_until_the_file_changes_it() {
        let old = config(A);
        let now = config("[[bridge]]\nname='a'\n[[bridge.port]]\nname='a1'\ntag=7\n");
        assert_eq!(merge(&old, &old, &now), now);
        let new = config(&A.replace("'a1'", "'a1'\ntag=9").replace("'a2'", "'a2'\ntag=3"));
        let merged = merge(&old, &new, &now);
        assert_eq!(merged.port("a1").expect("kept").1.vlan.tag, 9);
        assert_eq!(merged.port("a2").expect("the file changed it").1.vlan.tag, 3);
    }

    #[test]
    fn a_bridge_gone_from_the_file_goes_with_its_ports() {
        let old = config(A);
        let now = config(&format!("{A}[[bridge.port]]\nname='cli'\n"));
        assert!(merge(&old, &Config::default(), &now).bridges.is_empty());
    }
}
