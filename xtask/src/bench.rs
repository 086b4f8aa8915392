//! Measures, and writes `bench/RESULTS.md`.

/// The chore. Today: the client's size beside its peers.
pub fn run() -> anyhow::Result<()> {
    crate::npm::run()?;
    crate::size::run()
}
