//! Walking over the rules of a snapshot piece by piece, for dumps of any size.

use super::classifier::Position;
use super::pipeline::{FlowFilter, Pipeline};
use super::rule::Rule;
use std::sync::Arc;

/// A walk over the rules that a filter lets through, by table; within a table in no particular
/// order. It holds its snapshot, so what changes meanwhile does not show (but for counters).
#[derive(Debug)]
pub struct Cursor {
    pipeline: Arc<Pipeline>,
    filter: FlowFilter,
    table: usize,
    /// `None`: the walk over the table has not begun.
    position: Option<Position>,
}

impl Cursor {
    pub(super) fn new(pipeline: Arc<Pipeline>, filter: FlowFilter) -> Self {
        let table = filter.table.map_or(0, usize::from);
        Self { pipeline, filter, table, position: None }
    }

    /// Looks at `many` rules, or some more, and gives those that the filter lets through (perhaps
    /// none), each with its table; `None` at the end. One call takes some 0.1 µs for each of `many`.
    pub fn next(&mut self, many: usize) -> Option<Vec<(u8, Arc<Rule>)>> {
        let mut found = Vec::new();
        let mut seen = 0;
        while seen < many {
            if self.table >= self.pipeline.number_of_tables()
                || self.filter.table.is_some_and(|t| usize::from(t) != self.table)
            {
                return if seen == 0 { None } else { Some(found) };
            }
            let number = self.table as u8;
            let next = self.pipeline.table(number).and_then(|table| {
                let from = self.position.unwrap_or_default();
                table.rules.walk(from, &self.filter.matching, &mut |n| seen += n, &mut |rule| {
                    if self.filter.admits(rule) {
                        found.push((number, Arc::clone(rule)));
                    }
                })
            });
            self.position = next;
            if next.is_none() {
                self.table += 1;
            }
        }
        Some(found)
    }
}
