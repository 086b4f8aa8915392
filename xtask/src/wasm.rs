//! Builds the wasm client. (The wasm room's owner fills this file.)

/// How to build.
#[derive(clap::Args, Default)]
pub struct WasmArgs {
    /// Quick build for development: no std from source, no size passes.
    #[arg(long)]
    pub dev: bool,
}

/// Builds into `js-shim/pkg`.
pub fn run(_args: &WasmArgs) -> anyhow::Result<()> {
    anyhow::bail!("the wasm build is under construction")
}
