//! What the store writes: its tables, and the changes that keep them in step with one another. All within one transaction of the engine.
//! Of devices in `devices`; what time asks for in `trim`.

use super::promise::{
    Epoch, Offset, Outcome, Push, Retention, StreamState, Write, WriteError, check,
};
use super::rows::{
    DeviceRow, EntryRow, PLACE_BYTES, PushRow, Row, StreamRow, entry_is_intact, entry_sum,
    push_is_intact, push_sum, read_places,
};
use redb::{ReadableTable, StorageError, Table, TableDefinition, WriteTransaction};
use std::collections::HashMap;
use std::ops::Bound::{Excluded, Unbounded};

mod devices;
mod trim;

pub(super) use trim::look;

/// `format`: the version of all this. `next_stream`: the number of the next stream. `running`: see `opening`.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// By name.
pub(super) const STREAMS: TableDefinition<'_, &str, StreamRow> = TableDefinition::new("streams");
/// By number: name.
pub(super) const NAMES: TableDefinition<'_, u64, &str> = TableDefinition::new("names");
/// By stream and offset.
pub(super) const ENTRIES: TableDefinition<'_, (u64, u32), EntryRow> =
    TableDefinition::new("entries");
/// By stream and collapse key: the offset of the latest.
const KEYS: TableDefinition<'_, (u64, &str), u32> = TableDefinition::new("keys");
/// When it expires, stream, offset.
const EXPIRIES: TableDefinition<'_, (u64, u64, u32), ()> = TableDefinition::new("expiries");
/// By stream and device.
pub(super) const DEVICES: TableDefinition<'_, (u64, &str), DeviceRow> =
    TableDefinition::new("devices");
/// By id.
pub(super) const PUSHES: TableDefinition<'_, &str, PushRow> = TableDefinition::new("pushes");
/// When, and the id.
pub(super) const AGES: TableDefinition<'_, (u64, &str), ()> = TableDefinition::new("ages");
/// When, and the id.
pub(super) const DEADLINES: TableDefinition<'_, (u64, &str), ()> =
    TableDefinition::new("deadlines");

type Result<T> = std::result::Result<T, StorageError>;

/// All tables of one transaction.
pub(super) struct Tables<'t> {
    meta: Table<'t, &'static str, u64>,
    streams: Table<'t, &'static str, StreamRow>,
    names: Table<'t, u64, &'static str>,
    entries: Table<'t, (u64, u32), EntryRow>,
    keys: Table<'t, (u64, &'static str), u32>,
    expiries: Table<'t, (u64, u64, u32), ()>,
    devices: Table<'t, (u64, &'static str), DeviceRow>,
    pushes: Table<'t, &'static str, PushRow>,
    ages: Table<'t, (u64, &'static str), ()>,
    deadlines: Table<'t, (u64, &'static str), ()>,
    entropy: &'t (dyn Fn() -> u64 + Send + Sync),
    retention: Retention,
}

impl<'t> Tables<'t> {
    /// Opens all tables, and makes those that are not there.
    pub fn open(
        transaction: &'t WriteTransaction,
        entropy: &'t (dyn Fn() -> u64 + Send + Sync),
        retention: Retention,
    ) -> std::result::Result<Self, redb::TableError> {
        Ok(Self {
            meta: transaction.open_table(META)?,
            streams: transaction.open_table(STREAMS)?,
            names: transaction.open_table(NAMES)?,
            entries: transaction.open_table(ENTRIES)?,
            keys: transaction.open_table(KEYS)?,
            expiries: transaction.open_table(EXPIRIES)?,
            devices: transaction.open_table(DEVICES)?,
            pushes: transaction.open_table(PUSHES)?,
            ages: transaction.open_table(AGES)?,
            deadlines: transaction.open_table(DEADLINES)?,
            entropy,
            retention,
        })
    }

    /// Marks them as being of this format.
    pub fn set_format(&mut self, format: u64) -> Result<()> {
        self.meta.insert("format", format)?;
        Ok(())
    }

    /// Sets a number of the store's own, or takes it away.
    pub fn set_mark(&mut self, name: &str, mark: Option<u64>) -> Result<()> {
        match mark {
            Some(mark) => self.meta.insert(name, mark)?,
            None => self.meta.remove(name)?,
        };
        Ok(())
    }

    /// As if so many pushes had come.
    #[cfg(test)]
    pub fn set_head(&mut self, name: &str, head: Offset) -> Result<()> {
        let mut row = self.stream_or_new(name)?;
        row.state.head = head;
        self.streams.insert(name, row.row(name))?;
        Ok(())
    }

    /// Every stream is another one from now on, though it keeps what it has: its devices cannot be told to agree with it. Answers how
    /// many there are.
    pub fn begin_new_epochs(&mut self) -> Result<u64> {
        let mut count = 0;
        let mut last: Option<String> = None;
        loop {
            let mut some = Vec::new();
            {
                let from = last.as_deref().map_or(Unbounded, Excluded);
                for entry in self.streams.range::<&str>((from, Unbounded))?.take(1_000) {
                    let (name, row) = entry?;
                    let name = name.value().to_owned();
                    let row = Row::of(&name, row.value())?;
                    some.push((name, row));
                }
            }
            let Some((name, _)) = some.last() else {
                return Ok(count);
            };
            last = Some(name.clone());
            for (name, mut row) in some {
                row.state.epoch = Epoch((self.entropy)());
                self.streams.insert(&name[..], row.row(&name))?;
                count += 1;
            }
        }
    }

    /// Carries out one write.
    pub fn apply(
        &mut self,
        now_ms: u64,
        write: &Write,
    ) -> Result<std::result::Result<Outcome, WriteError>> {
        if let Err(error) = check(write) {
            return Ok(Err(error));
        }
        Ok(match write {
            Write::Push(push) => return self.push(now_ms, push),
            Write::Register {
                stream,
                device,
                keep,
            } => Ok(self.register(now_ms, stream, device, keep)?),
            Write::Ack {
                stream,
                device,
                epoch,
                offset,
            } => {
                self.ack(now_ms, stream, device, *epoch, *offset)?;
                Ok(Outcome::Done)
            }
            Write::Fired { push, at_ms } => {
                self.deadlines.remove((*at_ms, &**push))?;
                Ok(Outcome::Done)
            }
        })
    }

    fn push(
        &mut self,
        now_ms: u64,
        push: &Push,
    ) -> Result<std::result::Result<Outcome, WriteError>> {
        if let Some(former) = self.pushes.get(&*push.id)? {
            let former = former.value();
            push_is_intact(&push.id, former)?;
            let (fingerprint, _, _, places) = former;
            if fingerprint != push.fingerprint {
                return Ok(Err(WriteError::Conflict));
            }
            let places = read_places(places)
                .map(|(_, epoch, offset)| (epoch, offset))
                .collect();
            return Ok(Ok(Outcome::Pushed {
                repeated: true,
                places,
            }));
        }
        let mut places = Vec::with_capacity(push.streams.len());
        let mut written = Vec::with_capacity(push.streams.len() * PLACE_BYTES);
        // A stream that is named once more has it once all the same.
        let mut named: HashMap<&str, usize> = HashMap::new();
        for stream in &push.streams {
            if push.streams.len() > 1
                && let Some(first) = named.insert(stream, places.len())
            {
                named.insert(stream, first);
                places.push(places[first]);
                written.extend_from_within(first * PLACE_BYTES..(first + 1) * PLACE_BYTES);
                continue;
            }
            let (id, epoch, offset) = self.append(now_ms, stream, push)?;
            places.push((epoch, offset));
            written.extend_from_slice(&id.to_le_bytes());
            written.extend_from_slice(&epoch.0.to_le_bytes());
            written.extend_from_slice(&offset.0.to_le_bytes());
        }
        let sum = push_sum(&push.id, push.fingerprint, now_ms, &written);
        self.pushes
            .insert(&*push.id, (push.fingerprint, now_ms, sum, &written[..]))?;
        self.ages.insert((now_ms, &*push.id), ())?;
        if let Some(after_ms) = push.undelivered_ms {
            self.deadlines
                .insert((now_ms.saturating_add(after_ms), &*push.id), ())?;
        }
        Ok(Ok(Outcome::Pushed {
            repeated: false,
            places,
        }))
    }

    fn append(&mut self, now_ms: u64, stream: &str, push: &Push) -> Result<(u64, Epoch, Offset)> {
        let mut row = self.stream_or_new(stream)?;
        if row.state.head.0 == u32::MAX {
            self.begin_anew(&mut row)?;
        }
        let offset = Offset(row.state.head.0 + 1);
        let key = push.collapse_key.as_deref().unwrap_or_default();
        if !key.is_empty() {
            let former = self
                .keys
                .insert((row.id, key), offset.0)?
                .map(|former| former.value());
            if let Some(former) = former {
                self.take_out(&mut row, former)?;
            }
        }
        let expires_ms = push.ttl_ms.map_or(0, |ttl| now_ms.saturating_add(ttl));
        if expires_ms > 0 {
            self.expiries.insert((expires_ms, row.id, offset.0), ())?;
        }
        let place = (row.id, offset.0);
        let sum = entry_sum(place, (now_ms, expires_ms), key, &push.body);
        self.entries
            .insert(place, (now_ms, expires_ms, sum, key, &push.body[..]))?;
        row.state.head = offset;
        row.state.messages += 1;
        row.state.bytes += push.body.len() as u64;
        let Retention {
            max_messages,
            max_bytes,
            ..
        } = self.retention;
        while row.state.messages > 1
            && (row.state.messages > max_messages || row.state.bytes > max_bytes)
        {
            let Some((front, _, expires)) = self.front(row.id)? else {
                break;
            };
            self.take_out(&mut row, front)?;
            if expires == 0 || expires > now_ms {
                row.state.trimmed = Offset(front);
            }
        }
        self.streams.insert(stream, row.row(stream))?;
        Ok((row.id, row.state.epoch, offset))
    }

    /// The stream's offsets are used up: it begins a new epoch, and what it had is gone.
    fn begin_anew(&mut self, row: &mut Row) -> Result<()> {
        while let Some((front, ..)) = self.front(row.id)? {
            self.take_out(row, front)?;
        }
        row.state = fresh((self.entropy)());
        let devices: Vec<String> = self
            .devices_of(row.id)?
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        for device in devices {
            self.devices.remove((row.id, &device[..]))?;
        }
        Ok(())
    }

    fn row(&self, name: &str) -> Result<Option<Row>> {
        let found = self.streams.get(name)?;
        found.map(|found| Row::of(name, found.value())).transpose()
    }

    fn stream_or_new(&mut self, name: &str) -> Result<Row> {
        if let Some(row) = self.row(name)? {
            return Ok(row);
        }
        let id = self.meta.get("next_stream")?.map_or(1, |next| next.value());
        self.meta.insert("next_stream", id + 1)?;
        if self.names.insert(id, name)?.is_some() {
            // Two under one number would get each other's pushes.
            let reason = format!("number {id} of a new stream is another one's");
            return Err(StorageError::Corrupted(reason));
        }
        let row = Row {
            id,
            state: fresh((self.entropy)()),
        };
        self.streams.insert(name, row.row(name))?;
        Ok(row)
    }

    /// The oldest message of a stream: its offset, when it was stored, and when it expires. One that is damaged is as old as can be and
    /// would never have expired: retention takes it, and tells that it is gone.
    fn front(&self, id: u64) -> Result<Option<(u32, u64, u64)>> {
        let mut range = self.entries.range((id, 0)..=(id, u32::MAX))?;
        let Some(first) = range.next() else {
            return Ok(None);
        };
        let (key, value) = first?;
        let (place, value) = (key.value(), value.value());
        let (at_ms, expires_ms) = match entry_is_intact(place, value) {
            Ok(()) => (value.0, value.1),
            Err(_) => (0, 0),
        };
        Ok(Some((place.1, at_ms, expires_ms)))
    }

    /// Removes a message, if it is there, and all that points at it.
    fn take_out(&mut self, row: &mut Row, offset: u32) -> Result<bool> {
        let Some(entry) = self.entries.remove((row.id, offset))? else {
            return Ok(false);
        };
        let (_, expires_ms, _, key, body) = entry.value();
        // Of a damaged message, neither need be what was counted.
        row.state.messages = row.state.messages.saturating_sub(1);
        row.state.bytes = row.state.bytes.saturating_sub(body.len() as u64);
        let is_latest = !key.is_empty()
            && self
                .keys
                .get((row.id, key))?
                .is_some_and(|latest| latest.value() == offset);
        if is_latest {
            self.keys.remove((row.id, key))?;
        }
        if expires_ms > 0 {
            self.expiries.remove((expires_ms, row.id, offset))?;
        }
        Ok(true)
    }
}

fn fresh(epoch: u64) -> StreamState {
    StreamState {
        epoch: Epoch(epoch),
        head: Offset(0),
        trimmed: Offset(0),
        messages: 0,
        bytes: 0,
    }
}
