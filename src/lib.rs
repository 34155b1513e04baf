//! `vxswitch`: a userspace software switch for Linux hosts that run containers.
//!
//! This is the daemon and the command line around the packet path (crate `dataplane`):
//!
//! ```text
//!  cli ---- control::client ==== control::server (socket) ---+
//!                                                            v
//!  config (desired state) ----------------------------> reconcile ----> dataplane (workers)
//!                                                            ^
//!  net (netlink: links, routes, containers) -----------------+
//! ```
//!
//! One control thread ([`daemon`]) runs all of it; [`reconcile`] is the only writer of what runs.

#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod doctor;
pub mod flows;
pub mod net;
pub mod openflow;
pub mod reconcile;
