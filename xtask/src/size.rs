//! Measures what an app downloads for the client, beside its peers bundled the same way in the same run, writes the
//! table to `bench/RESULTS.md`, and fails above the budgets.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::npm;
use crate::results::store;
use crate::run::{root, say};
use crate::wasm::{self, package, tool};

/// Measures, writes the table, fails above the budget.
pub fn run() -> Result<()> {
    npm::run()?;
    say("size: bundling the client and its peers");
    let scratch = root().join("target/size");
    fs::create_dir_all(&scratch)?;

    let shim = measure(&bundle(
        &scratch,
        "heartline",
        OURS,
        &["--external:*/heartline_wasm2js.js"],
    )?)?;
    let module = measure(&package().join("heartline.wasm"))?;
    let fallback = measure(&package().join("heartline_wasm2js.js"))?;
    let durable = measure(&bundle(
        &scratch,
        "durable",
        DURABLE,
        &["--external:*/heartline_wasm2js.js"],
    )?)?;
    let mut rows = vec![
        Row::new(
            "heartline: shim + glue + wasm",
            shim.plus(module),
            Some(MODERN_BUDGET),
        ),
        Row::new("— shim + glue (every platform's adapter)", shim, None),
        Row::new(
            "— durable streams in the shim, for apps that ask for them",
            durable.minus(shim),
            None,
        ),
        Row::new("— wasm module", module, None),
        Row::new(
            "heartline: wasm2js module, loaded instead of the wasm",
            fallback,
            Some(FALLBACK_BUDGET),
        ),
    ];
    for (name, import) in PEERS {
        rows.push(Row::new(
            name,
            measure(&bundle(&scratch, &name.replace('.', "-"), import, &[])?)?,
            None,
        ));
    }
    let table = table(&rows);
    println!("\n{table}");
    store(
        "client-size",
        &format!("## Client size\n\n{HOW}\n\n{table}"),
    )?;

    let over: Vec<_> = rows.iter().filter_map(Row::excess).collect();
    if !over.is_empty() {
        bail!("above the budget: {}", over.join("; "));
    }
    Ok(())
}

/// One line of the table.
struct Row {
    name: String,
    size: Size,
    budget: Option<u64>,
}

/// Bytes: as they are, by gzip at 9, by brotli at 11.
#[derive(Clone, Copy)]
struct Size {
    raw: u64,
    gzip: u64,
    brotli: u64,
}

impl Row {
    fn new(name: &str, size: Size, budget: Option<u64>) -> Self {
        Self {
            name: name.to_owned(),
            size,
            budget,
        }
    }

    fn excess(&self) -> Option<String> {
        let budget = self.budget?;
        (self.size.brotli > budget).then(|| {
            format!(
                "{}: {} of {budget} bytes in brotli",
                self.name, self.size.brotli
            )
        })
    }
}

impl Size {
    /// What one bundle adds to another.
    fn minus(self, other: Self) -> Self {
        Self {
            raw: self.raw.saturating_sub(other.raw),
            gzip: self.gzip.saturating_sub(other.gzip),
            brotli: self.brotli.saturating_sub(other.brotli),
        }
    }

    /// Two files are compressed one by one, as they are downloaded.
    fn plus(self, other: Self) -> Self {
        Self {
            raw: self.raw + other.raw,
            gzip: self.gzip + other.gzip,
            brotli: self.brotli + other.brotli,
        }
    }
}

fn bundle(scratch: &Path, name: &str, import: &str, more: &[&str]) -> Result<std::path::PathBuf> {
    let input = root().join(wasm::TOOLS).join(format!(".size-{name}.mjs"));
    let output = scratch.join(format!("{name}.js"));
    fs::write(&input, import)?;
    let status = tool("esbuild")
        .arg(&input)
        .args([
            "--bundle",
            "--minify",
            "--format=esm",
            "--platform=browser",
            "--target=es2015",
            "--log-level=error",
        ])
        .args([
            "--supported:dynamic-import=true",
            "--main-fields=module,browser,main",
        ])
        .args(more)
        .arg(format!("--outfile={}", output.display()))
        .status();
    fs::remove_file(&input)?;
    if !status.context("cannot start esbuild")?.success() {
        bail!("esbuild could not bundle {name}");
    }
    Ok(output)
}

fn measure(file: &Path) -> Result<Size> {
    let script = "const z=require('zlib'),b=require('fs').readFileSync(process.argv[1]);\
        console.log(b.length,z.gzipSync(b,{level:9}).length,\
        z.brotliCompressSync(b,{params:{[z.constants.BROTLI_PARAM_QUALITY]:11}}).length)";
    let out = Command::new("node")
        .args(["-e", script])
        .arg(file)
        .output()
        .context("cannot start node")?;
    let text = String::from_utf8(out.stdout)?;
    let numbers: Vec<u64> = text
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    let [raw, gzip, brotli] = numbers[..] else {
        bail!("cannot measure {}", file.display())
    };
    Ok(Size { raw, gzip, brotli })
}

fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "| what | raw | gzip -9 | brotli 11 | budget (brotli) |\n|---|---:|---:|---:|---:|\n",
    );
    for Row { name, size, budget } in rows {
        let budget = match budget {
            Some(budget) if size.brotli > *budget => format!("{budget}: **over**"),
            Some(budget) => budget.to_string(),
            None => "–".into(),
        };
        out += &format!(
            "| {name} | {} | {} | {} | {budget} |\n",
            size.raw, size.gzip, size.brotli
        );
    }
    out
}

/// In bytes of brotli. The goals behind them are lower; these must hold.
const MODERN_BUDGET: u64 = 16 * 1024;
const FALLBACK_BUDGET: u64 = 12 * 1024;

/// What an app's bundler finds in the package.
const OURS: &str = "export { createHeartline } from '../dist/esm/index.js'";
const DURABLE: &str = "export { createHeartline, durable } from '../dist/esm/index.js'";
const PEERS: [(&str, &str); 2] = [
    ("socket.io-client", "export { io } from 'socket.io-client'"),
    (
        "weapp.socket.io",
        "export { default } from 'weapp.socket.io'",
    ),
];

const HOW: &str = "All bundled by the same esbuild (`--bundle --minify --target=es2015`), in bytes; by `cargo xtask size`.";
