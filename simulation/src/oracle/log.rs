//! What each stream holds, as the store has said it: the truth that devices are held against.

use super::Oracle;

/// A push, as its publisher knows it.
#[derive(Debug)]
pub struct Published {
    /// To these streams.
    pub streams: Vec<usize>,
    /// It is of no use after so long.
    pub ttl_ms: Option<u64>,
    /// Only the latest of this key is kept.
    pub key: Option<u8>,
    /// When the store was last asked to take it.
    pub tried_ms: u64,
    /// And when for the first time.
    pub first_tried_ms: Option<u64>,
    /// Its publisher was told that it is stored.
    pub answered: bool,
}

/// One life of a stream: the offsets of one epoch.
#[derive(Debug)]
pub(super) struct Log {
    pub epoch: u64,
    pub entries: Vec<Entry>,
    /// Retention has removed everything up to here.
    pub trimmed: u32,
}

/// What stands at an offset.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// The push's number.
    pub n: u32,
    /// It is of no use from then on; 0: for ever.
    pub expires_ms: u64,
    /// A later one of its key has taken its place.
    pub superseded: bool,
    /// When the store was asked to take it.
    stored_ms: u64,
    key: Option<u8>,
}

impl Entry {
    /// Something that nobody has seen.
    const REMOVED: Self = Self {
        n: u32::MAX,
        expires_ms: 0,
        superseded: true,
        stored_ms: 0,
        key: None,
    };
}

impl Log {
    pub fn head(&self) -> u32 {
        self.entries.len() as u32
    }

    pub fn entry(&self, offset: u32) -> Option<&Entry> {
        self.entries.get((offset as usize).checked_sub(1)?)
    }

    /// The first of these offsets that may not be left out: from behind `after` to before `before`.
    pub fn owed(&self, now: u64, after: u32, before: u32) -> Option<u32> {
        (after.saturating_add(1)..before).find(|offset| {
            self.entry(*offset).is_some_and(|entry| {
                let has_expired = entry.expires_ms > 0 && entry.expires_ms <= now;
                !has_expired && !entry.superseded
            })
        })
    }
}

impl Oracle {
    /// Somebody publishes; the number of the push is its place in the order of these calls.
    pub fn published(&mut self, push: Published) {
        self.pushes.push(push);
    }

    /// The store is asked to take a push now.
    pub fn tries(&mut self, now: u64, n: u32) {
        let push = &mut self.pushes[n as usize];
        push.tried_ms = now;
        push.first_tried_ms.get_or_insert(now);
    }

    /// The store has put a push into a stream, or says that it was there before.
    pub fn written(&mut self, stream: usize, (epoch, offset): (u64, u32), n: u32, is_repeat: bool) {
        self.tally.count(if is_repeat {
            "retries known as such"
        } else {
            "pushes stored"
        });
        let verdict = if is_repeat {
            self.is_there(stream, (epoch, offset), n)
        } else {
            self.append(stream, (epoch, offset), n)
        };
        self.judge(verdict);
    }

    /// The stream exists in this epoch.
    pub fn stands(&mut self, stream: usize, epoch: u64) {
        let verdict = self.log(stream, epoch).map(|_| ());
        self.judge(verdict);
    }

    /// The publisher is told that its push is stored.
    pub fn answered(&mut self, n: u32) {
        self.pushes[n as usize].answered = true;
        let push = &self.pushes[n as usize];
        let is_in = |stream: &usize| {
            let mut logs = self.logs[*stream].iter();
            logs.any(|log| log.entries.iter().any(|entry| entry.n == n))
        };
        if !push.streams.iter().all(is_in) {
            self.fail(format!("push {n} was answered and is not stored"));
        }
    }

    /// How far retention has gone.
    pub fn trimmed(&mut self, stream: usize, epoch: u64, trimmed: u32) {
        if let Some(log) = self.logs[stream]
            .last_mut()
            .filter(|log| log.epoch == epoch)
        {
            log.trimmed = log.trimmed.max(trimmed);
        }
    }

    /// What the store holds after a restart: all that was written, and perhaps what was being written.
    pub fn found(
        &mut self,
        stream: usize,
        (epoch, head, trimmed): (u64, u32, u32),
        entries: &[(u32, u32)],
    ) {
        let verdict = self.compare(stream, (epoch, head), entries);
        self.judge(verdict);
        self.trimmed(stream, epoch, trimmed);
    }

    /// The stream is not in the store after a restart.
    pub fn not_found(&mut self, stream: usize) {
        if let Some(log) = self.logs[stream].last()
            && !log.is_over()
        {
            self.fail(format!("user:{stream} is gone from the store"));
        }
    }

    /// The data folder is deleted: every stream ends.
    pub fn deleted(&mut self) {
        for logs in &mut self.logs {
            // What comes next stands in an epoch of its own, or is a failure.
            if logs.last().is_some_and(|log| !log.is_over()) {
                logs.push(Log {
                    epoch: 0,
                    entries: Vec::new(),
                    trimmed: 0,
                });
            }
        }
    }

    /// The present log, which must be of this epoch.
    fn log(&mut self, stream: usize, epoch: u64) -> Result<&mut Log, String> {
        let logs = &mut self.logs[stream];
        let is_new = logs.last().is_none_or(Log::is_over);
        if is_new {
            if logs.iter().any(|log| log.epoch == epoch) {
                return Err(format!(
                    "user:{stream} begins anew in epoch {epoch:x}, which it had before"
                ));
            }
            logs.retain(|log| !log.is_over());
            logs.push(Log {
                epoch,
                entries: Vec::new(),
                trimmed: 0,
            });
        }
        let log = logs.last_mut().filter(|log| log.epoch == epoch);
        log.ok_or_else(|| format!("user:{stream} is suddenly in epoch {epoch:x}"))
    }

    fn append(&mut self, stream: usize, (epoch, offset): (u64, u32), n: u32) -> Result<(), String> {
        let push = &self.pushes[n as usize];
        let (key, tried_ms, ttl_ms) = (push.key, push.tried_ms, push.ttl_ms);
        let remembers_ms = self.remembers_ms;
        let log = self.log(stream, epoch)?;
        if offset != log.head() + 1 {
            return Err(format!(
                "user:{stream} gives offset {offset} after {}",
                log.head()
            ));
        }
        // Retries are known by records that retention removes as well.
        let is_known = |entry: &Entry| entry.n == n && tried_ms <= entry.stored_ms + remembers_ms;
        if let Some(at) = log.entries.iter().position(is_known) {
            return Err(format!(
                "push {n} is stored twice in user:{stream}: at {} and {offset}",
                at + 1
            ));
        }
        if key.is_some() {
            let former = log.entries.iter_mut().filter(|entry| entry.key == key);
            former.for_each(|entry| entry.superseded = true);
        }
        log.entries.push(Entry {
            n,
            expires_ms: ttl_ms.map_or(0, |ttl| tried_ms + ttl),
            superseded: false,
            stored_ms: tried_ms,
            key,
        });
        Ok(())
    }

    /// What one of its earlier tries has stored, nobody knows which: its time may have run since the first.
    fn append_earlier(&mut self, stream: usize, place: (u64, u32), n: u32) -> Result<(), String> {
        let push = &self.pushes[n as usize];
        let first = push.first_tried_ms.unwrap_or(push.tried_ms);
        let expires_ms = push.ttl_ms.map_or(0, |ttl| first + ttl);
        self.append(stream, place, n)?;
        if let Some(entry) = self.log(stream, place.0)?.entries.last_mut() {
            entry.expires_ms = expires_ms;
        }
        Ok(())
    }

    fn is_there(
        &mut self,
        stream: usize,
        (epoch, offset): (u64, u32),
        n: u32,
    ) -> Result<(), String> {
        let log = self.log(stream, epoch)?;
        match log.entries.get_mut(offset as usize - 1) {
            Some(entry) if entry.n == n => Ok(()),
            Some(entry) if entry.n == Entry::REMOVED.n => {
                entry.n = n;
                Ok(())
            }
            // An earlier try that was said to have failed, and has not.
            None => self.append_earlier(stream, (epoch, offset), n),
            Some(entry) => Err(format!(
                "push {n} is said to be at {offset} of user:{stream}, where {} is",
                entry.n
            )),
        }
    }

    fn compare(
        &mut self,
        stream: usize,
        (epoch, head): (u64, u32),
        entries: &[(u32, u32)],
    ) -> Result<(), String> {
        let known = self.log(stream, epoch)?.head();
        if head < known {
            return Err(format!(
                "user:{stream} had {known} pushes that were stored, and has {head} after a restart"
            ));
        }
        for (offset, n) in entries.iter().filter(|(offset, _)| *offset <= known) {
            self.is_there(stream, (epoch, *offset), *n)?;
        }
        for offset in known + 1..=head {
            self.tally
                .count("pushes found stored that were not answered");
            match entries.iter().find(|(at, _)| *at == offset) {
                Some((_, n)) => self.append_earlier(stream, (epoch, offset), *n)?,
                // Removed in the very commit that wrote it.
                None => self.log(stream, epoch)?.entries.push(Entry::REMOVED),
            }
        }
        Ok(())
    }
}

impl Log {
    /// A mark that the folder was deleted, not a log.
    fn is_over(&self) -> bool {
        self.epoch == 0
    }
}
