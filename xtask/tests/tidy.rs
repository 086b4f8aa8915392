//! The invariants of the house, as tests: what ARCHITECTURE.md promises about every room.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn dependencies_point_along_the_data_path_only() {
    let allowed: &[(&str, &[&str])] = &[
        ("heartline-protocol", &[]),
        ("heartline-client-core", &["heartline-protocol"]),
        (
            "heartline-client-native",
            &[
                "heartline-client-core",
                "heartline-protocol",
                "heartline-trace",
            ],
        ),
        ("heartline-client-wasm", &["heartline-client-core"]),
        (
            "heartline-server",
            &["heartline-protocol", "heartline-trace"],
        ),
        ("heartline-bench", &["heartline-protocol"]),
        ("heartline-trace", &["heartline-client-core"]),
        (
            "heartline-bot",
            &["heartline-client-native", "heartline-protocol"],
        ),
        (
            "heartline-e2e",
            &[
                "heartline-protocol",
                "heartline-client-native",
                "heartline-server",
            ],
        ),
        (
            "heartline-simulation",
            &[
                "heartline-protocol",
                "heartline-client-core",
                "heartline-server",
            ],
        ),
        ("xtask", &["heartline-protocol"]),
    ];
    let mut seen = BTreeSet::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap_or_default().to_owned();
        let rule = allowed.iter().find(|(who, _)| *who == name);
        let (_, may) = rule.unwrap_or_else(|| {
            panic!("{name} has no line in this test: say what it may depend on")
        });
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let what = dependency["name"].as_str().unwrap_or_default();
            let ours = what.starts_with("heartline") || what == "xtask";
            let for_tests = dependency["kind"] == "dev";
            assert!(
                !ours || for_tests || may.contains(&what),
                "{name} must not depend on {what}"
            );
        }
        seen.insert(name);
    }
    assert_eq!(seen.len(), allowed.len(), "a package named here is gone");
}

#[test]
fn the_pure_rooms_use_no_clock_no_randomness_no_runtime_and_no_javascript() {
    let forbidden = [
        "std::time",
        "Instant::",
        "SystemTime",
        "std::net",
        "std::thread",
        "std::fs",
        "tokio",
        "mio::",
        "rand::",
        "getrandom",
        "js_sys",
        "wasm_bindgen",
        "web_sys",
        "thread_local",
    ];
    let mut read = 0;
    for room in ["protocol/src", "client-core/src"] {
        for path in files(&root().join(room), &["rs"]) {
            read += 1;
            let text = code_of(&path);
            for word in forbidden {
                assert!(
                    !text.contains(word),
                    "{} says {word}: it must stay pure",
                    path.display()
                );
            }
        }
    }
    assert!(
        read >= 10,
        "only {read} files were read: this test looks in the wrong place"
    );
}

#[test]
fn every_source_file_says_what_it_is_for() {
    for path in rust_sources() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("//!") || text.starts_with("#![no_main]"),
            "{} does not open with //!",
            path.display()
        );
        assert!(
            !text.contains(concat!("under con", "struction")),
            "{} is still a placeholder",
            path.display()
        );
    }
    for path in files(&root().join("js-shim/src"), &["ts"]) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("/*") || text.starts_with("//"),
            "{} does not open with a comment",
            path.display()
        );
    }
}

#[test]
fn no_source_file_is_dead() {
    for path in rust_sources() {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let folder = path.parent().unwrap();
        let in_src = path.components().any(|part| part.as_os_str() == "src");
        if !in_src
            || ["lib", "main", "build"].contains(&stem.as_str())
            || folder.ends_with("src/bin")
        {
            continue;
        }
        let (name, parents) = if stem == "mod" {
            let up = folder.parent().unwrap();
            (
                folder.file_name().unwrap().to_string_lossy().into_owned(),
                parents_of(up),
            )
        } else {
            (stem, parents_of(folder))
        };
        let declared = parents
            .iter()
            .filter_map(|parent| fs::read_to_string(parent).ok())
            .any(|text| {
                text.lines().any(|line| {
                    let line = line.trim();
                    let line = line
                        .strip_prefix("pub ")
                        .or_else(|| line.strip_prefix("pub(crate) "))
                        .unwrap_or(line);
                    line == format!("mod {name};")
                })
            });
        assert!(declared, "{} belongs to no module", path.display());
    }
}

#[test]
fn no_file_is_a_lump() {
    for path in rust_sources()
        .into_iter()
        .chain(files(&root().join("js-shim/src"), &["ts"]))
    {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(
            lines <= 1_000,
            "{} has {lines} lines: give its second reason to change a room",
            path.display()
        );
    }
}

#[test]
fn every_direct_dependency_has_its_reason() {
    let reasons = fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    let mut missing = Vec::new();
    for package in packages() {
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let name = dependency["name"].as_str().unwrap_or_default();
            if !name.starts_with("heartline") && !reasons.contains(&format!("`{name}`")) {
                missing.push(name.to_owned());
            }
        }
    }
    for manifest in ["js-shim", "js-shim/tools", "e2e/browser"] {
        let path = root().join(manifest).join("package.json");
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        for group in ["dependencies", "devDependencies", "peerDependencies"] {
            for name in json[group]
                .as_object()
                .into_iter()
                .flat_map(|names| names.keys())
            {
                if name != "heartline" && !reasons.contains(&format!("`{name}`")) {
                    missing.push(name.clone());
                }
            }
        }
    }
    missing.sort();
    missing.dedup();
    assert!(
        missing.is_empty(),
        "docs/dependencies.md gives no reason for: {missing:?}"
    );
}

#[test]
fn the_two_readmes_tell_the_same() {
    let shape = |name: &str| {
        let text = fs::read_to_string(root().join(name)).unwrap();
        let headings = text.lines().filter(|line| line.starts_with("## ")).count();
        let fences: Vec<String> = code_blocks(&text);
        (
            headings,
            fences.len(),
            text.contains("cargo xtask demo"),
            text.contains("cargo xtask test"),
        )
    };
    let english = shape("README.md");
    assert!(english.0 >= 3 && english.2 && english.3);
    assert_eq!(english, shape("README.zh-CN.md"));
}

/// A row that one language has and the other lacks is a setting, a status or a field that its readers never hear of.
#[test]
fn pages_in_two_languages_have_the_same_headings_and_table_rows() {
    let docs = root().join("docs");
    let shape = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        let count = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        (count("## "), count("### "), count("|"))
    };
    let mut pairs = 0;
    for entry in fs::read_dir(&docs).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(stem) = name.strip_suffix(".zh-CN.md") else {
            continue;
        };
        let english = docs.join(format!("{stem}.md"));
        assert_eq!(
            shape(&english),
            shape(&docs.join(&name)),
            "{stem}.md and {name}"
        );
        pairs += 1;
    }
    assert!(pairs >= 5, "{pairs} pages exist in Chinese");
}

#[test]
fn nothing_names_the_machine_it_was_made_on() {
    let listed = Command::new("git")
        .args(["ls-files"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        listed.status.success(),
        "this test asks git for the list of files"
    );
    let names = String::from_utf8(listed.stdout).unwrap();
    assert!(names.lines().count() > 50);
    let leaks = [
        concat!("/wo", "rk/"),
        concat!("/tmp", "/t-"),
        concat!("/home", "/"),
        concat!("/root", "/."),
    ];
    for name in names
        .lines()
        .filter(|name| !name.ends_with(".lock") && !name.ends_with("package-lock.json"))
    {
        let Ok(text) = fs::read_to_string(root().join(name)) else {
            continue;
        };
        for leak in leaks {
            assert!(
                !text.contains(leak),
                "{name} holds a path of one machine: {leak}"
            );
        }
    }
}

#[test]
fn unsafe_code_is_denied_everywhere() {
    for package in packages() {
        let manifest = fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{} does not take the workspace's lints",
            package["name"]
        );
    }
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(workspace.contains("unsafe_code = \"deny\""));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn packages() -> Vec<serde_json::Value> {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    json["packages"].as_array().unwrap().clone()
}

fn rust_sources() -> Vec<PathBuf> {
    let rooms = [
        "protocol",
        "client-core",
        "client-native",
        "client-wasm",
        "server",
        "e2e",
        "examples/bot",
        "bench",
        "simulation",
        "xtask",
        "fuzz",
    ];
    rooms
        .iter()
        .flat_map(|room| files(&root().join(room), &["rs"]))
        .collect()
}

fn parents_of(folder: &Path) -> Vec<PathBuf> {
    let mut parents: Vec<PathBuf> = ["lib.rs", "main.rs", "mod.rs"]
        .iter()
        .map(|name| folder.join(name))
        .collect();
    parents.push(folder.with_extension("rs"));
    parents.extend(files(&folder.join("bin"), &["rs"]));
    parents
}

fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let skip = [
        "target",
        "node_modules",
        "dist",
        "pkg",
        "corpus",
        "artifacts",
    ];
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            if !skip.contains(&name.as_str()) {
                found.extend(files(&path, endings));
            }
        } else if endings
            .iter()
            .any(|ending| name.ends_with(&format!(".{ending}")))
        {
            found.push(path);
        }
    }
    found
}

/// The code of a file, without comments and without its tests.
fn code_of(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn code_blocks(text: &str) -> Vec<String> {
    text.split("```")
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}
