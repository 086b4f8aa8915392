//! What may be shown of what an operator wrote. A secret is easily put where the path of its file
//! belongs: such a text is not repeated.

use std::fs::File;
use std::io::Read as _;
use std::path::{Component, Path};

/// A path for a message, with control characters escaped; a text that may be a secret instead of a
/// path is not shown.
pub(crate) fn shown_path(path: &Path) -> String {
    shown_path_in(Path::new(""), path)
}

/// The same for a path that is relative to this directory.
pub(crate) fn shown_path_in(directory: &Path, path: &Path) -> String {
    if is_path(directory, path) {
        escaped(&path.display().to_string())
    } else {
        NOT_SHOWN.into()
    }
}

/// Why a file of the operator's cannot be read, and what to do.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) trouble: String,
    pub(crate) remedy: &'static str,
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {}", self.trouble, self.remedy)
    }
}

/// The text of a file of settings or secrets, without the byte-order mark that some editors put at
/// its head.
pub(crate) fn text_of(path: &Path) -> Result<String, Unreadable> {
    let wrong = |trouble: String, remedy| Unreadable { trouble, remedy };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| {
            let trouble = format!("the file cannot be read ({error})");
            wrong(trouble, "name a file that this user may read")
        })?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        let trouble = format!("the file is larger than {MAX_FILE_BYTES} bytes");
        return Err(wrong(trouble, "name another"));
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(wrong("the file is UTF-16".into(), "save it as UTF-8"));
    }
    let text = String::from_utf8(bytes)
        .map_err(|_| wrong("the file is not UTF-8".into(), "save it as UTF-8"))?;
    Ok(match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(text) => text.to_owned(),
        None => text,
    })
}

/// What Windows' editors put at the head of UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';
/// Settings and lists of keys are far smaller.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Control characters escaped, so that nothing else is done to a terminal or a log.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            out.extend(char.escape_default());
        } else {
            out.push(char);
        }
    }
    out
}

/// Whether this is surely a path: it is there, or where it should be is there, or it has an
/// extension. Keys, tokens, PEM texts and URLs are none of these.
fn is_path(directory: &Path, path: &Path) -> bool {
    let Some(text) = path.to_str() else {
        return false;
    };
    if text.is_empty() {
        return true;
    }
    let looks_secret = text.len() > MAX_PATH_BYTES
        || text.contains(|c: char| c.is_control() || c == '=')
        || text.contains("://")
        || text.contains("-----");
    if looks_secret {
        return false;
    }
    let first_is_there = || {
        let mut parts = path.components();
        let root = parts.next().filter(|part| *part == Component::RootDir);
        root.zip(parts.next())
            .is_some_and(|(root, first)| Path::new(&root).join(first).is_dir())
    };
    let is_below_a_folder = || {
        path.parent()
            .is_some_and(|parent| !parent.as_os_str().is_empty() && directory.join(parent).is_dir())
    };
    path.extension().is_some()
        || directory.join(path).exists()
        || is_below_a_folder()
        || first_is_there()
}

const NOT_SHOWN: &str = "(not shown: it may be a secret and not a path)";
const MAX_PATH_BYTES: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_shown_and_what_may_be_a_secret_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("userkey"), "K").expect("written");
        let shown = |text: &str| shown_path_in(folder.path(), Path::new(text));
        for path in [
            "userkey",
            "key.pem",
            "no/such/key.pem",
            "./none",
            "/tmp/none",
            "",
        ] {
            assert_eq!(shown(path), path);
        }
        for secret in [
            "c2VjcmV0IGtleSBvZiBhIHJvbGU",
            "c2VjcmV0IGtleS9vZi9hIHJvbGU==",
            "redis://:hunter2@cache.example",
            "-----BEGIN PRIVATE KEY-----",
            "two\nlines.pem",
            "c2Vj/cmV0",
            "/c2VjcmV0IG9mIGEg/cm9sZQ",
        ] {
            assert_eq!(shown(secret), NOT_SHOWN, "{secret:?}");
        }
    }

    #[test]
    fn control_characters_are_escaped_and_nothing_else() {
        assert_eq!(
            escaped("用户 \u{1b}[31m\r\n\u{0}x"),
            "用户 \\u{1b}[31m\\r\\n\\u{0}x"
        );
    }
}
