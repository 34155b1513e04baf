//! Table statistics and features (sections 7.3.5.4 and 7.3.5.5).

use super::{Item, multipart_type};
use crate::wire::bytes::{Put, Reader};
use crate::wire::error::{WireError, kind, table_features_failed};
use crate::wire::oxm::Header;
use crate::wire::oxm::OxmId;

/// `ofp_table_stats`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct TableStats {
    pub table_id: u8,
    pub active_count: u32,
    pub lookup_count: u64,
    pub matched_count: u64,
}

/// `ofp_table_features`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub struct TableFeatures {
    pub table_id: u8,
    pub name: String,
    pub metadata_match: u64,
    pub metadata_write: u64,
    /// `OFPTC_*`.
    pub config: u32,
    pub max_entries: u32,
    pub properties: Vec<TableProperty>,
}

/// `ofp_table_feature_prop_*`; `miss`: the `_MISS` variant, of the table-miss rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the specification's names")]
pub enum TableProperty {
    /// `OFPIT_*` (an experimenter's is not told).
    Instructions {
        miss: bool,
        kinds: Vec<u16>,
    },
    NextTables {
        miss: bool,
        tables: Vec<u8>,
    },
    /// `OFPAT_*`.
    WriteActions {
        miss: bool,
        kinds: Vec<u16>,
    },
    /// `OFPAT_*`.
    ApplyActions {
        miss: bool,
        kinds: Vec<u16>,
    },
    /// Fields with whether they take a mask, and their length in bytes.
    Match(Vec<(OxmId, bool, u8)>),
    Wildcards(Vec<(OxmId, bool, u8)>),
    WriteSetField {
        miss: bool,
        fields: Vec<(OxmId, bool, u8)>,
    },
    ApplySetField {
        miss: bool,
        fields: Vec<(OxmId, bool, u8)>,
    },
    /// Type and what follows.
    Experimenter {
        kind: u16,
        data: Vec<u8>,
    },
}

impl Item for TableStats {
    const KIND: u16 = multipart_type::TABLE;

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let table_id = r.u8()?;
        r.skip(3)?;
        Ok(Self {
            table_id,
            active_count: r.u32()?,
            lookup_count: r.u64()?,
            matched_count: r.u64()?,
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.u8(self.table_id);
        out.zeros(3);
        out.u32(self.active_count);
        out.u64(self.lookup_count);
        out.u64(self.matched_count);
    }
}

const fn bad(code: u16) -> WireError {
    WireError::new(kind::TABLE_FEATURES_FAILED, code)
}

/// `OFP_MAX_TABLE_NAME_LEN`.
const NAME_LEN: usize = 32;

impl Item for TableFeatures {
    const KIND: u16 = multipart_type::TABLE_FEATURES;

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let len = usize::from(r.peek_u16()?);
        let mut r = r.part(len)?.or(bad(table_features_failed::BAD_LEN));
        r.skip(2)?;
        let table_id = r.u8()?;
        r.skip(5)?;
        let mut features = Self {
            table_id,
            name: r.text(NAME_LEN)?,
            metadata_match: r.u64()?,
            metadata_write: r.u64()?,
            config: r.u32()?,
            max_entries: r.u32()?,
            properties: Vec::new(),
        };
        while !r.is_empty() {
            features.properties.push(TableProperty::decode(&mut r)?);
        }
        Ok(features)
    }

    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.u16(0);
        out.u8(self.table_id);
        out.zeros(5);
        out.text(&self.name, NAME_LEN);
        out.u64(self.metadata_match);
        out.u64(self.metadata_write);
        out.u32(self.config);
        out.u32(self.max_entries);
        for property in &self.properties {
            property.encode(out);
        }
        out.patch_len(start, start);
    }
}

/// `enum ofp_table_feature_prop_type`; that of the table-miss rule is one more, where there is one.
mod property {
    pub(super) const INSTRUCTIONS: u16 = 0;
    pub(super) const NEXT_TABLES: u16 = 2;
    pub(super) const WRITE_ACTIONS: u16 = 4;
    pub(super) const APPLY_ACTIONS: u16 = 6;
    pub(super) const MATCH: u16 = 8;
    pub(super) const WILDCARDS: u16 = 10;
    pub(super) const WRITE_SETFIELD: u16 = 12;
    pub(super) const APPLY_SETFIELD: u16 = 14;
    pub(super) const EXPERIMENTER: u16 = 0xfffe;
    pub(super) const EXPERIMENTER_MISS: u16 = 0xffff;
}

impl TableProperty {
    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        use property as p;
        let kind = r.u16()?;
        let len = usize::from(r.u16()?);
        let body_len = len.checked_sub(4).ok_or(bad(table_features_failed::BAD_LEN))?;
        let mut body = r.part(body_len)?;
        r.skip(len.next_multiple_of(8) - len)?;
        if matches!(kind, p::EXPERIMENTER | p::EXPERIMENTER_MISS) {
            return Ok(Self::Experimenter { kind, data: body.rest().to_vec() });
        }
        let miss = kind & 1 != 0;
        Ok(match kind & !1 {
            p::INSTRUCTIONS => Self::Instructions { miss, kinds: decode_kinds(&mut body)? },
            p::NEXT_TABLES => Self::NextTables { miss, tables: body.rest().to_vec() },
            p::WRITE_ACTIONS => Self::WriteActions { miss, kinds: decode_kinds(&mut body)? },
            p::APPLY_ACTIONS => Self::ApplyActions { miss, kinds: decode_kinds(&mut body)? },
            p::MATCH if !miss => Self::Match(decode_fields(&mut body)?),
            p::WILDCARDS if !miss => Self::Wildcards(decode_fields(&mut body)?),
            p::WRITE_SETFIELD => Self::WriteSetField { miss, fields: decode_fields(&mut body)? },
            p::APPLY_SETFIELD => Self::ApplySetField { miss, fields: decode_fields(&mut body)? },
            _ => return Err(bad(table_features_failed::BAD_TYPE)),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        use property as p;
        let kind = match self {
            Self::Instructions { miss, .. } => p::INSTRUCTIONS + u16::from(*miss),
            Self::NextTables { miss, .. } => p::NEXT_TABLES + u16::from(*miss),
            Self::WriteActions { miss, .. } => p::WRITE_ACTIONS + u16::from(*miss),
            Self::ApplyActions { miss, .. } => p::APPLY_ACTIONS + u16::from(*miss),
            Self::Match(_) => p::MATCH,
            Self::Wildcards(_) => p::WILDCARDS,
            Self::WriteSetField { miss, .. } => p::WRITE_SETFIELD + u16::from(*miss),
            Self::ApplySetField { miss, .. } => p::APPLY_SETFIELD + u16::from(*miss),
            Self::Experimenter { kind, .. } => *kind,
        };
        let start = out.len();
        out.u16(kind);
        out.u16(0);
        match self {
            Self::Instructions { kinds, .. }
            | Self::WriteActions { kinds, .. }
            | Self::ApplyActions { kinds, .. } => {
                for kind in kinds {
                    out.u16(*kind);
                    out.u16(4);
                }
            }
            Self::NextTables { tables, .. } => out.extend_from_slice(tables),
            Self::Match(fields)
            | Self::Wildcards(fields)
            | Self::WriteSetField { fields, .. }
            | Self::ApplySetField { fields, .. } => {
                for (id, masked, len) in fields {
                    Header::encode(*id, *masked, *len, out);
                }
            }
            Self::Experimenter { data, .. } => out.extend_from_slice(data),
        }
        // The length leaves the padding out.
        out.patch_len(start + 2, start);
        out.pad8(start);
    }
}

/// Headers of instructions or actions: type and length, and an experimenter's id, which is left out
/// with its type.
fn decode_kinds(r: &mut Reader<'_>) -> Result<Vec<u16>, WireError> {
    let mut kinds = Vec::with_capacity(r.left() / 4);
    while !r.is_empty() {
        let kind = r.u16()?;
        let len = usize::from(r.u16()?);
        r.skip(len.checked_sub(4).ok_or(bad(table_features_failed::BAD_LEN))?)?;
        if kind != 0xffff {
            kinds.push(kind);
        }
    }
    Ok(kinds)
}

/// OXM headers; another experimenter's are left out.
fn decode_fields(r: &mut Reader<'_>) -> Result<Vec<(OxmId, bool, u8)>, WireError> {
    let mut fields = Vec::with_capacity(r.left() / 4);
    while !r.is_empty() {
        let header = Header::decode(r).map_err(|_| bad(table_features_failed::BAD_LEN))?;
        if let Some(id) = header.id {
            fields.push((id, header.masked, (header.len >> u8::from(header.masked)) as u8));
        }
    }
    Ok(fields)
}
