//! What one device's app gets of its stream: every message once and in order, or in a gap that is true and was told.

use super::log::Log;
use heartline_client_core::GapReason;

/// What is known of one device.
#[derive(Debug, Default)]
pub(super) struct Follow {
    /// Its stream.
    pub stream: usize,
    /// Where the store has registered it: it is owed everything behind that.
    base: Option<(u64, u32)>,
    /// Where it was logged in because the store could not register it: it may begin there.
    unregistered: Vec<(u64, u32)>,
    /// Where its storage stands: everything up to there was handled, or told as a gap.
    at: Option<(u64, u32)>,
    /// Where its app stands: further, where the storage fails.
    stands: Option<(u64, u32)>,
    /// The last offset of the present epoch that was handled by a callback.
    called: u32,
    hand: Option<Hand>,
}

/// What the app is called for.
#[derive(Clone, Copy, Debug)]
struct Hand {
    epoch: u64,
    /// Where the device stands when it is handled.
    to: u32,
    is_message: bool,
    /// Whether it runs, or has returned well, or not.
    state: Option<bool>,
    failures: u32,
}

/// So many failures make a message poisonous.
const MAX_FAILURES: u32 = 5;

impl Follow {
    pub fn at(&self) -> Option<(u64, u32)> {
        self.at
    }

    /// What it may acknowledge.
    pub fn acknowledgeable(&self) -> u32 {
        let epoch = self.stands.map(|(epoch, _)| epoch);
        let at = self.at.filter(|(of, _)| Some(*of) == epoch);
        at.map_or(0, |(_, handled)| handled)
    }

    /// Whether a login may say that: what is stored, and all of it; nothing, in an epoch that is not stored.
    pub fn may_say(&self, epoch: u64, handled: u32) -> bool {
        let is_its_epoch = self.stands.is_some_and(|(of, _)| of == epoch);
        let is_set_back = self.stands < self.at;
        is_its_epoch
            && (handled == self.acknowledgeable()
                || (is_set_back && handled < self.acknowledgeable()))
    }

    /// The most that the store may take for acknowledged, in this epoch.
    pub fn most(&self, epoch: Option<u64>) -> u32 {
        let unregistered = self.unregistered.iter().copied();
        let places = [self.at, self.base]
            .into_iter()
            .flatten()
            .chain(unregistered);
        let of_it = places.filter(|(of, _)| Some(*of) == epoch);
        of_it.map(|(_, offset)| offset).max().unwrap_or(0)
    }

    /// What came before it was registered, in the present epoch.
    pub fn since(&self) -> u32 {
        let base = self
            .base
            .filter(|(epoch, _)| self.at.is_some_and(|at| at.0 == *epoch));
        base.map_or(0, |(_, since)| since)
    }

    pub fn registered(&mut self, epoch: u64, head: u32) {
        if self.base.is_none_or(|(former, _)| former != epoch) {
            self.base = Some((epoch, head));
        }
    }

    pub fn begins_unregistered(&mut self, epoch: u64, at: u32) {
        self.unregistered.push((epoch, at));
    }

    pub fn begin(&mut self, now: u64, logs: &[Log], offset: u32, n: u32) -> Result<(), String> {
        let Some((epoch, handled)) = self.stands else {
            return Err(format!("is called for {offset} before it stands anywhere"));
        };
        let log = find(logs, epoch)?;
        let entry = log.entry(offset);
        if entry.is_none_or(|entry| entry.n != n) {
            return Err(format!(
                "gets push {n} at {offset} of {epoch:x}, where the store has {:?}",
                entry.map(|entry| entry.n)
            ));
        }
        self.is_free()?;
        if offset <= handled {
            return Err(format!(
                "gets {offset} (push {n}) again: {handled} is stored"
            ));
        }
        if let Some(owed) = log.owed(now, handled, offset) {
            return Err(format!(
                "gets {offset} (push {n}) after {handled}: {owed} was left out in silence"
            ));
        }
        let failures = self.failures(epoch, offset, true);
        self.hand = Some(Hand {
            epoch,
            to: offset,
            is_message: true,
            state: None,
            failures,
        });
        Ok(())
    }

    pub fn gap(
        &mut self,
        now: u64,
        logs: &[Log],
        epoch: u64,
        (from, to): (u32, u32),
        reason: GapReason,
    ) -> Result<(), String> {
        let Some((present, handled)) = self.stands else {
            return Err(format!(
                "is told of a gap {from}..{to} before it stands anywhere"
            ));
        };
        self.is_free()?;
        let log = match find(logs, epoch) {
            // The stream could not be created for its login: it stands at the head of one that is empty.
            Err(_) if self.unregistered.contains(&(epoch, 0)) => &Log {
                epoch,
                entries: Vec::new(),
                trimmed: 0,
            },
            found => found?,
        };
        let told = format!("is told of a gap {from}..{to} of {epoch:x} ({reason:?})");
        if to > log.trimmed {
            return Err(format!("{told}, but only {} is gone", log.trimmed));
        }
        if epoch == present {
            if from <= self.called {
                return Err(format!("{told}, but its app has handled {}", self.called));
            }
            if let Some(owed) = log.owed(now, handled, from) {
                return Err(format!("{told}, and {owed} was left out in silence"));
            }
        } else if reason != GapReason::Epoch {
            return Err(format!("{told}, but it stands in {present:x}"));
        } else if from != 1 {
            return Err(format!("{told}: of the new epoch, 1 is the first"));
        }
        let failures = self.failures(epoch, to, false);
        self.hand = Some(Hand {
            epoch,
            to,
            is_message: false,
            state: None,
            failures,
        });
        Ok(())
    }

    pub fn returned(&mut self, ok: bool) {
        if let Some(hand) = &mut self.hand {
            hand.state = Some(ok);
            hand.failures += u32::from(!ok);
        }
    }

    pub fn poisoned(&mut self, offset: u32) -> Result<(), String> {
        match &mut self.hand {
            Some(hand) if hand.to == offset && hand.failures >= MAX_FAILURES => {
                hand.state = Some(true);
                Ok(())
            }
            other => Err(format!("gives {offset} up, its app has {other:?} in hand")),
        }
    }

    pub fn stored(&mut self, epoch: u64, handled: u32, ok: bool) -> Result<(), String> {
        self.stood(epoch, handled)?;
        if ok {
            self.at = self.stands;
        }
        Ok(())
    }

    /// The device takes it that everything up to here was handled.
    fn stood(&mut self, epoch: u64, handled: u32) -> Result<(), String> {
        let place = (epoch, handled);
        if self.stands == Some(place) && self.hand.is_none_or(|hand| (hand.epoch, hand.to) != place)
        {
            return Ok(());
        }
        if self.stands.is_none() {
            if self.base != Some(place) && !self.unregistered.contains(&place) {
                return Err(format!(
                    "begins at {handled} of {epoch:x}, it was registered at {:x?}",
                    self.base
                ));
            }
            self.stands = Some(place);
            return Ok(());
        }
        match self.hand {
            Some(hand) if hand.state == Some(true) && (hand.epoch, hand.to) == place => {
                if self.stands.is_some_and(|(former, _)| former != epoch) {
                    self.called = 0;
                }
                if hand.is_message {
                    self.called = handled;
                }
                self.stands = Some(place);
                self.hand = None;
                Ok(())
            }
            hand => Err(format!(
                "stores {handled} of {epoch:x} over {:x?}, in hand is {hand:x?}",
                self.stands
            )),
        }
    }

    pub fn killed(&mut self) {
        self.hand = None;
        // What was not stored comes again.
        let is_same = self.at.map(|at| at.0) == self.stands.map(|stands| stands.0);
        let stored = self
            .at
            .filter(|_| is_same)
            .map_or(0, |(_, handled)| handled);
        self.called = self.called.min(stored);
        self.stands = self.at;
    }

    pub fn missing(&self, now: u64, logs: &[Log]) -> Option<String> {
        let Some((epoch, handled)) = self.stands else {
            return Some("stands nowhere yet".into());
        };
        if self.at != self.stands {
            return Some(format!("stands at {handled}, which is not stored"));
        }
        let log = logs.last()?;
        if log.epoch != epoch {
            return Some(format!(
                "stands in epoch {epoch:x}, the stream is in {:x}",
                log.epoch
            ));
        }
        if handled < log.trimmed {
            return Some(format!(
                "stands at {handled}, was not told that {} is gone",
                log.trimmed
            ));
        }
        log.owed(now, handled, log.head() + 1)
            .map(|owed| format!("stands at {handled}, waits for {owed} of {}", log.head()))
    }

    /// How often the app has failed with this before.
    fn failures(&self, epoch: u64, to: u32, is_message: bool) -> u32 {
        let is_it = |hand: &Hand| (hand.epoch, hand.to, hand.is_message) == (epoch, to, is_message);
        self.hand.filter(is_it).map_or(0, |hand| hand.failures)
    }

    /// Nothing runs, and nothing that was handled waits to be stored.
    fn is_free(&self) -> Result<(), String> {
        match self.hand {
            Some(hand) if hand.state != Some(false) => {
                Err(format!("is called while its app has {hand:x?} in hand"))
            }
            _ => Ok(()),
        }
    }
}

fn find(logs: &[Log], epoch: u64) -> Result<&Log, String> {
    let log = logs.iter().find(|log| log.epoch == epoch);
    log.ok_or_else(|| format!("stands in epoch {epoch:x}, which never was"))
}
