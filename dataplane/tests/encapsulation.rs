//! MPLS and PBB headers, TTLs between headers, and the fields that say what follows: golden bytes,
//! checksums, and the layout that the next edit needs.

mod frames;

use dataplane::action::mpls::{entry_on_push, pop_mpls, push_mpls};
use dataplane::action::pbb::{itag_on_push, pop_pbb, push_pbb};
use dataplane::action::set_field::set_field;
use dataplane::action::ttl::{copy_ttl, remark_dscp};
use dataplane::drop::DropReason;
use dataplane::flow::{Field, FlowKey, Layout, extract};
use dataplane::offload::{self, Scratch};
use dataplane::packet::{Checksum, Gso, GsoKind, Packet};
use frames::{L4, Spec, checksums, csum_offset, pseudo_sum};
use proptest::prelude::*;

fn key_of(frame: &[u8]) -> (FlowKey, Layout) {
    let mut key = FlowKey::default();
    let layout = extract(frame, &mut key);
    (key, layout)
}

fn tagged(vlans: &[u16], v6: bool, l4: L4) -> Vec<u8> {
    Spec { vlans: vlans.to_vec(), ..Spec::new(v6, l4) }.build()
}

#[test]
fn mpls_is_pushed_behind_the_tags_and_popped() {
    for (vlans, v6) in [(&[][..], false), (&[5], true), (&[6, 5], false)] {
        let frame = tagged(vlans, v6, L4::Tcp);
        let at = 14 + 4 * vlans.len();
        let (key, mut layout) = key_of(&frame);
        let whole = layout;
        let mut p = Packet::copied(&frame);
        p.offload.csum = Checksum::Partial { start: layout.l4, offset: 16 };

        let first = entry_on_push(&key);
        assert_eq!(first, 0x0000_0140);
        push_mpls(&mut p, &mut layout, 0x8847, first).unwrap();
        assert_eq!(p.data()[at - 2..at + 4], [0x88, 0x47, 0, 0, 1, 64]);
        set_field(&mut p, &mut layout, Field::MplsLabel, 0xabcde, u128::MAX).unwrap();
        set_field(&mut p, &mut layout, Field::MplsTc, 5, u128::MAX).unwrap();
        assert_eq!(p.data()[at..at + 4], [0xab, 0xcd, 0xeb, 64]);

        let (key, read) = key_of(p.data());
        assert_eq!(read, layout);
        assert_eq!((key.eth_type.get(), key.ip_proto), (0x8847, 0));
        let second = entry_on_push(&key);
        assert_eq!(second, 0xabcd_ea40, "label, TC and TTL of the entry below, no bottom bit");
        push_mpls(&mut p, &mut layout, 0x8848, second).unwrap();
        set_field(&mut p, &mut layout, Field::MplsTtl, 9, u128::MAX).unwrap();
        assert_eq!(
            p.data()[at - 2..at + 8],
            [0x88, 0x48, 0xab, 0xcd, 0xea, 9, 0xab, 0xcd, 0xeb, 64]
        );
        let (key, read) = key_of(p.data());
        assert_eq!(read, layout);
        assert_eq!(key.mpls.map(|e| e.get()), [0xabcd_ea09, 0xabcd_eb40, 0]);
        assert_eq!(
            p.offload.csum,
            Checksum::Partial { start: whole.l4 + 8, offset: 16 },
            "the unfinished checksum moves along"
        );

        pop_mpls(&mut p, &mut layout, 0x8847).unwrap();
        assert_eq!(layout, Layout { l3: 0, l4: 0, ..whole });
        pop_mpls(&mut p, &mut layout, if v6 { 0x86dd } else { 0x0800 }).unwrap();
        assert_eq!((p.data(), layout), (&frame[..], whole));
        assert_eq!(p.offload.csum, Checksum::Partial { start: whole.l4, offset: 16 });
        assert_eq!(pop_mpls(&mut p, &mut layout, 0x0800), Err(DropReason::BadAction));
        assert_eq!(p.data(), frame);
    }
    assert_eq!(entry_on_push(&key_of(&frames::arp()).0), 0x100, "label and TTL 0 on ARP");
    // 802.2 has no EtherType to change.
    let mut llc = Packet::copied(&[&[2; 12][..], &[0, 5, 0x42, 0x42, 3, 0, 0]].concat());
    let (_, mut layout) = key_of(llc.data());
    assert_eq!(push_mpls(&mut llc, &mut layout, 0x8847, 1), Err(DropReason::BadAction));
}

#[test]
fn three_entries_of_a_stack_are_in_the_key() {
    let mut frame = tagged(&[], false, L4::Udp);
    frame.splice(12..14, [0x88, 0x47, 0, 1, 0, 64, 0, 2, 0, 63, 0, 3, 0, 62, 0, 4, 1, 61]);
    let (key, layout) = key_of(&frame);
    assert_eq!(key.mpls.map(|e| e.get()), [0x0001_0040, 0x0002_003f, 0x0003_003e]);
    assert_eq!(layout, Layout::default());
    // What follows the bottom is not of the stack.
    frame[16] |= 1;
    assert_eq!(key_of(&frame).0.mpls.map(|e| e.get()), [0x0001_0140, 0, 0]);
    assert_eq!(key_of(&frame[..17]).0.mpls.map(|e| e.get()), [0, 0, 0]);
}

#[test]
fn pbb_is_pushed_in_front_of_everything_and_popped() {
    let frame = tagged(&[0x6005], false, L4::Tcp);
    let (key, mut layout) = key_of(&frame);
    let whole = layout;
    let mut p = Packet::copied(&frame);
    p.offload.csum = Checksum::Partial { start: layout.l4, offset: 16 };

    assert_eq!(itag_on_push(&key), 0x6000_0000, "the tag's priority");
    push_pbb(&mut p, &mut layout, itag_on_push(&key)).unwrap();
    set_field(&mut p, &mut layout, Field::PbbIsid, 0x123456, u128::MAX).unwrap();
    assert_eq!(p.data()[..12], frame[..12]);
    assert_eq!(p.data()[12..18], [0x88, 0xe7, 0x60, 0x12, 0x34, 0x56]);
    assert_eq!(p.data()[18..], frame);
    assert_eq!(p.offload.csum, Checksum::Partial { start: whole.l4 + 18, offset: 16 });
    let (key, read) = key_of(p.data());
    assert_eq!((key.eth_type.get(), key.pbb.get(), key.ip_proto), (0x88e7, 0x123456, 0));
    assert_eq!((read, read), (layout, Layout::default()));

    // Another one copies the I-SID; addresses of the backbone are set without those inside.
    push_pbb(&mut p, &mut layout, itag_on_push(&key)).unwrap();
    assert_eq!(p.data()[12..18], [0x88, 0xe7, 0, 0x12, 0x34, 0x56]);
    set_field(&mut p, &mut layout, Field::EthDst, 0x0a0b_0c0d_0e0f, u128::MAX).unwrap();
    pop_pbb(&mut p, &mut layout).unwrap();
    assert_eq!(p.data()[18..], frame);

    // A B-TAG is a VLAN tag pushed on top; pop_pbb leaves it.
    let mut with_tag = layout;
    let mut q = Packet::copied(p.data());
    q.offload = p.offload;
    dataplane::action::apply::push_vlan(&mut q, &mut with_tag, 0x88a8, 7).unwrap();
    assert_eq!(key_of(q.data()).0.pbb.get(), 0x123456);
    set_field(&mut q, &mut with_tag, Field::PbbIsid, 1, u128::MAX).unwrap();
    assert_eq!(q.data()[12..22], [0x88, 0xa8, 0, 7, 0x88, 0xe7, 0x60, 0, 0, 1]);
    pop_pbb(&mut q, &mut with_tag).unwrap();
    assert_eq!(q.data()[..20], [&frame[..12], &[0x88, 0xa8, 0, 7, 0x81, 0, 0x60, 5]].concat());
    assert_eq!(q.data()[20..], frame[16..]);
    assert_eq!(with_tag, key_of(q.data()).1);
    assert_eq!(q.offload.csum, Checksum::Partial { start: with_tag.l4, offset: 16 });

    pop_pbb(&mut p, &mut layout).unwrap();
    assert_eq!((p.data(), layout), (&frame[..], whole));
    assert_eq!(p.offload.csum, Checksum::Partial { start: whole.l4, offset: 16 });
    assert_eq!(pop_pbb(&mut p, &mut layout), Err(DropReason::BadAction));
    // A header without the whole frame that it should carry.
    let mut cut = Packet::copied(&[&frame[..12], &[0x88, 0xe7, 0, 0, 0, 1], &frame[..13]].concat());
    let (_, mut layout) = key_of(cut.data());
    assert_eq!(pop_pbb(&mut cut, &mut layout), Err(DropReason::BadAction));
}

/// TTLs of the headers of `frame`, which has MPLS entries, then IP at `ip`.
fn ttls(frame: &[u8], entries: &[usize], ip: usize) -> Vec<u8> {
    let ttl = if frame[ip] >> 4 == 4 { ip + 8 } else { ip + 7 };
    entries.iter().map(|e| frame[e + 3]).chain([frame[ttl]]).collect()
}

#[test]
fn ttls_are_copied() {
    for v6 in [false, true] {
        let frame = tagged(&[5], v6, L4::Udp);
        let (_, mut layout) = key_of(&frame);
        let mut p = Packet::copied(&frame);
        copy_ttl(&mut p, &layout, true).unwrap();
        assert_eq!(p.data(), frame, "only one header with TTL");

        push_mpls(&mut p, &mut layout, 0x8847, 0x0001_0111).unwrap();
        let mut q = Packet::copied(p.data());
        copy_ttl(&mut q, &layout, true).unwrap();
        assert_eq!(ttls(q.data(), &[18], 22), [64, 64]);
        copy_ttl(&mut p, &layout, false).unwrap();
        assert_eq!(ttls(p.data(), &[18], 22), [17, 17]);
        let l4 = 22 + if v6 { 40 } else { 20 };
        assert_eq!(checksums(p.data(), 22, l4, L4::Udp), (true, true));

        push_mpls(&mut p, &mut layout, 0x8847, 0x0001_0003).unwrap();
        copy_ttl(&mut p, &layout, false).unwrap();
        assert_eq!(ttls(p.data(), &[18, 22], 26), [3, 3, 17]);
        push_mpls(&mut p, &mut layout, 0x8847, 0x0001_0009).unwrap();
        copy_ttl(&mut p, &layout, true).unwrap();
        assert_eq!(ttls(p.data(), &[18, 22, 26], 30), [3, 3, 3, 17]);
    }
    // IPv4 in IPv6, and ARP under MPLS.
    let inner = tagged(&[], false, L4::Udp);
    let mut outer = tagged(&[], true, L4::Udp)[..54].to_vec();
    outer.extend(&inner[14..]);
    (outer[19], outer[20], outer[21]) = ((inner.len() - 14) as u8, 4, 9);
    let (_, layout) = key_of(&outer);
    let mut p = Packet::copied(&outer);
    copy_ttl(&mut p, &layout, false).unwrap();
    assert_eq!(p.data()[62], 9);
    assert_eq!(checksums(p.data(), 54, 74, L4::Udp), (true, true));
    let (_, mut layout) = key_of(&frames::arp());
    let mut p = Packet::copied(&frames::arp());
    push_mpls(&mut p, &mut layout, 0x8847, 0x140).unwrap();
    let before = p.data().to_vec();
    copy_ttl(&mut p, &layout, true).unwrap();
    assert_eq!(p.data(), before);
}

#[test]
fn drop_precedence_is_raised_within_its_class() {
    for v6 in [false, true] {
        // AF21, AF23, AF43, best effort, CS1, EF, and a value that is no AF class.
        for (dscp, levels, raised) in [
            (18, 1, 20),
            (18, 9, 22),
            (22, 1, 22),
            (34, 255, 38),
            (10, 0, 10),
            (0, 1, 0),
            (8, 1, 8),
            (46, 1, 46),
            (19, 1, 19),
        ] {
            let frame = tagged(&[5], v6, L4::Udp);
            let (_, mut layout) = key_of(&frame);
            let mut p = Packet::copied(&frame);
            set_field(&mut p, &mut layout, Field::IpDscp, dscp, u128::MAX).unwrap();
            set_field(&mut p, &mut layout, Field::IpEcn, 1, u128::MAX).unwrap();
            remark_dscp(&mut p, &mut layout, levels).unwrap();
            let (key, _) = key_of(p.data());
            assert_eq!(u128::from(key.ip_tos), raised << 2 | 1, "{dscp} + {levels}");
            let whole = checksums(p.data(), layout.l3.into(), layout.l4.into(), L4::Udp);
            assert_eq!(whole, (true, true));
        }
    }
    let mut p = Packet::copied(&frames::arp());
    let (_, mut layout) = key_of(p.data());
    remark_dscp(&mut p, &mut layout, 1).unwrap();
    assert_eq!(p.data(), frames::arp());
}

#[test]
fn the_ethertype_can_be_set() {
    let frame = tagged(&[5], false, L4::Tcp);
    let (_, mut layout) = key_of(&frame);
    let whole = layout;
    let mut p = Packet::copied(&frame);
    set_field(&mut p, &mut layout, Field::EthType, 0x8848, u128::MAX).unwrap();
    assert_eq!(p.data()[16..18], [0x88, 0x48]);
    assert_eq!((layout, layout), (key_of(p.data()).1, Layout { l3: 0, l4: 0, ..whole }));
    set_field(&mut p, &mut layout, Field::EthType, 0x0800, u128::MAX).unwrap();
    assert_eq!((p.data(), layout), (&frame[..], whole));
    // A frame that is to be cut must keep its headers findable.
    p.offload.csum = Checksum::Partial { start: whole.l4, offset: 16 };
    p.offload.gso = Some(Gso { kind: GsoKind::TcpV4, size: 4, ecn: false });
    for field in [Field::EthType, Field::IpProto] {
        let set = set_field(&mut p, &mut layout, field, 0x11, u128::MAX);
        assert_eq!((set, p.data()), (Err(DropReason::BadAction), &frame[..]));
    }
    // In a SNAP header; none in plain 802.2.
    let snap = [&[2; 12][..], &[0, 10, 0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0, 1, 2]].concat();
    let mut p = Packet::copied(&snap);
    let (_, mut layout) = key_of(p.data());
    set_field(&mut p, &mut layout, Field::EthType, 0x0806, u128::MAX).unwrap();
    assert_eq!(p.data()[12..24], [0, 10, 0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0x06, 1, 2]);
    let mut p = Packet::copied(&[&[2; 12][..], &[0, 5, 0x42, 0x42, 3, 0, 0, 0, 0, 0]].concat());
    let (_, mut layout) = key_of(p.data());
    let set = set_field(&mut p, &mut layout, Field::EthType, 0x0800, u128::MAX);
    assert_eq!(set, Err(DropReason::BadAction));
}

#[test]
fn the_protocol_can_be_set_and_the_checksum_follows() {
    for (v6, l4, to) in [(false, L4::Tcp, 17), (true, L4::Tcp, 17), (true, L4::Icmp, 6)] {
        for partial in [false, true] {
            let mut frame = tagged(&[5], v6, l4);
            let (_, mut layout) = key_of(&frame);
            let (l3, start) = (usize::from(layout.l3), usize::from(layout.l4));
            let at = start + csum_offset(l4);
            let mut p = Packet::copied(&frame);
            if partial {
                let pseudo = pseudo_sum(&frame, l3, start);
                frame[at..at + 2].copy_from_slice(&pseudo.to_be_bytes());
                p = Packet::copied(&frame);
                p.offload.csum =
                    Checksum::Partial { start: start as u16, offset: (at - start) as u16 };
            }
            set_field(&mut p, &mut layout, Field::IpProto, to, u128::MAX).unwrap();
            assert_eq!(key_of(p.data()).1, layout);
            assert_eq!(u128::from(key_of(p.data()).0.ip_proto), to);
            let (header, transport) = checksums(p.data(), l3, start, l4);
            assert!(header);
            if partial {
                let stored = u16::from_be_bytes([p.data()[at], p.data()[at + 1]]);
                assert_eq!(stored % 0xffff, pseudo_sum(p.data(), l3, start) % 0xffff);
            } else {
                assert!(transport);
            }
        }
    }
    // Behind extension headers the last one names it; a later fragment's is not known.
    let mut frame = tagged(&[], true, L4::Udp);
    (frame[20], frame[19]) = (0, frame[19] + 16);
    frame.splice(54..54, [44, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 1, 0, 0, 0, 0]);
    let (_, mut layout) = key_of(&frame);
    let mut p = Packet::copied(&frame);
    set_field(&mut p, &mut layout, Field::IpProto, 132, u128::MAX).unwrap();
    assert_eq!((p.data()[20], p.data()[54], p.data()[62]), (0, 44, 132));
    frame[65] = 8;
    let (_, mut layout) = key_of(&frame);
    let mut p = Packet::copied(&frame);
    let set = set_field(&mut p, &mut layout, Field::IpProto, 6, u128::MAX);
    assert_eq!((set, p.data()), (Err(DropReason::BadAction), &frame[..]));
}

/// A TCP frame of several segments, as a sender's stack hands it over.
fn long_frame(v6: bool) -> (Vec<u8>, Layout, Gso) {
    let payload = (0..5000u32).map(|i| (i * 7) as u8).collect();
    let mut frame = Spec { vlans: vec![5], payload, ..Spec::new(v6, L4::Tcp) }.build();
    let (_, layout) = key_of(&frame);
    let pseudo = pseudo_sum(&frame, layout.l3.into(), layout.l4.into());
    let at = usize::from(layout.l4) + 16;
    frame[at..at + 2].copy_from_slice(&pseudo.to_be_bytes());
    let kind = if v6 { GsoKind::TcpV6 } else { GsoKind::TcpV4 };
    (frame, layout, Gso { kind, size: 1400, ecn: false })
}

/// One edit that puts a header in front, its bytes, and whether the kernel cannot see through it.
type Push = fn(&mut Packet, &mut Layout);

#[test]
fn a_long_frame_is_cut_behind_mpls_and_pbb_headers() {
    let pushes: [(usize, bool, Push); 4] = [
        (0, false, |_, _| ()),
        (8, true, |p, l| {
            push_mpls(p, l, 0x8847, 0x0001_0140).unwrap();
            push_mpls(p, l, 0x8847, 0x0001_0040).unwrap();
        }),
        (18, true, |p, l| push_pbb(p, l, 7).unwrap()),
        (40, true, |p, l| {
            push_mpls(p, l, 0x8847, 0x0001_0140).unwrap();
            push_pbb(p, l, 7).unwrap();
            push_pbb(p, l, 8).unwrap();
        }),
    ];
    for v6 in [false, true] {
        for (added, needed, push) in pushes {
            let (frame, mut layout, gso) = long_frame(v6);
            let (l3, l4) = (usize::from(layout.l3) + added, usize::from(layout.l4) + added);
            let mut p = Packet::copied(&frame);
            p.offload.csum = Checksum::Partial { start: layout.l4, offset: 16 };
            p.offload.gso = Some(gso);
            push(&mut p, &mut layout);
            assert_eq!(p.offload.csum, Checksum::Partial { start: l4 as u16, offset: 16 });
            assert_eq!(offload::needs_software_segmentation(&p), needed);

            let header = l4 + 20;
            assert_eq!(offload::header_len(p.data(), &gso), Ok(header));
            let mut out = Scratch::default();
            let cut = offload::segment(p.data(), &gso, &[], &mut out).unwrap();
            assert_eq!((cut.count, cut.len), (4, header + 1400));
            let mut payload: Vec<u8> = Vec::new();
            for segment in out.bytes().chunks(cut.len) {
                assert_eq!(segment[..l3], p.data()[..l3]);
                assert_eq!(checksums(segment, l3, l4, L4::Tcp), (true, true));
                payload.extend(&segment[header..]);
            }
            assert_eq!(payload, frame[header - added..]);
        }
    }
    let plain = Packet::copied(&tagged(&[], false, L4::Tcp));
    assert!(!offload::needs_software_segmentation(&plain));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// What is pushed and popped again is the frame that it was, and the layout that of the frame.
    #[test]
    fn pushes_are_undone_by_pops(
        vlans in proptest::collection::vec(any::<u16>(), 0..3),
        v6: bool,
        pushes in proptest::collection::vec((any::<bool>(), any::<u32>()), 0..4),
    ) {
        let frame = tagged(&vlans, v6, L4::Tcp);
        let (_, mut layout) = key_of(&frame);
        let before = layout;
        let mut p = Packet::copied(&frame);
        p.offload.csum = Checksum::Partial { start: layout.l4, offset: 16 };
        let offload = p.offload;
        let mut below = vec![if v6 { 0x86dd } else { 0x0800 }];
        for (is_pbb, value) in &pushes {
            if *is_pbb {
                prop_assume!(push_pbb(&mut p, &mut layout, *value).is_ok());
                below.push(0x88e7);
            } else {
                prop_assume!(push_mpls(&mut p, &mut layout, 0x8847, *value).is_ok());
                below.push(0x8847);
            }
            prop_assert_eq!(key_of(p.data()).1, layout);
        }
        for (is_pbb, _) in pushes.iter().rev() {
            below.pop();
            if *is_pbb {
                pop_pbb(&mut p, &mut layout).unwrap();
            } else {
                pop_mpls(&mut p, &mut layout, *below.last().unwrap()).unwrap();
            }
            prop_assert_eq!(key_of(p.data()).1, layout);
        }
        prop_assert_eq!(p.data(), &frame[..]);
        prop_assert_eq!((layout, p.offload), (before, offload));
    }
}
