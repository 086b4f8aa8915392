//! Turns wasm-bindgen's `_bg.js` into a factory, `glue(host)`: nothing happens when it is imported, every call has a
//! memory and a heap of its own, and a module that trapped can be thrown away whole.
//!
//! The text is changed in few, named places. Each change must find what it changes: a new wasm-bindgen that writes
//! something else fails the build instead of shipping half a change.

use anyhow::{Result, bail, ensure};

use super::bindings::Bound;
use super::shrink::Names;

/// The finished glue.
pub struct Glue {
    /// The module's text.
    pub javascript: String,
    /// Its types.
    pub types: String,
}

/// Fits the glue to the module with these names.
pub fn fit(bound: &Bound, names: &Names) -> Result<Glue> {
    let signatures = signatures(&bound.types)?;
    let mut body = without_comments(&bound.javascript).replace("export function ", "function ");
    for (old, new) in replacements() {
        ensure!(
            body.contains(old),
            "the glue no longer contains `{old}`: look at what wasm-bindgen writes now"
        );
        body = body.replace(old, new);
    }
    let body = shorten(&with_global_accessors_gone(&body)?, &names.exports);

    let imports: Vec<_> = names
        .imports
        .iter()
        .map(|(old, new)| format!("{new}: {old}"))
        .collect();
    let calls: Vec<_> = signatures.iter().map(|(name, _)| name.as_str()).collect();
    let javascript = format!(
        "{HEADER}export function glue(host) {{\n{PRELUDE}{body}\nreturn {{ \
         imports: {{ {}: {{ {} }} }}, set: __wbg_set_wasm, {} }};\n}}\n",
        names.module,
        imports.join(", "),
        calls.join(", "),
    );
    let methods: String = signatures
        .iter()
        .map(|(_, signature)| format!("  {signature}\n"))
        .collect();
    Ok(Glue {
        javascript,
        types: TYPES.replace("  /* calls */\n", &methods),
    })
}

/// Name and signature of each function that the crate exports, as the `.d.ts` has them.
fn signatures(types: &str) -> Result<Vec<(String, String)>> {
    let lines = types
        .lines()
        .filter_map(|line| line.strip_prefix("export function "));
    let found: Vec<_> = lines
        .filter_map(|line| {
            Some((
                line.split_once('(')?.0.to_owned(),
                line.replace("Promise<any>", "Promise<boolean>"),
            ))
        })
        .collect();
    if found.is_empty() {
        bail!("wasm-bindgen wrote no functions into the .d.ts");
    }
    Ok(found)
}

/// A change each: what the generator wrote, and what it must be.
fn replacements() -> [(&'static str, &'static str); 3] {
    [
        // In a wasm2js module growing the memory does not detach the old buffer: compare the buffers themselves.
        (
            "cachedUint8ArrayMemory0.byteLength === 0",
            "cachedUint8ArrayMemory0.buffer !== wasm.memory.buffer",
        ),
        (
            "cachedDataViewMemory0.buffer.detached === true || (cachedDataViewMemory0.buffer.detached === undefined && \
             cachedDataViewMemory0.buffer !== wasm.memory.buffer)",
            "cachedDataViewMemory0.buffer !== wasm.memory.buffer",
        ),
        ("heartlineEmit(", "host.emit("),
    ]
}

/// The global object is wanted for `queueMicrotask` alone, and is not to be had in some mini-programs: all its
/// accessors answer an empty object, so that the futures run on `Promise.resolve().then`.
fn with_global_accessors_gone(body: &str) -> Result<String> {
    let mut out = body.to_owned();
    let mut changed = 0;
    for name in ["GLOBAL_THIS", "GLOBAL", "SELF", "WINDOW"] {
        let Some(at) = out.find(&format!("function __wbg_static_accessor_{name}_")) else {
            continue;
        };
        let Some(open) = out[at..].find('{').map(|open| at + open) else {
            bail!("no body of the accessor {name}")
        };
        let Some(close) = out[open..].find("\n}").map(|close| open + close) else {
            bail!("no end of accessor {name}")
        };
        out.replace_range(open..close, "{ return addHeapObject({});");
        changed += 1;
    }
    ensure!(
        changed == 4,
        "expected the accessors of four global objects, found {changed}"
    );
    Ok(out)
}

/// Follows the module's new export names, wherever the glue says `wasm.NAME`.
fn shorten(body: &str, exports: &[(String, String)]) -> String {
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.find("wasm.") {
        let (before, after) = rest.split_at(at);
        let name_length = after[5..].find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
        let (name, tail) = after[5..].split_at(name_length.unwrap_or(after.len() - 5));
        let new = exports
            .iter()
            .find(|(old, _)| old == name)
            .map_or(name, |(_, new)| new.as_str());
        out.push_str(before);
        out.push_str("wasm.");
        out.push_str(new);
        rest = tail;
    }
    out + rest
}

fn without_comments(text: &str) -> String {
    let kept = text.lines().filter(|line| {
        let line = line.trim_start();
        !(line.starts_with("/*")
            || line.starts_with("* ")
            || line.starts_with("*/")
            || line.starts_with("//"))
            && line != "*"
    });
    kept.collect::<Vec<_>>().join("\n")
}

const HEADER: &str = "// Generated by `cargo xtask wasm` from wasm-bindgen's glue. Do not edit.\n";

/// Codecs of this module alone: mini-programs have none, and nothing global is touched.
const PRELUDE: &str = "\
const TextDecoder = function () { this.decode = (bytes) => (bytes ? host.decode(bytes) : ''); };
const TextEncoder = function () { this.encode = host.encode; };
";

const TYPES: &str = "\
// Generated by `cargo xtask wasm`. Do not edit.

/** What the glue takes from its host. */
export interface GlueHost {
  /** Appends one output to a queue, and does nothing else. */
  emit(instance: number, kind: number, a: number, b: number, c: number): void;
  encode(text: string): Uint8Array;
  decode(bytes: Uint8Array): string;
}

/** The client's calls, and what a loader needs. */
export interface Glue {
  readonly imports: Record<string, Record<string, Function>>;
  set(exports: unknown): void;
  /* calls */
}

export function glue(host: GlueHost): Glue;
";
