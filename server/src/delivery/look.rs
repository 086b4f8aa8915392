//! What the store says to a subscription's questions, as texts for its device. It takes a store and a time, and has no threads: those are
//! `reader`'s.

use super::attach::{Start, start};
use super::cursor::PageFacts;
use crate::store::{Offset, PageLimits, Store, StoreError};
use heartline_protocol::{Position, append_place, encode_attached, encode_gap};

/// Where a device begins. `None`: the stream or the device is new, and must be registered first; [`start`] says it then.
///
/// # Errors
/// When the store cannot be read.
pub fn look_up(
    store: &dyn Store,
    stream: &str,
    device: &str,
    position: Option<&Position>,
) -> Result<Option<Start>, StoreError> {
    let (Some(state), Some(device)) = (store.stream(stream)?, store.device(stream, device)?) else {
        return Ok(None);
    };
    Ok(Some(start(&state, device.acked, position)))
}

/// Tells a device where it begins: each text is a message.
pub fn tell_start(stream: &str, start: &Start, mut tell: impl FnMut(&str)) {
    let epoch = start.cursor.epoch();
    if let Some(at) = start.at {
        tell(&encode_attached(stream, epoch.0, at.0));
    }
    if let Some((missing, reason)) = start.gap {
        tell(&encode_gap(
            stream,
            epoch.0,
            missing.from.0,
            missing.to.0,
            reason,
        ));
    }
}

/// Reads a page; each text is a message with its place. `None` when there is no such stream. The bytes of the facts are those of the texts.
///
/// # Errors
/// When the store cannot be read.
pub fn read_page(
    store: &dyn Store,
    stream: &str,
    after: Offset,
    limits: PageLimits,
    now_ms: u64,
    mut tell: impl FnMut(&str),
) -> Result<Option<PageFacts>, StoreError> {
    let Some(page) = store.read(stream, after, limits, now_ms)? else {
        return Ok(None);
    };
    let mut bytes = 0;
    for (offset, body) in &page.entries {
        // What is stored was made by us of text.
        let text = append_place(&String::from_utf8_lossy(body), stream, offset.0);
        bytes += text.len();
        tell(&text);
    }
    Ok(Some(PageFacts {
        epoch: page.epoch,
        head: page.head,
        trimmed: page.trimmed,
        through: page.through,
        last: page.entries.last().map(|(offset, _)| *offset),
        messages: page.entries.len() as u32,
        bytes,
    }))
}

#[cfg(test)]
mod tests;
