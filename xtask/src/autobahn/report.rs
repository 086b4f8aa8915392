//! A runner's `index.json`, judged: a case has passed when both what was said and how the connection was closed are
//! in order.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};

/// The outcomes of one server.
pub struct Report {
    cases: Vec<Case>,
}

struct Case {
    /// `6.4.1` as numbers, so that 10 comes after 9.
    id: Vec<u32>,
    behavior: String,
    close: String,
}

/// In order.
const GOOD: &[&str] = &["OK", "NON-STRICT", "INFORMATIONAL"];

impl Report {
    /// Reads what a runner wrote.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("there is no report: {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("reading {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let json: BTreeMap<String, BTreeMap<String, serde_json::Value>> =
            serde_json::from_str(text)?;
        let mut cases = Vec::new();
        for (id, case) in json.into_values().next().context("a report about nobody")? {
            let word = |key: &str| {
                case[key]
                    .as_str()
                    .map(str::to_owned)
                    .with_context(|| format!("case {id} has no `{key}`"))
            };
            cases.push(Case {
                behavior: word("behavior")?,
                close: word("behaviorClose")?,
                id: id
                    .split('.')
                    .map(str::parse)
                    .collect::<Result<_, _>>()
                    .with_context(|| format!("case {id}"))?,
            });
        }
        if cases.is_empty() {
            bail!("no case ran");
        }
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(Self { cases })
    }

    /// Prints a line per section, each case that is not plainly OK, and the sum.
    pub fn print(&self) {
        let sections: BTreeSet<u32> = self.cases.iter().map(Case::section).collect();
        for section in sections {
            let of = || {
                self.cases
                    .iter()
                    .filter(move |case| case.section() == section)
            };
            let count = |word: &str| of().filter(|case| case.behavior == word).count();
            println!(
                "section {section:>2}: {:>3} cases, {} OK, {} NON-STRICT, {} INFORMATIONAL, {} failed",
                of().count(),
                of().filter(|case| case.has_passed() && case.behavior == "OK")
                    .count(),
                count("NON-STRICT"),
                count("INFORMATIONAL"),
                of().filter(|case| !case.has_passed()).count(),
            );
        }
        for case in self
            .cases
            .iter()
            .filter(|case| case.behavior != "OK" || !case.has_passed())
        {
            let id = case
                .id
                .iter()
                .map(u32::to_string)
                .collect::<Vec<_>>()
                .join(".");
            println!("{id}: {}, close {}", case.behavior, case.close);
        }
        println!(
            "autobahn: {} passed, {} failed",
            self.passed(),
            self.failed()
        );
    }

    /// Cases that passed.
    pub fn passed(&self) -> u64 {
        self.cases.iter().filter(|case| case.has_passed()).count() as u64
    }

    /// Cases that did not.
    pub fn failed(&self) -> u64 {
        self.cases.len() as u64 - self.passed()
    }

    /// Whether a case of this section ran.
    pub fn has_section(&self, section: u32) -> bool {
        self.cases.iter().any(|case| case.section() == section)
    }
}

impl Case {
    fn section(&self) -> u32 {
        self.id.first().copied().unwrap_or(0)
    }

    fn has_passed(&self) -> bool {
        GOOD.contains(&self.behavior.as_str())
            && ["OK", "INFORMATIONAL"].contains(&self.close.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Report;

    fn counts(cases: &[(&str, &str, &str)]) -> (u64, u64) {
        let cases: Vec<String> = cases
            .iter()
            .map(|(id, behavior, close)| {
                format!(r#""{id}":{{"behavior":"{behavior}","behaviorClose":"{close}"}}"#)
            })
            .collect();
        let report = Report::parse(&format!(r#"{{"us":{{{}}}}}"#, cases.join(","))).unwrap();
        (report.passed(), report.failed())
    }

    #[test]
    fn an_unclean_close_fails_a_case_whose_words_were_right() {
        let good = [
            ("1.1.1", "OK", "OK"),
            ("6.4.1", "NON-STRICT", "OK"),
            ("7.13.1", "INFORMATIONAL", "INFORMATIONAL"),
        ];
        assert_eq!(counts(&good), (3, 0));
        let bad = [
            ("1.1.1", "FAILED", "OK"),
            ("1.1.2", "OK", "UNCLEAN"),
            ("1.1.3", "OK", "WRONG CODE"),
        ];
        assert_eq!(counts(&bad), (0, 3));
        assert_eq!(
            counts(&[("12.1.1", "UNIMPLEMENTED", "OK")]),
            (0, 1),
            "not offered is not passed"
        );
    }

    #[test]
    fn a_report_without_cases_proves_nothing() {
        assert!(Report::parse(r#"{"us":{}}"#).is_err());
        assert!(Report::parse("{}").is_err());
    }
}
