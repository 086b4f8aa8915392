//! The core is a value: no clock, no randomness, no runtime, no sockets, no JavaScript, no printing. And every
//! file says what lives in it.

use std::{fs, path::Path};

/// Words that would bring in the world.
const FORBIDDEN: [&str; 14] = [
    "std::time",
    "Instant",
    "SystemTime",
    "tokio",
    "rand::",
    "js_sys",
    "wasm_bindgen",
    "web_sys",
    "getrandom",
    "thread",
    "std::net",
    "println!",
    "HashMap",
    "format!",
];

#[test]
fn nothing_of_the_world_is_in_the_core() {
    let mut files = 0;
    each_source(&mut |path, text| {
        files += 1;
        for (number, line) in shipped(text).enumerate() {
            for word in FORBIDDEN {
                assert!(
                    !line.contains(word),
                    "{}: code line {}: {word}",
                    path.display(),
                    number + 1
                );
            }
        }
    });
    assert!(files >= 15, "the sources were not found");
}

#[test]
fn no_input_can_reach_a_panic_by_name() {
    each_source(&mut |path, text| {
        for word in [
            ".unwrap()",
            ".expect(",
            "panic!",
            "unreachable!",
            "todo!",
            "unimplemented!",
            "assert",
        ] {
            assert!(
                !shipped(text).any(|line| line.contains(word)),
                "{}: {word}",
                path.display()
            );
        }
    });
}

#[test]
fn every_file_opens_with_what_lives_in_it_and_stays_small() {
    each_source(&mut |path, text| {
        assert!(
            text.starts_with("//! "),
            "{} has no opening",
            path.display()
        );
        assert!(text.lines().count() <= 300, "{} is a lump", path.display());
    });
}

#[test]
fn the_wire_is_the_only_dependency() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (_, after) = manifest
        .split_once("[dependencies]\n")
        .expect("a table of dependencies");
    let table = after.split("\n[").next().unwrap();
    let names: Vec<&str> = table
        .lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|n| !n.is_empty())
        .collect();
    assert_eq!(names, ["heartline-protocol"]);
    assert!(
        !manifest.contains("[target."),
        "dependencies for some targets only"
    );
}

/// The lines that are compiled into the product: tests and comments may say what they like.
fn shipped(text: &str) -> impl Iterator<Item = &str> {
    let (code, _tests) = text.split_once("#[cfg(test)]").unwrap_or((text, ""));
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn each_source(visit: &mut dyn FnMut(&Path, &str)) {
    fn walk(folder: &Path, visit: &mut dyn FnMut(&Path, &str)) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, visit);
            } else if path.extension().is_some_and(|e| e == "rs") {
                visit(&path, &fs::read_to_string(&path).unwrap());
            }
        }
    }
    walk(&root().join("src"), visit);
}
