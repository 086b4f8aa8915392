//! The devices of a stream: who is known, and how much of it each has handled.

use super::super::promise::{DeviceState, Epoch, Offset, Outcome, Retention};
use super::super::rows::{device_row, device_state};
use super::{Result, Tables};
use redb::ReadableTable;

impl Tables<'_> {
    pub(super) fn register(
        &mut self,
        now_ms: u64,
        stream: &str,
        device: &str,
        keep: &[Box<str>],
    ) -> Result<Outcome> {
        let row = self.stream_or_new(stream)?;
        let key = (row.id, device);
        let former = self.devices.get(key)?.map(|found| found.value());
        let state = match former {
            Some(former) => device_state(key, former)?,
            None => {
                self.make_room_for_device(row.id, keep)?;
                DeviceState {
                    since: row.state.head,
                    acked: row.state.head,
                    seen_ms: now_ms,
                }
            }
        };
        let device = DeviceState {
            seen_ms: now_ms,
            ..state
        };
        self.devices.insert(key, device_row(key, device))?;
        Ok(Outcome::Registered {
            stream: row.state,
            device,
        })
    }

    /// At the bound, the device goes that was not heard of for longest and is not to be kept; where all are, any may go.
    fn make_room_for_device(&mut self, id: u64, keep: &[Box<str>]) -> Result<()> {
        let devices = self.devices_of(id)?;
        if devices.len() < Retention::MAX_DEVICES {
            return Ok(());
        }
        let is_kept = |name: &str| keep.iter().any(|kept| **kept == *name);
        let oldest = devices
            .into_iter()
            .min_by_key(|(name, seen_ms)| (is_kept(name), *seen_ms));
        if let Some((oldest, _)) = oldest {
            self.devices.remove((id, &oldest[..]))?;
        }
        Ok(())
    }

    /// The devices of a stream, and when they were heard of.
    pub(super) fn devices_of(&self, id: u64) -> Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        for entry in self.devices.range((id, "")..(id + 1, ""))? {
            let (key, value) = entry?;
            found.push((key.value().1.to_owned(), value.value().2));
        }
        Ok(found)
    }

    pub(super) fn ack(
        &mut self,
        now_ms: u64,
        stream: &str,
        device: &str,
        epoch: Epoch,
        offset: Offset,
    ) -> Result<()> {
        let Some(row) = self.row(stream)? else {
            return Ok(());
        };
        let key = (row.id, device);
        let Some(former) = self.devices.get(key)?.map(|found| found.value()) else {
            return Ok(());
        };
        let mut state = device_state(key, former)?;
        if epoch == row.state.epoch {
            state.acked = state.acked.max(offset.min(row.state.head));
        }
        state.seen_ms = now_ms;
        self.devices.insert(key, device_row(key, state))?;
        Ok(())
    }
}
