//! What leaves, on a socket with little room.

use super::*;
use proptest::prelude::*;

/// A socket with room for so many bytes.
struct Pipe {
    room: usize,
    received: Vec<u8>,
    calls: usize,
}

impl Write for &mut Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.calls += 1;
        let all: Vec<u8> = slices
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect();
        let taken = all.len().min(self.room);
        if taken == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.room -= taken;
        self.received.extend_from_slice(&all[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn pipe(room: usize) -> Pipe {
    Pipe {
        room,
        received: Vec::new(),
        calls: 0,
    }
}

fn frames(texts: &[&'static str]) -> Vec<Bytes> {
    texts
        .iter()
        .map(|text| Bytes::from_static(text.as_bytes()))
        .collect()
}

#[test]
fn a_willing_socket_gets_many_frames_in_one_call_and_no_queue_is_made() {
    let (mut queue, mut pipe) = (None, pipe(1000));
    let frames = frames(&["one", "two", "three"]);
    let sent = Outbound::send(
        &mut queue,
        &mut pipe,
        &frames.iter().collect::<Vec<_>>(),
        100,
    )
    .unwrap();
    assert_eq!(
        (sent, pipe.calls, queue.is_none()),
        (Sent::Through, 1, true)
    );
    assert_eq!(pipe.received, b"onetwothree");
}

#[test]
fn a_full_socket_fills_the_queue_up_to_its_bound() {
    let (mut queue, mut pipe) = (None, pipe(4));
    let [long, short] = &frames(&["0123456789", "abc"])[..] else {
        unreachable!()
    };
    assert_eq!(
        Outbound::send(&mut queue, &mut pipe, &[long], 10).unwrap(),
        Sent::Queued
    );
    assert_eq!(
        Outbound::send(&mut queue, &mut pipe, &[short], 10).unwrap(),
        Sent::Queued
    );
    assert_eq!(
        Outbound::send(&mut queue, &mut pipe, &[short], 10).unwrap(),
        Sent::TooMuch
    );
    pipe.room = 100;
    assert!(Outbound::flush(&mut queue, &mut pipe).unwrap());
    assert!(queue.is_none());
    assert_eq!(pipe.received, b"0123456789abc");
}

#[test]
fn giving_up_finishes_the_frame_on_the_wire() {
    let (mut queue, mut pipe) = (None, pipe(4));
    let list = frames(&["0123456789", "abc", "def"]);
    Outbound::send(&mut queue, &mut pipe, &list.iter().collect::<Vec<_>>(), 100).unwrap();
    Outbound::replace(&mut queue, Bytes::from_static(b"CLOSE"));
    pipe.room = 100;
    Outbound::flush(&mut queue, &mut pipe).unwrap();
    assert_eq!(pipe.received, b"0123456789CLOSE");

    let (mut queue, mut pipe) = (None, self::pipe(0));
    Outbound::send(&mut queue, &mut pipe, &list.iter().collect::<Vec<_>>(), 100).unwrap();
    Outbound::replace(&mut queue, Bytes::from_static(b"CLOSE"));
    pipe.room = 100;
    Outbound::flush(&mut queue, &mut pipe).unwrap();
    assert_eq!(pipe.received, b"CLOSE", "nothing had begun");
}

#[test]
fn giving_up_finishes_a_frame_of_several_pieces() {
    let list = frames(&["abc", "head", "shared", "end", "def"]);
    let pieces: Vec<_> = list
        .iter()
        .map(|bytes| Piece {
            bytes,
            goes_on: [&list[1], &list[2]].contains(&bytes),
        })
        .collect();
    for (room, received) in [
        (0, "CLOSE"),
        (2, "abcCLOSE"),
        (3, "abcCLOSE"),
        (5, "abcheadsharedendCLOSE"),
        (7, "abcheadsharedendCLOSE"),
        (13, "abcheadsharedendCLOSE"),
        (14, "abcheadsharedendCLOSE"),
        (16, "abcheadsharedendCLOSE"),
        (17, "abcheadsharedenddefCLOSE"),
    ] {
        let (mut queue, mut pipe) = (None, pipe(room));
        Outbound::send(&mut queue, &mut pipe, &pieces, 100).unwrap();
        Outbound::replace(&mut queue, Bytes::from_static(b"CLOSE"));
        pipe.room = 100;
        Outbound::flush(&mut queue, &mut pipe).unwrap();
        let text = String::from_utf8_lossy(&pipe.received);
        assert_eq!(text, received, "room for {room}");
    }

    // One frame goes also over the bound, in however many pieces.
    for (count, sent) in [(3, Sent::Queued), (4, Sent::TooMuch)] {
        let (mut queue, mut pipe) = (None, pipe(1));
        let some = &pieces[1..=count];
        assert_eq!(
            Outbound::send(&mut queue, &mut pipe, some, 5).unwrap(),
            sent
        );
    }
}

/// The socket takes what one call may carry, and not a byte more: the frame has begun all the same.
#[test]
fn a_frame_that_goes_on_beyond_one_call_has_begun() {
    let list: Vec<Bytes> = (0..=MAX_SLICES).map(|_| Bytes::from_static(b"x")).collect();
    let piece = |(n, bytes)| Piece {
        bytes,
        goes_on: n == MAX_SLICES - 1,
    };
    let pieces: Vec<_> = list.iter().enumerate().map(piece).collect();
    let (mut queue, mut pipe) = (None, pipe(MAX_SLICES));
    Outbound::send(&mut queue, &mut pipe, &pieces, 1_000).unwrap();
    Outbound::replace(&mut queue, Bytes::from_static(b"CLOSE"));
    pipe.room = 100;
    Outbound::flush(&mut queue, &mut pipe).unwrap();
    assert_eq!(
        pipe.received,
        ["x".repeat(MAX_SLICES + 1), "CLOSE".into()]
            .concat()
            .as_bytes()
    );
}

proptest! {
    #[test]
    fn every_byte_leaves_once_and_in_order(
        steps in proptest::collection::vec((0usize..40, proptest::collection::vec(1usize..30, 0..90)), 1..20),
    ) {
        let (mut queue, mut pipe) = (None, pipe(0));
        let mut expected = Vec::new();
        let mut next = 0u8;
        for (room, lengths) in steps {
            pipe.room += room;
            Outbound::flush(&mut queue, &mut pipe).unwrap();
            let frames: Vec<Bytes> = lengths.iter().map(|length| {
                next = next.wrapping_add(1);
                Bytes::from(vec![next; *length])
            }).collect();
            expected.extend(frames.iter().flat_map(|frame| frame.iter().copied()));
            if frames.len().is_multiple_of(2) {
                Outbound::send(&mut queue, &mut pipe, &frames.iter().collect::<Vec<_>>(), usize::MAX).unwrap();
            } else {
                Outbound::send_own(&mut queue, &mut pipe, &frames.concat(), usize::MAX).unwrap();
            }
            let waiting = queue.as_ref().map_or(0, |queue| queue.bytes);
            prop_assert_eq!(pipe.received.len() + waiting, expected.len());
        }
        pipe.room = usize::MAX;
        prop_assert!(Outbound::flush(&mut queue, &mut pipe).unwrap());
        prop_assert_eq!(pipe.received, expected);
    }
}
