//! What the fuzz targets do with their bytes: one function for each decoder.
//!
//! Also compiled into a test of the workspace (`tests/fuzz_corpus.rs`), which replays the corpus
//! without a fuzzer.

use dataplane::action::{apply, mpls, pbb, set_field, ttl};
use dataplane::flow::{Field, FlowKey, extract};
use dataplane::offload::{self, Coalescer, Scratch};
use dataplane::packet::{Packet, Pool};
use dataplane::state::OfPort;
use dataplane::table::Command;
use dataplane::text::{parse_filter, parse_flow};
use dataplane::wire::vxlan as vxlan_wire;
use std::path::Path;

/// What a target does with its bytes.
pub type Target = fn(&[u8]);

/// Name of each target and what it does.
pub const TARGETS: [(&str, Target); 8] = [
    ("openflow", openflow),
    ("openflow10", openflow10),
    ("flow_text", flow_text),
    ("frame", frame),
    ("vxlan", vxlan),
    ("vnet_hdr", vnet_hdr),
    ("config", config),
    ("control", control),
];

/// A stream of OpenFlow messages: whatever is understood is written and understood again as the same.
pub fn openflow(data: &[u8]) {
    let mut stream = data;
    while let Ok(Some(len)) = ofagent::wire::framing::message_len(stream) {
        let Some((message, rest)) = stream.split_at_checked(len) else { return };
        stream = rest;
        let Ok((xid, decoded)) = ofagent::wire::decode(message) else { continue };
        let mut bytes = Vec::new();
        // What came short (Nicira's actions of older forms) may have a longer form.
        if ofagent::wire::encode(xid, &decoded, &mut bytes).is_ok() {
            assert_eq!(ofagent::wire::decode(&bytes), Ok((xid, decoded)));
        }
    }
}

/// A stream of messages of OpenFlow 1.0: what is understood is written in 1.3, and what of that
/// goes to a peer of 1.0 is whole messages.
pub fn openflow10(data: &[u8]) {
    use ofagent::wire::{encode, framing::message_len, v10};
    let mut translator = v10::Translator::new();
    let (mut stream, mut bytes, mut old) = (data, Vec::new(), Vec::new());
    while let Ok(Some(len)) = message_len(stream) {
        let Some((message, rest)) = stream.split_at_checked(len) else { break };
        stream = rest;
        let Ok((xid, messages)) = translator.decode(message) else { continue };
        // A message may be longer in 1.3, and then not be one.
        let _ = messages.iter().try_for_each(|m| encode(xid, m, &mut bytes));
    }
    translator.encode(&bytes, &mut old);
    // The same bytes as an agent's, which may be anything that 1.3 has.
    translator.encode(data, &mut old);
    let mut rest = old.as_slice();
    while !rest.is_empty() {
        let len = message_len(rest).expect("a length").expect("a header");
        rest = rest.get(len..).expect("a whole message");
    }
}

/// A flow in Open vSwitch's syntax; the first byte chooses the command.
pub fn flow_text(data: &[u8]) {
    let Some((first, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let command = match first % 5 {
        0 => Command::Add,
        1 => Command::Modify,
        2 => Command::ModifyStrict,
        3 => Command::Delete,
        _ => Command::DeleteStrict,
    };
    let ports = |name: &str| (name == "veth0").then_some(OfPort(7));
    // What it says of nonsense is not looked at, only that it says something.
    let _ = parse_flow(text, command, &ports);
    let _ = parse_filter(text, &ports);
}

/// A frame that is read, edited as the bytes before it say, and read again. The frame starts after
/// the byte that holds the number of edits and five bytes for each.
pub fn frame(data: &[u8]) {
    let Some((&edits, data)) = data.split_first() else { return };
    let edits = usize::from(edits % 8);
    let Some((program, frame)) = data.split_at_checked(5 * edits) else { return };
    let mut p = Packet::copied(frame);
    let mut key = FlowKey::default();
    let mut layout = extract(p.data(), &mut key);
    for edit in program.chunks_exact(5) {
        let value = u32::from_be_bytes([edit[1], edit[2], edit[3], edit[4]]);
        let short = value as u16;
        // A frame without the field stays as it is; that is the caller's matter.
        let _ = match edit[0] {
            0xff => apply::pop_vlan(&mut p, &mut layout),
            0xfe => apply::push_vlan(&mut p, &mut layout, 0x8100, short),
            0xfd => mpls::push_mpls(&mut p, &mut layout, 0x8847, value),
            0xfc => mpls::pop_mpls(&mut p, &mut layout, short),
            0xfb => pbb::push_pbb(&mut p, &mut layout, value),
            0xfa => pbb::pop_pbb(&mut p, &mut layout),
            0xf9 => ttl::copy_ttl(&mut p, &layout, short & 1 != 0),
            0xf8 => ttl::remark_dscp(&mut p, &mut layout, short as u8),
            n => {
                let field = Field::ALL[usize::from(n) % Field::ALL.len()];
                let wide = u128::from(value) * 0x1_0000_0001_0000_0001_0000_0001;
                set_field::set_field(&mut p, &mut layout, field, wide, field.max())
            }
        };
        assert!(usize::from(layout.l4) <= p.len() && usize::from(layout.l3) <= p.len());
    }
    extract(p.data(), &mut FlowKey::default());
}

/// Datagrams as the VXLAN port receives them in one read: outer TOS, then length and payload of each.
/// What is joined is cut again.
pub fn vxlan(data: &[u8]) {
    let Some((&tos, mut data)) = data.split_first() else { return };
    let (mut pool, mut coalescer, mut packets) =
        (Pool::default(), Coalescer::default(), Vec::new());
    while let Some((len, rest)) = data.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes(*len)).min(rest.len());
        let (datagram, rest) = rest.split_at(len);
        data = rest;
        if vxlan_wire::parse(datagram).is_err() {
            continue;
        }
        let mut inner = datagram[vxlan_wire::HEADER_LEN..].to_vec();
        if offload::ecn_decapsulate(&mut inner, tos) {
            let more = !data.is_empty();
            coalescer.push(&inner, more, 1514, &mut pool, &mut |p| packets.push(p));
        }
    }
    coalescer.flush(&mut pool, &mut |p| packets.push(p));
    for p in &packets {
        cut(p);
    }
}

/// A virtio_net_hdr and its frame: what is accepted is written as the same, and can be cut.
pub fn vnet_hdr(data: &[u8]) {
    let Some((hdr, frame)) = data.split_first_chunk() else { return };
    let Ok(offload) = dataplane::vnet_hdr::decode(hdr, frame) else { return };
    let again = dataplane::vnet_hdr::encode(&offload, frame);
    assert_eq!(dataplane::vnet_hdr::decode(&again, frame), Ok(offload));
    let mut p = Packet::copied(frame);
    p.offload = offload;
    cut(&p);
    if let dataplane::packet::Checksum::Partial { start, offset } = offload.csum {
        assert!(offload::finish_checksum(p.data_mut(), start, offset));
    }
}

/// Segments a long frame.
fn cut(p: &Packet) {
    let Some(gso) = p.offload.gso else { return };
    let mut out = Scratch::default();
    if let Ok(segments) = offload::segment(p.data(), &gso, b"prefix", &mut out) {
        assert_eq!(out.bytes_mut().len(), segments.total);
        assert!(segments.total <= segments.count * segments.len);
    }
}

/// A configuration file.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(config) = vxswitch::config::file::parse(text, Path::new("/etc/vxswitch.toml")) {
        let _ = vxswitch::config::check::check(&config);
    }
}

/// A request of the control socket: one that is understood is written and understood again as the same.
pub fn control(data: &[u8]) {
    use vxswitch::control::Request;
    let Ok(request) = serde_json::from_slice::<Request>(data) else { return };
    let bytes = serde_json::to_vec(&request).expect("a request is JSON");
    assert_eq!(serde_json::from_slice::<Request>(&bytes).ok(), Some(request));
}
