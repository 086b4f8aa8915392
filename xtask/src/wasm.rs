//! Builds the wasm client into `js-shim/pkg`: a module that the oldest engine we serve can load, the glue that goes
//! with it, and the same module as plain JavaScript for engines without WebAssembly.
//!
//! One file per step, in the order of [`build`]: [`compile`] (Rust to wasm), [`bindings`] (wasm-bindgen), [`shrink`]
//! (lowering and size), [`glue`] (the JavaScript side), [`fallback`] (wasm2js), [`gate`] (what must never
//! ship). [`stamp`] skips all of it when no input has changed.

mod bindings;
mod compile;
mod fallback;
mod gate;
mod glue;
mod shrink;
mod stamp;
pub mod whole;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::needs;
use crate::run::{root, say};

/// How to build.
#[derive(clap::Args, Default)]
pub struct WasmArgs {
    /// Quick build for development: fewer size passes, so the budgets are not met.
    #[arg(long)]
    pub dev: bool,
    /// Build even when no input has changed.
    #[arg(long)]
    pub force: bool,
}

/// Builds into `js-shim/pkg`, unless what lies there was built from the same inputs.
pub fn run(args: &WasmArgs) -> Result<()> {
    let stamp = stamp::of_inputs(args.dev)?;
    if !args.force && stamp::is_current(&package(), &stamp) {
        say("wasm: js-shim/pkg is up to date");
        return Ok(());
    }
    needs::node()?;
    needs::npm_ci(TOOLS)?;
    build(args)?;
    stamp::write(&package(), &stamp)
}

/// What a build leaves in `js-shim/pkg`, beside the glue's types.
pub const OUTPUTS: [&str; 5] = [
    "heartline.wasm",
    "heartline.wasm.br",
    "heartline_glue.js",
    "heartline_wasm2js.js",
    "heartline_wasm2js.cjs",
];

/// The folder with the npm tools that the build uses.
pub const TOOLS: &str = "js-shim/tools";

/// Where the build's outputs go.
pub fn package() -> PathBuf {
    root().join("js-shim/pkg")
}

/// A tool from npm. Node runs it, so that the launcher's own quirks do not matter.
pub fn tool(name: &str) -> Command {
    let mut command = Command::new(root().join(TOOLS).join("node_modules/.bin").join(name));
    command.current_dir(root());
    command
}

/// Runs to the end and answers its standard output.
fn output_of(command: &mut Command) -> Result<Vec<u8>> {
    let shown = format!("{command:?}");
    let out = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start: {shown}"))?;
    if !out.status.success() {
        bail!("failed ({}): {shown}", out.status);
    }
    Ok(out.stdout)
}

fn build(args: &WasmArgs) -> Result<()> {
    let scratch = root().join("target/wasm");
    fs::create_dir_all(&scratch)?;
    fs::create_dir_all(package())?;

    say(
        "wasm 1/6: compiling the client and the standard library to MVP wasm (about a minute the first time)",
    );
    let compiled = compile::client()?;
    say("wasm 2/6: generating the bindings");
    let bound = bindings::generate(&compiled, &scratch)?;
    say(if args.dev {
        "wasm 3/6: lowering (quick)"
    } else {
        "wasm 3/6: lowering and shrinking (about 10 s)"
    });
    let small = shrink::to_mvp(&bound.wasm, &scratch, args.dev)?;
    say("wasm 4/6: fitting the glue to it");
    let glue = glue::fit(&bound, &small.names)?;
    say("wasm 5/6: the same module as JavaScript");
    let fallback = fallback::from(&small.path, &scratch)?;
    say("wasm 6/6: checking that old engines will take it");
    gate::check(&small.path, &glue.javascript, &fallback)?;

    let wasm = fs::read(&small.path)?;
    put("heartline.wasm", &wasm)?;
    put("heartline.wasm.br", &brotli(&wasm, &scratch)?)?;
    put("heartline_glue.js", glue.javascript.as_bytes())?;
    put("heartline_glue.d.ts", glue.types.as_bytes())?;
    put(
        "heartline_wasm2js.js",
        format!("{fallback}\nexport {{ instantiate }};\n").as_bytes(),
    )?;
    put(
        "heartline_wasm2js.cjs",
        format!("'use strict';\n{fallback}\nexports.instantiate = instantiate;\n").as_bytes(),
    )?;
    put("heartline_wasm2js.d.ts", fallback::TYPES.as_bytes())
}

fn put(name: &str, bytes: &[u8]) -> Result<()> {
    fs::write(package().join(name), bytes)
        .with_context(|| format!("writing js-shim/pkg/{name}"))?;
    println!("   js-shim/pkg/{name}: {} bytes", bytes.len());
    std::io::stdout().flush()?;
    Ok(())
}

/// Brotli at its best, by Node's own zlib: no further tool to install.
fn brotli(bytes: &[u8], scratch: &Path) -> Result<Vec<u8>> {
    let input = scratch.join("to-brotli");
    fs::write(&input, bytes)?;
    let script = "const z=require('zlib'),b=require('fs').readFileSync(process.argv[1]);\
        process.stdout.write(z.brotliCompressSync(b,{params:{[z.constants.BROTLI_PARAM_QUALITY]:11,\
        [z.constants.BROTLI_PARAM_SIZE_HINT]:b.length}}))";
    output_of(Command::new("node").args(["-e", script]).arg(input))
}
