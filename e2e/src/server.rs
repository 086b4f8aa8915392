//! A running `heartline-server`, started as an operator would, killed when the test ends.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::binary::server_binary;
use crate::http::{HttpConnection, Response, form_body};
use crate::process::{rss_bytes, signal, wait_exit};
use crate::token::{ROLE_KEY_USER, ROLE_KEY_XXX};
use crate::ws::Peer;

/// Kept of what the server printed; older lines are dropped.
const KEPT_LINES: usize = 2_000;
/// From spawn to the readiness line.
const START_WITHIN: Duration = Duration::from_secs(20);
/// What the server prints when it is ready, before its address; with TLS it says `https`.
const READY: &str = "heartline-server listening on http";

/// A server process. Dropping it kills the process.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    stdout: Lines,
    stderr: Lines,
}

/// A growing record of one output stream.
#[derive(Clone, Debug, Default)]
struct Lines(Arc<(Mutex<VecDeque<String>>, Condvar)>);

impl Server {
    /// Starts `serve` with the two test roles on memory, and further arguments. Tests push without a key.
    pub(crate) fn start(listen: &str, extra: &[&str]) -> Self {
        let roles = [
            format!("user={ROLE_KEY_USER}"),
            format!("xxx={ROLE_KEY_XXX}"),
        ];
        let mut command = Command::new(server_binary());
        command.args(["serve", "--listen", listen]);
        command
            .args([
                "--role-key",
                &roles[0],
                "--role-key",
                &roles[1],
                "--memory",
                "--loopback-push",
            ])
            .args(extra);
        Self::spawn(command)
    }

    /// Starts any command line that serves, and waits for its readiness line.
    ///
    /// # Panics
    /// When the server does not get ready; what it printed is shown.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stdout = Lines::read(child.stdout.take().expect("a piped stdout"));
        let stderr = Lines::read(child.stderr.take().expect("a piped stderr"));
        let deadline = Instant::now() + START_WITHIN;
        loop {
            if let Some(line) =
                stdout.wait_for(Duration::from_millis(50), |line| line.starts_with(READY))
            {
                let rest = line.split("://").nth(1).unwrap_or_default();
                let end = rest
                    .find(|c: char| !(c.is_ascii_digit() || ".:[]abcdef".contains(c)))
                    .unwrap_or(rest.len());
                let address = rest[..end]
                    .parse()
                    .unwrap_or_else(|_| panic!("no address in {line:?}"));
                return Self {
                    child,
                    address,
                    stdout,
                    stderr,
                };
            }
            let ended = child.try_wait().expect("waiting for the server");
            if ended.is_some() || Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                panic!(
                    "{command:?} did not get ready ({ended:?})\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
                );
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its resident memory.
    pub fn rss_bytes(&self) -> u64 {
        rss_bytes(self.pid())
    }

    /// All that it has printed on stdout so far (bounded).
    pub fn stdout(&self) -> String {
        self.stdout.to_string()
    }

    /// All that it has printed on stderr so far (bounded).
    pub fn stderr(&self) -> String {
        self.stderr.to_string()
    }

    /// A WebSocket connection that has not logged in.
    pub fn peer(&self) -> Peer {
        Peer::connect(self.address)
    }

    /// A WebSocket connection logged in as `ROLE:ID`.
    pub fn device(&self, user: &str) -> Peer {
        let mut peer = self.peer();
        peer.login(user);
        peer
    }

    /// A plain connection for HTTP.
    pub fn http(&self) -> HttpConnection {
        HttpConnection::connect(self.address)
    }

    /// Pushes a form on a connection of its own.
    pub fn push(&self, fields: &[(&str, &str)]) -> Response {
        self.http().post_form(&form_body(fields))
    }

    /// Pushes `msg` with event `chat1` and expects `ok`.
    pub fn push_chat(&self, to: &str, msg: &str) {
        let response = self.push(&[
            ("event", "chat1"),
            ("msg", msg),
            ("to", to),
            ("type", "app"),
        ]);
        assert_eq!(
            (response.status, response.text().as_str()),
            (200, "ok"),
            "push to {to}"
        );
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        signal(self.pid(), "TERM");
    }

    /// `kill -9`, and waits until the process is gone.
    pub fn kill_hard(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for the process to end by itself.
    pub fn wait_exit(&mut self, within: Duration) -> Option<ExitStatus> {
        wait_exit(&mut self.child, within)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- server stdout\n{}\n--- server stderr\n{}",
                self.stdout, self.stderr
            );
        }
        self.kill_hard();
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

impl Lines {
    fn read(stream: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let shared = lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let (kept, changed) = &*shared.0;
                let mut kept = kept.lock().expect("no poisoned lock");
                if kept.len() == KEPT_LINES {
                    kept.pop_front();
                }
                kept.push_back(line);
                changed.notify_all();
            }
        });
        lines
    }

    fn wait_for(&self, within: Duration, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let (kept, changed) = &*self.0;
        let deadline = Instant::now() + within;
        let mut kept = kept.lock().expect("no poisoned lock");
        loop {
            if let Some(line) = kept.iter().find(|line| wanted(line)) {
                return Some(line.clone());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            kept = changed
                .wait_timeout(kept, left)
                .expect("no poisoned lock")
                .0;
        }
    }
}

impl std::fmt::Display for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0
            .0
            .lock()
            .expect("no poisoned lock")
            .iter()
            .try_for_each(|line| writeln!(f, "{line}"))
    }
}
