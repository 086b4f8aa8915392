//! The way out of one connection: straight into the socket while it takes the bytes, into a bounded queue when it
//! does not. While a connection keeps up, its queue does not exist.

use super::frame::Piece;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Write};

/// Bytes that a socket would not take. Exists only while there are some.
#[derive(Debug, Default)]
pub struct Outbound {
    pieces: VecDeque<Queued>,
    bytes: usize,
    /// The first frame is on the wire in part: it must be finished before anything else, or the stream is garbage.
    front_has_begun: bool,
}

/// A piece of a frame that waits.
#[derive(Debug)]
struct Queued {
    bytes: Bytes,
    /// The frame does not end here.
    goes_on: bool,
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

/// Pieces that leave in one system call at most.
const MAX_SLICES: usize = 64;

impl Outbound {
    /// Sends whole frames, each in one piece or in several, or queues what the socket does not take, up to `bound` bytes in all.
    ///
    /// # Errors
    /// The socket's, after which the connection is dead.
    pub fn send<'a, P: Copy + Into<Piece<'a>>>(
        queue: &mut Option<Box<Self>>,
        mut socket: impl Write,
        pieces: &[P],
        bound: usize,
    ) -> io::Result<Sent> {
        let size =
            |pieces: &[P]| -> usize { pieces.iter().map(|&piece| piece.into().bytes.len()).sum() };
        let queued = |&piece: &P| Queued::from(piece.into());
        if let Some(waiting) = queue {
            let added = size(pieces);
            if waiting.bytes + added > bound {
                return Ok(Sent::TooMuch);
            }
            waiting.bytes += added;
            waiting.pieces.extend(pieces.iter().map(queued));
            return Ok(Sent::Queued);
        }
        let mut rest = pieces;
        // The frame of the first piece of `rest` is on the wire in part.
        let mut has_begun = false;
        while !rest.is_empty() {
            let batch = &rest[..rest.len().min(MAX_SLICES)];
            let written = match batch {
                &[one] => accepted(|| socket.write(one.into().bytes))?,
                _ => {
                    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
                    for (slice, &piece) in slices.iter_mut().zip(batch) {
                        *slice = IoSlice::new(piece.into().bytes);
                    }
                    accepted(|| socket.write_vectored(&slices[..batch.len()]))?
                }
            };
            if written < size(batch) {
                let left = Self::after(rest.iter().map(queued), has_begun, written);
                // A single frame over the bound still goes: the bound is on what piles up behind it.
                let is_too_much = left.bytes > bound && left.frames() > 1;
                *queue = Some(Box::new(left));
                return Ok(if is_too_much {
                    Sent::TooMuch
                } else {
                    Sent::Queued
                });
            }
            has_begun = batch.last().is_some_and(|&piece| piece.into().goes_on);
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
        let rest = Bytes::copy_from_slice(&bytes[written..]);
        let left = Self::after([Queued::from(Piece::from(&rest))], written > 0, 0);
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
            for (slice, piece) in slices.iter_mut().zip(&waiting.pieces) {
                *slice = IoSlice::new(&piece.bytes);
                count += 1;
            }
            let written = accepted(|| socket.write_vectored(&slices[..count]))?;
            if written == 0 {
                return Ok(false);
            }
            waiting.take_out(written);
            if waiting.pieces.is_empty() {
                *queue = None;
            }
        }
        Ok(true)
    }

    /// Gives up all that waits, except the rest of a frame that is on the wire in part, and puts `last` behind it.
    pub fn replace(queue: &mut Option<Box<Self>>, last: Bytes) {
        if let Some(waiting) = queue {
            let end = waiting.pieces.iter().position(|piece| !piece.goes_on);
            let kept = match waiting.front_has_begun {
                true => end.map_or(0, |end| end + 1),
                false => 0,
            };
            waiting.pieces.truncate(kept);
            waiting.pieces.push_back(Piece::from(&last).into());
            waiting.pieces.shrink_to_fit();
            waiting.bytes = waiting.pieces.iter().map(|piece| piece.bytes.len()).sum();
        }
    }

    /// What is left of `pieces` when `written` bytes of them are gone.
    fn after(
        pieces: impl IntoIterator<Item = Queued>,
        front_has_begun: bool,
        written: usize,
    ) -> Self {
        let pieces: VecDeque<_> = pieces.into_iter().collect();
        let bytes = pieces.iter().map(|piece| piece.bytes.len()).sum();
        let mut left = Self {
            pieces,
            bytes,
            front_has_begun,
        };
        left.take_out(written);
        left
    }

    /// How many frames wait, whole or in part.
    fn frames(&self) -> usize {
        self.pieces.iter().filter(|piece| !piece.goes_on).count()
    }

    fn take_out(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(front) = self.pieces.front_mut() {
            if front.bytes.len() > written {
                if written > 0 {
                    front.bytes = front.bytes.slice(written..);
                    self.front_has_begun = true;
                }
                return;
            }
            written -= front.bytes.len();
            self.front_has_begun = front.goes_on;
            self.pieces.pop_front();
        }
    }
}

impl From<Piece<'_>> for Queued {
    fn from(piece: Piece<'_>) -> Self {
        Self {
            bytes: piece.bytes.clone(),
            goes_on: piece.goes_on,
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
mod tests;
