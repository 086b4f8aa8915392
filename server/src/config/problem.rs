//! What is wrong with a configuration, said so that it can be put right: which setting, what it was given,
//! by whom, what its limit is, and what to write instead. Secrets are never quoted.

use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which setting, or which file.
    pub setting: String,
    /// What it was given, unless that is a secret or there was nothing.
    pub value: Option<String>,
    /// Who gave it: `flag --listen`, `environment HEARTLINE_LISTEN`, `heartline.toml`.
    pub source: Option<String>,
    /// What is wrong with it, with the limit.
    pub trouble: String,
    /// What to do about it.
    pub remedy: String,
}

/// All that is wrong, at once: at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.setting)?;
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        if let Some(source) = &self.source {
            write!(f, " ({source})")?;
        }
        write!(f, ": {}; {}", self.trouble, self.remedy)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "the configuration is wrong: {one}"),
            many => {
                write!(f, "the configuration is wrong in {} places:", many.len())?;
                many.iter()
                    .try_for_each(|problem| write!(f, "\n  - {problem}"))
            }
        }
    }
}

impl std::error::Error for Problems {}

/// The candidate most like `given`, if any is like it at all.
pub(super) fn nearest<'a>(
    given: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let last = |path: &str| path.rsplit('.').next().unwrap_or(path).to_ascii_lowercase();
    let distance = |candidate: &str| {
        // `ping_interval_ms` at the top, or under the wrong section, means the one that exists.
        edits(&given.to_ascii_lowercase(), &candidate.to_ascii_lowercase())
            .min(edits(&last(given), &last(candidate)) + 1)
    };
    candidates
        .map(|candidate| (distance(candidate), candidate))
        .min()
        .filter(|&(distance, candidate)| {
            distance <= 1 + last(candidate).len().min(last(given).len()) / 3
        })
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_setting() {
        let known = [
            "listen",
            "timing.ping_interval_ms",
            "timing.idle_timeout_ms",
            "redis.url",
        ];
        let nearest = |given| nearest(given, known.into_iter());
        assert_eq!(nearest("lisen"), Some("listen"));
        assert_eq!(
            nearest("timing.ping_intervall_ms"),
            Some("timing.ping_interval_ms")
        );
        assert_eq!(nearest("ping_interval_ms"), Some("timing.ping_interval_ms"));
        assert_eq!(
            nearest("limits.idle_timeout"),
            Some("timing.idle_timeout_ms")
        );
        assert_eq!(nearest("colour"), None);
    }

    #[test]
    fn a_problem_reads_as_a_sentence() {
        let problem = Problem {
            setting: "timing.ping_interval_ms".into(),
            value: Some("0".into()),
            source: Some("heartline.toml".into()),
            trouble: "at least 10 ms".into(),
            remedy: "write 20000".into(),
        };
        assert_eq!(
            problem.to_string(),
            "timing.ping_interval_ms = 0 (heartline.toml): at least 10 ms; write 20000"
        );
        let twice = Problems(vec![problem.clone(), problem]).to_string();
        assert!(
            twice.starts_with("the configuration is wrong in 2 places:\n  - timing."),
            "{twice}"
        );
    }
}
