//! The host's networks, in real network namespaces: every test makes its own and removes them, so
//! that all can run in parallel. They need root; without it they are skipped and say so.

use nix::errno::Errno;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use vxswitch::net::attach::{self, ContainerPort};
use vxswitch::net::container::Target;
use vxswitch::net::monitor::{Event, LinkEvent, LinkEventKind, Monitor};
use vxswitch::net::netns::NetNs;
use vxswitch::net::{Link, LinkChange, Netlink, Route, VethSpec, mtu};

/// Prints why a test cannot run here; true if it can.
fn root(test: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("skipped: {test} needs root (network namespaces, CAP_NET_ADMIN)");
    }
    root
}

/// A named network namespace that ends with the test.
struct Namespace(String);

impl Namespace {
    fn new(test: &str) -> Self {
        let name = format!("vxs-{test}-{}", std::process::id());
        ip(&["netns", "add", &name]);
        ip(&["-n", &name, "link", "set", "lo", "up"]);
        Self(name)
    }

    fn ip(&self, args: &[&str]) {
        ip(&[&["-n", &self.0], args].concat());
    }

    fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let netns = NetNs::by_name(&self.0).expect("the namespace exists");
        netns.run(work).expect("it can be entered")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0]).args(args);
        command
    }

    fn ping(&self, to: &str) -> bool {
        let status = self
            .command(&["ping", "-c", "2", "-i", "0.2", "-W", "2", to])
            .stdout(Stdio::null())
            .status();
        status.expect("ping runs").success()
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

fn ip(args: &[&str]) {
    let output = Command::new("ip").args(args).output().expect("ip runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {args:?}: {said}");
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn change() -> LinkChange {
    LinkChange::default()
}

#[test]
fn veth_is_made_in_both_namespaces_and_configured() {
    if !root("veth_is_made_in_both_namespaces_and_configured") {
        return;
    }
    let (a, b) = (Namespace::new("vetha"), Namespace::new("vethb"));
    let far = NetNs::by_name(&b.0).expect("open");
    a.run(|| {
        let mut netlink = Netlink::open().expect("netlink");
        let spec = VethSpec {
            name: "near",
            peer_name: "eth0",
            peer_netns: Some(&far),
            mtu: Some(1450),
            peer_mac: Some("02:00:00:00:00:05".parse().expect("mac")),
        };
        netlink.create_veth(&spec).expect("made");
        let again = netlink.create_veth(&spec).expect_err("it exists");
        assert_eq!(again.errno, Some(Errno::EEXIST), "{again}");
        assert!(again.to_string().contains("'near'"), "{again}");

        let near = netlink.link("near").expect("there");
        assert_eq!((near.kind.as_deref(), near.mtu, near.up), (Some("veth"), 1450, false));
        assert!(near.peer_netns.is_some());
        netlink
            .set_link(
                near.ifindex,
                &LinkChange {
                    up: Some(true),
                    mtu: Some(1400),
                    alias: Some("x".into()),
                    ..change()
                },
            )
            .expect("set");
        netlink.add_address(near.ifindex, "10.9.0.1/24".parse().expect("cidr")).expect("address");
        let near = netlink.link("near").expect("there");
        assert_eq!((near.mtu, near.up, near.alias.as_deref()), (1400, true, Some("x")));
        assert!(!near.carries(), "the far end is down");

        let error = netlink
            .set_link(near.ifindex, &LinkChange { mtu: Some(100_000), ..change() })
            .expect_err("too big");
        let text = error.to_string();
        assert!(text.contains("'near'") && text.contains("100000"), "{text}");
        assert!(text.contains("maximum") && text.contains("maxmtu"), "{text}");
        assert!(netlink.link_by_name("nothing").expect("asked").is_none());
        let error = netlink.link_by_name("name-of-sixteen-").expect_err("too long");
        assert!(error.to_string().contains("15 bytes"), "{error}");
    });
    b.run(|| {
        let mut netlink = Netlink::open().expect("netlink");
        let eth0 = netlink.link("eth0").expect("born here");
        assert_eq!(eth0.mac.map(|m| m.to_string()).as_deref(), Some("02:00:00:00:00:05"));
        netlink
            .set_link(
                eth0.ifindex,
                &LinkChange {
                    name: Some("eth7".into()),
                    mac: Some("02:00:00:00:00:07".parse().expect("mac")),
                    up: Some(true),
                    ..change()
                },
            )
            .expect("renamed");
        netlink.add_address(eth0.ifindex, "10.9.0.2/24".parse().expect("cidr")).expect("address");
        netlink.add_address(eth0.ifindex, "fd09::2/64".parse().expect("cidr")).expect("address");
        let route = |dst: &str, via: Option<&str>| Route {
            dst: dst.parse().expect("cidr"),
            via: via.map(address),
            oif: eth0.ifindex,
            mtu: None,
        };
        netlink.add_route(&route("0.0.0.0/0", Some("10.9.0.1"))).expect("default");
        netlink.add_route(&route("10.10.0.0/16", None)).expect("on-link");
        netlink.add_route(&route("fd10::/64", Some("fd09::1"))).expect("IPv6");
        netlink.add_route(&route("fd11::/64", None)).expect("IPv6 on-link");
        let error = netlink
            .add_route(&route("10.11.0.0/16", Some("172.16.0.1")))
            .expect_err("no such router");
        assert!(error.to_string().contains("172.16.0.1"), "{error}");
        let hit = netlink.route_get(address("8.8.8.8"), None).expect("default route");
        assert_eq!(
            (hit.oif, hit.via, hit.src),
            (eth0.ifindex, Some(address("10.9.0.1")), Some(address("10.9.0.2")))
        );
        let hit = netlink.route_get(address("fd10::9"), None).expect("IPv6 route");
        assert_eq!(hit.via, Some(address("fd09::1")));
        assert!(netlink.route_get(address("10.9.0.2"), None).expect("own").local);
    });
    assert!(a.ping("10.9.0.2"), "over the veth");
    a.run(|| {
        let mut netlink = Netlink::open().expect("netlink");
        let near = netlink.link("near").expect("there");
        assert!(near.carries());
        netlink.set_netns(near.ifindex, &far).expect("moved");
        assert!(netlink.link_by_name("near").expect("asked").is_none());
        let error = netlink.delete_link(near.ifindex).expect_err("gone");
        assert_eq!(error.errno, Some(Errno::ENODEV), "{error}");
    });
    b.run(|| {
        let mut netlink = Netlink::open().expect("netlink");
        let near = netlink.link("near").expect("arrived");
        netlink.delete_link(near.ifindex).expect("removed");
        assert!(netlink.link_by_name("eth7").expect("asked").is_none(), "the pair ends together");
    });
}

/// Reads until `wanted` holds of an event, at most two seconds; what came before is returned too.
fn wait(monitor: &mut Monitor, wanted: impl Fn(&LinkEvent) -> bool) -> Vec<LinkEvent> {
    let end = Instant::now() + Duration::from_secs(2);
    let mut seen = Vec::new();
    while Instant::now() < end {
        for event in monitor.next_events().expect("read") {
            if let Event::Link(event) = event {
                seen.push(event);
            }
        }
        if seen.iter().any(&wanted) {
            return seen;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the event did not come; seen: {seen:#?}");
}

#[test]
fn monitor_sees_devices_come_change_and_go() {
    if !root("monitor_sees_devices_come_change_and_go") {
        return;
    }
    let (a, b) = (Namespace::new("mona"), Namespace::new("monb"));
    a.ip(&["link", "add", "d0", "type", "veth", "peer", "name", "d1"]);
    let (mut monitor, first) = a.run(|| {
        let mut monitor = Monitor::open().expect("subscribed");
        let first = monitor.resync(&mut Netlink::open().expect("netlink")).expect("listed");
        (monitor, first)
    });
    let names: Vec<_> = first
        .iter()
        .filter_map(|e| match e {
            Event::Link(l) => Some(l.name.as_str()),
            _ => None,
        })
        .collect();
    assert!(names.contains(&"lo") && names.contains(&"d0"), "{names:?}");
    assert_eq!(monitor.next_events().expect("read"), [], "nothing new");

    a.ip(&["link", "add", "v0", "type", "veth", "peer", "name", "v1"]);
    wait(&mut monitor, |e| e.name == "v0" && e.kind == LinkEventKind::New && !e.up);
    a.ip(&["link", "set", "v0", "up"]);
    a.ip(&["link", "set", "v1", "up"]);
    wait(&mut monitor, |e| e.name == "v0" && e.up);
    a.ip(&["link", "set", "v1", "down"]);
    wait(&mut monitor, |e| e.name == "v0" && !e.up);
    a.ip(&["link", "set", "v0", "mtu", "1400"]);
    wait(&mut monitor, |e| e.name == "v0" && e.mtu == 1400);
    a.ip(&["link", "set", "v0", "address", "02:00:00:00:00:44"]);
    wait(&mut monitor, |e| e.mac.is_some_and(|m| m.to_string() == "02:00:00:00:00:44"));
    a.ip(&["link", "set", "v0", "down"]);
    a.ip(&["link", "set", "v0", "name", "w0"]);
    let seen = wait(&mut monitor, |e| e.name == "w0");
    let gone = seen.iter().position(|e| e.name == "v0" && e.kind == LinkEventKind::Gone);
    let new = seen.iter().position(|e| e.name == "w0");
    assert!(gone.is_some() && gone < new, "a rename is the old name's end: {seen:#?}");

    // A Linux bridge tells of its ports by messages that must not look like the devices' end.
    a.ip(&["link", "add", "b0", "type", "bridge"]);
    a.ip(&["link", "set", "d0", "master", "b0"]);
    a.ip(&["link", "set", "d0", "nomaster"]);
    a.ip(&["link", "set", "d0", "mtu", "1300"]);
    let seen = wait(&mut monitor, |e| e.name == "d0" && e.mtu == 1300);
    assert!(seen.iter().all(|e| e.kind == LinkEventKind::New), "{seen:#?}");

    a.ip(&["link", "set", "d0", "netns", &b.0]);
    wait(&mut monitor, |e| e.name == "d0" && e.kind == LinkEventKind::Gone);
    a.ip(&["link", "del", "w0"]);
    wait(&mut monitor, |e| e.name == "v1" && e.kind == LinkEventKind::Gone);

    a.ip(&["addr", "add", "10.9.1.1/24", "dev", "b0"]);
    let events = monitor.next_events().expect("read");
    assert!(events.contains(&Event::Underlay), "{events:?}");
}

#[test]
fn monitor_recovers_from_lost_messages() {
    if !root("monitor_recovers_from_lost_messages") {
        return;
    }
    let a = Namespace::new("monlost");
    let (mut monitor, mut netlink) =
        a.run(|| (Monitor::open().expect("subscribed"), Netlink::open().expect("netlink")));
    monitor.resync(&mut netlink).expect("listed");
    // 8 MB of messages are more than the buffer holds.
    let mut batch = String::new();
    for i in 0..20 {
        batch.push_str(&format!("link add d{i} type bridge\n"));
    }
    for round in 0..300 {
        for i in 0..20 {
            batch.push_str(&format!("link set d{i} mtu {}\n", 1300 + round));
        }
    }
    batch.push_str("link del d7\n");
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("batch");
    fs::write(&file, batch).expect("written");
    a.ip(&["-batch", file.to_str().expect("UTF-8")]);
    let mut events = monitor.next_events().expect("read");
    assert!(events.contains(&Event::Resync), "{} events", events.len());
    events.extend(monitor.resync(&mut netlink).expect("listed"));
    let mut there = std::collections::HashMap::new();
    for event in &events {
        if let Event::Link(l) = event {
            there.insert(l.name.clone(), (l.kind, l.mtu));
        }
    }
    assert_eq!(there["d19"], (LinkEventKind::New, 1599));
    assert_eq!(there.get("d7").map_or(LinkEventKind::Gone, |d| d.0), LinkEventKind::Gone);
}

fn port(target: Target) -> ContainerPort {
    ContainerPort {
        target,
        ifname: "eth5".into(),
        ip: vec!["10.9.2.2/24".parse().expect("cidr"), "fd09:2::2/64".parse().expect("cidr")],
        mac: Some("02:00:00:00:02:02".parse().expect("mac")),
        mtu: Some(1450),
        gateway: Some(address("10.9.2.1")),
        routes: vec!["10.77.0.0/16=via 10.9.2.1".parse().expect("route")],
    }
}

/// Attaches in namespace `host`, checks that packets pass, that a second attach keeps it, that
/// another container after a restart gets a new one, and that detach removes it.
fn attach_and_ping(host: &Namespace, port: &ContainerPort) -> Link {
    host.run(|| {
        let mut netlink = Netlink::open().expect("netlink");
        let made = attach::attach(&mut netlink, port).expect("attached");
        assert!(!made.kept);
        assert_eq!(made.host_ifname, attach::host_ifname(&port.target, &port.ifname));
        netlink
            .add_address(made.host_ifindex, "10.9.2.1/24".parse().expect("cidr"))
            .expect("address");
        let again = attach::attach(&mut netlink, port).expect("attached again");
        assert!(again.kept && again.host_ifindex == made.host_ifindex);
        let link = netlink.link(&made.host_ifname).expect("there");
        assert!(link.carries() && link.mtu == 1450);
        link
    })
}

#[test]
fn attach_by_namespace_name() {
    if !root("attach_by_namespace_name") {
        return;
    }
    let (host, inner) = (Namespace::new("atth"), Namespace::new("attc"));
    let mut port = port(Target::Netns(inner.0.clone()));
    attach_and_ping(&host, &port);
    assert!(host.ping("10.9.2.2") && inner.ping("10.9.2.1"));
    inner.run(|| {
        let mut netlink = Netlink::open().expect("netlink");
        let eth5 = netlink.link("eth5").expect("there");
        assert_eq!(eth5.mac, port.mac);
        assert_eq!(netlink.route_get(address("10.77.1.1"), None).expect("route").oif, eth5.ifindex);
        assert_eq!(netlink.route_get(address("8.8.8.8"), None).expect("default").oif, eth5.ifindex);
    });
    host.run(|| {
        let mut netlink = Netlink::open().expect("netlink");
        attach::set_mtu(&mut netlink, &port.target, "eth5", 1400).expect("both ends");
        assert!(attach::is_attached(&mut netlink, &port.target, "eth5").expect("asked"));
        attach::detach(&mut netlink, &port.target, "eth5").expect("detached");
        attach::detach(&mut netlink, &port.target, "eth5").expect("nothing to do");
        assert!(!attach::is_attached(&mut netlink, &port.target, "eth5").expect("asked"));

        // A failure at the last step (no router there) leaves nothing behind.
        port.routes.push("10.78.0.0/16=via 172.16.0.1".parse().expect("route"));
        let error = attach::attach(&mut netlink, &port).expect_err("no such router");
        assert!(error.to_string().contains("172.16.0.1"), "{error}");
        assert_eq!(netlink.links().expect("list").len(), 1, "only lo");
        port.routes.pop();
    });
    // A name that is taken there, by something that is not ours.
    inner.ip(&["link", "add", "eth5", "type", "bridge"]);
    host.run(|| {
        let mut netlink = Netlink::open().expect("netlink");
        let text = attach::attach(&mut netlink, &port).expect_err("taken").to_string();
        assert!(text.contains("bridge"), "{text}");
        // The near end's name is taken by somebody else's device.
        let name = attach::host_ifname(&port.target, "eth5");
        ip(&["-n", &host.0, "link", "add", &name, "type", "bridge"]);
        let text = attach::attach(&mut netlink, &port).expect_err("foreign").to_string();
        assert!(text.contains(&name), "{text}");
        assert!(attach::detach(&mut netlink, &port.target, "eth5").is_err());
        assert!(netlink.link_by_name(&name).expect("asked").is_some(), "not ours, not removed");
    });
}

#[test]
fn attach_by_pid_and_after_a_restart() {
    if !root("attach_by_pid_and_after_a_restart") {
        return;
    }
    let host = Namespace::new("attp");
    let container = || {
        let child = Command::new("unshare").args(["--net", "sleep", "60"]).spawn();
        let child = Process(child.expect("unshare runs"));
        let mine = NetNs::current().expect("open").inode().expect("inode");
        let end = Instant::now() + Duration::from_secs(2);
        while NetNs::by_pid(child.0.id()).expect("open").inode().expect("inode") == mine {
            assert!(Instant::now() < end, "unshare did not");
            std::thread::sleep(Duration::from_millis(5));
        }
        child
    };
    let first = container();
    let by_pid = port(Target::Netns(first.0.id().to_string()));
    attach_and_ping(&host, &by_pid);
    assert!(host.ping("10.9.2.2"));
    drop(first);

    // The same name for another namespace, as after a container's restart; the name is a link to
    // change.
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("net");
    let target = Target::Netns(path.to_str().expect("UTF-8").into());
    let (first, second) = (container(), container());
    let point_at = |process: &Process| {
        let _ = fs::remove_file(&path);
        std::os::unix::fs::symlink(format!("/proc/{}/ns/net", process.0.id()), &path)
            .expect("linked");
    };
    point_at(&first);
    let before = attach_and_ping(&host, &port(target.clone()));
    point_at(&second);
    host.run(|| {
        let mut netlink = Netlink::open().expect("netlink");
        let made = attach::attach(&mut netlink, &port(target.clone())).expect("attached anew");
        assert!(!made.kept);
        assert_eq!(made.host_ifname, before.name);
        assert_ne!(made.host_ifindex, before.ifindex);
        netlink
            .add_address(made.host_ifindex, "10.9.2.1/24".parse().expect("cidr"))
            .expect("address");
    });
    assert!(host.ping("10.9.2.2"), "the second container answers");
}

#[test]
fn namespaces_that_are_none_are_refused() {
    for (text, says) in [
        ("vxs-no-such", "no-such"),
        ("4194304999", "4194304999"),
        ("/etc/passwd", "not a namespace"),
        ("..", "not a namespace's name"),
    ] {
        let error = NetNs::parse(text).expect_err(text).to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn containers_are_found_through_docker_then_podman() {
    // Stand-ins for the tools, found through PATH by a process of their own (this test again).
    if std::env::var_os("VXS_TOOLS").is_some() {
        let pid = |name| vxswitch::net::container::container_pid(name);
        assert_eq!(pid("web").expect("docker knows it"), 4711);
        assert_eq!(pid("db").expect("podman knows it"), 4712);
        let text = pid("off").expect_err("stopped").to_string();
        assert!(text.contains("docker start off"), "{text}");
        let text = pid("none").expect_err("unknown").to_string();
        assert!(
            text.contains("docker: Error: no such object") && text.contains("podman: "),
            "{text}"
        );
        return;
    }
    let dir = tempfile::tempdir().expect("temporary directory");
    let tool = |name: &str, script: &str| {
        let path = dir.path().join(name);
        fs::write(&path, format!("#!/bin/sh\nfor n; do :; done\n{script}\n")).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    };
    let no = "echo 'Error: no such object' >&2; exit 1";
    tool("docker", &format!("case $n in web) echo 4711;; off) echo 0;; *) {no};; esac"));
    tool("podman", &format!("case $n in db) echo 4712;; *) {no};; esac"));
    let status = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "containers_are_found_through_docker_then_podman"])
        .env("VXS_TOOLS", "1")
        .env("PATH", dir.path())
        .status()
        .expect("runs");
    assert!(status.success());
}

#[test]
fn overlay_mtu_follows_the_route() {
    if !root("overlay_mtu_follows_the_route") {
        return;
    }
    let a = Namespace::new("mtu");
    a.ip(&["link", "add", "u0", "mtu", "1600", "type", "bridge"]);
    a.ip(&["addr", "add", "192.168.9.1/24", "dev", "u0"]);
    a.ip(&["addr", "add", "fd09:9::1/64", "dev", "u0", "nodad"]);
    a.ip(&["link", "set", "u0", "up"]);
    a.ip(&["route", "add", "10.50.0.0/16", "via", "192.168.9.2", "mtu", "1400"]);
    a.ip(&["route", "add", "fd50::/64", "via", "fd09:9::2", "mtu", "1380"]);
    a.run(|| {
        let mut netlink = Netlink::open().expect("netlink");
        let mut under = |remote: &str, local: Option<&str>| {
            mtu::underlay(&mut netlink, address(remote), local.map(address))
        };
        let device = under("192.168.9.2", None).expect("route");
        assert_eq!((device.device.as_str(), device.mtu), ("u0", 1600));
        assert_eq!((device.overlay_mtu, device.max_frame), (1550, 1564));
        assert_eq!(device.src, Some(address("192.168.9.1")));
        assert_eq!(under("192.168.9.2", Some("192.168.9.1")).expect("route").mtu, 1600);
        let v6 = under("fd09:9::2", Some("fd09:9::1")).expect("route");
        assert_eq!((v6.overlay_mtu, v6.max_frame), (1530, 1544));
        assert_eq!(under("10.50.0.9", None).expect("route").overlay_mtu, 1350);
        assert_eq!(under("fd50::9", None).expect("route").overlay_mtu, 1310);
        assert_eq!(under("127.0.0.1", None).expect("own").max_frame, 65_499);

        let error = under("10.60.0.1", None).expect_err("no route").to_string();
        assert!(error.contains("10.60.0.1") && error.contains("ip route"), "{error}");
        let error = under("192.168.9.2", Some("192.168.9.77")).expect_err("not ours");
        assert!(error.to_string().contains("192.168.9.77"), "{error}");
        assert!(under("192.168.9.2", Some("fd09:9::1")).is_err());
        mtu::set(&mut netlink, "u0", 1450).expect("set");
        assert_eq!(netlink.link("u0").expect("there").mtu, 1450);
    });
}

#[test]
fn underlay_routes_keep_what_decides() {
    if !root("underlay_routes_keep_what_decides") {
        return;
    }
    let a = Namespace::new("mtur");
    for (name, mtu) in [("u0", "1600"), ("u1", "9000")] {
        a.ip(&["link", "add", name, "mtu", mtu, "type", "bridge"]);
        a.ip(&["link", "set", name, "up"]);
    }
    a.ip(&["addr", "add", "192.168.9.1/24", "dev", "u0"]);
    a.ip(&["addr", "add", "192.168.8.1/24", "dev", "u1"]);
    a.ip(&["route", "add", "default", "via", "192.168.9.2"]);
    a.ip(&["route", "add", "10.50.0.0/16", "via", "192.168.9.2", "mtu", "1400"]);
    a.ip(&["route", "add", "10.50.1.0/24", "via", "192.168.9.3", "mtu", "1400"]);
    a.ip(&["route", "add", "10.51.0.0/16", "via", "192.168.9.3"]);
    let hops = ["nexthop", "via", "192.168.9.2", "nexthop", "via", "192.168.8.2"];
    a.ip(&[&["route", "add", "10.52.0.0/16"], &hops[..]].concat());
    a.ip(&["route", "add", "10.53.0.0/16", "via", "192.168.8.2"]);
    let routes = a.run(|| mtu::underlay_routes(&mut Netlink::open().expect("netlink")));
    let mut v4: Vec<(String, u16)> = routes
        .expect("listed")
        .iter()
        .filter(|r| r.network.is_ipv4())
        .map(|r| (format!("{}/{}", r.network, r.prefix), r.mtu))
        .collect();
    v4.sort();
    let wanted = [
        ("0.0.0.0/0", 1600),
        ("10.50.0.0/16", 1400),
        ("10.53.0.0/16", 9000),
        ("192.168.8.0/24", 9000),
    ];
    assert_eq!(v4, wanted.map(|(dst, mtu)| (dst.to_string(), mtu)));
}
