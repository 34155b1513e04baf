//! VXLAN tunnels over UDP (RFC 7348).
