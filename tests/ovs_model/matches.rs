//! Random matches, each with its prerequisites.

use crate::rng::Rng;
use crate::tables::{Kind, Known, Transport};
use crate::values::{
    IPV4, L4_PORTS, LABELS, TTLS, VIDS, inner_mac, ipv4_text, ipv6, ipv6_text, mac, mac_text,
};

/// A number of `bits` bits, often with a mask.
pub(crate) fn masked(r: &mut Rng, bits: u32) -> String {
    let all = (1_u64 << bits) - 1;
    let mask = if r.chance(50) { all } else { 1 + r.bits() % all };
    let value = r.bits() & mask;
    if mask == all { format!("{value:#x}") } else { format!("{value:#x}/{mask:#x}") }
}

fn masked_mac(r: &mut Rng, address: [u8; 6]) -> String {
    let mask = match r.below(6) {
        0 => [1, 0, 0, 0, 0, 0],
        1 => [0, 0, 0, 0, 0, 3],
        2 => [0xff, 0xff, 0xff, 0xff, 0xff, 0xfe],
        _ => return mac_text(address),
    };
    let mut value = address;
    value.iter_mut().zip(mask).for_each(|(v, m)| *v &= m);
    format!("{}/{}", mac_text(value), mac_text(mask))
}

fn masked_ipv4(r: &mut Rng) -> String {
    let a = r.pick(&IPV4);
    let mask = match r.below(5) {
        0 => [255, 255, 255, 0],
        1 => [255, 0, 0, 0],
        // not a prefix
        2 => [0, 0, 255, 1],
        _ => return ipv4_text(a),
    };
    let value = std::array::from_fn(|i| a[i] & mask[i]);
    format!("{}/{}", ipv4_text(value), ipv4_text(mask))
}

fn masked_ipv6(r: &mut Rng) -> String {
    let a = ipv6(r);
    let bits = match r.below(4) {
        0 => 32,
        1 => 16,
        _ => return ipv6_text(a),
    };
    let mut value = [0; 16];
    value[..bits / 8].copy_from_slice(&a[..bits / 8]);
    format!("{}/{bits}", ipv6_text(value))
}

fn masked_port(r: &mut Rng) -> String {
    let port = r.pick(&L4_PORTS);
    match r.below(4) {
        0 => format!("{:#x}/0xfff0", port & 0xfff0),
        1 => format!("{:#x}/1", port & 1),
        _ => port.to_string(),
    }
}

pub(crate) fn matches(r: &mut Rng, known: &mut Known, table: u8) -> Vec<String> {
    let mut m = Vec::new();
    if r.chance(25) {
        m.push(format!("in_port={}", r.pick(&["1", "2", "3", "4", "LOCAL"])));
    }
    if r.chance(15) {
        let a = mac(r);
        m.push(format!("dl_src={}", masked_mac(r, a)));
    }
    if r.chance(15) {
        let a = mac(r);
        m.push(format!("dl_dst={}", masked_mac(r, a)));
    }
    vlan(r, known, &mut m);
    network(r, known, &mut m);
    if table > 0 && r.chance(15) {
        m.push(format!("metadata={}", masked(r, 8)));
    }
    if table > 0 && r.chance(15) {
        let n = r.below(3);
        m.push(format!("reg{n}={}", masked(r, 16)));
    }
    if table > 0 && r.chance(5) {
        m.push(format!("tun_id={}", masked(r, 8)));
    }
    m
}

fn vlan(r: &mut Rng, known: &mut Known, m: &mut Vec<String>) {
    match r.below(16) {
        0 => {
            known.tagged = Some(false);
            m.push("vlan_tci=0".into());
        }
        1 | 2 => {
            known.tagged = Some(true);
            m.push(format!("dl_vlan={}", r.pick(&VIDS)));
        }
        3 => {
            known.tagged = Some(true);
            m.push("vlan_tci=0x1000/0x1000".into());
        }
        4 => {
            known.tagged = Some(true);
            m.push(format!("vlan_vid={:#x}/0x1001", 0x1000 | r.below(2)));
        }
        _ => return,
    }
    if known.tagged == Some(true) && !m.iter().any(|w| w.starts_with("vlan_tci")) && r.chance(30) {
        m.push(format!("dl_vlan_pcp={}", r.below(8)));
    }
}

/// A match in so many of 100 cases.
fn maybe(r: &mut Rng, m: &mut Vec<String>, percent: usize, text: impl FnOnce(&mut Rng) -> String) {
    if r.chance(percent) {
        let word = text(r);
        m.push(word);
    }
}

fn network(r: &mut Rng, known: &mut Known, m: &mut Vec<String>) {
    use Kind::{Any, Arp, Ip, Mpls};
    use Transport::{Icmp, Neighbour, Sctp, Tcp, Udp};
    let six = r.chance(40);
    let (kind, word) = match r.below(24) {
        0..=7 => (Any, String::new()),
        8 | 9 => (Arp, "arp".into()),
        10..=12 => (Ip(six, None), if six { "ipv6" } else { "ip" }.into()),
        13..=15 => (Ip(six, Some(Tcp)), if six { "tcp6" } else { "tcp" }.into()),
        16..=18 => (Ip(six, Some(Udp)), if six { "udp6" } else { "udp" }.into()),
        19 => (Ip(six, Some(Sctp)), if six { "sctp6" } else { "sctp" }.into()),
        20 => (Ip(six, Some(Icmp)), if six { "icmp6" } else { "icmp" }.into()),
        21 if six => {
            let advertisement = r.chance(50);
            let kind = 135 + u8::from(advertisement);
            (
                Ip(true, Some(Neighbour(advertisement))),
                format!("icmp6,icmpv6_type={kind},icmpv6_code=0"),
            )
        }
        21 => (Any, format!("dl_type={:#06x}", r.pick(&[0x88cc, 0x8870, 0x05ff]))),
        _ => (Mpls, if r.chance(80) { "mpls" } else { "mplsm" }.into()),
    };
    known.kind = kind;
    if !word.is_empty() {
        m.push(word);
    }

    match kind {
        Any => {}
        Arp => {
            maybe(r, m, 30, |r| format!("arp_op={}", r.below(3)));
            maybe(r, m, 30, |r| format!("arp_spa={}", masked_ipv4(r)));
            maybe(r, m, 30, |r| format!("arp_tpa={}", masked_ipv4(r)));
            maybe(r, m, 20, |r| {
                let a = inner_mac(r);
                format!("arp_sha={}", masked_mac(r, a))
            });
            maybe(r, m, 20, |r| format!("arp_tha={}", mac_text(inner_mac(r))));
        }
        Ip(six, transport) => {
            if six {
                maybe(r, m, 25, |r| format!("ipv6_src={}", masked_ipv6(r)));
                maybe(r, m, 25, |r| format!("ipv6_dst={}", masked_ipv6(r)));
                maybe(r, m, 15, |r| format!("ipv6_label={}", r.pick(&["0", "1", "0x1/0x1"])));
            } else {
                maybe(r, m, 25, |r| format!("nw_src={}", masked_ipv4(r)));
                maybe(r, m, 25, |r| format!("nw_dst={}", masked_ipv4(r)));
            }
            maybe(r, m, 10, |r| format!("ip_dscp={}", r.below(64)));
            maybe(r, m, 10, |r| format!("nw_ecn={}", r.below(4)));
            maybe(r, m, 10, |r| format!("nw_ttl={}", r.pick(&TTLS)));
            let fragment = r.pick(&["no", "yes", "first", "later", "not_later"]);
            if r.chance(10) {
                m.push(format!("ip_frag={fragment}"));
                if ["yes", "later"].contains(&fragment) {
                    // there may be no ports to match or set
                    known.kind = Ip(six, None);
                    return;
                }
            }
            match transport {
                Some(Tcp | Udp | Sctp) => {
                    maybe(r, m, 35, |r| format!("tp_src={}", masked_port(r)));
                    maybe(r, m, 35, |r| format!("tp_dst={}", masked_port(r)));
                }
                Some(Icmp) => {
                    let names = if six {
                        ("icmpv6_type", "icmpv6_code")
                    } else {
                        ("icmp_type", "icmp_code")
                    };
                    let kinds: &[u8] = if six { &[128, 129, 1] } else { &[0, 3, 8] };
                    maybe(r, m, 50, |r| format!("{}={}", names.0, r.pick(kinds)));
                    maybe(r, m, 30, |r| format!("{}={}", names.1, r.below(2)));
                }
                Some(Neighbour(advertisement)) => {
                    maybe(r, m, 40, |r| format!("nd_target={}", masked_ipv6(r)));
                    let name = if advertisement { "nd_tll" } else { "nd_sll" };
                    maybe(r, m, 30, |r| format!("{name}={}", mac_text(inner_mac(r))));
                }
                None => {}
            }
            if transport == Some(Tcp) {
                maybe(r, m, 15, |r| format!("tcp_flags={:#x}/{:#x}", 2, 2 + r.below(2)));
            }
        }
        Mpls => {
            maybe(r, m, 40, |r| format!("mpls_label={}", r.pick(&LABELS)));
            maybe(r, m, 20, |r| format!("mpls_tc={}", r.below(8)));
            known.bottom = r.chance(40);
            if known.bottom {
                m.push("mpls_bos=1".into());
            }
        }
    }
}
