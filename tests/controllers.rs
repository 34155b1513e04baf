//! Controllers of a running switch: found, lost and found again; fail modes with real pings; peers
//! that misbehave.

mod host;

use host::Host;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// OpenFlow 1.3 hello, with a bitmap.
const HELLO: [u8; 16] = [4, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 0, 0x10];

/// The same for tools, which may speak 1.0.
const TOOL_HELLO: [u8; 16] = [4, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 0, 0x12];

/// Does something in the host's network namespace.
fn inside<T: Send>(host: &Host, what: impl FnOnce() -> T + Send) -> T {
    let netns = File::open(format!("/run/netns/{}", host.netns)).expect("the namespace");
    let run = || {
        nix::sched::setns(&netns, nix::sched::CloneFlags::CLONE_NEWNET).expect("enter it");
        what()
    };
    std::thread::scope(|s| s.spawn(run).join().expect("no panic"))
}

fn listen(host: &Host, port: u16) -> TcpListener {
    inside(host, || TcpListener::bind(("127.0.0.1", port)).expect("a free port"))
}

/// Exchanges hellos.
fn shake_hands(stream: &mut (impl Read + Write)) {
    let mut hello = [0; 16];
    stream.read_exact(&mut hello).expect("a hello");
    // On the management socket the bitmap has 1.0 too.
    assert!(hello == HELLO || hello == TOOL_HELLO, "{hello:?}");
    stream.write_all(&HELLO).expect("send ours");
}

/// Accepts the switch as a controller does.
fn accept(listener: &TcpListener) -> TcpStream {
    let mut stream = listener.accept().expect("the switch").0;
    stream.set_read_timeout(Some(host::PATIENCE)).expect("a timeout");
    shake_hands(&mut stream);
    stream
}

fn controller(host: &Host, n: usize) -> serde_json::Value {
    let list = host.ok("controller list br0 --json");
    let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    list["controllers"][n].clone()
}

fn wait_connected(host: &Host, connected: bool) {
    host.wait("connected or not", |h| controller(h, 0)["connected"] == connected);
}

/// A host with two containers on br0, which is configured with `settings`.
fn with_containers(test: &str, settings: &str) -> Option<(Host, Host, Host)> {
    let mut host = Host::new(test)?;
    let (a, b) = (Host::new("a").expect("as the first"), Host::new("b").expect("as the first"));
    host.write("a.toml", &format!("[[bridge]]\nname = \"br0\"\n{settings}\n"));
    host.start();
    for (n, inside) in [(2, &a), (3, &b)] {
        host.ok(&format!("port add br0 eth0 --netns {} --ip 10.9.0.{n}/24", inside.netns));
    }
    Some((host, a, b))
}

fn ping(from: &Host) -> bool {
    let args = ["-c", "1", "-W", "1", "10.9.0.3"];
    from.command("ping").args(args).output().expect("ping").status.success()
}

fn wait_ping(from: &Host, expected: bool) {
    let begin = Instant::now();
    while ping(from) != expected {
        assert!(begin.elapsed() < host::PATIENCE, "ping: never {expected}");
    }
}

#[test]
fn a_controller_is_looked_for_less_and_less_often_and_found_again() {
    let Some(mut host) = Host::new("back") else { return };
    let settings = "controller = \"tcp:127.0.0.1:6633\"\nmax_backoff = 2000\n";
    host.write("a.toml", &format!("[[bridge]]\nname = \"br0\"\n{settings}"));
    host.start();
    assert_eq!(host.ok("flow list br0"), "", "controllers fill the tables");
    let refused = controller(&host, 0);
    assert_eq!(refused["target"], "tcp:127.0.0.1:6633");
    assert_eq!(refused["connected"], false);
    assert!(refused["error"].as_str().expect("why").contains("refused"), "{refused}");
    let listener = listen(&host, 6633);
    let mut times = Vec::new();
    for _ in 0..4 {
        drop(listener.accept().expect("an attempt"));
        times.push(Instant::now());
    }
    let gaps: Vec<f64> = times.windows(2).map(|w| (w[1] - w[0]).as_secs_f64()).collect();
    assert!(gaps.iter().all(|g| (0.9..3.5).contains(g)), "{gaps:?}");
    assert!(gaps[2] > 1.9, "the limit is reached, and stays: {gaps:?}");
    let stream = accept(&listener);
    wait_connected(&host, true);
    let there = controller(&host, 0);
    assert_eq!((&there["version"], &there["error"]), (&"OpenFlow13".into(), &().into()));
    assert!(host.ok("show").contains("Controller tcp:127.0.0.1:6633: connected"));
    host.ok("flow add br0 priority=5,actions=drop");
    drop(stream);
    wait_connected(&host, false);
    assert_eq!(controller(&host, 0)["error"], "closed by the peer");
    let mut stream = accept(&listener);
    wait_connected(&host, true);
    assert!(host.ok("flow list br0").contains("priority=5"), "no flow went with the controller");

    stream.write_all(&[1, 10, 0, 8, 0, 0, 0, 7]).expect("a message of OpenFlow 1.0");
    let mut error = [0; 20];
    stream.read_exact(&mut error).expect("an error");
    assert_eq!(error[..12], [4, 1, 0, 20, 0, 0, 0, 7, 0, 1, 0, 0], "BAD_VERSION");
    stream.write_all(&[4, 2, 0, 9, 0, 0, 0, 8, 77]).expect("an echo request");
    let mut echo = [0; 9];
    stream.read_exact(&mut echo).expect("the connection lives on");
    assert_eq!(echo, [4, 3, 0, 9, 0, 0, 0, 8, 77]);
}

#[test]
fn standalone_forwards_while_no_controller_is_there() {
    let settings = "controller = \"tcp:127.0.0.1:6633\"\ninactivity_probe = 1000";
    let Some((host, a, _b)) = with_containers("alone", settings) else { return };
    // Three probes' time after the start.
    wait_ping(&a, true);
    assert!(host.ok("show").contains("forwarding like a learning bridge"));
    let listener = listen(&host, 6633);
    let stream = accept(&listener);
    wait_connected(&host, true);
    wait_ping(&a, false);
    // It answers no probe: given up after two intervals, and the bridge is alone three later.
    let begin = Instant::now();
    wait_connected(&host, false);
    let why = controller(&host, 0)["error"].clone();
    assert!(why.as_str().expect("why").contains("inactivity probe"), "{why}");
    wait_ping(&a, true);
    assert!(begin.elapsed() > Duration::from_secs(3), "{:?}", begin.elapsed());
    drop(stream);
}

#[test]
fn secure_keeps_to_the_tables() {
    let settings =
        "controller = \"tcp:127.0.0.1:6633\"\ninactivity_probe = 100\nfail_mode = \"secure\"";
    let Some((host, a, _b)) = with_containers("secure", settings) else { return };
    std::thread::sleep(Duration::from_secs(1)); // ten probes
    assert!(!ping(&a), "no flow, no packet");
    host.ok("flow add br0 priority=1,actions=NORMAL");
    let listener = listen(&host, 6633);
    let stream = accept(&listener);
    wait_connected(&host, true);
    assert!(ping(&a), "the tables stay when a controller comes");
    drop(stream);
    wait_connected(&host, false);
    std::thread::sleep(Duration::from_secs(1));
    assert!(ping(&a), "and when it goes");
    host.ok("flow del br0");
    assert!(!ping(&a));
}

#[test]
fn controllers_change_by_difference() {
    let Some(mut host) = Host::new("diff") else { return };
    let write = |host: &Host, more: &str| {
        let one = "\"tcp:127.0.0.1:6633\"";
        host.write("a.toml", &format!("[[bridge]]\nname = \"br0\"\ncontroller = [{one}{more}]\n"));
    };
    write(&host, "");
    let first = listen(&host, 6633);
    let second = listen(&host, 6634);
    host.start();
    let mut stays = accept(&first);
    wait_connected(&host, true);
    write(&host, ", \"tcp:127.0.0.1:6634\"");
    host.ok("reload");
    let mut goes = accept(&second);
    host.wait("the second", |h| controller(h, 1)["connected"] == true);
    write(&host, "");
    host.ok("reload");
    assert!(matches!(goes.read(&mut [0; 64]), Ok(0)), "closed");
    stays.write_all(&[4, 2, 0, 8, 0, 0, 0, 8]).expect("an echo request");
    stays.read_exact(&mut [0; 8]).expect("the same connection lives on");

    assert!(host.fails("controller set br0 tcp:").contains("expected HOST[:PORT]"));
    assert!(host.fails("controller set br0 ssl:127.0.0.1").contains("expected [ssl]"));
    assert!(host.fails("controller set br9 ptcp:").contains("expected one of: br0"));
    host.ok("controller set br0 ptcp:6635:127.0.0.1");
    host.wait("closed", |h| controller(h, 1).is_null());
    let mut came = inside(&host, || TcpStream::connect("127.0.0.1:6635").expect("it listens"));
    shake_hands(&mut came);
    wait_connected(&host, true);
    host.ok("controller del br0");
    assert!(matches!(came.read(&mut [0; 64]), Ok(0)), "closed");
    assert_eq!(host.ok("controller list br0"), "");
    assert!(host.ok("flow list br0").contains("NORMAL"), "a learning bridge again");
}

#[test]
fn a_bad_peer_costs_nobody_else_anything() {
    let Some(mut host) = Host::new("bad") else { return };
    host.write("a.toml", "[[bridge]]\nname = \"br0\"\n");
    host.start();
    let socket = host.file("run/br0.mgmt");
    let mode = std::fs::metadata(&socket).expect("there").permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
    let connect = || UnixStream::connect(&socket).expect("connect");
    let mut good = connect();
    shake_hands(&mut good);

    let mut garbage = connect();
    garbage.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("write");
    let silent: Vec<UnixStream> = (0..40).map(|_| connect()).collect();
    let mut slow = connect();
    // Asks and asks, and never reads.
    let mut deaf = connect();
    deaf.write_all(&HELLO).expect("write");
    deaf.set_nonblocking(true).expect("non-blocking");
    let echo: Vec<u8> = [4, 2, 4, 0, 0, 0, 0, 1].into_iter().chain([0; 1016]).collect();
    let mut sent = 0;
    loop {
        match deaf.write(&echo) {
            Ok(n) if n == echo.len() => sent += n,
            Err(e) if e.kind() == ErrorKind::WouldBlock && sent > 0 => {
                std::thread::sleep(Duration::from_millis(20));
                if deaf.write(&echo[..1]).is_err() {
                    break;
                }
                sent += 1;
            }
            _ => break,
        }
        assert!(sent < 64 << 20, "it is read for ever");
    }
    let begin = Instant::now();
    for byte in HELLO {
        slow.write_all(&[byte]).expect("write");
        good.write_all(&[4, 2, 0, 8, 0, 0, 0, 8]).expect("an echo request");
        good.read_exact(&mut [0; 8]).expect("its answer");
    }
    slow.read_exact(&mut [0; 16]).expect("a hello");
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
    let mut end = Vec::new();
    garbage.read_to_end(&mut end).expect("closed");
    assert!(String::from_utf8_lossy(&end).contains("expected a hello first"));
    drop(silent);
    // More than there are places: the oldest silent ones go, the newest is served.
    let many: Vec<UnixStream> = (0..100).map(|_| connect()).collect();
    shake_hands(&mut connect());
    drop(many);
    // Nothing of all that keeps the switch busy.
    let ticks = || -> u64 {
        let pid = host.daemon.as_ref().expect("runs").id();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
        let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split(' ').collect();
        fields[12].parse::<u64>().expect("utime") + fields[13].parse::<u64>().expect("stime")
    };
    let before = ticks();
    std::thread::sleep(Duration::from_secs(1));
    assert!(ticks() - before <= 20, "an idle switch sleeps");
}

#[test]
fn who_asks_without_end_leaves_others_their_turn() {
    let Some(mut host) = Host::new("busy") else { return };
    host.write("a.toml", "[[bridge]]\nname = \"br0\"\n[[bridge]]\nname = \"br1\"\n");
    host.start();
    let mut busy = UnixStream::connect(host.file("run/br0.mgmt")).expect("connect");
    shake_hands(&mut busy);
    let mut answers = busy.try_clone().expect("dup");
    let reader =
        std::thread::spawn(move || while answers.read(&mut [0; 65536]).is_ok_and(|n| n > 0) {});
    let echo = [4, 2, 0, 8, 0, 0, 0, 1].repeat(8192);
    let begin = Instant::now();
    let mut worst = Duration::ZERO;
    let mut other = UnixStream::connect(host.file("run/br1.mgmt")).expect("connect");
    shake_hands(&mut other);
    std::thread::scope(|s| {
        s.spawn(|| {
            while begin.elapsed() < Duration::from_secs(2) {
                busy.write_all(&echo).expect("it is read");
            }
            busy.shutdown(std::net::Shutdown::Both).expect("end");
        });
        while begin.elapsed() < Duration::from_millis(1800) {
            let asked = Instant::now();
            other.write_all(&[4, 2, 0, 8, 0, 0, 0, 8]).expect("an echo request");
            other.read_exact(&mut [0; 8]).expect("its answer");
            worst = worst.max(asked.elapsed());
        }
    });
    reader.join().expect("no panic");
    assert!(worst < Duration::from_millis(500), "{worst:?}");
}

/// `ovs-ofctl ARGS`; `None`, with the reason printed, where there is none.
fn ofctl(host: &Host, args: &str) -> Option<String> {
    let mut command = host.command("ovs-ofctl");
    command.env("OVS_RUNDIR", host.file("run")).current_dir(host.dir.path());
    if !Command::new("ovs-ofctl").arg("--version").output().is_ok_and(|o| o.status.success()) {
        println!("skipped: no ovs-ofctl (package openvswitch-common)");
        return None;
    }
    let out = command.args(["-O", "OpenFlow13"]).args(args.split(' ')).output().expect("run it");
    assert!(out.status.success(), "{args}: {}", String::from_utf8_lossy(&out.stderr));
    Some(String::from_utf8_lossy(&out.stdout).into_owned())
}

#[test]
fn ovs_ofctl_works_by_the_bridges_name() {
    let Some(mut host) = Host::new("ofctl") else { return };
    host.ip("link add veth1 type veth peer name eth1");
    host.ip("link set veth1 up");
    host.ip("link set eth1 up");
    let port = "[[bridge.port]]\nname = \"veth1\"\nofport = 7";
    let bridge = "[[bridge]]\nname = \"br0\"\ndatapath_id = \"00000000000000a1\"";
    host.write("a.toml", &format!("{bridge}\n{port}\n"));
    host.start();
    let Some(show) = ofctl(&host, "show br0") else { return };
    assert!(show.contains("dpid:00000000000000a1"), "{show}");
    assert!(show.contains(" 7(veth1): addr:") && show.contains(" LOCAL(br0): addr:02:"), "{show}");
    let state = |name: &str| {
        let show = ofctl(&host, "dump-ports-desc br0").expect("as before");
        let at = show.find(&format!("({name})")).expect("the port");
        show[at..].split("state:").nth(1).expect("its state").lines().next().map(str::to_owned)
    };
    assert!(state("veth1").is_some_and(|s| s.contains("LIVE")));
    // What a controller sets outlives what the link does.
    ofctl(&host, "mod-port br0 veth1 no-receive");
    host.ip("link set eth1 down");
    host.wait("the link is down", |_| state("veth1").is_some_and(|s| s.contains("LINK_DOWN")));
    host.ip("link set eth1 up");
    host.wait("the link is up", |_| state("veth1").is_some_and(|s| s.contains("LIVE")));
    let desc = ofctl(&host, "dump-ports-desc br0").expect("as before");
    assert!(desc.contains("NO_RECV"), "{desc}");

    ofctl(&host, "add-flow br0 priority=9,ip,nw_dst=10.0.0.1,actions=output:7");
    assert!(host.ok("flow list br0").contains("nw_dst=10.0.0.1"));
    let flows = ofctl(&host, "dump-flows br0").expect("as before");
    assert!(flows.contains("nw_dst=10.0.0.1 actions=output:7") && flows.contains("NORMAL"));
    let text: String =
        (0..20_000).map(|i| format!("priority=5,reg0={i},actions=output:7\n")).collect();
    host.write("many", &text);
    ofctl(&host, "add-flows br0 many");
    let dump = ofctl(&host, "dump-flows br0").expect("as before");
    assert_eq!(dump.lines().filter(|l| l.contains("reg0=")).count(), 20_000);
}

/// A CA with a certificate for the switch and one for the controller, by openssl.
fn certificates(host: &Host) -> bool {
    let script = "
        set -e
        for ca in ca other; do
            openssl req -x509 -newkey rsa:2048 -nodes -keyout $ca.key -out $ca.pem -subj /CN=$ca -days 2
        done
        for who in switch controller; do
            openssl req -newkey rsa:2048 -nodes -keyout $who.key -out $who.csr -subj /CN=$who
            echo basicConstraints=CA:FALSE > ext
            openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $who.pem \
                -days 2 -extfile ext
        done";
    let mut sh = Command::new("sh");
    let made = sh.args(["-c", script]).current_dir(host.dir.path()).output().expect("sh");
    if !made.status.success() {
        println!("skipped: no certificates: {}", String::from_utf8_lossy(&made.stderr));
    }
    made.status.success()
}

#[test]
fn tls_with_certificates_on_both_sides() {
    let Some(mut host) = Host::new("tls") else { return };
    if !certificates(&host) {
        return;
    }
    let config = |ca: &str| {
        format!(
            "[ssl]\nprivate_key = \"switch.key\"\ncertificate = \"switch.pem\"\n\
             ca_cert = \"{ca}.pem\"\n[[bridge]]\nname = \"br0\"\n\
             controller = \"ssl:127.0.0.1:6633\"\nmax_backoff = 1000\n"
        )
    };
    host.write("a.toml", &config("other"));
    // OpenSSL is the controller: it wants a certificate of the switch, and sends what it is given.
    let mut openssl = host.command("openssl");
    openssl.args(["s_server", "-accept", "127.0.0.1:6633", "-quiet", "-Verify", "2"]);
    openssl.args(["-verify_return_error", "-CAfile", "ca.pem"]);
    openssl.args(["-key", "controller.key", "-cert", "controller.pem"]);
    openssl.current_dir(host.dir.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut openssl = openssl.stderr(Stdio::null()).spawn().expect("openssl");
    host.start();
    host.wait("a certificate of another CA is refused", |h| {
        controller(h, 0)["error"].as_str().is_some_and(|e| e.contains("UnknownIssuer"))
    });
    host.write("a.toml", &config("ca"));
    host.ok("reload");
    let mut hello = [0; 16];
    openssl.stdout.as_mut().expect("piped").read_exact(&mut hello).expect("a hello");
    assert_eq!(hello, HELLO);
    openssl.stdin.as_mut().expect("piped").write_all(&HELLO).expect("ours");
    wait_connected(&host, true);
    openssl.kill().expect("kill");
    openssl.wait().expect("end");
    wait_connected(&host, false);

    // The other way round.
    host.ok("controller set br0 pssl:6634:127.0.0.1");
    let client = |key: &str| {
        let mut openssl = host.command("openssl");
        openssl.args(["s_client", "-connect", "127.0.0.1:6634", "-quiet", "-CAfile", "ca.pem"]);
        openssl.args(["-verify_return_error", "-key", &format!("{key}.key")]);
        openssl.args(["-cert", &format!("{key}.pem")]).current_dir(host.dir.path());
        openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        openssl.spawn().expect("openssl")
    };
    let mut stranger = client("other");
    let mut none = Vec::new();
    stranger.stdout.as_mut().expect("piped").read_to_end(&mut none).expect("the end");
    assert!(none.is_empty(), "nothing for a certificate of another CA");
    stranger.wait().expect("end");
    let mut friend = client("controller");
    friend.stdout.as_mut().expect("piped").read_exact(&mut hello).expect("a hello");
    assert_eq!(hello, HELLO);
    friend.stdin.as_mut().expect("piped").write_all(&HELLO).expect("ours");
    wait_connected(&host, true);
    friend.kill().expect("kill");
    friend.wait().expect("end");
    let credentials = "-p controller.key -c controller.pem -C ca.pem";
    if let Some(show) = ofctl(&host, &format!("{credentials} show ssl:127.0.0.1:6634")) {
        assert!(show.contains("LOCAL(br0)"), "{show}");
    }
}

#[test]
fn only_the_default_flow_goes_when_a_controller_is_configured() {
    let Some(mut host) = Host::new("default") else { return };
    host.write("a.toml", "[[bridge]]\nname = \"br0\"\n");
    host.start();
    host.ok("controller set br0 tcp:127.0.0.1:6633");
    assert_eq!(host.ok("flow list br0"), "");
    host.ok("controller del br0");
    host.ok("flow add br0 priority=0,actions=LOCAL");
    host.ok("controller set br0 tcp:127.0.0.1:6633");
    assert!(host.ok("flow list br0").contains("actions=LOCAL"), "no flow of anybody else went");
}
