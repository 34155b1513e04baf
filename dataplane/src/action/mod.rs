//! Actions as OpenFlow words them ([`list`]), and their execution on frames ([`apply`]).

pub mod apply;
pub mod list;
pub mod set_field;

pub use list::{Action, Instructions, Output, Step, TunnelDest};
