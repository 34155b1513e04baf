//! The MAC learning table of a bridge (FDB).

/// See the module.
#[derive(Debug, Default)]
pub struct Fdb {}
