//! Stock `ovs-ofctl` (Open vSwitch) at an agent's socket. Skips where it is not installed.

#[path = "agent/bench.rs"]
#[allow(dead_code, reason = "shared with the agent's other tests")]
mod bench;

use bench::Bench;
use ofagent::agent::{ConnId, ConnKind};
use ofagent::wire::hello::Hello;
use ofagent::wire::{Message, VERSION, decode, encode};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A client of the socket.
struct Client {
    stream: UnixStream,
    input: Vec<u8>,
    conn: ConnId,
}

impl Client {
    /// Serves what has come; false when the client has gone.
    fn serve(&mut self, b: &mut Bench) -> bool {
        let mut some = [0; 65_536];
        match self.stream.read(&mut some) {
            Ok(0) => return false,
            Ok(n) => self.input.extend_from_slice(&some[..n]),
            Err(e) => assert_eq!(e.kind(), ErrorKind::WouldBlock),
        }
        while let Some(&[_, _, hi, lo]) = self.input.first_chunk() {
            let len = usize::from(u16::from_be_bytes([hi, lo]));
            if self.input.len() < len {
                break;
            }
            let raw: Vec<_> = self.input.drain(..len).collect();
            b.agent.receive(&mut b.switch, self.conn, decode(&raw), &raw);
        }
        b.switch.commit();
        b.pump();
        let outbox = b.agent.outbox(self.conn).unwrap();
        loop {
            let bytes = outbox.bytes();
            if bytes.is_empty() {
                break;
            }
            match self.stream.write(bytes) {
                Ok(n) => outbox.sent(n),
                Err(_) => break,
            }
        }
        true
    }
}

/// Runs `ovs-ofctl -O OpenFlow13` with `BR` standing for the socket; what it prints, errors too.
fn ofctl(b: &mut Bench, args: &[&str]) -> String {
    ofctl_while(b, args, |_| {})
}

/// The same, and something that happens all the while.
fn ofctl_while(b: &mut Bench, args: &[&str], mut happens: impl FnMut(&mut Bench)) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("vxs-ofctl-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let socket = std::env::temp_dir().join(name);
    let listener = UnixListener::bind(&socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    let target = format!("unix:{}", socket.display());
    let args = args.iter().map(|a| if *a == "BR" { target.as_str() } else { a });
    let mut child = Command::new("ovs-ofctl")
        .env("OVS_RUNDIR", std::env::temp_dir())
        .args(["-O", "OpenFlow13", "--timeout=20"])
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut clients: Vec<Client> = Vec::new();
    while child.try_wait().unwrap().is_none() {
        if let Ok((mut stream, _)) = listener.accept() {
            let mut hello = Vec::new();
            let ours = Hello { version: VERSION, bitmap: Some(1 << VERSION) };
            encode(1, &Message::Hello(ours), &mut hello).unwrap();
            stream.write_all(&hello).unwrap();
            stream.set_nonblocking(true).unwrap();
            let conn = b.agent.connected(ConnKind::Service);
            clients.push(Client { stream, input: Vec::new(), conn });
        }
        clients.retain_mut(|client| client.serve(b));
        happens(b);
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = child.wait_with_output().unwrap();
    std::fs::remove_file(&socket).unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

fn installed() -> bool {
    let found = Command::new("ovs-ofctl").arg("--version").output().is_ok();
    if !found {
        println!("skipped: ovs-ofctl (Open vSwitch) is not installed");
    }
    found
}

#[test]
fn what_ofctl_adds_it_shows() {
    if !installed() {
        return;
    }
    let mut b = Bench::new(2);
    let flows = [
        "priority=13,tcp,nw_tos=32,nw_ecn=1,nw_ttl=64,nw_frag=no,tcp_flags=+syn-ack actions=output:1",
        "priority=12,icmp6,icmp_type=135,nd_target=fe80::1 actions=set_queue:5,output:1,LOCAL,FLOOD,ALL",
        "priority=11,arp,arp_tpa=10.0.0.1,arp_op=1 \
         actions=move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],load:0x2->NXM_OF_ARP_OP[],IN_PORT",
        "priority=10,mpls,mpls_label=5 actions=pop_mpls:0x0800,output:1",
        "priority=9,reg0=0x5/0xff,tun_id=0x5,tun_src=1.1.1.0/24,metadata=0x9 \
         actions=write_metadata:0x5/0xf,goto_table:7",
        "priority=5,udp6,in_port=2,dl_vlan=5,dl_vlan_pcp=3,tp_src=0x30/0xfff0 \
         actions=set_field:4102->vlan_vid,set_field:1.2.3.4->tun_dst,load:0x5->NXM_NX_REG3[4..7],\
         move:NXM_NX_REG3[0..3]->NXM_NX_REG4[0..3],resubmit(,4),\
         controller(reason=no_match,max_len=33,id=3),note:01.02.00.00.00.00,dec_ttl,NORMAL",
        "priority=0 actions=CONTROLLER:65535",
    ];
    for flow in flows {
        let spec = flow.replacen(" actions", ",actions", 1);
        assert_eq!(ofctl(&mut b, &["add-flow", "BR", &spec]), "", "{flow}");
    }
    let shown = ofctl(&mut b, &["--no-stats", "--no-names", "dump-flows", "BR"]);
    let mut lines: Vec<_> = shown.lines().map(str::trim).collect();
    lines.sort_by_key(|line| {
        let priority = line.trim_start_matches("priority=").split([',', ' ']).next();
        std::cmp::Reverse(priority.and_then(|p| p.parse::<u16>().ok()))
    });
    assert_eq!(lines, flows);
    assert_eq!(ofctl(&mut b, &["diff-flows", "BR", "BR"]), "");
    let count = ofctl(&mut b, &["dump-aggregate", "BR"]);
    assert!(count.ends_with("flow_count=7\n"), "{count}");
    assert_eq!(ofctl(&mut b, &["--strict", "del-flows", "BR", "priority=0"]), "");
    assert_eq!(ofctl(&mut b, &["del-flows", "BR", "out_port=1"]), "");
    let shown = ofctl(&mut b, &["--no-stats", "dump-flows", "BR"]);
    assert_eq!(shown.lines().count(), 3, "{shown}");
}

#[test]
fn ofctl_asks_for_everything() {
    if !installed() {
        return;
    }
    let mut b = Bench::new(2);
    for (args, expected) in [
        (&["show", "BR"][..], "n_tables:254, n_buffers:256"),
        (&["show", "BR"], " 2(p2): addr:02:00:00:00:01:02"),
        (&["dump-desc", "BR"], "Manufacturer: vxswitch"),
        (&["dump-tables", "BR"], "tables 1...253: ditto"),
        (&["dump-table-features", "BR"], "table 0 (\"table0\")"),
        (&["dump-ports", "BR"], "2 ports"),
        (&["dump-ports-desc", "BR"], "10GB-FD"),
        (&["dump-group-features", "BR"], "Types:  0xf"),
        (&["meter-features", "BR"], "band_types: drop dscp_remark"),
        (&["queue-stats", "BR"], "0 queues"),
        (&["get-frags", "BR"], "normal"),
        (&["ping", "BR"], "64 bytes from"),
        (&["dump-tlv-map", "BR"], "OFPBRC_BAD_SUBTYPE"),
    ] {
        let shown = ofctl(&mut b, args);
        assert!(shown.contains(expected), "{args:?}: {shown}");
    }
    for (args, list, expected) in [
        (
            ["add-group", "group_id=1,type=select,bucket=weight:3,actions=output:1"],
            "dump-groups",
            "group_id=1,type=select,bucket=weight:3,actions=output:1",
        ),
        (
            ["add-meter", "meter=1,kbps,burst,band=type=drop,rate=1000,burst_size=100"],
            "dump-meters",
            "type=drop rate=1000 burst_size=100",
        ),
    ] {
        assert_eq!(ofctl(&mut b, &[args[0], "BR", args[1]]), "");
        let shown = ofctl(&mut b, &[list, "BR"]);
        assert!(shown.contains(expected), "{shown}");
    }
    assert_eq!(ofctl(&mut b, &["mod-port", "BR", "p1", "down"]), "");
    let shown = ofctl(&mut b, &["show", "BR"]);
    assert!(shown.contains("config:     PORT_DOWN"), "{shown}");
    let out = "in_port=controller,packet=0200000000010200000000020800,actions=output:2";
    assert_eq!(ofctl(&mut b, &["packet-out", "BR", out]), "");
    assert_eq!(b.next(2).map(|f| f.len()), Some(14));
}

#[test]
fn ofctl_monitors() {
    if !installed() {
        return;
    }
    let mut b = Bench::new(1);
    assert_eq!(ofctl(&mut b, &["add-flow", "BR", "priority=3,actions=controller:60"]), "");
    let mut n = 0;
    let shown = ofctl_while(&mut b, &["--timeout=2", "monitor", "BR", "65534"], |b| {
        n += 1;
        if n % 50 == 0 {
            b.put(1, &bench::frame(2, 1));
        }
    });
    let expected = "total_len=200 in_port=1 (via action) data_len=60 buffer=";
    assert!(shown.contains(expected), "{shown}");
}
