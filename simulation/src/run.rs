//! Seeds, one or many.

use crate::mutant::Mutant;
use crate::plan::{Cut, Plan};
use crate::tally::Tally;
use crate::world::{Ending, World};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// What came of many seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many were played.
    pub seeds: u64,
    /// Their events.
    pub steps: u64,
    /// What happened in them.
    pub tally: Tally,
    /// Milliseconds of the worlds' clocks.
    pub fake_ms: u64,
    /// The lowest seed that failed.
    pub failed: Option<u64>,
}

/// Plays one seed. A panic is a failure as any other.
pub fn play(seed: u64, cut: &Cut, mutant: Option<Mutant>, keeps: usize) -> Ending {
    let plan = Plan::draw(seed, cut);
    let played = catch_unwind(AssertUnwindSafe(|| World::play(plan, mutant, keeps)));
    played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Ending {
            steps: 0,
            ended_ms: 0,
            tally: Tally::default(),
            failure: Some(format!("a panic: {}", text.unwrap_or("without a word"))),
            story: Vec::new(),
        }
    })
}

/// Plays seeds on so many threads, until one fails. `progress` is called now and then with how many are done.
pub fn play_many(
    seeds: Range<u64>,
    mutant: Option<Mutant>,
    threads: usize,
    progress: impl Fn(&Report) + Sync,
) -> Report {
    let next = AtomicU64::new(seeds.start);
    let stops = AtomicBool::new(false);
    let report = Mutex::new(Report::default());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while !stops.load(Relaxed) {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let ending = play(seed, &Cut::NONE, mutant, 0);
                    let mut report = report.lock().unwrap_or_else(PoisonError::into_inner);
                    report.add(seed, &ending);
                    if report.failed.is_some() {
                        stops.store(true, Relaxed);
                    }
                    if report.seeds.is_multiple_of(PROGRESS) {
                        progress(&report);
                    }
                }
            });
        }
    });
    report.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The first of these seeds with which a mistake is noticed, and what was noticed.
pub fn catch(mutant: Mutant, seeds: Range<u64>) -> Option<(u64, String)> {
    seeds.into_iter().find_map(|seed| {
        let failure = play(seed, &Cut::NONE, Some(mutant), 0).failure?;
        Some((seed, failure))
    })
}

/// Progress is told every so many seeds.
const PROGRESS: u64 = 1_000;

impl Report {
    fn add(&mut self, seed: u64, ending: &Ending) {
        self.seeds += 1;
        self.steps += ending.steps;
        self.tally.add(&ending.tally);
        self.fake_ms += ending.ended_ms;
        if ending.failure.is_some() {
            self.failed = Some(self.failed.map_or(seed, |failed| failed.min(seed)));
        }
    }
}
