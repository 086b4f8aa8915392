//! What time asks for: acknowledgements are written, retention takes what is too old or too much, and pushes that no device has
//! acknowledged within their deadline are told to the hook.

use super::desk::Shared;
use super::registration;
use crate::store::{Deadline, StoreError, Write};
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What the application wants to hear. Called on a thread of the server's that has other things to do: hand work on.
pub trait Hooks: Send + Sync + fmt::Debug {
    /// No device of these recipients has acknowledged a push within its deadline. Told at least once: once more only if the server
    /// ends before the store has taken that it was told.
    fn undelivered(&self, undelivered: &Undelivered);
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {
    fn undelivered(&self, undelivered: &Undelivered) {
        tracing::info!(push = %undelivered.push, recipients = undelivered.to.len(), "nobody acknowledged a push in time");
    }
}

/// A push that was not acknowledged in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// The push's id.
    pub push: Box<str>,
    /// The recipients no device of whom has acknowledged it, such as `user:6`.
    pub to: Vec<Box<str>>,
}

/// How often acknowledgements are written and deadlines looked for.
const TICK: Duration = Duration::from_millis(250);
/// Every so many ticks, retention has its turn.
const TRIM_TICKS: u64 = 20;
/// Every so many ticks (a second) it is seen whether the store's file still stands at its path.
const PLACE_TICKS: u64 = 4;
/// Entries that retention may remove in one turn.
const TRIM_BUDGET: usize = 2_000;
/// Deadlines carried out in one tick.
const DEADLINES: usize = 256;

pub(super) fn spawn(shared: &Arc<Shared>, ends: Receiver<()>) -> std::io::Result<JoinHandle<()>> {
    let shared = shared.clone();
    std::thread::Builder::new()
        .name("store-upkeep".into())
        .spawn(move || {
            let mut ticks = 0u64;
            let told = Arc::new(Mutex::new(Told::default()));
            let mut pauses = Pauses::default();
            let mut waits_since = Instant::now();
            while let Err(RecvTimeoutError::Timeout) = ends.recv_timeout(TICK) {
                ticks += 1;
                let may_tell = pauses.may_tell(waits_since.elapsed());
                // A panic would be a bug of ours; what else there is to do goes on.
                let done = catch_unwind(AssertUnwindSafe(|| {
                    // A store that fails is not asked more often than retention asks it.
                    if !shared.acks_have_failed() || ticks.is_multiple_of(TRIM_TICKS) {
                        shared.write_acks();
                    }
                    tick(&shared, may_tell.then_some(&told), ticks)
                }));
                waits_since = Instant::now();
                match done {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        tracing::error!(%error, "the upkeep of the store failed; it is tried again");
                    }
                    Err(_) => tracing::error!("the upkeep of the store panicked; it is tried again"),
                }
            }
        })
}

fn tick(
    shared: &Arc<Shared>,
    told: Option<&Arc<Mutex<Told>>>,
    ticks: u64,
) -> Result<(), StoreError> {
    if ticks.is_multiple_of(PLACE_TICKS) {
        shared.store.check_place();
    }
    // Each whatever becomes of the other.
    let told = told.map_or(Ok(()), |told| tell_due(shared, told));
    if ticks.is_multiple_of(TRIM_TICKS) {
        shared.store.trim(shared.clock.past_ms(), TRIM_BUDGET)?;
        registration::try_again(shared)?;
    }
    told
}

/// When deadlines are not looked at: after a pause of the process (stopped, swapped out, a snapshot of the machine), the
/// acknowledgements that came in it wait in the sockets, and have their turn first.
#[derive(Debug, Default)]
struct Pauses {
    /// Ticks in which deadlines are still not looked at.
    holds: u32,
    /// Pauses in a row, each within the hold of the one before.
    in_a_row: u32,
}

impl Pauses {
    /// Waking so much too late is a pause.
    const LATE: Duration = Duration::from_secs(1);
    /// Ticks after a pause, for sockets to be read and acknowledgements to be written.
    const HOLD: u32 = 8;
    /// A process that always comes late tells all the same.
    const MAX_IN_A_ROW: u32 = 8;

    /// Whether deadlines may be looked at after a wait that took this long.
    fn may_tell(&mut self, waited: Duration) -> bool {
        if waited >= TICK + Self::LATE && self.in_a_row < Self::MAX_IN_A_ROW {
            self.holds = Self::HOLD;
            self.in_a_row += 1;
        }
        if self.holds == 0 {
            self.in_a_row = 0;
            return true;
        }
        self.holds -= 1;
        false
    }
}

/// Deadlines that were told and that the store has not let go of yet: told once, asked to be let go of until it does. At most
/// [`DEADLINES`] and what is on its way; while the store takes nothing, those behind them wait.
type Told = BTreeMap<(u64, Box<str>), Fired>;

/// What is under way for a deadline that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fired {
    Submitted,
    Failed,
}

fn tell_due(shared: &Shared, told: &Arc<Mutex<Told>>) -> Result<(), StoreError> {
    // A little late, so that acknowledgements which came in time are written by then.
    let until_ms = shared
        .clock
        .past_ms()
        .saturating_sub(4 * TICK.as_millis() as u64);
    for deadline in shared.store.due(until_ms, DEADLINES)? {
        let key = (deadline.at_ms, deadline.push.clone());
        let known = lock(told).get(&key).copied();
        match known {
            Some(Fired::Submitted) => continue,
            Some(Fired::Failed) => {}
            None => tell(shared, &deadline)?,
        }
        lock(told).insert(key.clone(), Fired::Submitted);
        let write = Write::Fired {
            push: deadline.push,
            at_ms: deadline.at_ms,
        };
        let (of_done, of_key) = (told.clone(), key.clone());
        let submitted = shared.submit(write, move |written| {
            let mut told = lock(&of_done);
            match written {
                Ok(_) => told.remove(&of_key),
                Err(_) => told.insert(of_key, Fired::Failed),
            };
        });
        if submitted.is_err() {
            lock(told).insert(key, Fired::Failed);
        }
    }
    Ok(())
}

/// Tells the hook of a deadline, if somebody has not acknowledged.
fn tell(shared: &Shared, deadline: &Deadline) -> Result<(), StoreError> {
    match undelivered(shared, deadline) {
        Ok(None) => {}
        Ok(Some(undelivered)) => {
            // The hook is the application's: where it panics it was told all the same.
            let hook = || shared.hooks.undelivered(&undelivered);
            if catch_unwind(AssertUnwindSafe(hook)).is_err() {
                tracing::error!(push = %deadline.push, "the hook for undelivered pushes panicked");
            }
        }
        // Nobody will ever know more of it, and those behind it must not wait for it.
        Err(error @ StoreError::Damaged { .. }) => {
            tracing::error!(%error, push = %deadline.push, "a deadline is given up");
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    // Every change is whole before anything that could panic.
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who has not acknowledged a push of which the deadline has come.
fn undelivered(shared: &Shared, deadline: &Deadline) -> Result<Option<Undelivered>, StoreError> {
    let mut to = Vec::new();
    if let Some(push) = shared.store.push(&deadline.push)? {
        for (stream, _, offset) in push.places {
            if !shared.store.receipts(&stream, offset, 0)?.acked {
                to.push(stream);
            }
        }
    }
    let push = deadline.push.clone();
    Ok((!to.is_empty()).then_some(Undelivered { push, to }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_pause_acknowledgements_have_their_turn_before_deadlines() {
        let (in_time, late) = (TICK, TICK + Duration::from_secs(60));
        let mut pauses = Pauses::default();
        assert!(pauses.may_tell(in_time));
        assert!(!pauses.may_tell(late));
        for _ in 1..Pauses::HOLD {
            assert!(!pauses.may_tell(in_time));
        }
        assert!(pauses.may_tell(in_time));
        let told = (0..100).filter(|_| pauses.may_tell(late)).count();
        assert!(told >= 5, "one that always comes late tells too: {told}");
    }
}
