//! Rust to wasm, with the standard library compiled from source: the prebuilt one carries instructions (reference
//! types, multi-value and more) that the engines of older phones do not know.
//!
//! The sources come from the toolchain (`rustup component add rust-src`), else from Debian's `rustc-web` and
//! `rust-web-src`: a machine may reach only one of the two.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::output_of;
use crate::run::{answers, root, run, say};

/// Compiles `heartline-client-wasm` and answers the path of the module.
pub fn client() -> Result<PathBuf> {
    let compiler = compiler()?;
    let target_dir = target_dir();
    let mut command = Command::new(&compiler.cargo);
    command
        .current_dir(root())
        .args([
            "build",
            "--profile",
            "wasm-release",
            "--target",
            TARGET,
            "--package",
            "heartline-client-wasm",
            "--no-default-features",
        ])
        .args([
            "-Zbuild-std=std,panic_abort",
            "-Zbuild-std-features=optimize_for_size",
        ])
        .env("CARGO_TARGET_DIR", &target_dir)
        // Lets the stable compiler take the two unstable switches of this build; nothing else here uses it.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"))
        .env_remove("RUSTFLAGS");
    if let Some(rustc) = &compiler.rustc {
        command.env("RUSTC", rustc);
    }
    run(&mut command)?;
    let module = target_dir
        .join(TARGET)
        .join("wasm-release/heartline_client_wasm.wasm");
    module
        .canonicalize()
        .with_context(|| format!("the build left no {}", module.display()))
}

/// A Rust that has the sources of its standard library.
struct Compiler {
    cargo: PathBuf,
    rustc: Option<PathBuf>,
}

fn compiler() -> Result<Compiler> {
    let ours = || Compiler {
        cargo: std::env::var_os("CARGO")
            .unwrap_or_else(|| "cargo".into())
            .into(),
        rustc: None,
    };
    let rustc = PathBuf::from(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    if has_std_sources(&rustc)? {
        return Ok(ours());
    }
    if answers("rustup", &["--version"]) {
        say("installing the sources of the standard library with rustup");
        if run(Command::new("rustup").args(["component", "add", "rust-src"])).is_ok()
            && has_std_sources(&rustc)?
        {
            return Ok(ours());
        }
    }
    debian(ours)
}

/// Debian's compiler for wasm, with its sources.
fn debian(ours: impl Fn() -> Compiler) -> Result<Compiler> {
    let rustc = PathBuf::from("/usr/bin/rustc");
    if !Path::new("/usr/lib/rustlib/src/rust/library/Cargo.lock").exists()
        && answers("apt-get", &["--version"])
    {
        say("installing rustc-web and rust-web-src with apt-get");
        // A failure is reported below, together with the other way out.
        let _ = run(Command::new("apt-get").args(["update", "-q"]));
        let _ = run(Command::new("apt-get").args([
            "install",
            "-y",
            "-q",
            "rustc-web",
            "rust-web-src",
            "lld",
        ]));
    }
    if rustc.exists() && has_std_sources(&rustc)? {
        return Ok(Compiler {
            rustc: Some(rustc),
            ..ours()
        });
    }
    bail!(
        "the sources of Rust's standard library are missing: run `rustup component add rust-src`, or install the \
         Debian packages rustc-web and rust-web-src"
    )
}

fn has_std_sources(rustc: &Path) -> Result<bool> {
    let sysroot = output_of(
        Command::new(rustc)
            .current_dir(root())
            .args(["--print", "sysroot"]),
    )?;
    let sysroot = PathBuf::from(String::from_utf8(sysroot)?.trim());
    Ok(sysroot
        .join("lib/rustlib/src/rust/library/Cargo.lock")
        .exists())
}

/// A folder of its own beneath the usual one: these flags must not throw away the other builds' work.
fn target_dir() -> PathBuf {
    let usual =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    usual.join("wasm-std")
}

const TARGET: &str = "wasm32-unknown-unknown";

/// Panics trap at once (the driver starts afresh), and no text for them is carried. Bulk memory is lowered again
/// by the next step: without it the compiler would call slow library routines instead.
const FLAGS: [&str; 11] = [
    "-Zunstable-options",
    "-Cpanic=immediate-abort",
    "-Zfmt-debug=none",
    "-Zlocation-detail=none",
    "-Ctarget-cpu=mvp",
    "-Ctarget-feature=+mutable-globals,+bulk-memory",
    "-Clink-arg=-zstack-size=16384",
    // Functions that are called twice stay functions: a tenth less to download.
    "-Cllvm-args=--inline-threshold=0",
    // And loops stay loops.
    "-Cllvm-args=-unroll-runtime=false",
    "-Cllvm-args=-unroll-allow-partial=false",
    "-Cllvm-args=-unroll-full-max-count=1",
];
