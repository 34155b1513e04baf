//! Random tables. Priorities are unique within a table, so that one answer is right; matches and
//! actions keep OpenFlow's prerequisites, so that a switch has no reason to refuse them.

use crate::case::{Bucket, Case, Flow, Group};
use crate::matches::{masked, matches};
use crate::rng::Rng;
use crate::values::{
    IPV4, L4_PORTS, LABELS, TTLS, VETHS, VIDS, inner_mac, ipv4_text, ipv6, ipv6_text, mac, mac_text,
};

const TABLES: u8 = 5;

/// What is known of a packet where an action stands: by the flow's match, and by the actions before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Any,
    Arp,
    /// IPv4 or IPv6 (true), and the transport protocol if it is known.
    Ip(bool, Option<Transport>),
    Mpls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Udp,
    Sctp,
    Icmp,
    /// Neighbour solicitation and advertisement (true).
    Neighbour(bool),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) kind: Kind,
    /// A VLAN tag is known to be there, or known not to be; `None`: who knows.
    pub(crate) tagged: Option<bool>,
    /// A header was pushed. Of more than two tags, and of more than three MPLS entries, Open vSwitch
    /// loses some or drops the packet.
    pub(crate) pushed: bool,
    /// The outermost MPLS entry is the last: what is behind a lower one Open vSwitch pops with it.
    pub(crate) bottom: bool,
    /// In table 0, through which a packet comes once.
    pub(crate) first: bool,
}

/// What the tables of a case do beside matching and output; docs/conformance.md says why not all at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing to the packets, which may be of any shape and cut anywhere.
    Look,
    /// Set and pop fields.
    Edit,
    /// Push headers too, once: from table 0, or in the action set.
    Push,
}

/// What a case may have.
#[derive(Clone, Copy, Debug)]
struct Rules {
    learns: bool,
    mode: Mode,
    /// Action sets. Open vSwitch 3.1 aborts where it recirculates (for pop_mpls, or a select group)
    /// with an action set that is longer than what is left to do (ofproto-dpif-rid.c:235): a case has
    /// the one or the other.
    sets: bool,
}

/// A case's tables, without packets yet.
pub(crate) fn tables(r: &mut Rng) -> Case {
    let mode = r.pick(&[Mode::Look, Mode::Edit, Mode::Edit, Mode::Push]);
    let rules = Rules { learns: r.chance(30), mode, sets: r.chance(50) };
    let learns = rules.learns;
    let mut case = Case { groups: vec![], flows: vec![], shots: vec![], learns, mode };
    for id in 1..=r.below(5) as u32 {
        case.groups.push(group(r, id, rules));
    }
    // a group calls those before it only: a chain, and no loop
    let groups = case.groups.len();
    for table in 0..TABLES {
        let flows = 2 + r.below(if table == 0 { 12 } else { 8 });
        for n in 0..flows {
            // with an action set every table has an answer: the specification drops what a table has
            // none for (5.4), Open vSwitch still executes the set
            let last = n == 0 && (rules.sets || r.chance(80));
            let priority = if last { 0 } else { n as u16 * 10 };
            case.flows.push(flow(r, table, priority, last, groups, rules));
        }
    }
    case
}

fn group(r: &mut Rng, id: u32, rules: Rules) -> Group {
    let kind = r.pick(&["all", "all", if rules.sets { "all" } else { "select" }, "indirect", "ff"]);
    let buckets = match kind {
        "all" => r.below(4),
        "ff" => 1 + r.below(3),
        // of several the switch may choose as it likes
        _ => 1,
    };
    let buckets = (0..buckets)
        .map(|_| {
            let mut known =
                Known { kind: Kind::Any, tagged: None, pushed: false, bottom: false, first: false };
            let mut actions = action_set(r, &mut known, id as usize - 1, rules, false);
            if actions.is_empty() {
                actions.push(format!("output:{}", 1 + r.below(VETHS)));
            }
            Bucket { watch_port: (kind == "ff").then(|| 1 + r.below(VETHS)), actions }
        })
        .collect();
    Group { id, kind, buckets }
}

fn flow(r: &mut Rng, table: u8, priority: u16, all: bool, groups: usize, rules: Rules) -> Flow {
    let mut known =
        Known { kind: Kind::Any, tagged: None, pushed: false, bottom: false, first: false };
    known.first = table == 0;
    let mut flow = Flow { table, priority, ..Flow::default() };
    if !all {
        flow.matches = matches(r, &mut known, table);
    }
    for _ in 0..r.pick(&[0, 1, 1, 2, 3, 5]) {
        flow.apply.push(action(r, &mut known, table, groups, rules));
    }
    flow.clear = r.chance(8);
    if rules.sets && r.chance(40) {
        flow.write = action_set(r, &mut known, groups, rules, true);
    }
    if r.chance(15) {
        flow.metadata = Some(masked(r, 8));
    }
    if table + 1 < TABLES && r.chance(if table == 0 { 60 } else { 40 }) {
        flow.goto = Some(table + 1 + r.below(usize::from(TABLES - table - 1)) as u8);
    }
    flow
}

fn group_word(r: &mut Rng, groups: usize) -> Option<String> {
    (groups > 0).then(|| format!("group:{}", 1 + r.below(groups)))
}

/// An action of apply_actions; `known` is what holds behind it.
fn action(r: &mut Rng, known: &mut Known, table: u8, groups: usize, rules: Rules) -> String {
    loop {
        let word = match r.below(28) {
            0..=6 => Some(format!("output:{}", 1 + r.below(VETHS))),
            7 => Some("in_port".into()),
            8 => Some("LOCAL".into()),
            9 => Some(r.pick(&["flood", "all"]).into()),
            10 | 11 if rules.learns => Some("normal".into()),
            12 => group_word(r, groups),
            13 if table + 1 < TABLES => {
                let to = table + 1 + r.below(usize::from(TABLES - table - 1)) as u8;
                Some(if r.chance(80) {
                    format!("resubmit(,{to})")
                } else {
                    format!("resubmit({},{to})", 1 + r.below(VETHS))
                })
            }
            14 => Some(register(r, known, rules)),
            15 | 16 if rules.mode != Mode::Look => {
                let push = rules.mode == Mode::Push && !rules.sets && table == 0;
                push_or_pop(r, known, push, !rules.sets)
            }
            17..=26 if rules.mode != Mode::Look => set_field(r, known, rules),
            // where the TTL ends, Open vSwitch still executes the action set, and vxswitch drops
            27 if rules.mode != Mode::Look && !rules.sets => dec_ttl(known),
            _ => None,
        };
        if let Some(word) = word {
            return word;
        }
    }
}

/// Actions of write_actions or of a bucket.
fn action_set(
    r: &mut Rng,
    known: &mut Known,
    groups: usize,
    rules: Rules,
    write: bool,
) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for _ in 0..r.pick(&[1, 1, 2, 3]) {
        let word = match r.below(12) {
            _ if rules.mode == Mode::Look => None,
            0..=2 => set_field(r, known, rules),
            3 => dec_ttl(known),
            4 => push_or_pop(r, known, write && rules.mode == Mode::Push, write),
            _ => None,
        };
        out.extend(word);
    }
    if r.chance(90) {
        let port = r.pick(&["1", "2", "3", "4", "LOCAL", "in_port"]);
        let to = if port.len() == 1 { format!("output:{port}") } else { port.into() };
        out.push(if r.chance(20) { group_word(r, groups).unwrap_or(to) } else { to });
    }
    out
}

fn register(r: &mut Rng, known: &Known, rules: Rules) -> String {
    let n = r.below(3);
    match r.below(6) {
        0 => format!("load:{:#x}->NXM_NX_REG{n}[0..7]", r.below(256)),
        1 => format!("load:{:#x}->NXM_NX_REG{n}[]", r.bits() as u16),
        2 => format!("move:NXM_OF_IN_PORT[]->NXM_NX_REG{n}[0..15]"),
        3 => format!("move:NXM_NX_REG{n}[0..7]->NXM_NX_TUN_ID[0..7]"),
        4 => format!("set_field:{}->metadata", masked(r, 8)),
        _ => match known.kind {
            Kind::Ip(false, _) if rules.mode != Mode::Look => r
                .pick(&[
                    "move:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]",
                    "move:NXM_NX_REG0[0..7]->NXM_OF_IP_SRC[8..15]",
                    "move:NXM_OF_IP_DST[0..7]->NXM_NX_REG1[8..15]",
                ])
                .into(),
            _ => format!("move:NXM_OF_ETH_TYPE[]->NXM_NX_REG{n}[0..15]"),
        },
    }
}

/// A push sets the new header's fields too: what they are by default differs, and is meant to. Open
/// vSwitch gives a second VLAN tag the number 0, MPLS before IPv6 the label 2 and before ARP the TTL
/// 64, where OpenFlow 1.3.5 (5.12.1) copies what the packet had, or takes 0.
fn push_or_pop(r: &mut Rng, known: &mut Known, push: bool, pop: bool) -> Option<String> {
    match r.below(4) {
        0 if push && !known.pushed => {
            known.tagged = Some(true);
            known.pushed = true;
            let (tpid, vid) = (r.pick(&["0x8100", "0x88a8"]), 0x1000 | r.pick(&VIDS));
            let pcp = r.below(8);
            Some(format!("push_vlan:{tpid},set_field:{vid}->vlan_vid,set_field:{pcp}->vlan_pcp"))
        }
        1 if known.tagged == Some(true) => {
            known.tagged = None;
            Some("pop_vlan".into())
        }
        2 if push && !known.pushed => {
            (known.pushed, known.bottom) = (true, false);
            known.kind = Kind::Mpls;
            let (label, tc, ttl) = (r.pick(&LABELS), r.below(8), r.pick(&TTLS));
            let set = format!("set_field:{label}->mpls_label,set_field:{tc}->mpls_tc");
            Some(format!("push_mpls:0x8847,{set},set_mpls_ttl({ttl})"))
        }
        3 if pop && known.kind == Kind::Mpls => {
            let (ethertype, kind) = if known.bottom {
                r.pick(&[
                    ("0x0800", Kind::Ip(false, None)),
                    ("0x86dd", Kind::Ip(true, None)),
                    ("0x0806", Kind::Arp),
                ])
            } else {
                ("0x8847", Kind::Mpls)
            };
            known.bottom = false;
            known.kind = kind;
            Some(format!("pop_mpls:{ethertype}"))
        }
        _ => None,
    }
}

fn dec_ttl(known: &Known) -> Option<String> {
    match known.kind {
        Kind::Ip(..) => Some("dec_ttl".into()),
        Kind::Mpls => Some("dec_mpls_ttl".into()),
        _ => None,
    }
}

fn set_field(r: &mut Rng, known: &mut Known, rules: Rules) -> Option<String> {
    use Transport::{Icmp, Neighbour, Sctp, Tcp, Udp};
    let ports = |r: &mut Rng, name: &str| {
        format!("set_field:{}->{name}_{}", r.pick(&L4_PORTS), r.pick(&["src", "dst"]))
    };
    Some(match (r.below(8), known.kind) {
        (0, _) => {
            format!("set_field:{}->eth_src", mac_text([2, 0, 0xa5, 0x5a, 0, r.below(8) as u8]))
        }
        (1, _) => {
            let a = mac(r);
            format!("set_field:{}->eth_dst", mac_text(a))
        }
        (2, _) if known.tagged == Some(true) => {
            format!("set_field:{}->vlan_vid", 0x1000 | r.pick(&VIDS))
        }
        (3, _) if known.tagged == Some(true) => format!("set_field:{}->vlan_pcp", r.below(8)),
        (2, Kind::Any)
            if rules.mode == Mode::Push && !rules.sets && known.first && !known.pushed =>
        {
            (known.tagged, known.pushed) = (Some(true), true);
            // where no tag is known of, these words push one
            format!("mod_vlan_vid:{},mod_vlan_pcp:{}", r.pick(&VIDS), r.below(8))
        }
        (_, Kind::Mpls) => match r.below(3) {
            0 => format!("set_field:{}->mpls_label", r.pick(&LABELS)),
            1 => format!("set_field:{}->mpls_tc", r.below(8)),
            _ => format!("set_mpls_ttl({})", r.pick(&TTLS)),
        },
        (4.., Kind::Arp) => match r.below(5) {
            0 => format!("set_field:{}->arp_op", 1 + r.below(2)),
            1 => format!("set_field:{}->arp_spa", ipv4_text(r.pick(&IPV4))),
            2 => format!("set_field:{}->arp_tpa", ipv4_text(r.pick(&IPV4))),
            3 => format!("set_field:{}->arp_sha", mac_text(inner_mac(r))),
            _ => format!("set_field:{}->arp_tha", mac_text(inner_mac(r))),
        },
        (4 | 5, Kind::Ip(false, _)) => match r.below(5) {
            0 => format!("set_field:{}->ip_src", ipv4_text(r.pick(&IPV4))),
            1 => format!("set_field:{}->ip_dst", ipv4_text(r.pick(&IPV4))),
            2 => "set_field:10.9.0.0/255.255.0.0->ip_dst".into(),
            3 => format!("set_field:{}->ip_dscp", r.below(64)),
            _ => format!("mod_nw_ttl:{}", r.pick(&TTLS)),
        },
        (4 | 5, Kind::Ip(true, _)) => match r.below(5) {
            0 => format!("set_field:{}->ipv6_src", ipv6_text(ipv6(r))),
            1 => format!("set_field:{}->ipv6_dst", ipv6_text(ipv6(r))),
            2 => format!("set_field:{}->ipv6_label", r.pick(&["0", "1", "0xfffff"])),
            3 => format!("set_field:{}->ip_ecn", r.below(4)),
            _ => format!("mod_nw_ttl:{}", r.pick(&TTLS)),
        },
        (6 | 7, Kind::Ip(_, Some(Tcp))) => ports(r, "tcp"),
        (6 | 7, Kind::Ip(_, Some(Udp))) => ports(r, "udp"),
        (6 | 7, Kind::Ip(_, Some(Sctp))) => ports(r, "sctp"),
        (6 | 7, Kind::Ip(six, Some(Icmp))) => {
            let version = if six { "icmpv6" } else { "icmp" };
            // a type that has another header behind it would be another packet
            format!("set_field:{}->{version}_code", r.below(4))
        }
        (6 | 7, Kind::Ip(_, Some(Neighbour(advertisement)))) => match r.below(2) {
            0 => format!("set_field:{}->nd_target", ipv6_text(ipv6(r))),
            _ if advertisement => format!("set_field:{}->nd_tll", mac_text(inner_mac(r))),
            _ => format!("set_field:{}->nd_sll", mac_text(inner_mac(r))),
        },
        _ => return None,
    })
}
