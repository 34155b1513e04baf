//! The smallest switch: what comes in by one of two ports goes out by the other.

use dataplane::drop::DropReason;
use dataplane::packet::{Checksum, Packet, Pool};
use dataplane::port::{Receive, RxBatch, Transmit, TxItem, TxReport};
use dataplane::state::PortId;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What the forwarder saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub frames: [u64; 2],
    pub longest: usize,
    pub gso: u64,
    pub partial: u64,
    pub rx_drops: HashMap<&'static str, u64>,
    pub tx_drops: HashMap<&'static str, u64>,
    pub errors: Vec<(usize, Option<i32>)>,
    /// The first bytes of frames with a VLAN tag.
    pub tagged: Vec<[u8; 18]>,
}

/// A forwarder in a thread of its own; stopped when dropped.
pub struct Forward {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

type Halves = (Box<dyn Receive>, Box<dyn Transmit>);

impl Forward {
    pub fn start(mut ports: [Halves; 2]) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let (seen2, stop2) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut poll = Poll::new().unwrap();
            for (i, (rx, _)) in ports.iter().enumerate() {
                let fd = rx.fd();
                poll.registry().register(&mut SourceFd(&fd), Token(i), Interest::READABLE).unwrap();
            }
            let mut events = Events::with_capacity(8);
            let (mut pool, mut batch) = (Pool::default(), RxBatch::default());
            let mut turn = Turn::default();
            let mut ready = [true; 2];
            while !stop2.load(Ordering::Relaxed) {
                // Only an edge makes a port ready; the timeout is for the stop flag alone.
                let wait = if ready == [false; 2] { 50 } else { 0 };
                poll.poll(&mut events, Some(Duration::from_millis(wait))).unwrap();
                for e in &events {
                    ready[e.token().0] = true;
                }
                for i in 0..2 {
                    if !ready[i] {
                        continue;
                    }
                    let result = ports[i].0.receive(&mut pool, 64, &mut batch);
                    ready[i] = *result.as_ref().unwrap_or(&false);
                    turn.send(i, &mut batch, ports[1 - i].1.as_mut(), &mut pool);
                    turn.publish(i, result.err(), &seen2);
                }
            }
        });
        Self { seen, stop, thread: Some(thread) }
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(t) = self.thread.take() {
            let _ = t.join();
        }
    }
}

#[derive(Default)]
struct Turn {
    packets: Vec<Packet>,
    items: Vec<TxItem>,
    report: TxReport,
    rx_drops: Vec<(PortId, DropReason, u64)>,
    frames: u64,
    longest: usize,
    gso: u64,
    partial: u64,
    tagged: Vec<[u8; 18]>,
}

impl Turn {
    fn send(&mut self, _: usize, batch: &mut RxBatch, tx: &mut dyn Transmit, pool: &mut Pool) {
        for r in batch.frames.drain(..) {
            self.longest = self.longest.max(r.packet.len());
            self.gso += u64::from(r.packet.offload.gso.is_some());
            self.partial += u64::from(matches!(r.packet.offload.csum, Checksum::Partial { .. }));
            if let Some(head) = r.packet.data().first_chunk::<18>()
                && matches!(head[12..14], [0x81, 0x00] | [0x88, 0xa8])
                && self.tagged.len() < 1000
            {
                self.tagged.push(*head);
            }
            let packet = self.packets.len() as u32;
            self.items.push(TxItem { packet, hash: 0, tunnel: None });
            self.packets.push(r.packet);
        }
        self.frames = self.packets.len() as u64;
        self.rx_drops.append(&mut batch.drops);
        self.report.clear();
        tx.send(&self.packets, &self.items, &mut self.report);
        let dropped: u64 = self.report.drops.iter().map(|(_, n)| n).sum();
        assert_eq!(self.report.packets + dropped, self.frames, "every frame has a fate");
        self.items.clear();
        for p in self.packets.drain(..) {
            pool.put(p);
        }
    }

    fn publish(&mut self, port: usize, error: Option<std::io::Error>, seen: &Mutex<Seen>) {
        let mut seen = seen.lock().unwrap();
        seen.frames[port] += self.frames;
        seen.longest = seen.longest.max(self.longest);
        seen.gso += std::mem::take(&mut self.gso);
        seen.partial += std::mem::take(&mut self.partial);
        seen.tagged.append(&mut self.tagged);
        for (_, reason, n) in self.rx_drops.drain(..) {
            *seen.rx_drops.entry(reason.name()).or_default() += n;
        }
        for (reason, n) in self.report.drops.drain(..) {
            *seen.tx_drops.entry(reason.name()).or_default() += n;
        }
        if let Some(e) = error {
            seen.errors.push((port, e.raw_os_error()));
        }
    }
}
