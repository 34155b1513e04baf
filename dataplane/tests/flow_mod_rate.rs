//! How fast flow-mods go, and how large and how fast a table of a million rules is. Measurements, so
//! they are ignored by default:
//! `cargo test --release -p dataplane --test flow_mod_rate -- --ignored --nocapture --test-threads 1`

use dataplane::action::{Action, Instructions};
use dataplane::cache::Cache;
use dataplane::fdb::FdbConfig;
use dataplane::flow::{FlowKey, Mask, Match};
use dataplane::state::{BridgeId, OfPort, PortFlags, PortKind, VlanConfig};
use dataplane::switch::{PortSpec, Switch};
use dataplane::table::{Command, FlowFilter, FlowMod};
use std::time::{Duration, Instant};

/// Flow-mods between two commits: what 100,000 a second make in a few milliseconds.
const COMMIT: usize = 200;
const MANY: u32 = 1_000_000;

/// Spreads numbers over 32 bits, each to another one.
fn scramble(n: u32) -> u32 {
    n.wrapping_mul(0x9e37_79b1)
}

fn key(n: u32) -> FlowKey {
    let mut key = FlowKey::default();
    key.in_port.set(1 + n % 16);
    key.eth_type.set(0x0800);
    key.ipv4_src.set(0x0a00_0000 | (n % 251));
    key.ipv4_dst.set(scramble(n));
    key
}

fn matching(n: u32) -> Match {
    let mut mask = Mask::default();
    mask.0.in_port.set(u32::MAX);
    mask.0.eth_type.set(u16::MAX);
    mask.0.ipv4_src.set(u32::MAX);
    mask.0.ipv4_dst.set(u32::MAX);
    Match::new(&key(n), &mask)
}

fn flow(command: Command, n: u32) -> FlowMod {
    let apply = vec![Action::output(OfPort(1 + n % 8))];
    FlowMod {
        command,
        matching: matching(n),
        instructions: Instructions { apply, ..Instructions::default() },
        cookie: u64::from(n),
        ..FlowMod::default()
    }
}

/// Resident memory in bytes.
fn rss() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// CPU time of this thread, which says more than the clock where others use the processors as well.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

struct Bench {
    switch: Switch,
    bridge: BridgeId,
}

impl Bench {
    fn new() -> Self {
        let mut switch = Switch::new(1).unwrap();
        let bridge = switch.add_bridge("br0", FdbConfig::default()).unwrap();
        Self { switch, bridge }
    }

    /// Does flow-mods, committing now and then, and says how fast it was.
    fn run(&mut self, what: &str, mods: impl Iterator<Item = FlowMod>) {
        let (mut took, mut longest, mut count) = (Duration::ZERO, Duration::ZERO, 0);
        let mut mods = mods.peekable();
        while mods.peek().is_some() {
            let part: Vec<_> = mods.by_ref().take(COMMIT).collect();
            let (begin, used) = (Instant::now(), cpu());
            for m in &part {
                self.switch.flow_mod(self.bridge, m).unwrap();
            }
            self.switch.commit();
            longest = longest.max(begin.elapsed());
            (took, count) = (took + (cpu() - used), count + part.len());
        }
        // What takes less than the kernel counts is shown as a microsecond.
        let took = took.as_secs_f64().max(1e-6);
        let (rate, each) = (count as f64 / took, took * 1e6 / count as f64);
        println!(
            "{what}: {rate:.0} a CPU second, {each:.2} µs each; longest by the clock {longest:?}"
        );
    }

    fn len(&self) -> usize {
        self.switch.pipeline(self.bridge).unwrap().len()
    }
}

fn rates(rules: u32) {
    let mut b = Bench::new();
    let before = rss();
    b.run(&format!("{rules} rules: fill"), (0..rules).map(|n| flow(Command::Add, n)));
    println!("  {} bytes a rule (resident)", (rss() - before) / u64::from(rules));
    let touched = 100_000u32;
    let some = |command| (0..touched).map(move |i| flow(command, rules + i));
    let again = |command| (0..touched).map(move |i| flow(command, scramble(i) % rules));
    b.run("  add", some(Command::Add));
    b.run("  add over an equal one", some(Command::Add));
    b.run("  modify, strict", again(Command::ModifyStrict));
    b.run("  modify", again(Command::Modify));
    b.run("  delete, strict", some(Command::DeleteStrict));
    b.run("  add", some(Command::Add));
    b.run("  delete", some(Command::Delete));
    assert_eq!(b.len(), rules as usize);

    let pipeline = b.switch.pipeline(b.bridge).unwrap();
    let keys: Vec<_> = (0..1_000_000u32).map(|i| key(scramble(i) % rules)).collect();
    let start = cpu();
    for key in &keys {
        assert!(pipeline.lookup(0, key, &mut Mask::default()).is_some());
    }
    println!("  lookup: {:?}", (cpu() - start) / keys.len() as u32);
    let start = cpu();
    let mut cursor = pipeline.cursor(FlowFilter::default());
    let (mut seen, mut longest) = (0, Duration::ZERO);
    loop {
        let begin = Instant::now();
        let Some(part) = cursor.next(1000) else { break };
        longest = longest.max(begin.elapsed());
        seen += part.len();
    }
    assert_eq!(seen, rules as usize);
    println!("  walk: {:?}, longest step by the clock {longest:?}", cpu() - start);
    drop((cursor, pipeline));

    let all = FlowMod { command: Command::Delete, table: None, ..FlowMod::default() };
    b.run("  delete all", [all].into_iter());
    assert_eq!(b.len(), 0);
}

#[test]
#[ignore = "a measurement"]
fn rates_with_a_thousand_rules() {
    rates(1000);
}

#[test]
#[ignore = "a measurement"]
fn rates_with_a_million_rules() {
    rates(MANY);
}

#[test]
#[ignore = "a measurement"]
fn deletes_of_a_part_of_a_million() {
    let mut b = Bench::new();
    b.run("fill", (0..MANY).map(|n| flow(Command::Add, n)));
    let mut by_port = FlowMod { command: Command::Delete, ..FlowMod::default() };
    let mut mask = Mask::default();
    mask.0.in_port.set(u32::MAX);
    by_port.matching = Match::new(&key(3), &mask);
    b.run("delete a sixteenth by in_port", [by_port.clone()].into_iter());
    assert_eq!(b.len(), (MANY - MANY / 16) as usize);
    by_port.matching = Match::default();
    by_port.out_port = OfPort(2);
    b.run("delete an eighth by out_port", [by_port].into_iter());
}

#[test]
#[ignore = "a measurement"]
fn a_thousand_masks() {
    let mut b = Bench::new();
    let with_mask = |command, n: u32| {
        let mut m = flow(command, n);
        let mut mask = m.matching.mask;
        mask.0.ipv4_src.set(1 + n % 1000);
        m.matching = Match::new(&m.matching.key, &mask);
        m
    };
    let mods = |command| (0..100_000).map(move |n| with_mask(command, n));
    b.run("1000 masks: add", mods(Command::Add));
    b.run("1000 masks: modify, strict", mods(Command::ModifyStrict));
    b.run("1000 masks: delete, strict", mods(Command::DeleteStrict));
}

/// What flow-mods cost the packets that flow meanwhile: after each commit, the first packet of every
/// live decision has it worked out anew.
#[test]
#[ignore = "a measurement"]
fn packets_between_commits() {
    const LIVE: u32 = 4096;
    let mut b = Bench::new();
    b.run("fill", (0..MANY).map(|n| flow(Command::Add, n)));
    for n in 1..=16 {
        let id = b.switch.reserve_port_id();
        let port = PortSpec {
            id,
            bridge: b.bridge,
            name: format!("p{n}"),
            ofport: OfPort(n),
            kind: PortKind::Memory,
            vlan: VlanConfig::default(),
            flags: PortFlags::default(),
            max_frame: 1514,
        };
        b.switch.add_port(port).unwrap();
    }
    let keys: Vec<_> = (0..LIVE)
        .map(|i| {
            let n = scramble(i) % MANY;
            let mut key = key(n);
            // As caches have it: the datapath's number of the port, which begins at 0.
            key.in_port.set(n % 16);
            key
        })
        .collect();
    let mut cache = Cache::new();
    for (what, commit) in [("without changes", false), ("after a commit each time", true)] {
        let mut took = Duration::ZERO;
        for round in 0..50 {
            if commit {
                b.switch.flow_mod(b.bridge, &flow(Command::Add, MANY + round)).unwrap();
                b.switch.commit();
            }
            let datapath = b.switch.datapath();
            let start = cpu();
            for key in &keys {
                let hit = cache.lookup(&datapath, key, 1);
                assert_eq!(cache.decision(hit).rules.len(), 1);
            }
            took += cpu() - start;
        }
        println!("{LIVE} live decisions, {what}: {:?} a packet", took / (50 * LIVE));
    }
}
