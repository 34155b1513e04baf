//! Offloads against an independent implementation, and against each other.

use super::*;
use crate::packet::{Checksum, Gso, GsoKind, Packet, Pool};
use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};
use proptest::prelude::*;

const FLAGS_ACK: u8 = 0x10;

/// A TCP frame with all lengths and checksums right.
fn tcp(v6: bool, tags: usize, options: bool, flags: u8, seq: u32, payload: &[u8]) -> Vec<u8> {
    let b = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let vlan = |v: u16| v.try_into().unwrap();
    let net = if v6 {
        let ip = etherparse::Ipv6Header {
            source: [0xfd; 16],
            destination: [0xfc; 16],
            hop_limit: 64,
            next_header: etherparse::IpNumber::TCP,
            ..Default::default()
        };
        etherparse::IpHeaders::Ipv6(ip, Default::default())
    } else {
        let mut ip = etherparse::Ipv4Header::new(
            0,
            64,
            etherparse::IpNumber::TCP,
            [10, 0, 0, 1],
            [10, 0, 0, 2],
        )
        .unwrap();
        ip.identification = 0xfffe;
        etherparse::IpHeaders::Ipv4(ip, Default::default())
    };
    let mut t = etherparse::TcpHeader::new(1000, 2000, seq, 512);
    t.acknowledgment_number = 77;
    (t.fin, t.psh, t.ack) = (flags & 1 != 0, flags & 8 != 0, flags & 16 != 0);
    (t.ece, t.cwr) = (flags & 0x40 != 0, flags & 0x80 != 0);
    if options {
        t.set_options(&[etherparse::TcpOptionElement::Timestamp(5, 6)]).unwrap();
    }
    let mut out = Vec::new();
    match tags {
        0 => b.ip(net).tcp_header(t).write(&mut out, payload),
        1 => b.single_vlan(vlan(5)).ip(net).tcp_header(t).write(&mut out, payload),
        _ => b.double_vlan(vlan(6), vlan(7)).ip(net).tcp_header(t).write(&mut out, payload),
    }
    .unwrap();
    out
}

/// Whether lengths and checksums are right, by etherparse.
fn check(frame: &[u8]) -> Result<(), String> {
    let s = SlicedPacket::from_ethernet(frame).map_err(|e| e.to_string())?;
    let net = s.net.ok_or("no IP")?;
    if let NetSlice::Ipv4(ip) = &net {
        let h = ip.header().to_header();
        if h.header_checksum != h.calc_header_checksum() {
            return Err("IPv4 checksum".into());
        }
    }
    let (got, want) = match (&net, s.transport.ok_or("no transport")?) {
        (NetSlice::Ipv4(ip), TransportSlice::Tcp(t)) => (
            t.checksum(),
            t.to_header().calc_checksum_ipv4(&ip.header().to_header(), t.payload()).unwrap(),
        ),
        (NetSlice::Ipv6(ip), TransportSlice::Tcp(t)) => (
            t.checksum(),
            t.to_header().calc_checksum_ipv6(&ip.header().to_header(), t.payload()).unwrap(),
        ),
        (NetSlice::Ipv4(ip), TransportSlice::Udp(u)) => (
            u.checksum(),
            u.to_header().calc_checksum_ipv4(&ip.header().to_header(), u.payload()).unwrap(),
        ),
        (NetSlice::Ipv6(ip), TransportSlice::Udp(u)) => (
            u.checksum(),
            u.to_header().calc_checksum_ipv6(&ip.header().to_header(), u.payload()).unwrap(),
        ),
        _ => return Err("neither TCP nor UDP".into()),
    };
    if got == want { Ok(()) } else { Err(format!("checksum {got:#x}, want {want:#x}")) }
}

fn make_partial(frame: &mut [u8]) -> Checksum {
    let h = Headers::parse(frame).unwrap();
    let offset = h.checksum_offset().unwrap();
    let pseudo = checksum::pseudo_header(h.addresses(frame), h.proto, h.end - h.l4);
    put16(frame, h.l4 + usize::from(offset), checksum::fold(pseudo));
    Checksum::Partial { start: h.l4 as u16, offset }
}

fn cut(frame: &[u8], gso: &Gso) -> Vec<Vec<u8>> {
    let mut out = Scratch::default();
    let s = segment(frame, gso, &[9; 8], &mut out).unwrap();
    assert_eq!(out.bytes().len(), s.total);
    let parts: Vec<_> = out.bytes().chunks(s.len).map(|c| c[8..].to_vec()).collect();
    assert_eq!(parts.len(), s.count);
    assert!(out.bytes().chunks(s.len).all(|c| c[..8] == [9; 8]));
    parts
}

fn join(parts: &[Vec<u8>], max_frame: u16) -> Vec<Packet> {
    let (mut pool, mut out, mut c) = (Pool::default(), Vec::new(), Coalescer::default());
    for (i, p) in parts.iter().enumerate() {
        c.push(p, i + 1 < parts.len(), max_frame, &mut pool, &mut |p| out.push(p));
    }
    c.flush(&mut pool, &mut |p| out.push(p));
    out
}

proptest! {
    #[test]
    fn cut_and_joined_again_is_the_same(
        v6: bool, tags in 0usize..3, options: bool, flags in prop::sample::select(vec![0u8, 1, 8, 0x40, 0x80, 0xc9]),
        seq: u32, len in 2usize..40_000, size in 1usize..9000, seed: u8,
    ) {
        let size = size.max(len / 700).min(len - 1).max(1);
        let payload: Vec<u8> = (0..len).map(|i| (i as u8).wrapping_mul(31) ^ seed).collect();
        let mut frame = tcp(v6, tags, options, flags | FLAGS_ACK, seq, &payload);
        let csum = make_partial(&mut frame);
        let kind = if v6 { GsoKind::TcpV6 } else { GsoKind::TcpV4 };
        let gso = Gso { kind, size: size as u16, ecn: flags & 0x80 != 0 };
        let parts = cut(&frame, &gso);
        prop_assert_eq!(parts.len(), len.div_ceil(size));
        for p in &parts {
            prop_assert_eq!(check(p), Ok(()));
        }
        let joined = join(&parts, 1464);
        prop_assert_eq!(joined.len(), 1);
        prop_assert_eq!(joined[0].data(), &frame[..]);
        prop_assert_eq!(joined[0].offload.csum, csum);
        prop_assert_eq!(joined[0].offload.gso, Some(gso));
    }

    #[test]
    fn udp_is_cut_into_datagrams(v6: bool, len in 1usize..30_000, size in 100u16..2000) {
        let payload = vec![0xa5; len];
        let b = PacketBuilder::ethernet2([2; 6], [4; 6]);
        let mut frame = Vec::new();
        if v6 {
            b.ipv6([0xfd; 16], [0xfc; 16], 9).udp(5, 6).write(&mut frame, &payload).unwrap();
        } else {
            b.ipv4([10, 0, 0, 1], [10, 0, 0, 2], 9).udp(5, 6).write(&mut frame, &payload).unwrap();
        }
        make_partial(&mut frame);
        let parts = cut(&frame, &Gso { kind: GsoKind::UdpL4, size, ecn: false });
        prop_assert_eq!(parts.len(), len.div_ceil(size.into()));
        for p in &parts {
            prop_assert_eq!(check(p), Ok(()));
        }
    }

    #[test]
    fn a_bad_segment_goes_alone_and_unchanged(v6: bool, bad in 0usize..8, bit in 0usize..100) {
        let mut frame = tcp(v6, 0, true, FLAGS_ACK, 1, &[3; 8 * 1000]);
        make_partial(&mut frame);
        let kind = if v6 { GsoKind::TcpV6 } else { GsoKind::TcpV4 };
        let mut parts = cut(&frame, &Gso { kind, size: 1000, ecn: false });
        let at = parts[bad].len() - 1 - bit;
        parts[bad][at] ^= 0x10;
        let joined = join(&parts, 1464);
        prop_assert!(joined.iter().any(|p| p.data() == &parts[bad][..] && p.offload.gso.is_none()));
        let payload: usize = joined.iter().map(|p| p.len() - (frame.len() - 8000)).sum();
        prop_assert_eq!(payload, 8000);
    }

    #[test]
    fn a_finished_checksum_is_right(v6: bool, tags in 0usize..3, len in 0usize..3000) {
        let mut frame = tcp(v6, tags, true, FLAGS_ACK, 9, &vec![0xee; len]);
        let good = frame.clone();
        let Checksum::Partial { start, offset } = make_partial(&mut frame) else { unreachable!() };
        prop_assert!(finish_checksum(&mut frame, start, offset));
        prop_assert_eq!(frame, good);
    }
}

#[test]
fn a_frame_that_a_kernel_on_the_same_machine_did_not_finish_is_partial_and_gso() {
    let mut frame = tcp(false, 0, true, FLAGS_ACK, 1, &[3; 20_000]);
    let bad = {
        let mut f = frame.clone();
        f[100] ^= 1;
        f
    };
    let csum = make_partial(&mut frame);
    let p = super::single(&frame, 1464, &mut Pool::default());
    let gso = Gso { kind: GsoKind::TcpV4, size: 1464 - 14 - 20 - 32, ecn: false };
    assert_eq!((p.offload.csum, p.offload.gso), (csum, Some(gso)));
    let p = super::single(&bad, 1464, &mut Pool::default());
    assert_eq!((p.offload.csum, p.offload.gso), (Checksum::Unknown, None));
    assert_eq!(p.data(), &bad[..]);
}

#[test]
fn congestion_marks_are_carried_inward_as_rfc_6040_says() {
    // Rows: inner; columns: outer 0, 1 (ECT1), 2 (ECT0), 3 (CE); None: drop.
    let table = [
        [Some(0), Some(0), Some(0), None],
        [Some(1), Some(1), Some(1), Some(3)],
        [Some(2), Some(1), Some(2), Some(3)],
        [Some(3), Some(3), Some(3), Some(3)],
    ];
    for v6 in [false, true] {
        for inner in 0..4u8 {
            for outer in 0..4u8 {
                let mut f = tcp(v6, 1, false, FLAGS_ACK, 1, &[1; 10]);
                if v6 {
                    f[19] |= inner << 4;
                } else {
                    f[19] = 0xb8 | inner;
                    put16(&mut f, 28, 0);
                    let sum = checksum::finish(checksum::sum(&f[18..38]));
                    put16(&mut f, 28, sum);
                }
                let kept = ecn_decapsulate(&mut f, outer);
                let want = table[usize::from(inner)][usize::from(outer)];
                assert_eq!(kept, want.is_some());
                if let Some(want) = want {
                    assert_eq!(if v6 { f[19] >> 4 & 3 } else { f[19] & 3 }, want);
                    assert_eq!(check(&f), Ok(()));
                }
            }
        }
    }
}

/// One million mutated frames through everything that reads them.
#[test]
fn mutated_frames_never_panic() {
    let mut seeds = Vec::new();
    for v6 in [false, true] {
        for tags in 0..3 {
            seeds.push(tcp(v6, tags, true, FLAGS_ACK, 5, &[7; 120]));
        }
    }
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let (mut pool, mut c, mut out) = (Pool::default(), Coalescer::default(), Scratch::default());
    let kinds = [GsoKind::TcpV4, GsoKind::TcpV6, GsoKind::UdpL4];
    for i in 0..1_000_000u64 {
        let r = random();
        let mut f = seeds[(r % 6) as usize].clone();
        for _ in 0..r >> 8 & 3 {
            let m = random();
            let at = (m >> 16) as usize % f.len().min(90);
            f[at] = m as u8;
        }
        if r >> 16 & 3 == 0 {
            f.truncate((r >> 20) as usize % f.len());
        }
        let mut tagged = crate::wire::vxlan::header(r as u32).to_vec();
        tagged.extend_from_slice(&f);
        tagged.truncate(8 + f.len() - (r >> 60) as usize % (f.len() + 1));
        let _ = crate::wire::vxlan::parse(&tagged);
        let _ = ecn_decapsulate(&mut f, (r >> 40) as u8);
        let gso = Gso { kind: kinds[(i % 3) as usize], size: (r >> 44) as u16 % 300, ecn: false };
        out.clear();
        let _ = segment(&f, &gso, &[0; 8], &mut out);
        let mut kept = Vec::new();
        c.push(&f, r >> 61 & 1 == 0, (r >> 50) as u16 % 200, &mut pool, &mut |p| kept.push(p));
        let _ = crate::too_big::reply(&f, 1450, &mut pool).map(|p| pool.put(p));
        let _ = finish_checksum(&mut f, (r >> 30) as u16, (r >> 12) as u16 % 64);
        kept.into_iter().for_each(|p| pool.put(p));
    }
}

#[test]
#[ignore = "a measurement: cargo test --release -p dataplane measure -- --ignored --nocapture"]
fn measure() {
    let time = |name: &str, bytes: usize, f: &mut dyn FnMut()| {
        for _ in 0..200 {
            f();
        }
        let rounds = 3000;
        let start = std::time::Instant::now();
        for _ in 0..rounds {
            f();
        }
        let ns = start.elapsed().as_nanos() as f64 / f64::from(rounds);
        println!("{name}: {ns:.0} ns, {:.1} GB/s", bytes as f64 / ns);
    };
    let data = vec![0x5a; 64_000];
    let mut copy = vec![0; 64_000];
    time("sum of 64000 bytes", 64_000, &mut || {
        std::hint::black_box(checksum::sum(std::hint::black_box(&data)));
    });
    time("sum of 1448 bytes", 1448, &mut || {
        std::hint::black_box(checksum::sum(std::hint::black_box(&data[..1448])));
    });
    time("copy and sum of 64000 bytes", 64_000, &mut || {
        std::hint::black_box(checksum::copy_and_sum(&mut copy, std::hint::black_box(&data)));
    });
    let mut frame = tcp(false, 0, true, FLAGS_ACK, 1, &data);
    make_partial(&mut frame);
    let gso = Gso { kind: GsoKind::TcpV4, size: 1398, ecn: false };
    let mut out = Scratch::default();
    time("cut a 64000-byte TCP frame", 64_000, &mut || {
        out.clear();
        segment(&frame, &gso, &[0; 8], &mut out).unwrap();
    });
    let parts = cut(&frame, &gso);
    let (mut pool, mut c) = (Pool::default(), Coalescer::default());
    time("join it again", 64_000, &mut || {
        let mut done = None;
        for (i, p) in parts.iter().enumerate() {
            c.push(p, i + 1 < parts.len(), 1464, &mut pool, &mut |p| done = Some(p));
        }
        pool.put(done.unwrap());
    });
}
