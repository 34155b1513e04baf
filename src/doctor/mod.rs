//! `vxswitch doctor`: what this kernel and this host can do, what is missing, what that costs, and
//! what to do about it.
//!
//! The same functions are tried that the switch itself uses, so the answer cannot differ from what
//! the switch will find. Whatever makes a device happens in a network namespace of its own that
//! ends with the try; of the host only files are read. `host.rs` reads, `kernel.rs` tries.

mod host;
mod kernel;

use serde::Serialize;
use std::io::{self, Write};

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Works without it; nothing to do unless one wants to.
    Note,
    /// Works, but slower or with something left out.
    Limited,
    /// The switch cannot work like this.
    Missing,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// What its lack costs; empty if nothing is missing.
    pub cost: String,
    /// What to do; empty if there is nothing to do.
    pub fix: String,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            found: found.into(),
            cost: String::new(),
            fix: String::new(),
        }
    }

    fn bad(name: &'static str, status: Status, found: impl Into<String>) -> Self {
        Self { status, ..Self::ok(name, found) }
    }

    fn costs(self, cost: impl Into<String>) -> Self {
        Self { cost: cost.into(), ..self }
    }

    fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: fix.into(), ..self }
    }
}

/// Looks at everything. Takes well under a second, unless a container tool is slow to answer.
#[must_use]
pub fn run() -> Vec<Check> {
    let mut checks = host::before();
    checks.extend(kernel::checks());
    checks.extend(host::after());
    checks
}

/// Whether the switch can work, if slower: the command's exit status is 1 if not.
#[must_use]
pub fn can_work(checks: &[Check]) -> bool {
    checks.iter().all(|c| c.status != Status::Missing)
}

/// Writes the report for people.
pub fn print(checks: &[Check], out: &mut impl Write) -> io::Result<()> {
    let width = checks.iter().map(|c| c.name.len()).max().unwrap_or(0);
    for check in checks {
        let status = match check.status {
            Status::Ok => "ok",
            Status::Note => "note",
            Status::Limited => "limited",
            Status::Missing => "missing",
        };
        writeln!(out, "{status:<8} {:<width$}  {}", check.name, check.found)?;
        let indent = 8 + 1 + width + 2;
        if !check.cost.is_empty() {
            writeln!(out, "{:indent$}costs: {}", "", check.cost)?;
        }
        if !check.fix.is_empty() {
            writeln!(out, "{:indent$}do:    {}", "", check.fix)?;
        }
    }
    let count = |status| checks.iter().filter(|c| c.status == status).count();
    let verdict = match (count(Status::Missing), count(Status::Limited)) {
        (0, 0) => "The switch works here with everything it has.".to_string(),
        (0, n) => {
            format!("The switch works here, with {n} limit{}.", if n == 1 { "" } else { "s" })
        }
        (n, _) => format!(
            "The switch cannot work here: {n} thing{} missing.",
            if n == 1 { " is" } else { "s are" }
        ),
    };
    writeln!(out, "{verdict}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_missing_fails() {
        let mut checks = vec![Check::ok("a", "fine")];
        checks.push(Check::bad("bb", Status::Limited, "no").costs("time").fix("wait"));
        assert!(can_work(&checks));
        let mut text = Vec::new();
        print(&checks, &mut text).expect("written");
        let text = String::from_utf8(text).expect("UTF-8");
        assert_eq!(
            text,
            "ok       a   fine\n\
             limited  bb  no\n             costs: time\n             do:    wait\n\
             The switch works here, with 1 limit.\n"
        );
        checks.push(Check::bad("c", Status::Missing, "none"));
        assert!(!can_work(&checks));
    }
}
