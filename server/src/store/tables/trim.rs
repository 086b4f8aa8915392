//! What time asks of the tables: what has expired, what is too old, who was not heard of for long. First it is looked for, which writes
//! nothing; only where there is something is it then removed.

use super::super::promise::{Offset, Retention, Trimmed};
use super::super::rows::{EntryRow, Row, entry_is_intact};
use super::{AGES, DEVICES, ENTRIES, EXPIRIES, Result, STREAMS, Tables};
use redb::{ReadTransaction, ReadableTable, StorageError};
use std::ops::Bound::{Excluded, Unbounded};

/// What one turn of retention has to do.
#[derive(Debug)]
pub(in super::super) struct Chore {
    /// Something has expired, or a record of a push is too old.
    is_due: bool,
    /// Streams that have something too old.
    streams: Vec<String>,
    /// The last stream that was looked at; `None` when that was the end.
    pub last: Option<String>,
}

impl Chore {
    /// Whether nothing is to be written.
    pub fn is_none(&self) -> bool {
        !self.is_due && self.streams.is_empty()
    }
}

/// Looks for what is too old in streams behind `after` (by name): at so many streams, their oldest messages and their devices, and at the
/// last of them whole.
pub(in super::super) fn look(
    transaction: &ReadTransaction,
    now_ms: u64,
    max_age_ms: u64,
    after: Option<&str>,
    budget: usize,
) -> std::result::Result<Chore, redb::Error> {
    let before_ms = now_ms.saturating_sub(max_age_ms);
    let expiries = transaction.open_table(EXPIRIES)?;
    let ages = transaction.open_table(AGES)?;
    let mut chore = Chore {
        is_due: expiries
            .range(..(now_ms.saturating_add(1), 0, 0))?
            .next()
            .is_some()
            || ages.range(..(before_ms, ""))?.next().is_some(),
        streams: Vec::new(),
        last: None,
    };
    let streams = transaction.open_table(STREAMS)?;
    let entries = transaction.open_table(ENTRIES)?;
    let devices = transaction.open_table(DEVICES)?;
    let mut left = budget;
    let from = after.map_or(Unbounded, Excluded);
    for stream in streams.range::<&str>((from, Unbounded))? {
        if left == 0 {
            return Ok(chore);
        }
        let (name, row) = stream?;
        let (name, (id, ..)) = (name.value(), row.value());
        left -= 1;
        let (aged, passed) = aged_through(&entries, id, now_ms, before_ms)?;
        left = left.saturating_sub(passed);
        let mut is_old = aged.is_some();
        for device in devices.range((id, "")..(id + 1, ""))? {
            left = left.saturating_sub(1);
            is_old |= is_forgotten(device?.1.value().2, now_ms);
        }
        if is_old {
            chore.streams.push(name.to_owned());
        }
        chore.last = Some(name.to_owned());
    }
    chore.last = None;
    Ok(chore)
}

impl Tables<'_> {
    /// Carries out what [`look`] has found, at most `budget` removals of each kind.
    pub fn carry_out(&mut self, now_ms: u64, chore: &Chore, budget: usize) -> Result<Trimmed> {
        let mut done = Trimmed::default();
        let before_ms = now_ms.saturating_sub(self.retention.max_age_ms);
        self.expire(now_ms, budget, &mut done)?;
        self.forget_pushes(before_ms, budget, &mut done)?;
        let mut left = budget;
        for name in &chore.streams {
            self.age(name, now_ms, &mut left, &mut done)?;
        }
        Ok(done)
    }

    /// Removes what has expired.
    fn expire(&mut self, now_ms: u64, budget: usize, done: &mut Trimmed) -> Result<()> {
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
            if let Some(mut row) = self.row_if_intact(&name)?
                && self.take_out(&mut row, due.2)?
            {
                done.messages += 1;
                self.streams.insert(&name[..], row.row(&name))?;
            }
        }
        Ok(())
    }

    /// A stream that is damaged must not keep retention from the others.
    fn row_if_intact(&self, name: &str) -> Result<Option<Row>> {
        match self.row(name) {
            Err(StorageError::Corrupted(reason)) => {
                tracing::error!(reason, "retention passes a damaged stream over");
                Ok(None)
            }
            row => row,
        }
    }

    /// Removes records of pushes that are older than `before_ms`.
    fn forget_pushes(&mut self, before_ms: u64, budget: usize, done: &mut Trimmed) -> Result<()> {
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

    /// Removes what is too old in a stream, and its devices that were not heard of for long.
    fn age(&mut self, name: &str, now_ms: u64, left: &mut usize, done: &mut Trimmed) -> Result<()> {
        let before_ms = now_ms.saturating_sub(self.retention.max_age_ms);
        let Some(mut row) = self.row_if_intact(name)? else {
            return Ok(());
        };
        let mut through = 0;
        while *left > 0
            && let Some((front, at_ms, expires_ms)) = self.front(row.id)?
        {
            if front > through && at_ms >= before_ms {
                let (aged, _) = aged_through(&self.entries, row.id, now_ms, before_ms)?;
                let Some(aged) = aged else {
                    break;
                };
                through = aged;
            }
            *left -= 1;
            self.take_out(&mut row, front)?;
            done.messages += 1;
            if expires_ms == 0 || expires_ms > now_ms {
                row.state.trimmed = Offset(front);
            }
            self.streams.insert(name, row.row(name))?;
        }
        for (device, seen_ms) in self.devices_of(row.id)? {
            if *left > 0 && is_forgotten(seen_ms, now_ms) {
                *left -= 1;
                self.devices.remove((row.id, &device[..]))?;
                done.devices += 1;
            }
        }
        Ok(())
    }
}

/// The offset through which the messages of a stream are too old, and how many were passed over to find it. A message that is
/// stamped later than now was stamped by a clock that was wrong: it is at least as old as the next one that is not, and must not
/// keep that one. Only such messages are passed over, at most a stream's whole (`store.max_messages`).
fn aged_through(
    entries: &impl ReadableTable<(u64, u32), EntryRow>,
    id: u64,
    now_ms: u64,
    before_ms: u64,
) -> std::result::Result<(Option<u32>, usize), StorageError> {
    let mut passed = 0;
    for entry in entries.range((id, 0)..=(id, u32::MAX))? {
        let (key, value) = entry?;
        let (place, value) = (key.value(), value.value());
        let is_ahead = value.0 > now_ms;
        // The stamp of a damaged message says nothing of those before it.
        if !is_ahead && (passed == 0 || entry_is_intact(place, value).is_ok()) {
            return Ok(((value.0 < before_ms).then_some(place.1), passed));
        }
        passed += 1;
    }
    Ok((None, passed))
}

fn is_forgotten(seen_ms: u64, now_ms: u64) -> bool {
    seen_ms.saturating_add(Retention::DEVICE_MS) < now_ms
}
