//! Which logged-in connection belongs to whom, and what Redis has not been told of it yet. Pure: no Redis, no task.
//!
//! What is untold is kept per connection, newest state only, so that a slow or absent Redis can never make it
//! grow: at most one line and one place in the queue per live connection, plus [`MAX_CLOSED_WAITING`].

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use heartline_protocol::User;

/// The logged-in connections of this server.
#[derive(Default)]
pub(super) struct Picture {
    lines: HashMap<u64, Line>,
    /// Connections with something untold, each once.
    queue: VecDeque<u64>,
    /// Lines that are closed and wait only to be told of.
    closed_waiting: usize,
    /// Redis can be written to: closed connections are worth remembering until it was told.
    link_up: bool,
    /// Something was dropped at a bound: compare Redis with the lines.
    compare: bool,
}

/// One logged-in connection.
struct Line {
    user: User,
    /// Its last sign of life that counts for `online:`: a login or a client ping.
    signed: Instant,
    /// Its last client ping.
    pinged: Option<Instant>,
    ping_untold: bool,
    queued: bool,
    /// Part of a batch at least once: Redis may know of it.
    told: bool,
    repair: bool,
    closed: bool,
}

/// One thing to tell Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// The connection belongs to this user.
    Put {
        number: u64,
        user: User,
        signed: Instant,
        /// A ping that `active:` does not show yet.
        pinged: Option<Instant>,
        /// Told again after a loss: must not put times back.
        repair: bool,
    },
    /// The connection is no more.
    Drop {
        number: u64,
        user: User,
        pinged: Option<Instant>,
    },
}

impl Picture {
    pub(super) fn login(&mut self, number: u64, user: &User, now: Instant) {
        let line = self
            .lines
            .entry(number)
            .or_insert_with(|| Line::new(user.clone(), now));
        if line.closed {
            return; // numbers are never used again, so this is a straggler
        }
        if line.user != *user {
            line.user = user.clone();
            (line.pinged, line.ping_untold) = (None, false);
        }
        line.signed = now;
        self.enqueue(number);
    }

    pub(super) fn ping(&mut self, number: u64, now: Instant) {
        let Some(line) = self.lines.get_mut(&number).filter(|line| !line.closed) else {
            return;
        };
        line.signed = now;
        line.pinged = Some(now);
        line.ping_untold = true;
        self.enqueue(number);
    }

    pub(super) fn closed(&mut self, number: u64) {
        let Some(line) = self.lines.get_mut(&number).filter(|line| !line.closed) else {
            return;
        };
        let nothing_to_tell = !line.told && !line.ping_untold;
        let full = self.closed_waiting >= MAX_CLOSED_WAITING;
        if !self.link_up || nothing_to_tell || full {
            // While the link is down the comparison on return finds what Redis still holds of it.
            self.compare |= full;
            self.lines.remove(&number);
            return;
        }
        line.closed = true;
        self.closed_waiting += 1;
        self.enqueue(number);
    }

    /// The next things to tell, oldest first, at most `most`.
    pub(super) fn take_batch(&mut self, most: usize) -> Vec<Change> {
        let mut batch = Vec::new();
        while batch.len() < most {
            let Some(number) = self.queue.pop_front() else {
                break;
            };
            let Some(line) = self.lines.get_mut(&number) else {
                continue;
            };
            line.queued = false;
            let pinged = line
                .pinged
                .filter(|_| std::mem::take(&mut line.ping_untold));
            if line.closed {
                self.closed_waiting -= 1;
                batch.push(Change::Drop {
                    number,
                    user: line.user.clone(),
                    pinged,
                });
                self.lines.remove(&number);
            } else {
                line.told = true;
                let repair = std::mem::take(&mut line.repair);
                batch.push(Change::Put {
                    number,
                    user: line.user.clone(),
                    signed: line.signed,
                    pinged,
                    repair,
                });
            }
        }
        batch
    }

    /// The link is there, and nothing is known of what Redis holds: tell it of every connection again.
    /// Returns how many there are.
    pub(super) fn link_up_tell_all(&mut self) -> usize {
        self.link_up = true;
        self.compare = false;
        let lines = &self.lines;
        self.queue
            .retain(|number| lines.get(number).is_some_and(|line| line.closed));
        let mut live: Vec<(Instant, u64)> = Vec::with_capacity(self.lines.len());
        for (number, line) in self.lines.iter_mut().filter(|(_, line)| !line.closed) {
            line.repair = true;
            line.queued = false;
            line.ping_untold = line.pinged.is_some();
            live.push((line.signed, *number));
        }
        live.sort_unstable(); // so that of one user's connections the latest sign is told last
        live.iter().for_each(|&(_, number)| self.enqueue(number));
        live.len()
    }

    /// The link is lost: from here on only live connections are remembered.
    pub(super) fn link_down(&mut self) {
        self.link_up = false;
        self.lines.retain(|_, line| !line.closed);
        self.closed_waiting = 0;
        let lines = &self.lines;
        self.queue.retain(|number| lines.contains_key(number));
    }

    /// Whether the connection is logged in, or closed with Redis still to be told.
    pub(super) fn knows(&self, number: u64) -> bool {
        self.lines.contains_key(&number)
    }

    /// How many connections Redis must hold for us, if it has been told everything.
    pub(super) fn settled_count(&self) -> Option<usize> {
        self.queue.is_empty().then_some(self.lines.len())
    }

    /// Whether a bound was hit since the last time all was told.
    pub(super) fn wants_comparison(&self) -> bool {
        self.compare
    }

    fn enqueue(&mut self, number: u64) {
        if let Some(line) = self.lines.get_mut(&number)
            && !line.queued
        {
            line.queued = true;
            self.queue.push_back(number);
        }
        // A line that left without being told leaves its number behind; do not let those outnumber the lines.
        if self.queue.len() > 2 * self.lines.len() + QUEUE_SLACK {
            let lines = &self.lines;
            self.queue.retain(|number| lines.contains_key(number));
        }
    }
}

impl Line {
    fn new(user: User, now: Instant) -> Self {
        Self {
            user,
            signed: now,
            pinged: None,
            ping_untold: false,
            queued: false,
            told: false,
            repair: false,
            closed: false,
        }
    }
}

/// Closed connections that may wait to be told of. Beyond, they are forgotten and found again by comparison.
pub(super) const MAX_CLOSED_WAITING: usize = 100_000;

/// Stale queue entries that are not worth a clean-up.
const QUEUE_SLACK: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn user(text: &str) -> User {
        User::parse(text).unwrap()
    }

    /// Plays words such as `up; login 1 user:6; ping 1; close 1; batch` one second apart; returns what was told,
    /// with times as seconds since the start.
    fn play(story: &str) -> String {
        let start = Instant::now();
        let mut picture = Picture::default();
        let mut told = Vec::new();
        for (second, step) in story.split(';').enumerate() {
            let now = start + Duration::from_secs(second as u64);
            let since = |at: Instant| (at - start).as_secs();
            let words: Vec<&str> = step.split_whitespace().collect();
            let number = || words[1].parse().unwrap();
            match words[0] {
                "up" => drop(picture.link_up_tell_all()),
                "down" => picture.link_down(),
                "login" => picture.login(number(), &user(words[2]), now),
                "ping" => picture.ping(number(), now),
                "close" => picture.closed(number()),
                "batch" => told.extend(picture.take_batch(100).into_iter().map(
                    |change| match change {
                        Change::Put {
                            number,
                            user,
                            signed,
                            pinged,
                            repair,
                        } => format!(
                            "put {number} {} @{}{}{}",
                            user.as_str(),
                            since(signed),
                            pinged.map_or(String::new(), |at| format!(" ping@{}", since(at))),
                            if repair { " repair" } else { "" }
                        ),
                        Change::Drop {
                            number,
                            user,
                            pinged,
                        } => format!(
                            "drop {number} {}{}",
                            user.as_str(),
                            pinged.map_or(String::new(), |at| format!(" ping@{}", since(at)))
                        ),
                    },
                )),
                other => panic!("no such step: {other}"),
            }
        }
        told.join("; ")
    }

    #[test]
    fn a_life_is_told_in_order() {
        assert_eq!(
            play("up; login 1 user:6; batch; ping 1; batch; close 1; batch"),
            "put 1 user:6 @1; put 1 user:6 @3 ping@3; drop 1 user:6"
        );
    }

    #[test]
    fn only_the_newest_state_is_told() {
        assert_eq!(
            play("up; login 1 user:6; ping 1; ping 1; login 1 user:7; batch; batch"),
            "put 1 user:7 @4"
        );
        assert_eq!(play("up; login 1 user:6; close 1; batch"), "");
        assert_eq!(
            play("up; login 1 user:6; ping 1; close 1; batch"),
            "drop 1 user:6 ping@2"
        );
    }

    #[test]
    fn after_an_outage_all_who_live_are_told_and_the_dead_are_not_remembered() {
        assert_eq!(
            play(
                "up; login 1 user:6; login 2 user:6; ping 1; batch; down; close 2; login 3 user:8; up; batch"
            ),
            "put 1 user:6 @3 ping@3; put 2 user:6 @2; put 1 user:6 @3 ping@3 repair; put 3 user:8 @7 repair"
        );
    }

    #[test]
    fn strangers_and_stragglers_change_nothing() {
        assert_eq!(play("up; ping 1; close 1; batch"), "");
        assert_eq!(
            play("up; login 1 user:6; batch; close 1; ping 1; login 1 user:7; close 1; batch"),
            "put 1 user:6 @1; drop 1 user:6"
        );
    }

    #[test]
    fn churn_while_redis_is_away_leaves_nothing_behind() {
        let mut picture = Picture::default();
        for number in 0..100_000 {
            picture.login(number, &user("user:6"), Instant::now());
            picture.ping(number, Instant::now());
            picture.closed(number);
        }
        assert_eq!(picture.lines.len(), 0);
        assert!(
            picture.queue.len() <= QUEUE_SLACK + 2,
            "{}",
            picture.queue.len()
        );
    }

    #[test]
    fn at_the_bound_of_waiting_closes_a_comparison_is_asked_for() {
        let mut picture = Picture::default();
        picture.link_up_tell_all();
        for number in 0..=MAX_CLOSED_WAITING as u64 {
            picture.login(number, &user("user:6"), Instant::now());
            picture.take_batch(1);
            picture.lines.get_mut(&number).unwrap().told = true;
        }
        (0..MAX_CLOSED_WAITING as u64).for_each(|number| picture.closed(number));
        assert!(!picture.wants_comparison());
        picture.closed(MAX_CLOSED_WAITING as u64);
        assert!(picture.wants_comparison());
        assert_eq!(picture.closed_waiting, MAX_CLOSED_WAITING);
    }
}
