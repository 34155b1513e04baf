//! The switch side of the protocol, with the test as the controller: messages go through the codec
//! both ways, into an agent over a whole switch with ports in memory.

mod bench;
mod flows;
mod groups;
mod packets;
mod ports;
mod requests;
mod roles;
mod tables;
