//! `bench/RESULTS.md`: each chore that measures keeps a section of it, between marks of its own.

use std::fs;

use anyhow::{Context, Result};

use crate::run::root;

/// Puts a section between its marks, and leaves the others alone.
pub fn store(mark: &str, section: &str) -> Result<()> {
    let file = root().join("bench/RESULTS.md");
    let old = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let (begin, end) = (format!("<!-- {mark} -->"), format!("<!-- /{mark} -->"));
    let section = format!("{begin}\n{section}{end}");
    let new = match (old.find(&begin), old.find(&end)) {
        (Some(from), Some(to)) => format!("{}{section}{}", &old[..from], &old[to + end.len()..]),
        _ => format!("{}\n\n{section}\n", old.trim_end()),
    };
    fs::write(&file, new).with_context(|| format!("writing {}", file.display()))
}

/// The machine's load average of the last minute: what was measured beside other work gives no verdict.
pub fn load_average() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace()
        .next()
        .unwrap_or("unknown")
        .to_owned()
}
