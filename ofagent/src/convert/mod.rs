//! OpenFlow's structures and the packet path's, one made of the other.
//!
//! What the packet path holds is enough to answer a statistics request with what was sent, but for
//! the order of a match's fields: they go out by ascending OXM number, which puts prerequisites
//! first.

pub mod action;
pub mod error;
pub mod field;
pub mod flow;
pub mod group;
pub mod instruction;
pub mod matching;
pub mod meter;
pub mod port;
