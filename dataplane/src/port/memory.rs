//! A port in memory, for benches and model tests: what is put in comes in, what goes out is kept.

use super::{Receive, Received, RxBatch, Transmit, TxItem, TxReport};
use crate::packet::{Packet, Pool};
use crate::state::PortId;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

/// The test's end of a memory port.
#[derive(Debug)]
pub struct MemoryPort {
    put: Sender<Packet>,
    sent: Receiver<Packet>,
    bell: UnixStream,
}

/// Receiving half.
#[derive(Debug)]
pub struct MemoryReceiver {
    port: PortId,
    frames: Receiver<Packet>,
    bell: UnixStream,
}

/// Sending half.
#[derive(Clone, Debug)]
pub struct MemoryTransmitter {
    sent: Sender<Packet>,
}

impl MemoryPort {
    /// A port with both halves.
    ///
    /// # Errors
    /// When no socket pair can be made.
    pub fn new(port: PortId) -> io::Result<(Self, MemoryReceiver, MemoryTransmitter)> {
        let (put, frames) = unbounded();
        let (kept, sent) = unbounded();
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        theirs.set_nonblocking(true)?;
        Ok((
            Self { put, sent, bell: ours },
            MemoryReceiver { port, frames, bell: theirs },
            MemoryTransmitter { sent: kept },
        ))
    }

    /// Lets a frame come in.
    pub fn put(&self, packet: Packet) {
        // The receiver's end is gone only when the switch has been dropped.
        let _ = self.put.send(packet);
        // A full pipe has bells enough in it.
        let _ = (&self.bell).write(&[0]);
    }

    /// What has gone out since the last call.
    #[must_use]
    pub fn sent(&self) -> Vec<Packet> {
        self.sent.try_iter().collect()
    }

    /// The next frame that goes out, waiting at most `timeout`.
    #[must_use]
    pub fn next(&self, timeout: std::time::Duration) -> Option<Packet> {
        self.sent.recv_timeout(timeout).ok()
    }
}

impl Receive for MemoryReceiver {
    fn fd(&self) -> RawFd {
        self.bell.as_raw_fd()
    }

    fn receive(&mut self, _: &mut Pool, budget: usize, batch: &mut RxBatch) -> io::Result<bool> {
        let mut bells = [0; 256];
        while matches!((&self.bell).read(&mut bells), Ok(n) if n > 0) {}
        let frames = self.frames.try_iter().take(budget);
        batch.frames.extend(frames.map(|packet| Received {
            packet,
            port: self.port,
            tunnel: None,
        }));
        Ok(!self.frames.is_empty())
    }
}

impl Transmit for MemoryTransmitter {
    fn send(&mut self, packets: &[Packet], items: &[TxItem], report: &mut TxReport) {
        for item in items {
            let p = &packets[item.packet as usize];
            let mut copy = Packet::copied(p.data());
            copy.offload = p.offload;
            report.packets += 1;
            report.bytes += p.len() as u64;
            let _ = self.sent.send(copy);
        }
    }
}
