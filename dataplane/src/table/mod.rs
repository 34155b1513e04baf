//! Flow tables.

mod bucket;
pub mod classifier;
pub mod cursor;
pub mod flow_mod;
pub mod group;
mod group_mod;
mod ledger;
pub mod linear;
pub mod meter;
mod meter_mod;
pub mod pipeline;
mod priorities;
pub mod rule;
mod timeouts;
mod trie;
mod users;
pub mod validate;

pub use cursor::Cursor;
pub use pipeline::{
    Command, FlowFilter, FlowMod, FlowModOutcome, Pipeline, Removed, RemovedReason,
};
pub use rule::{Rule, RuleStats};
pub use validate::FlowModError;
