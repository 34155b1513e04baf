//! Table-mod (section 7.3.3).

use super::bytes::{Put, Reader};
use super::error::WireError;

/// `ofp_table_mod`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableMod {
    /// [`super::TABLE_ALL`]: all.
    pub table_id: u8,
    /// `OFPTC_*`.
    pub config: u32,
}

impl TableMod {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let table_id = r.u8()?;
        r.skip(3)?;
        Ok(Self { table_id, config: r.u32()? })
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.u8(self.table_id);
        out.zeros(3);
        out.u32(self.config);
    }
}
