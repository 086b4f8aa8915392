//! A frame in pieces. Frames of one push to many streams differ only at their ends: what they have in common is encoded once
//! and shared, and each frame owns its head and its end. A small frame is one piece, which costs less than three.

use super::encode::push_head;
use bytes::Bytes;

/// An encoded frame.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The whole frame, or its head.
    front: Bytes,
    rest: Option<Box<Rest>>,
}

#[derive(Clone, Debug)]
struct Rest {
    shared: Bytes,
    end: Bytes,
}

/// A piece of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// What is sent.
    pub bytes: &'a Bytes,
    /// The frame does not end here: nothing else may be sent before its next piece.
    pub goes_on: bool,
}

impl Frame {
    /// From this size on, what frames have in common is shared; what is smaller is copied.
    pub const SHARED_FROM: usize = 16 * 1024;

    /// A text frame of a message that begins with `open` and ends with `end`.
    pub fn text(open: &Bytes, end: &[u8]) -> Self {
        Self::ending(0x81, open, &[end])
    }

    /// A frame with this first byte; its message is `open` and then all of `ends`.
    pub(super) fn ending(first: u8, open: &Bytes, ends: &[&[u8]]) -> Self {
        let length = open.len() + ends.iter().map(|end| end.len()).sum::<usize>();
        let is_shared = open.len() >= Self::SHARED_FROM;
        let own = if is_shared {
            length - open.len()
        } else {
            length
        };
        let mut out = Vec::with_capacity(own + 10);
        push_head(&mut out, first, length);
        let head = out.len();
        if !is_shared {
            out.extend_from_slice(open);
        }
        ends.iter().for_each(|end| out.extend_from_slice(end));
        let mut front = Bytes::from(out);
        let rest = is_shared.then(|| {
            let (shared, end) = (open.clone(), front.split_off(head));
            Box::new(Rest { shared, end })
        });
        Self { front, rest }
    }

    /// All its bytes.
    pub fn len(&self) -> usize {
        self.own_len() + self.rest.as_ref().map_or(0, |rest| rest.shared.len())
    }

    /// The bytes that no other frame has.
    pub fn own_len(&self) -> usize {
        self.front.len() + self.rest.as_ref().map_or(0, |rest| rest.end.len())
    }

    /// The frame, where it is one piece.
    pub fn whole(&self) -> Option<&Bytes> {
        self.rest.is_none().then_some(&self.front)
    }

    /// Its pieces, in order.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let piece = |bytes, goes_on| Piece { bytes, goes_on };
        let rest = self.rest.as_deref();
        let rest = rest.map(|rest| [piece(&rest.shared, true), piece(&rest.end, false)]);
        std::iter::once(piece(&self.front, rest.is_some())).chain(rest.into_iter().flatten())
    }
}

impl From<Bytes> for Frame {
    fn from(whole: Bytes) -> Self {
        let front = whole;
        Self { front, rest: None }
    }
}

impl<'a> From<&'a Bytes> for Piece<'a> {
    fn from(bytes: &'a Bytes) -> Self {
        let goes_on = false;
        Self { bytes, goes_on }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::frame;

    #[test]
    fn large_frames_share_what_they_have_in_common_and_small_ones_are_one_piece() {
        let limit = Frame::SHARED_FROM;
        for length in [0, 1, limit - 1, limit, 70_000] {
            let open = Bytes::from(vec![b'x'; length]);
            let frame = Frame::text(&open, b"{}");
            let pieces: Vec<_> = frame.pieces().collect();
            let all: Vec<u8> = pieces
                .iter()
                .flat_map(|piece| piece.bytes.to_vec())
                .collect();
            assert_eq!(all, frame::text(&[&open[..], b"{}"].concat()));
            assert_eq!(all.len(), frame.len());
            let goes_on: Vec<_> = pieces.iter().map(|piece| piece.goes_on).collect();
            if length < limit {
                assert_eq!((goes_on, frame.own_len()), (vec![false], all.len()));
                assert!(frame.whole().is_some());
            } else {
                assert_eq!(goes_on, [true, true, false]);
                assert_eq!(pieces[1].bytes.as_ptr(), open.as_ptr(), "no copy");
                assert!(frame.own_len() < 20);
                assert!(frame.whole().is_none());
            }
        }
    }
}
