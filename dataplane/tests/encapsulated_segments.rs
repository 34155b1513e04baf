//! Long frames behind MPLS and PBB headers go to veths and TAPs in segments, among frames that need none.

mod common;
mod frames;

use common::{Ns, can_run};
use dataplane::action::mpls::push_mpls;
use dataplane::action::pbb::push_pbb;
use dataplane::flow::{FlowKey, extract};
use dataplane::packet::{Checksum, Gso, GsoKind, Packet, Pool};
use dataplane::port::af_packet::AfPacketPort;
use dataplane::port::tap::TapPort;
use dataplane::port::{Receive, RxBatch, Transmit, TxItem, TxReport};
use dataplane::state::PortId;
use frames::{DST, L4, Spec, checksums, pseudo_sum};
use std::time::{Duration, Instant};

/// Payload of a segment in bytes; the last is shorter.
const SIZE: u16 = 1300;

/// A TCP frame of 40 segments, more than one system call takes, with its offload state.
fn long_frame() -> Packet {
    let payload = (0..39 * u32::from(SIZE) + 100).map(|i| (i * 7 / 8) as u8).collect();
    let mut frame = Spec { payload, ..Spec::new(false, L4::Tcp) }.build();
    let pseudo = pseudo_sum(&frame, 14, 34);
    frame[50..52].copy_from_slice(&pseudo.to_be_bytes());
    let mut p = Packet::copied(&frame);
    p.offload.csum = Checksum::Partial { start: 34, offset: 16 };
    p.offload.gso = Some(Gso { kind: GsoKind::TcpV4, size: SIZE, ecn: false });
    p
}

/// Takes frames for [`DST`] until there are `n`.
fn receive(rx: &mut dyn Receive, n: usize) -> Vec<Packet> {
    let (mut pool, mut batch) = (Pool::default(), RxBatch::default());
    let (mut all, start) = (Vec::new(), Instant::now());
    while all.len() < n {
        assert!(start.elapsed() < Duration::from_secs(5), "{} of {n} frames", all.len());
        let _ = rx.receive(&mut pool, 64, &mut batch).expect("receive");
        let ours = |p: &Packet| p.data()[..6] == DST;
        all.extend(batch.frames.drain(..).map(|r| r.packet).filter(ours));
    }
    all
}

fn there(tx: &mut dyn Transmit, rx: &mut dyn Receive) {
    let plain = Packet::copied(&Spec::new(false, L4::Udp).build());
    let mut packets = vec![plain, long_frame(), long_frame(), long_frame()];
    let mut layout = extract(packets[1].data(), &mut FlowKey::default());
    let mut pbb = layout;
    push_mpls(&mut packets[1], &mut layout, 0x8847, 0x0006_4140).unwrap();
    push_pbb(&mut packets[2], &mut pbb, 7).unwrap();
    let long = packets[1].len() + packets[2].len() + packets[3].len();
    let order = [0, 1, 0, 2, 3, 0];
    let items = order.map(|packet| TxItem { packet, hash: 0, tunnel: None });
    let mut report = TxReport::default();
    tx.send(&packets, &items, &mut report);
    let bytes = (3 * packets[0].len() + long) as u64;
    assert_eq!((report.packets, report.bytes), (6, bytes), "{report:?}");

    let got = receive(rx, 3 + 40 + 40 + 1);
    let mut next = got.iter();
    for packet in order {
        let sent = &packets[packet as usize];
        let l4 = match packet {
            1 => 38,
            2 => 52,
            _ => {
                let p = next.next().expect("a frame");
                assert!(p.data() == sent.data() && p.offload.gso == sent.offload.gso, "{packet}");
                continue;
            }
        };
        let mut payload = Vec::new();
        for p in next.by_ref().take(40) {
            assert_eq!(p.offload.gso, None);
            assert_eq!(p.data()[..l4 - 20], sent.data()[..l4 - 20]);
            assert_eq!(checksums(p.data(), l4 - 20, l4, L4::Tcp), (true, true));
            payload.extend_from_slice(&p.data()[l4 + 20..]);
        }
        assert!(payload == sent.data()[l4 + 20..], "{packet}");
    }
}

#[test]
fn veths_and_taps_get_segments() {
    if !can_run(&[]) {
        return;
    }
    let ns = Ns::new("encap", "h");
    ns.sh("ip link add va type veth peer name vb; ip link set va up; ip link set vb up");
    ns.inside(|| {
        let a = AfPacketPort::attach("va", PortId(1)).expect("attach");
        let mut b = AfPacketPort::attach("vb", PortId(2)).expect("attach");
        there(a.transmitter().expect("tx").as_mut(), b.receiver().expect("rx").as_mut());

        let tap = TapPort::create("tap0", PortId(3), None).expect("tap");
        ns.sh("ip link set tap0 up");
        let mut seen = AfPacketPort::attach("tap0", PortId(4)).expect("attach");
        there(tap.transmitter().expect("tx").as_mut(), seen.receiver().expect("rx").as_mut());
    });
}
