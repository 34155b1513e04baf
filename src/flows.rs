//! Files of flows, and the names that flows call ports by.

use dataplane::state::OfPort;
use std::collections::HashMap;

/// Numbers of ports by name.
pub type Names = HashMap<String, OfPort>;

/// The lines that hold flows, and their numbers (from 1); `#` begins a comment.
pub fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.split('#').next().unwrap_or("").trim()))
        .filter(|(_, line)| !line.is_empty())
}
