//! Numbers out of slices: medians with their spread, ratios round by round.

use crate::fleet::Case;
use crate::slice::Slice;

/// The middle of some numbers, and their ends.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figure {
    /// The median.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The greatest.
    pub greatest: f64,
}

impl Figure {
    /// Of these numbers; zeros if there are none.
    pub fn of(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut numbers: Vec<f64> = numbers
            .into_iter()
            .filter(|number| number.is_finite())
            .collect();
        numbers.sort_by(f64::total_cmp);
        let (Some(&least), Some(&greatest)) = (numbers.first(), numbers.last()) else {
            return Self::default();
        };
        let half = numbers.len() / 2;
        let median = if numbers.len() % 2 == 1 {
            numbers[half]
        } else {
            (numbers[half - 1] + numbers[half]) / 2.0
        };
        Self {
            median,
            least,
            greatest,
        }
    }

    /// With so many digits after the point.
    pub fn told(self, digits: usize) -> String {
        format!(
            "{:.digits$} ({:.digits$}–{:.digits$})",
            self.median, self.least, self.greatest
        )
    }
}

/// CPU-seconds of the server per million deliveries.
pub fn cpu_per_million(slice: &Slice) -> f64 {
    slice.server_ns as f64 / 1e9 / slice.deliveries as f64 * 1e6
}

/// The same of the load generator.
pub fn own_per_million(slice: &Slice) -> f64 {
    slice.own_ns as f64 / 1e9 / slice.deliveries as f64 * 1e6
}

/// The part of the CPU that was in user space, over all slices: single ones are too short for ticks.
pub fn user_part(slices: &[Slice]) -> f64 {
    let user: u64 = slices.iter().map(|slice| slice.server_ticks.0).sum();
    let system: u64 = slices.iter().map(|slice| slice.server_ticks.1).sum();
    user as f64 / (user + system).max(1) as f64
}

/// CPU-seconds in user space per million deliveries, over all slices.
pub fn user_per_million(slices: &[Slice]) -> f64 {
    user_part(slices) * Figure::of(slices.iter().map(cpu_per_million)).median
}

/// CPU per delivery, divided by the floor's in the same round.
pub fn ratio_to(floor: &[Slice], slices: &[Slice]) -> Figure {
    Figure::of(
        slices
            .iter()
            .zip(floor)
            .map(|(slice, floor)| cpu_per_million(slice) / cpu_per_million(floor)),
    )
}

/// The slices of one peer.
pub fn slices_of<'a>(case: &'a Case, name: &str) -> &'a [Slice] {
    case.iter()
        .find(|(who, _)| who == name)
        .map_or(&[], |(_, slices)| slices)
}

/// What is worst held against us: the least median of the others.
pub fn best_other(case: &Case, value: impl Fn(&Slice) -> f64) -> Option<(String, f64)> {
    let others = case
        .iter()
        .filter(|(name, _)| name != "floor" && !name.starts_with("heartline"));
    let medians =
        others.map(|(name, slices)| (name.clone(), Figure::of(slices.iter().map(&value)).median));
    medians.min_by(|one, other| one.1.total_cmp(&other.1))
}

/// Milliseconds of microseconds, legibly.
pub fn ms(micros: f64) -> String {
    if micros < 9_950.0 {
        format!("{:.2}", micros / 1e3)
    } else {
        format!("{:.0}", micros / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_middle_and_the_ends() {
        assert_eq!(
            Figure::of([3.0, 1.0, 2.0]),
            Figure {
                median: 2.0,
                least: 1.0,
                greatest: 3.0
            }
        );
        assert_eq!(Figure::of([4.0, 1.0, 2.0, 3.0]).median, 2.5);
        assert_eq!(Figure::of([]), Figure::default());
        assert_eq!(Figure::of([1.0, f64::NAN]).told(1), "1.0 (1.0–1.0)");
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let slice = |server_ns, deliveries| Slice {
            server_ns,
            deliveries,
            ..Slice::default()
        };
        // A round in which the whole machine was twice as slow changes no ratio.
        let floor = [slice(1_000, 1), slice(2_000, 1)];
        let ours = [slice(1_100, 1), slice(2_200, 1)];
        let ratio = ratio_to(&floor, &ours);
        assert!((ratio.least - 1.1).abs() < 1e-9 && (ratio.greatest - 1.1).abs() < 1e-9);
    }

    #[test]
    fn times_are_told_in_milliseconds() {
        assert_eq!(
            (ms(120.0), ms(9_900.0), ms(12_345.0)),
            ("0.12".into(), "9.90".into(), "12".into())
        );
    }
}
