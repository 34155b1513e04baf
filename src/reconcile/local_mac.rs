//! LOCAL's MAC address where the configuration names none: the same at every start of the switch, so
//! that the containers' ARP entries for their gateway stay right.

use crate::net::fnv1a;
use std::os::unix::fs::MetadataExt;

/// A locally administered address from the machine, the network namespace and the bridge's name.
/// Namespaces differ in it because on one machine they stand for hosts that are joined by tunnels.
pub(super) fn of(bridge: &str) -> [u8; 6] {
    // Where either is missing the address only has less to differ by.
    let machine = std::fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let netns = std::fs::metadata("/proc/self/ns/net").map_or(0, |m| m.ino());
    let [_, _, _, a, b, c, d, e] =
        fnv1a(format!("{}/{netns}/{bridge}", machine.trim()).as_bytes()).to_be_bytes();
    [0x02, a, b, c, d, e]
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_stays_and_differs_by_name() {
        assert_eq!(super::of("br0"), super::of("br0"));
        assert_ne!(super::of("br0"), super::of("br1"));
        assert_eq!(super::of("br0")[0], 0x02, "locally administered, not a group");
    }
}
