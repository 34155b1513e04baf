//! Table-mod (section 7.3.3).

/// `ofp_table_mod`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableMod {
    /// [`super::TABLE_ALL`]: all.
    pub table_id: u8,
    /// `OFPTC_*`.
    pub config: u32,
}
