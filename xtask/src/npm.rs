//! Builds the npm package: the wasm first, then the TypeScript around it.

use anyhow::Result;

use crate::run::{self, program, say};
use crate::{needs, wasm};

/// Builds `js-shim/dist` from a clean checkout.
pub fn run() -> Result<()> {
    needs::node()?;
    wasm::run(&wasm::WasmArgs::default())?;
    needs::npm_ci("js-shim")?;
    say("npm package: build js-shim");
    run::run(program("npm", "js-shim").args(["run", "--silent", "build"]))
}
