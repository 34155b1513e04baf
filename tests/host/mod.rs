//! A host for a test: a network namespace with a switch in it.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const BIN: &str = env!("CARGO_BIN_EXE_vxswitch");

/// How long anything may take; far more than it does.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A network namespace, and a directory for the switch in it; both go with it.
pub(crate) struct Host {
    pub(crate) netns: String,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) daemon: Option<Child>,
}

impl Host {
    /// `None`, with the reason printed, where namespaces cannot be made.
    pub(crate) fn new(test: &str) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let netns = format!("vxs-{test}-{}-{n}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &netns]).output();
        match made {
            Ok(out) if out.status.success() => {}
            Ok(out) => {
                println!("skipped: {}", String::from_utf8_lossy(&out.stderr).trim());
                return None;
            }
            Err(e) => {
                println!("skipped: no `ip` (package iproute2): {e}");
                return None;
            }
        }
        let dir = tempfile::tempdir().expect("a temporary directory");
        let host = Self { netns, dir, daemon: None };
        if !std::path::Path::new("/dev/net/tun").exists() {
            println!("skipped: no /dev/net/tun");
            return None;
        }
        host.ip("link set lo up");
        Some(host)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.file(name), text).expect("write a file");
    }

    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.netns, program]);
        command
    }

    /// `ip ARGS` in the namespace.
    pub(crate) fn ip(&self, args: &str) -> String {
        let out = self.command("ip").args(args.split(' ')).output().expect("ip");
        assert!(out.status.success(), "ip {args}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    pub(crate) fn has_link(&self, name: &str) -> bool {
        let out = self.command("ip").args(["link", "show", name]).output().expect("ip");
        out.status.success()
    }

    /// Whether the host's stack is kept off a device.
    pub(crate) fn guarded(&self, name: &str) -> bool {
        let args = ["qdisc", "show", "dev", name];
        let out = self.command("tc").args(args).output().expect("tc");
        String::from_utf8_lossy(&out.stdout).contains("clsact")
    }

    pub(crate) fn run_command(&self) -> Command {
        let mut command = self.command(BIN);
        command.arg("run").arg("-c").arg(self.file("a.toml"));
        command.arg("--rundir").arg(self.file("run"));
        command.stderr(Stdio::piped());
        command
    }

    /// Starts the daemon and waits until it is ready.
    pub(crate) fn start(&mut self) {
        let mut child = self.run_command().spawn().expect("spawn");
        let mut err = BufReader::new(child.stderr.take().expect("piped"));
        let mut log = String::new();
        while !log.ends_with("vxswitch: ready\n") {
            assert!(err.read_line(&mut log).expect("stderr") > 0, "not ready:\n{log}");
        }
        // Goes on reading, so that the daemon's log never blocks; shown when the test fails.
        std::thread::spawn(move || {
            for line in err.lines().map_while(Result::ok) {
                println!("daemon: {line}");
            }
        });
        self.daemon = Some(child);
    }

    /// Sends a signal and waits for the end. True: exit code 0.
    pub(crate) fn signal(&mut self, signal: &str) -> bool {
        let mut child = self.daemon.take().expect("runs");
        kill(&child, signal);
        let begin = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("wait") {
                return status.success();
            }
            assert!(begin.elapsed() < PATIENCE, "does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What `run` says on stderr; it must fail.
    pub(crate) fn refused(&self) -> String {
        let mut child = self.run_command().spawn().expect("spawn");
        let begin = Instant::now();
        while child.try_wait().expect("wait").is_none() {
            if begin.elapsed() > PATIENCE {
                kill(&child, "-KILL");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let out = child.wait_with_output().expect("its output");
        let err = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(1), "{err}");
        err
    }

    pub(crate) fn cli(&self, args: &str) -> Output {
        let mut command = self.command(BIN);
        command.arg("--rundir").arg(self.file("run")).args(args.split(' '));
        command.output().expect("run the command line")
    }

    /// What a verb prints; it must succeed.
    pub(crate) fn ok(&self, args: &str) -> String {
        let out = self.cli(args);
        assert!(out.status.success(), "{args}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// What a verb says on stderr; it must fail.
    pub(crate) fn fails(&self, args: &str) -> String {
        let out = self.cli(args);
        let err = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(1), "{args}: {err}");
        assert!(err.starts_with("vxswitch: "), "{err}");
        err
    }

    pub(crate) fn show(&self) -> serde_json::Value {
        serde_json::from_str(&self.ok("show --json")).expect("JSON")
    }

    /// A port as `show` has it.
    pub(crate) fn port(&self, name: &str) -> serde_json::Value {
        let show = self.show();
        let bridges = show["bridges"].as_array().expect("bridges").clone();
        let ports = bridges.iter().flat_map(|b| b["ports"].as_array().expect("ports").clone());
        let mut found = ports.filter(|p| p["name"] == name);
        found.next().unwrap_or(serde_json::Value::Null)
    }

    pub(crate) fn wait(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let begin = Instant::now();
        while !is(self) {
            assert!(begin.elapsed() < PATIENCE, "{what}; {:#}", self.show());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut child) = self.daemon.take() {
            kill(&child, "-KILL");
            let _ = child.wait();
        }
        let _ = Command::new("ip").args(["netns", "del", &self.netns]).status();
    }
}

/// `ip netns exec` becomes the program, so the child is the daemon itself.
pub(crate) fn kill(child: &Child, signal: &str) {
    let pid = child.id().to_string();
    let _ = Command::new("kill").args([signal, &pid]).status();
}
