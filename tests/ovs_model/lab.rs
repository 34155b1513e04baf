//! Two switches with four veths each, Open vSwitch and the one under test, in network namespaces
//! that go with them; packets in and out through AF_PACKET sockets on the veths' far ends.

use crate::values::{LOCAL, VETHS};
use dataplane::sys::mmsg::{RecvScratch, SendScratch};
use dataplane::sys::packet::{ETH_P_ALL, PacketSocket, ifindex};
use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use vxswitch::net::netns::NetNs;

/// EtherType of the probes, IEEE 802's second local experimental one.
pub(crate) const PROBE_TYPE: [u8; 2] = [0x88, 0xb6];
/// Which flow sends a probe back where it came from.
pub(crate) const PROBE_FLOW: &str = "table=0,priority=65535,dl_type=0x88b6,actions=in_port\n";
/// How long anything may take; far more than it does.
const PATIENCE: Duration = Duration::from_secs(10);
/// `TP_STATUS_VLAN_VALID` and `TP_STATUS_VLAN_TPID_VALID` (linux/if_packet.h).
const VLAN_VALID: u32 = 1 << 4;
const TPID_VALID: u32 = 1 << 6;

/// Which program a side runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    OpenVswitch,
    Vxswitch,
}

/// A network namespace that ends with the test.
struct Namespace(String);

impl Namespace {
    fn new(what: &str) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("vxs-model-{}-{what}{n}", std::process::id());
        run("ip", &["netns", "add", &name])?;
        let netns = Self(name);
        for which in ["all", "default"] {
            // what the kernel would send on its own account belongs to nobody's output
            netns.run("sysctl", &["-qw", &format!("net.ipv6.conf.{which}.disable_ipv6=1")])?;
        }
        Ok(netns)
    }

    fn run(&self, program: &str, args: &[&str]) -> Result<String, String> {
        run("ip", &[&["netns", "exec", &self.0, program], args].concat())
    }

    fn spawn(&self, program: &Path, args: &[&str], log: &Path) -> Result<Process, String> {
        let said = fs::File::create(log).map_err(|e| format!("{}: {e}", log.display()))?;
        let child = Command::new("ip")
            .args(["netns", "exec", &self.0])
            .arg(program)
            .args(args)
            .env("OVS_RUNDIR", log.parent().unwrap_or(log))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn();
        child.map(Process).map_err(|e| format!("{}: {e}", program.display()))
    }

    /// Opens a socket on a device.
    fn open(&self, device: &str) -> Result<PacketSocket, String> {
        let netns = NetNs::by_name(&self.0).map_err(|e| e.to_string())?;
        let opened = netns.run(|| -> std::io::Result<PacketSocket> {
            let socket = PacketSocket::open()?;
            socket.set_vnet_hdr()?;
            socket.set_auxdata()?;
            socket.set_ignore_outgoing()?;
            socket.set_rcvbuf(8 << 20)?;
            let index = ifindex(device)?;
            socket.set_promiscuous(index, true)?;
            socket.bind(index, ETH_P_ALL)?;
            Ok(socket)
        });
        opened.map_err(|e| e.to_string())?.map_err(|e| format!("{device}: {e}"))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a program; its output, or what it said.
fn run(program: &str, args: &[&str]) -> Result<String, String> {
    let out = Command::new(program).args(args).output().map_err(|e| format!("{program}: {e}"))?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    Err(format!("{program} {}: {}", args.join(" "), String::from_utf8_lossy(&out.stderr).trim()))
}

/// Why the test cannot run here.
pub(crate) fn lacking() -> Option<String> {
    for (program, package) in [("ovs-vswitchd", "openvswitch-switch"), ("ip", "iproute2")] {
        if Command::new(program).arg("--version").output().is_err() {
            return Some(format!("no `{program}` (package {package})"));
        }
    }
    if !nix::unistd::geteuid().is_root() {
        return Some("needs root (network namespaces, AF_PACKET)".into());
    }
    if !Path::new("/dev/net/tun").exists() {
        return Some("no /dev/net/tun".into());
    }
    Namespace::new("probe").err()
}

/// One switch, and the far ends of its ports.
pub(crate) struct Side {
    pub(crate) name: &'static str,
    sockets: Vec<PacketSocket>,
    receive: RecvScratch,
    buffers: Vec<Vec<u8>>,
    sender: SendScratch,
    dir: tempfile::TempDir,
    // Ended in this order: the switch before the networks that it stands in.
    processes: Vec<Process>,
    _netns: [Namespace; 2],
}

impl Side {
    pub(crate) fn new(name: &'static str, program: Program) -> Result<Self, String> {
        let (host, wires) = (Namespace::new("s")?, Namespace::new("w")?);
        for i in 1..=VETHS {
            let (near, far) = (format!("p{i}"), format!("e{i}"));
            let peer = ["peer", "name", &far, "netns", &wires.0];
            run(
                "ip",
                &[&["link", "add", &near, "netns", &host.0, "type", "veth"], &peer[..]].concat(),
            )?;
            run("ip", &["-n", &host.0, "link", "set", &near, "up"])?;
            run("ip", &["-n", &wires.0, "link", "set", &far, "up"])?;
        }
        let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
        let processes = match program {
            Program::OpenVswitch => start_ovs(&host, dir.path())?,
            Program::Vxswitch => start_vxswitch(&host, dir.path())?,
        };
        run("ip", &["-n", &host.0, "link", "set", "br0", "up"])?;
        let mut sockets = Vec::new();
        for i in 1..=VETHS {
            sockets.push(wires.open(&format!("e{i}"))?);
        }
        sockets.push(host.open("br0")?);
        let side = Self {
            name,
            sockets,
            receive: RecvScratch::new(64, 1 << 16),
            buffers: vec![vec![0; 2048]; 64],
            sender: SendScratch::default(),
            dir,
            processes,
            _netns: [host, wires],
        };
        let socket = side.dir.path().join("br0.mgmt");
        wait(&format!("{name}'s management socket {}", socket.display()), || socket.exists())?;
        Ok(side)
    }

    /// `ovs-ofctl` on the management socket.
    pub(crate) fn ofctl(&self, verb: &str, args: &[&str]) -> Result<String, String> {
        let target = format!("unix:{}", self.dir.path().join("br0.mgmt").display());
        run("ovs-ofctl", &[&["-O", "OpenFlow13", verb, &target], args].concat())
    }

    /// Makes these groups and flows the only ones.
    pub(crate) fn install(&self, groups: &str, flows: &str) -> Result<(), String> {
        let write = |name: &str, text: &str| -> Result<String, String> {
            let path = self.dir.path().join(name);
            fs::write(&path, text).map_err(|e| e.to_string())?;
            Ok(path.display().to_string())
        };
        self.ofctl("del-flows", &[])?;
        self.ofctl("del-groups", &[])?;
        if !groups.is_empty() {
            self.ofctl("add-groups", &[&write("groups", groups)?])?;
        }
        self.ofctl("add-flows", &[&write("flows", flows)?])?;
        Ok(())
    }

    /// The switch's own account of its flows and groups, in an order of ours.
    pub(crate) fn listing(&self) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        for verb in ["dump-flows", "dump-groups"] {
            let args: &[&str] = if verb == "dump-flows" { &["--no-stats"] } else { &[] };
            let text = self.ofctl(verb, args)?;
            // the first line names the reply and its transaction
            let rows = text.lines().filter(|l| !l.contains("reply"));
            lines.extend(rows.map(|l| l.trim().to_owned()));
        }
        lines.sort();
        Ok(lines)
    }

    /// Sends frames into a port, in order.
    pub(crate) fn send(&mut self, port: usize, frames: &[&[u8]]) -> Result<(), String> {
        for chunk in frames.chunks(dataplane::sys::mmsg::BATCH) {
            let mut failed = None;
            let fd = self.sockets[port - 1].as_fd();
            self.sender.send(
                fd,
                chunk.len(),
                |i| ([0; 10], chunk[i]),
                |_, result| {
                    failed = failed.take().or(result.err());
                    true
                },
            );
            if let Some(error) = failed {
                return Err(format!("sending to port {port} of {}: {error}", self.name));
            }
        }
        Ok(())
    }

    /// Takes what has left the ports so far: port and frame.
    pub(crate) fn take(&mut self, out: &mut Vec<(usize, Vec<u8>)>) -> Result<(), String> {
        for port in 1..=LOCAL {
            loop {
                let buffers = self.buffers.iter_mut().map(Vec::as_mut_slice);
                let n = match self.receive.receive(self.sockets[port - 1].as_fd(), buffers) {
                    Ok(n) => n,
                    Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => break,
                    Err(e) => {
                        return Err(format!("receiving at port {port} of {}: {e}", self.name));
                    }
                };
                for i in 0..n {
                    let meta = self.receive.meta(i);
                    let mut frame = self.buffers[i][..meta.len.min(2048)].to_vec();
                    // the kernel takes the outer VLAN tag off and hands it over beside the frame
                    let (status, tci, tpid) = meta.aux;
                    if status & VLAN_VALID != 0 {
                        let tpid = if status & TPID_VALID != 0 { tpid } else { 0x8100 };
                        let tag = [tpid.to_be_bytes(), tci.to_be_bytes()].concat();
                        frame.splice(12..12, tag);
                    }
                    out.push((port, frame));
                }
                if n < self.buffers.len() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Fails with the switch's last words if it has ended.
    pub(crate) fn alive(&mut self) -> Result<(), String> {
        for process in &mut self.processes {
            if let Ok(Some(status)) = process.0.try_wait() {
                let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
                return Err(format!("{} ended: {status}\n{log}", self.name));
            }
        }
        Ok(())
    }
}

/// Waits until `done`.
fn wait(what: &str, mut done: impl FnMut() -> bool) -> Result<(), String> {
    let end = Instant::now() + PATIENCE;
    while !done() {
        if Instant::now() > end {
            return Err(format!("no {what} after {} s", PATIENCE.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn start_ovs(host: &Namespace, dir: &Path) -> Result<Vec<Process>, String> {
    let file = |name: &str| dir.join(name).display().to_string();
    run("ovsdb-tool", &["create", &file("conf.db"), "/usr/share/openvswitch/vswitch.ovsschema"])?;
    let (socket, db) = (file("db.sock"), format!("unix:{}", file("db.sock")));
    let server = host.spawn(
        Path::new("ovsdb-server"),
        &[
            &file("conf.db"),
            "-vconsole:err",
            &format!("--remote=punix:{socket}"),
            &format!("--pidfile={}", file("ovsdb-server.pid")),
            &format!("--unixctl={}", file("ovsdb-server.ctl")),
        ],
        &dir.join("ovsdb.log"),
    )?;
    wait("database socket", || Path::new(&socket).exists())?;
    let vsctl = |args: &[&str]| run("ovs-vsctl", &[&["--timeout=10", "--db", &db], args].concat());
    vsctl(&["--no-wait", "init"])?;
    let daemon = host.spawn(
        Path::new("ovs-vswitchd"),
        &[
            &db,
            "-vconsole:err",
            &format!("--pidfile={}", file("ovs-vswitchd.pid")),
            &format!("--unixctl={}", file("ovs-vswitchd.ctl")),
        ],
        &dir.join("log"),
    )?;
    // Without its flow cache: what that remembers it revises only some time after a change. It looks
    // behind one VLAN tag unless it is told to look behind all that it can.
    let limits = ["other_config:flow-limit=0", "other_config:vlan-limit=0"];
    vsctl(&[&["set", "Open_vSwitch", "."], &limits[..]].concat())?;
    let mut bridge: Vec<String> =
        "add-br br0 -- set bridge br0 datapath_type=netdev fail_mode=secure \
        other_config:disable-in-band=true other_config:mac-table-size=100000"
            .split_whitespace()
            .map(str::to_owned)
            .collect();
    for i in 1..=VETHS {
        let words = format!("-- add-port br0 p{i} -- set interface p{i} ofport_request={i}");
        bridge.extend(words.split(' ').map(str::to_owned));
    }
    vsctl(&bridge.iter().map(String::as_str).collect::<Vec<_>>())?;
    Ok(vec![daemon, server])
}

fn start_vxswitch(host: &Namespace, dir: &Path) -> Result<Vec<Process>, String> {
    let mut config = "[[bridge]]\nname = \"br0\"\n".to_owned();
    for i in 1..=VETHS {
        config.push_str(&format!("\n[[bridge.port]]\nname = \"p{i}\"\nofport = {i}\n"));
    }
    let (file, log) = (dir.join("switch.toml"), dir.join("log"));
    fs::write(&file, config).map_err(|e| e.to_string())?;
    let (file, rundir) = (file.display().to_string(), dir.display().to_string());
    let args = ["run", "-c", &file, "--rundir", &rundir];
    let mut process = host.spawn(Path::new(env!("CARGO_BIN_EXE_vxswitch")), &args, &log)?;
    let said = || fs::read_to_string(&log).unwrap_or_default();
    wait("vxswitch", || {
        said().contains("vxswitch: ready") || !matches!(process.0.try_wait(), Ok(None))
    })
    .map_err(|e| format!("{e}:\n{}", said()))?;
    if !said().contains("vxswitch: ready") {
        return Err(format!("vxswitch does not start:\n{}", said()));
    }
    Ok(vec![process])
}
