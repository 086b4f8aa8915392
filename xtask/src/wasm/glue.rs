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
    for (old, new) in REPLACEMENTS {
        ensure!(
            body.contains(old),
            "the glue no longer contains `{old}`: look at what wasm-bindgen writes now"
        );
        body = body.replace(old, new);
    }
    let (body, direct) = without_wrappers(&with_own_strings(&body)?);
    let body = shorten(&body, &names.exports);
    let target = |name: &str| {
        let found = direct.iter().find(|(wrapper, _)| wrapper == name);
        found.map_or(name.to_owned(), |(_, target)| {
            shorten(target, &names.exports)
        })
    };

    let imports: Vec<_> = names
        .imports
        .iter()
        .map(|(old, new)| format!("{new}: {}", target(old)))
        .collect();
    let calls: Vec<_> = signatures
        .iter()
        .map(|(name, _)| format!("{name}: {}", target(name)))
        .collect();
    let javascript = format!(
        "{HEADER}export function glue(host) {{\n{body}\nreturn {{\n\
         imports: {{ {}: {{ {} }} }},\n\
         calls(exports) {{\n__wbg_set_wasm(exports);\nreturn {{ {} }};\n}} }};\n}}\n",
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
        .filter_map(|line| Some((line.split_once('(')?.0.to_owned(), line.to_owned())))
        .collect();
    if found.is_empty() {
        bail!("wasm-bindgen wrote no functions into the .d.ts");
    }
    Ok(found)
}

/// A change each: what the generator wrote, and what it must be.
const REPLACEMENTS: [(&str, &str); 2] = [
    ("heartlineEmit(", "host.emit("),
    (", wasm.__wbindgen_realloc", ""),
];

/// How a text gets into the module. The generator's own way wants a `TextEncoder`, which mini-programs lack, and keeps a
/// view of the memory, which in a wasm2js module goes stale unnoticed when the memory grows.
const PASS_STRING: &str = "\
function passStringToWasm0(text, malloc) {
    const bytes = host.encode(text);
    const at = malloc(bytes.length, 1);
    new Uint8Array(wasm.memory.buffer).set(bytes, at);
    WASM_VECTOR_LEN = bytes.length;
    return at;
}
";

fn with_own_strings(body: &str) -> Result<String> {
    let (Some(begin), Some(end)) = (
        body.find("let cachedUint8ArrayMemory0"),
        body.find("let WASM_VECTOR_LEN"),
    ) else {
        bail!("the glue no longer passes strings as it did: look at what wasm-bindgen writes now")
    };
    let out = format!("{}{PASS_STRING}{}", &body[..begin], &body[end..]);
    for word in ["TextDecoder", "TextEncoder", "cached", "HeapObject"] {
        ensure!(
            !out.contains(word),
            "the glue needs `{word}`: something other than numbers and texts inwards crosses the boundary now"
        );
    }
    Ok(out)
}

/// Takes out the functions that only hand numbers on, in or out, and says of each what it stands for: that will do as
/// well, and spares each message a call.
fn without_wrappers(body: &str) -> (String, Vec<(String, String)>) {
    let mut out = String::with_capacity(body.len());
    let mut direct = Vec::new();
    let mut rest = body;
    while let Some(at) = rest.find("function ") {
        let (before, from) = rest.split_at(at);
        let to = from.find("\n}").map_or(from.len(), |at| at + 2);
        let (function, after) = from.split_at(to);
        out.push_str(before);
        match wrapped(function) {
            Some((name, target)) => direct.push((name.to_owned(), target.to_owned())),
            None => out.push_str(function),
        }
        rest = after;
    }
    (out + rest, direct)
}

/// Name and target of a function that does nothing but call another one of the module or of the host with its own
/// arguments.
fn wrapped(function: &str) -> Option<(&str, &str)> {
    let (name, rest) = function.strip_prefix("function ")?.split_once('(')?;
    let (arguments, body) = rest.split_once(") {")?;
    let body = body.trim_end_matches('}').trim();
    let call = body
        .strip_prefix("const ret = ")
        .and_then(|body| body.strip_suffix("return ret;"))
        .unwrap_or(body);
    let target = call
        .trim_end()
        .strip_suffix(&format!("({arguments});"))
        .filter(|target| target.starts_with("wasm.") || target.starts_with("host."))?;
    Some((name, target))
}

fn renamed<'a>(name: &'a str, exports: &'a [(String, String)]) -> &'a str {
    exports
        .iter()
        .find(|(old, _)| old == name)
        .map_or(name, |(_, new)| new.as_str())
}

/// Follows the module's new export names, wherever the glue says `wasm.NAME`.
fn shorten(body: &str, exports: &[(String, String)]) -> String {
    let mut out = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.find("wasm.") {
        let (before, after) = rest.split_at(at);
        let name_length = after[5..].find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
        let (name, tail) = after[5..].split_at(name_length.unwrap_or(after.len() - 5));
        let new = renamed(name, exports);
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

const TYPES: &str = "\
// Generated by `cargo xtask wasm`. Do not edit.

/** What the glue takes from its host. */
export interface GlueHost {
  /** Appends one output to a queue, and does nothing else. */
  emit(instance: number, kind: number, a: number, b: number, c: number): void;
  encode(text: string): Uint8Array;
}

/** What a loader needs. */
export interface Glue {
  readonly imports: Record<string, Record<string, Function>>;
  /** Makes the client's calls of the module's exports. */
  calls(exports: unknown): Calls;
}

/** The client's calls. */
export interface Calls {
  /* calls */
}

export function glue(host: GlueHost): Glue;
";
