//! Numbered datagrams from one container to another: which were lost, and how long each took. Both
//! ends read one clock: they are on one machine.

use crate::Failure;
use std::io::Read;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Bytes of a datagram: 200 with the headers of UDP, IPv4 and Ethernet.
const BYTES: usize = 158;
/// In the place of a number: no more come; the number of those sent follows.
const END: u64 = u64::MAX;

fn nanoseconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_nanos() as u64)
}

/// Intervals that a sender who was late makes up for: no burst shall come of a busy processor.
const LATE: u32 = 16;

/// Sends up to `rate` datagrams a second until the standard input ends.
pub(crate) fn send(to: &str, rate: &str) -> Result<(), Failure> {
    let interval = Duration::from_secs(1).div_f64(rate.parse()?);
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(to)?;
    let ended = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ended);
    std::thread::spawn(move || {
        // However it ends: there is nobody then who would want more.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        seen.store(true, Ordering::Relaxed);
    });
    let mut datagram = [0; BYTES];
    let (mut sent, mut due) = (0_u64, Instant::now());
    while !ended.load(Ordering::Relaxed) {
        datagram[..8].copy_from_slice(&sent.to_be_bytes());
        datagram[8..16].copy_from_slice(&nanoseconds().to_be_bytes());
        socket.send(&datagram)?;
        sent += 1;
        let now = Instant::now();
        due = (due + interval).max(now.checked_sub(interval * LATE).unwrap_or(now));
        std::thread::sleep(due.saturating_duration_since(now));
    }
    // Several times, since these may be lost too, and after all others.
    std::thread::sleep(Duration::from_millis(500));
    datagram[..8].copy_from_slice(&END.to_be_bytes());
    datagram[8..16].copy_from_slice(&sent.to_be_bytes());
    for _ in 0..5 {
        // Refused when the receiver has heard of it and gone.
        let _ = socket.send(&datagram);
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Receives until the sender says that it ended; prints what came.
pub(crate) fn receive(at: &str) -> Result<(), Failure> {
    let socket = UdpSocket::bind(at)?;
    socket.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut datagram = [0; BYTES];
    let (mut received, mut gap, mut last) = (0_u64, Duration::ZERO, None);
    // Microseconds that each took.
    let mut delays = Vec::new();
    let sent = loop {
        if socket.recv(&mut datagram)? < BYTES {
            continue;
        }
        let word = |at: usize| datagram[at..at + 8].iter().fold(0, |n, b| n << 8 | u64::from(*b));
        if word(0) == END {
            break word(8);
        }
        received += 1;
        delays.push((nanoseconds().saturating_sub(word(8)) / 1000) as u32);
        let now = Instant::now();
        gap = gap.max(last.map_or(Duration::ZERO, |last| now - last));
        last = Some(now);
    };
    delays.sort_unstable();
    let at = |part: f64| delays.get((delays.len() as f64 * part) as usize).copied().unwrap_or(0);
    println!(
        r#"{{"phase":"traffic","sent":{sent},"received":{received},"delay_us":{{"median":{},"p99":{},"p999":{},"max":{}}},"gap_us":{}}}"#,
        at(0.5),
        at(0.99),
        at(0.999),
        delays.last().copied().unwrap_or(0),
        gap.as_micros()
    );
    Ok(())
}
