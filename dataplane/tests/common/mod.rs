//! Network namespaces for tests with real traffic.

#![allow(dead_code, unreachable_pub, reason = "every test binary uses its own part")]

pub mod forward;

use dataplane::sys::netns;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

/// Whether the tests that need namespaces can run; says on stderr what is missing if not.
pub fn can_run(tools: &[&str]) -> bool {
    let probe = format!("vxs-probe-{}-{:?}", std::process::id(), std::thread::current().id());
    let probe: String = probe.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let made = Command::new("ip").args(["netns", "add", &probe]).output();
    match made {
        Ok(o) if o.status.success() => {
            let _ = Command::new("ip").args(["netns", "del", &probe]).output();
        }
        Ok(o) => {
            let why = String::from_utf8_lossy(&o.stderr);
            eprintln!("skipped: no network namespaces here (root is needed): {}", why.trim());
            return false;
        }
        Err(e) => {
            eprintln!("skipped: `ip` of iproute2 is missing: {e}");
            return false;
        }
    }
    for tool in tools {
        let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output();
        if !found.is_ok_and(|o| o.status.success()) {
            eprintln!("skipped: `{tool}` is missing");
            return false;
        }
    }
    true
}

/// A network namespace, removed when dropped, with all the devices in it.
pub struct Ns {
    pub name: String,
}

impl Ns {
    /// Makes the namespace `vxs-<test>-<pid>-<role>`, with lo up and IPv6 quiet.
    pub fn new(test: &str, role: &str) -> Self {
        let name = format!("vxs-{test}-{}-{role}", std::process::id());
        let ns = Self { name };
        run(Command::new("ip").args(["netns", "add", &ns.name]));
        ns.sh("ip link set lo up; sysctl -qw net.ipv6.conf.default.accept_dad=0");
        ns
    }

    /// A command to run inside.
    pub fn command(&self, program: &str) -> Command {
        let mut c = Command::new("ip");
        c.args(["netns", "exec", &self.name, program]);
        c
    }

    /// Runs a shell script inside; panics with its output if it fails.
    pub fn sh(&self, script: &str) -> String {
        run(self.command("sh").args(["-ec", script]))
    }

    /// Runs a shell script inside; returns its success and what it printed.
    pub fn try_sh(&self, script: &str) -> (bool, String) {
        let o = self.command("sh").args(["-ec", script]).output().expect("sh runs");
        (o.status.success(), text(&o))
    }

    /// Starts a shell script inside, killed when dropped.
    pub fn spawn(&self, script: &str) -> Background {
        let script = format!("exec {script}");
        let mut c = self.command("sh");
        c.args(["-c", &script]).stdout(Stdio::piped()).stderr(Stdio::piped());
        Background(c.spawn().expect("sh runs"))
    }

    /// Runs `f` in a thread of its own inside.
    pub fn inside<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|s| {
            s.spawn(|| {
                self.enter();
                f()
            })
            .join()
            .unwrap_or_else(|e| std::panic::resume_unwind(e))
        })
    }

    /// Moves the calling thread inside for good.
    pub fn enter(&self) {
        netns::enter(&PathBuf::from("/run/netns").join(&self.name)).expect("entering a namespace");
    }
}

impl Drop for Ns {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).output();
    }
}

/// A process, killed when dropped.
pub struct Background(Child);

impl Background {
    /// Waits for its end; returns its success and what it printed.
    pub fn wait(mut self) -> (bool, String) {
        let status = self.0.wait().expect("child");
        let mut out = String::new();
        use std::io::Read;
        for pipe in [
            self.0.stdout.take().map(|p| Box::new(p) as Box<dyn Read>),
            self.0.stderr.take().map(|p| Box::new(p) as Box<dyn Read>),
        ] {
            let _ = pipe.expect("piped").read_to_string(&mut out);
        }
        (status.success(), out)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes a veth pair between two namespaces, both ends up, with the sender's default offloads.
pub fn veth(a: &Ns, a_dev: &str, b: &Ns, b_dev: &str) {
    let (an, bn) = (&a.name, &b.name);
    run(Command::new("ip").args([
        "link", "add", a_dev, "netns", an, "type", "veth", "peer", "name", b_dev, "netns", bn,
    ]));
    a.sh(&format!("ip link set {a_dev} up"));
    b.sh(&format!("ip link set {b_dev} up"));
}

/// Waits until `f` is true, for some seconds at most.
pub fn wait_for(what: &str, mut f: impl FnMut() -> bool) {
    for _ in 0..500 {
        if f() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("waited in vain: {what}");
}

fn run(c: &mut Command) -> String {
    let o = c.output().expect("ip runs");
    assert!(o.status.success(), "{c:?}: {}", text(&o));
    text(&o)
}

fn text(o: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&o.stdout), String::from_utf8_lossy(&o.stderr))
}
