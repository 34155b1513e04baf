//! Hello (section 7.5.1).

use super::VERSION;
use super::bytes::{Put, Reader};
use super::error::WireError;

/// `ofp_hello`: versions that the sender speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version in its header: the highest that the sender speaks.
    pub version: u8,
    /// The version bitmap element, if it has one; bit N stands for version N. (Versions above 31 do
    /// not exist.)
    pub bitmap: Option<u32>,
}

/// `OFPHET_VERSIONBITMAP`.
const VERSION_BITMAP: u16 = 1;

impl Hello {
    /// Offers OpenFlow 1.3 only.
    #[must_use]
    pub fn ours() -> Self {
        Self { version: VERSION, bitmap: Some(1 << VERSION) }
    }

    /// Elements that are unknown or make no sense are skipped: whatever follows, this is a hello.
    pub(super) fn decode(version: u8, r: &mut Reader<'_>) -> Self {
        let mut bitmap = None;
        while let Ok((kind, mut value)) = Self::element(r) {
            if kind == VERSION_BITMAP && bitmap.is_none() {
                bitmap = value.u32().ok();
            }
        }
        Self { version, bitmap }
    }

    fn element<'a>(r: &mut Reader<'a>) -> Result<(u16, Reader<'a>), WireError> {
        let kind = r.u16()?;
        let len = usize::from(r.u16()?);
        let value = r.part(len.saturating_sub(4))?;
        // The last may come without its padding.
        r.skip((len.next_multiple_of(8) - len).min(r.left()))?;
        Ok((kind, value))
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        if let Some(bitmap) = self.bitmap {
            out.u16(VERSION_BITMAP);
            out.u16(8);
            out.u32(bitmap);
        }
    }
}
