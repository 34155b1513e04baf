//! Per-worker caches of decisions.

pub mod exact;
pub mod megaflow;
