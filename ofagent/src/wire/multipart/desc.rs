//! Description (section 7.3.5.1).

use crate::wire::bytes::{Put, Reader};
use crate::wire::error::WireError;

/// `ofp_desc`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct Desc {
    pub mfr_desc: String,
    pub hw_desc: String,
    pub sw_desc: String,
    pub serial_num: String,
    pub dp_desc: String,
}

/// `DESC_STR_LEN`.
const TEXT_LEN: usize = 256;
/// `SERIAL_NUM_LEN`.
const SERIAL_LEN: usize = 32;

impl Desc {
    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            mfr_desc: r.text(TEXT_LEN)?,
            hw_desc: r.text(TEXT_LEN)?,
            sw_desc: r.text(TEXT_LEN)?,
            serial_num: r.text(SERIAL_LEN)?,
            dp_desc: r.text(TEXT_LEN)?,
        })
    }

    pub(in crate::wire) fn encode(&self, out: &mut Vec<u8>) {
        out.text(&self.mfr_desc, TEXT_LEN);
        out.text(&self.hw_desc, TEXT_LEN);
        out.text(&self.sw_desc, TEXT_LEN);
        out.text(&self.serial_num, SERIAL_LEN);
        out.text(&self.dp_desc, TEXT_LEN);
    }
}
