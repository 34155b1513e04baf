//! vxswitch: a userspace software switch for Linux hosts that run containers.

fn main() {}
