//! Autobahn's conformance cases against the server's own connection path (`server/examples/echo.rs`).
//!
//! The suite itself needs Python 2.7, which Debian 12 and most systems no longer have. Where one is found it is used;
//! else `kosoku` runs the same case files on Python 3. Either is installed from PyPI, with its version pinned, into a
//! virtual environment under `target/`, and writes the same report.

mod echo;
mod python;
mod report;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run::{program, root, run, run_quietly, say};
use echo::Echo;
use report::Report;

/// Which cases, by which runner.
#[derive(clap::Args)]
pub struct AutobahnArgs {
    /// `quick` (sections 1–7 and 10), `deflate` (what we promise of 12 and 13), or sections such as `1-10`, `9` or `1-7,10`.
    #[arg(long, default_value = "1-10")]
    pub cases: String,
    /// Who runs the cases: by default the original where there is a Python 2.7, else kosoku.
    #[arg(long, value_enum)]
    pub runner: Option<Runner>,
}

/// A program that runs Autobahn's case files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Runner {
    /// Autobahn's own `wstest`, on Python 2.7.
    Original,
    /// The same case files on Python 3.10 or later.
    Kosoku,
}

/// Sections without the large messages and the thousands of round trips of 9, and without compression (12, 13).
const QUICK: &str = "1-7,10";
/// Groups of sections 12 and 13 that concern what we negotiate. 13.3 and 13.5 ask for a window of 512 bytes, which is
/// not granted (`server/src/http/extension.rs`).
const DEFLATE: [&str; 10] = [
    "12.1", "12.2", "12.3", "12.4", "12.5", "13.1", "13.2", "13.4", "13.6", "13.7",
];
/// Cases of each of these groups: messages of 16 bytes to 128 KiB, a thousand each. The later ones cut the same into
/// fragments, at several times the cost.
const DEFLATE_CASES: std::ops::RangeInclusive<u32> = 1..=10;
/// Sections of the suite. There is no 8 and no 11.
const SECTIONS: std::ops::RangeInclusive<u32> = 1..=13;

/// The chore.
pub fn run_cases(args: &AutobahnArgs) -> Result<()> {
    let runner = match args.runner {
        Some(runner) => runner,
        None if python::find(Runner::Original).is_some() => Runner::Original,
        None => Runner::Kosoku,
    };
    judge(&args.cases, runner).map(|_| ())
}

/// What the test command runs: the quick sections, by the runner that is to be had everywhere. Returns how many passed.
pub fn run_quick() -> Result<u64> {
    judge("quick", Runner::Kosoku)
}

fn judge(cases: &str, runner: Runner) -> Result<u64> {
    let (sections, patterns) = select(cases)?;
    if runner == Runner::Kosoku && sections.iter().any(|section| *section > 11) {
        bail!(
            "kosoku's compression cases do not run on Python 3: sections 12 and 13 need `--runner original`"
        );
    }
    let python = python::environment(runner)?;
    let echo = Echo::start()?;
    say(format!(
        "autobahn: sections {sections:?} by {runner:?} against {}",
        echo.url
    ));
    let out = root().join("target/autobahn/report");
    if out.exists() {
        std::fs::remove_dir_all(&out).with_context(|| format!("cannot clear {}", out.display()))?;
    }
    let ran = drive(runner, &python, &echo.url, &patterns, &out);
    // A runner that ends badly may have left a report that says why.
    let report = match Report::read(&out.join("index.json")) {
        Ok(report) => report,
        Err(error) => return Err(ran.err().unwrap_or(error)),
    };
    report.print();
    echo.stop()?;
    if report.failed() > 0 {
        bail!(
            "{} cases failed; their reports are in {}",
            report.failed(),
            out.display()
        );
    }
    ran?;
    for section in &sections {
        if !report.has_section(*section) && ![8, 11].contains(section) {
            bail!("section {section} was asked for and did not run");
        }
    }
    Ok(report.passed())
}

fn drive(runner: Runner, python: &Path, url: &str, patterns: &[String], out: &Path) -> Result<()> {
    match runner {
        Runner::Kosoku => {
            let mut command = program(python.with_file_name("kosoku"), ".");
            for pattern in patterns {
                command.args(["--include", pattern]);
            }
            run_quietly(command.arg("--outdir").arg(out).arg(url))
        }
        Runner::Original => {
            let spec = serde_json::json!({
                "outdir": out,
                "servers": [{ "agent": "heartline", "url": url }],
                "cases": patterns,
                "exclude-cases": [],
                "exclude-agent-cases": {},
            });
            let at: PathBuf = root().join("target/autobahn/spec.json");
            std::fs::write(&at, spec.to_string())?;
            run(program(python.with_file_name("wstest"), ".")
                .args(["-m", "fuzzingclient", "-s"])
                .arg(at))
        }
    }
}

/// The sections that are meant, and the patterns of their cases.
fn select(cases: &str) -> Result<(Vec<u32>, Vec<String>)> {
    if cases == "deflate" {
        let of = |group| DEFLATE_CASES.map(move |case| format!("{group}.{case}"));
        return Ok((vec![12, 13], DEFLATE.into_iter().flat_map(of).collect()));
    }
    let sections = read_sections(if cases == "quick" { QUICK } else { cases })?;
    let patterns = sections.iter().map(|section| format!("{section}.*"));
    let patterns = patterns.collect();
    Ok((sections, patterns))
}

/// `1-7,10` → 1, 2, 3, 4, 5, 6, 7, 10.
fn read_sections(text: &str) -> Result<Vec<u32>> {
    let mut sections = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.trim().parse(), last.trim().parse()) {
            (Ok(first), Ok(last))
                if first <= last && SECTIONS.contains(&first) && SECTIONS.contains(&last) =>
            {
                sections.extend(first..=last);
            }
            _ => bail!("`{part}` is no section: `quick`, or numbers from 1 to 13 such as `1-7,10`"),
        }
    }
    Ok(sections)
}

#[cfg(test)]
mod tests {
    use super::{read_sections, select};

    #[test]
    fn sections_are_numbers_and_ranges() {
        assert_eq!(read_sections("1-7,10").unwrap(), [1, 2, 3, 4, 5, 6, 7, 10]);
        assert_eq!(read_sections("9").unwrap(), [9]);
        let (sections, patterns) = select("deflate").unwrap();
        assert_eq!((sections, patterns.len()), (vec![12, 13], 100));
        assert_eq!(select("9,10").unwrap().1, ["9.*", "10.*"]);
        for wrong in ["", "quick", "0", "14", "7-1", "1-"] {
            assert!(read_sections(wrong).is_err(), "{wrong}");
        }
    }
}
