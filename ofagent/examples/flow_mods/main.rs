//! The measuring end of `scripts/bench-flow-mods`: a controller that sends flow-mods as fast as the
//! switch takes them and dumps tables, and numbered datagrams that show what the traffic feels.
//!
//! Every verb prints one line of JSON for each thing it measured.

mod controller;
mod load;
mod traffic;

use controller::Controller;
use std::process::ExitCode;
use std::time::Instant;

const USAGE: &str = "\
usage: flow_mods mods TARGET COUNT      add, modify and delete COUNT flows, by all commands
       flow_mods fill TARGET COUNT      add COUNT flows
       flow_mods dump TARGET            flow statistics of all flows
       flow_mods clear TARGET COUNT     delete COUNT flows by one message
       flow_mods send IP:PORT RATE      numbered datagrams until the standard input ends
       flow_mods receive IP:PORT        counts them, and their delays
TARGET: unix:FILE or tcp:IP:PORT, where a switch listens for OpenFlow 1.3";

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["mods", target, count] => mods(target, count),
        ["fill", target, count] => fill(target, count),
        ["dump", target] => dump(target),
        ["clear", target, count] => clear(target, count),
        ["send", to, rate] => traffic::send(to, rate),
        ["receive", at] => traffic::receive(at),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("flow_mods: {e}");
            ExitCode::FAILURE
        }
    }
}

/// All commands, each for every flow, timed until the barrier's reply. The table must hold none
/// of them before, and is again after.
fn mods(target: &str, count: &str) -> Result<(), Failure> {
    let n = count.parse()?;
    let mut controller = Controller::connect(target)?;
    for phase in load::PHASES {
        let sent = phase.share(n);
        let bytes = load::encode(phase, sent);
        let start = Instant::now();
        controller.say(&bytes)?;
        controller.barrier()?;
        let seconds = start.elapsed().as_secs_f64();
        let there = controller.count()?;
        let expected = phase.left(n);
        if there != expected {
            return Err(format!("{}: {there} flows, not {expected}", phase.name()).into());
        }
        println!(
            r#"{{"phase":"{}","n":{sent},"seconds":{seconds:.4},"per_second":{:.0}}}"#,
            phase.name(),
            f64::from(sent) / seconds
        );
    }
    controller.say(&load::delete_all())?;
    controller.barrier()
}

fn fill(target: &str, count: &str) -> Result<(), Failure> {
    let n: u32 = count.parse()?;
    let mut controller = Controller::connect(target)?;
    let bytes = load::encode(load::Phase::Add, n);
    let start = Instant::now();
    controller.say(&bytes)?;
    controller.barrier()?;
    let seconds = start.elapsed().as_secs_f64();
    let there = controller.count()?;
    println!(r#"{{"phase":"fill","n":{there},"seconds":{seconds:.3}}}"#);
    if there == n { Ok(()) } else { Err(format!("{there} flows, not {n}").into()) }
}

fn dump(target: &str) -> Result<(), Failure> {
    let mut controller = Controller::connect(target)?;
    let start = Instant::now();
    let (flows, bytes) = controller.dump()?;
    let seconds = start.elapsed().as_secs_f64();
    println!(r#"{{"phase":"dump","n":{flows},"bytes":{bytes},"seconds":{seconds:.3}}}"#);
    Ok(())
}

fn clear(target: &str, count: &str) -> Result<(), Failure> {
    let n: u32 = count.parse()?;
    let mut controller = Controller::connect(target)?;
    let start = Instant::now();
    controller.say(&load::delete_all())?;
    controller.barrier()?;
    let seconds = start.elapsed().as_secs_f64();
    let left = controller.count()?;
    println!(r#"{{"phase":"clear","n":{n},"seconds":{seconds:.4}}}"#);
    if left == 0 { Ok(()) } else { Err(format!("{left} flows are left").into()) }
}
