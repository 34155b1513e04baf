//! The flow tables of one bridge, and flow-mods on them.

/// See the module.
#[derive(Debug, Default)]
pub struct Pipeline {}
