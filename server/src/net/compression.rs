//! permessage-deflate across the rooms: who has negotiated it, and the one compressed copy of a message that all of them share.

use super::frame::{Deflated, Deflater, Inflater};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// What the shards and the pushes share.
#[derive(Debug)]
pub struct Compression {
    /// Messages under this are not worth it; 0: never negotiated.
    min_bytes: usize,
    /// Open connections that have negotiated it.
    connections: AtomicUsize,
    /// Made with the first message. Pushes are compressed one at a time.
    deflater: Mutex<Option<Box<Deflater>>>,
}

/// One shard's own pair, for all its connections: made with the first that has negotiated compression.
#[derive(Debug, Default)]
pub(super) struct Codec {
    pub deflater: Deflater,
    pub inflater: Inflater,
}

impl Compression {
    /// Compression of messages of at least so many bytes; 0: none.
    pub fn new(min_bytes: usize) -> Self {
        Self {
            min_bytes,
            connections: AtomicUsize::new(0),
            deflater: Mutex::new(None),
        }
    }

    /// Whether to negotiate it.
    pub fn is_offered(&self) -> bool {
        self.min_bytes > 0
    }

    /// Whether a message of so many bytes is worth it.
    pub fn is_worth(&self, bytes: usize) -> bool {
        self.is_offered() && bytes >= self.min_bytes
    }

    /// A push compressed for those who take it so, if there are any and it is worth it.
    pub fn text(&self, payload: &[u8]) -> Option<Deflated> {
        if !self.is_worth(payload.len()) || self.connections.load(Relaxed) == 0 {
            return None;
        }
        // A panic in between leaves a compressor that is reset before its next message.
        let mut deflater = self.deflater.lock().unwrap_or_else(PoisonError::into_inner);
        deflater.get_or_insert_default().shared(payload)
    }

    pub(super) fn joined(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    pub(super) fn left(&self) {
        self.connections.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_compressed_that_nobody_takes_or_that_is_small() {
        let mut text = [b'a'; 300];
        text[299] = b'}';
        let short = &text[45..];
        let off = Compression::new(0);
        off.joined();
        assert!(!off.is_offered() && off.text(&text).is_none());
        let on = Compression::new(256);
        assert!(
            on.is_offered() && on.text(&text).is_none(),
            "nobody is here"
        );
        on.joined();
        assert!(on.text(short).is_none());
        assert!(on.text(&text).is_some_and(|copy| copy.frame().len() < 50));
        on.left();
        assert!(on.text(&text).is_none());
    }
}
