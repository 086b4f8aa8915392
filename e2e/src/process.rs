//! What the system knows of a process: its memory, its end; and how to send it a signal.

use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// Resident memory of a process, in bytes.
///
/// # Panics
/// When the process is gone: a server that died under test is a failed test.
pub fn rss_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .unwrap_or_else(|error| panic!("process {pid} is gone: {error}"));
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .expect("VmRSS of a living process");
    let kib: u64 = line
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("VmRSS is a number of kB");
    kib * 1024
}

/// How many files and sockets a process has open.
///
/// # Panics
/// When the process is gone.
pub fn open_files(pid: u32) -> usize {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd"));
    entries
        .unwrap_or_else(|error| panic!("process {pid} is gone: {error}"))
        .count()
}

/// Sends a signal by name (`TERM`, `KILL`, `STOP`).
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status()
        .expect("the kill command");
    assert!(status.success(), "kill -{name} {pid} failed");
}

/// Waits for a process to end; `None` when it did not in time.
pub fn wait_exit(child: &mut Child, within: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(status) = child.try_wait().expect("waiting for a child") {
            return Some(status);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Lets this process, and the servers that it starts, have `count` open files.
///
/// # Panics
/// When the machine does not allow it: a test of many connections cannot be run with few.
pub fn allow_many_files(count: u64) {
    let output = Command::new("prlimit")
        .args([
            "--pid",
            &std::process::id().to_string(),
            &format!("--nofile={count}:"),
        ])
        .output()
        .expect("prlimit (util-linux) is needed to raise the open-file limit");
    assert!(
        output.status.success(),
        "this test needs {count} open files: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
