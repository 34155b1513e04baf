//! Open vSwitch's text syntax of flows (ovs-ofctl(8), ovs-fields(7), ovs-actions(7)).

use crate::flow::FlowKey;

/// A key's fields that are not zero, comma-separated.
#[must_use]
pub fn format_key(key: &FlowKey) -> String {
    let _ = key;
    String::new()
}
