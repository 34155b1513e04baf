//! Table statistics and features (sections 7.3.5.4 and 7.3.5.5).

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
