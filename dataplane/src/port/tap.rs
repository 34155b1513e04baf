//! the bridge's own port, a TAP device.
