//! What lies beneath a store in memory: a small disk of its own with a bound. Only what was written takes room, however long the engine
//! makes its file.

use redb::StorageBackend;
use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

/// Memory in pieces. Every copy is the same memory, so an engine that has ended can be opened again on it.
#[derive(Clone)]
pub(super) struct Memory {
    pieces: Arc<RwLock<Pieces>>,
    capacity: u64,
}

#[derive(Default)]
struct Pieces {
    len: u64,
    held: Vec<Option<Box<[u8]>>>,
    count: u64,
}

const PIECE: usize = 16 * 1024;

impl Memory {
    /// Memory that holds about so many bytes, a few more at the most.
    pub fn new(capacity: u64) -> Self {
        Self {
            pieces: Arc::default(),
            capacity,
        }
    }

    /// Bytes that are held.
    #[cfg(test)]
    pub fn held(&self) -> u64 {
        let pieces = self.pieces.read().unwrap_or_else(PoisonError::into_inner);
        pieces.count * PIECE as u64
    }

    /// Lets go of whatever is held from here on: it reads as zeros.
    pub fn give_back(&self, from: u64) {
        let mut pieces = self.pieces.write().unwrap_or_else(PoisonError::into_inner);
        let from = usize::try_from(from.div_ceil(PIECE as u64)).unwrap_or(usize::MAX);
        let mut given = 0;
        for piece in pieces.held.iter_mut().skip(from) {
            given += u64::from(piece.take().is_some());
        }
        pieces.count -= given;
    }

    /// Bytes that may be held.
    pub fn capacity(&self) -> u64 {
        self.capacity
    }
}

/// The pieces that these bytes lie in: of each its number, and which part of it and of the bytes.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (usize, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = offset as usize + done;
        let (piece, from) = (at / PIECE, at % PIECE);
        let some = (PIECE - from).min(len - done);
        let range = done..done + some;
        done += some;
        Some((piece, from, range))
    })
}

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        let pieces = self.pieces.read().unwrap_or_else(PoisonError::into_inner);
        Ok(pieces.len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let pieces = self.pieces.read().unwrap_or_else(PoisonError::into_inner);
        if offset + out.len() as u64 > pieces.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (piece, from, range) in parts(offset, out.len()) {
            let out = &mut out[range];
            match &pieces.held[piece] {
                Some(held) => out.copy_from_slice(&held[from..from + out.len()]),
                None => out.fill(0),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut pieces = self.pieces.write().unwrap_or_else(PoisonError::into_inner);
        let wanted = len.div_ceil(PIECE as u64) as usize;
        let gone = pieces.held.iter().skip(wanted).flatten().count() as u64;
        pieces.count -= gone;
        pieces.held.resize_with(wanted, || None);
        // What is cut off is zero when it comes back.
        if len < pieces.len
            && let Some(Some(last)) = pieces.held.last_mut()
            && !len.is_multiple_of(PIECE as u64)
        {
            last[(len % PIECE as u64) as usize..].fill(0);
        }
        pieces.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut pieces = self.pieces.write().unwrap_or_else(PoisonError::into_inner);
        if offset + data.len() as u64 > pieces.len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        for (piece, from, range) in parts(offset, data.len()) {
            if pieces.held[piece].is_none() {
                if (pieces.count + 1) * PIECE as u64 > self.capacity {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                pieces.count += 1;
                pieces.held[piece] = Some(vec![0; PIECE].into());
            }
            let data = &data[range];
            if let Some(held) = &mut pieces.held[piece] {
                held[from..from + data.len()].copy_from_slice(data);
            }
        }
        Ok(())
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, redb::BackendError> {
        Ok(true)
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), redb::BackendError> {
        Ok(())
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
