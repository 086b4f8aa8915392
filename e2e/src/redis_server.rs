//! A real Redis for one test: its own port, its own directory, no persistence, gone at the end.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::free_port;

/// A running `redis-server`.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    port: u16,
    _directory: tempfile::TempDir,
}

impl RedisServer {
    /// Starts one on a free port.
    pub fn start() -> Self {
        Self::start_on(free_port())
    }

    /// Starts one on a given port (a Redis that comes back, empty).
    ///
    /// # Panics
    /// When `redis-server` is not installed or does not answer: these tests prove nothing without it.
    pub fn start_on(port: u16) -> Self {
        let directory = tempfile::tempdir().expect("a directory for Redis");
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server must be installed for this test (Debian: apt-get install redis-server)");
        let server = Self {
            child,
            port,
            _directory: directory,
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        while server.try_connection().is_err() {
            assert!(
                Instant::now() < deadline,
                "redis-server on port {port} does not answer"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// `redis://…` of this server.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A connection for looking at keys.
    pub fn connection(&self) -> redis::Connection {
        self.try_connection().expect("a connection to redis-server")
    }

    fn try_connection(&self) -> redis::RedisResult<redis::Connection> {
        let mut connection = redis::Client::open(self.url())?.get_connection()?;
        redis::cmd("PING").query::<String>(&mut connection)?;
        Ok(connection)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Killing what has already ended is no error worth a word.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
