//! A failing seed, cut down: fewer faults, fewer devices, an earlier end, for as long as it still fails. Then its story.

use crate::fault::Faults;
use crate::mutant::Mutant;
use crate::plan::{Cut, Plan};
use crate::run::play;
use std::fmt;

/// A failure that is as small as it was made.
#[derive(Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What it was cut down to.
    pub cut: Cut,
    /// What is left of its plan.
    pub plan: Plan,
    /// What must not be.
    pub what: String,
    /// The last events.
    pub story: Vec<String>,
}

/// Runs that the search may take.
const TRIES: u32 = 250;

/// Cuts a failing seed down, and tells the last `keeps` of its events.
pub fn shrink(seed: u64, mutant: Option<Mutant>, keeps: usize) -> Failure {
    let whole = Plan::draw(seed, &Cut::NONE);
    let mut search = Search {
        seed,
        mutant,
        cut: Cut {
            horizon_ms: whole.horizon_ms,
            faults: whole.faults,
            ..Cut::NONE
        },
        tries: TRIES,
    };
    let users = whole.devices.len();
    let _ = (1..users).any(|users| search.fails(|cut| cut.users = users));
    let _ = (1..3).any(|devices| search.fails(|cut| cut.devices = devices));
    for fault in whole.faults.iter() {
        search.fails(|cut| cut.faults = cut.faults.without(fault));
    }
    // The earliest end, by halves and then by ever smaller steps.
    for part in [2, 4, 8, 16] {
        while search.fails(|cut| cut.horizon_ms -= (cut.horizon_ms / part).max(1)) {}
    }
    let cut = search.cut;
    let ending = play(seed, &cut, mutant, keeps);
    Failure {
        seed,
        plan: Plan::draw(seed, &cut),
        cut,
        what: ending.failure.unwrap_or_default(),
        story: ending.story,
    }
}

struct Search {
    seed: u64,
    mutant: Option<Mutant>,
    cut: Cut,
    tries: u32,
}

impl Search {
    /// Whether it still fails when it is cut down so; if it does, it is.
    fn fails(&mut self, cut_down: impl FnOnce(&mut Cut)) -> bool {
        let mut cut = self.cut;
        cut_down(&mut cut);
        let is_worth = self.tries > 0 && cut.horizon_ms < u64::MAX && cut.horizon_ms > 0;
        if !is_worth || play(self.seed, &cut, self.mutant, 0).failure.is_none() {
            self.tries = self.tries.saturating_sub(1);
            return false;
        }
        self.tries -= 1;
        self.cut = cut;
        true
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.what)?;
        let plan = &self.plan;
        let faults: Faults = plan.faults;
        writeln!(
            f,
            "cut down to {} ms of faults {faults:?}, devices {:?}, {}",
            plan.horizon_ms,
            plan.devices,
            if plan.crash_disk {
                "on a disk"
            } else {
                "in memory"
            }
        )?;
        self.story.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
