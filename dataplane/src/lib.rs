//! Everything in vxswitch that touches a packet.
//!
//! The way of a packet, and the module that each step lives in:
//!
//! ```text
//!  port::af_packet / tap / vxlan     receive a batch into pooled buffers
//!        |                           offload: virtio header -> Packet::offload
//!  flow::extract                     one pass over the headers -> FlowKey
//!        |
//!  cache::exact -> cache::megaflow   hit: a finished Decision
//!        |  miss
//!  translate                         walk the tables once, un-wildcard what was looked at
//!        |
//!  action::apply                     edit the frame, queue it on its output ports
//!        |
//!  port::*                           flush the queues at the end of the turn
//! ```
//!
//! The library knows nothing of OpenFlow's wire format. `unsafe` lives in [`sys`] and nowhere else.

#![deny(unsafe_code)]

pub mod action;
pub mod cache;
pub mod drop;
pub mod fdb;
pub mod flow;
pub mod offload;
pub mod packet;
pub mod port;
mod retired;
pub mod state;
pub mod stats;
pub mod switch;
#[allow(unsafe_code, reason = "the one home of system calls and shared memory")]
pub mod sys;
pub mod table;
pub mod text;
pub mod too_big;
pub mod translate;
pub mod upcall;
pub mod vnet_hdr;
pub mod vtep;
pub mod wire;
pub mod worker;
