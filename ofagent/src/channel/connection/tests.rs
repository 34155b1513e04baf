//! Hello matrix, garbage, bytes one by one, probes.

use super::*;

const PROBE: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(10);

fn message(version: u8, kind: u8, xid: u32, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    append(&mut out, version, kind, xid, &[body]);
    out
}

fn bitmap(versions: &[u8]) -> Vec<u8> {
    let bits: u32 = versions.iter().map(|v| 1 << v).sum();
    [&[0, 1, 0, 8], bits.to_be_bytes().as_slice()].concat()
}

fn new() -> (Connection, Instant) {
    let now = Instant::now();
    let mut connection = Connection::new(Versions::CONTROLLER, PROBE, PATIENCE, now);
    assert_eq!(
        *connection.output(),
        [4, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 0, 0x10],
        "our hello, with a bitmap of 1.3"
    );
    connection.output().clear();
    (connection, now)
}

fn ready() -> (Connection, Instant) {
    let (mut connection, now) = new();
    connection.received(&message(4, 0, 9, &bitmap(&[4])), now);
    assert_eq!(connection.next_event(), Ok(Some(Event::Ready)));
    assert_eq!(connection.next_event(), Ok(None));
    (connection, now)
}

#[test]
fn version_negotiation() {
    let junk = [0, 7, 0, 6, 1, 2, 0, 0];
    let zero_length = [0, 1, 0, 0, 0, 0, 0, 0x10];
    for (version, body, agreed) in [
        (1, Vec::new(), false),
        (2, Vec::new(), false),
        (3, Vec::new(), false),
        (4, Vec::new(), true),
        (5, Vec::new(), true),
        (6, Vec::new(), true),
        (255, Vec::new(), true),
        (0, Vec::new(), false),
        (1, bitmap(&[1]), false),
        (4, bitmap(&[4]), true),
        (4, bitmap(&[1, 4]), true),
        (4, bitmap(&[1]), false),
        (6, bitmap(&[1, 2, 3, 4, 5, 6]), true),
        (6, bitmap(&[1, 4, 6]), true),
        (6, bitmap(&[1, 3, 5, 6]), false),
        (5, bitmap(&[5]), false),
        (6, bitmap(&[]), false),
        // The bitmap says it, whatever the header.
        (1, bitmap(&[1, 4]), true),
        // Elements that nobody knows, and a body that has no meaning.
        (6, [junk.to_vec(), bitmap(&[4, 6])].concat(), true),
        (6, [junk.to_vec(), bitmap(&[6])].concat(), false),
        (4, zero_length.to_vec(), true),
        (4, vec![0, 1, 0], true),
        (1, vec![0xff; 40], false),
    ] {
        let (mut connection, now) = new();
        connection.received(&message(version, 0, 7, &body), now);
        let result = connection.next_event().map(|e| e.is_some());
        assert_eq!(result == Ok(true), agreed, "{version} {body:?}: {result:?}");
        assert_eq!(connection.version().is_some(), agreed);
        let out = connection.output();
        if agreed {
            assert!(out.is_empty());
        } else {
            assert!(matches!(result, Err(Close::Incompatible(_))));
            assert_eq!(out[..2], [version.clamp(1, 4), 1], "an error it can read");
            assert_eq!(out[4..12], [0, 0, 0, 7, 0, 0, 0, 0], "its xid; HELLO_FAILED, INCOMPATIBLE");
            assert!(String::from_utf8_lossy(&out[12..]).contains("OpenFlow 1.3"));
        }
    }
}

#[test]
fn only_a_hello_may_come_first() {
    let (mut connection, now) = new();
    connection.received(&message(4, 2, 7, b"x"), now);
    assert_eq!(connection.next_event(), Err(Close::NoHello(2)));
    assert_eq!(connection.output()[8..12], [0, 0, 0, 0]);
    let (mut connection, now) = new();
    connection.received(&message(1, 1, 1, b"\0\0\0\0only 1.0 here\n"), now);
    assert_eq!(connection.next_event(), Err(Close::Refused("only 1.0 here".into())));
    assert!(connection.output().is_empty(), "an error is not answered");
}

#[test]
fn bytes_come_as_they_like() {
    let (mut connection, now) = new();
    let mut bytes = message(4, 0, 1, &[]);
    bytes.extend(message(4, 2, 5, b"ping"));
    bytes.extend(message(4, 14, 6, &[0xaa; 48]));
    bytes.extend(message(4, 20, 7, &[]));
    let mut seen = Vec::new();
    for byte in bytes {
        connection.received(&[byte], now);
        while let Some(event) = connection.next_event().expect("valid") {
            match event {
                Event::Ready => seen.push((0, 0)),
                Event::Message(m) => seen.push((m[1], m.len())),
            }
        }
    }
    assert_eq!(seen, [(0, 0), (14, 56), (20, 8)]);
    assert_eq!(*connection.output(), message(4, 3, 5, b"ping"), "the echo's answer");
}

#[test]
fn other_versions_get_an_error_and_the_connection_lives_on() {
    let (mut connection, now) = ready();
    let wrong = message(1, 14, 42, &[7; 100]);
    connection.received(&wrong, now);
    connection.received(&message(6, 0, 43, &[]), now);
    connection.received(&message(4, 18, 44, &[]), now);
    let expected = message(4, 18, 44, &[]);
    assert_eq!(connection.next_event(), Ok(Some(Event::Message(&expected))));
    let error = message(4, 1, 42, &[&[0, 1, 0, 0], &wrong[..64]].concat());
    assert_eq!(*connection.output(), error, "BAD_REQUEST, BAD_VERSION, 64 bytes of it");
}

#[test]
fn lost_framing_ends_it_and_nothing_panics() {
    let (mut connection, now) = ready();
    connection.received(&[4, 5, 0, 7, 0, 0, 0, 0], now);
    assert_eq!(connection.next_event(), Err(Close::Framing(7)));
    let mut seed = 1_u32;
    for _ in 0..2000 {
        let (mut connection, now) = if seed & 1 == 0 { new() } else { ready() };
        let mut bytes = Vec::new();
        for _ in 0..40 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [a, b, c, d] = seed.to_be_bytes();
            bytes.extend_from_slice(&[a & 7, b & 31, 0, c & 31, d]);
        }
        connection.received(&bytes, now);
        while let Ok(Some(_)) = connection.next_event() {}
        assert!(connection.output().len() <= 40 * 80, "answers in proportion");
    }
}

#[test]
fn many_questions_at_once_are_answered_bit_by_bit() {
    let (mut connection, now) = ready();
    let one = message(4, 2, 5, &[0; 1000]);
    connection.received(&one.repeat(200), now);
    let mut answered = 0;
    loop {
        assert_eq!(connection.next_event(), Ok(None));
        let n = connection.output().len();
        assert!(n <= ENOUGH + one.len());
        if n == 0 {
            break;
        }
        answered += n / one.len();
        connection.output().clear();
    }
    assert_eq!(answered, 200);
}

#[test]
fn probes() {
    let (mut connection, start) = ready();
    let at = |s: u64| start + Duration::from_secs(s);
    assert_eq!(connection.deadline(), Some(at(5)));
    assert_eq!(connection.tick(at(4)), Ok(()));
    assert!(connection.output().is_empty());
    assert_eq!(connection.tick(at(5)), Ok(()));
    assert_eq!(*connection.output(), message(4, 2, 2, &[]), "an echo request");
    connection.output().clear();
    assert_eq!(connection.tick(at(9)), Ok(()));
    assert!(connection.output().is_empty(), "one is enough");
    connection.received(&message(4, 3, 2, &[]), at(9));
    assert_eq!(connection.next_event(), Ok(None), "the answer is nobody else's business");
    assert_eq!(connection.deadline(), Some(at(14)));
    assert_eq!(connection.tick(at(30)), Ok(()), "the loop was late: the peer still has its time");
    assert_eq!(connection.tick(at(34)), Ok(()));
    assert_eq!(connection.deadline(), Some(at(35)));
    assert_eq!(connection.tick(at(35)), Err(Close::Silent(PROBE)));
}

#[test]
fn silence_before_the_hello() {
    let (mut connection, start) = new();
    assert_eq!(connection.deadline(), Some(start + PATIENCE));
    assert_eq!(connection.tick(start + PATIENCE - PROBE), Ok(()));
    assert!(connection.output().is_empty(), "no probes yet");
    // One byte now and then does not keep a place for ever.
    connection.received(&[4], start + PROBE);
    assert_eq!(connection.tick(start + PATIENCE), Err(Close::Timeout(PATIENCE)));
}

#[test]
fn no_probes_and_no_blame_where_it_is_not_read_from() {
    let now = Instant::now();
    let mut connection = Connection::new(Versions::CONTROLLER, Duration::ZERO, PATIENCE, now);
    connection.received(&message(4, 0, 1, &[]), now);
    assert_eq!(connection.next_event(), Ok(Some(Event::Ready)));
    assert_eq!(connection.deadline(), None);
    assert_eq!(connection.tick(now + PATIENCE * 1000), Ok(()));
    let (mut connection, start) = ready();
    connection.excuse(start + PROBE * 4);
    assert_eq!(connection.tick(start + PROBE * 4), Ok(()));
    assert!(connection.output().is_empty());
}

#[test]
fn tools_may_speak_the_old_version() {
    for (version, body, agreed) in [
        (1, Vec::new(), Some(1)),
        (2, Vec::new(), Some(1)),
        (4, Vec::new(), Some(4)),
        (6, bitmap(&[1, 2, 3, 4, 5, 6]), Some(4)),
        (6, bitmap(&[1, 5, 6]), Some(1)),
        (5, bitmap(&[2, 3, 5]), None),
    ] {
        let now = Instant::now();
        let mut connection = Connection::new(Versions::TOOL, Duration::ZERO, PATIENCE, now);
        assert_eq!(connection.output()[15], 0x12, "a bitmap of both");
        connection.received(&message(version, 0, 7, &body), now);
        assert_eq!(connection.next_event().is_ok(), agreed.is_some());
        assert_eq!(connection.version(), agreed);
        let Some(agreed) = agreed else { continue };
        connection.output().clear();
        connection.received(&message(agreed, 2, 8, b"x"), now);
        connection.received(&message(agreed ^ 5, 5, 9, b""), now);
        assert_eq!(connection.next_event(), Ok(None));
        let out = connection.output();
        assert_eq!(out[..9], [agreed, 3, 0, 9, 0, 0, 0, 8, b'x'], "an echo reply");
        assert_eq!(out[9..21], [agreed, 1, 0, 20, 0, 0, 0, 9, 0, 1, 0, 0], "BAD_VERSION");
    }
}
