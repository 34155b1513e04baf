//! Broken frames through the decoders and through every edit: nothing may panic, and nothing may
//! be read or written outside of the frame (which would panic).

mod frames;

use dataplane::action::Step;
use dataplane::action::apply::apply;
use dataplane::flow::{Field, FlowKey, extract, hash};
use dataplane::packet::{Checksum, Packet, Pool};
use dataplane::port::TxItem;
use dataplane::state::PortId;
use frames::{L4, Spec};

/// Mutated frames in all.
const FRAMES: u32 = 1_000_000;

/// xorshift64*: the same frames in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut all = vec![frames::arp()];
    for v6 in [false, true] {
        for l4 in [L4::Tcp, L4::Udp, L4::Icmp, L4::Nd, L4::Sctp] {
            if l4 == L4::Nd && !v6 {
                continue;
            }
            for vlans in [vec![], vec![1], vec![1, 2], vec![1, 2, 3]] {
                all.push(Spec { vlans, ..Spec::new(v6, l4) }.build());
            }
        }
    }
    // IPv6 with a chain of extension headers before UDP.
    let udp = Spec::new(true, L4::Udp).build();
    for (first, header) in [(0, [43, 0, 0, 0, 0, 0, 0, 0]), (44, [60, 0, 0, 1, 0, 0, 0, 0])] {
        let mut f = udp.clone();
        f[20] = first;
        f[19] += 16;
        let last = [17, 0, 0, 1, 0, 0, 0, 0];
        f.splice(54..54, [header, last].concat());
        all.push(f);
    }
    // SNAP, MPLS, PBB.
    let mut snap = Spec::new(false, L4::Tcp).build();
    snap.splice(12..14, [0, 80, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]);
    all.push(snap);
    let mut mpls = udp;
    mpls.splice(12..14, [0x88, 0x47, 0, 1, 0, 64, 0, 1, 1, 64]);
    let mut pbb = mpls.clone();
    pbb.splice(0..0, [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xe7, 0, 0, 0, 9]);
    all.extend([mpls, pbb]);
    all
}

/// Breaks a frame in one to four ways.
fn mutate(frame: &mut Vec<u8>, r: &mut Random) {
    for _ in 0..=r.below(4) {
        let at = r.below(frame.len().max(1));
        match r.below(8) {
            0 => frame.truncate(at),
            1 => frame.extend_from_slice(&r.next().to_le_bytes()),
            // A tag, or an extension header, or anything, in the middle.
            2 => {
                let tpid: [u8; 2] = if r.below(2) == 0 { [0x81, 0] } else { [0x88, 0xa8] };
                frame.splice(12.min(frame.len())..12.min(frame.len()), [tpid[0], tpid[1], 0, 1]);
            }
            3 => {
                frame.splice(at..at, r.next().to_le_bytes());
            }
            // The bytes that lengths, types and offsets live in get the values that hurt.
            4..=6 => {
                const HURT: [u8; 16] =
                    [0, 1, 2, 0x0f, 0x40, 0x44, 0x45, 0x4f, 0x60, 0x7f, 0x80, 0xff, 43, 44, 51, 58];
                if let Some(b) = frame.get_mut(at) {
                    *b = HURT[r.below(HURT.len())];
                }
            }
            _ => {
                if let Some(b) = frame.get_mut(at) {
                    *b = r.next() as u8;
                }
            }
        }
    }
    // An MTU of 1500 is more than the paths need to differ.
    frame.truncate(600);
}

/// Steps of one field or tag each.
fn steps() -> Vec<Step> {
    let mut all = vec![
        Step::PopVlan,
        Step::PushVlan { tpid: 0x8100, tci: 5 },
        Step::PushMpls { ethertype: 0x8847, lse: 0x0001_0140 },
        Step::PopMpls { ethertype: 0x86dd },
        Step::PushPbb { itag: 9 },
        Step::PopPbb,
        Step::CopyTtl { out: true },
        Step::CopyTtl { out: false },
    ];
    for field in Field::ALL.iter().filter(|f| f.settable() && !f.beside_frame()) {
        let value = 0x5555_aaaa_0f0f_1234_9876_5432_1111_2222;
        all.push(Step::Set { field: *field, value, mask: u128::MAX });
        all.push(Step::Set { field: *field, value: !value, mask: 0xf0f0_1111_ff00 });
    }
    all
}

/// Reads and edits one frame; gives a number that depends on all that was done.
struct Run {
    steps: Vec<Step>,
    packets: Vec<Packet>,
    pool: Pool,
    edited: u64,
}

impl Run {
    fn new() -> Self {
        Self { steps: steps(), packets: Vec::new(), pool: Pool::default(), edited: 0 }
    }

    fn frame(&mut self, frame: &[u8], csum: Checksum, which: std::ops::Range<usize>) {
        let mut key = FlowKey::default();
        let layout = extract(frame, &mut key);
        assert!(usize::from(layout.l3.max(layout.l4)) <= frame.len());
        let h = hash(&key);
        for step in which {
            let mut p = self.pool.take(frame.len());
            p.set_len(frame.len());
            p.data_mut().copy_from_slice(frame);
            p.offload.csum = csum;
            self.packets.push(p);
            // Before the edit and behind it, so that there is a copy.
            let n = self.steps.len();
            let out = || Step::Output { port: PortId(1), tunnel: None };
            let steps =
                [self.steps[step % n].clone(), out(), self.steps[(step + 7) % n].clone(), out()];
            let mut sink = |_, item: TxItem| self.edited += u64::from(item.hash == h);
            let _ = apply(&steps, 0, layout, h, &mut self.packets, &mut self.pool, &mut sink);
            while let Some(p) = self.packets.pop() {
                self.pool.put(p);
            }
        }
    }
}

#[test]
fn every_length_of_every_frame_through_every_edit() {
    let mut run = Run::new();
    for frame in seeds() {
        for len in 0..=frame.len() {
            let n = run.steps.len();
            run.frame(&frame[..len], Checksum::Unknown, 0..n);
        }
    }
    assert!(run.edited > 0);
}

#[test]
fn a_million_mutated_frames() {
    let seeds = seeds();
    let threads = 4u32;
    std::thread::scope(|scope| {
        for t in 0..threads {
            let seeds = &seeds;
            scope.spawn(move || {
                let mut r = Random(0x9e37_79b9_7f4a_7c15 ^ u64::from(t) << 7);
                let mut run = Run::new();
                let mut frame = Vec::with_capacity(1024);
                for _ in 0..FRAMES / threads {
                    frame.clear();
                    frame.extend_from_slice(&seeds[r.below(seeds.len())]);
                    mutate(&mut frame, &mut r);
                    let csum = match r.below(4) {
                        0 => Checksum::Partial {
                            start: r.below(100) as u16,
                            offset: r.below(20) as u16,
                        },
                        _ => Checksum::Unknown,
                    };
                    let step = r.below(run.steps.len());
                    run.frame(&frame, csum, step..step + 1);
                }
                assert!(run.edited > 0);
            });
        }
    });
}
