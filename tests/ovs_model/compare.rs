//! Runs a case on both switches and compares what left their ports; makes a case that shows a
//! difference small.

use crate::case::Case;
use crate::known;
use crate::lab::{PROBE_FLOW, PROBE_TYPE, Program, Side};
use crate::packets::Shot;
use crate::values::{LOCAL, SALT, salt_bytes, salt_text};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Frames of one port that are sent without waiting in between.
const BURST: usize = 24;
/// Smaller cases that are tried, at most, to make a difference readable.
const TRIES: usize = 600;

/// What left the ports: port and frame.
pub(crate) type Output = Vec<(usize, Vec<u8>)>;

/// A difference between the two switches.
#[derive(Clone, Debug)]
pub(crate) enum Difference {
    /// One refuses the tables, or says that it has others.
    Tables(String),
    /// Something else leaves: the shot's number (the first of a burst), and the outputs.
    Output { from: usize, to: usize, ours: Output, theirs: Output },
}

impl Difference {
    /// Whether a smaller case shows the same kind of difference: one refuses tables in the same
    /// words, or lists others, or other frames leave.
    fn like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Tables(a), Self::Tables(b)) => {
                let kind = |text: &str| -> Vec<String> {
                    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                    let errors = words.filter(|w| w.starts_with("OFP") && !w.starts_with("OFPT"));
                    text.split(' ').take(2).chain(errors).map(str::to_owned).collect()
                };
                kind(a) == kind(b)
            }
            (Self::Output { .. }, Self::Output { .. }) => true,
            _ => false,
        }
    }
}

/// Both switches.
pub(crate) struct Lab {
    pub(crate) ours: Side,
    pub(crate) theirs: Side,
    /// Changes the flows that ours gets: a planted fault, by which the test is tested.
    pub(crate) plant: fn(&str) -> String,
    /// Frames that left Open vSwitch.
    pub(crate) left: usize,
    /// Reasons of the differences that were met and are meant.
    pub(crate) meant: Vec<&'static str>,
    runs: u16,
    probes: u64,
}

impl Lab {
    pub(crate) fn new(subject: Program, plant: fn(&str) -> String) -> Result<Self, String> {
        let ours = Side::new("ours", subject)?;
        let theirs = Side::new("Open vSwitch", Program::OpenVswitch)?;
        Ok(Self { ours, theirs, plant, left: 0, meant: Vec::new(), runs: 0, probes: 0 })
    }

    /// Runs a case; `burst` frames at a time. An error is a failure of the test itself, or a case
    /// that both refuse.
    pub(crate) fn run(&mut self, case: &Case, burst: usize) -> Result<Option<Difference>, String> {
        self.runs += 1;
        // never a broadcast nor a group address: only bytes 2 and 3 change
        let salt = self.runs.to_be_bytes();
        if let Some(difference) = self.install(case, salt)? {
            return Ok(Some(difference));
        }
        let mut from = 0;
        while from < case.shots.len() {
            let port = case.shots[from].port;
            let same = case.shots[from..].iter().take_while(|s| s.port == port).count();
            let to = from + same.min(if case.learns { 1 } else { burst });
            let (mut ours, mut theirs) = self.exchange(&case.shots[from..to], salt)?;
            self.left += theirs.len();
            if ours != theirs {
                // a frame may be late on a busy machine; what is only late comes now
                std::thread::sleep(Duration::from_millis(50));
                self.more(&mut ours, &mut theirs, salt)?;
                ours.sort();
                theirs.sort();
                if let Some(known) = known::reason(&ours, &theirs) {
                    self.meant.push(known);
                } else if ours != theirs {
                    return Ok(Some(Difference::Output { from, to, ours, theirs }));
                }
            }
            from = to;
        }
        Ok(None)
    }

    fn install(&mut self, case: &Case, salt: [u8; 2]) -> Result<Option<Difference>, String> {
        let flows = salt_text(&(case.flows_text() + PROBE_FLOW), SALT, salt);
        let groups = salt_text(&case.groups_text(), SALT, salt);
        let planted = (self.plant)(&flows);
        let (ours, theirs) = std::thread::scope(|s| {
            let ours = s.spawn(|| self.ours.install(&groups, &planted));
            let theirs = self.theirs.install(&groups, &flows);
            (ours.join().expect("no panic"), theirs)
        });
        self.theirs.alive()?;
        self.ours.alive()?;
        match (ours, theirs) {
            (Ok(()), Ok(())) => {}
            (Err(a), Err(b)) => return Err(format!("both refuse the tables: {a}; {b}")),
            (Err(a), Ok(())) => {
                return Ok(Some(Difference::Tables(format!("{} refuses: {a}", self.ours.name))));
            }
            (Ok(()), Err(b)) => {
                return Ok(Some(Difference::Tables(format!("{} refuses: {b}", self.theirs.name))));
            }
        }
        if planted != flows {
            return Ok(None);
        }
        let (ours, theirs) = (self.ours.listing()?, self.theirs.listing()?);
        if ours == theirs {
            return Ok(None);
        }
        let mut text = String::new();
        for (name, a, b) in [(self.ours.name, &ours, &theirs), (self.theirs.name, &theirs, &ours)] {
            for line in a.iter().filter(|line| !b.contains(line)) {
                let _ = writeln!(text, "only {name} lists: {}", salt_text(line, salt, SALT));
            }
        }
        Ok(Some(Difference::Tables(text)))
    }

    /// Sends the shots, all of one port, and waits until both switches are done with them.
    fn exchange(&mut self, shots: &[Shot], salt: [u8; 2]) -> Result<(Output, Output), String> {
        let frames: Vec<_> = shots.iter().map(|s| salt_bytes(&s.frame, SALT, salt)).collect();
        let frames: Vec<_> = frames.iter().map(Vec::as_slice).collect();
        let (mut ours, mut theirs) = (Output::new(), Output::new());
        // A switch may pass on a probe before the others of its batch, but not before the batch of
        // the first probe is done.
        for turn in 0..2 {
            self.probes += 1;
            let mut probe = [&[0xff; 6][..], &[2, 0x22, 0, 0, 0, 1], &PROBE_TYPE].concat();
            probe.extend(self.probes.to_be_bytes());
            probe.resize(60, 0);
            let port = shots[0].port;
            for side in [&mut self.ours, &mut self.theirs] {
                if turn == 0 {
                    side.send(port, &frames)?;
                }
                side.send(port, &[&probe])?;
            }
            for (side, out) in [(&mut self.ours, &mut ours), (&mut self.theirs, &mut theirs)] {
                let end = Instant::now() + Duration::from_secs(5);
                let mut wait = Duration::from_micros(30);
                loop {
                    side.take(out)?;
                    let probe = (port, probe.clone());
                    if let Some(i) = out.iter().rposition(|x| *x == probe) {
                        out.remove(i);
                        break;
                    }
                    if Instant::now() > end {
                        side.alive()?;
                        return Err(format!(
                            "{} does not send a probe back to port {port}",
                            side.name
                        ));
                    }
                    std::thread::sleep(wait);
                    wait = (wait * 2).min(Duration::from_millis(1));
                }
            }
        }
        // of a burst, the order in which the ports' frames are read is not the order they left in
        for out in [&mut ours, &mut theirs] {
            for frame in out.iter_mut() {
                frame.1 = salt_bytes(&frame.1, salt, SALT);
            }
            out.sort();
        }
        Ok((ours, theirs))
    }

    fn more(
        &mut self,
        ours: &mut Output,
        theirs: &mut Output,
        salt: [u8; 2],
    ) -> Result<(), String> {
        for (side, out) in [(&mut self.ours, ours), (&mut self.theirs, theirs)] {
            let mut late = Output::new();
            side.take(&mut late)?;
            out.extend(late.into_iter().map(|(p, f)| (p, salt_bytes(&f, salt, SALT))));
        }
        Ok(())
    }

    /// The same case with only what the difference needs, and the difference. `None`: it does not
    /// come again.
    pub(crate) fn shrink(&mut self, case: &Case, first: &Difference) -> Option<(Case, Difference)> {
        let mut best = case.clone();
        let mut difference;
        if let Difference::Output { to, .. } = first {
            best.shots.truncate(*to);
            // one of the burst, if it shows by itself
            let alone = (0..best.shots.len()).rev().take(BURST).find_map(|i| {
                let mut case = best.clone();
                case.shots = vec![best.shots[i].clone()];
                self.again(&case).map(|d| (case, d))
            });
            if let Some(found) = alone {
                (best, difference) = found;
            } else {
                difference = self.again(&best)?;
                let Difference::Output { to, .. } = difference else { return None };
                best.shots.truncate(to);
            }
        } else {
            best.shots.clear();
            difference = self.again(&best)?;
        }
        let mut tries = 0;
        'smaller: loop {
            for mut case in best.smaller() {
                tries += 1;
                if tries > TRIES {
                    break 'smaller;
                }
                let Some(found) = self.again(&case) else { continue };
                if found.like(&difference) {
                    if let Difference::Output { to, .. } = found {
                        case.shots.truncate(to);
                    }
                    (best, difference) = (case, found);
                    continue 'smaller;
                }
            }
            break;
        }
        Some((best, difference))
    }

    /// Whether a case shows a difference, frame by frame.
    fn again(&mut self, case: &Case) -> Option<Difference> {
        self.run(case, 1).ok().flatten()
    }
}

/// The burst that a run uses unless it is told otherwise.
pub(crate) fn burst() -> usize {
    BURST
}

/// A report that says everything one needs to do it again by hand.
pub(crate) fn report(case: &Case, difference: &Difference, names: (&str, &str)) -> String {
    let mut text = String::new();
    for group in &case.groups {
        let _ = writeln!(text, "  group   {}", group.text());
    }
    for flow in &case.flows {
        let _ = writeln!(text, "  flow    {}", flow.text());
    }
    match difference {
        Difference::Tables(said) => {
            for line in said.lines() {
                let _ = writeln!(text, "  {line}");
            }
        }
        Difference::Output { from, to, ours, theirs } => {
            for shot in &case.shots[..*to] {
                let _ =
                    writeln!(text, "  packet  to port {}: {}", port(shot.port), hex(&shot.frame));
            }
            let _ = (from, writeln!(text));
            for (name, mine, other) in [(names.0, ours, theirs), (names.1, theirs, ours)] {
                if mine.is_empty() {
                    let _ = writeln!(text, "  {name}: nothing leaves");
                }
                for (p, frame) in mine {
                    let same =
                        if other.contains(&(*p, frame.clone())) { " (as the other)" } else { "" };
                    let _ = writeln!(text, "  {name}: port {}: {}{same}", port(*p), hex(frame));
                }
            }
        }
    }
    text
}

fn port(n: usize) -> String {
    if n == LOCAL { "LOCAL".into() } else { n.to_string() }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
