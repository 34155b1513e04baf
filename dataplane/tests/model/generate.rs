//! Packets, rules and events to try, drawn from small pools so that they meet.

use dataplane::action::{Action, Instructions};
use dataplane::flow::key::{FRAG_ANY, FRAG_LATER, PACKET_WORDS, VLAN_PRESENT};
use dataplane::flow::{Field, FlowKey, Mask, Match, Vlan};
use dataplane::state::OfPort;
use dataplane::table::group::{Bucket, GROUP_ANY, GroupCommand, GroupKind, GroupMod};
use dataplane::table::{Command, FlowMod};
use dataplane::upcall::Reason;
use proptest::prelude::*;
use proptest::sample::select;

/// Something that happens to the switch.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A packet comes in; what is found in it where it is taken apart anew; and bits to flip where the
    /// decisions did not look.
    Packet(Box<FlowKey>, Box<FlowKey>, Box<Noise>),
    /// A flow-mod on a bridge.
    FlowMod(usize, Box<FlowMod>),
    /// A group of a bridge gets another kind and other buckets.
    Group(usize, Box<GroupMod>),
    /// The first bridge forwards by NORMAL, or by its tables.
    FailOpen(bool),
    /// An address was seen on a port of the first bridge.
    Seen { vlan: u16, mac: [u8; 6], port: u32 },
    /// A port goes down, comes back, loses or gets its flood flag.
    Port { port: usize, down: bool, no_flood: bool, link_up: bool },
    /// The first bridge forgets what it learned on a port.
    Flush(u32),
}

/// Bits for all that a packet decides of its key.
pub(crate) type Noise = [u64; PACKET_WORDS];

/// Groups that each bridge has. Each sends to those behind it only.
pub(crate) const GROUPS: u32 = 4;

/// Ports of the model switch: 8 of the first bridge, 3 of the second.
pub(crate) const PORTS: u32 = 11;

pub(crate) const MACS: [[u8; 6]; 8] = [
    [2, 0, 0, 0, 0, 1],
    [2, 0, 0, 0, 0, 2],
    [2, 0, 0, 0, 0, 3],
    [2, 0, 0, 0, 1, 3],
    [0xff; 6],
    [0x33, 0x33, 0, 0, 0, 1],
    [0x01, 0x80, 0xc2, 0, 0, 0x0e],
    [0x01, 0x80, 0xc2, 0, 0, 0x10],
];
const ADDRESSES: [u32; 5] = [0x0a00_0001, 0x0a00_0002, 0x0a00_0101, 0x0a01_0001, 0xc0a8_0101];
const VIDS: [u16; 4] = [0, 10, 20, 30];
const TOS: [u8; 5] = [0, 1, 2, 3, 0xb8];
const TTL: [u8; 4] = [0, 1, 2, 64];
const TP: [u16; 6] = [0, 80, 443, 0x1234, 135, 136];

fn vlan() -> impl Strategy<Value = Vlan> {
    let tag = (select(&VIDS[..]), 0u16..8, select(vec![0x8100u16, 0x88a8]));
    prop_oneof![
        2 => Just(Vlan::default()),
        1 => tag.prop_map(|(vid, pcp, tpid)| Vlan {
            tpid: tpid.into(),
            tci: (pcp << 13 | VLAN_PRESENT | vid).into(),
        }),
    ]
}

/// The key of a packet as it would be extracted.
pub(crate) fn packet() -> impl Strategy<Value = FlowKey> {
    let link = (0..PORTS, select(&MACS[..4]), select(&MACS[..]), vlan(), vlan());
    let kind = prop_oneof![
        5 => Just(0x0800u16),
        3 => Just(0x86dd),
        2 => Just(0x0806),
        1 => Just(0x88cc),
        2 => Just(0x8847),
        1 => Just(0x88e7),
    ];
    let address = || select(&ADDRESSES[..]);
    let network = (kind, address(), address(), select(&TOS[..]), select(&TTL[..]), 0u32..3);
    let proto = select(vec![1u8, 6, 17, 58, 132, 47]);
    let frag = prop_oneof![6 => Just(0u8), 1 => Just(FRAG_ANY), 1 => Just(FRAG_ANY | FRAG_LATER)];
    let transport =
        (proto, frag, select(&TP[..]), select(&TP[..]), select(vec![0u16, 2, 16, 18]), 0u8..3);
    let tunnel = (any::<bool>(), select(vec![0u64, 100, 101]), address());
    (link, network, transport, tunnel).prop_map(|(link, network, transport, tunnel)| {
        let mut key = FlowKey::default();
        key.in_port.set(link.0);
        (key.eth_src, key.eth_dst) = (link.1, link.2);
        if link.3 != Vlan::default() {
            key.vlan = [link.3, link.4];
        }
        if let (true, id, remote) = tunnel {
            key.tun_id.set(id);
            key.tun_src.set(remote);
            key.tun_dst.set(ADDRESSES[4]);
            key.tun_ttl = 64;
        }
        fill_network(&mut key, network, transport);
        key
    })
}

type Network = (u16, u32, u32, u8, u8, u32);
type Transport = (u8, u8, u16, u16, u16, u8);

fn fill_network(key: &mut FlowKey, network: Network, transport: Transport) {
    let (kind, src, dst, tos, ttl, label) = network;
    let (proto, frag, tp_src, tp_dst, flags, link_layer) = transport;
    key.eth_type.set(kind);
    let v6 = |a: u32| {
        let mut v6 = [0; 16];
        v6[0] = 0xfd;
        v6[12..].copy_from_slice(&a.to_be_bytes());
        v6
    };
    match kind {
        0x0800 | 0x0806 => {
            key.ipv4_src.set(src);
            key.ipv4_dst.set(dst);
        }
        0x86dd => {
            (key.ipv6_src, key.ipv6_dst) = (v6(src), v6(dst));
            key.ipv6_label.set(label);
        }
        0x8847 => {
            for (i, entry) in key.mpls.iter_mut().enumerate().take(label as usize + 1) {
                let bottom = if i == label as usize { 0x100 } else { 0 };
                entry.set(u32::from(tos) << 12 | bottom | u32::from(ttl));
            }
        }
        0x88e7 => key.pbb.set(label),
        _ => {}
    }
    if kind == 0x0806 {
        key.ip_proto = link_layer;
        (key.arp_sha, key.arp_tha) = (key.eth_src, [0; 6]);
        return;
    }
    if kind != 0x0800 && kind != 0x86dd {
        return;
    }
    (key.ip_proto, key.ip_tos, key.ip_ttl, key.ip_frag) = (proto, tos, ttl, frag);
    if frag & FRAG_LATER != 0 || proto == 47 {
        return;
    }
    key.tp_src.set(tp_src);
    key.tp_dst.set(tp_dst);
    if proto == 6 {
        key.tcp_flags.set(flags);
    }
    if proto == 58 && kind == 0x86dd {
        key.tp_dst.set(0);
        if tp_src == 135 || tp_src == 136 {
            key.nd_target = v6(dst);
            (key.arp_sha[5], key.arp_tha[5]) = (link_layer & 1, link_layer >> 1);
        }
    }
}

/// Which bits of a field a rule looks at: all, a prefix, or some.
fn field_mask() -> impl Strategy<Value = (Field, u128)> {
    let bits = prop_oneof![
        4 => Just(u128::MAX),
        2 => (0u32..128).prop_map(|n| u128::MAX.checked_shl(n).unwrap_or(0)),
        1 => any::<u128>(),
    ];
    (select(Field::ALL), bits).prop_map(|(field, bits)| (field, bits & field.max()))
}

/// A match that some packets fit: some bits of one of them.
fn matching() -> impl Strategy<Value = Match> {
    (packet(), prop::collection::vec(field_mask(), 0..4), 0u32..8, 0u8..3).prop_map(
        |(mut key, fields, ofport, type_known)| {
            key.in_port.set(ofport);
            let mut mask = Mask::default();
            if type_known > 0 {
                mask.0.eth_type.set(u16::MAX);
            }
            for (field, bits) in fields {
                field.write_masked(&mut mask.0, bits, bits);
                // What else the match must say so that set-fields are allowed.
                if field >= Field::Ipv6Label {
                    mask.0.eth_type.set(u16::MAX);
                }
                if field >= Field::TpSrc {
                    mask.0.ip_proto = u8::MAX;
                }
            }
            Match::new(&key, &mask)
        },
    )
}

fn output() -> impl Strategy<Value = Action> {
    let ports = vec![
        OfPort::NORMAL,
        OfPort::NORMAL,
        OfPort::NORMAL,
        OfPort::FLOOD,
        OfPort::ALL,
        OfPort::IN_PORT,
        OfPort::LOCAL,
        OfPort::CONTROLLER,
        OfPort(99),
    ];
    prop_oneof![2 => select(ports), 3 => (1u32..8).prop_map(OfPort)].prop_map(Action::output)
}

fn set_field() -> impl Strategy<Value = Action> {
    let fields: Vec<Field> = Field::ALL.iter().copied().filter(|f| f.settable()).collect();
    let value = prop_oneof![
        2 => 0u128..3,
        1 => select(&ADDRESSES[..]).prop_map(u128::from),
        1 => select(&VIDS[..]).prop_map(|v| u128::from(v | VLAN_PRESENT)),
        1 => any::<u128>(),
    ];
    let mask = prop_oneof![3 => Just(u128::MAX), 1 => any::<u128>()];
    (select(fields), value, mask).prop_map(|(field, value, mask)| Action::SetField {
        field,
        value: value & field.max(),
        mask: mask & field.max(),
    })
}

/// Some bits of a field, and as many of another that may be set.
fn bits_of_two() -> impl Strategy<Value = ((Field, u16), (Field, u16), u16)> {
    let places = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let settable: Vec<Field> = Field::ALL.iter().copied().filter(|f| f.settable()).collect();
    (select(Field::ALL), select(settable), places, any::<prop::sample::Index>()).prop_map(
        |(src, dst, (a, b), n)| {
            let bits = n.index(src.bits().min(dst.bits()).min(64) as usize) + 1;
            let from = a.index(src.bits() as usize - bits + 1) as u16;
            let to = b.index(dst.bits() as usize - bits + 1) as u16;
            ((src, from), (dst, to), bits as u16)
        },
    )
}

fn headers() -> impl Strategy<Value = Action> {
    let popped = select(vec![0x0800u16, 0x86dd, 0x8847, 0x88cc]);
    prop_oneof![
        2 => Just(Action::PushMpls(0x8847)),
        3 => popped.prop_map(Action::PopMpls),
        1 => Just(Action::PushPbb(0x88e7)),
        1 => Just(Action::PopPbb),
        1 => Just(Action::DecMplsTtl),
        1 => Just(Action::CopyTtlIn),
        1 => Just(Action::CopyTtlOut),
    ]
}

fn nicira() -> impl Strategy<Value = Action> {
    let port = prop::option::weighted(0.3, 1u32..8).prop_map(|p| p.map(OfPort));
    let resubmit =
        (port, prop::option::of(0u8..4)).prop_map(|(port, table)| Action::Resubmit { port, table });
    let load = (bits_of_two(), any::<u64>()).prop_map(|((_, (field, bit), bits), value)| {
        Action::Load { field, bit, bits, value: value & (u64::MAX >> (64 - bits)) }
    });
    let copy = bits_of_two().prop_map(|((src, src_bit), (dst, dst_bit), bits)| Action::Move {
        src,
        src_bit,
        dst,
        dst_bit,
        bits,
    });
    let reason = select(vec![Reason::Action, Reason::InvalidTtl]);
    prop_oneof![
        3 => resubmit,
        2 => load,
        3 => copy,
        1 => reason.prop_map(|reason| Action::Controller { max_len: 128, id: 0, reason }),
        1 => Just(Action::Note([1, 2].into())),
    ]
}

fn group(ids: std::ops::RangeInclusive<u32>) -> impl Strategy<Value = Action> {
    ids.prop_map(Action::Group)
}

/// A group like any of those that each bridge has; its buckets send to groups behind it.
pub(crate) fn group_mod(command: GroupCommand, id: u32) -> impl Strategy<Value = GroupMod> {
    let kinds = [GroupKind::All, GroupKind::Select, GroupKind::Indirect, GroupKind::FastFailover];
    let to = if id < GROUPS {
        prop_oneof![4 => action(), 1 => group(id + 1..=GROUPS)].boxed()
    } else {
        action().boxed()
    };
    let watched = prop::option::weighted(0.4, 1u32..9);
    let bucket = (prop::collection::vec(to, 0..4), 0u16..4, watched);
    (select(kinds.to_vec()), prop::collection::vec(bucket, 1..4)).prop_map(
        move |(kind, mut buckets)| {
            if kind == GroupKind::Indirect {
                buckets.truncate(1);
            }
            let watch = |port: Option<u32>| match kind {
                GroupKind::All | GroupKind::Indirect => OfPort::ANY,
                GroupKind::Select => port.map_or(OfPort::ANY, OfPort),
                GroupKind::FastFailover => OfPort(port.unwrap_or(2)),
            };
            let bucket = |(actions, weight, watched): (Vec<Action>, u16, Option<u32>)| Bucket {
                weight: if kind == GroupKind::Select { weight } else { 0 },
                watch_port: watch(watched),
                watch_group: GROUP_ANY,
                actions,
                counts: std::sync::Arc::default(),
            };
            let buckets = buckets.into_iter().map(bucket).collect();
            GroupMod { command, id, kind, buckets }
        },
    )
}

/// What a rule or a bucket does; no group.
fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        2 => headers(),
        3 => nicira(),
        6 => plain_action(),
    ]
}

fn plain_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => output(),
        3 => set_field(),
        1 => select(vec![0x8100u16, 0x88a8]).prop_map(Action::PushVlan),
        1 => Just(Action::PopVlan),
        1 => Just(Action::DecTtl),
    ]
}

fn instructions() -> impl Strategy<Value = Instructions> {
    let action = || prop_oneof![8 => action(), 1 => group(1..=GROUPS + 1)];
    let actions = || prop::collection::vec(action(), 0..5);
    let metadata = prop::option::weighted(0.2, (0u64..4, select(vec![3u64, u64::MAX])));
    let goto_table = prop::option::weighted(0.4, select(vec![1u8, 2, 2, 3, 3, 3]));
    let clear = prop::bool::weighted(0.1);
    (actions(), clear, actions(), metadata, goto_table).prop_map(
        |(apply, clear, write, metadata, goto_table)| Instructions {
            apply,
            clear,
            write,
            metadata,
            meter: None,
            goto_table,
        },
    )
}

/// A flow-mod that adds a rule.
pub(crate) fn addition() -> impl Strategy<Value = FlowMod> {
    let timeouts = prop_oneof![5 => Just((0u16, 0u16)), 1 => (0u16..3, 0u16..5)];
    (0u8..3, matching(), 0u16..12, 0u64..4, timeouts, instructions()).prop_map(
        |(table, matching, priority, cookie, (idle_timeout, hard_timeout), instructions)| FlowMod {
            table: Some(table),
            matching,
            priority,
            cookie,
            idle_timeout,
            hard_timeout,
            instructions,
            ..FlowMod::default()
        },
    )
}

/// Any flow-mod.
pub(crate) fn flow_mod() -> impl Strategy<Value = FlowMod> {
    let commands = vec![Command::Modify, Command::ModifyStrict, Command::Delete];
    let command = prop_oneof![
        5 => Just(Command::Add),
        3 => select(commands),
        1 => Just(Command::DeleteStrict),
    ];
    let filter = (prop::bool::weighted(0.3), prop::option::weighted(0.3, 1u32..8), 0u16..8);
    (addition(), command, filter, any::<bool>()).prop_map(
        |(add, command, (by_cookie, out_port, flags), all)| FlowMod {
            command,
            table: add.table.filter(|_| command != Command::Delete || !all),
            cookie_mask: if by_cookie { 1 } else { 0 },
            out_port: out_port.map_or(OfPort::ANY, OfPort),
            flags: flags & 4,
            ..add
        },
    )
}

/// Anything, mostly packets out of `packets`.
pub(crate) fn event(packets: Vec<FlowKey>) -> impl Strategy<Value = Event> {
    let seen = (select(&VIDS[..]), select(&MACS[..4]), 0..8u32);
    let port = (0..PORTS as usize, 0u8..4, any::<bool>(), 0u8..4);
    // The same again, with one field of another, or a new one.
    let mixed =
        (select(packets.clone()), packet(), select(Field::ALL)).prop_map(|(k, other, f)| {
            let mut key = k;
            f.write(&mut key, f.read(&other));
            key.in_port = k.in_port;
            key
        });
    let behind = prop_oneof![3 => select(packets.clone()), 1 => packet()];
    let packet = prop_oneof![4 => select(packets), 3 => mixed, 1 => packet()];
    let group = (1..=GROUPS).prop_flat_map(|id| group_mod(GroupCommand::Modify, id));
    prop_oneof![
        40 => (packet, behind, any::<Noise>())
            .prop_map(|(k, b, f)| Event::Packet(k.into(), b.into(), f.into())),
        1 => (0..2usize, group).prop_map(|(b, m)| Event::Group(b, m.into())),
        1 => prop::bool::weighted(0.2).prop_map(Event::FailOpen),
        4 => (0..2usize, flow_mod()).prop_map(|(b, m)| Event::FlowMod(b, m.into())),
        2 => seen.prop_map(|(vlan, mac, port)| Event::Seen { vlan, mac, port }),
        1 => port.prop_map(|(port, down, no_flood, link)| Event::Port {
            port,
            down: down == 0,
            no_flood,
            link_up: link != 0,
        }),
        1 => (0..8u32).prop_map(Event::Flush),
    ]
}
