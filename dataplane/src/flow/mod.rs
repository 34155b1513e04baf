//! Flow keys: what a packet looks like to the flow tables, and which bits of it matter.

pub mod compact;
pub mod extract;
pub mod field;
pub mod five_tuple;
pub mod hash;
pub mod key;
pub mod mask;
pub mod prereq;

pub use compact::CompactMatch;
pub use extract::{Layout, extract};
pub use field::Field;
pub use five_tuple::hash;
pub use key::{FlowKey, Vlan};
pub use mask::{Mask, Match};
