//! Table statistics and features (sections 7.3.5.4 and 7.3.5.5).

use super::features::ACTIONS;
use crate::convert::field::FIELDS;
use crate::wire::error::{WireError, kind, table_features_failed};
use crate::wire::multipart::table::{TableFeatures, TableProperty, TableStats};
use crate::wire::oxm::{BASIC, OxmId, lookup};
use dataplane::flow::Field;
use dataplane::table::Pipeline;
use dataplane::table::pipeline::{LAST_TABLE, MAX_RULES};

/// `OFPIT_*` of all instructions: goto-table, which the last table has not, write-metadata,
/// write-actions, apply-actions, clear-actions, meter.
const INSTRUCTIONS: [u16; 6] = [1, 2, 3, 4, 5, 6];

pub(super) fn stats(pipeline: &Pipeline) -> Vec<TableStats> {
    let stats = |table_id| {
        let table = pipeline.table(table_id);
        TableStats {
            table_id,
            active_count: table.map_or(0, |t| t.rules.len() as u32),
            lookup_count: table.map_or(0, |t| t.stats.lookups()),
            matched_count: table.map_or(0, |t| t.stats.matched()),
        }
    };
    (0..=LAST_TABLE).map(stats).collect()
}

pub(super) fn features(pipeline: &Pipeline) -> Vec<TableFeatures> {
    (0..=LAST_TABLE).map(|table| table_features(pipeline, table)).collect()
}

fn table_features(pipeline: &Pipeline, table_id: u8) -> TableFeatures {
    let fields = |wanted: fn(Field) -> bool, masked: bool| -> Vec<(OxmId, bool, u8)> {
        let of = |w: &crate::convert::field::WireField| {
            let info = lookup(w.id)?;
            // Others than OpenFlow's own are not told: controllers know no names for them.
            let told = w.id.class == BASIC && wanted(w.field);
            told.then_some((w.id, masked && info.maskable, info.bytes))
        };
        FIELDS.iter().filter_map(of).collect()
    };
    let first = usize::from(table_id == LAST_TABLE);
    // A table-miss rule can do what others can, so the properties of its own are left out.
    let miss = false;
    let settable = || fields(Field::settable, false);
    TableFeatures {
        table_id,
        name: format!("table{table_id}"),
        metadata_match: u64::MAX,
        metadata_write: u64::MAX,
        config: pipeline.table_config(table_id),
        max_entries: MAX_RULES as u32,
        properties: vec![
            TableProperty::Instructions { miss, kinds: INSTRUCTIONS[first..].to_vec() },
            TableProperty::NextTables { miss, tables: (table_id + 1..=LAST_TABLE).collect() },
            TableProperty::WriteActions { miss, kinds: ACTIONS.to_vec() },
            TableProperty::ApplyActions { miss, kinds: ACTIONS.to_vec() },
            TableProperty::Match(fields(|_| true, true)),
            TableProperty::Wildcards(fields(|_| true, false)),
            TableProperty::WriteSetField { miss, fields: settable() },
            TableProperty::ApplySetField { miss, fields: settable() },
        ],
    }
}

/// Whether the tables are as asked for.
pub(super) fn check(pipeline: &Pipeline, wanted: &[TableFeatures]) -> Result<(), WireError> {
    let refuse = |code| Err(WireError::new(kind::TABLE_FEATURES_FAILED, code));
    for table in wanted {
        if table.table_id > LAST_TABLE {
            return refuse(table_features_failed::BAD_TABLE);
        }
        let ours = table_features(pipeline, table.table_id);
        let metadata = |t: &TableFeatures| (t.metadata_match, t.metadata_write);
        if metadata(table) != metadata(&ours) {
            return refuse(table_features_failed::BAD_METADATA);
        }
        if *table != ours {
            return refuse(table_features_failed::EPERM);
        }
    }
    // "All tables not in the request are removed."
    let mut numbers: Vec<_> = wanted.iter().map(|t| t.table_id).collect();
    numbers.sort_unstable();
    if !numbers.iter().copied().eq(0..=LAST_TABLE) {
        return refuse(table_features_failed::EPERM);
    }
    Ok(())
}
