//! What must never ship: an instruction that old engines lack, an exported global, an externref, a BigInt, and any
//! free use of what mini-programs do not have.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use walrus::{ExportItem, ImportKind, Module, RefType, ValType};

use super::{output_of, tool};

/// Checks the finished module and its JavaScript.
pub fn check(wasm: &Path, glue: &str, fallback: &str) -> Result<()> {
    // wasm-opt cannot be the judge: it turns features on again by itself.
    output_of(
        tool("wasm-validate")
            .args(MVP_AND_MUTABLE_GLOBALS)
            .arg(wasm),
    )?;
    types(&Module::from_file(wasm)?)?;
    for (name, text) in [("glue", glue), ("wasm2js module", fallback)] {
        for word in [
            "BigInt",
            "WebAssembly",
            "eval(",
            "new Function",
            "import.meta",
            "globalThis",
        ] {
            ensure!(
                !text.contains(word),
                "the {name} says `{word}`, which some mini-programs do not have"
            );
        }
    }
    println!("   MVP plus mutable globals, no exported global, no externref, no 64-bit boundary");
    Ok(())
}

fn types(module: &Module) -> Result<()> {
    for export in module.exports.iter() {
        match export.item {
            ExportItem::Global(_) => bail!(
                "exports the global `{}`: WeChat on iOS cannot load that",
                export.name
            ),
            ExportItem::Function(id) => boundary(module, module.funcs.get(id).ty(), &export.name)?,
            ExportItem::Memory(_) | ExportItem::Table(_) | ExportItem::Tag(_) => {}
        }
    }
    for import in module.imports.iter() {
        match import.kind {
            ImportKind::Function(id) => boundary(module, module.funcs.get(id).ty(), &import.name)?,
            _ => bail!("imports `{}`, which is not a function", import.name),
        }
    }
    for table in module.tables.iter() {
        ensure!(
            table.element_ty == RefType::FUNCREF,
            "has a table of other things than functions"
        );
    }
    Ok(())
}

fn boundary(module: &Module, ty: walrus::TypeId, name: &str) -> Result<()> {
    let ty = module.types.get(ty);
    for value in ty.params().iter().chain(ty.results()) {
        ensure!(
            matches!(value, ValType::I32 | ValType::F32 | ValType::F64),
            "`{name}` carries {value:?} across the boundary, which JavaScript without BigInt cannot"
        );
    }
    Ok(())
}

const MVP_AND_MUTABLE_GLOBALS: [&str; 6] = [
    "--disable-saturating-float-to-int",
    "--disable-sign-extension",
    "--disable-simd",
    "--disable-multi-value",
    "--disable-bulk-memory",
    "--disable-reference-types",
];
