//! The rows as they are written, each with a checksum over all that it says and the key it is found under: a disk that has changed a bit
//! is told, not believed. The engine itself checks its pages only after a crash.

use super::promise::{DeviceState, Epoch, Offset, StreamState};
use crc32fast::Hasher;
use redb::StorageError;

/// Of a stream: number, epoch, head, trimmed, messages, bytes, checksum.
pub(super) type StreamRow = (u64, u64, u32, u32, u64, u64, u32);
/// Of a message: when, when it expires (0: never), checksum, collapse key (empty: none), body.
pub(super) type EntryRow = (u64, u64, u32, &'static str, &'static [u8]);
/// Of a device: since, acked, seen, checksum.
pub(super) type DeviceRow = (u32, u32, u64, u32);
/// Of a push: fingerprint, when, checksum, and the places, [`PLACE_BYTES`] each.
pub(super) type PushRow = (u64, u64, u32, &'static [u8]);
/// A place as it is written: stream, epoch, offset.
pub(super) const PLACE_BYTES: usize = 20;

type Result<T> = std::result::Result<T, StorageError>;

/// A stream's row, with its number.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub id: u64,
    pub state: StreamState,
}

impl Row {
    /// The row of the stream of this name.
    pub fn of(
        name: &str,
        (id, epoch, head, trimmed, messages, bytes, sum): StreamRow,
    ) -> Result<Self> {
        let state = StreamState {
            epoch: Epoch(epoch),
            head: Offset(head),
            trimmed: Offset(trimmed),
            messages,
            bytes,
        };
        let row = Self { id, state };
        intact(row.sum(name) == sum, || format!("the stream {name}"))?;
        Ok(row)
    }

    /// As it is written.
    pub fn row(self, name: &str) -> StreamRow {
        let StreamState {
            epoch,
            head,
            trimmed,
            messages,
            bytes,
        } = self.state;
        let sum = self.sum(name);
        (self.id, epoch.0, head.0, trimmed.0, messages, bytes, sum)
    }

    fn sum(self, name: &str) -> u32 {
        let state = self.state;
        let ends = u64::from(state.head.0) << 32 | u64::from(state.trimmed.0);
        let numbers = [self.id, state.epoch.0, ends, state.messages, state.bytes];
        sum(&numbers, &[name.as_bytes()])
    }
}

/// The checksum of a message.
pub(super) fn entry_sum(
    (stream, offset): (u64, u32),
    (at_ms, expires_ms): (u64, u64),
    key: &str,
    body: &[u8],
) -> u32 {
    let numbers = [stream, u64::from(offset), at_ms, expires_ms];
    sum(&numbers, &[key.as_bytes(), body])
}

/// Whether a message is what was written.
pub(super) fn entry_is_intact(
    place: (u64, u32),
    (at_ms, expires_ms, sum, key, body): (u64, u64, u32, &str, &[u8]),
) -> Result<()> {
    let is_intact = entry_sum(place, (at_ms, expires_ms), key, body) == sum;
    intact(is_intact, || format!("message {} of a stream", place.1))
}

/// A device's row as it is written.
pub(super) fn device_row((stream, device): (u64, &str), state: DeviceState) -> DeviceRow {
    let (since, acked) = (state.since.0, state.acked.0);
    let ends = u64::from(since) << 32 | u64::from(acked);
    let sum = sum(&[stream, ends, state.seen_ms], &[device.as_bytes()]);
    (since, acked, state.seen_ms, sum)
}

/// The state of a device.
pub(super) fn device_state(
    key: (u64, &str),
    row @ (since, acked, seen_ms, _): DeviceRow,
) -> Result<DeviceState> {
    let state = DeviceState {
        since: Offset(since),
        acked: Offset(acked),
        seen_ms,
    };
    intact(device_row(key, state) == row, || {
        format!("the device {}", key.1)
    })?;
    Ok(state)
}

/// The checksum of a push's record.
pub(super) fn push_sum(id: &str, fingerprint: u64, at_ms: u64, places: &[u8]) -> u32 {
    sum(&[fingerprint, at_ms], &[id.as_bytes(), places])
}

/// Whether a push's record is what was written.
pub(super) fn push_is_intact(
    id: &str,
    (fingerprint, at_ms, sum, places): (u64, u64, u32, &[u8]),
) -> Result<()> {
    let is_intact = push_sum(id, fingerprint, at_ms, places) == sum;
    intact(is_intact, || format!("the record of push {id}"))
}

/// Places as they are written: stream's number, epoch, offset.
pub(super) fn read_places(bytes: &[u8]) -> impl Iterator<Item = (u64, Epoch, Offset)> + '_ {
    bytes.as_chunks::<PLACE_BYTES>().0.iter().map(|place| {
        let (id, rest) = place.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        let (epoch, rest) = rest.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        let offset = rest.first_chunk::<4>().unwrap_or(&[0; 4]);
        (
            u64::from_le_bytes(*id),
            Epoch(u64::from_le_bytes(*epoch)),
            Offset(u32::from_le_bytes(*offset)),
        )
    })
}

/// CRC-32 over numbers, and texts with their lengths.
fn sum(numbers: &[u64], texts: &[&[u8]]) -> u32 {
    let mut hasher = Hasher::new();
    for number in numbers {
        hasher.update(&number.to_le_bytes());
    }
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    hasher.finalize()
}

fn intact(is_intact: bool, what: impl FnOnce() -> String) -> Result<()> {
    if is_intact {
        return Ok(());
    }
    let reason = format!("{} is not what was written (checksum)", what());
    Err(StorageError::Corrupted(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each number and text of a row, and each part of its key, is under the checksum.
    #[test]
    fn a_message_that_differs_anywhere_is_not_what_was_written() {
        let sum = entry_sum((1, 2), (3, 4), "key", b"body");
        assert!(entry_is_intact((1, 2), (3, 4, sum, "key", b"body")).is_ok());
        for (place, row) in [
            ((9, 2), (3, 4, sum, "key", &b"body"[..])),
            ((1, 9), (3, 4, sum, "key", b"body")),
            ((1, 2), (9, 4, sum, "key", b"body")),
            ((1, 2), (3, 9, sum, "key", b"body")),
            ((1, 2), (3, 4, sum, "kez", b"body")),
            ((1, 2), (3, 4, sum, "key", b"bodz")),
            ((1, 2), (3, 4, sum, "keyb", b"ody")),
        ] {
            assert!(entry_is_intact(place, row).is_err(), "{place:?} {row:?}");
        }
    }
}
