//! What a seed stands for: who takes part, how fast everything is, what may go wrong and for how long. All of it is drawn before the
//! first step, so that a failing run can be cut down and run again.

use crate::fault::{Fault, Faults};
use crate::rng::Rng;
use heartline_client_core::{Backoff, Config};
use heartline_server::store::Retention;

/// Milliseconds, from and to.
pub type Span = (u64, u64);

/// See the module's page.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed of the run.
    pub seed: u64,
    /// Devices of each user.
    pub devices: Vec<u8>,
    /// Connections that change their user again and again.
    pub guests: u8,
    /// When the faults end and the world becomes honest.
    pub horizon_ms: u64,
    /// What may go wrong.
    pub faults: Faults,
    /// Between two faults.
    pub fault_every: Span,
    /// Between two pushes.
    pub push_every: Span,
    /// Of a hundred pushes, how many are floods of hundreds to one user.
    pub floods: u64,
    /// Whether the last push to each user is made in the honest world, while everybody logs in once more; else the last faults come
    /// behind the last push.
    pub farewell: bool,
    /// The store lies on a disk that can crash; else in memory.
    pub crash_disk: bool,
    /// How much is kept.
    pub retention: Retention,
    /// How long a frame is under way.
    pub wire: Span,
    /// How long writes gather before they are committed.
    pub commit: Span,
    /// How long the reader takes to look, and again to answer.
    pub reader: Span,
    /// How long a delivery waits for its shard.
    pub fanout: Span,
    /// How long a callback takes.
    pub callback: Span,
    /// The clients' settings.
    pub client: Config,
}

/// What a run is cut down to.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Faults end by then.
    pub horizon_ms: u64,
    /// At most so many devices of each user.
    pub devices: u8,
    /// At most so many users.
    pub users: usize,
    /// Only these faults.
    pub faults: Faults,
}

impl Cut {
    /// Nothing is cut.
    pub const NONE: Self = Self {
        horizon_ms: u64::MAX,
        devices: u8::MAX,
        users: usize::MAX,
        faults: Faults::EVERY,
    };
}

impl Plan {
    /// The plan of a seed.
    pub fn draw(seed: u64, cut: &Cut) -> Self {
        let mut rng = Rng::new(seed ^ 0x504c_414e);
        let mut faults = Faults::NONE;
        let share = *rng.pick(&[15, 35, 60]);
        for fault in Fault::ALL {
            if rng.chance(share) {
                faults = faults.with(fault);
            }
        }
        let users = *rng.pick(&[1, 1, 2, 2, 3]);
        let mut devices: Vec<u8> = (0..users).map(|_| *rng.pick(&[1, 1, 2, 3])).collect();
        devices.truncate(cut.users);
        for count in &mut devices {
            *count = (*count).min(cut.devices);
        }
        // Drawn apart, so that all else of a seed is as it was without guests.
        let mut of_guests = Rng::new(seed ^ 0x4755_4553);
        let guests = if devices.len() > 1 && of_guests.chance(40) {
            of_guests.within((1, 2)) as u8
        } else {
            0
        };
        let horizon_ms = rng.within((4_000, 30_000)).min(cut.horizon_ms);
        let fault_every = *rng.pick(&[(50, 800), (200, 2_500), (1_000, 6_000)]);
        let push_every = *rng.pick(&[(20, 300), (100, 1_200), (500, 4_000)]);
        Self {
            seed,
            devices,
            guests,
            horizon_ms,
            faults: faults.and(cut.faults),
            fault_every,
            push_every,
            floods: if rng.chance(6) { 4 } else { 0 },
            farewell: rng.chance(60),
            crash_disk: rng.chance(45),
            retention: retention(&mut rng),
            wire: *rng.pick(&[(1, 5), (5, 60), (20, 400)]),
            commit: *rng.pick(&[(0, 2), (1, 25), (20, 150)]),
            reader: *rng.pick(&[(0, 2), (1, 30), (20, 250)]),
            fanout: *rng.pick(&[(0, 1), (0, 20), (5, 200)]),
            callback: *rng.pick(&[(0, 0), (0, 15), (5, 120)]),
            client: client(&mut rng),
        }
    }
}

fn retention(rng: &mut Rng) -> Retention {
    let plenty = Retention {
        max_age_ms: 7 * 24 * 3_600_000,
        max_messages: 10_000,
        max_bytes: 64 * 1024 * 1024,
    };
    match rng.below(6) {
        0 => Retention {
            max_messages: rng.within((1, 30)),
            ..plenty
        },
        1 => Retention {
            max_age_ms: rng.within((3_000, 20_000)),
            ..plenty
        },
        2 => Retention {
            max_bytes: rng.within((200, 60_000)),
            ..plenty
        },
        _ => plenty,
    }
}

fn client(rng: &mut Rng) -> Config {
    let hasty = Config {
        backoff: Backoff::Jitter {
            min_ms: 100,
            max_ms: 3_000,
        },
        dial_timeout_ms: 3_000,
        login_timeout_ms: 2_000,
        heartbeat_interval_ms: 8_000,
        heartbeat_grace_ms: 3_000,
        probe_grace_ms: 1_000,
        request_timeout_ms: 5_000,
        outbox_max_entries: 3,
        max_requests: 6,
        ..Config::default()
    };
    if rng.chance(60) {
        hasty
    } else {
        Config::default()
    }
}
