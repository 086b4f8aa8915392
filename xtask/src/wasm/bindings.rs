//! wasm-bindgen as a library: no tool to install, and Cargo keeps it in step with the `wasm-bindgen` crate.
//!
//! Target `bundler`: its `_bg.js` never names `WebAssembly` and lets the loader supply the imports.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

/// A module that wasm-bindgen has been over, and what it wrote for it.
pub struct Bound {
    /// The module.
    pub wasm: PathBuf,
    /// `_bg.js`: the JavaScript side.
    pub javascript: String,
    /// `.d.ts`: its types.
    pub types: String,
}

/// Generates the bindings of `module` in `scratch`.
pub fn generate(module: &Path, scratch: &Path) -> Result<Bound> {
    let folder = scratch.join("bindings");
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(module)
        .out_name(NAME)
        .bundler(true)
        .and_then(|bindgen| {
            bindgen
                .typescript(true)
                .remove_producers_section(true)
                .generate_output()
        })
        .and_then(|mut output| {
            drop_unused_exports(output.wasm_mut())?;
            output.emit(&folder)
        })
        .context("wasm-bindgen")?;
    let read = |name: String| {
        fs::read_to_string(folder.join(&name)).with_context(|| format!("reading {name}"))
    };
    Ok(Bound {
        wasm: folder.join(format!("{NAME}_bg.wasm")),
        javascript: read(format!("{NAME}_bg.js"))?,
        types: read(format!("{NAME}.d.ts"))?,
    })
}

/// Drops what the fitted glue never asks for: the two calls that a text outwards, or one of unknown length, would need,
/// and two globals of wasm-bindgen's own bookkeeping of aborts. (WeChat on iOS cannot load a module that exports a global.)
fn drop_unused_exports(module: &mut walrus::Module) -> Result<()> {
    let unused = module.exports.iter().filter(|export| {
        matches!(export.item, walrus::ExportItem::Global(_))
            || ["__wbindgen_realloc", "__wbindgen_free"].contains(&export.name.as_str())
    });
    for id in unused.map(walrus::Export::id).collect::<Vec<_>>() {
        module.exports.delete(id);
    }
    walrus::passes::gc::run(module);
    Ok(())
}

const NAME: &str = "heartline";
