//! The OpenFlow 1.3 agent: what lets a controller drive the packet path.
//!
//! ```text
//!  channel   bytes <-> messages: framing, version negotiation, echo, transports, back-off
//!  wire      the codec, both ways, without any I/O
//!  convert   OpenFlow's structures <-> the packet path's
//!  agent     the switch side of the protocol, one per bridge
//! ```
//!
//! Section numbers are those of the OpenFlow Switch Specification 1.3.5.

#![forbid(unsafe_code)]

pub mod agent;
pub mod channel;
pub mod convert;
pub mod outbox;
pub mod wire;
