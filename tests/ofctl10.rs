//! Stock `ovs-ofctl` (Open vSwitch) as it comes: without `-O` it speaks OpenFlow 1.0 with Open
//! vSwitch's extensions. Skips where it is not installed.

mod host;

use host::Host;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Flows as users type them, and as Open vSwitch 3.1.0 shows them when asked in the same way.
const FLOWS: [(&str, &str); 21] = [
    (
        "priority=100,in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,actions=mod_dl_src:00:00:00:00:00:05,mod_dl_dst:00:00:00:00:00:06,output:2",
        "priority=100,in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02 actions=mod_dl_src:00:00:00:00:00:05,mod_dl_dst:00:00:00:00:00:06,output:2",
    ),
    (
        "priority=101,dl_vlan=5,dl_vlan_pcp=3,actions=strip_vlan,NORMAL",
        "priority=101,dl_vlan=5,dl_vlan_pcp=3 actions=strip_vlan,NORMAL",
    ),
    (
        "priority=102,dl_vlan=0xffff,actions=mod_vlan_vid:5,mod_vlan_pcp:3,output:2",
        "priority=102,vlan_tci=0x0000 actions=mod_vlan_vid:5,mod_vlan_pcp:3,output:2",
    ),
    (
        "priority=103,ip,nw_src=1.2.3.0/24,nw_dst=10.0.0.1,nw_tos=32,nw_ecn=1,nw_ttl=64,actions=mod_nw_src:1.1.1.1,mod_nw_dst:2.2.2.2,mod_nw_tos:16,dec_ttl,IN_PORT",
        "priority=103,ip,nw_src=1.2.3.0/24,nw_dst=10.0.0.1,nw_tos=32,nw_ecn=1,nw_ttl=64 actions=mod_nw_src:1.1.1.1,mod_nw_dst:2.2.2.2,mod_nw_tos:16,dec_ttl,IN_PORT",
    ),
    (
        "priority=104,tcp,tp_src=80,tp_dst=0x1f0/0xfff0,tcp_flags=+syn-ack,actions=mod_tp_src:99,mod_tp_dst:98,FLOOD",
        "priority=104,tcp,tp_src=80,tp_dst=0x1f0/0xfff0,tcp_flags=+syn-ack actions=mod_tp_src:99,mod_tp_dst:98,FLOOD",
    ),
    (
        "priority=105,udp,tp_dst=53,nw_frag=no,actions=mod_tp_dst:54,ALL",
        "priority=105,udp,nw_frag=no,tp_dst=53 actions=mod_tp_dst:54,ALL",
    ),
    (
        "priority=106,icmp,icmp_type=8,icmp_code=0,actions=CONTROLLER:128",
        "priority=106,icmp,icmp_type=8,icmp_code=0 actions=CONTROLLER:128",
    ),
    (
        "priority=107,arp,arp_op=1,arp_spa=10.0.0.0/8,arp_tpa=10.0.0.1,arp_sha=02:00:00:00:00:01,actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],load:0x2->NXM_OF_ARP_OP[],LOCAL",
        "priority=107,arp,arp_spa=10.0.0.0/8,arp_tpa=10.0.0.1,arp_op=1,arp_sha=02:00:00:00:00:01 actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],load:0x2->NXM_OF_ARP_OP[],LOCAL",
    ),
    (
        "priority=108,udp6,ipv6_src=fe80::/64,ipv6_dst=fe80::1,ipv6_label=0x5,tp_src=5,actions=set_field:fe80::2->ipv6_src,output:1",
        "priority=108,udp6,ipv6_src=fe80::/64,ipv6_dst=fe80::1,ipv6_label=0x00005,tp_src=5 actions=load:0x2->NXM_NX_IPV6_SRC[0..63],load:0xfe80000000000000->NXM_NX_IPV6_SRC[64..127],output:1",
    ),
    (
        "priority=109,icmp6,icmp_type=135,nd_target=fe80::1,nd_sll=02:00:00:00:00:01,actions=drop",
        "priority=109,icmp6,icmp_type=135,nd_target=fe80::1,nd_sll=02:00:00:00:00:01 actions=drop",
    ),
    (
        "priority=110,mpls,mpls_label=5,mpls_tc=3,mpls_bos=1,actions=dec_mpls_ttl,set_mpls_ttl(9),pop_mpls:0x0800,output:1",
        "priority=110,mpls,mpls_label=5,mpls_tc=3,mpls_bos=1 actions=dec_mpls_ttl,set_mpls_ttl(9),pop_mpls:0x0800,output:1",
    ),
    (
        "priority=111,actions=push_mpls:0x8847,load:0x5->OXM_OF_MPLS_LABEL[],output:1",
        "priority=111 actions=push_mpls:0x8847,load:0x5->OXM_OF_MPLS_LABEL[],output:1",
    ),
    (
        "priority=112,reg0=0x5/0xff,tun_id=0x7,metadata=0x9,tun_src=1.1.1.0/24,actions=set_tunnel:0x5,load:0x5->NXM_NX_REG3[4..7],move:NXM_NX_REG3[0..3]->NXM_NX_REG4[0..3],resubmit(,4)",
        "priority=112,reg0=0x5/0xff,tun_id=0x7,tun_src=1.1.1.0/24,metadata=0x9 actions=set_tunnel:0x5,load:0x5->NXM_NX_REG3[4..7],move:NXM_NX_REG3[0..3]->NXM_NX_REG4[0..3],resubmit(,4)",
    ),
    (
        "priority=113,actions=set_tunnel64:0x1122334455667788,resubmit(2,4),resubmit:3",
        "priority=113 actions=set_tunnel64:0x1122334455667788,resubmit(2,4),resubmit:3",
    ),
    (
        "priority=114,actions=note:01.02.00.00.00.00,controller(reason=no_match,max_len=33,id=3)",
        "priority=114 actions=note:01.02.00.00.00.00,controller(reason=no_match,max_len=33,id=3)",
    ),
    (
        "priority=115,actions=set_queue:5,enqueue:1:7,group:1",
        "priority=115 actions=set_queue:5,enqueue:1:7,group:1",
    ),
    (
        "priority=116,sctp,tp_src=5,actions=write_metadata:0x5/0xf",
        "priority=116,sctp,tp_src=5 actions=write_metadata:0x5/0xf",
    ),
    (
        "priority=117,vlan_tci=0x1000/0x1000,actions=goto_table:7",
        "priority=117,vlan_tci=0x1000/0x1000 actions=resubmit(,7)",
    ),
    (
        "priority=118,cookie=0x77,idle_timeout=60,hard_timeout=90,ip,actions=output:1,output:2",
        "cookie=0x77, idle_timeout=60, hard_timeout=90, priority=118,ip actions=output:1,output:2",
    ),
    (
        "priority=119,ip,nw_proto=47,actions=mod_nw_ttl:3,set_field:5->reg9,set_field:0x5->tun_id,set_field:1.2.3.4->tun_dst,output:1",
        "priority=119,ip,nw_proto=47 actions=load:0x3->NXM_NX_IP_TTL[],load:0x5->NXM_NX_REG9[],load:0x5->NXM_NX_TUN_ID[],load:0x1020304->NXM_NX_TUN_IPV4_DST[],output:1",
    ),
    (
        "table=3,priority=120,dl_type=0x88cc,actions=drop",
        "table=3, priority=120,dl_type=0x88cc actions=drop",
    ),
];

/// `ovs-ofctl ARGS`, whatever its exit code: what it prints, errors too.
fn ofctl(host: &Host, args: &[&str]) -> String {
    let mut command = host.command("ovs-ofctl");
    command.env("OVS_RUNDIR", host.file("run")).current_dir(host.dir.path());
    let out = command.arg("--timeout=10").args(args).output().expect("run ovs-ofctl");
    String::from_utf8([out.stdout, out.stderr].concat()).expect("text")
}

/// A host with a bridge of two ports and a group.
fn with_bridge(test: &str) -> Option<Host> {
    let installed = Command::new("ovs-ofctl").arg("--version").output();
    if !installed.is_ok_and(|out| out.status.success()) {
        println!("skipped: no ovs-ofctl (package openvswitch-common)");
        return None;
    }
    let mut host = Host::new(test)?;
    let mut config = "[[bridge]]\nname = \"br0\"\nfail_mode = \"secure\"\n".to_owned();
    config.push_str("controller = \"tcp:127.0.0.1:1\"\n");
    for n in [1, 2] {
        host.ip(&format!("link add veth{n} type veth peer name eth{n}"));
        host.ip(&format!("link set veth{n} up"));
        host.ip(&format!("link set eth{n} up"));
        config.push_str(&format!("[[bridge.port]]\nname = \"veth{n}\"\nofport = {n}\n"));
    }
    host.write("a.toml", &config);
    host.start();
    let group = "group_id=1,type=all,bucket=actions=output:1";
    assert_eq!(ofctl(&host, &["add-group", "br0", group]), "");
    Some(host)
}

/// A dump without what differs from time to time, sorted.
fn flows(host: &Host, args: &[&str]) -> Vec<String> {
    let shown = ofctl(host, &[&["--no-names", "dump-flows", "br0"], args].concat());
    let counted = ["duration=", "n_packets=", "n_bytes=", "idle_age=", "hard_age="];
    let tidy = |line: &str| {
        let parts = line.trim().split(", ");
        let kept = parts.filter(|p| {
            !counted.iter().any(|c| p.starts_with(c)) && !["cookie=0x0", "table=0"].contains(p)
        });
        kept.collect::<Vec<_>>().join(", ")
    };
    let (header, rest) = shown.split_once('\n').expect("a header");
    assert!(header.starts_with("NXST_FLOW reply"), "{shown}");
    let mut lines: Vec<_> = rest.lines().map(tidy).collect();
    lines.sort();
    lines
}

fn expected() -> Vec<String> {
    let mut lines: Vec<_> = FLOWS.iter().map(|(_, shown)| (*shown).to_owned()).collect();
    lines.sort();
    lines
}

#[test]
fn flows_are_shown_as_open_vswitch_shows_them() {
    let Some(host) = with_bridge("old") else { return };
    let text: String = FLOWS.iter().map(|(typed, _)| format!("{typed}\n")).collect();
    host.write("flows.txt", &text);
    assert_eq!(ofctl(&host, &["add-flows", "br0", "flows.txt"]), "");
    assert_eq!(flows(&host, &[]), expected());
    assert_eq!(flows(&host, &["table=3"]).len(), 1);
    assert_eq!(flows(&host, &["cookie=0x77/-1"]).len(), 1);
    assert_eq!(flows(&host, &["arp"]).len(), 1);
    let count = ofctl(&host, &["dump-aggregate", "br0"]);
    assert!(count.ends_with(&format!("flow_count={}\n", FLOWS.len())), "{count}");
    // In OpenFlow 1.0's own form, which has no masks of ports, say.
    let shown = ofctl(&host, &["-F", "openflow10", "dump-flows", "br0"]);
    assert!(shown.starts_with("OFPST_FLOW reply"), "{shown}");
    assert!(shown.contains("arp,arp_spa=10.0.0.0/8,arp_tpa=10.0.0.1,arp_op=1 actions"), "{shown}");

    assert_eq!(ofctl(&host, &["mod-flows", "br0", "table=3,dl_type=0x88cc,actions=output:2"]), "");
    assert!(flows(&host, &["table=3"])[0].ends_with("actions=output:2"));
    assert_eq!(ofctl(&host, &["--strict", "del-flows", "br0", "priority=111"]), "");
    assert_eq!(ofctl(&host, &["del-flows", "br0", "cookie=0x77/-1"]), "");
    assert_eq!(flows(&host, &[]).len(), FLOWS.len() - 2);
    assert_eq!(ofctl(&host, &["del-flows", "br0"]), "");
    assert_eq!(flows(&host, &[]), [""; 0]);

    // Such as ovs-ofctl compares as they are typed, and in the first table, as in Open vSwitch.
    let same = "ip,nw_src=1.0.0.0/8 actions=mod_nw_tos:16,output:2\nreg0=5 actions=enqueue:1:7\n";
    host.write("same.txt", same);
    assert_eq!(ofctl(&host, &["add-flow", "br0", "priority=9,actions=drop"]), "");
    assert!(ofctl(&host, &["diff-flows", "br0", "same.txt"]).contains("-priority=9 actions=drop"));
    assert_eq!(ofctl(&host, &["replace-flows", "br0", "same.txt"]), "");
    assert_eq!(ofctl(&host, &["diff-flows", "br0", "same.txt"]), "");
    assert_eq!(flows(&host, &[]).len(), 2);
}

#[test]
fn what_one_version_says_the_other_shows() {
    let Some(host) = with_bridge("both") else { return };
    // Of 1.3, and what Open vSwitch 3.1.0 shows of it in 1.0; of the third it shows nothing, since
    // ovs-ofctl refuses write_metadata before resubmit.
    for (typed, shown) in [
        ("dl_vlan=7,actions=pop_vlan,output:1", "dl_vlan=7 actions=strip_vlan,output:1"),
        ("actions=write_actions(output:1),goto_table:3", "actions=resubmit(,3)"),
        (
            "actions=write_metadata:0x5/0xf,goto_table:7",
            "actions=load:0x5->OXM_OF_METADATA[0..3],resubmit(,7)",
        ),
        ("ip,actions=set_field:5->ip_dscp", "ip actions=mod_nw_tos:20"),
        ("actions=set_field:0x5/0xff->reg3", "actions=load:0x5->NXM_NX_REG3[0..7]"),
        ("actions=clear_actions", "actions=drop"),
    ] {
        assert_eq!(ofctl(&host, &["del-flows", "br0"]), "");
        assert_eq!(ofctl(&host, &["-O", "OpenFlow13", "add-flow", "br0", typed]), "", "{typed}");
        assert_eq!(flows(&host, &[]), [shown], "{typed}");
    }
}

#[test]
fn ofctl_asks_for_everything() {
    let Some(host) = with_bridge("asks") else { return };
    for (args, expected) in [
        (&["show", "br0"][..], "n_tables:254, n_buffers:256"),
        (&["show", "br0"], " 2(veth2): addr:"),
        (&["show", "br0"], "miss_send_len=0"),
        (&["dump-desc", "br0"], "Manufacturer: vxswitch"),
        (&["dump-tables", "br0"], "tables 2...253: ditto"),
        (&["dump-ports", "br0"], "3 ports"),
        (&["dump-ports", "br0", "2"], "1 ports"),
        (&["dump-ports-desc", "br0"], "10GB-FD"),
        (&["dump-groups", "br0"], "group_id=1,type=all,bucket=bucket_id:0,actions=output:1"),
        (&["dump-group-stats", "br0"], "ref_count=0"),
        (&["dump-group-features", "br0"], "Types:  0xf"),
        (&["queue-stats", "br0"], "0 queues"),
        (&["get-frags", "br0"], "normal"),
        (&["probe", "br0"], ""),
        // What is wrong is said in 1.0's words.
        (&["add-flow", "br0", "actions=group:77"], "OFPBAC_BAD_OUT_GROUP"),
        (&["add-flow", "br0", "table=254,actions=drop"], "NXFMFC_BAD_TABLE_ID"),
        (&["add-flow", "br0", "actions=learn(table=1)"], "OFPBAC_BAD_VENDOR_TYPE"),
        (&["mod-group", "br0", "group_id=9,type=all"], "OFPGMFC_UNKNOWN_GROUP"),
        (&["mod-port", "br0", "veth1", "no-flood"], ""),
        (&["show", "br0"], "config:     NO_FLOOD"),
        // ovs-ofctl itself wants a later version for meters.
        (&["dump-meters", "br0"], "none of the usable flow formats"),
        (&["-O", "OpenFlow13", "dump-meters", "br0"], "OFPST_METER_CONFIG reply"),
    ] {
        let shown = ofctl(&host, args);
        assert!(shown.contains(expected), "{args:?}: {shown}");
        assert!(!expected.is_empty() || shown.is_empty(), "{args:?}: {shown}");
    }
}

#[test]
fn ofctl_monitors() {
    let Some(host) = with_bridge("watch") else { return };
    assert_eq!(ofctl(&host, &["add-flow", "br0", "in_port=2,actions=controller:60"]), "");
    let mut command = host.command("ovs-ofctl");
    command.env("OVS_RUNDIR", host.file("run")).args(["--timeout=3", "monitor", "br0", "65534"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("spawn");
    // Goes through the tables as if it came in at port 2.
    let packet = "in_port=2,packet=0200000000010200000000020800,actions=table";
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(ofctl(&host, &["packet-out", "br0", packet]), "");
    }
    let out = child.wait_with_output().expect("its output");
    let shown = String::from_utf8(out.stderr).expect("text");
    assert!(shown.contains("NXT_PACKET_IN2"), "{shown}");
    assert!(shown.contains("total_len=14 in_port=2 (via action) data_len=14"), "{shown}");
}
