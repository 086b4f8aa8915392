//! Who runs before whom on a machine that is the server's and its clients' at once. Real devices have processors of their
//! own: one that waits for an answer notices it at once, and one that reads a flood takes nothing from the server.
//! Left to itself the kernel's scheduler lets whoever runs go on for a tick (4 ms at 250 Hz), and that would be
//! measured in place of the server.

use std::process::{Command, Stdio};

/// This thread runs whenever it has something to do (`SCHED_FIFO`), if the system lets it.
pub fn come_first() {
    let _ = change(&["--fifo", "--pid", "1"]);
}

/// This thread runs only when nobody else wants to (`SCHED_IDLE`). Should the system not know how, it is as nice as can be.
pub fn give_way() {
    if !change(&["--idle", "--pid", "0"]) {
        let _ = rustix::process::nice(19);
    }
}

/// util-linux's `chrt`, on the calling thread.
fn change(words: &[&str]) -> bool {
    // PID/task/TID
    let Ok(me) = std::fs::read_link("/proc/thread-self") else {
        return false;
    };
    let status = Command::new("chrt")
        .args(words)
        .arg(me.file_name().unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_gives_way_says_so_to_the_kernel() {
        std::thread::spawn(|| {
            give_way();
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
            let fields: Vec<&str> = stat
                .rsplit(')')
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .collect();
            // Field 41 is the policy (5: SCHED_IDLE), field 19 the niceness; the first two are cut off.
            assert!(fields[38] == "5" || fields[16] == "19", "{stat}");
        })
        .join()
        .unwrap();
    }
}
