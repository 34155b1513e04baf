//! `vxswitch`: a userspace software switch for Linux hosts that run containers.

#![forbid(unsafe_code)]

pub mod doctor;
pub mod net;
