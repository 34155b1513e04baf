//! Steps on frames: every field that can be set, checksums after it, and who sees which edit.

mod frames;

use dataplane::action::Step;
use dataplane::action::apply::{apply, pop_vlan, push_vlan};
use dataplane::action::set_field::set_field;
use dataplane::drop::DropReason;
use dataplane::flow::{Field, FlowKey, Layout, extract};
use dataplane::packet::{Checksum, Packet, Pool};
use dataplane::port::TxItem;
use dataplane::state::PortId;
use frames::{L4, Spec, checksums, csum_offset, pseudo_sum, sum};
use proptest::prelude::*;

fn key_of(frame: &[u8]) -> (FlowKey, Layout) {
    let mut key = FlowKey::default();
    let layout = extract(frame, &mut key);
    (key, layout)
}

/// The fields of such a packet that can be set.
fn fields(spec: &Spec) -> Vec<Field> {
    let mut all = vec![Field::EthDst, Field::EthSrc, Field::IpDscp, Field::IpEcn, Field::IpTtl];
    if !spec.vlans.is_empty() {
        all.extend([Field::VlanVid, Field::VlanPcp]);
    }
    if spec.v6 {
        all.extend([Field::Ipv6Src, Field::Ipv6Dst, Field::Ipv6Label]);
    } else {
        all.extend([Field::Ipv4Src, Field::Ipv4Dst]);
    }
    all.extend(match spec.l4 {
        L4::Tcp | L4::Udp | L4::Sctp => vec![Field::TpSrc, Field::TpDst],
        L4::Icmp => vec![Field::IcmpType, Field::IcmpCode],
        L4::Nd => vec![Field::NdTarget, Field::NdSll, Field::NdTll],
    });
    all
}

fn specs() -> impl Strategy<Value = Spec> {
    let l4 = prop_oneof![
        Just((false, L4::Tcp)),
        Just((true, L4::Tcp)),
        Just((false, L4::Udp)),
        Just((true, L4::Udp)),
        Just((false, L4::Icmp)),
        Just((true, L4::Icmp)),
        Just((true, L4::Nd)),
        Just((false, L4::Sctp)),
        Just((true, L4::Sctp)),
    ];
    let vlans = proptest::collection::vec(any::<u16>(), 0..3);
    let payload = proptest::collection::vec(any::<u8>(), 0..50);
    (vlans, l4, any::<[u8; 16]>(), any::<[u8; 16]>(), any::<(u16, u16)>(), payload).prop_map(
        |(vlans, (v6, l4), src, dst, ports, payload)| Spec {
            vlans,
            src,
            dst,
            ports,
            payload,
            ..Spec::new(v6, l4)
        },
    )
}

/// State of the transport checksum before the set.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Before {
    Good,
    Bad,
    Partial,
    None,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_set_field_is_what_the_key_shows_and_keeps_the_checksums(
        spec in specs(),
        which in any::<prop::sample::Index>(),
        value: u128,
        mask in prop_oneof![Just(u128::MAX), any::<u128>()],
        before in prop_oneof![
            Just(Before::Good), Just(Before::Bad), Just(Before::Partial), Just(Before::None)
        ],
    ) {
        let mut frame = spec.build();
        let (key, layout) = key_of(&frame);
        let (l3, l4) = (usize::from(layout.l3), usize::from(layout.l4));
        let at = l4 + csum_offset(spec.l4);
        let mut offload = Checksum::Unknown;
        match before {
            Before::Bad => frame[at] ^= 0x55,
            Before::Partial if matches!(spec.l4, L4::Tcp | L4::Udp) => {
                let pseudo = pseudo_sum(&frame, l3, l4);
                frame[at..at + 2].copy_from_slice(&pseudo.to_be_bytes());
                offload = Checksum::Partial { start: l4 as u16, offset: (at - l4) as u16 };
            }
            Before::None if spec.l4 == L4::Udp => frame[at..at + 2].fill(0),
            _ => {}
        }
        let all = fields(&spec);
        let field = all[which.index(all.len())];
        let mut p = Packet::copied(&frame);
        p.offload.csum = offload;
        let mut after = layout;
        set_field(&mut p, &mut after, field, value, mask).unwrap();

        let mut expected = key;
        let present = if field == Field::VlanVid { 0x1000 } else { 0 };
        field.write_masked(&mut expected, value | present, mask);
        // Solicitation and advertisement have fields that other messages do not.
        if !matches!(field, Field::IcmpType | Field::IcmpCode) {
            prop_assert_eq!(key_of(p.data()), (expected, layout));
            prop_assert_eq!(after, layout);
        }
        prop_assert_eq!(p.offload.csum, offload);
        let (header, transport) = checksums(p.data(), l3, l4, spec.l4);
        prop_assert!(header);
        match before {
            Before::Partial if offload != Checksum::Unknown => {
                let stored = u16::from_be_bytes([p.data()[at], p.data()[at + 1]]);
                prop_assert_eq!(stored % 0xffff, pseudo_sum(p.data(), l3, l4) % 0xffff);
            }
            Before::None if spec.l4 == L4::Udp => prop_assert_eq!(&p.data()[at..at + 2], [0, 0]),
            Before::Bad => prop_assert!(!transport),
            _ => prop_assert!(transport),
        }
    }
}

#[test]
fn a_udp_checksum_never_becomes_zero() {
    let mut frame = Spec::new(false, L4::Udp).build();
    let (_, mut layout) = key_of(&frame);
    // Choose the source port so that the checksum is to be zero: all words must sum to 0xffff.
    frame[34..36].fill(0);
    frame[40..42].fill(0);
    let parts = [pseudo_sum(&frame, 14, 34).to_be_bytes(), sum(&frame[34..]).to_be_bytes()];
    let rest = sum(&parts.concat());
    frame[40..42].copy_from_slice(&(!rest).to_be_bytes());
    let mut p = Packet::copied(&frame);
    set_field(&mut p, &mut layout, Field::TpSrc, u128::from(!rest), u128::MAX).unwrap();
    assert_eq!(p.data()[40..42], [0xff, 0xff]);
}

#[test]
fn arp_fields() {
    let frame = frames::arp();
    let (mut expected, mut layout) = key_of(&frame);
    let mut p = Packet::copied(&frame);
    for (field, value) in [
        (Field::ArpOp, 2),
        (Field::ArpSpa, 0x0a00_0063),
        (Field::ArpTpa, 0x0a00_0064),
        (Field::ArpSha, 0x0200_0000_0063),
        (Field::ArpTha, 0x0200_0000_0064),
    ] {
        set_field(&mut p, &mut layout, field, value, u128::MAX).unwrap();
        field.write(&mut expected, value);
    }
    assert_eq!(key_of(p.data()).0, expected);
}

#[test]
fn fields_that_a_frame_does_not_have_are_refused() {
    let cases = [
        (Spec::new(false, L4::Icmp).build(), Field::TpSrc),
        (Spec::new(false, L4::Tcp).build(), Field::IcmpType),
        (Spec::new(false, L4::Tcp).build(), Field::Ipv6Src),
        (Spec::new(true, L4::Tcp).build(), Field::Ipv4Src),
        (Spec::new(true, L4::Tcp).build(), Field::VlanVid),
        (Spec::new(true, L4::Icmp).build(), Field::NdTarget),
        (frames::arp(), Field::Ipv4Src),
        (frames::arp(), Field::IpTtl),
        (Spec::new(false, L4::Tcp).build(), Field::TcpFlags),
        (Spec::new(false, L4::Tcp).build(), Field::MplsLabel),
        (Spec::new(false, L4::Tcp).build(), Field::PbbIsid),
        (frames::arp(), Field::IpProto),
        (Spec::new(false, L4::Tcp).build(), Field::InPort),
    ];
    for (frame, field) in cases {
        let (_, mut layout) = key_of(&frame);
        let mut p = Packet::copied(&frame);
        let result = set_field(&mut p, &mut layout, field, 0, u128::MAX);
        assert_eq!(result, Err(DropReason::BadAction), "{}", field.name());
        assert_eq!(p.data(), frame);
    }
}

#[test]
fn fragments() {
    // The first fragment holds the checksum over the whole datagram: it follows the addresses.
    let mut frame = Spec::new(false, L4::Udp).build();
    let (_, mut layout) = key_of(&frame);
    frame[20] = 0x20;
    let header_sum = !sum(&[&frame[14..24], &frame[26..34]].concat());
    frame[24..26].copy_from_slice(&header_sum.to_be_bytes());
    let mut p = Packet::copied(&frame);
    set_field(&mut p, &mut layout, Field::Ipv4Src, 0x0a00_0009, u128::MAX).unwrap();
    assert_eq!(checksums(p.data(), 14, 34, L4::Udp), (true, true));

    // A later one has data in the same place.
    frame[21] = 1;
    let (_, mut layout) = key_of(&frame);
    let mut p = Packet::copied(&frame);
    set_field(&mut p, &mut layout, Field::Ipv4Src, 0x0a00_0009, u128::MAX).unwrap();
    assert_eq!(p.data()[34..], frame[34..]);
    let result = set_field(&mut p, &mut layout, Field::TpSrc, 1, u128::MAX);
    assert_eq!(result, Err(DropReason::BadAction));
}

#[test]
fn tags_move_headers_and_the_unfinished_checksum() {
    let frame = Spec { vlans: vec![7], ..Spec::new(false, L4::Tcp) }.build();
    let (_, mut layout) = key_of(&frame);
    let mut p = Packet::copied(&frame);
    p.offload.csum = Checksum::Partial { start: layout.l4, offset: 16 };
    push_vlan(&mut p, &mut layout, 0x88a8, 0x6009).unwrap();
    let (key, read) = key_of(p.data());
    assert_eq!(read, layout);
    assert_eq!(key.vlan.map(|v| v.tpid.get()), [0x88a8, 0x8100]);
    assert_eq!(key.vlan[0].tci.get(), 0x7009);
    assert_eq!(p.offload.csum, Checksum::Partial { start: layout.l4, offset: 16 });
    pop_vlan(&mut p, &mut layout).unwrap();
    assert_eq!(p.data(), frame);
    pop_vlan(&mut p, &mut layout).unwrap();
    assert_eq!(key_of(p.data()).1, layout);
    assert_eq!(pop_vlan(&mut p, &mut layout), Err(DropReason::BadAction));
    // The headroom ends some time; the frame stays whole.
    let n = (0..).take_while(|_| push_vlan(&mut p, &mut layout, 0x8100, 1).is_ok()).count();
    assert_eq!(n, 17);
}

#[test]
fn a_whole_tci_pushes_and_pops() {
    let frame = Spec::new(false, L4::Udp).build();
    let (_, mut layout) = key_of(&frame);
    let mut p = Packet::copied(&frame);
    set_field(&mut p, &mut layout, Field::VlanTci, 0x1005, 0x1fff).unwrap();
    assert_eq!(p.data()[12..16], [0x81, 0, 0, 5]);
    set_field(&mut p, &mut layout, Field::VlanTci, 0x7000, 0xf000).unwrap();
    assert_eq!(p.data()[12..16], [0x81, 0, 0x60, 5]);
    assert_eq!(key_of(p.data()).1, layout);
    set_field(&mut p, &mut layout, Field::VlanTci, 0, 0xffff).unwrap();
    assert_eq!(p.data(), frame);
    set_field(&mut p, &mut layout, Field::VlanTci, 0, 0xffff).unwrap();
    assert_eq!(p.data(), frame);
}

/// Port and frame of each output.
type Sent = Vec<(u32, Vec<u8>)>;

/// Runs steps; gives what was sent, how it ended, and how many packets there are then.
fn run(steps: &[Step], frame: &[u8]) -> (Sent, Result<(), DropReason>, usize) {
    let (_, layout) = key_of(frame);
    let mut packets = vec![Packet::copied(b"another frame of the turn"), Packet::copied(frame)];
    let mut queued: Vec<(PortId, TxItem)> = Vec::new();
    let mut out = |port, item| queued.push((port, item));
    let result = apply(steps, 1, layout, 9, &mut packets, &mut Pool::default(), &mut out);
    assert_eq!(packets[0].data(), b"another frame of the turn");
    let sent = queued.iter().map(|(port, item)| {
        assert_eq!(item.hash, 9);
        (port.0, packets[item.packet as usize].data().to_vec())
    });
    (sent.collect(), result, packets.len())
}

fn output(port: u32) -> Step {
    Step::Output { port: PortId(port), tunnel: None }
}

fn set_ttl(value: u128) -> Step {
    Step::Set { field: Field::IpTtl, value, mask: 0xff }
}

#[test]
fn what_is_queued_is_not_edited() {
    let frame = Spec::new(false, L4::Udp).build();
    let ttl = |frame: &[u8]| key_of(frame).0.ip_ttl;

    let steps = [output(1), set_ttl(9), output(2), set_ttl(8), output(3), output(4)];
    let (sent, result, packets) = run(&steps, &frame);
    let got: Vec<(u32, u8)> = sent.iter().map(|(p, f)| (*p, ttl(f))).collect();
    assert_eq!(got, [(1, 64), (2, 9), (3, 8), (4, 8)]);
    assert_eq!((result, packets), (Ok(()), 4));
    // Nothing queued, nothing copied; the last output takes what is there.
    assert_eq!(run(&[set_ttl(9), output(1), output(2)], &frame).2, 2);
}

#[test]
fn steps_on_a_copy_leave_the_frame_as_it_was() {
    let frame = Spec { vlans: vec![7], ..Spec::new(false, L4::Udp) }.build();
    let seen = |frame: &[u8]| {
        let (key, _) = key_of(frame);
        (key.ip_ttl, key.vlan[0].tci.get())
    };
    let inner = Step::Sub(Box::new([set_ttl(8), output(2)]));
    let sub = Step::Sub(Box::new([Step::PopVlan, inner, output(1)]));
    let (sent, result, _) = run(&[set_ttl(9), sub, output(3)], &frame);
    let got: Vec<_> = sent.iter().map(|(p, f)| (*p, seen(f))).collect();
    assert_eq!(got, [(2, (8, 0)), (1, (9, 0)), (3, (9, 0x1007))]);
    assert_eq!(result, Ok(()));

    // An error in a copy ends that copy only; one in the frame's own steps ends them.
    let sub = Step::Sub(Box::new([Step::PopVlan, Step::PopVlan, output(1)]));
    let (sent, result, _) = run(&[sub, output(3), Step::PopVlan, Step::PopVlan, output(4)], &frame);
    assert_eq!(sent.iter().map(|s| s.0).collect::<Vec<_>>(), [3]);
    assert_eq!(result, Err(DropReason::BadAction));
}
