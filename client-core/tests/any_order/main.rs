//! Any order: arbitrary lists of operations, from honest and lying sockets, apps and clocks, are played to a
//! client while an oracle watches every decision. Found failures become named tests at the end.

mod honest;
mod operations;
mod oracle;
mod streams;

use heartline_client_core::{Backoff, Config, Millis};
use heartline_trace::{Outcome, Recorder, Trace};
use operations::{Latest, Op, Which, any_ops};
use oracle::World;
use proptest::{prelude::*, test_runner::RngAlgorithm};

/// The promises that hold whatever happens. See `oracle` for each.
#[track_caller]
fn hold_the_promises(config: Config, seed: u64, ops: &[Op]) {
    let mut world = World::new(config, seed);
    for op in ops {
        world.play(op);
    }
    world.destroy();
}

/// However bad the past: in an honest world the line is soon ready, and stays so.
#[track_caller]
fn recover(seed: u64, ops: &[Op], how: honest::Recovery) {
    let mut world = World::new(cramped(), seed);
    for op in ops {
        world.play(op);
    }
    honest::recovers(&mut world, how);
    world.destroy();
}

/// Sane times, bounds so narrow that they are met.
fn cramped() -> Config {
    Config {
        max_requests: 8,
        outbox_max_entries: 3,
        outbox_max_bytes: 100,
        max_listeners: 4,
        max_event_names: 3,
        ..Config::default()
    }
}

fn any_config() -> impl Strategy<Value = Config> {
    prop_oneof![
        4 => Just(Config::default()),
        4 => Just(cramped()),
        2 => Just(Config { backoff: Backoff::Fixed { delay_ms: 5_000 }, heartbeat_interval_ms: 60_000, ..cramped() }),
        1 => Just(senseless()),
    ]
}

/// Every number zero: nothing useful can come of it, but nothing may break or spin either.
fn senseless() -> Config {
    Config {
        backoff: Backoff::Jitter {
            min_ms: 0,
            max_ms: 0,
        },
        dial_timeout_ms: 0,
        login_timeout_ms: 0,
        heartbeat_interval_ms: 0,
        heartbeat_grace_ms: 0,
        probe_grace_ms: 0,
        clock_jump_ms: 0,
        stable_after_ms: 0,
        request_timeout_ms: 0,
        max_requests: 0,
        outbox_max_entries: 0,
        outbox_max_bytes: 0,
        outbox_max_age_ms: 0,
        max_listeners: 0,
        max_event_names: 0,
    }
}

/// `PROPTEST_CASES` overrides the number for a longer search.
fn cases(usual: u32) -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: if asked { default.cases } else { usual },
        failure_persistence: None,
        // The default, ChaCha, took three quarters of the time in a debug build.
        rng_algorithm: RngAlgorithm::XorShift,
        ..default
    }
}

proptest! {
    #![proptest_config(cases(4_000))]

    #[test]
    fn every_promise_holds_in_any_order(config in any_config(), seed: u64, ops in any_ops(1..120)) {
        hold_the_promises(config, seed, &ops);
    }
}

proptest! {
    #![proptest_config(cases(800))]

    #[test]
    fn the_line_recovers_from_any_past(seed: u64, ops in any_ops(1..80), old_line_lives: bool) {
        recover(seed, &ops, honest::Recovery { old_line_lives, app_helps: true });
    }

    #[test]
    fn the_line_recovers_by_itself(seed: u64, ops in any_ops(1..80), old_line_lives: bool) {
        recover(seed, &ops, honest::Recovery { old_line_lives, app_helps: false });
    }

    #[test]
    fn what_was_recorded_is_lived_again(seed: u32, ops in any_ops(1..100)) {
        let (config, seed) = (cramped(), u64::from(seed));
        let mut world = World::new(config.clone(), seed);
        world.recorder = Some(Recorder::new(usize::MAX, &config, seed, Millis(world.now)));
        for op in &ops {
            // A trace has the low half of the clock, and a listener's id is not said but answered there.
            let foreign = matches!(op, Op::ClockSays(_) | Op::ListenOutOfTurn);
            world.play(if foreign { &Op::Ring } else { op });
        }
        world.destroy();
        let trace = world.recorder.take().map(|recorder| recorder.trace().to_json());
        let trace = Trace::parse(&trace.unwrap_or_default()).expect("a trace");
        let replayed = trace.lives[0].replay();
        prop_assert_eq!(replayed.outcome, Outcome::Identical);
        prop_assert_eq!(replayed.calls, trace.lives[0].calls.len());
    }

    /// One of the two is so old that its own time starts again from zero soon, amid whatever is under way.
    #[test]
    fn own_time_that_starts_again_forgets_nothing(seed: u64, ops in any_ops(1..60), left_ms in 0..60_000u64) {
        let mut world = World::with_an_aged_twin(cramped(), seed, (1 << 30) - 1 - left_ms);
        for op in &ops {
            // Days at once, or a clock that is set, would end the comparison early.
            let is_far = matches!(op, Op::ClockSays(_) | Op::Sleep(60_000..));
            world.play(if is_far { &Op::Ring } else { op });
        }
        prop_assert_eq!(world.outputs_of_the_undrained_twin(), world.every_output());
    }

    #[test]
    fn when_the_outputs_are_drained_makes_no_difference(seed: u64, ops in any_ops(1..60)) {
        let mut eager = World::new(cramped(), seed);
        for op in &ops {
            eager.play(op);
        }
        prop_assert_eq!(eager.outputs_of_the_undrained_twin(), eager.every_output());
    }
}

#[test]
fn found_a_new_user_is_not_held_to_the_patience_of_the_refused_one() {
    let (on, id) = (Which(1), Latest(1));
    let refused = Op::Reply { on, id, ok: false };
    let identity = Op::Identity;
    hold_the_promises(
        Config::default(),
        0,
        &[
            Op::Start,
            identity(true),
            Op::Disconnect,
            Op::Ring,
            Op::Honest,
            Op::Honest,
            refused,
            identity(false),
            identity(true),
            Op::Honest,
        ],
    );
}
