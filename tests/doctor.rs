//! The doctor, on the machine that the tests run on: it finds what is there, says what is not, and
//! leaves no trace. Without root the tests are skipped and say so.

use std::process::Command;
use vxswitch::doctor::{self, Status};
use vxswitch::net::Netlink;
use vxswitch::net::netns::run_in_private;

/// Prints why a test cannot run here; true if it can.
fn root(test: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        println!("skipped: {test} needs root (network namespaces, CAP_NET_ADMIN)");
    }
    root
}

#[test]
fn doctor_looks_and_leaves_no_trace() {
    if !root("doctor_looks_and_leaves_no_trace") {
        return;
    }
    let (checks, links) = run_in_private(|| {
        let checks = doctor::run();
        (checks, Netlink::open().expect("netlink").links().expect("list"))
    })
    .expect("a namespace");
    let mut text = Vec::new();
    doctor::print(&checks, &mut text).expect("printed");
    let text = String::from_utf8(text).expect("UTF-8");
    println!("{text}");
    assert!(doctor::can_work(&checks), "{text}");
    assert_eq!(links.len(), 1, "only lo: {links:#?}");
    for name in ["kernel", "capabilities", "AF_PACKET vnet_hdr", "TAP offloads", "UDP port 4789"] {
        assert!(checks.iter().any(|c| c.name == name), "{name}: {text}");
    }
    for check in &checks {
        let complete =
            check.status != Status::Limited || !(check.cost.is_empty() || check.fix.is_empty());
        assert!(complete, "says no cost or no cure: {check:?}");
    }
    let json = serde_json::to_value(&checks).expect("JSON");
    assert_eq!(json[0]["name"], "kernel");
}

#[test]
fn doctor_says_who_has_the_vxlan_port() {
    if !root("doctor_says_who_has_the_vxlan_port") {
        return;
    }
    let port = || {
        let check = doctor::run().into_iter().find(|c| c.name == "UDP port 4789");
        check.expect("there")
    };
    let by_process = run_in_private(|| {
        let _socket = std::net::UdpSocket::bind("0.0.0.0:4789").expect("bound");
        port()
    })
    .expect("a namespace");
    assert_eq!(by_process.status, Status::Limited);
    let me = format!("(PID {})", std::process::id());
    assert!(by_process.found.contains(&me), "{by_process:?}");

    let by_kernel = run_in_private(|| {
        for args in [
            "link set lo up",
            "link add k0 type vxlan id 5 dstport 4789 local 127.0.0.1",
            "link set k0 up",
        ] {
            let ip = Command::new("ip").args(args.split(' ')).status().expect("ip runs");
            if !ip.success() {
                println!("skipped in part: no kernel VXLAN device here (`ip {args}`)");
                return None;
            }
        }
        Some(port())
    })
    .expect("a namespace");
    assert!(by_kernel.is_none_or(|c| c.found.contains("kernel")));
}

#[test]
fn doctor_says_what_a_process_without_capabilities_cannot_do() {
    const NAME: &str = "doctor_says_what_a_process_without_capabilities_cannot_do";
    if std::env::var_os("VXS_POOR").is_some() {
        let checks = doctor::run();
        let mut text = Vec::new();
        doctor::print(&checks, &mut text).expect("printed");
        println!("{}", String::from_utf8_lossy(&text));
        assert!(!doctor::can_work(&checks));
        for name in ["capabilities", "AF_PACKET"] {
            let missing = |c: &&doctor::Check| c.name == name && c.status == Status::Missing;
            assert!(checks.iter().any(|c| missing(&c)), "{name}");
        }
        return;
    }
    if !root(NAME) {
        return;
    }
    let status = Command::new("setpriv")
        .args(["--inh-caps=-all", "--bounding-set=-all"])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", NAME, "--nocapture"])
        .env("VXS_POOR", "1")
        .status();
    match status {
        Ok(status) => assert!(status.success()),
        Err(error) => println!("skipped: {NAME} needs setpriv (util-linux): {error}"),
    }
}
