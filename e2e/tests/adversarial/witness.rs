//! The well-behaved device that must notice nothing: it pings and is pushed to all the time, and counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use heartline_e2e::{Server, eventually, form_body, open_files};

/// What the server may keep, in resident bytes above where it began, once an attack is over: freed memory that the
/// allocator holds on to, and the tables that grew. Far below what any attack here would cost if it were kept.
pub const CALM_GROWTH: u64 = 48 << 20;
/// No ping or push of the witness may take longer, however busy the two cores are with the attack itself.
const SANE: Duration = Duration::from_secs(2);
/// A testimony has at least this many rounds; after a short attack the witness stays on until it has them.
const ROUNDS: usize = 50;
/// Between two rounds of the witness.
const PACE: Duration = Duration::from_millis(4);

/// A logged-in device and a backend that pushes to it, on a thread of their own.
pub struct Witness {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Duration>>,
}

/// The state of a server before an attack.
pub struct Before {
    rss: u64,
    files: usize,
}

/// What the witness saw.
pub struct Testimony {
    rounds: Vec<Duration>,
}

impl Witness {
    /// Logs in and begins.
    pub fn start(server: &Server) -> Self {
        Self::start_with(server, String::new())
    }

    /// The same on a server that demands a push key.
    pub fn start_with_key(server: &Server, key: &str) -> Self {
        Self::start_with(server, format!("Authorization: Bearer {key}\r\n"))
    }

    fn start_with(server: &Server, headers: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut device = server.device("xxx:witness");
        let mut backend = server.http();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut rounds = Vec::new();
            while rounds.len() < ROUNDS || !stopped.load(Ordering::SeqCst) {
                let number = rounds.len().to_string();
                let fields = [
                    ("event", "chat1"),
                    ("msg", number.as_str()),
                    ("to", "xxx:witness"),
                    ("type", "app"),
                ];
                let start = std::time::Instant::now();
                let body = form_body(&fields);
                let response = backend.post(
                    "application/x-www-form-urlencoded",
                    body.as_bytes(),
                    &headers,
                );
                assert_eq!(response.text(), "ok");
                assert_eq!(
                    device.push_msg(),
                    rounds.len(),
                    "pushes in order, none lost"
                );
                let pushed = start.elapsed();
                let pinged = device.ping_time();
                assert!(
                    pushed < SANE && pinged < SANE,
                    "push {pushed:?}, ping {pinged:?}"
                );
                rounds.push(pinged);
                std::thread::sleep(PACE);
            }
            rounds
        });
        Self { stop, thread }
    }

    /// Ends the watch.
    ///
    /// # Panics
    /// With whatever the witness saw go wrong.
    pub fn finish(self) -> Testimony {
        self.stop.store(true, Ordering::SeqCst);
        match self.thread.join() {
            Ok(rounds) => Testimony { rounds },
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Testimony {
    /// The ping time that 99 of 100 rounds were below.
    pub fn ping_p99(&self) -> Duration {
        let mut rounds = self.rounds.clone();
        rounds.sort();
        rounds[rounds.len() * 99 / 100]
    }
}

impl Before {
    /// Looks at a server that has served a little already.
    pub fn of(server: &Server) -> Self {
        Self {
            rss: server.rss_bytes(),
            files: open_files(server.pid()),
        }
    }

    /// Resident bytes above where it began.
    pub fn growth(&self, server: &Server) -> u64 {
        server.rss_bytes().saturating_sub(self.rss)
    }

    /// Asserts that the attackers' sockets are closed on the server's side.
    pub fn expect_closed(&self, server: &Server, within: Duration) {
        // The witness's two sockets may have come or gone since.
        let files = self.files + 4;
        eventually("the attackers' sockets are closed", within, true, || {
            open_files(server.pid()) <= files
        });
    }

    /// Asserts that sockets are closed and memory is given back (up to [`CALM_GROWTH`]).
    pub fn expect_calm(&self, server: &Server, within: Duration) {
        self.expect_closed(server, within);
        let growth = self.growth(server);
        println!("memory grew by {} KiB", growth >> 10);
        assert!(growth <= CALM_GROWTH, "memory grew by {} MiB", growth >> 20);
    }
}
