//! Who watches. The oracle knows every push, what the store made of it, and what each app was told; it says what must not be.
//!
//! - `log` – what each stream holds: gap-free offsets, nothing stored twice, no epoch given twice, nothing answered that is not stored
//! - `follow` – what one device's app gets: each message once and in order, or in a gap that is true and was told; positions that follow
//! - here – requests that settle once, acknowledgements that are true, the window
//!
//! The first thing that must not be is kept: the run ends with it.

mod follow;
mod log;

use crate::network::LinkId;
use crate::tally::Tally;
use follow::Follow;
use heartline_client_core::{GapReason, RequestId};
use heartline_server::delivery::WINDOW_MESSAGES;
use log::Log;
pub use log::Published;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// See the module's page.
#[derive(Debug)]
pub struct Oracle {
    failure: Option<String>,
    /// How long a retry is known as one.
    remembers_ms: u64,
    /// Every push that was ever tried, by its number.
    pushes: Vec<Published>,
    /// By stream: one log for each time that the server began it; the last is the present one.
    logs: Vec<Vec<Log>>,
    /// By device.
    follows: Vec<Follow>,
    /// Requests that are not settled, by device.
    asked: Vec<BTreeSet<usize>>,
    /// What is under way to each connection unacknowledged, as offsets.
    flights: BTreeMap<LinkId, VecDeque<u32>>,
    /// What happened.
    pub tally: Tally,
}

impl Oracle {
    /// An oracle for so many devices, and a store that keeps records of pushes for so long.
    pub fn new(devices: usize, remembers_ms: u64) -> Self {
        Self {
            failure: None,
            remembers_ms,
            pushes: Vec::new(),
            logs: Vec::new(),
            follows: (0..devices).map(|_| Follow::default()).collect(),
            asked: vec![BTreeSet::new(); devices],
            flights: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    /// What must not be, if it was.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Something must not be.
    pub fn fail(&mut self, what: String) {
        self.failure.get_or_insert(what);
    }

    fn judge(&mut self, verdict: Result<(), String>) {
        if let Err(what) = verdict {
            self.fail(what);
        }
    }

    // --- what apps get ---

    /// A device follows this stream.
    pub fn follows(&mut self, device: usize, stream: usize) {
        self.follows[device].stream = stream;
        while self.logs.len() <= stream {
            self.logs.push(Vec::new());
        }
    }

    /// The store has registered the device: whatever comes behind `head` is for it.
    pub fn registered(&mut self, device: usize, epoch: u64, head: u32) {
        self.follows[device].registered(epoch, head);
    }

    /// The store could not register the device: it is logged in all the same, and gets what comes behind `at`.
    pub fn begins_unregistered(&mut self, device: usize, epoch: u64, at: u32) {
        self.follows[device].begins_unregistered(epoch, at);
    }

    /// The app is called for a message.
    pub fn begin(&mut self, now: u64, device: usize, offset: u32, n: u32) {
        self.tally.count("callbacks");
        let follow = &mut self.follows[device];
        let verdict = follow.begin(now, &self.logs[follow.stream], offset, n);
        self.judge(verdict.map_err(|what| format!("device {device}: {what}")));
    }

    /// The app is told of a gap.
    pub fn told_gap(
        &mut self,
        now: u64,
        device: usize,
        epoch: u64,
        (from, to): (u32, u32),
        reason: GapReason,
    ) {
        self.tally.count(match reason {
            GapReason::Retention => "gaps of retention",
            GapReason::Epoch => "gaps of epochs",
        });
        let follow = &mut self.follows[device];
        let verdict = follow.gap(now, &self.logs[follow.stream], epoch, (from, to), reason);
        self.judge(verdict.map_err(|what| format!("device {device}: {what}")));
    }

    /// What the app was called for has returned, well or not.
    pub fn returned(&mut self, device: usize, ok: bool) {
        self.follows[device].returned(ok);
    }

    /// The client gives a message up that the app failed with.
    pub fn poisoned(&mut self, device: usize, offset: u32) {
        self.tally.count("messages given up");
        let verdict = self.follows[device].poisoned(offset);
        self.judge(verdict.map_err(|what| format!("device {device}: {what}")));
    }

    /// A position was to be written into the device's storage, and was (`ok`) or was not.
    pub fn stored(&mut self, device: usize, epoch: u64, handled: u32, ok: bool) {
        let verdict = self.follows[device].stored(epoch, handled, ok);
        self.judge(verdict.map_err(|what| format!("device {device}: {what}")));
    }

    /// The app is killed; its storage holds this.
    pub fn killed(&mut self, device: usize) {
        self.follows[device].killed();
        self.asked[device].clear();
    }

    /// What a device still waits for, if everything that is must arrive has not.
    pub fn still_missing(&self, now: u64, device: usize) -> Option<String> {
        let follow = &self.follows[device];
        follow
            .missing(now, &self.logs[follow.stream])
            .map(|what| format!("device {device}: {what}"))
    }

    /// What the store should know of a device's acknowledgements, if it does not. Of what is gone it need not; and it takes a device that
    /// it registers for one that has everything so far, also where that device is told of a new epoch and gets it all.
    pub fn not_acked(&self, device: usize, acked: Option<u32>) -> Option<String> {
        let follow = &self.follows[device];
        let (_, handled) = follow.at()?;
        let trimmed = self.logs[follow.stream].last().map_or(0, |log| log.trimmed);
        let is_fine = acked.is_some_and(|acked| {
            acked == handled.max(follow.since()) || (acked < handled && handled <= trimmed)
        });
        (!is_fine).then(|| {
            format!("device {device}: handled {handled}, the store has {acked:?} as acknowledged")
        })
    }

    /// The store takes this for acknowledged: never more than the device has stored, or was registered with.
    pub fn acked(&mut self, device: usize, acked: Option<u32>) {
        let follow = &self.follows[device];
        let present = self.logs[follow.stream].last().map(|log| log.epoch);
        let most = follow.most(present);
        if let Some(acked) = acked.filter(|acked| *acked > most) {
            self.fail(format!(
                "device {device}: the store has {acked} as acknowledged, the device has stored only {most}"
            ));
        }
    }

    // --- what is said to the server ---

    /// A device acknowledges: it must have handled and stored that.
    pub fn acknowledges(&mut self, device: usize, offset: u32) {
        let stored = self.follows[device].acknowledgeable();
        if offset > stored {
            self.fail(format!(
                "device {device}: acknowledges {offset}, but has handled and stored only {stored}"
            ));
        }
    }

    /// A device says at login where it stands.
    pub fn says(&mut self, device: usize, epoch: u64, handled: u32) {
        if !self.follows[device].may_say(epoch, handled) {
            let stored = self.follows[device].at();
            self.fail(format!(
                "device {device}: says at login that it has handled {handled} of {epoch:x}, its storage says {stored:x?}"
            ));
        }
    }

    // --- users ---

    /// A connection was sent a push: its user must be one of those it is for.
    pub fn shows(&mut self, user: usize, n: u32) {
        let is_for = (self.pushes.get(n as usize)).is_some_and(|push| push.streams.contains(&user));
        if !is_for {
            self.fail(format!(
                "user:{user} is logged in and is sent push {n}, which is for another user"
            ));
        }
    }

    // --- the window ---

    /// A connection begins anew: what was under way to it does not count.
    pub fn flight_begins(&mut self, link: LinkId) {
        self.flights.remove(&link);
    }

    /// A stored message was written to a connection.
    pub fn flies(&mut self, link: LinkId, offset: u32) {
        let flight = self.flights.entry(link).or_default();
        flight.push_back(offset);
        if flight.len() > WINDOW_MESSAGES as usize {
            self.fail(format!(
                "connection {link}: {} messages under way unacknowledged, the window is {WINDOW_MESSAGES}",
                self.flights[&link].len()
            ));
        }
    }

    /// The server has read an acknowledgement from a connection.
    pub fn lands(&mut self, link: LinkId, offset: u32) {
        if let Some(flight) = self.flights.get_mut(&link) {
            while flight.front().is_some_and(|first| *first <= offset) {
                flight.pop_front();
            }
        }
    }

    // --- promises ---

    /// The app asks.
    pub fn asks(&mut self, device: usize, id: RequestId) {
        if !self.asked[device].insert(id.0) {
            self.fail(format!("device {device}: request {} was made twice", id.0));
        }
    }

    /// A request is settled.
    pub fn settled(&mut self, device: usize, id: RequestId) {
        if !self.asked[device].remove(&id.0) {
            self.fail(format!(
                "device {device}: request {} was settled twice, or never made",
                id.0
            ));
        }
    }

    /// How many requests of a device are not settled.
    pub fn unsettled(&self, device: usize) -> usize {
        self.asked[device].len()
    }
}
