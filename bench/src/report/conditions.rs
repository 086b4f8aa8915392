//! Under what conditions a number was taken: the machine, and what else ran on it.

use std::fs;

use crate::fleet::Case;

/// The conditions of one scenario.
pub struct Conditions {
    load_at_begin: String,
    seconds: f64,
    foreign_ticks: u64,
}

impl Conditions {
    /// Looks at the load before anything is started.
    pub fn begin() -> Self {
        Self {
            load_at_begin: load(),
            seconds: 0.0,
            foreign_ticks: 0,
        }
    }

    /// Counts what others did during these slices.
    pub fn note(&mut self, case: &Case) {
        for slice in case.iter().flat_map(|(_, slices)| slices) {
            self.seconds += slice.seconds;
            self.foreign_ticks += slice.foreign_ticks;
        }
    }

    /// A sentence for the results.
    pub fn told(&self, quick: bool) -> String {
        let mode = if quick { "quick mode" } else { "full mode" };
        let mut told = format!("*{mode}, load average before {}", self.load_at_begin);
        let mut foreign = 0.0;
        if self.seconds > 0.0 {
            foreign = self.foreign_ticks as f64 / 100.0 / self.seconds / cores() as f64 * 100.0;
            told +=
                &format!(", other processes used {foreign:.0}% of the machine during the slices");
        }
        let before: f64 = self.load_at_begin.parse().unwrap_or(0.0);
        if foreign > 10.0 || (self.seconds == 0.0 && before > 1.5) {
            told += ". **Not clean: taken beside other work on the machine**";
        }
        told + ".*"
    }
}

/// The machine, for the head of the results.
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default()
            .to_owned();
        line.split_once(':')
            .map_or(String::from("unknown"), |(_, value)| {
                value.trim().to_owned()
            })
    };
    let memory: u64 = field(&read("/proc/meminfo"), "MemTotal")
        .trim_end_matches(" kB")
        .parse()
        .unwrap_or(0);
    format!(
        "{}, {} cores, {} GiB of memory, Linux {}. At most 20,000 open files per process, hence at most 19,000 connections.\n",
        field(&read("/proc/cpuinfo"), "model name"),
        cores(),
        (memory + 524_288) / 1_048_576,
        read("/proc/sys/kernel/osrelease").trim(),
    )
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace()
        .next()
        .unwrap_or("unknown")
        .to_owned()
}
