//! Runs every check and test there is, in an order that fails early, and closes with the counts.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::demo::{self, DemoArgs};
use crate::run::{cargo, program, run, run_watching, say, target_dir};
use crate::{autobahn, chaos, cost, needs, npm, simulate, size, wasm};

/// What to run.
#[derive(clap::Args)]
pub struct TestArgs {
    /// Only the steps whose name contains this text; `--only list` names them all.
    #[arg(long)]
    pub only: Option<String>,
}

/// The chore.
pub fn run_all(args: &TestArgs) -> Result<()> {
    let started = Instant::now();
    let mut counts = Counts::default();
    let mut took = Vec::new();
    if args.only.as_deref() == Some("list") {
        STEPS
            .iter()
            .for_each(|step| println!("{:<12} {}", step.name, step.what));
        return Ok(());
    }
    for step in STEPS {
        if args
            .only
            .as_ref()
            .is_some_and(|only| !step.name.contains(only.as_str()))
        {
            continue;
        }
        say(format!("{}: {}", step.name, step.what));
        let begun = Instant::now();
        let result = (step.run)(&mut counts);
        took.push(format!(
            "{:<12} {:>5.0} s",
            step.name,
            begun.elapsed().as_secs_f32()
        ));
        if let Err(error) = result {
            println!(
                "\n{}\n\nstopped at step `{}`: {error:#}",
                took.join("\n"),
                step.name
            );
            counts.failed = counts.failed.max(1);
            counts.close();
            std::process::exit(1);
        }
    }
    println!(
        "\n{}\n{:<12} {:>5.0} s\n",
        took.join("\n"),
        "all",
        started.elapsed().as_secs_f32()
    );
    counts.close();
    if counts.passed == 0 && args.only.is_none() {
        anyhow::bail!("no test was counted: the runners' closing lines have changed");
    }
    Ok(())
}

struct Step {
    name: &'static str,
    what: &'static str,
    run: fn(&mut Counts) -> Result<()>,
}

const STEPS: &[Step] = &[
    Step {
        name: "tools",
        what: "what the tests need",
        run: |_| needs::for_tests(),
    },
    Step {
        name: "fmt",
        what: "formatting",
        run: |_| run(cargo().args(["fmt", "--all", "--check"])),
    },
    Step {
        name: "clippy",
        what: "lints, warnings are errors",
        run: |_| clippy(),
    },
    Step {
        name: "docs",
        what: "documentation, warnings are errors",
        run: |_| docs(),
    },
    Step {
        name: "rust",
        what: "unit, story and property tests of the workspace",
        run: rust_tests,
    },
    Step {
        name: "simulation",
        what: "clients and a server on one fake clock: thousands of seeds, and every known mistake is noticed",
        run: simulation,
    },
    Step {
        name: "autobahn",
        what: "Autobahn's WebSocket cases, sections 1 to 7 and 10",
        run: conformance,
    },
    Step {
        name: "fuzz-build",
        what: "the fuzz targets compile",
        run: |_| fuzz_build(),
    },
    Step {
        name: "whole",
        what: "the wasm crate with all its features, in Node",
        run: whole_wasm,
    },
    Step {
        name: "npm",
        what: "wasm, its gates, and the npm package",
        run: |_| npm::run(),
    },
    Step {
        name: "size",
        what: "the client's size against its budget",
        run: |_| size::run(),
    },
    Step {
        name: "cost",
        what: "what a message costs in the client, against its budgets (measured anew while the machine is busy)",
        run: |_| cost::check(),
    },
    Step {
        name: "shim",
        what: "TypeScript: types, unit, trap, loader and packaging tests",
        run: shim_tests,
    },
    Step {
        name: "e2e",
        what: "the shipped server, black box: classic, adversarial, Redis",
        run: server_e2e,
    },
    Step {
        name: "browser",
        what: "uni-app in Chromium and as mp-weixin, PHP, against the server",
        run: browser_e2e,
    },
    Step {
        name: "demo",
        what: "the README's demo starts, and answers a push from the shell",
        run: demo_answers,
    },
];

fn clippy() -> Result<()> {
    run(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))
}

fn docs() -> Result<()> {
    run(cargo()
        .args(["doc", "--workspace", "--no-deps", "--quiet"])
        .env("RUSTDOCFLAGS", "-D warnings"))
}

fn rust_tests(counts: &mut Counts) -> Result<()> {
    let mut command = cargo();
    command.args([
        "test",
        "--no-fail-fast",
        "--workspace",
        "--exclude",
        "heartline-e2e",
    ]);
    counts.watch(&mut command)
}

fn simulation(counts: &mut Counts) -> Result<()> {
    simulate::check()?;
    counts.passed += 1;
    Ok(())
}

fn conformance(counts: &mut Counts) -> Result<()> {
    counts.passed += autobahn::run_quick()?;
    Ok(())
}

fn whole_wasm(counts: &mut Counts) -> Result<()> {
    wasm::whole::test(|line| counts.read(line))
}

fn fuzz_build() -> Result<()> {
    let mut command = cargo();
    run(command.args(["check", "--quiet", "--manifest-path", "fuzz/Cargo.toml"]))
}

fn shim_tests(counts: &mut Counts) -> Result<()> {
    counts.watch(
        program("npm", "js-shim")
            .arg("test")
            .env("HEARTLINE_SERVER_BIN", server_binary()?),
    )
}

fn server_e2e(counts: &mut Counts) -> Result<()> {
    let mut command = cargo();
    command
        .args(["test", "--package", "heartline-e2e"])
        .env("HEARTLINE_SERVER_BIN", server_binary()?);
    counts.watch(&mut command)
}

fn browser_e2e(counts: &mut Counts) -> Result<()> {
    let binary = server_binary()?;
    needs::npm_ci("examples/uniapp")?;
    needs::npm_ci("e2e/browser")?;
    counts.watch(
        program("npm", "e2e/browser")
            .arg("test")
            .env("HEARTLINE_SERVER_BIN", binary)
            .env("HEARTLINE_LISTENER_BIN", chaos::listener_binary()?),
    )
}

fn demo_answers(counts: &mut Counts) -> Result<()> {
    demo::run_demo(&DemoArgs {
        port: 0,
        page_port: 0,
        check: true,
    })?;
    counts.passed += 1;
    Ok(())
}

/// The server as shipped; built on first use.
pub fn server_binary() -> Result<std::path::PathBuf> {
    run(cargo().args([
        "build",
        "--release",
        "--quiet",
        "--package",
        "heartline-server",
    ]))?;
    let binary = target_dir()
        .join("release")
        .join(format!("heartline-server{}", std::env::consts::EXE_SUFFIX));
    binary
        .canonicalize()
        .with_context(|| format!("the build left no {}", binary.display()))
}

/// What the runners' closing lines said, added up.
#[derive(Default)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Counts {
    fn watch(&mut self, command: &mut Command) -> Result<()> {
        run_watching(command, |line| self.read(line))
    }

    /// Understands `test result: ok. 3 passed; 0 failed; 1 ignored; …` of cargo and the lines `# pass 3`,
    /// `ℹ fail 0`, `# skipped 0`, `# todo 0` of Node's test runner.
    fn read(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("test result: ") {
            for part in rest.split(['.', ';']) {
                let mut words = part.split_whitespace();
                let (Some(number), Some(what)) = (words.next(), words.next()) else {
                    continue;
                };
                let Ok(number) = number.parse::<u64>() else {
                    continue;
                };
                self.add(what, number);
            }
        } else if let Some(rest) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) {
            let mut words = rest.split_whitespace();
            if let (Some(what), Some(number), None) = (words.next(), words.next(), words.next())
                && let Ok(number) = number.parse()
            {
                self.add(what, number);
            }
        }
    }

    fn add(&mut self, what: &str, number: u64) {
        match what {
            "passed" | "pass" => self.passed += number,
            "failed" | "fail" => self.failed += number,
            "ignored" | "skipped" | "todo" | "cancelled" => self.skipped += number,
            _ => {}
        }
    }

    fn close(&self) {
        println!(
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        );
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn the_closing_lines_of_both_runners_are_added_up() {
        let mut counts = Counts::default();
        for line in [
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.02s",
            "test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s",
            "# pass 5",
            "ℹ fail 1",
            "# duration_ms 37.1",
            "# Subtest: pass 9",
            "passed 3",
        ] {
            counts.read(line);
        }
        assert_eq!((counts.passed, counts.failed, counts.skipped), (21, 3, 1));
    }
}
