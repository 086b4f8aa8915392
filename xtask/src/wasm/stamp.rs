//! Skips the build when nothing it depends on has changed: a hash of every input file, kept beside the outputs.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::run::root;

/// A hash over everything that the build reads. `DefaultHasher::new` has fixed keys, so equal inputs give equal stamps.
pub fn of_inputs(quick: bool) -> Result<String> {
    let mut files: Vec<PathBuf> = INPUT_FILES.iter().map(|name| root().join(name)).collect();
    for folder in INPUT_FOLDERS {
        collect(&root().join(folder), &mut files)?;
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    quick.hash(&mut hasher);
    for file in files {
        file.strip_prefix(root()).unwrap_or(&file).hash(&mut hasher);
        fs::read(&file)
            .with_context(|| format!("reading {}", file.display()))?
            .hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Whether `package` was built from inputs with this stamp and is still whole.
pub fn is_current(package: &Path, stamp: &str) -> bool {
    fs::read_to_string(package.join(NAME)).is_ok_and(|built| built == stamp)
        && super::OUTPUTS
            .iter()
            .all(|name| package.join(name).exists())
}

/// Marks `package` as built from these inputs.
pub fn write(package: &Path, stamp: &str) -> Result<()> {
    fs::write(package.join(NAME), stamp).context("writing the stamp")
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("listing {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

const NAME: &str = ".stamp";
const INPUT_FOLDERS: [&str; 4] = [
    "protocol/src",
    "client-core/src",
    "client-wasm/src",
    "xtask/src/wasm",
];
const INPUT_FILES: [&str; 7] = [
    "Cargo.toml",
    "Cargo.lock",
    "protocol/Cargo.toml",
    "client-core/Cargo.toml",
    "client-wasm/Cargo.toml",
    "xtask/src/wasm.rs",
    "js-shim/tools/package-lock.json",
];
