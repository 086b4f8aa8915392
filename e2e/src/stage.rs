//! Whose turn it is. Tests of one machine share two cores and one clock: light tests run side by side, heavy ones
//! alone, under any test runner, because the turn is a lock on a file and not a promise of the runner.

use std::fs::File;

use crate::server::Server;

/// A test's turn on the machine, and the only way to start a server. Held until dropped.
#[derive(Debug)]
pub struct Stage {
    _lock: File,
}

impl Stage {
    /// For a light test: shares the machine with other light tests.
    pub fn shared() -> Self {
        let lock = open_lock();
        lock.lock_shared().expect("a shared lock on the stage file");
        Self { _lock: lock }
    }

    /// For a heavy test, or one that measures: no other test of this package runs meanwhile.
    pub fn alone() -> Self {
        let lock = open_lock();
        lock.lock().expect("an exclusive lock on the stage file");
        Self { _lock: lock }
    }

    /// A server with the test roles, on memory, on a port of the system's choice, with further arguments.
    pub fn server(&self, extra: &[&str]) -> Server {
        Server::start("127.0.0.1:0", extra)
    }

    /// The same on a given port (a server that must come back where it was).
    pub fn server_on(&self, port: u16, extra: &[&str]) -> Server {
        Server::start(&format!("127.0.0.1:{port}"), extra)
    }
}

fn open_lock() -> File {
    let path = std::env::temp_dir().join("heartline-e2e-stage.lock");
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .unwrap_or_else(|error| panic!("cannot open {}: {error}", path.display()))
}
