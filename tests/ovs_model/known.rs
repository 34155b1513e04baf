//! The differences that are meant, each with its reason; docs/conformance.md lists them too.

use crate::compare::Output;

/// A difference that is meant: one frame of ours against one of theirs that left the same port.
struct Known {
    reason: &'static str,
    is: fn(&[u8], &[u8]) -> bool,
}

const KNOWN: &[Known] = &[Known {
    reason: "NORMAL takes every priority tag (VID 0) off, as ovs-vswitchd.conf.db(5) says of \
            priority-tags=never; Open vSwitch 3.1 leaves it on where its priority is not 0",
    is: |ours, theirs| {
        tags(theirs) >= 1
            && u16::from_be_bytes([theirs[14], theirs[15]]).trailing_zeros() >= 13
            && without_tag(theirs, 0) == ours
    },
}];

/// Why two outputs that are not the same are meant to differ; `None`: they are not.
pub(crate) fn reason(ours: &Output, theirs: &Output) -> Option<&'static str> {
    let only = |a: &Output, b: &Output| {
        let mut rest = b.clone();
        let mut only = a.clone();
        only.retain(|x| match rest.iter().position(|y| x == y) {
            Some(i) => {
                rest.swap_remove(i);
                false
            }
            None => true,
        });
        only
    };
    let (mine, mut other) = (only(ours, theirs), only(theirs, ours));
    if mine.len() != other.len() {
        return None;
    }
    let mut reason = None;
    for (port, frame) in &mine {
        let (i, known) = other.iter().enumerate().find_map(|(i, (p, f))| {
            let known = KNOWN.iter().find(|k| p == port && (k.is)(frame, f))?;
            Some((i, known.reason))
        })?;
        other.swap_remove(i);
        reason = Some(known);
    }
    reason
}

/// VLAN tags at the frame's head.
fn tags(frame: &[u8]) -> usize {
    let types = frame.get(12..).unwrap_or(&[]).chunks(4);
    types.take_while(|t| t.len() == 4 && (t[..2] == [0x81, 0] || t[..2] == [0x88, 0xa8])).count()
}

/// The frame without its tag number `i`, counted from outside.
fn without_tag(frame: &[u8], i: usize) -> Vec<u8> {
    let at = 12 + 4 * i;
    [&frame[..at], &frame[at + 4..]].concat()
}
