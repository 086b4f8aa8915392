//! What the chores need from the machine. Each need is looked for first, installed if it is missing and can
//! be, and otherwise named in an error together with its remedy.

use std::process::Command;

use anyhow::{Result, bail};

use crate::run::{answers, program, root, run, say};

/// A program from the system's package manager.
struct Package {
    program: &'static str,
    probe: &'static [&'static str],
    packages: &'static [&'static str],
    why: &'static str,
}

const CURL: Package = Package {
    program: "curl",
    probe: &["--version"],
    packages: &["curl"],
    why: "the demo is pushed to as its users do",
};
const REDIS: Package = Package {
    program: "redis-server",
    probe: &["--version"],
    packages: &["redis-server"],
    why: "the Redis tests start a real server",
};
const PHP: Package = Package {
    program: "php",
    probe: &["-r", "exit(function_exists('curl_init') ? 0 : 1);"],
    packages: &["php-cli", "php-curl"],
    why: "the Laravel example is exercised with plain PHP",
};
const NGINX: Package = Package {
    program: "nginx",
    probe: &["-v"],
    packages: &["nginx"],
    why: "strangers come through it in the tests of who may push",
};
const HAPROXY: Package = Package {
    program: "haproxy",
    probe: &["-v"],
    packages: &["haproxy"],
    why: "strangers come through it in the tests of who may push",
};
const CHROMIUM: Package = Package {
    program: "chromium",
    probe: &["--version"],
    packages: &["chromium"],
    why: "the h5 page is driven in a real browser",
};

/// Without one the pictures that the tests keep show boxes instead of Chinese.
const CHINESE_FONT: Package = Package {
    program: "sh",
    probe: &["-c", "fc-list :lang=zh | grep -q ."],
    packages: &["fontconfig", "fonts-wqy-zenhei"],
    why: "the pages that are pictured are Chinese",
};

const PYTHON: Package = Package {
    program: "python3",
    // Debian keeps it out of python3 itself.
    probe: &["-cimport ensurepip"],
    packages: &["python3", "python3-venv"],
    why: "the WebSocket conformance cases are Python",
};

/// What `cargo xtask test` needs beside Rust and Node.
pub fn for_tests() -> Result<()> {
    say("tools: looking for what the tests need");
    rust_components(&["rustfmt", "clippy"])?;
    for package in [
        &CURL,
        &REDIS,
        &PHP,
        &NGINX,
        &HAPROXY,
        &CHROMIUM,
        &CHINESE_FONT,
    ] {
        system(package)?;
    }
    node()
}

/// Python 3 with what makes virtual environments.
pub fn python3() -> Result<()> {
    system(&PYTHON)
}

/// Node.js and npm, which are the user's to install.
pub fn node() -> Result<()> {
    if answers("node", &["--version"]) && answers("npm", &["--version"]) {
        return Ok(());
    }
    bail!("Node.js with npm is missing: install Node.js 20 or later and run this again")
}

/// `npm ci` in a folder, unless its lock file is the one that was installed last.
pub fn npm_ci(folder: &str) -> Result<()> {
    let at = root().join(folder);
    let lock = std::fs::read(at.join("package-lock.json"))?;
    let stamp = at.join("node_modules/.heartline-lock");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    say(format!("npm ci in {folder}"));
    run(program("npm", folder).args(["ci", "--no-audit", "--no-fund"]))?;
    std::fs::write(stamp, lock)?;
    Ok(())
}

/// Components of the Rust toolchain.
pub fn rust_components(names: &[&str]) -> Result<()> {
    for name in names {
        let installed = match *name {
            "rustfmt" => answers("cargo-fmt", &["--version"]),
            "clippy" => answers("cargo-clippy", &["--version"]),
            _ => false,
        };
        if !installed {
            say(format!("installing the Rust component {name}"));
            run(program("rustup", ".").args(["component", "add", name]))?;
        }
    }
    Ok(())
}

/// A target of the Rust toolchain.
pub fn rust_target(name: &str) -> Result<()> {
    let probe = ["--print", "target-libdir", "--target", name];
    let folder = program("rustc", ".").args(probe).output()?;
    if std::path::Path::new(String::from_utf8_lossy(&folder.stdout).trim()).is_dir() {
        return Ok(());
    }
    say(format!("installing the Rust target {name}"));
    run(program("rustup", ".").args(["target", "add", name]))
}

fn system(package: &Package) -> Result<()> {
    if is_there(package) {
        return Ok(());
    }
    let names = package.packages.join(" ");
    let remedy = format!(
        "a program or file is missing ({}); install {names} and run this again",
        package.why
    );
    if !answers("apt-get", &["--version"]) {
        bail!("{remedy}");
    }
    say(format!("installing {names} with apt-get: {}", package.why));
    let root_prefix: &[&str] = if answers("sudo", &["--version"]) && !is_root() {
        &["sudo"]
    } else {
        &[]
    };
    let apt = |words: &[&str]| {
        let mut all = root_prefix.to_vec();
        all.push("apt-get");
        all.extend(words);
        let mut command = Command::new(all[0]);
        command
            .args(&all[1..])
            .env("DEBIAN_FRONTEND", "noninteractive");
        run(&mut command)
    };
    apt(&["update", "-q"])?;
    let mut words = vec!["install", "-y", "-q", "--no-install-recommends"];
    words.extend(package.packages);
    apt(&words)?;
    if !is_there(package) {
        bail!("{remedy}");
    }
    Ok(())
}

/// On the path, or where Debian keeps servers and only root's path looks.
fn is_there(package: &Package) -> bool {
    answers(package.program, package.probe)
        || answers(&format!("/usr/sbin/{}", package.program), package.probe)
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|out| out.stdout.starts_with(b"0\n"))
}
