//! Stories of compression: what goes in comes out, and what is hostile does not.

use super::*;
use proptest::prelude::*;

const LIMIT: usize = 100_000;

/// The payload of the one frame that `payload` becomes, and whether it is compressed.
fn deflated(payload: &[u8]) -> (bool, Vec<u8>) {
    let mut frame = Vec::new();
    Deflater::default().append(&mut frame, Opcode::Binary, payload);
    let head = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    (frame[0] == 0xc2, frame[head..].to_vec())
}

#[test]
fn the_examples_of_the_rfc_are_read() {
    let mut inflater = Inflater::default();
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(inflater.message(&hello, 5), Ok(&b"Hello"[..]), "§7.2.3.1");
    let stored = [0, 5, 0, 0xfa, 0xff, b'H', b'e', b'l', b'l', b'o', 0];
    assert_eq!(inflater.message(&stored, 5), Ok(&b"Hello"[..]), "§7.2.3.3");
    let r#final = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    assert_eq!(inflater.message(&r#final, 5), Ok(&b"Hello"[..]), "§7.2.3.4");
    let two = [0xf2, 0x48, 5, 0, 0, 0, 0xff, 0xff, 0xca, 0xc9, 0xc9, 7, 0];
    assert_eq!(inflater.message(&two, 5), Ok(&b"Hello"[..]), "§7.2.3.5");
    assert_eq!(inflater.message(&[0], 5), Ok(&b""[..]), "§7.2.3.6");
}

#[test]
fn what_does_not_get_smaller_is_sent_as_it_is() {
    // Every byte once, in an order without repeated steps of three.
    let noise: Vec<u8> = (0..=255u8).map(|byte| byte.wrapping_mul(167)).collect();
    assert_eq!(deflated(&noise), (false, noise));
    assert_eq!(deflated(b""), (false, Vec::new()));
    assert!(deflated(&[b'a'; 500]).0);
}

#[test]
fn a_bomb_is_stopped_at_the_limit() {
    let (is_deflated, bomb) = deflated(&vec![0; 50_000_000]);
    assert!(is_deflated && bomb.len() < LIMIT);
    let mut inflater = Inflater::default();
    assert_eq!(inflater.message(&bomb, LIMIT), Err(Violation::TooBig));
    assert!(inflater.out.capacity() <= LIMIT + 1);
    inflater.release();
    assert!(inflater.out.capacity() <= KEPT);
    let (_, fits) = deflated(&vec![7; LIMIT]);
    assert_eq!(inflater.message(&fits, LIMIT), Ok(&vec![7; LIMIT][..]));
    assert_eq!(inflater.message(&fits, LIMIT - 1), Err(Violation::TooBig));
}

#[test]
fn one_message_cannot_refer_to_another() {
    let mut inflater = Inflater::default();
    let (_, secret) = deflated(&b"the secret of another user ".repeat(20));
    inflater.message(&secret, LIMIT).unwrap();
    // Bent so that some of its references point to before its own beginning.
    let (_, run) = deflated(&[b'x'; 300]);
    for from in 0..run.len() {
        let mut bent = run.clone();
        bent[from] ^= 0x55;
        if let Ok(text) = inflater.message(&bent, LIMIT) {
            assert!(!text.windows(6).any(|part| part == b"secret"));
        }
        inflater.message(&secret, LIMIT).unwrap();
    }
}

/// A frame's message, inflated.
fn read(frame: &[u8]) -> Vec<u8> {
    assert_eq!(frame[0], 0xc1);
    let head = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    let mut inflater = Inflater::default();
    inflater.message(&frame[head..], LIMIT).unwrap().to_vec()
}

#[test]
fn a_shared_message_that_would_be_no_smaller_is_not_made() {
    let mut deflater = Deflater::default();
    assert!(deflater.shared(br#"{"event":"chat1"}"#).is_none());
    assert!(deflater.shared(b"").is_none());
    assert!(deflater.shared(&[b'a'; 500]).is_none(), "no object");
    let object = [&[b'a'; 500][..], b"}"].concat();
    let shared = deflater.shared(&object).unwrap();
    assert!(shared.frame().len() < 30, "{} bytes", shared.frame().len());
    assert!(shared.ending(&[b'x'; 65_536]).is_none());
}

#[test]
fn large_endings_share_what_was_compressed() {
    let mut seed = 7u32;
    let digits = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"0123456789abcdef"[(seed >> 28) as usize]
    });
    let text: Vec<u8> = digits.take(60_000).collect();
    let shared = Deflater::default().shared(&[&text[..], b"}"].concat());
    let shared = shared.unwrap();
    let frame = shared.ending(b"!}").unwrap();
    assert!(frame.own_len() < 20 && frame.whole().is_none());
    let pieces: Vec<_> = frame.pieces().map(|piece| &piece.bytes[..]).collect();
    assert_eq!(read(&pieces.concat()), [&text[..], b"!}"].concat());
}

proptest! {
    #[test]
    fn a_message_compressed_once_may_end_in_many_ways(
        text in proptest::collection::vec(0u8..4, 0..5000),
        ends in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..4),
    ) {
        let object = [&text[..], b"}"].concat();
        let mut deflater = Deflater::default();
        if let Some(shared) = deflater.shared(&object) {
            prop_assert_eq!(read(shared.frame()), &object[..]);
            for end in ends {
                let frame = shared.ending(&end).unwrap();
                let frame = frame.whole().unwrap();
                prop_assert!(frame.len() < text.len() + end.len() + 10);
                prop_assert_eq!(read(frame), [&text[..], &end[..]].concat());
            }
        } else {
            prop_assert!(object.len() < 60);
        }
    }

    #[test]
    fn what_goes_in_comes_out(payload in proptest::collection::vec(0u8..4, 0..5000)) {
        let (is_deflated, body) = deflated(&payload);
        let mut inflater = Inflater::default();
        let out = if is_deflated { inflater.message(&body, LIMIT).unwrap() } else { &body };
        prop_assert_eq!(out, &payload[..]);
    }

    #[test]
    fn no_bytes_panic_or_grow(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut inflater = Inflater::default();
        let _ = inflater.message(&bytes, 1000);
        prop_assert!(inflater.out.capacity() <= FIRST_PIECE.max(1001));
    }
}
