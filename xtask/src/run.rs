//! Runs other programs: says what it runs, streams what they say, fails with the command's name.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The workspace's root.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Where Cargo puts what it builds.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Cargo, as the one that runs us.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// A program in a folder of the workspace.
pub fn program(name: impl AsRef<OsStr>, folder: impl AsRef<Path>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root().join(folder));
    command
}

/// Prints a heading, so that long work shows where it is.
pub fn say(text: impl std::fmt::Display) {
    println!("\n── {text}");
    let _ = std::io::stdout().flush();
}

/// Runs to the end with our own standard output and error.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command
        .status()
        .with_context(|| format!("cannot start: {shown}"))?;
    if !status.success() {
        bail!("failed ({status}): {shown}");
    }
    Ok(())
}

/// Runs to the end with our own standard output and error, but not beyond a limit. Says each minute that it goes on.
pub fn run_within(command: &mut Command, limit: Duration) -> Result<()> {
    let shown = show(command);
    let started = Instant::now();
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start: {shown}"))?;
    let mut minutes = 0;
    loop {
        if let Some(status) = child.try_wait()? {
            if !status.success() {
                bail!("failed ({status}): {shown}");
            }
            return Ok(());
        }
        if started.elapsed() >= limit {
            let _ = child.kill();
            let _ = child.wait();
            bail!("not done after {} s: {shown}", limit.as_secs());
        }
        if started.elapsed().as_secs() / 60 > minutes {
            minutes += 1;
            println!("   {minutes} of {} minutes", limit.as_secs() / 60);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Runs to the end, passes every line on, and hands each to `look`. Standard error is our own.
pub fn run_watching(command: &mut Command, mut look: impl FnMut(&str)) -> Result<()> {
    let shown = show(command);
    let started = Instant::now();
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start: {shown}"))?;
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).split(b'\n') {
            let line = line.with_context(|| format!("reading the output of: {shown}"))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            look(&line);
        }
    }
    let status = child.wait()?;
    if !status.success() {
        bail!(
            "failed ({status}) after {:.0} s: {shown}",
            started.elapsed().as_secs_f32()
        );
    }
    Ok(())
}

/// Runs to the end, and shows what it said only when it failed.
pub fn run_quietly(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let out = command
        .output()
        .with_context(|| format!("cannot start: {shown}"))?;
    if !out.status.success() {
        let said = [out.stdout, out.stderr].concat();
        bail!(
            "failed ({}): {shown}\n{}",
            out.status,
            String::from_utf8_lossy(&said)
        );
    }
    Ok(())
}

/// A program that ends with us, however we end: also by SIGKILL, which leaves nobody to end it. Its standard input is
/// the leash: a pipe that the system closes with us. Keep the child's `stdin` for as long as it shall live; note that
/// `Child::wait` drops it.
pub fn leashed(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            // The shell becomes the program; what waits for the end of the pipe stands beside it.
            "exec 3<&0 </dev/null; { cat <&3 >/dev/null; kill $$; } 2>/dev/null & exec \"$@\" 3<&-",
            "sh",
        ])
        .arg(program)
        .stdin(Stdio::piped());
    command
}

/// Whether a program can be called like this and succeeds.
pub fn answers(name: &str, arguments: &[&str]) -> bool {
    Command::new(name)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leashed_program_ends_with_its_leash() {
        let mut child = leashed("sleep").arg("60").spawn().unwrap();
        let leash = child.stdin.take();
        assert!(
            child.try_wait().unwrap().is_none(),
            "it runs while it is held"
        );
        // As the system does when the holder is killed.
        drop(leash);
        let began = Instant::now();
        let status = child.wait().unwrap();
        assert!(!status.success(), "{status}");
        assert!(began.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_leashed_program_that_ends_is_seen_to_end() {
        let mut child = leashed("sh").args(["-c", "exit 7"]).spawn().unwrap();
        let _leash = child.stdin.take();
        assert_eq!(child.wait().unwrap().code(), Some(7));
    }

    #[test]
    fn what_does_not_end_is_ended() {
        let began = Instant::now();
        let within = |words: &[&str], millis| {
            run_within(
                Command::new(words[0]).args(&words[1..]),
                Duration::from_millis(millis),
            )
        };
        assert!(within(&["true"], 10_000).is_ok());
        assert!(within(&["false"], 10_000).is_err());
        let late = within(&["sleep", "60"], 10).unwrap_err();
        assert!(late.to_string().starts_with("not done after"), "{late}");
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
