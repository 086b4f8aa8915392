//! Stories of the decoder: each stream is fed whole, byte by byte and in odd pieces, with the same outcome.

use super::*;
use proptest::prelude::*;

const LIMIT: usize = 1000;
const MASK: [u8; 4] = [0x11, 0xa2, 0x33, 0xc4];

/// One masked frame, with any first byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        length @ 0..=125 => out.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            out.push(0xfe);
            out.extend((length as u16).to_be_bytes());
        }
        length => {
            out.push(0xff);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend(MASK);
    out.extend(
        payload
            .iter()
            .enumerate()
            .map(|(at, byte)| byte ^ MASK[at % 4]),
    );
    out
}

/// What a stream decodes to, one line per message, the violation last.
fn outcome(stream: &[u8], piece: usize) -> Vec<String> {
    outcome_with(stream, piece, None)
}

fn outcome_with(stream: &[u8], piece: usize, mut inflater: Option<&mut Inflater>) -> Vec<String> {
    let mut decoder = Decoder::default();
    let mut lines = Vec::new();
    for chunk in stream.chunks(piece) {
        let mut chunk = chunk.to_vec();
        let fed = decoder.feed(&mut chunk, LIMIT, inflater.as_deref_mut(), |message| {
            lines.push(match message {
                Message::Fragment => return ControlFlow::Continue(()),
                Message::Text(text) => format!("text {text}"),
                Message::Binary(bytes) => format!("binary {bytes:?}"),
                Message::Ping(bytes) => format!("ping {bytes:?}"),
                Message::Pong(bytes) => format!("pong {bytes:?}"),
                Message::Close(code) => format!("close {code:?}"),
            });
            ControlFlow::Continue(())
        });
        if let Err(violation) = fed {
            lines.push(format!("{violation:?}"));
            return lines;
        }
    }
    if !decoder.is_idle() {
        lines.push("(incomplete)".to_owned());
    }
    lines
}

#[track_caller]
fn check(frames: &[Vec<u8>], expected: &[&str]) {
    let stream = frames.concat();
    for piece in [stream.len().max(1), 1, 2, 3, 7, 64] {
        assert_eq!(outcome(&stream, piece), expected, "in pieces of {piece}");
    }
}

#[test]
fn whole_messages_of_every_length_form() {
    check(
        &[frame(0x81, b"hi"), frame(0x81, b""), frame(0x82, &[0, 255])],
        &["text hi", "text ", "binary [0, 255]"],
    );
    let long = "x".repeat(300);
    check(&[frame(0x81, long.as_bytes())], &[&format!("text {long}")]);
}

#[test]
fn fragments_are_joined_and_control_frames_pass_between_them() {
    check(
        &[
            frame(0x01, b"a"),
            frame(0x89, b"!"),
            frame(0x00, b""),
            frame(0x8a, b""),
            frame(0x80, b"b"),
            frame(0x81, b"c"),
        ],
        &["ping [33]", "pong []", "text ab", "text c"],
    );
}

#[test]
fn a_character_may_be_cut_between_fragments() {
    let euro = "€".as_bytes();
    check(
        &[
            frame(0x01, &euro[..1]),
            frame(0x00, &euro[1..2]),
            frame(0x80, &euro[2..]),
        ],
        &["text €"],
    );
    check(
        &[frame(0x01, &euro[..1]), frame(0x80, b"x")],
        &["InvalidUtf8"],
    );
    check(
        &[frame(0x01, b"ok"), frame(0x80, &euro[..2])],
        &["InvalidUtf8"],
    );
}

#[test]
fn text_that_is_not_utf8_is_refused_before_its_end() {
    let mut bad = vec![b'x'; 500];
    bad[10] = 0xff;
    let stream = &frame(0x81, &bad)[..100];
    assert_eq!(outcome(stream, 1), ["InvalidUtf8"]);
    assert_eq!(outcome(stream, 100), ["InvalidUtf8"]);
    check(&[frame(0x81, &[0xed, 0xa0, 0x80])], &["InvalidUtf8"]);
}

#[test]
fn the_order_of_fragments_is_checked() {
    check(&[frame(0x80, b"x")], &["UnexpectedContinuation"]);
    check(&[frame(0x00, b"x")], &["UnexpectedContinuation"]);
    check(
        &[frame(0x01, b"x"), frame(0x81, b"y")],
        &["InterleavedMessage"],
    );
    check(
        &[frame(0x81, b"x"), frame(0x80, b"y")],
        &["text x", "UnexpectedContinuation"],
    );
}

#[test]
fn headers_that_break_the_protocol_end_it() {
    check(
        &[frame(0x81, b"x"), frame(0xc1, b"y")],
        &["text x", "ReservedBits"],
    );
    check(&[frame(0x83, b"")], &["ReservedOpcode"]);
    check(&[frame(0x8b, b"")], &["ReservedOpcode"]);
    check(&[frame(0x09, b"")], &["FragmentedControl"]);
    check(&[frame(0x89, &[0; 126])], &["LongControl"]);
    check(&[vec![0x81, 0x02, b'h', b'i']], &["Unmasked"]);
}

#[test]
fn too_much_is_refused_from_the_header_alone() {
    let declared = |first: u8, length: u64| {
        let mut header = vec![first, 0xff];
        header.extend(length.to_be_bytes());
        header.extend(MASK);
        header
    };
    check(&[declared(0x82, 100_000_000)], &["TooBig"]);
    check(&[declared(0x81, u64::MAX / 2)], &["TooBig"]);
    check(&[frame(0x02, &[1; 600]), declared(0x00, 401)], &["TooBig"]);
    check(
        &[frame(0x02, &[1; 600]), frame(0x80, &[1; 400])],
        &[&format!("binary {:?}", [1; 1000])],
    );
}

#[test]
fn a_close_frame_is_read_and_checked() {
    check(&[frame(0x88, &[])], &["close None"]);
    check(
        &[frame(0x88, &[3, 232, b'b', b'y', b'e'])],
        &["close Some(1000)"],
    );
    check(&[frame(0x88, &[3])], &["InvalidClose"]);
    check(&[frame(0x88, &[3, 237])], &["InvalidClose"]);
    check(&[frame(0x88, &[3, 232, 0xff])], &["InvalidUtf8"]);
}

#[test]
fn compressed_messages_are_inflated_where_that_was_negotiated() {
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let (head, tail) = hello.split_at(3);
    let stream = [
        frame(0xc1, &hello),
        frame(0x81, b"plain"),
        frame(0x41, head),
        frame(0x89, b"!"),
        frame(0x80, tail),
        frame(0x02, b"a"),
        frame(0x80, b"b"),
        frame(0xc2, &[0xff, 0xff]),
    ]
    .concat();
    let expected = [
        "text Hello",
        "text plain",
        "ping [33]",
        "text Hello",
        "binary [97, 98]",
        "InvalidDeflate",
    ];
    for piece in [stream.len(), 1, 2, 3, 7] {
        let mut inflater = Inflater::default();
        let seen = outcome_with(&stream, piece, Some(&mut inflater));
        assert_eq!(seen, expected, "in pieces of {piece}");
        assert_eq!(outcome(&stream, piece), ["ReservedBits"]);
    }
}

#[test]
fn inflated_text_is_checked_too() {
    let not_utf8 = [0, 1, 0, 0xfe, 0xff, 0xff, 0];
    for piece in [100, 1] {
        let mut inflater = Inflater::default();
        let seen = outcome_with(&frame(0xc1, &not_utf8), piece, Some(&mut inflater));
        assert_eq!(seen, ["InvalidUtf8"]);
    }
}

#[test]
fn nothing_is_decoded_after_a_break() {
    let mut decoder = Decoder::default();
    let mut stream = [frame(0x88, &[]), frame(0x81, b"late"), vec![0xff; 20]].concat();
    let mut seen = 0;
    let fed = decoder.feed(&mut stream, LIMIT, None, |_| {
        seen += 1;
        ControlFlow::Break(())
    });
    assert_eq!((fed, seen), (Ok(()), 1));
}

#[test]
fn a_million_empty_fragments_hold_nothing() {
    let mut decoder = Decoder::default();
    let mut first = frame(0x02, b"");
    decoder
        .feed(&mut first, LIMIT, None, |_| ControlFlow::Continue(()))
        .unwrap();
    for _ in 0..1000 {
        let mut more = frame(0x00, b"").repeat(1000);
        decoder
            .feed(&mut more, LIMIT, None, |_| ControlFlow::Continue(()))
            .unwrap();
    }
    let progress = decoder.progress.as_ref().unwrap();
    assert_eq!(
        (progress.message.capacity(), progress.control.capacity()),
        (0, 0)
    );
}

proptest! {
    #[test]
    fn the_cut_of_the_stream_does_not_matter(
        frames in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..200)), 0..8),
        piece in 1usize..50,
    ) {
        let stream: Vec<u8> = frames.iter().flat_map(|(first, payload)| frame(first & 0x8f, payload)).collect();
        prop_assert_eq!(outcome(&stream, stream.len().max(1)), outcome(&stream, piece));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), piece in 1usize..50) {
        outcome(&bytes, piece);
    }
}

#[test]
fn what_is_held_is_what_has_come_and_is_given_back() {
    let mut decoder = Decoder::default();
    let whole = frame(0x82, &[1; 900]);
    let (first, rest) = whole.split_at(500);
    decoder
        .feed(&mut first.to_vec(), LIMIT, None, |_| {
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!((490..1_500).contains(&decoder.held()), "{}", decoder.held());
    decoder
        .feed(&mut rest.to_vec(), LIMIT, None, |_| {
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(decoder.held(), 0);
}

#[test]
fn found_each_frame_is_seen_also_an_empty_one_that_completes_nothing() {
    let frames = [
        frame(0x01, b""),
        frame(0x00, b""),
        frame(0x00, b"{"),
        frame(0x89, b"between"),
        frame(0x00, b""),
        frame(0x80, b"}"),
        frame(0x81, b"{}"),
    ];
    let stream = frames.concat();
    for piece in [stream.len(), 1, 3] {
        let (mut decoder, mut seen, mut fragments) = (Decoder::default(), 0, 0);
        for chunk in stream.chunks(piece) {
            decoder
                .feed(&mut chunk.to_vec(), LIMIT, None, |message| {
                    seen += 1;
                    fragments += usize::from(message == Message::Fragment);
                    ControlFlow::Continue(())
                })
                .expect("all of it is allowed");
        }
        assert_eq!((seen, fragments), (frames.len(), 4), "in pieces of {piece}");
    }
}
