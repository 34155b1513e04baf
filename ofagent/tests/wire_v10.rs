//! OpenFlow 1.0: bytes of any kind are understood or refused, and what goes out is whole messages.

use ofagent::wire::framing::message_len;
use ofagent::wire::v10::{Translator, VERSION};
use ofagent::wire::{Message, encode};
use proptest::prelude::*;

/// A message of this type.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = (8 + body.len()) as u16;
    [&[VERSION, kind], len.to_be_bytes().as_slice(), &[0, 0, 0, 7], body].concat()
}

/// What of these messages of 1.3 goes to a peer of 1.0, which is whole messages.
fn translated(translator: &mut Translator, messages: &[u8]) -> Vec<u8> {
    let mut old = Vec::new();
    translator.encode(messages, &mut old);
    let mut rest = old.as_slice();
    while !rest.is_empty() {
        let len = message_len(rest).expect("a length").expect("a header");
        rest = rest.get(len..).expect("a whole message");
    }
    old
}

proptest! {
    #[test]
    fn any_bytes(
        kind in 0..24_u8,
        vendor in prop::option::of((Just([0, 0, 0x23, 0x20, 0, 0, 0]), 0..40_u8)),
        body in prop::collection::vec(prop_oneof![Just(0), Just(0xff), 0..20_u8, any::<u8>()], 0..200),
    ) {
        let mut whole = Vec::new();
        if let Some((nicira, subtype)) = vendor {
            whole.extend(nicira);
            whole.push(subtype);
        }
        whole.extend(body);
        let raw = message(if vendor.is_some() { 4 } else { kind }, &whole);
        let mut translator = Translator::new();
        let mut bytes = Vec::new();
        if let Ok((xid, messages)) = translator.decode(&raw) {
            prop_assert_eq!(xid, 7);
            messages.iter().for_each(|m| encode(xid, m, &mut bytes).expect("short enough"));
        }
        translated(&mut translator, &bytes);
        translated(&mut translator, &raw);
    }
}

#[test]
fn features_are_told_with_the_ports() {
    let mut translator = Translator::new();
    let (xid, messages) = translator.decode(&message(5, &[])).expect("a request");
    assert_eq!((xid, messages.len()), (7, 2), "features, and ports: {messages:?}");
    assert_eq!(messages[0], Message::FeaturesRequest);
}
