//! What is refused in a configuration, and in which words.

use std::path::Path;
use vxswitch::config::file::parse;
use vxswitch::config::{Bridge, Line, Port, PortType, Setting};

/// `FILE:LINE: what` of everything wrong with `text`.
fn refused(text: &str) -> Vec<String> {
    let file = Path::new("test.toml");
    match parse(text, file) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(|p| p.in_file(file)).collect(),
    }
}

/// A bridge `br0` whose port, from line 4, is `port`.
fn with_port(port: &str) -> String {
    format!("[[bridge]]\nname = \"br0\"\n[[bridge.port]]\n{port}\n")
}

#[test]
fn errors_name_the_line_and_what_was_expected() {
    let br0 = "[[bridge]]\nname = \"br0\"\n";
    let two = "[[bridge.port]]\nname = \"a\"\n[[bridge.port]]\nname = \"b\"\n";
    let vxlan = "type = \"vxlan\"\nremote_ip = \"10.0.0.2\"\n";
    // What is in the file, the line that is named, and words of the message.
    let table: &[(String, usize, &[&str])] = &[
        ("bridge = 1".into(), 1, &["not an array of tables", "[[bridge]]"]),
        ("[bridges]".into(), 1, &["unknown table \"bridges\"", "[[bridge]]"]),
        ("[[bridge]]\nname =".into(), 2, &["not TOML"]),
        ("[[bridge]]\nmtu = 1500".into(), 1, &["no name"]),
        ("[[bridge]]\nname = 7".into(), 2, &["name is not a string"]),
        ("[switch]\nworkers = 0".into(), 2, &["workers = 0", "from 1 to 64"]),
        ("[switch]\nrundir = \"run\"".into(), 2, &["absolute path"]),
        ("[switch]\nthreads = 1".into(), 2, &["unknown key \"threads\"", "rundir, workers"]),
        (format!("{br0}mtv = 1500"), 3, &["unknown key \"mtv\"", "mtu"]),
        (format!("{br0}mtu = 20"), 3, &["mtu = 20", "from 68 to"]),
        (format!("{br0}mtu = \"1500\""), 3, &["mtu = \"1500\"", "a number"]),
        (format!("{br0}mac = \"01:00:5e:00:00:01\""), 3, &["not a group"]),
        (format!("{br0}mac = \"02:00\""), 3, &["a MAC address"]),
        (format!("{br0}mac_aging_time = 0"), 3, &["from 1 to"]),
        (format!("{br0}controller = \"127.0.0.1\""), 3, &["not a controller", "tcp:HOST[:PORT]"]),
        (format!("{br0}controller = 6653"), 3, &["a controller such as tcp:"]),
        (
            format!("{br0}controller = [\"tcp:10.0.0.1\", \"tcp:10.0.0.1:6653\"]"),
            3,
            &["tcp:10.0.0.1:6653 is there twice"],
        ),
        (format!("{br0}controller = \"ssl:10.0.0.1\""), 2, &["expected [ssl]"]),
        (format!("{br0}fail_mode = \"open\""), 3, &["one of secure, standalone"]),
        (format!("{br0}datapath_id = \"a1\""), 3, &["16 hexadecimal digits"]),
        (format!("{br0}datapath_id = \"0000000000000000\""), 3, &["16 hexadecimal digits"]),
        (
            format!(
                "{br0}datapath_id = \"00000000000000a1\"\n[[bridge]]\nname = \"br1\"\n\
                 datapath_id = \"00000000000000a1\""
            ),
            5,
            &["bridge \"br1\"", "that of bridge \"br0\" (line 2)"],
        ),
        (format!("{br0}max_backoff = 10"), 3, &["from 1000 to"]),
        (format!("{br0}controller_rate_limit = 10"), 3, &["from 100 to"]),
        ("[ssl]\nprivate_key = \"a\"\nca_cert = \"b\"".into(), 1, &["no certificate"]),
        ("[ssl]\nkey = \"a\"".into(), 2, &["unknown key \"key\"", "private_key"]),
        (format!("{br0}{br0}"), 4, &["bridge \"br0\" exists already (line 2)"]),
        ("[[bridge]]\nname = \"sixteen-bytes-xx\"".into(), 2, &["has 16 bytes", "1 to 15"]),
        ("[[bridge]]\nname = \"a/b\"".into(), 2, &["cannot have"]),
        ("[[bridge]]\nname = \"\"".into(), 2, &["is empty"]),
        (with_port("name = \"br0\""), 4, &["the name of a bridge (line 2)"]),
        (with_port("name = \"a\"\n[[bridge.port]]\nname = \"a\""), 6, &["already (line 4)"]),
        (
            format!("{br0}{two}[[bridge]]\nname = \"br1\"\n[[bridge.port]]\nname = \"b\""),
            10,
            &["port \"b\" is on bridge \"br0\" already (line 6)"],
        ),
        (
            with_port("name = \"a\"\nofport = 3\n[[bridge.port]]\nname = \"b\"\nofport = 3"),
            7,
            &["ofport 3 is that of port \"a\" (line 4)"],
        ),
        (with_port("name = \"a\"\nofport = 65280"), 5, &["from 1 to 65279"]),
        (with_port("name = \"a\"\ntag = 4095"), 5, &["from 1 to 4094"]),
        (with_port("name = \"a\"\ntag = 1\ntrunks = [2]"), 4, &["tag with trunks", "native"]),
        (with_port("name = \"a\"\ntag = 1\nvlan_mode = \"trunk\""), 4, &["has no tag"]),
        (with_port("name = \"a\"\nvlan_mode = \"access\""), 4, &["needs a tag"]),
        (with_port("name = \"a\"\nvlan_mode = \"dot1q\""), 5, &["access, trunk, native-tagged"]),
        (with_port("name = \"a\"\ntrunks = [1, 5000]"), 5, &["a list of numbers"]),
        (with_port("name = \"a\"\ntype = \"gre\""), 5, &["system, vxlan, patch"]),
        (with_port("name = \"a\"\nkey = 100"), 5, &["key is a key of tunnels", "type=vxlan"]),
        (with_port("name = \"a\"\npeer = \"b\""), 5, &["type=patch"]),
        (with_port("name = \"v\"\ntype = \"vxlan\""), 4, &["no remote_ip"]),
        (with_port(&format!("name = \"v\"\n{vxlan}key = 16777216")), 7, &["16777215", "flow"]),
        (with_port(&format!("name = \"v\"\n{vxlan}ttl = 0")), 7, &["from 1 to 255, or inherit"]),
        (with_port(&format!("name = \"v\"\n{vxlan}df_default = 1")), 7, &["true or false"]),
        (with_port(&format!("name = \"v\"\n{vxlan}local_ip = \"::1\"")), 4, &["families"]),
        (
            with_port("name = \"v\"\ntype = \"vxlan\"\nremote_ip = \"239.0.0.1\""),
            6,
            &["of one host"],
        ),
        (
            with_port(&format!("name = \"v\"\n{vxlan}[[bridge.port]]\nname = \"w\"\n{vxlan}")),
            8,
            &["\"w\" is the same tunnel as \"v\" (line 4)"],
        ),
        (with_port("name = \"p\"\ntype = \"patch\""), 4, &["has no peer"]),
        (with_port("name = \"p\"\ntype = \"patch\"\npeer = \"q\""), 4, &["does not exist"]),
        (with_port("name = \"p\"\ntype = \"patch\"\npeer = \"p\""), 4, &["its own peer"]),
    ];
    for (text, line, words) in table {
        let found = refused(text);
        assert_eq!(found.len(), 1, "one problem expected of\n{text}\ngot {found:#?}");
        let at = format!("test.toml:{line}: ");
        assert!(found[0].starts_with(&at), "expected line {line} of\n{text}\ngot {}", found[0]);
        for word in *words {
            assert!(found[0].contains(word), "expected \"{word}\" in {}", found[0]);
        }
    }
}

#[test]
fn all_errors_of_a_file_are_told_at_once_in_order() {
    let text = "[[bridge]]\nname = \"br0\"\nmtu = 1\nmac = \"x\"\n\
                [[bridge.port]]\nname = \"a\"\nofport = 0\nspeed = 1\n";
    let lines: Vec<String> =
        refused(text).iter().map(|e| e.split(':').nth(1).unwrap_or("").into()).collect();
    assert_eq!(lines, ["3", "4", "7", "8"]);
}

#[test]
fn a_full_file_is_read_as_written() {
    let text = r#"
        [switch]
        rundir = "/run/other"
        workers = 2
        [[bridge]]
        name = "br0"
        mac = "02:00:00:00:00:01"
        flows = "host-a.flows"
        [[bridge.port]]
        name = "vxlan0"
        type = "vxlan"
        remote_ip = "flow"
        key = "flow"
        tos = "inherit"
        csum = false
        [[bridge.port]]
        name = "to1"
        type = "patch"
        peer = "to0"
        [[bridge]]
        name = "br1"
        [[bridge.port]]
        name = "to0"
        type = "patch"
        peer = "to1"
    "#;
    let config = parse(text, Path::new("/etc/vxswitch/a.toml")).expect("valid");
    assert_eq!(config.workers, 2);
    let br0 = &config.bridges[0];
    assert_eq!(br0.flows.as_deref(), Some(Path::new("/etc/vxswitch/host-a.flows")));
    assert_eq!((br0.mac_aging_time, br0.mac_table_size), (300, 8192));
    let PortType::Vxlan(tunnel) = &br0.ports[0].kind else { panic!("a tunnel") };
    assert_eq!((tunnel.dst_port, tunnel.csum, tunnel.df), (4789, false, true));
    assert!(config.port("to0").is_some_and(|(b, _)| b.name == "br1"));
}

#[test]
fn arguments_give_the_same_as_the_file() {
    let words = ["type=vxlan", "remote_ip=10.0.0.2", "key=100", "ofport=9", "trunks=1,2"];
    let settings = Setting::from_words(&words.map(String::from)).expect("settings");
    let mut problems = Vec::new();
    let port = Port::from_settings("vxlan0", Line(None), &settings, &mut problems);
    assert_eq!(problems, []);
    let text = with_port(
        "name = \"vxlan0\"\ntype = \"vxlan\"\nremote_ip = \"10.0.0.2\"\nkey = 100\n\
         ofport = 9\ntrunks = [2, 1]",
    );
    let config = parse(&text, Path::new("x")).expect("valid");
    assert_eq!(config.bridges[0].ports[0], port);
}

#[test]
fn bad_arguments_are_refused_in_the_same_words() {
    let settings = Setting::from_words(&["mtu=x".into(), "speed=1".into()]).expect("settings");
    let mut problems = Vec::new();
    let _ = Bridge::from_settings("br0", Line(None), &settings, &mut problems);
    let what: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(what[0].contains("mtu = \"x\": expected a number from 68"), "{what:?}");
    assert!(what[1].contains("unknown key \"speed\" of a bridge"), "{what:?}");
    assert!(Setting::from_words(&["mtu".into()]).is_err(), "no =");
}
