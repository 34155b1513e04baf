//! Actions as OpenFlow words them ([`list`]), and their execution on frames ([`apply`]): the other
//! modules edit one kind of header each.

pub mod apply;
pub mod list;
pub mod mpls;
pub mod pbb;
pub mod set_field;
pub mod ttl;

pub use list::{Action, Instructions, Output, Step, TunnelDest};
