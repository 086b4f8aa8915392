//! Where the server under test comes from: the file named by `HEARTLINE_SERVER_BIN`, or a release build made here,
//! once per test run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The path of the shipped server binary.
///
/// # Panics
/// When `HEARTLINE_SERVER_BIN` names no file, or when the build fails: nothing can be proven without a server.
pub fn server_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| match std::env::var_os("HEARTLINE_SERVER_BIN") {
        Some(path) => {
            let path = PathBuf::from(path);
            assert!(
                path.is_file(),
                "HEARTLINE_SERVER_BIN names {}, which is not a file",
                path.display()
            );
            path
        }
        None => build(),
    })
}

/// Builds into the target directory that this test itself was built into.
fn build() -> PathBuf {
    let target = target_directory();
    let binary = target.join("release/heartline-server");
    // One test run asks cargo once: each test is its own process under nextest.
    let stamp = std::env::var("NEXTEST_RUN_ID")
        .ok()
        .map(|run| target.join(format!(".e2e-built-{run}")));
    if binary.is_file() && stamp.as_ref().is_some_and(|stamp| stamp.exists()) {
        return binary;
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(&cargo)
        .args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "heartline-server",
            "--target-dir",
        ])
        .arg(&target)
        .current_dir(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .parent()
                .expect("the workspace root"),
        )
        .output()
        .unwrap_or_else(|error| {
            panic!("cannot run {cargo}: {error}; set HEARTLINE_SERVER_BIN instead")
        });
    assert!(
        output.status.success(),
        "the server does not build; set HEARTLINE_SERVER_BIN to test another one\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(binary.is_file(), "the build left no {}", binary.display());
    if let Some(stamp) = stamp {
        // Only a saved second: without the stamp the next test asks cargo again.
        let _ = std::fs::write(stamp, "");
    }
    binary
}

/// `target` of `target/debug/deps/this-test`.
fn target_directory() -> PathBuf {
    let exe = std::env::current_exe().expect("the path of this test");
    exe.ancestors()
        .nth(3)
        .expect("tests live in TARGET/PROFILE/deps")
        .to_path_buf()
}
