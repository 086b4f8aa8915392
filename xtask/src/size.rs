//! Measures the client's size. (The wasm room's owner fills this file.)

/// Measures, writes the table, fails above the budget.
pub fn run() -> anyhow::Result<()> {
    anyhow::bail!("the size check is under construction")
}
