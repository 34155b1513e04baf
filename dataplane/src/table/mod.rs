//! Flow tables.

mod bucket;
pub mod classifier;
pub mod group;
pub mod linear;
pub mod meter;
pub mod pipeline;
pub mod rule;
mod timeouts;
mod trie;
pub mod validate;

pub use pipeline::{
    Command, FlowFilter, FlowMod, FlowModOutcome, Pipeline, Removed, RemovedReason,
};
pub use rule::{Rule, RuleStats};
pub use validate::FlowModError;
