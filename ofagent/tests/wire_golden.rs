//! Messages as stock tools write them: each is understood, and written again with the same bytes.
//!
//! `data/ovs.txt` holds what ovs-ofctl 3.1 sends and `data/ryu.txt` what Ryu 4.34 serializes;
//! `data/from_ovs.py` and `data/from_ryu.py` made them.

use ofagent::wire::{Message, decode, encode};

/// Name and bytes of each message of a file.
fn messages(file: &str) -> Vec<(&str, Vec<u8>)> {
    file.lines()
        .filter(|l| !l.starts_with('#'))
        .map(|l| {
            let (name, hex) = l.split_once('\t').expect("name, tab, bytes");
            let bytes = hex
                .as_bytes()
                .chunks(2)
                .map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap());
            (name, bytes.collect())
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn all() -> Vec<(&'static str, Vec<u8>)> {
    let mut all = messages(include_str!("data/ovs.txt"));
    all.extend(messages(include_str!("data/ryu.txt")));
    all
}

#[test]
fn messages_of_other_programs_are_understood_and_written_alike() {
    let mut wrong = Vec::new();
    for (name, bytes) in all() {
        match decode(&bytes) {
            Err(e) => wrong.push(format!("{name}: {e}: {}", hex(&bytes))),
            Ok((xid, message)) => {
                let mut again = Vec::new();
                encode(xid, &message, &mut again).unwrap();
                if name.ends_with(" rewritten") {
                    // Open vSwitch's older forms of what the standard has, too.
                    assert_eq!(decode(&again), Ok((xid, message)), "{name}");
                } else if again != bytes {
                    wrong.push(format!("{name}:\n  {}\n  {}", hex(&bytes), hex(&again)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_message_cut_anywhere_is_refused_and_never_misread() {
    for (name, bytes) in all() {
        for n in 0..bytes.len() {
            let mut cut = bytes[..n].to_vec();
            assert!(decode(&cut).is_err(), "{name} cut at {n}");
            if n >= 8 {
                cut[2..4].copy_from_slice(&(n as u16).to_be_bytes());
                // Messages that end in data of any length may still be whole.
                if let Ok((xid, message)) = decode(&cut) {
                    let mut again = Vec::new();
                    encode(xid, &message, &mut again).unwrap();
                    assert!(
                        again.len() <= n || matches!(message, Message::Hello(_)),
                        "{name} cut at {n}"
                    );
                }
            }
        }
    }
}
