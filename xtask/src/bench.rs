//! Installs and builds what `heartline-bench` measures, has it measure, runs the micro-benchmarks, and puts their numbers
//! beside the others in `bench/RESULTS.md`.
//!
//! A peer that cannot be had is named in the results, with the reason; it stops nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::results::{load_average, store};
use crate::run::{answers, cargo, root, run, run_within, say};
use crate::{cost, needs};

/// What to measure.
#[derive(clap::Args, Default)]
pub struct BenchArgs {
    /// Small numbers, three minutes at the most.
    #[arg(long)]
    pub quick: bool,
    /// One of memory, connect, fanout, ping, devices, users, flood, frozen, durable, micro, client; as often as wanted. Sections of
    /// the results that were not asked for stay as they are.
    #[arg(long)]
    pub only: Vec<String>,
    /// These peers only, beside ours and the floor; as often as wanted. `none` is nobody.
    #[arg(long)]
    pub peer: Vec<String>,
    /// Another heartline-server binary, measured beside the one that is built: what a change has won or lost.
    #[arg(long)]
    pub before: Option<PathBuf>,
}

/// The chore.
pub fn measure(args: &BenchArgs) -> Result<()> {
    let whole = args.only.is_empty();
    let wanted = |name: &str| whole || args.only.iter().any(|only| only == name);
    let scenarios: Vec<_> = args
        .only
        .iter()
        .filter(|only| ![MICRO, CLIENT].contains(&only.as_str()))
        .collect();
    if whole || !scenarios.is_empty() {
        servers(args, &scenarios)?;
    }
    if wanted(MICRO) {
        micro_benchmarks(args.quick)?;
    }
    if wanted(CLIENT) {
        cost::record(args.quick)?;
    }
    println!("\nbench/RESULTS.md and bench/plots/ are written");
    Ok(())
}

fn servers(args: &BenchArgs, scenarios: &[&String]) -> Result<()> {
    let places = Places::new();
    fs::create_dir_all(&places.scratch)?;
    let mut missing = Vec::new();
    for (peer, install) in PEERS {
        let wanted = args.peer.is_empty() || args.peer.iter().any(|name| name == peer);
        if wanted && let Err(error) = install(&places) {
            println!("   {peer} cannot be measured: {error:#}");
            missing.push(format!(
                "{peer}={}",
                format!("{error:#}").replace('\n', " ")
            ));
        }
    }
    say("building the server and the load generator (release)");
    run(cargo().args([
        "build",
        "--release",
        "--locked",
        "-p",
        "heartline-server",
        "-p",
        "heartline-bench",
    ]))?;

    let mut lead = Command::new(places.target.join("release/heartline-bench"));
    lead.arg("run")
        .arg("--server")
        .arg(places.target.join("release/heartline-server"))
        .arg("--peers")
        .arg(root().join(FOLDER))
        .arg("--python")
        .arg(&places.python)
        .arg("--sockudo")
        .arg(&places.sockudo)
        .arg("--scratch")
        .arg(&places.scratch)
        .arg("--out")
        .arg(root().join("bench"));
    if args.quick {
        lead.arg("--quick");
    }
    if let Some(before) = &args.before {
        lead.arg("--before").arg(fs::canonicalize(before)?);
    }
    for only in scenarios {
        lead.arg("--only").arg(only);
    }
    for peer in &args.peer {
        lead.arg("--peer").arg(peer);
    }
    for peer in missing {
        lead.arg("--missing").arg(peer);
    }
    run(&mut lead)
}

/// Where things are and go.
struct Places {
    target: PathBuf,
    scratch: PathBuf,
    venv: PathBuf,
    python: PathBuf,
    sockudo_root: PathBuf,
    sockudo: PathBuf,
}

impl Places {
    fn new() -> Self {
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root().join("target"), |dir| root().join(dir));
        let own = target.join("bench");
        let (venv, sockudo_root) = (own.join("venv"), own.join("sockudo"));
        Self {
            scratch: own.join("scratch"),
            python: venv.join("bin/python"),
            sockudo: sockudo_root.join("bin/sockudo"),
            venv,
            sockudo_root,
            target,
        }
    }
}

type Install = fn(&Places) -> Result<()>;

/// The peers that must be installed, and how. Each looks first whether it is there.
const PEERS: [(&str, Install); 6] = [
    ("ws", node_peers),
    ("socket.io", node_peers),
    ("socketify", socketify),
    ("mosquitto", mosquitto),
    ("nchan", nchan),
    ("sockudo", sockudo),
];

fn node_peers(_: &Places) -> Result<()> {
    needs::node()?;
    needs::npm_ci(&format!("{FOLDER}/node"))
}

fn socketify(places: &Places) -> Result<()> {
    let there = |code: &str| {
        let python = Command::new(&places.python).args(["-c", code]).output();
        python.is_ok_and(|out| out.status.success())
    };
    if there("import socketify") {
        return Ok(());
    }
    if !Path::new("/usr/lib/x86_64-linux-gnu/libuv.so.1").exists() {
        debian(&["libuv1"])?;
    }
    say("installing socketify into a virtual environment");
    run(Command::new("python3")
        .args(["-m", "venv"])
        .arg(&places.venv))?;
    let list = root().join(FOLDER).join("requirements.txt");
    run(Command::new(&places.python)
        .args(["-m", "pip", "install", "--quiet", "-r"])
        .arg(list))?;
    if !there("import socketify") {
        bail!("socketify was installed and does not load");
    }
    Ok(())
}

fn mosquitto(_: &Places) -> Result<()> {
    // It answers its help with a code of its own; that it can be started is enough.
    if Command::new("mosquitto").arg("-h").output().is_ok() {
        Ok(())
    } else {
        debian(&["mosquitto"])
    }
}

fn nchan(_: &Places) -> Result<()> {
    let there = || {
        answers("nginx", &["-v"])
            && Path::new("/usr/lib/nginx/modules/ngx_nchan_module.so").exists()
    };
    if !there() {
        debian(&["nginx", "libnginx-mod-nchan"])?;
    }
    if there() {
        Ok(())
    } else {
        bail!("nginx has no nchan module where Debian puts it")
    }
}

fn sockudo(places: &Places) -> Result<()> {
    if places.sockudo.exists() {
        return Ok(());
    }
    // Its build generates code with protoc, from definitions that Debian packs apart.
    if !answers("protoc", &["--version"])
        || !Path::new("/usr/include/google/protobuf/timestamp.proto").exists()
    {
        debian(&["protobuf-compiler", "libprotobuf-dev"])?;
    }
    say(format!(
        "building sockudo from crates.io (once; some 450 crates, {} minutes at the most)",
        SOCKUDO_LIMIT.as_secs() / 60
    ));
    let mut install = cargo();
    install
        .args([
            "install",
            "sockudo",
            "--version",
            SOCKUDO,
            "--locked",
            "--no-default-features",
            "--features",
            "local",
            "--root",
        ])
        .arg(&places.sockudo_root)
        // Its metrics use what tokio calls unstable.
        .env("RUSTFLAGS", "--cfg tokio_unstable")
        .env("CARGO_TARGET_DIR", places.sockudo_root.join("target"));
    // Its own profile links for a quarter of an hour; what that wins is far below what is measured.
    for (name, value) in SOCKUDO_PROFILE {
        install.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
    }
    run_within(&mut install, SOCKUDO_LIMIT)
        .context("what is built is kept; the next run goes on from there")?;
    let told: Vec<String> = SOCKUDO_PROFILE
        .iter()
        .map(|(name, value)| format!("{}={value}", name.to_ascii_lowercase()))
        .collect();
    fs::write(places.sockudo.with_extension("build"), told.join(" "))?;
    Ok(())
}

fn debian(packages: &[&str]) -> Result<()> {
    if !answers("apt-get", &["--version"]) {
        bail!("there is no apt-get to install {} with", packages.join(" "));
    }
    say(format!("installing {} with apt-get", packages.join(" ")));
    let apt = |words: &[&str]| {
        run(Command::new("apt-get")
            .args(words)
            .env("DEBIAN_FRONTEND", "noninteractive"))
    };
    apt(&["update", "-q"])?;
    let words: Vec<&str> = ["install", "-y", "-q", "--no-install-recommends"]
        .iter()
        .chain(packages)
        .copied()
        .collect();
    apt(&words)
}

/// Runs criterion and puts its medians into the results.
fn micro_benchmarks(quick: bool) -> Result<()> {
    say("micro-benchmarks");
    let mut command = cargo();
    command.args([
        "bench",
        "--locked",
        "-p",
        "heartline-bench",
        "--bench",
        "protocol",
        "--bench",
        "client",
        "--",
    ]);
    command.args(["--output-format", "bencher"]);
    if quick {
        command.args(["--warm-up-time", "0.3", "--measurement-time", "0.7"]);
    } else {
        command.args(["--warm-up-time", "1", "--measurement-time", "3"]);
    }
    let load = load_average();
    let mut rows = String::new();
    crate::run::run_watching(&mut command, |line| {
        if let Some((name, median, spread)) = read_bencher(line) {
            rows += &format!("| {name} | {median} | ± {spread} |\n");
        }
    })?;
    if rows.is_empty() {
        bail!("the micro-benchmarks told nothing");
    }
    let mode = if quick { "quick mode" } else { "full mode" };
    let section = format!(
        "## Micro-benchmarks\n\nBy criterion, in nanoseconds per call; no sockets.\n\n| what | median | spread |\n|---|---:|---:|\n{rows}\n\
         *{mode}, load average before {load}.*\n"
    );
    store("bench-micro", &section)
}

/// `test NAME ... bench: 1,234 ns/iter (+/- 56)`
fn read_bencher(line: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... bench:")?;
    let (median, rest) = rest.trim().split_once(" ns/iter (+/- ")?;
    Some((name.trim(), median, rest.strip_suffix(')')?))
}

const MICRO: &str = "micro";
const CLIENT: &str = "client";
const FOLDER: &str = "bench/peers";
/// The newest that our oldest supported compiler builds.
const SOCKUDO: &str = "4.5.2";
/// How it is built, told beside its version.
const SOCKUDO_PROFILE: [(&str, &str); 3] =
    [("OPT_LEVEL", "2"), ("LTO", "off"), ("CODEGEN_UNITS", "16")];
/// A quarter of an hour beside other work; then the run goes on without it.
const SOCKUDO_LIMIT: Duration = Duration::from_secs(30 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_criterion_is_read() {
        let line =
            "test client core: a push to one listener ... bench:          12 ns/iter (+/- 1)";
        assert_eq!(
            read_bencher(line),
            Some(("client core: a push to one listener", "12", "1"))
        );
        assert_eq!(read_bencher("running 3 tests"), None);
    }
}
