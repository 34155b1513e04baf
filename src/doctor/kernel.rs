//! What the kernel can do, tried in a network namespace that ends with the try.

use super::{Check, Status};
use crate::net::{LinkChange, Netlink, VethSpec, netns};
use dataplane::port::guard::Guard;
use dataplane::sys::bpf;
use dataplane::sys::packet::PacketSocket;
use dataplane::sys::ring::RxRing;
use dataplane::sys::tap::TapFd;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socket, sockopt};
use std::io;

/// Names of the devices that are tried; they exist in the private namespace only.
const NEAR: &str = "vxs-near";
const FAR: &str = "vxs-far";
const TAP: &str = "vxs-tap";

/// A ring as small as [`RxRing`] takes it: slots, and bytes of each.
const RING: (usize, usize) = (64, 2048);

const NEEDS_NET_RAW: &str = "run as root or with CAP_NET_RAW";

pub(super) fn checks() -> Vec<Check> {
    let mut checks = match netns::run_in_private(in_private) {
        Ok(checks) => checks,
        Err(error) => {
            let mut checks = vec![
                Check::bad("network namespace", Status::Limited, error.to_string())
                    .costs("devices were not tried; ports in containers cannot be made")
                    .fix("run as root or with CAP_SYS_ADMIN; the kernel needs CONFIG_NET_NS"),
            ];
            checks.extend(packet_socket());
            checks
        }
    };
    checks.extend([ipv6(), segment(), gro(), receive_buffer()]);
    checks
}

fn in_private() -> Vec<Check> {
    let mut checks = packet_socket();
    checks.push(veth());
    checks.extend(tap());
    checks.extend(guard());
    checks
}

/// A check of something that works or says why not.
fn tried(
    name: &'static str,
    found: &str,
    result: io::Result<()>,
    status: Status,
    cost: &str,
    fix: &str,
) -> Check {
    match result {
        Ok(()) => Check::ok(name, found),
        Err(error) => Check::bad(name, status, error.to_string()).costs(cost).fix(fix),
    }
}

fn packet_socket() -> Vec<Check> {
    let socket = match PacketSocket::open() {
        Ok(socket) => socket,
        Err(error) => {
            return vec![
                Check::bad("AF_PACKET", Status::Missing, error.to_string())
                    .costs("no device can be attached to a bridge")
                    .fix(format!("{NEEDS_NET_RAW}; the kernel needs CONFIG_PACKET")),
            ];
        }
    };
    // In the order in which a port sets them: with a ring in place, the header cannot be changed
    // any more.
    let vnet_hdr = socket.set_vnet_hdr();
    let ring = socket.set_copy_thresh().and_then(|()| RxRing::new(&socket, RING.0, RING.1));
    vec![
        tried(
            "AF_PACKET vnet_hdr",
            "PACKET_VNET_HDR: TCP frames pass whole, checksums unfinished",
            vnet_hdr,
            Status::Missing,
            "TCP of containers with default offloads would not pass",
            "Linux 2.6.27 or newer has it",
        ),
        tried(
            "AF_PACKET outgoing",
            "PACKET_IGNORE_OUTGOING: frames sent do not come back",
            socket.set_ignore_outgoing(),
            Status::Missing,
            "the switch would receive what it sends",
            "Linux 4.20 or newer has it",
        ),
        tried(
            "AF_PACKET ring",
            "TPACKET_V2: frames are received without a system call each",
            ring.map(drop),
            Status::Limited,
            "small frames are received by recvmmsg, about a quarter fewer per second",
            "Linux 2.6.27 or newer has it, with memory to lock",
        ),
    ]
}

fn veth() -> Check {
    let make = || -> crate::net::Result<()> {
        let mut netlink = Netlink::open()?;
        netlink.create_veth(&VethSpec {
            name: NEAR,
            peer_name: FAR,
            peer_netns: None,
            mtu: None,
            peer_mac: None,
        })?;
        let near = netlink.link(NEAR)?;
        netlink.set_link(near.ifindex, &LinkChange { up: Some(true), ..LinkChange::default() })
    };
    match make() {
        Ok(()) => Check::ok("veth", "pairs can be made"),
        Err(error) => Check::bad("veth", Status::Limited, error.to_string())
            .costs("`port add --container` cannot make an interface; existing devices still attach")
            .fix("load the module (`modprobe veth`), or a kernel with CONFIG_VETH"),
    }
}

fn tap() -> Vec<Check> {
    const FIX: &str = "load the module (`modprobe tun`) or pass /dev/net/tun into the container \
    that \
                       the switch runs in; CAP_NET_ADMIN is needed";
    let made = TapFd::open().and_then(|tap| tap.create(TAP).map(|()| tap));
    let tap = match made {
        Ok(tap) => tap,
        Err(error) => {
            return vec![
                Check::bad("TAP", Status::Missing, format!("/dev/net/tun: {error}"))
                    .costs("a bridge cannot have its LOCAL port")
                    .fix(FIX),
            ];
        }
    };
    let tso = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6;
    let uso = libc::TUN_F_USO4 | libc::TUN_F_USO6;
    vec![
        tried(
            "TAP offloads",
            "IFF_VNET_HDR, checksum, TSO: the host's TCP through LOCAL passes whole",
            tap.set_offload(tso),
            Status::Limited,
            "the host cuts and sums TCP through LOCAL itself: slower",
            "Linux 2.6.27 or newer has it",
        ),
        tried(
            "TAP USO",
            "long UDP frames of the host pass whole",
            tap.set_offload(tso | uso),
            Status::Limited,
            "the host cuts long UDP sends through LOCAL itself: slower",
            "Linux 6.2 or newer has it",
        ),
    ]
}

fn guard() -> Vec<Check> {
    const NAME: &str = "host-stack guard";
    const COST: &str = "the host's own stack keeps receiving from attached devices: it answers \
    ARP for the \
                        host's addresses there, so the gateway address on LOCAL does not work";
    if let Err(error) = bpf::load_drop_all() {
        return vec![
            Check::bad(NAME, Status::Limited, format!("loading a BPF program: {error}"))
                .costs(COST)
                .fix(
                    "run with CAP_BPF and CAP_NET_ADMIN (or CAP_SYS_ADMIN); the kernel needs \
                CONFIG_BPF_SYSCALL",
                ),
        ];
    }
    // Where no veth can be made, that check has said so.
    let Ok(Some(near)) = Netlink::open().and_then(|mut n| n.link_by_name(NEAR)) else {
        return Vec::new();
    };
    vec![tried(
        NAME,
        "clsact with a BPF classifier: attached devices belong to the switch alone",
        Guard::take(near.ifindex).map(drop),
        Status::Limited,
        COST,
        "a kernel with CONFIG_NET_CLS_BPF and CONFIG_NET_SCH_INGRESS (modules cls_bpf, \
         sch_ingress)",
    )]
}

fn ipv6() -> Check {
    const NAME: &str = "IPv6";
    const COST: &str = "no tunnels over IPv6, no IPv6 address on LOCAL";
    if let Err(error) = udp(AddressFamily::Inet6) {
        return Check::bad(NAME, Status::Limited, error.to_string())
            .costs(COST)
            .fix("boot without ipv6.disable=1, on a kernel with CONFIG_IPV6");
    }
    // Of this namespace, as the underlay's and LOCAL's addresses are.
    let off = std::fs::read_to_string("/proc/sys/net/ipv6/conf/all/disable_ipv6");
    if off.is_ok_and(|text| text.trim() == "1") {
        return Check::bad(NAME, Status::Limited, "switched off by sysctl")
            .costs(COST)
            .fix("sysctl -w net.ipv6.conf.all.disable_ipv6=0");
    }
    Check::ok(NAME, "there")
}

fn udp(family: AddressFamily) -> io::Result<std::os::fd::OwnedFd> {
    Ok(socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?)
}

fn segment() -> Check {
    tried(
        "UDP_SEGMENT",
        "many VXLAN datagrams in one system call",
        udp(AddressFamily::Inet).and_then(|s| Ok(setsockopt(&s, sockopt::UdpGsoSegment, &1400)?)),
        Status::Limited,
        "TCP into tunnels costs a system call for each datagram: several times slower",
        "Linux 4.18 or newer has it",
    )
}

fn gro() -> Check {
    tried(
        "UDP_GRO",
        "many VXLAN datagrams in one read",
        udp(AddressFamily::Inet).and_then(|s| Ok(setsockopt(&s, sockopt::UdpGroSegment, &true)?)),
        Status::Limited,
        "TCP out of tunnels is read datagram by datagram: several times slower",
        "Linux 5.0 or newer has it",
    )
}

fn receive_buffer() -> Check {
    tried(
        "receive buffers",
        "SO_RCVBUFFORCE: as large as the switch wants",
        udp(AddressFamily::Inet)
            .and_then(|s| Ok(setsockopt(&s, sockopt::RcvBufForce, &(4 << 20))?)),
        Status::Limited,
        "bursts into tunnels are lost sooner",
        "run with CAP_NET_ADMIN, or raise net.core.rmem_max to 4194304",
    )
}
