//! Waiting for what must come true, without guessing how long it takes.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Looks again and again until `look` gives `wanted`, or the time is over; then fails and shows the last look.
///
/// # Panics
/// When it did not come true in time.
pub fn eventually<T: PartialEq + Debug>(
    what: &str,
    within: Duration,
    wanted: T,
    mut look: impl FnMut() -> T,
) {
    let deadline = Instant::now() + within;
    loop {
        let seen = look();
        if seen == wanted {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{what}: after {within:?} still {seen:?}, wanted {wanted:?}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
