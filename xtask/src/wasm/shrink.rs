//! binaryen: lowers what old engines lack, then makes the module small, then shortens its names.
//!
//! Three calls on purpose: the first must know the features it lowers, the second must not know them (or it
//! would bring them back), and the third prints the map of names that the glue follows.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{output_of, tool};

/// The finished module.
pub struct Small {
    /// Where it lies.
    pub path: PathBuf,
    /// The new names.
    pub names: Names,
}

/// Old name and new name, for imports and exports.
pub struct Names {
    /// The one module that everything is imported from.
    pub module: String,
    /// What the module imports.
    pub imports: Vec<(String, String)>,
    /// What the module exports.
    pub exports: Vec<(String, String)>,
}

/// Lowers and shrinks `wasm`. `quick` skips the slow passes.
pub fn to_mvp(wasm: &Path, scratch: &Path, quick: bool) -> Result<Small> {
    let lowered = scratch.join("lowered.wasm");
    output_of(
        tool("wasm-opt")
            .args(COMPILED)
            .args(LOWERING)
            .arg(wasm)
            .arg("-o")
            .arg(&lowered),
    )?;
    let optimized = scratch.join("optimized.wasm");
    let passes: &[&str] = if quick { &["-O1"] } else { &SIZE };
    output_of(
        tool("wasm-opt")
            .args(SHIPPED)
            .args(passes)
            .args(STRIP)
            .arg(&lowered)
            .arg("-o")
            .arg(&optimized),
    )?;
    let path = scratch.join("heartline.wasm");
    let map = output_of(
        tool("wasm-opt")
            .args(SHIPPED)
            .arg("--minify-imports-and-exports-and-modules")
            .arg(&optimized)
            .arg("-o")
            .arg(&path),
    )?;
    fs::write(scratch.join("names.json"), &map)?;
    let names = names(&map).context("the map of minified names is not as expected")?;
    Ok(Small { path, names })
}

/// The map is `{"imports": [[module, old, new] …], "exports": [[old, new] …]}`.
fn names(map: &[u8]) -> Result<Names> {
    let map: serde_json::Value = serde_json::from_slice(map)?;
    let rows = |key: &str| map[key].as_array().with_context(|| format!("no {key}"));
    let pair = |row: &serde_json::Value, old: usize| {
        let text = |at: usize| {
            row[at]
                .as_str()
                .map(str::to_owned)
                .context("a row that is not of strings")
        };
        Ok((text(old)?, text(old + 1)?))
    };
    Ok(Names {
        // binaryen calls its one module "a".
        module: "a".into(),
        imports: rows("imports")?
            .iter()
            .map(|row| pair(row, 1))
            .collect::<Result<_>>()?,
        exports: rows("exports")?
            .iter()
            .map(|row| pair(row, 0))
            .collect::<Result<_>>()?,
    })
}

/// What the compiler may have used. Named one by one: with `--all-features` the memory-copy pass aborts.
const COMPILED: [&str; 6] = [
    "--mvp-features",
    "--enable-mutable-globals",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-sign-ext",
    "--enable-nontrapping-float-to-int",
];
const LOWERING: [&str; 4] = [
    "--llvm-memory-copy-fill-lowering",
    "--llvm-nontrapping-fptoint-lowering",
    "--signext-lowering",
    "--strip-target-features",
];
const SHIPPED: [&str; 2] = ["--mvp-features", "--enable-mutable-globals"];
const SIZE: [&str; 12] = [
    // The first KiB is the far end of the stack, which grows downwards from 16 KiB: no pointer leads there, and an
    // offset can be folded into each access.
    "--low-memory-unused",
    // What is inlined repeats itself less than what is called: 1 % less. Functions stay in their order, by which like
    // stands beside like.
    "--always-inline-max-function-size",
    "8",
    "--one-caller-inline-max-function-size",
    "200",
    "-Oz",
    "--converge",
    // Blocks put together anew, then shrunk again: 1 % less.
    "--flatten",
    "--rereloop",
    "-Oz",
    "-Oz",
    "--zero-filled-memory",
];
const STRIP: [&str; 2] = ["--strip-debug", "--strip-producers"];
