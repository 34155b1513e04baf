//! Ports (sections 7.2.1 and 7.3.5.6).

use crate::agent::PortInfo;
use crate::wire::multipart::port::PortStats as WireStats;
use crate::wire::port::{Port, config, state};
use dataplane::drop::DropReason;
use dataplane::state::PortFlags;
use dataplane::stats::PortStats;
use std::time::Duration;

/// `OFPPF_*_FD` by kbit/s.
const SPEEDS: [(u32, u32); 7] = [
    (10_000, 1 << 1),
    (100_000, 1 << 3),
    (1_000_000, 1 << 5),
    (10_000_000, 1 << 6),
    (40_000_000, 1 << 7),
    (100_000_000, 1 << 8),
    (1_000_000_000, 1 << 9),
];
/// `OFPPF_OTHER`.
const OTHER_SPEED: u32 = 1 << 10;
/// A counter that is not kept.
const NOT_KEPT: u64 = u64::MAX;

/// A port as controllers are shown it.
#[must_use]
pub fn to_wire(info: &PortInfo, flags: PortFlags) -> Port {
    let bit = |set: bool, bit: u32| if set { bit } else { 0 };
    let known = SPEEDS.iter().find(|s| s.0 == info.speed).map_or(OTHER_SPEED, |s| s.1);
    Port {
        port_no: info.ofport.0,
        hw_addr: info.hw_addr,
        name: info.name.clone(),
        config: bit(flags.down, config::PORT_DOWN)
            | bit(flags.no_recv, config::NO_RECV)
            | bit(flags.no_fwd, config::NO_FWD)
            | bit(flags.no_packet_in, config::NO_PACKET_IN)
            | bit(flags.no_flood, config::NO_FLOOD),
        state: bit(!info.link_up, state::LINK_DOWN) | bit(info.link_up && !flags.down, state::LIVE),
        curr: if info.speed == 0 { 0 } else { known },
        advertised: 0,
        supported: 0,
        peer: 0,
        curr_speed: info.speed,
        max_speed: info.speed,
    }
}

/// Sets the flags that `mask` selects.
pub fn set_flags(flags: &mut PortFlags, value: u32, mask: u32) {
    let set = |flag: &mut bool, bit: u32| {
        if mask & bit != 0 {
            *flag = value & bit != 0;
        }
    };
    set(&mut flags.down, config::PORT_DOWN);
    set(&mut flags.no_recv, config::NO_RECV);
    set(&mut flags.no_fwd, config::NO_FWD);
    set(&mut flags.no_packet_in, config::NO_PACKET_IN);
    set(&mut flags.no_flood, config::NO_FLOOD);
}

/// A port's counters, and how long it has been there. Frames that no flow wanted are not the port's
/// drops; their counters are the tables'.
#[must_use]
pub fn stats_to_wire(port_no: u32, stats: &PortStats, age: Duration) -> WireStats {
    let sum = |reasons: &[DropReason]| reasons.iter().map(|r| stats.drops[*r as usize]).sum();
    WireStats {
        port_no,
        rx_packets: stats.rx_packets,
        tx_packets: stats.tx_packets,
        rx_bytes: stats.rx_bytes,
        tx_bytes: stats.tx_bytes,
        rx_dropped: sum(&[DropReason::RxQueueFull, DropReason::RxPortDown]),
        tx_dropped: sum(&[
            DropReason::TxPortDown,
            DropReason::TxLinkDown,
            DropReason::TxQueueFull,
            DropReason::TxTooBig,
        ]),
        rx_errors: sum(&[
            DropReason::RxTooShort,
            DropReason::RxTruncated,
            DropReason::RxBadVnetHdr,
            DropReason::VxlanTooShort,
            DropReason::VxlanBadFlags,
        ]),
        tx_errors: sum(&[DropReason::TxError, DropReason::TunnelNoRoute]),
        rx_frame_err: NOT_KEPT,
        rx_over_err: NOT_KEPT,
        rx_crc_err: NOT_KEPT,
        collisions: NOT_KEPT,
        duration_sec: age.as_secs() as u32,
        duration_nsec: age.subsec_nanos(),
    }
}
