//! VXLAN tunnels over UDP (RFC 7348).
//!
//! All tunnels with one UDP port share one receiving socket; which tunnel a datagram belongs to is
//! for [`crate::vtep::TunnelTable`] to say. Sending uses a few sockets of its own, so that the outer
//! source port follows the inner flow. This is the only port that cuts frames into segments, and
//! that joins them again: `UDP_SEGMENT` carries up to 64 encapsulated segments through the kernel in
//! one piece, `UDP_GRO` brings them back in one read.

mod receive;
mod transmit;

pub use receive::{NO_PORT, VxlanReceiver};
pub use transmit::VxlanTransmitter;
