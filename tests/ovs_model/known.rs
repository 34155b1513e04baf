//! The differences that are meant, each with its reason; docs/conformance.md lists them too.

use crate::case::Case;
use crate::compare::Difference;

/// A difference that is meant.
struct Known {
    reason: &'static str,
    /// Whether a case, made small, and its difference are this one.
    is: fn(&Case, &Difference) -> bool,
}

const KNOWN: &[Known] = &[];

/// Why a difference is meant; `None`: it is not.
pub(crate) fn reason(case: &Case, difference: &Difference) -> Option<&'static str> {
    KNOWN.iter().find(|k| (k.is)(case, difference)).map(|k| k.reason)
}
