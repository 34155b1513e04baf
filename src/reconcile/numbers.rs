//! OpenFlow port numbers: those asked for, then the lowest free ones, in the order of the file. A
//! port that runs keeps its number.

use crate::config::Config;
use std::collections::{BTreeSet, HashMap};

/// Numbers of all ports.
#[derive(Debug, Default)]
pub(super) struct Numbers(HashMap<String, HashMap<String, u32>>);

impl Numbers {
    /// Numbers for `config`'s ports; `running` tells the number that a port runs with.
    ///
    /// # Errors
    /// Numbers that are asked for and that another running port was given.
    pub(super) fn assign(
        config: &Config,
        running: impl Fn(&str, &str) -> Option<u32>,
    ) -> Result<Self, Vec<String>> {
        let mut all = HashMap::new();
        let mut problems = Vec::new();
        for bridge in &config.bridges {
            let mut numbers: HashMap<String, u32> = HashMap::new();
            let mut used = BTreeSet::new();
            for port in &bridge.ports {
                let number = port.ofport.or_else(|| running(&bridge.name, &port.name));
                let Some(number) = number else { continue };
                if !used.insert(number) {
                    let other = numbers.iter().find(|(_, n)| **n == number);
                    let other = other.map_or("", |(name, _)| name.as_str());
                    problems.push(format!(
                        "port \"{}\": number {number} of bridge \"{}\" belongs to port \"{other}\", \
                         or was asked for by it; expected a free number",
                        port.name, bridge.name
                    ));
                }
                numbers.insert(port.name.clone(), number);
            }
            let mut next = 1;
            for port in &bridge.ports {
                if !numbers.contains_key(&port.name) {
                    while !used.insert(next) {
                        next += 1;
                    }
                    numbers.insert(port.name.clone(), next);
                }
            }
            all.insert(bridge.name.clone(), numbers);
        }
        if problems.is_empty() { Ok(Self(all)) } else { Err(problems) }
    }

    /// The number of a port; every port of the configuration has one.
    pub(super) fn of(&self, bridge: &str, port: &str) -> u32 {
        self.find(bridge, port).unwrap_or_default()
    }

    /// The number of a port, if there is such a port.
    pub(super) fn find(&self, bridge: &str, port: &str) -> Option<u32> {
        self.0.get(bridge)?.get(port).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::parse;
    use std::path::Path;

    #[test]
    fn numbers_asked_for_come_first_and_running_ports_keep_theirs() {
        let port = "[[bridge.port]]\nname=";
        let text = format!("[[bridge]]\nname='b'\n{port}'x'\n{port}'y'\nofport=1\n{port}'z'\n");
        let config = parse(&text, Path::new("t")).expect("valid");
        let numbers = Numbers::assign(&config, |_, _| None).expect("free");
        assert_eq!(["x", "y", "z"].map(|p| numbers.of("b", p)), [2, 1, 3]);
        let running = |_: &str, p: &str| (p == "z").then_some(2);
        let numbers = Numbers::assign(&config, running).expect("free");
        assert_eq!(["x", "y", "z"].map(|p| numbers.of("b", p)), [3, 1, 2]);
        let taken = Numbers::assign(&config, |_, p| (p == "x").then_some(1));
        assert!(taken.expect_err("taken")[0].contains("\"x\""));
    }
}
