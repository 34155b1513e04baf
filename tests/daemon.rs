//! The daemon's life in a network namespace: start, show, change, reload, stop, crash.

mod host;

use host::{Host, kill};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::time::{Duration, Instant};

const CONFIG: &str = r#"
[[bridge]]
name = "br0"
[[bridge.port]]
name = "veth1"
ofport = 7
[[bridge.port]]
name = "veth2"
"#;

fn host_with_veth(test: &str) -> Option<Host> {
    let mut host = Host::new(test)?;
    host.ip("link add veth1 type veth peer name eth1");
    host.ip("link set veth1 up");
    host.ip("link set eth1 up");
    host.write("a.toml", CONFIG);
    host.start();
    Some(host)
}

#[test]
fn start_show_and_stop() {
    let Some(mut host) = host_with_veth("life") else { return };
    assert!(host.has_link("br0"), "LOCAL is there");
    assert!(host.guarded("veth1"), "the host's stack is kept off");
    assert_eq!(host.port("veth1")["link"], "up");
    assert_eq!(host.port("veth1")["ofport"], 7);
    assert_eq!(host.port("veth2")["link"], "missing");
    assert_eq!(host.port("veth2")["ofport"], 1);
    assert_eq!(host.port("br0")["link"], "up");
    let text = host.ok("show");
    for words in ["Bridge br0", "Port veth1 (7): system, link up", "Port br0 (LOCAL): internal"] {
        assert!(text.contains(words), "{words} in {text}");
    }
    assert!(host.ok("flow list br0").contains("NORMAL"), "a bridge without a file forwards");
    assert!(host.ok("stats").contains("veth1"));
    assert!(host.ok("fdb br0").contains("MAC"));
    assert!(host.signal("-TERM"), "exit code 0");
    assert!(!host.has_link("br0"), "the TAP is removed");
    assert!(host.has_link("veth1") && !host.guarded("veth1"), "the veth is given back");
    assert!(!host.file("run/vxswitch.sock").exists());
    assert!(!host.file("run/taken.json").exists());
    assert!(host.fails("show").contains("vxswitch run -c FILE"), "says how to start");
}

#[test]
fn devices_come_go_and_change() {
    let Some(host) = host_with_veth("dev") else { return };
    host.ip("link add veth2 type veth peer name eth2");
    host.wait("it came", |h| h.port("veth2")["link"] == "down");
    host.ip("link set veth2 up");
    host.ip("link set eth2 up");
    host.wait("it is up", |h| h.port("veth2")["link"] == "up");
    assert!(host.guarded("veth2"));
    host.ip("link set veth2 mtu 1400");
    host.wait("its MTU", |h| h.port("veth2")["mtu"] == 1400);
    host.ip("link set veth2 down");
    host.wait("it is down", |h| h.port("veth2")["link"] == "down");
    host.ip("link del veth2");
    host.wait("it went", |h| h.port("veth2")["link"] == "missing");
    host.ip("link add veth2 type veth peer name eth2");
    host.wait("it is back", |h| h.port("veth2")["link"] == "down");
    assert_eq!(host.port("veth2")["ofport"], 1, "it kept its number");
    // A device removed and made anew between two looks is another one all the same.
    host.ip("link del veth1");
    host.ip("link add veth1 type veth peer name eth1");
    host.wait("the new one", |h| h.port("veth1")["link"] == "down" && h.guarded("veth1"));
    host.ip("link del br0");
    host.wait("LOCAL is made anew", |h| h.port("br0")["link"] == "up");
}

#[test]
fn a_killed_daemon_leaves_nothing_in_the_way() {
    let Some(mut host) = host_with_veth("kill") else { return };
    host.signal("-KILL");
    assert!(host.guarded("veth1"), "what a dead switch leaves");
    assert!(host.fails("show").contains("no vxswitch is running"), "a stale socket is no switch");
    // The next one does not have this port any more: it must be given back all the same.
    host.write("a.toml", "[[bridge]]\nname = \"br0\"\n[[bridge.port]]\nname = \"veth2\"\n");
    host.start();
    assert!(!host.guarded("veth1"), "given back");
    assert_eq!(host.port("br0")["link"], "up");
    assert!(host.signal("-INT"));
    assert!(!host.has_link("br0"));
}

#[test]
fn one_daemon_for_each_run_directory() {
    let Some(mut host) = host_with_veth("lock") else { return };
    let err = host.refused();
    let pid = host.daemon.as_ref().map(Child::id).expect("runs").to_string();
    assert!(err.contains("another vxswitch") && err.contains(&pid), "{err}");
    assert_eq!(host.port("br0")["link"], "up", "the first is not harmed");
    assert!(host.signal("-TERM"));
}

#[test]
fn reload_applies_the_difference_or_nothing() {
    let Some(mut host) = host_with_veth("load") else { return };
    let index = |h: &Host| h.ip("-o link show br0").split(':').next().map(str::to_owned);
    let before = index(&host);
    host.ok("port add br0 veth3 tag=30");
    assert_eq!(host.port("veth3")["ofport"], 2);

    host.write("a.toml", &CONFIG.replace("ofport = 7", "ofport = 7\ntag = 4095"));
    let err = host.fails("reload");
    assert!(err.contains("a.toml:7: tag = 4095: expected a number from 1 to 4094"), "{err}");

    // A flow that only the tables refuse, beside a change to a port.
    let tagged = CONFIG.replace("ofport = 7", "ofport = 7\ntag = 9");
    let with_flows = tagged.replace("name = \"br0\"", "name = \"br0\"\nflows = \"a.flows\"");
    host.write("a.toml", &with_flows);
    host.write("a.flows", "priority=1,actions=NORMAL\ntable=3,actions=goto_table:2\n");
    let err = host.fails("reload");
    assert!(err.contains("a.flows:2: goto_table:2 in table 3"), "{err}");
    assert_eq!(host.port("veth1")["options"]["tag"], serde_json::Value::Null, "half applied");
    assert!(!host.ok("show").contains("not all of the desired state"));

    // A bridge that the kernel refuses (the name is a device already), beside a change to a port.
    host.ip("link add taken type veth peer name taken-peer");
    host.write("a.toml", &format!("{tagged}[[bridge]]\nname = \"taken\"\n"));
    let err = host.fails("reload");
    assert!(err.contains("taken"), "{err}");
    assert_eq!(host.port("veth1")["options"]["tag"], serde_json::Value::Null, "half applied");
    assert!(!host.ok("show").contains("not all of the desired state"));
    host.ip("link del taken");

    let changed = CONFIG.replace("ofport = 7", "ofport = 7\ntag = 10").replace("veth2", "veth4");
    host.write("a.toml", &format!("{changed}[[bridge]]\nname = \"br1\"\n"));
    host.ok("reload");
    assert_eq!(host.port("veth1")["options"]["tag"], "10");
    assert_eq!(host.port("veth2"), serde_json::Value::Null);
    assert_eq!(host.port("veth4")["ofport"], 1);
    assert_eq!(host.port("veth3")["options"]["tag"], "30", "the command line's stays");
    assert!(host.has_link("br1"));
    assert_eq!(index(&host), before, "br0 was left alone");

    host.write("a.toml", CONFIG);
    let daemon = host.daemon.as_ref().expect("runs");
    kill(daemon, "-HUP");
    host.wait("SIGHUP reloads", |h| !h.has_link("br1"));
    assert!(host.signal("-TERM"));
}

#[test]
fn the_command_line_makes_changes_and_refuses_bad_ones() {
    let Some(host) = host_with_veth("cli") else { return };
    host.ok("bridge add br2 mtu=1400");
    assert!(host.ip("link show br2").contains("mtu 1400"));
    assert!(host.fails("bridge add br2").contains("exists already"));
    assert!(host.fails("bridge add br3 mtu=1").contains("mtu = \"1\": expected"));
    assert!(host.fails("bridge del br9").contains("expected one of: br0, br2"));
    host.ok("port add br2 vxlan0 type=vxlan remote_ip=192.0.2.1 key=100 dst_port=14789");
    assert_eq!(host.port("vxlan0")["options"]["key"], "100");
    host.ok("port set br2 vxlan0 key=200");
    assert_eq!(host.port("vxlan0")["options"]["key"], "200");
    assert_eq!(host.port("vxlan0")["options"]["remote_ip"], "192.0.2.1");
    assert!(host.fails("port set br2 vxlan0 key=x").contains("or flow"));
    assert!(host.fails("port add br0 veth1").contains("already"));
    assert!(host.fails("port add br0 veth9 ofport=7").contains("ofport 7 is that of port"));
    assert!(host.fails("port del br0 veth9").contains("expected one of: veth1, veth2"));
    host.ok("port del br0 veth1");
    assert!(!host.guarded("veth1"));
    host.ok("bridge del br2");
    assert!(!host.has_link("br2"));
    let usage = host.cli("bridge");
    assert_eq!(usage.status.code(), Some(2));
}

#[test]
fn patch_ports_are_made_and_deleted_one_by_one() {
    let Some(host) = host_with_veth("patch") else { return };
    host.ok("bridge add br1");
    let out = host.cli("port add br0 to1 type=patch peer=to0");
    let err = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && err.contains("to0 does not exist yet"), "{err}");
    assert_eq!(host.port("to1")["link"], "missing");
    host.ok("port add br1 to0 type=patch peer=to1");
    assert_eq!(host.port("to1")["link"], "up");
    assert_eq!(host.port("to0")["link"], "up");
    assert!(host.fails("port add br1 to2 type=patch peer=to1").contains("has the peer"));
    host.ok("bridge del br1");
    assert_eq!(host.port("to1")["link"], "missing");
    host.ok("port del br0 to1");
}

#[test]
fn a_tunnel_without_a_route_keeps_its_mtu() {
    let Some(host) = host_with_veth("route") else { return };
    host.ok("bridge add br1");
    let vxlan = "port add br1 vxlan0 type=vxlan dst_port=14789 remote_ip=192.0.2.2 key=0x64";
    host.ok(vxlan);
    assert_eq!(host.port("vxlan0")["options"]["key"], "100");
    assert_eq!(host.port("br1")["mtu"], 1450, "what most underlays carry");
    host.ip("link add under type veth peer name far");
    host.ip("link set under mtu 1400 up");
    host.ip("link set far up");
    host.ip("addr add 192.0.2.1/24 dev under");
    host.wait("worked out", |h| h.port("br1")["mtu"] == 1350);
    host.ip("addr del 192.0.2.1/24 dev under");
    host.wait("no route", |h| h.port("vxlan0")["warnings"][0].is_string());
    assert_eq!(host.port("br1")["mtu"], 1350, "containers do not see it go up and down");
}

#[test]
fn a_container_gets_its_interface() {
    let Some(mut host) = host_with_veth("cont") else { return };
    let inside = Host::new("inside").expect("as the first");
    let (br, ns) = ("br0", &inside.netns);
    let added = host.ok(&format!(
        "port add {br} eth7 --netns {ns} --ip 10.9.0.7/24 --mac 02:00:00:00:00:07 \
         --gateway 10.9.0.1 tag=10 --json"
    ));
    let added: serde_json::Value = serde_json::from_str(&added).expect("JSON");
    let name = added["port"].as_str().expect("a name").to_owned();
    assert_eq!(host.port(&name)["link"], "up");
    let link = inside.ip("addr show eth7");
    for words in ["10.9.0.7/24", "02:00:00:00:00:07", "mtu 1500", "UP"] {
        assert!(link.contains(words), "{words} in {link}");
    }
    assert!(inside.ip("route").contains("default via 10.9.0.1"));
    host.ok(&format!("port del {br} {name}"));
    assert!(!inside.has_link("eth7"));
    host.ok(&format!("port add {br} eth7 --netns {ns}"));
    let mac =
        |text: &str| text.split(' ').skip_while(|w| *w != "link/ether").nth(1).map(str::to_owned);
    let before = mac(&inside.ip("link show eth7"));
    inside.ip("link del eth7");
    host.wait("made anew", |_| inside.has_link("eth7"));
    assert_eq!(mac(&inside.ip("link show eth7")), before, "neighbours know that one");
    host.ok(&format!("port del {br} {name}"));
    host.ok(&format!("port add {br} eth7 --netns {ns} --ip 10.9.0.7/24"));
    host.signal("-KILL");
    host.start();
    assert!(!inside.has_link("eth7"), "the file does not have it");
    host.ok(&format!("port add {br} eth7 --netns {ns} --ip 10.9.0.7/24"));
    assert!(host.signal("-TERM"));
    assert!(!inside.has_link("eth7"), "made by the switch, removed by it");
}

#[test]
fn a_wrong_file_changes_nothing() {
    let Some(host) = Host::new("wrong") else { return };
    host.write("a.toml", "[[bridge]]\nname = \"br0\"\nflows = \"a.flows\"\n");
    let refused = |words: &str| {
        let err = host.refused();
        assert!(err.contains(words), "{words} in {err}");
        assert!(!host.has_link("br0"));
    };
    refused("a.flows: cannot read it");
    host.write("a.flows", "# comment\npriority=1,actions=NORMAL\n\npriority=2,actions=jump\n");
    refused("a.flows:4: ");
    host.write("a.toml", "[[bridge]]\nname = \"br0\"\nspeed = 1\n");
    refused("a.toml:3: unknown key \"speed\" of a bridge");
}

#[test]
fn no_client_holds_the_daemon_up() {
    let Some(host) = host_with_veth("sock") else { return };
    let connect = || UnixStream::connect(host.file("run/vxswitch.sock")).expect("connect");
    let mode = fs::metadata(host.file("run/vxswitch.sock")).expect("there").permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
    let mut garbage = connect();
    garbage.write_all(b"\x00\xffGET / HTTP/1.1\r\n\n").expect("write");
    let mut answer = String::new();
    garbage.read_to_string(&mut answer).expect("an answer, then the end");
    assert!(answer.contains("not a request"), "{answer}");
    // Silent ones, half a request, one that asks and asks and never reads.
    let silent: Vec<UnixStream> = (0..100).map(|_| connect()).collect();
    let mut half = connect();
    half.write_all(b"{\"verb\":").expect("write");
    let mut deaf = connect();
    deaf.set_nonblocking(true).expect("non-blocking");
    for _ in 0..100_000 {
        if deaf.write_all(b"{\"verb\":\"show\"}\n").is_err() {
            break;
        }
    }
    let begin = Instant::now();
    assert_eq!(host.port("br0")["link"], "up");
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    drop(silent);
    // The half request is still welcome to go on, if its place was not given away.
    let _ = half.write_all(b"\"show\"}\n");
    assert_eq!(host.port("br0")["link"], "up");
}

#[test]
fn frames_pass_and_are_counted() {
    let Some(mut host) = Host::new("ping") else { return };
    let (a, b) = (Host::new("a").expect("as the first"), Host::new("b").expect("as the first"));
    host.write("a.toml", "[[bridge]]\nname = \"br0\"\nmac = \"02:00:00:00:00:01\"\n");
    host.start();
    host.ip("addr add 10.9.0.1/24 dev br0");
    for (n, inside) in [(2, &a), (3, &b)] {
        host.ok(&format!("port add br0 eth0 --netns {} --ip 10.9.0.{n}/24", inside.netns));
    }
    let ping = |from: &Host, to: &str| {
        let args = ["-c", "2", "-i", "0.05", "-W", "2", to];
        from.command("ping").args(args).output().expect("ping").status.success()
    };
    assert!(ping(&a, "10.9.0.3"), "container to container");
    assert!(ping(&a, "10.9.0.1"), "container to the host, by LOCAL");
    assert!(ping(&host, "10.9.0.3"), "host to container");
    let fdb = host.ok("fdb br0");
    assert!(fdb.contains("LOCAL") && fdb.contains("02:00:00:00:00:01"), "{fdb}");
    host.ok("flow add br0 priority=9,icmp,nw_dst=10.9.0.3,actions=drop");
    assert!(!ping(&a, "10.9.0.3"), "the flow drops it");
    let list = host.ok("flow list br0 icmp");
    assert!(list.contains("n_packets=2,"), "{list}");
    assert!(list.contains("actions=drop") && !list.contains("NORMAL"), "{list}");
    assert!(host.fails("flow add br0 priority=9,actions=jump").contains("jump"));
    let stats = host.ok("stats");
    assert!(stats.contains("no-output") && stats.contains("no output action"), "{stats}");
    host.ok("flow del br0 icmp,nw_dst=10.9.0.3");
    assert!(ping(&a, "10.9.0.3"), "the flow is gone");
    assert!(host.signal("-TERM"));
    assert!(!a.has_link("eth0"));
}
