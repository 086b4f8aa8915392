//! Debian's nginx and haproxy in front of a server, as guides on the web set them up.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::free_port;

/// From spawn to the first connection that is accepted.
const START_WITHIN: Duration = Duration::from_secs(10);

/// A running reverse proxy; it is killed with this value.
#[derive(Debug)]
pub struct ReverseProxy {
    child: Child,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

impl ReverseProxy {
    /// nginx with these lines for `location /`.
    ///
    /// # Panics
    /// When nginx is not installed or does not start: these tests prove nothing without it.
    pub fn nginx(location: &str) -> Self {
        Self::start("nginx", |folder, port| {
            let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|kind| format!("{kind}_temp_path {folder}/{kind}; "))
                .concat();
            format!(
                "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log; events {{}}
                 http {{
                     access_log off; {temporary}
                     map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
                     server {{ listen 127.0.0.1:{port}; location / {{ {location}
 }} }}
                 }}"
            )
        })
    }

    /// haproxy with what its documentation calls a simple configuration.
    ///
    /// # Panics
    /// When haproxy is not installed or does not start.
    pub fn haproxy(upstream: SocketAddr) -> Self {
        Self::start("haproxy", |_, port| {
            format!(
                "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
                 frontend public\n bind 127.0.0.1:{port}\n default_backend heartline\n\
                 backend heartline\n server heartline {upstream}\n"
            )
        })
    }

    fn start(program: &str, configuration: impl FnOnce(&str, u16) -> String) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the proxy");
        let port = free_port();
        let file = directory.path().join("proxy.conf");
        let text = configuration(&directory.path().display().to_string(), port);
        std::fs::write(&file, text).expect("a configuration");
        let child = command(program, &file, directory.path())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{program} must be installed for this test (Debian: apt-get install {program}): {error}")
            });
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut proxy = Self {
            child,
            address,
            _directory: directory,
        };
        let deadline = Instant::now() + START_WITHIN;
        while TcpStream::connect(address).is_err() {
            let ended = proxy.child.try_wait().expect("waiting for the proxy");
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "{program} does not serve ({ended:?})"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        proxy
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn command(program: &str, file: &Path, folder: &Path) -> Command {
    // Debian keeps both where only root's PATH looks.
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin";
    let mut command = Command::new(program);
    match program {
        "nginx" => command.arg("-p").arg(folder).arg("-c").arg(file),
        _ => command.arg("-db").arg("-f").arg(file),
    };
    command
        .env("PATH", path)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit());
    command
}

impl Drop for ReverseProxy {
    fn drop(&mut self) {
        // Killing what has already ended is no error worth a word.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
