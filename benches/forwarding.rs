//! The steps of the forwarding path, one at a time: `cargo bench`. See README.md beside this file.

#![allow(missing_docs, reason = "criterion's macros make public items without")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dataplane::action::apply::apply;
use dataplane::cache::Cache;
use dataplane::fdb::FdbConfig;
use dataplane::flow::{self, FlowKey, extract};
use dataplane::packet::{Packet, Pool};
use dataplane::state::{OfPort, PortFlags, PortId, PortKind, VlanConfig, clock_ms};
use dataplane::switch::{PortSpec, Switch};
use dataplane::table::Command;
use dataplane::text::parse_flow;
use dataplane::translate::translate;
use dataplane::wire::checksum;
use pnet::packet::MutablePacket;
use pnet::packet::ethernet::{EtherTypes, MutableEthernetPacket};
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv4::MutableIpv4Packet;
use pnet::packet::tcp::MutableTcpPacket;
use pnet::util::MacAddr;
use std::hint::black_box;

/// A TCP segment of 64 bytes from station `n` to station 2.
fn frame(n: u16) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    let mut eth = MutableEthernetPacket::new(&mut bytes).expect("64 bytes hold the header");
    eth.set_destination(MacAddr::new(2, 0, 0, 0, 0, 2));
    eth.set_source(MacAddr::new(2, 0, 0, 0, 0, 1));
    eth.set_ethertype(EtherTypes::Ipv4);
    let mut ip = MutableIpv4Packet::new(eth.payload_mut()).expect("50 bytes hold the header");
    ip.set_version(4);
    ip.set_header_length(5);
    ip.set_total_length(50);
    ip.set_ttl(64);
    ip.set_next_level_protocol(IpNextHeaderProtocols::Tcp);
    ip.set_source([192, 188, 1, 11].into());
    ip.set_destination([192, 188, 1, 12].into());
    let mut tcp = MutableTcpPacket::new(ip.payload_mut()).expect("30 bytes hold the header");
    tcp.set_source(n);
    tcp.set_destination(80);
    tcp.set_data_offset(5);
    bytes
}

fn key(frame: &[u8]) -> FlowKey {
    let mut key = FlowKey::default();
    extract(frame, &mut key);
    key
}

/// A bridge with two ports that have no device, and these flows.
fn switch(flows: &[&str]) -> Switch {
    let mut switch = Switch::new(1).expect("a thread");
    let bridge = switch.add_bridge("br0", FdbConfig::default()).expect("the first bridge");
    for n in 1..=2 {
        let id = switch.reserve_port_id();
        switch
            .add_port(PortSpec {
                id,
                bridge,
                name: format!("p{n}"),
                ofport: OfPort(n),
                kind: PortKind::Memory,
                vlan: VlanConfig::default(),
                flags: PortFlags::default(),
                max_frame: 1514,
            })
            .expect("the number is free");
    }
    let mods: Vec<_> =
        flows.iter().map(|f| parse_flow(f, Command::Add, &|_| None).expect("a flow")).collect();
    assert!(switch.flow_mods(bridge, &mods).is_ok());
    switch
}

fn steps(c: &mut Criterion) {
    let tcp = frame(1);
    c.bench_function("extract, TCP of 64 bytes", |b| b.iter(|| key(black_box(&tcp))));

    let chain = switch(&["in_port=1,dl_dst=02:00:00:00:00:02,actions=output:2"]);
    let datapath = chain.datapath();
    let mut cache = Cache::default();
    let known = key(&tcp);
    c.bench_function("exact hit", |b| {
        b.iter(|| {
            let hit = cache.lookup(&datapath, black_box(&known), 1);
            cache.account(hit, 64);
            cache.flush_stats(1);
        });
    });
    let many: Vec<FlowKey> = (0..u16::MAX).map(|n| key(&frame(n))).collect();
    let mut next = 0;
    c.bench_function("megaflow hit, 65,535 connections under one mask", |b| {
        b.iter(|| {
            next = (next + 1) % many.len();
            cache.lookup(&datapath, &many[next], 1)
        });
    });
    c.bench_function("translate, one table, one rule", |b| {
        b.iter(|| translate(&datapath, black_box(&known), 1));
    });
    let normal = switch(&["actions=NORMAL"]).datapath();
    c.bench_function("translate, NORMAL", |b| {
        b.iter(|| translate(&normal, black_box(&known), clock_ms()));
    });

    let decision = translate(&datapath, &known, 1);
    let layout = extract(&tcp, &mut FlowKey::default());
    let (mut packets, mut pool) = (vec![Packet::copied(&tcp)], Pool::default());
    c.bench_function("apply, one output", |b| {
        b.iter(|| {
            let hash = flow::hash(&known);
            let mut out = |port: PortId, item| drop(black_box((port, item)));
            apply(&decision.steps, 0, layout, hash, &mut packets, &mut pool, &mut out)
        });
    });
}

fn checksums(c: &mut Criterion) {
    let data: Vec<u8> = (0..64_000).map(|n| n as u8).collect();
    let mut group = c.benchmark_group("checksum");
    group.throughput(Throughput::Bytes(data.len() as u64));
    group.bench_function("sum of 64,000 bytes", |b| b.iter(|| checksum::sum(black_box(&data))));
    group.finish();
}

criterion_group!(benches, steps, checksums);
criterion_main!(benches);
