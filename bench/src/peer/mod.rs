//! What is measured. Each peer has a small adapter: how to start it, how a connection becomes a logged-in one, how a
//! message for a user is published, how a round trip is asked for.

mod floor;
mod heartline;
mod mosquitto;
mod nchan;
mod node;
mod sockudo;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

/// Where the programs are, and where they may leave files.
#[derive(Clone, Debug, clap::Args, serde::Serialize, serde::Deserialize)]
pub struct Tools {
    /// The heartline-server binary.
    #[arg(long)]
    pub server: PathBuf,
    /// The folder with the small servers of the Node and Python peers.
    #[arg(long)]
    pub peers: PathBuf,
    /// A Python that has socketify.
    #[arg(long)]
    pub python: PathBuf,
    /// The sockudo binary.
    #[arg(long)]
    pub sockudo: PathBuf,
    /// Another heartline-server, to be measured beside the first.
    #[arg(long)]
    pub before: Option<PathBuf>,
    /// Configuration and logs of the peers go here.
    #[arg(long)]
    pub scratch: PathBuf,
}

/// How a server is spoken to. Users are numbers here; each peer spells them in its way.
pub trait Peer: Send {
    /// The command that runs it on `port`.
    fn command(&self, tools: &Tools, port: u16) -> Result<Command>;

    /// The upgrade request of a user's connection; none: the bare socket is all.
    fn upgrade(&self, user: u32) -> Option<Vec<u8>>;

    /// What follows the upgrade, until the user is logged in and subscribed.
    fn login(&self, connection: u32, user: u32) -> Vec<Step>;

    /// Where publishing goes.
    fn publisher(&self) -> Publisher;

    /// One message with `filler_bytes` of text, ready for the publisher's socket.
    fn publish(&self, user: u32, filler_bytes: usize) -> Vec<u8>;

    /// A request that is answered by one frame.
    fn ping(&self) -> Option<Vec<u8>>;
}

/// One step of a login.
#[derive(Debug)]
pub struct Step {
    /// What is sent, if anything.
    pub send: Vec<u8>,
    /// So many frames must come before the next step.
    pub await_frames: u32,
}

/// How messages are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publisher {
    /// HTTP requests over one kept connection.
    Http,
    /// HTTP requests over a connection each, for a server that keeps none.
    HttpEach,
    /// Frames over a connection of its own.
    WebSocket,
    /// Orders to the bare loop, at the port above.
    Control,
}

/// All there are, in the order of the tables.
pub const NAMES: [&str; 10] = [
    "floor",
    "heartline",
    "heartline-1-shard",
    BEFORE,
    "socketify",
    "ws",
    "socket.io",
    "mosquitto",
    "nchan",
    "sockudo",
];

/// Takes part only where [`Tools::before`] says what it is.
pub const BEFORE: &str = "heartline-before";

/// The adapter of that name.
pub fn by_name(name: &str) -> Result<Box<dyn Peer>> {
    Ok(match name {
        "floor" => Box::new(floor::Floor),
        "heartline" => Box::new(heartline::Heartline::default()),
        "heartline-1-shard" => Box::new(heartline::Heartline {
            shards: 1,
            ..Default::default()
        }),
        BEFORE => Box::new(heartline::Heartline {
            is_before: true,
            ..Default::default()
        }),
        "ws" => Box::new(node::JsonPeer::Ws),
        "socketify" => Box::new(node::JsonPeer::Socketify),
        "socket.io" => Box::new(node::SocketIo),
        "mosquitto" => Box::new(mosquitto::Mosquitto),
        "nchan" => Box::new(nchan::Nchan),
        "sockudo" => Box::new(sockudo::Sockudo),
        _ => bail!("there is no peer called {name}"),
    })
}

/// Which version of it runs here, for the results.
pub fn version(name: &str, tools: &Tools) -> String {
    let first_line = |program: &Path, arguments: &[&str]| -> String {
        let Ok(out) = Command::new(program).args(arguments).output() else {
            return "not found".into();
        };
        let text = [out.stdout, out.stderr].concat();
        String::from_utf8_lossy(&text)
            .lines()
            .next()
            .unwrap_or("unknown")
            .trim()
            .to_owned()
    };
    let package = |name: &str| {
        let path = tools
            .peers
            .join("node/node_modules")
            .join(name)
            .join("package.json");
        let json: serde_json::Value = std::fs::read_to_string(path)
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        format!(
            "{} on node {}",
            json["version"].as_str().unwrap_or("unknown"),
            first_line(Path::new("node"), &["--version"])
        )
    };
    match name {
        "floor" => "bare send loop, blocking sockets".into(),
        "heartline" => {
            let script = "git rev-parse --short HEAD; git status --porcelain ../../server ../../protocol | sed '1q' | sed 's/.*/and changes/'";
            let script = format!("cd '{}' && echo $({script})", tools.peers.display());
            let commit = first_line(Path::new("sh"), &["-c", &script]);
            let version = first_line(&tools.server, &["--version"]);
            format!("{version}, commit {commit}, shards: one per core")
        }
        "heartline-1-shard" => "the same with --shards 1".into(),
        BEFORE => "another build of it, to compare".into(),
        "ws" | "socket.io" => package(name),
        "socketify" => {
            let script = "import importlib.metadata as m, sys; print(m.version('socketify'), 'on Python', sys.version.split()[0])";
            first_line(&tools.python, &["-c", script])
        }
        "mosquitto" => first_line(Path::new("mosquitto"), &["-h"]),
        "nchan" => {
            let script = "dpkg-query -W -f '${Version}' libnginx-mod-nchan; echo \" on $(nginx -v 2>&1 | cut -d' ' -f3)\"";
            first_line(Path::new("sh"), &["-c", script])
        }
        "sockudo" => {
            let version = first_line(&tools.sockudo, &["--version"]);
            let build = std::fs::read_to_string(tools.sockudo.with_extension("build"));
            let build = build.map_or(String::new(), |build| {
                format!(", built with {}", build.trim())
            });
            format!("{version}{build}; its HTTP API ends the connection after each message")
        }
        _ => "unknown".into(),
    }
}

fn step(send: Vec<u8>, await_frames: u32) -> Step {
    Step { send, await_frames }
}

fn filler(bytes: usize) -> String {
    "x".repeat(bytes)
}

/// The classic login of `user:N`, as ours and the Node and Python peers understand it.
pub fn classic_login(user: u32) -> String {
    let token = heartline_protocol::classic_token(&user.to_string(), KEY);
    format!(r#"{{"u":"user:{user}","token":"{token}"}}"#)
}

/// The key of the role of all users.
pub const KEY: &str = "bench";
