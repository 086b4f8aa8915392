//! What the store writes: its tables, and the changes that keep them in step with one another. All within one transaction of the engine.

use super::promise::{
    DeviceState, Epoch, Offset, Outcome, Push, Retention, StreamState, Trimmed, Write, WriteError,
    check,
};
use redb::{ReadableTable, StorageError, Table, TableDefinition, WriteTransaction};

/// `format`: the version of all this. `next_stream`: the number of the next stream.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// By name: number, epoch, head, trimmed, messages, bytes.
pub(super) const STREAMS: TableDefinition<'_, &str, StreamRow> = TableDefinition::new("streams");
/// By number: name.
pub(super) const NAMES: TableDefinition<'_, u64, &str> = TableDefinition::new("names");
/// By stream and offset: when, when it expires (0: never), collapse key (empty: none), body.
pub(super) const ENTRIES: TableDefinition<'_, (u64, u32), EntryRow> =
    TableDefinition::new("entries");
/// By stream and collapse key: the offset of the latest.
const KEYS: TableDefinition<'_, (u64, &str), u32> = TableDefinition::new("keys");
/// When it expires, stream, offset.
const EXPIRIES: TableDefinition<'_, (u64, u64, u32), ()> = TableDefinition::new("expiries");
/// By stream and device: since, acked, seen.
pub(super) const DEVICES: TableDefinition<'_, (u64, &str), (u32, u32, u64)> =
    TableDefinition::new("devices");
/// By id: fingerprint, when, and the places, 20 bytes each.
pub(super) const PUSHES: TableDefinition<'_, &str, (u64, u64, &[u8])> =
    TableDefinition::new("pushes");
/// When, and the id.
const AGES: TableDefinition<'_, (u64, &str), ()> = TableDefinition::new("ages");
/// When, and the id.
pub(super) const DEADLINES: TableDefinition<'_, (u64, &str), ()> =
    TableDefinition::new("deadlines");

/// See [`STREAMS`].
pub(super) type StreamRow = (u64, u64, u32, u32, u64, u64);
/// See [`ENTRIES`].
pub(super) type EntryRow = (u64, u64, &'static str, &'static [u8]);
/// A place as it is written: stream, epoch, offset.
pub(super) const PLACE_BYTES: usize = 20;

type Result<T> = std::result::Result<T, StorageError>;

/// All tables of one transaction.
pub(super) struct Tables<'t> {
    meta: Table<'t, &'static str, u64>,
    streams: Table<'t, &'static str, StreamRow>,
    names: Table<'t, u64, &'static str>,
    entries: Table<'t, (u64, u32), EntryRow>,
    keys: Table<'t, (u64, &'static str), u32>,
    expiries: Table<'t, (u64, u64, u32), ()>,
    devices: Table<'t, (u64, &'static str), (u32, u32, u64)>,
    pushes: Table<'t, &'static str, (u64, u64, &'static [u8])>,
    ages: Table<'t, (u64, &'static str), ()>,
    deadlines: Table<'t, (u64, &'static str), ()>,
    entropy: &'t (dyn Fn() -> u64 + Send + Sync),
    retention: Retention,
}

/// A stream's row, with its number.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub id: u64,
    pub state: StreamState,
}

impl Row {
    pub fn of((id, epoch, head, trimmed, messages, bytes): StreamRow) -> Self {
        let state = StreamState {
            epoch: Epoch(epoch),
            head: Offset(head),
            trimmed: Offset(trimmed),
            messages,
            bytes,
        };
        Self { id, state }
    }

    fn row(self) -> StreamRow {
        let StreamState {
            epoch,
            head,
            trimmed,
            messages,
            bytes,
        } = self.state;
        (self.id, epoch.0, head.0, trimmed.0, messages, bytes)
    }
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
            Write::Register { stream, device } => Ok(self.register(now_ms, stream, device)?),
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
        let former = self.pushes.get(&*push.id)?.map(|found| {
            let (fingerprint, _, places) = found.value();
            (fingerprint, places.to_vec())
        });
        if let Some((fingerprint, places)) = former {
            let places = read_places(&places)
                .map(|(_, epoch, offset)| (epoch, offset))
                .collect();
            let repeated = Outcome::Pushed {
                repeated: true,
                places,
            };
            return Ok(if fingerprint == push.fingerprint {
                Ok(repeated)
            } else {
                Err(WriteError::Conflict)
            });
        }
        let mut places = Vec::with_capacity(push.streams.len());
        let mut written = Vec::with_capacity(push.streams.len() * PLACE_BYTES);
        for stream in &push.streams {
            let (id, epoch, offset) = self.append(now_ms, stream, push)?;
            places.push((epoch, offset));
            written.extend_from_slice(&id.to_le_bytes());
            written.extend_from_slice(&epoch.0.to_le_bytes());
            written.extend_from_slice(&offset.0.to_le_bytes());
        }
        self.pushes
            .insert(&*push.id, (push.fingerprint, now_ms, &written[..]))?;
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
        self.entries.insert(
            (row.id, offset.0),
            (now_ms, expires_ms, key, &push.body[..]),
        )?;
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
        self.streams.insert(stream, row.row())?;
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

    fn stream_or_new(&mut self, name: &str) -> Result<Row> {
        if let Some(found) = self.streams.get(name)? {
            return Ok(Row::of(found.value()));
        }
        let id = self.meta.get("next_stream")?.map_or(1, |next| next.value());
        self.meta.insert("next_stream", id + 1)?;
        self.names.insert(id, name)?;
        let row = Row {
            id,
            state: fresh((self.entropy)()),
        };
        self.streams.insert(name, row.row())?;
        Ok(row)
    }

    /// The oldest message of a stream: its offset, when it was stored, and when it expires.
    fn front(&self, id: u64) -> Result<Option<(u32, u64, u64)>> {
        let mut range = self.entries.range((id, 0)..=(id, u32::MAX))?;
        let Some(first) = range.next() else {
            return Ok(None);
        };
        let (key, value) = first?;
        let (at_ms, expires_ms, ..) = value.value();
        Ok(Some((key.value().1, at_ms, expires_ms)))
    }

    /// Removes a message, if it is there, and all that points at it.
    fn take_out(&mut self, row: &mut Row, offset: u32) -> Result<bool> {
        let Some(entry) = self.entries.remove((row.id, offset))? else {
            return Ok(false);
        };
        let (_, expires_ms, key, body) = entry.value();
        row.state.messages -= 1;
        row.state.bytes -= body.len() as u64;
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

    fn register(&mut self, now_ms: u64, stream: &str, device: &str) -> Result<Outcome> {
        let row = self.stream_or_new(stream)?;
        let former = self
            .devices
            .get((row.id, device))?
            .map(|found| found.value());
        let (since, acked) = match former {
            Some((since, acked, _)) => (since, acked),
            None => {
                self.make_room_for_device(row.id)?;
                (row.state.head.0, row.state.head.0)
            }
        };
        self.devices
            .insert((row.id, device), (since, acked, now_ms))?;
        Ok(Outcome::Registered {
            stream: row.state,
            device: device_state((since, acked, now_ms)),
        })
    }

    /// At the bound, the device goes that was not heard of for longest.
    fn make_room_for_device(&mut self, id: u64) -> Result<()> {
        let devices = self.devices_of(id)?;
        if devices.len() >= Retention::MAX_DEVICES
            && let Some((oldest, _)) = devices.into_iter().min_by_key(|(_, seen_ms)| *seen_ms)
        {
            self.devices.remove((id, &oldest[..]))?;
        }
        Ok(())
    }

    /// The devices of a stream, and when they were heard of.
    fn devices_of(&self, id: u64) -> Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        for entry in self.devices.range((id, "")..(id + 1, ""))? {
            let (key, value) = entry?;
            found.push((key.value().1.to_owned(), value.value().2));
        }
        Ok(found)
    }

    fn ack(
        &mut self,
        now_ms: u64,
        stream: &str,
        device: &str,
        epoch: Epoch,
        offset: Offset,
    ) -> Result<()> {
        let Some(row) = self
            .streams
            .get(stream)?
            .map(|found| Row::of(found.value()))
        else {
            return Ok(());
        };
        let Some((since, acked, _)) = self
            .devices
            .get((row.id, device))?
            .map(|found| found.value())
        else {
            return Ok(());
        };
        let acked = if epoch == row.state.epoch {
            acked.max(offset.min(row.state.head).0)
        } else {
            acked
        };
        self.devices
            .insert((row.id, device), (since, acked, now_ms))?;
        Ok(())
    }

    /// Removes what has expired, at most `budget` messages.
    pub fn expire(&mut self, now_ms: u64, budget: usize, done: &mut Trimmed) -> Result<()> {
        for _ in 0..budget {
            let due = match self
                .expiries
                .range(..(now_ms.saturating_add(1), 0, 0))?
                .next()
            {
                Some(first) => first?.0.value(),
                None => return Ok(()),
            };
            self.expiries.remove(due)?;
            let Some(name) = self.names.get(due.1)?.map(|name| name.value().to_owned()) else {
                continue;
            };
            let row = self
                .streams
                .get(&name[..])?
                .map(|found| Row::of(found.value()));
            if let Some(mut row) = row
                && self.take_out(&mut row, due.2)?
            {
                done.messages += 1;
                self.streams.insert(&name[..], row.row())?;
            }
        }
        Ok(())
    }

    /// Removes records of pushes that are older than `before_ms`, at most `budget` of them.
    pub fn forget_pushes(
        &mut self,
        before_ms: u64,
        budget: usize,
        done: &mut Trimmed,
    ) -> Result<()> {
        for _ in 0..budget {
            let Some((at_ms, id)) = (match self.ages.range(..(before_ms, ""))?.next() {
                Some(first) => {
                    let (key, _) = first?;
                    let (at_ms, id) = key.value();
                    Some((at_ms, id.to_owned()))
                }
                None => None,
            }) else {
                return Ok(());
            };
            self.ages.remove((at_ms, &id[..]))?;
            self.pushes.remove(&id[..])?;
            done.pushes += 1;
        }
        Ok(())
    }

    /// Removes what is too old in streams behind `after` (by name), at most `budget` messages and streams; answers the last stream
    /// it looked at, or `None` when it came to the end.
    pub fn age(
        &mut self,
        now_ms: u64,
        after: Option<&str>,
        mut budget: usize,
        done: &mut Trimmed,
    ) -> Result<Option<String>> {
        let before_ms = now_ms.saturating_sub(self.retention.max_age_ms);
        let mut names = Vec::new();
        {
            let from = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
            let range = (from, std::ops::Bound::<&str>::Unbounded);
            for entry in self.streams.range::<&str>(range)?.take(budget) {
                names.push(entry?.0.value().to_owned());
            }
        }
        let is_whole = names.len() < budget;
        let mut last = None;
        for name in names {
            let Some(mut row) = self
                .streams
                .get(&name[..])?
                .map(|found| Row::of(found.value()))
            else {
                continue;
            };
            while budget > 0
                && let Some((front, at_ms, expires_ms)) = self.front(row.id)?
                && at_ms < before_ms
            {
                budget -= 1;
                self.take_out(&mut row, front)?;
                done.messages += 1;
                if expires_ms == 0 || expires_ms > now_ms {
                    row.state.trimmed = Offset(front);
                }
                self.streams.insert(&name[..], row.row())?;
            }
            for (device, seen_ms) in self.devices_of(row.id)? {
                if seen_ms.saturating_add(Retention::DEVICE_MS) < now_ms {
                    self.devices.remove((row.id, &device[..]))?;
                    done.devices += 1;
                }
            }
            last = Some(name);
            if budget == 0 {
                return Ok(last);
            }
            budget -= 1;
        }
        Ok(if is_whole { None } else { last })
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

/// A device's row.
pub(super) fn device_state((since, acked, seen_ms): (u32, u32, u64)) -> DeviceState {
    DeviceState {
        since: Offset(since),
        acked: Offset(acked),
        seen_ms,
    }
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
