//! The real binary in a process of its own, in an empty directory and with no Heartline variable of the caller's.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::eventually;

/// A command of the binary, not yet run.
pub fn heartline(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heartline-server"));
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HEARTLINE_"))
    {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs to the end in `directory`; returns exit code, stdout and stderr.
pub fn run_in(directory: &std::path::Path, mut command: Command) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .current_dir(directory)
        .output()
        .expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

/// A running server; it is killed with this value.
pub struct Serving {
    pub child: Child,
    pub address: SocketAddr,
    /// The line that said it was ready.
    pub ready_line: String,
    _directory: Option<tempfile::TempDir>,
    stdout: BufReader<ChildStdout>,
    stderr: Arc<Mutex<String>>,
}

impl Serving {
    /// Starts a command that serves in an empty directory, and waits for its ready line.
    pub fn start(command: Command) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut serving = Self::start_in(directory.path(), command);
        serving._directory = Some(directory);
        serving
    }

    /// The same in a directory of the caller's.
    pub fn start_in(directory: &std::path::Path, mut command: Command) -> Self {
        let mut child = command
            .current_dir(directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let stderr = collect(child.stderr.take().expect("piped"));
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut ready_line = String::new();
        stdout.read_line(&mut ready_line).expect("UTF-8");
        let address = ready_line
            .strip_prefix("heartline-server listening on http")
            .and_then(|rest| rest.split("://").nth(1)?.split(' ').next())
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| {
                let _ = child.wait();
                panic!(
                    "no ready line but {ready_line:?}; stderr: {}",
                    stderr.lock().unwrap()
                )
            });
        Self {
            child,
            address,
            ready_line,
            _directory: None,
            stdout,
            stderr,
        }
    }

    /// `serve` on a free port with the classic roles on memory, and more.
    pub fn classic(more: &[&str]) -> Self {
        let mut arguments = vec![
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--role-key",
            "user=K",
            "--role-key",
            "xxx=X",
            "--memory",
            "--loopback-push",
        ];
        arguments.extend(more);
        Self::start(heartline(&arguments))
    }

    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Ends without a chance to clean up.
    pub fn kill_9(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .expect("a pid");
        rustix::process::kill_process(pid, signal).expect("it can be signalled");
    }

    /// Waits for the end; returns the exit code and what else was said on stdout.
    pub fn wait(&mut self, within: Duration) -> (Option<i32>, String) {
        let child = &mut self.child;
        eventually(
            "the server ends",
            within,
            || child.try_wait().expect("a child"),
            Option::is_some,
        );
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("UTF-8");
        (self.child.wait().expect("it ended").code(), rest)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- server stderr\n{}", self.stderr());
        }
    }
}

fn collect(stderr: ChildStderr) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&text);
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            sink.lock().unwrap().push_str(&(line + "\n"));
        }
    });
    text
}
