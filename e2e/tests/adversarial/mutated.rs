//! A hundred thousand random and mutated frames: those that are framed well harm nothing, the others end their own
//! connection with a documented code.

use std::collections::BTreeMap;
use std::net::Shutdown;
use std::time::Duration;

use heartline_e2e::{Peer, Rng, Seen, Server, Stage, frame_bytes, frame_head, token_for};

use crate::witness::{Before, Witness};

const FRAMES: usize = 100_000;
/// Codes that a peer may be told for what it sends (docs/protocol.md, close codes).
const DOCUMENTED: [u16; 5] = [1000, 1002, 1007, 1009, 4003];

#[test]
fn a_hundred_thousand_random_and_mutated_frames_harm_nobody_else() {
    let stage = Stage::alone();
    let server = stage.server(&[]);
    let before = Before::of(&server);
    let witness = Witness::start(&server);
    let mut rng = Rng::announced(20_261_123);
    let mut sent = 0;
    let mut ends = BTreeMap::new();
    while sent < FRAMES {
        sent += one_connection(&server, &mut rng, &mut ends);
    }
    println!("{sent} frames; connections ended with {ends:?} (0: no code)");
    for code in [1002, 1007, 1009] {
        assert!(ends.contains_key(&code), "no offender met {code}: {ends:?}");
    }
    witness.finish();
    before.expect_calm(&server, Duration::from_secs(10));
}

/// Well-framed nonsense first, which the connection must survive; then one frame of any bytes, and the end.
fn one_connection(server: &Server, rng: &mut Rng, ends: &mut BTreeMap<u16, usize>) -> usize {
    let mut peer = server.peer();
    let harmless = 1 + rng.below(60);
    let mut bytes = Vec::new();
    for _ in 0..harmless {
        bytes.extend(well_framed_nonsense(rng));
    }
    bytes.extend(frame_bytes(
        true,
        1,
        Some([7; 4]),
        br#"{"event":"ping","uuid":"alive?"}"#,
    ));
    peer.send_raw(bytes);
    expect_alive(&mut peer);

    let end = any_bytes(rng);
    peer.send_raw(&end);
    let _ = peer.stream().shutdown(Shutdown::Write);
    let mut code = 0;
    loop {
        match peer.see() {
            Seen::Close(seen, _) => {
                // A close frame that is one by chance is answered with its own code, or with none.
                let echo = end.first().is_some_and(|first| first & 0x0f == 8);
                let documented = DOCUMENTED.contains(&seen);
                assert!(documented || echo, "code {seen} for {end:02x?}");
                code = seen;
            }
            Seen::End => break,
            Seen::Nothing => {
                panic!("the server keeps a connection that has ended; last frame {end:02x?}")
            }
            Seen::Text(_) | Seen::Pong(_) => {}
            other => panic!("saw {other:?} after {end:02x?}"),
        }
    }
    *ends.entry(code).or_default() += 1;
    harmless + 2
}

/// Passes over the answers to what the nonsense happened to mean, up to the answer that shows the line alive.
fn expect_alive(peer: &mut Peer) {
    loop {
        match peer.see() {
            Seen::Text(text) if text.starts_with(r#"{"type":"respon","event":"alive?""#) => return,
            Seen::Text(_) | Seen::Pong(_) => {}
            other => panic!("harmless frames ended the line: {other:?}"),
        }
    }
}

/// One frame, or one fragmented message, that RFC 6455 allows; its content is a mutated classic message.
fn well_framed_nonsense(rng: &mut Rng) -> Vec<u8> {
    let mask = Some(
        rng.next_u64().to_be_bytes()[..4]
            .try_into()
            .expect("four bytes"),
    );
    let mut text = template(rng);
    match rng.below(6) {
        0 => mutate_bytes(&mut text, rng, |rng| rng.next_u64() as u8),
        1 => text.truncate(rng.below(text.len() + 1)),
        2 => text = rng.bytes(text.len()),
        3 => {
            let again = text.clone();
            text.extend(again);
        }
        // Bytes that mean something in JSON: the near misses are the interesting ones.
        _ => mutate_bytes(&mut text, rng, |rng| {
            br#"{}[]",:\0123456789eE+-.utfn"#[rng.below(27)]
        }),
    }
    // Any bytes are allowed in a binary frame; a text frame must be UTF-8.
    let opcode = if std::str::from_utf8(&text).is_ok() {
        1 + rng.below(2) as u8
    } else {
        2
    };
    match rng.below(5) {
        0 => {
            let at = rng.below(text.len() + 1);
            [
                frame_bytes(false, opcode, mask, &text[..at]),
                frame_bytes(true, 9, mask, b"between"),
                frame_bytes(true, 0, mask, &text[at..]),
            ]
            .concat()
        }
        1 => frame_bytes(
            true,
            9 + rng.below(2) as u8,
            mask,
            &text[..text.len().min(125)],
        ),
        _ => frame_bytes(true, opcode, mask, &text),
    }
}

/// Anything at all, most of it wrong.
fn any_bytes(rng: &mut Rng) -> Vec<u8> {
    let len = rng.below(80);
    match rng.below(6) {
        0 => rng.bytes(len),
        1 => {
            let mut bytes = well_framed_nonsense(rng);
            let at = rng.below(bytes.len().min(6));
            bytes[at] = rng.next_u64() as u8;
            bytes
        }
        2 => {
            let declared = rng.next_u64() >> rng.below(64);
            let first = if rng.one_in(2) {
                [0x81, 0x82, 0x01, 0x02][rng.below(4)]
            } else {
                rng.next_u64() as u8
            };
            frame_head(first, Some([1, 2, 3, 4]), declared)
        }
        3 => frame_bytes(true, 1, Some([1, 2, 3, 4]), &rng.bytes(len)),
        4 => frame_bytes(rng.one_in(2), rng.below(16) as u8, None, &rng.bytes(len)),
        _ => {
            let first = rng.next_u64() as u8;
            [frame_head(first, Some([0; 4]), len as u64), rng.bytes(len)].concat()
        }
    }
}

fn template(rng: &mut Rng) -> Vec<u8> {
    let token = token_for("user:6");
    match rng.below(6) {
        0 => format!(
            r#"{{"event":"login","data":{{"u":"user:6","token":"{token}"}},"uuid":1700000000001}}"#
        ),
        1 => r#"{"event":"ping","data":{},"uuid":"x\u4e2d"}"#.to_owned(),
        2 => r#"{"event":"response","uuid":[1.10,{"a":null}]}"#.to_owned(),
        3 => {
            r#"{"event":"chat","data":{"to":"中文","n":-1.5e+10},"uuid":{"a":[[[[]]]]}}"#.to_owned()
        }
        4 => format!(
            "{{\"event\":\"ping\",\"uuid\":{}}}",
            "[".repeat(rng.below(3_000))
        ),
        _ => "{\"event\":\"ping\",\"event\":\"login\",\"data\":true}".to_owned(),
    }
    .into_bytes()
}

fn mutate_bytes(bytes: &mut [u8], rng: &mut Rng, replacement: impl Fn(&mut Rng) -> u8) {
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len());
        bytes[at] = replacement(rng);
    }
}

/// The same words reach the parser however the network cuts them.
#[test]
fn frames_cut_anywhere_by_the_network_are_the_same_frames() {
    let stage = Stage::alone();
    let server = stage.server(&[]);
    let mut rng = Rng::announced(7);
    let mut peers: Vec<Peer> = (0..20).map(|_| server.peer()).collect();
    for (at, peer) in peers.iter_mut().enumerate() {
        let mut bytes = Vec::new();
        for number in 0..30 {
            let text = format!(
                r#"{{"event":"ping","data":"{}","uuid":{number}}}"#,
                "p".repeat(number * at)
            );
            bytes.extend(frame_bytes(
                true,
                1,
                Some([at as u8, 2, 3, 4]),
                text.as_bytes(),
            ));
        }
        while !bytes.is_empty() {
            let rest = bytes.split_off((1 + rng.below(300)).min(bytes.len()));
            peer.send_raw(&bytes);
            bytes = rest;
        }
    }
    for peer in &mut peers {
        for number in 0..30 {
            assert_eq!(peer.reply_to(&number.to_string()).0, 1);
        }
    }
}
