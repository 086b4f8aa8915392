//! The questions of connections that wait for the store's reader, pure. Users take turns, so that one who asks much waits for
//! himself; a connection has one question at a time, and a user one registration under way, because a registration is a write
//! of the store that everybody waits for.
//!
//! Bounds: one question per open connection; registrations per user as [`MAX_REGISTRATIONS`] says.

use super::reader::Subject;
use super::subscription::Ask;
use crate::store::Retention;
use heartline_protocol::User;
use std::collections::{HashMap, VecDeque};

/// New devices that a user may register at once: all that a stream remembers, twice.
pub(super) const MAX_REGISTRATIONS: u64 = 2 * Retention::MAX_DEVICES as u64;
/// In the long run one every so many milliseconds.
pub(super) const REGISTRATION_MS: u64 = 250;

/// See the module's page.
#[derive(Debug, Default)]
pub(super) struct Questions {
    users: HashMap<User, Lane>,
    /// Users in the order of their turns, each once. Who has nothing to be answered by then is passed over.
    turns: VecDeque<User>,
    registrations: HashMap<User, Allowance>,
    /// Allowances are looked through when there are so many.
    look_at: usize,
}

/// The questions of one user.
#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<(Subject, Ask)>,
    is_registering: bool,
    /// The user is in [`Questions::turns`].
    has_turn: bool,
}

/// When the allowance will be whole again, in milliseconds (GCRA, the one-number token bucket).
#[derive(Clone, Copy, Debug)]
struct Allowance(u64);

/// Entries whose room is kept, and allowances that are kept without a look at whether they are whole again.
const FEW: usize = 1_024;

impl Questions {
    /// Puts a question behind the others of its user. It takes the place of an earlier one of the same connection, whose
    /// answer is of no use any more.
    pub fn ask(&mut self, subject: Subject, ask: Ask) {
        let user = subject.stream.clone();
        let lane = self.users.entry(user.clone()).or_default();
        let mut waiting = lane.waiting.iter_mut();
        if let Some(former) = waiting.find(|(former, _)| former.at == subject.at) {
            *former = (subject, ask);
            return;
        }
        lane.waiting.push_back((subject, ask));
        if !lane.has_turn && !lane.is_registering {
            lane.has_turn = true;
            self.turns.push_back(user);
        }
    }

    /// The connection needs no answer any more: it closes, or is another user's.
    pub fn withdraw(&mut self, subject: &Subject) {
        if let Some(lane) = self.users.get_mut(&subject.stream) {
            lane.waiting.retain(|(waiting, _)| waiting.at != subject.at);
        }
    }

    /// The next question.
    pub fn next(&mut self) -> Option<(Subject, Ask)> {
        // Each round takes a turn off.
        while let Some(user) = self.turns.pop_front() {
            let Some(lane) = self.users.get_mut(&user) else {
                continue;
            };
            lane.has_turn = false;
            if lane.is_registering {
                continue;
            }
            let question = lane.waiting.pop_front();
            if lane.waiting.is_empty() {
                self.users.remove(&user);
            } else {
                lane.has_turn = true;
                self.turns.push_back(user);
            }
            if question.is_some() {
                return question;
            }
        }
        // A queue that was once long need not hold its room for ever.
        self.turns.shrink_to(FEW);
        self.users.shrink_to(FEW);
        None
    }

    /// A registration for this user begins: until [`Self::registered`], nothing more of theirs is answered. `false` when they
    /// have registered too many lately; then nothing has changed.
    pub fn may_register(&mut self, user: &User, now_ms: u64) -> bool {
        if self.registrations.len() >= self.look_at.max(FEW) {
            self.registrations
                .retain(|_, Allowance(whole_ms)| *whole_ms > now_ms);
            self.registrations.shrink_to(FEW);
            self.look_at = 2 * self.registrations.len();
        }
        let known = self.registrations.get(user);
        let whole_ms = known.map_or(now_ms, |Allowance(at)| now_ms.max(*at)) + REGISTRATION_MS;
        if whole_ms - now_ms > MAX_REGISTRATIONS * REGISTRATION_MS {
            return false;
        }
        self.registrations.insert(user.apart(), Allowance(whole_ms));
        self.users.entry(user.clone()).or_default().is_registering = true;
        true
    }

    /// The registration is over, whatever came of it.
    pub fn registered(&mut self, user: &User) {
        let Some(lane) = self.users.get_mut(user) else {
            return;
        };
        lane.is_registering = false;
        if lane.has_turn {
            return;
        }
        if lane.waiting.is_empty() {
            self.users.remove(user);
        } else {
            lane.has_turn = true;
            self.turns.push_back(user.clone());
        }
    }

    /// Questions that wait.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.users.values().map(|lane| lane.waiting.len()).sum()
    }
}

#[cfg(test)]
mod tests;
