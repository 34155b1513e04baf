//! any network device, through AF_PACKET.
