//! How long to wait: before the next dial, and before the next login after a refusal. Pure formulas.

use crate::{Backoff, rng::Rng};

/// A refused login waits at least this long before the next.
const LOGIN_DELAY_MIN_MS: u32 = 1_000;
/// And at most this long, unless the configured reconnect delay itself is longer.
const LOGIN_DELAY_MAX_MS: u32 = 60_000;

/// The delay before dial number `attempt` (from 1) in a row without a stable line.
pub(crate) fn dial_delay(policy: Backoff, attempt: u32, rng: &mut Rng) -> u32 {
    match policy {
        Backoff::Fixed { delay_ms } => delay_ms.max(1),
        Backoff::Jitter { min_ms, max_ms } => full_jitter(min_ms, max_ms, attempt, rng),
    }
}

/// The delay after refusal number `refusals` (from 1) in a row: `t/2 + rand(0, t/2)`, `t` doubling up to a minute.
///
/// It grows even where the reconnect delay is fixed: the classic client sent a refused token at full pace,
/// for ever. Half of it is certain, unlike a dial's: one client's luck must not keep its pace up.
pub(crate) fn login_delay(policy: Backoff, refusals: u32, rng: &mut Rng) -> u32 {
    let min = match policy {
        Backoff::Fixed { delay_ms } => delay_ms,
        Backoff::Jitter { min_ms, .. } => min_ms,
    };
    let min = min.max(LOGIN_DELAY_MIN_MS);
    let half = doubled(min, refusals, LOGIN_DELAY_MAX_MS.max(min)) / 2;
    half.saturating_add(rng.up_to(half))
}

/// `min(max, min + rand(0, min(max, min·2^attempt)))`, see "Exponential Backoff And Jitter", AWS 2015.
fn full_jitter(min: u32, max: u32, attempt: u32, rng: &mut Rng) -> u32 {
    let min = min.max(1);
    let max = max.max(min);
    min.saturating_add(rng.up_to(doubled(min, attempt, max)))
        .min(max)
}

/// `min(max, min·2^times)`.
fn doubled(min: u32, times: u32, max: u32) -> u32 {
    match max.checked_shr(times) {
        Some(most) if min <= most => min << times,
        _ => max,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(delays: impl Fn(&mut Rng) -> u32) -> (u32, u32) {
        let mut rng = Rng::new(1);
        let all: Vec<u32> = (0..20_000).map(|_| delays(&mut rng)).collect();
        (*all.iter().min().unwrap(), *all.iter().max().unwrap())
    }

    #[test]
    fn jitter_fills_its_range_and_grows_to_the_maximum() {
        let policy = Backoff::Jitter {
            min_ms: 500,
            max_ms: 20_000,
        };
        assert_eq!(range(|r| dial_delay(policy, 1, r)), (500, 1_500));
        assert_eq!(range(|r| dial_delay(policy, 2, r)), (500, 2_500));
        let (least, most) = range(|r| dial_delay(policy, u32::MAX, r));
        assert!(least < 600 && most == 20_000);
    }

    #[test]
    fn fixed_is_fixed_for_dials_but_not_for_refused_logins() {
        let policy = Backoff::Fixed { delay_ms: 5_000 };
        assert_eq!(range(|r| dial_delay(policy, 9, r)), (5_000, 5_000));
        let within = |refusals, least, most| {
            let (min, max) = range(|r| login_delay(policy, refusals, r));
            assert!((least..least + 99).contains(&min) && (most - 99..=most).contains(&max));
        };
        within(1, 5_000, 10_000);
        within(2, 10_000, 20_000);
        within(u32::MAX, 30_000, 60_000);
    }

    #[test]
    fn senseless_settings_give_a_positive_delay() {
        for (min_ms, max_ms) in [(0, 0), (9, 1), (u32::MAX, u32::MAX), (u32::MAX, 0)] {
            assert!(range(|r| dial_delay(Backoff::Jitter { min_ms, max_ms }, 40, r)).0 >= 1);
        }
        assert_eq!(
            range(|r| dial_delay(Backoff::Fixed { delay_ms: 0 }, 1, r)),
            (1, 1)
        );
    }
}
