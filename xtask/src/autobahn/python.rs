//! The Python that a runner needs, and a virtual environment with the runner in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::Runner;
use crate::needs;
use crate::run::{root, run, say};

impl Runner {
    /// What PyPI calls it, with the version.
    fn requirement(self) -> &'static str {
        match self {
            Self::Original => "autobahntestsuite==25.10.1",
            Self::Kosoku => "kosoku==0.1.0",
        }
    }

    fn accepts(self, (major, minor): (u32, u32)) -> bool {
        match self {
            Self::Original => (major, minor) == (2, 7),
            Self::Kosoku => major == 3 && minor >= 10,
        }
    }
}

/// The interpreter of the runner's environment, which is made on first use.
pub fn environment(runner: Runner) -> Result<PathBuf> {
    let folder = root()
        .join("target/autobahn")
        .join(runner.requirement().replace("==", "-"));
    let python = folder.join("bin/python");
    let done = folder.join("installed");
    if done.exists() {
        return Ok(python);
    }
    let base = match (find(runner), runner) {
        (Some(base), _) => base,
        (None, Runner::Original) => bail!(
            "no Python 2.7 was found (looked for python2.7, python2, and pyenv's versions): install one, for example \
             with `pyenv install 2.7.18`, or take `--runner kosoku`"
        ),
        (None, Runner::Kosoku) => {
            needs::python3()?;
            find(runner).ok_or_else(|| {
                anyhow::anyhow!(
                    "Python 3.10 or later with venv is missing: install it and run this again"
                )
            })?
        }
    };
    say(format!(
        "installing {} from PyPI for {}",
        runner.requirement(),
        base.display()
    ));
    let _ = std::fs::remove_dir_all(&folder);
    match runner {
        Runner::Kosoku => run(Command::new(&base).args(["-m", "venv"]).arg(&folder))?,
        // Python 2.7 has no venv of its own.
        Runner::Original => {
            let tools = root().join("target/autobahn/virtualenv");
            run(Command::new(&base)
                .args(["-m", "pip", "install", "-q", "--target"])
                .arg(&tools)
                .arg(VIRTUALENV))?;
            run(Command::new(&base)
                .args(["-m", "virtualenv", "-q"])
                .arg(&folder)
                .env("PYTHONPATH", &tools))?;
        }
    }
    let pip = [
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        runner.requirement(),
    ];
    run(Command::new(&python).args(pip))?;
    std::fs::write(done, "")?;
    Ok(python)
}

/// The last virtualenv for Python 2.7.
const VIRTUALENV: &str = "virtualenv==20.15.1";

/// An interpreter that the runner can use.
pub fn find(runner: Runner) -> Option<PathBuf> {
    let names: &[&str] = match runner {
        Runner::Original => &["python2.7", "python2"],
        Runner::Kosoku => &[
            "python3",
            "python3.14",
            "python3.13",
            "python3.12",
            "python3.11",
            "python3.10",
        ],
    };
    let mut candidates: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
    let pyenv = std::env::var_os("PYENV_ROOT")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv")));
    for entry in pyenv
        .iter()
        .filter_map(|root| std::fs::read_dir(root.join("versions")).ok())
        .flatten()
        .flatten()
    {
        candidates.push(entry.path().join("bin/python"));
    }
    candidates
        .into_iter()
        .find(|candidate| version(candidate, runner).is_some_and(|version| runner.accepts(version)))
}

/// Asks an interpreter; `None` where it does not start or lacks the module that makes environments.
fn version(python: &Path, runner: Runner) -> Option<(u32, u32)> {
    let module = match runner {
        Runner::Original => "pip",
        Runner::Kosoku => "ensurepip",
    };
    let question = format!("import {module}, sys; print('%d %d' % sys.version_info[:2])");
    let out = Command::new(python)
        .arg("-c")
        .arg(question)
        .output()
        .ok()
        .filter(|out| out.status.success())?;
    let text = String::from_utf8(out.stdout).ok()?;
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
