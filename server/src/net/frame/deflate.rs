//! permessage-deflate (RFC 7692) without context takeover: each message is compressed for itself. Nothing is remembered
//! between two messages, so one pair of these serves all connections of a shard, and an idle connection holds no window.

use super::encode::append_head;
use super::header::Opcode;
use super::message::Violation;
use super::pieces::Frame;
use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// Compresses messages.
#[derive(Debug)]
pub struct Deflater {
    compress: Compress,
    out: Vec<u8>,
}

/// A text message that is one JSON object, compressed once for all who take it: also for those whose copy ends differently.
#[derive(Clone, Debug)]
pub struct Deflated {
    frame: Bytes,
    /// The compressed message without its last brace, up to the end of a sync flush: further blocks may follow. Part of `frame`.
    open: Bytes,
}

/// Inflates messages.
#[derive(Debug)]
pub struct Inflater {
    decompress: Decompress,
    out: Vec<u8>,
}

/// The end of a sync flush, which a message leaves out (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];
/// What a stored block and the beginning of the empty one behind it cost.
const STORED_BYTES: usize = 6;
/// A message is compressed once for all its recipients, and phones are quick to inflate: speed before the last bytes.
const LEVEL: u32 = 3;
/// The first piece of memory for an inflated message.
const FIRST_PIECE: usize = 4 * 1024;
/// Memory kept from one message to the next.
const KEPT: usize = 64 * 1024;

impl Default for Deflater {
    fn default() -> Self {
        Self {
            compress: Compress::new(Compression::new(LEVEL), false),
            out: Vec::new(),
        }
    }
}

impl Deflater {
    /// Appends a message as one frame, compressed if that makes it smaller.
    pub fn append(&mut self, out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
        let (first, body) = match self.squeeze(payload) {
            Some(smaller) => (0xc0 | opcode.bits(), smaller),
            None => (0x80 | opcode.bits(), payload),
        };
        append_head(out, first, body.len());
        out.extend_from_slice(body);
        self.out.clear();
        self.out.shrink_to(KEPT);
    }

    /// Compresses a text message for many. `None` where that makes it no smaller, or it is no object.
    pub fn shared(&mut self, payload: &[u8]) -> Option<Deflated> {
        let open = payload.strip_suffix(b"}")?;
        self.compress.reset();
        self.out.clear();
        // What does not fit here is not smaller.
        self.out.reserve_exact(payload.len());
        let mut flush = |piece: &[u8], out: &mut Vec<u8>| {
            let before = self.compress.total_in();
            self.compress
                .compress_vec(piece, out, FlushCompress::Sync)
                .ok()?;
            let is_whole = self.compress.total_in() - before == piece.len() as u64
                && out.len() < out.capacity()
                && out.ends_with(&TAIL);
            is_whole.then_some(out.len())
        };
        let ends = flush(open, &mut self.out).zip(flush(b"}", &mut self.out));
        let shared = ends
            .filter(|(end_of_open, _)| end_of_open + STORED_BYTES < payload.len())
            .map(|(end_of_open, end)| {
                let mut frame = Vec::new();
                append_head(&mut frame, 0xc0 | Opcode::Text.bits(), end - TAIL.len());
                let head = frame.len();
                frame.extend_from_slice(&self.out[..end - TAIL.len()]);
                let frame = Bytes::from(frame);
                let open = frame.slice(head..head + end_of_open);
                Deflated { frame, open }
            });
        self.out.clear();
        self.out.shrink_to(KEPT);
        shared
    }

    /// The compressed message, if it is smaller.
    fn squeeze(&mut self, payload: &[u8]) -> Option<&[u8]> {
        self.compress.reset();
        self.out.clear();
        // What does not fit here is not smaller.
        self.out.reserve_exact(payload.len() + TAIL.len() + 1);
        self.compress
            .compress_vec(payload, &mut self.out, FlushCompress::Sync)
            .ok()?;
        let is_whole = self.out.len() < self.out.capacity()
            && self.compress.total_in() == payload.len() as u64;
        let body = self.out.strip_suffix(&TAIL).filter(|_| is_whole)?;
        (body.len() < payload.len()).then_some(body)
    }
}

impl Deflated {
    /// The message's frame.
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// The frame of the message with `end` in the place of its last brace. Nothing is compressed for it: `end` goes as it is, in a
    /// stored block (RFC 1951 §3.2.4). `None` when it is longer than such a block can be.
    pub fn ending(&self, end: &[u8]) -> Option<Frame> {
        let length = u16::try_from(end.len()).ok()?;
        let ([low, high], [not_low, not_high]) = (length.to_le_bytes(), (!length).to_le_bytes());
        let head = [0, low, high, not_low, not_high];
        // At the end an empty block, of which [`TAIL`] is left out.
        let ends: [&[u8]; 3] = [&head, end, &[0]];
        let first = 0xc0 | Opcode::Text.bits();
        Some(Frame::ending(first, &self.open, &ends))
    }

    /// What all its endings have in common.
    pub fn shared_len(&self) -> usize {
        self.open.len()
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self {
            decompress: Decompress::new(false),
            out: Vec::new(),
        }
    }
}

impl Inflater {
    /// Inflates one message. What it grows to is never more than one byte over `limit`.
    ///
    /// # Errors
    /// [`Violation::TooBig`], or [`Violation::InvalidDeflate`].
    pub fn message(&mut self, payload: &[u8], limit: usize) -> Result<&[u8], Violation> {
        // Zeroes the window: nobody's message can be read by a reference from another's.
        self.decompress.reset(false);
        self.out.clear();
        self.take_in(payload, limit)?;
        self.take_in(&TAIL, limit)?;
        Ok(&self.out)
    }

    /// Gives back the memory of a large message.
    pub fn release(&mut self) {
        self.out.clear();
        self.out.shrink_to(KEPT);
    }

    fn take_in(&mut self, mut input: &[u8], limit: usize) -> Result<(), Violation> {
        // Each round takes input, or fills the output, or is the last.
        loop {
            if self.out.len() == self.out.capacity() {
                let room = (limit + 1).saturating_sub(self.out.len());
                self.out
                    .reserve_exact(self.out.len().max(FIRST_PIECE).min(room));
            }
            let (held, taken_before) = (self.out.len(), self.decompress.total_in());
            let status = self
                .decompress
                .decompress_vec(input, &mut self.out, FlushDecompress::Sync)
                .map_err(|_| Violation::InvalidDeflate)?;
            if self.out.len() > limit {
                return Err(Violation::TooBig);
            }
            let taken = (self.decompress.total_in() - taken_before) as usize;
            input = &input[taken.min(input.len())..];
            if status == Status::StreamEnd {
                // A final block may be followed by more (§7.2.3.4).
                self.decompress.reset(false);
            }
            if input.is_empty() && self.out.len() < self.out.capacity() {
                return Ok(());
            }
            if taken == 0 && self.out.len() == held && status != Status::StreamEnd {
                return Err(Violation::InvalidDeflate);
            }
        }
    }
}

#[cfg(test)]
mod tests;
