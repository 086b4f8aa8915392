//! The way out of one connection: straight into the socket while it takes the bytes, into a bounded queue when it
//! does not. While a connection keeps up, its queue does not exist.

use bytes::Bytes;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Write};

/// Bytes that a socket would not take. Exists only while there are some.
#[derive(Debug, Default)]
pub struct Outbound {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// The first frame is on the wire in part: it must be finished before anything else, or the stream is garbage.
    front_has_begun: bool,
}

/// What became of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// All is in the socket.
    Through,
    /// Something waits for the socket.
    Queued,
    /// The bound is reached; nothing of these frames was queued.
    TooMuch,
}

/// Frames that leave in one system call at most.
const MAX_SLICES: usize = 64;

impl Outbound {
    /// Sends `frames`, or queues what the socket does not take, up to `bound` bytes in all.
    ///
    /// # Errors
    /// The socket's, after which the connection is dead.
    pub fn send(
        queue: &mut Option<Box<Self>>,
        mut socket: impl Write,
        frames: &[&Bytes],
        bound: usize,
    ) -> io::Result<Sent> {
        if let Some(waiting) = queue {
            let added: usize = frames.iter().map(|frame| frame.len()).sum();
            if waiting.bytes + added > bound {
                return Ok(Sent::TooMuch);
            }
            waiting.bytes += added;
            waiting.frames.extend(frames.iter().copied().cloned());
            return Ok(Sent::Queued);
        }
        let mut rest = frames;
        while !rest.is_empty() {
            let batch = &rest[..rest.len().min(MAX_SLICES)];
            let size: usize = batch.iter().map(|frame| frame.len()).sum();
            let written = match batch {
                [one] => accepted(|| socket.write(one))?,
                _ => {
                    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
                    for (slice, frame) in slices.iter_mut().zip(batch) {
                        *slice = IoSlice::new(frame);
                    }
                    accepted(|| socket.write_vectored(&slices[..batch.len()]))?
                }
            };
            if written < size {
                let left = Self::after(rest.iter().copied().cloned(), written);
                // A single frame over the bound still goes: the bound is on what piles up behind it.
                let is_too_much = left.bytes > bound && left.frames.len() > 1;
                *queue = Some(Box::new(left));
                return Ok(if is_too_much {
                    Sent::TooMuch
                } else {
                    Sent::Queued
                });
            }
            rest = &rest[batch.len()..];
        }
        Ok(Sent::Through)
    }

    /// [`Self::send`] for bytes that are not shared: they are copied only if they have to wait.
    ///
    /// # Errors
    /// The socket's, after which the connection is dead.
    pub fn send_own(
        queue: &mut Option<Box<Self>>,
        mut socket: impl Write,
        bytes: &[u8],
        bound: usize,
    ) -> io::Result<Sent> {
        if queue.is_some() {
            return Self::send(queue, socket, &[&Bytes::copy_from_slice(bytes)], bound);
        }
        let written = accepted(|| socket.write(bytes))?;
        if written == bytes.len() {
            return Ok(Sent::Through);
        }
        let mut left = Self::after([Bytes::copy_from_slice(&bytes[written..])], 0);
        left.front_has_begun = written > 0;
        *queue = Some(Box::new(left));
        Ok(Sent::Queued)
    }

    /// Writes what waits; `true` when nothing does any more.
    ///
    /// # Errors
    /// The socket's, after which the connection is dead.
    pub fn flush(queue: &mut Option<Box<Self>>, mut socket: impl Write) -> io::Result<bool> {
        // Bounded by the queue's bytes: each round takes some out or ends.
        while let Some(waiting) = queue {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let mut count = 0;
            for (slice, frame) in slices.iter_mut().zip(&waiting.frames) {
                *slice = IoSlice::new(frame);
                count += 1;
            }
            let written = accepted(|| socket.write_vectored(&slices[..count]))?;
            if written == 0 {
                return Ok(false);
            }
            waiting.take_out(written);
            if waiting.frames.is_empty() {
                *queue = None;
            }
        }
        Ok(true)
    }

    /// Gives up all that waits, except the rest of a frame that is on the wire in part, and puts `last` behind it.
    pub fn replace(queue: &mut Option<Box<Self>>, last: Bytes) {
        if let Some(waiting) = queue {
            waiting
                .frames
                .truncate(usize::from(waiting.front_has_begun));
            waiting.frames.push_back(last);
            waiting.frames.shrink_to_fit();
            waiting.bytes = waiting.frames.iter().map(Bytes::len).sum();
        }
    }

    /// What is left of `frames` when `written` bytes of them are gone.
    fn after(frames: impl IntoIterator<Item = Bytes>, written: usize) -> Self {
        let frames: VecDeque<_> = frames.into_iter().collect();
        let bytes = frames.iter().map(Bytes::len).sum();
        let mut left = Self {
            frames,
            bytes,
            front_has_begun: false,
        };
        left.take_out(written);
        left
    }

    fn take_out(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(front) = self.frames.front_mut() {
            if front.len() > written {
                if written > 0 {
                    *front = front.slice(written..);
                    self.front_has_begun = true;
                }
                return;
            }
            written -= front.len();
            self.frames.pop_front();
            self.front_has_begun = false;
        }
    }
}

/// Bytes that the socket took; none when it would block.
fn accepted(mut write: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match write() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
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
}
