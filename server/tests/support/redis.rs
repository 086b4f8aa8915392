//! A real redis-server of the test's own, on a free port, keeping nothing on disk.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use heartline_server::config::{RedisConfig, Secret};

use super::free_port;

/// A running Redis; it ends with this value.
pub struct Redis {
    pub port: u16,
    child: Option<Child>,
    directory: tempfile::TempDir,
}

impl Redis {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut redis = Self {
            port: free_port(),
            child: None,
            directory,
        };
        redis.start_again();
        redis
    }

    /// Starts on the same port, empty.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let child = Command::new("redis-server")
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .arg("--dir")
            .arg(self.directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("these tests need redis-server ({error}): apt-get install redis-server")
            });
        // Another test may have taken the port since: it must be this one that answers.
        let ours = format!("process_id:{}\r\n", child.id());
        self.child = Some(child);
        let deadline = Instant::now() + Duration::from_secs(10);
        let answers = || {
            let mut connection = self.connection().ok()?;
            redis::cmd("INFO")
                .arg("server")
                .query::<String>(&mut connection)
                .ok()
        };
        while !answers().is_some_and(|info| info.contains(&ours)) {
            assert!(
                Instant::now() < deadline,
                "the redis-server of this test does not answer on port {}",
                self.port
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Gone from one moment to the next, with all it held.
    pub fn stop(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }

    /// Keeps its connections and its data, and answers nobody until [`Redis::resume`].
    pub fn pause(&self) {
        self.signal(rustix::process::Signal::STOP);
    }

    pub fn resume(&self) {
        self.signal(rustix::process::Signal::CONT);
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let id = self.child.as_ref().expect("it runs").id();
        let pid = i32::try_from(id)
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .expect("a pid");
        rustix::process::kill_process(pid, signal).expect("it can be signalled");
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub fn config(&self, prefix: &str) -> RedisConfig {
        RedisConfig {
            url: Secret::new(self.url()),
            prefix: prefix.into(),
        }
    }

    /// Runs a command written as words.
    pub fn run<T: redis::FromRedisValue>(&self, command: &str) -> T {
        let mut words = command.split_whitespace();
        let mut cmd = redis::cmd(words.next().expect("a command"));
        for word in words {
            cmd.arg(word);
        }
        let mut connection = self.connection().expect("Redis answers");
        cmd.query(&mut connection)
            .unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// Every key there is but our own bookkeeping. Only a test may use KEYS.
    pub fn classic_keys(&self) -> BTreeSet<String> {
        self.run::<BTreeSet<String>>("KEYS *")
            .into_iter()
            .filter(|key| !key.contains("heartline:"))
            .collect()
    }

    /// Our own bookkeeping.
    pub fn own_keys(&self) -> BTreeSet<String> {
        self.run("KEYS *heartline:*")
    }

    fn connection(&self) -> redis::RedisResult<redis::Connection> {
        redis::Client::open(self.url())?.get_connection_with_timeout(Duration::from_secs(1))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
