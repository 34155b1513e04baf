//! Packets, rules and events to try, drawn from small pools so that they meet.

use dataplane::action::{Action, Instructions};
use dataplane::flow::key::{FRAG_ANY, FRAG_LATER, VLAN_PRESENT};
use dataplane::flow::{Field, FlowKey, Mask, Match, Vlan};
use dataplane::state::OfPort;
use dataplane::table::{Command, FlowMod};
use proptest::prelude::*;
use proptest::sample::select;

/// Something that happens to the switch.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A packet comes in; and bits to flip where the decision did not look.
    Packet(Box<FlowKey>, Box<[u64; 23]>),
    /// A flow-mod on a bridge.
    FlowMod(usize, Box<FlowMod>),
    /// An address was seen on a port of the first bridge.
    Seen { vlan: u16, mac: [u8; 6], port: u32 },
    /// A port goes down, comes back, loses or gets its flood flag.
    Port { port: usize, down: bool, no_flood: bool, link_up: bool },
    /// The first bridge forgets what it learned on a port.
    Flush(u32),
}

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
    (packet(), prop::collection::vec(field_mask(), 0..4), 0u32..8).prop_map(
        |(mut key, fields, ofport)| {
            key.in_port.set(ofport);
            let mut mask = Mask::default();
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

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => output(),
        3 => set_field(),
        1 => select(vec![0x8100u16, 0x88a8]).prop_map(Action::PushVlan),
        1 => Just(Action::PopVlan),
        1 => Just(Action::DecTtl),
    ]
}

fn instructions() -> impl Strategy<Value = Instructions> {
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
    let packet = prop_oneof![4 => select(packets), 3 => mixed, 1 => packet()];
    prop_oneof![
        40 => (packet, any::<[u64; 23]>()).prop_map(|(k, f)| Event::Packet(k.into(), f.into())),
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
