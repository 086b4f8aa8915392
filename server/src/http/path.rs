//! Paths of requests: which are the API's, which look so much like its that they are none of a classic push either, and how
//! a name stands in one.

use super::refusal::Refusal;
use hyper::StatusCode;

/// Everything below here is the API's.
pub(super) const API: &str = "/api/";

/// Whether a path is the API's. One that nearly is, is refused: taken for a classic push, which any path may be, it would
/// be answered `ok`, and nothing of what the API promises would be kept.
///
/// # Errors
/// 400 for doubled slashes and dot segments, whose meaning depends on who reads them; 404 for a near miss of the API's paths.
pub(super) fn is_api(path: &str) -> Result<bool, Refusal> {
    // A classic push may have any path, also one that nobody can decode.
    let decoded = decoded(path).unwrap_or_else(|_| path.to_owned());
    let mut segments = decoded.split('/').skip(1).peekable();
    let is_doubled = path.contains("//");
    if is_doubled
        || decoded
            .split('/')
            .any(|segment| matches!(segment, "." | ".."))
    {
        let what = if is_doubled {
            "a doubled slash"
        } else {
            "a dot segment"
        };
        return Err(Refusal::bad(format_args!(
            "the path has {what}: send it without; the API is at {PATHS}"
        )));
    }
    if path.starts_with(API) {
        return Ok(true);
    }
    let is_first = segments
        .peek()
        .is_some_and(|first| first.eq_ignore_ascii_case("api"));
    let (mut before, mut was_version) = ("", false);
    let is_within = segments.any(|segment| {
        let is_version = segment.len() > 1
            && segment.starts_with(['v', 'V'])
            && segment[1..].bytes().all(|byte| byte.is_ascii_digit());
        // `api/v1`, or `v1/push` behind anything that stands for `api`.
        let found = before.eq_ignore_ascii_case("api") && is_version
            || was_version && segment.eq_ignore_ascii_case("push");
        (before, was_version) = (segment, is_version);
        found
    });
    if is_first || is_within {
        return Err(not_found());
    }
    Ok(false)
}

/// 404, with the paths that there are.
pub(super) fn not_found() -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        format_args!("there is no such resource: the API is at {PATHS}, spelled exactly so"),
    )
}

/// A path, or a part of it, with its percent escapes undone.
///
/// # Errors
/// 400 where a `%` is not followed by two hexadecimal digits, or the result is not UTF-8.
pub(super) fn decoded(path: &str) -> Result<String, Refusal> {
    let broken = || Refusal::bad("the path has a broken percent escape: write % itself as %25");
    let mut bytes = path.bytes();
    let mut out = Vec::with_capacity(path.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || (bytes.next()? as char).to_digit(16);
                let (high, low) = digit().zip(digit()).ok_or_else(broken)?;
                (high << 4 | low) as u8
            }
            other => other,
        });
    }
    String::from_utf8(out).map_err(|_| Refusal::bad("the path is not UTF-8"))
}

const PATHS: &str = "/api/v1/push and /api/v1/push/ID";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_apis_or_a_classic_push_or_neither() {
        for (path, expected) in [
            ("/", Ok(false)),
            ("/push", Ok(false)),
            ("/notify/", Ok(false)),
            ("/app/apis/v1", Ok(false)),
            ("/v1/notify", Ok(false)),
            ("/push/v1", Ok(false)),
            ("/v1/push", Err(404)),
            ("/apis/v1/push/7", Err(404)),
            ("/api/v1/push", Ok(true)),
            ("/api/v1/push/order%2F17", Ok(true)),
            ("/api/v2/push", Ok(true)),
            ("/api", Err(404)),
            ("/API/v1/push", Err(404)),
            ("/Api/push", Err(404)),
            ("/hl/api/v1/push", Err(404)),
            ("/hl/API/V2", Err(404)),
            ("/%61pi/v1/push", Err(404)),
            ("/api%2Fv1%2Fpush", Err(404)),
            ("//api/v1/push", Err(400)),
            ("/api//v1/push", Err(400)),
            ("//", Err(400)),
            ("/./api/v1/push", Err(400)),
            ("/x/../push", Err(400)),
            ("/x/%2e%2E/push", Err(400)),
            ("/api/v1/push/..", Err(400)),
            ("/100%", Ok(false)),
            ("/api/v1/push/50%", Ok(true)),
        ] {
            let found = is_api(path).map_err(|refusal| refusal.into_text().status().as_u16());
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn escapes_are_undone() {
        for (path, name) in [
            ("order%3A17", "order:17"),
            ("a%2Fb", "a/b"),
            ("50%25", "50%"),
            ("+", "+"),
        ] {
            assert_eq!(decoded(path).unwrap(), name);
        }
        for broken in ["50%", "%4", "%zz", "%+1", "%ff"] {
            let refusal = decoded(broken).unwrap_err().into_text();
            assert_eq!(refusal.status(), StatusCode::BAD_REQUEST, "{broken}");
        }
    }
}
