//! The crate with all its features, as a page would use it that drives the module without the npm package: the plain
//! wasm target, Node's flavour of bindings, and a test in Node. Nothing of it is shipped.

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

use crate::needs;
use crate::run::{cargo, program, root, run, run_watching, say, target_dir};

/// Builds it, runs `client-wasm/tests`, hands each line to `look`.
pub fn test(look: impl FnMut(&str)) -> Result<()> {
    needs::node()?;
    needs::rust_target(TARGET)?;
    say("wasm: the crate with all its features, in Node");
    run(cargo().args([
        "build",
        "--quiet",
        "--package",
        "heartline-client-wasm",
        "--target",
        TARGET,
    ]))?;
    let module = target_dir()
        .join(TARGET)
        .join("debug/heartline_client_wasm.wasm");
    let folder = root().join("target/wasm/whole");
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).out_name("heartline");
    let generated = bindgen
        .nodejs(true)
        .and_then(|bindgen| bindgen.typescript(false).generate(&folder));
    generated.context("wasm-bindgen")?;
    let mut command = program("node", ".");
    command
        .args(["--test", "client-wasm/tests/whole.test.mjs"])
        .env("HEARTLINE_WHOLE", folder.join("heartline.js"));
    run_watching(&mut command, look)
}

const TARGET: &str = "wasm32-unknown-unknown";
