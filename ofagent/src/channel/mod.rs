//! Connections: framing, version negotiation, echo, transports and back-off.
