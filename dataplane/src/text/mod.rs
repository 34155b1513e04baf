//! Open vSwitch's text syntax of flows (ovs-ofctl(8), ovs-fields(7), ovs-actions(7)).
//!
//! What Open vSwitch drops from a flow in silence (a field whose protocol is not matched) is an error
//! here that names what is missing. `mod_vlan_vid` and `mod_vlan_pcp` on a packet that may have no
//! tag become a set of [`Field::VlanTci`](crate::flow::Field::VlanTci) with its present bit.

mod actions;
mod error;
mod flow;
mod group;
mod matching;
mod meter;
mod names;
mod nicira;
mod subfield;
#[cfg(test)]
mod tests;
mod value;

pub use actions::format_actions;
pub use error::ParseError;
pub use flow::{format_flow, parse_filter, parse_flow, parse_flows};
pub use group::{format_group, parse_group};
pub use matching::{format_key, format_match};
pub use meter::{format_meter, parse_meter};
pub use names::PortNames;

/// Splits at commas and white space outside parentheses and quotes.
fn split(text: &str) -> Result<Vec<&str>, ParseError> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut quoted) = (0, 0u32, false);
    for (i, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' => depth += 1,
            ')' if depth == 0 => return Err(ParseError::new(text, "a ) without its (")),
            ')' => depth -= 1,
            _ if depth == 0 && (c == ',' || c.is_whitespace()) => {
                parts.push(&text[start..i]);
                start = i + c.len_utf8();
            }
            _ => {}
        }
    }
    if quoted || depth != 0 {
        return Err(ParseError::new(text, "a \" or ( that is not closed"));
    }
    parts.push(&text[start..]);
    parts.retain(|p| !p.is_empty());
    Ok(parts)
}
