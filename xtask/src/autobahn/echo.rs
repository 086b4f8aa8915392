//! The echo server under test: built, started on a free port, ended with its starter.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::run::{cargo, run, target_dir};

/// A running echo server; killed when dropped.
pub struct Echo {
    /// `ws://ADDRESS:PORT`.
    pub url: String,
    child: Child,
}

impl Echo {
    /// Builds it as it is shipped, and starts it.
    pub fn start() -> Result<Self> {
        run(cargo().args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "heartline-server",
            "--example",
            "echo",
        ]))?;
        let binary = target_dir()
            .join("release/examples")
            .join(format!("echo{}", std::env::consts::EXE_SUFFIX));
        let mut child = Command::new(&binary)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let mut url = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut url)?;
        }
        let echo = Self {
            url: url.trim().to_owned(),
            child,
        };
        if echo.url.is_empty() {
            bail!("the echo server ended before it said its address");
        }
        Ok(echo)
    }

    /// Ends it, and fails when it had crashed or a part of it had.
    pub fn stop(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the echo server ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // Both fail when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
