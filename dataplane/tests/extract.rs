//! Flow keys of known frames, and of random ones compared with etherparse's reading.

mod frames;

use dataplane::flow::key::{FRAG_ANY, FRAG_LATER, FlowKey};
use dataplane::flow::{Layout, extract, hash};
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use frames::{DST, L4, SRC, Spec};
use proptest::prelude::*;

fn key_of(frame: &[u8]) -> (FlowKey, Layout) {
    let mut key = FlowKey::default();
    let layout = extract(frame, &mut key);
    (key, layout)
}

fn text(frame: &[u8]) -> String {
    dataplane::text::format_key(&key_of(frame).0)
}

/// An Ethernet frame of this type.
fn ethernet(ethertype: u16, rest: &[u8]) -> Vec<u8> {
    [&DST[..], &SRC, &ethertype.to_be_bytes(), rest].concat()
}

/// An IPv6 packet whose first next-header is `next`.
fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut p = vec![0x62, 0x81, 0x23, 0x45, 0, payload.len() as u8, next, 63];
    p.extend([0xfe; 16]);
    p.extend([0xfd; 16]);
    p.extend(payload);
    ethernet(0x86dd, &p)
}

const MACS: &str = "dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02";

#[test]
fn known_frames() {
    let tcp = Spec { vlans: vec![0x6005], ..Spec::new(false, L4::Tcp) }.build();
    let expected = format!(
        "tcp,dl_vlan=5,dl_vlan_pcp=3,{MACS},nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64,tp_src=1000,tp_dst=2000"
    );
    assert_eq!(text(&tcp), expected);
    assert_eq!(key_of(&tcp).1, Layout { vlan_len: 4, l3: 18, l4: 38 });

    let sctp = Spec::new(false, L4::Sctp).build();
    assert!(text(&sctp).starts_with("sctp,") && text(&sctp).ends_with("tp_src=1000,tp_dst=2000"));
    let icmp = Spec::new(false, L4::Icmp).build();
    assert!(text(&icmp).starts_with("icmp,") && text(&icmp).ends_with("icmp_type=8"));
    let nd = Spec::new(true, L4::Nd).build();
    let expected = "nw_ttl=64,icmp_type=135,nd_target=a00:2::2,nd_sll=02:00:00:00:00:01,nd_tll=02:00:00:00:00:02";
    assert!(text(&nd).starts_with("icmp6,") && text(&nd).ends_with(expected), "{}", text(&nd));

    let arp = "arp,dl_vlan=5,dl_vlan_pcp=0,dl_src=02:00:00:00:00:01,dl_dst=ff:ff:ff:ff:ff:ff,\
               arp_spa=10.0.0.1,arp_tpa=10.0.0.2,arp_op=1,arp_sha=02:00:00:00:00:01";
    assert_eq!(text(&frames::arp()), arp);
}

#[test]
fn tcp_flags() {
    let mut frame = Spec::new(false, L4::Tcp).build();
    frame[46] |= 0x01;
    frame[47] = 0x12;
    assert_eq!(key_of(&frame).0.tcp_flags.get(), 0x112);
}

#[test]
fn tags_beyond_the_second_end_the_key() {
    let two = Spec { vlans: vec![1, 2], ..Spec::new(false, L4::Udp) }.build();
    let (key, layout) = key_of(&two);
    let tags = key.vlan.map(|v| (v.tpid.get(), v.tci.get()));
    assert_eq!(tags, [(0x88a8, 0x1001), (0x8100, 0x1002)]);
    assert_eq!((layout.vlan_len, layout.l3, key.tp_dst.get()), (8, 22, 2000));

    let three = Spec { vlans: vec![1, 2, 3], ..Spec::new(false, L4::Udp) }.build();
    let (key, layout) = key_of(&three);
    assert_eq!((key.eth_type.get(), key.ip_proto), (0x8100, 0));
    assert_eq!(layout, Layout { vlan_len: 8, l3: 0, l4: 0 });

    // A tag without the EtherType behind it is none.
    let (key, _) = key_of(&ethernet(0x8100, &[0, 5, 8]));
    assert_eq!((key.eth_type.get(), key.has_vlan()), (0x8100, false));
    // DEI is not in the key.
    let (key, _) = key_of(&ethernet(0x8100, &[0xf0, 5, 0x12, 0x34]));
    assert_eq!((key.eth_type.get(), key.vlan[0].tci.get()), (0x1234, 0xf005));
}

#[test]
fn llc_and_snap() {
    let snap = [0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0x00];
    let udp = Spec::new(false, L4::Udp).build();
    let (key, layout) = key_of(&ethernet(100, &[&snap[..], &udp[14..]].concat()));
    assert_eq!((key.eth_type.get(), key.tp_src.get(), layout.l3), (0x0800, 1000, 22));
    // Spanning tree: LLC without SNAP.
    assert_eq!(key_of(&ethernet(38, &[0x42, 0x42, 3, 0, 0])).0.eth_type.get(), 0x05ff);
    assert_eq!(key_of(&ethernet(100, &snap[..7])).0.eth_type.get(), 0x05ff);
}

#[test]
fn ipv4_fragments_and_lies() {
    let whole = Spec::new(false, L4::Udp).build();
    let with = |at: usize, value: u8| {
        let mut f = whole.clone();
        f[14 + at] = value;
        let (key, layout) = key_of(&f);
        (key.ip_frag, key.ip_proto, key.tp_src.get(), layout.l4)
    };
    // etherparse sets "don't fragment".
    assert_eq!(with(6, 0x40), (0, 17, 1000, 34));
    // The first fragment has ports, and is treated as the others are, which have none.
    assert_eq!(with(6, 0x20), (FRAG_ANY, 17, 0, 34));
    assert_eq!(with(7, 0x01), (FRAG_ANY | FRAG_LATER, 17, 0, 0));
    // Header length below 20 or beyond the packet, total length beyond the frame or below the header.
    for (at, value) in [(0, 0x44), (0, 0x4f), (2, 0xff), (3, 19)] {
        assert_eq!(with(at, value), (0, 0, 0, 0), "byte {at} = {value:#x}");
    }
    // The total length ends the packet within its UDP header: no ports.
    assert_eq!(with(3, 27), (0, 17, 0, 0));

    // Padding is none of the packet.
    let mut padded = whole.clone();
    padded.extend([0; 20]);
    assert_eq!(key_of(&padded), key_of(&whole));

    let mut options = whole.clone();
    options[14] = 0x46;
    options[17] += 4;
    options.splice(34..34, [1, 1, 1, 0]);
    let (key, layout) = key_of(&options);
    assert_eq!((key.tp_src.get(), layout.l4), (1000, 38));
}

#[test]
fn ipv6_extension_headers() {
    let udp = [3, 232, 7, 208, 0, 8, 0, 0];
    let chain = |first: u8, headers: &[&[u8]]| {
        let (key, layout) = key_of(&ipv6(first, &[&headers.concat()[..], &udp].concat()));
        (key.ip_proto, key.ip_frag, key.tp_dst.get(), layout.l4, key.ipv6_exthdr.get())
    };
    let hop: &[u8] = &[43, 0, 0, 0, 0, 0, 0, 0];
    let routing: &[u8] = &[60, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let dest: &[u8] = &[17, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(chain(17, &[]), (17, 0, 2000, 54, 0));
    assert_eq!(chain(0, &[hop, routing, dest]), (17, 0, 2000, 86, 64 | 32 | 8));
    let auth: &[u8] = &[17, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(chain(51, &[auth]), (17, 0, 2000, 66, 4));
    // Fragments have no ports, though the first has a header; an atomic one is none.
    let frag = |lo: u8, hi: u8| vec![17, 0, hi, lo, 0, 0, 0, 1];
    assert_eq!(chain(44, &[&frag(1, 0)]), (17, FRAG_ANY, 0, 62, 16));
    assert_eq!(chain(44, &[&frag(8, 0)]), (44, FRAG_ANY | FRAG_LATER, 0, 0, 16));
    assert_eq!(chain(44, &[&frag(0, 0)]), (17, 0, 2000, 62, 16));
    // Out of order; the same twice.
    let to_hop: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0];
    let hop_last: &[u8] = &[17, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(chain(44, &[to_hop, hop_last]).4, 16 | 256);
    assert_eq!(chain(0, &[to_hop, hop_last]).4, 64 | 128 | 256);
    // Two destination options are expected, the first before, the second behind the others.
    let to = |next: u8| vec![next, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(chain(60, &[&to(43), &to(60), &to(17)]).4, 8 | 32);
    assert_eq!(chain(43, &[&to(60), &to(60), &to(60), &to(17)]).4, 8 | 32 | 128);
    assert_eq!(chain(43, &[&to(44), &to(43), &to(17)]).4, 32 | 16 | 128 | 256);
    // No next header, and ESP.
    assert_eq!(chain(59, &[]), (59, 0, 0, 0, 1));
    assert_eq!(chain(50, &[]), (50, 0, 0, 0, 2));
    // A header longer than the packet.
    let long: &[u8] = &[17, 200, 0, 0, 0, 0, 0, 0];
    assert_eq!(chain(0, &[long]), (0, 0, 0, 0, 0));

    let (key, _) = key_of(&ipv6(17, &udp));
    assert_eq!((key.ipv6_label.get(), key.ip_tos, key.ip_ttl), (0x12345, 0x28, 63));
    assert_eq!((key.ipv6_src, key.ipv6_dst), ([0xfe; 16], [0xfd; 16]));
}

#[test]
fn neighbour_options() {
    let good = Spec::new(true, L4::Nd).build();
    let options = good.len() - 16;
    let with = |at: usize, value: u8| {
        let mut f = good.clone();
        f[at] = value;
        let (key, _) = key_of(&f);
        (key.nd_target == [0; 16], key.arp_sha != [0; 6], key.arp_tha != [0; 6])
    };
    assert_eq!(with(0, 0), (false, true, true));
    // Code 1: no neighbour message.
    assert_eq!(with(55, 1), (true, false, false));
    // The same option twice: nothing of it is believed.
    assert_eq!(with(options + 8, 1), (true, false, false));
    // Lengths zero and beyond the end stop the search.
    assert_eq!(with(options + 1, 0), (false, false, false));
    assert_eq!(with(options + 9, 2), (false, true, false));
    // An unknown option is passed over.
    assert_eq!(with(options, 3), (false, false, true));
}

#[test]
fn mpls_labels() {
    let (key, layout) = key_of(&ethernet(0x8847, &[0, 1, 0, 64, 0, 2, 1, 64, 0x45, 0, 0, 0]));
    assert_eq!(key.mpls.map(|l| l.get()), [0x0001_0040, 0x0002_0140, 0]);
    assert_eq!((key.ip_proto, layout.l3), (0, 0));
    let (key, _) = key_of(&ethernet(0x8848, &[0, 1, 1, 64, 0, 2, 1, 64]));
    assert_eq!(key.mpls.map(|l| l.get()), [0x0001_0140, 0, 0]);
}

#[test]
fn hashes_differ_by_flow() {
    let h = |s: &Spec| hash(&key_of(&s.build()).0);
    let base = Spec::new(false, L4::Udp);
    // The ports of VXLAN come from the upper and the lower bits: both have to vary.
    let hashes: Vec<u32> = (0..1000).map(|p| h(&Spec { ports: (p, 53), ..base.clone() })).collect();
    let distinct =
        |f: fn(&u32) -> u32| hashes.iter().map(f).collect::<std::collections::HashSet<_>>().len();
    assert!(distinct(|h| *h) > 998);
    assert!(distinct(|h| h & 0xff) > 240 && distinct(|h| h >> 24) > 240);
    // Not by what differs between packets of a flow.
    assert_eq!(h(&base), h(&Spec { ttl: 3, payload: vec![], ..base.clone() }));
}

fn specs() -> impl Strategy<Value = Spec> {
    let l4 = prop_oneof![Just(L4::Tcp), Just(L4::Udp), Just(L4::Icmp)];
    let vlans = proptest::collection::vec(any::<u16>(), 0..3);
    let payload = proptest::collection::vec(any::<u8>(), 0..50);
    (
        vlans,
        any::<bool>(),
        l4,
        any::<[u8; 16]>(),
        any::<[u8; 16]>(),
        1u8..,
        any::<(u16, u16)>(),
        payload,
    )
        .prop_map(|(vlans, v6, l4, src, dst, ttl, ports, payload)| Spec {
            vlans,
            v6,
            l4,
            src,
            dst,
            ttl,
            ports,
            payload,
        })
}

proptest! {
    #[test]
    fn etherparse_reads_the_same(spec in specs()) {
        let frame = spec.build();
        let (key, layout) = key_of(&frame);
        let other = SlicedPacket::from_ethernet(&frame).unwrap();
        prop_assert_eq!(other.link_exts.len() * 4, usize::from(layout.vlan_len));
        let vids = other.vlan_ids();
        for (v, k) in vids.iter().zip(&key.vlan) {
            prop_assert_eq!(v.value(), k.tci.get() & 0xfff);
        }
        let start = frame.as_ptr() as usize;
        match other.net.unwrap() {
            NetSlice::Ipv4(ip) => {
                let h = ip.header();
                prop_assert_eq!(key.ipv4_src.get().to_be_bytes(), h.source());
                prop_assert_eq!(key.ipv4_dst.get().to_be_bytes(), h.destination());
                prop_assert_eq!((key.ip_proto, key.ip_ttl), (h.protocol().0, h.ttl()));
                prop_assert_eq!(h.slice().as_ptr() as usize - start, usize::from(layout.l3));
            }
            NetSlice::Ipv6(ip) => {
                let h = ip.header();
                prop_assert_eq!(key.ipv6_src, h.source());
                prop_assert_eq!(key.ipv6_dst, h.destination());
                prop_assert_eq!((key.ip_proto, key.ip_ttl), (h.next_header().0, h.hop_limit()));
                prop_assert_eq!(h.slice().as_ptr() as usize - start, usize::from(layout.l3));
            }
            NetSlice::Arp(_) => prop_assert!(false),
        }
        let (ports, slice) = match other.transport.unwrap() {
            TransportSlice::Tcp(t) => ((t.source_port(), t.destination_port()), t.slice().as_ptr()),
            TransportSlice::Udp(u) => ((u.source_port(), u.destination_port()), u.slice().as_ptr()),
            TransportSlice::Icmpv4(i) => ((i.type_u8().into(), i.code_u8().into()), i.slice().as_ptr()),
            TransportSlice::Icmpv6(i) => ((i.type_u8().into(), i.code_u8().into()), i.slice().as_ptr()),
            other => panic!("{other:?}"),
        };
        prop_assert_eq!((key.tp_src.get(), key.tp_dst.get()), ports);
        prop_assert_eq!(slice as usize - start, usize::from(layout.l4));
    }

    #[test]
    fn a_truncated_frame_keeps_what_is_whole(spec in specs(), cut in any::<prop::sample::Index>()) {
        let frame = spec.build();
        let (whole, _) = key_of(&frame);
        let len = cut.index(frame.len());
        let (key, layout) = key_of(&frame[..len]);
        // Each field has its right value or none.
        for field in dataplane::flow::Field::ALL {
            // The type of a truncated tag is the tag's own.
            if *field != dataplane::flow::Field::EthType {
                let (a, b) = (field.read(&key), field.read(&whole));
                prop_assert!(a == 0 || a == b, "{}: {a:#x} {b:#x}", field.name());
            }
        }
        prop_assert!(usize::from(layout.l3.max(layout.l4)) <= len);
    }
}
