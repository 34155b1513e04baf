//! Flow tables.

pub mod classifier;
pub mod linear;
pub mod pipeline;
pub mod rule;

pub use pipeline::Pipeline;
pub use rule::{Rule, RuleStats};
