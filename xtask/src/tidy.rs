//! Checks the invariants of the house (`xtask/tests/tidy.rs`) alone.

use crate::run::{cargo, run};

/// The chore.
pub fn run_tests() -> anyhow::Result<()> {
    run(cargo().args(["test", "--quiet", "--package", "xtask", "--test", "tidy"]))
}
