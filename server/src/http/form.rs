//! From a request body to a push: by its content type urlencoded, multipart (what PHP's curl sends for an array) or JSON.
//! What the fields mean is the protocol's business.

use crate::logs::Escaped;
use bytes::Bytes;
use heartline_protocol::{Limits, PushError, PushForm, decode_push_json};
use std::convert::Infallible;

/// Why a body is no push.
#[derive(Debug, thiserror::Error)]
pub(super) enum FormError {
    #[error(transparent)]
    Push(#[from] PushError),
    #[error("the multipart body is broken: {}", Escaped(.0))]
    Multipart(multer::Error),
    #[error(
        "content type {0:?} is not one of application/x-www-form-urlencoded, multipart/form-data, application/json"
    )]
    ContentType(String),
}

/// Reads a push. A byte-order mark at the head of a body that is text is passed over, whatever the text is.
pub(super) async fn read(
    content_type: &str,
    body: Bytes,
    limits: &Limits,
) -> Result<PushForm, FormError> {
    let kind = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let is_text = kind != "multipart/form-data";
    let body = match body.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) if is_text => body.slice_ref(rest),
        _ => body,
    };
    match kind.as_str() {
        "application/json" | "text/json" => Ok(decode_push_json(&body, limits)?),
        "multipart/form-data" => {
            let fields = multipart(content_type, body, limits).await?;
            Ok(PushForm::from_pairs(fields, limits)?)
        }
        "application/x-www-form-urlencoded" => Ok(PushForm::from_pairs(urlencoded(&body), limits)?),
        // Nothing said: what begins as a JSON object is one.
        "" if body.trim_ascii_start().starts_with(b"{") => Ok(decode_push_json(&body, limits)?),
        "" => Ok(PushForm::from_pairs(urlencoded(&body), limits)?),
        _ => Err(FormError::ContentType(kind.chars().take(80).collect())),
    }
}

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The pairs of a urlencoded body, as bytes: whether they are UTF-8 is for the protocol to say.
fn urlencoded(body: &[u8]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
    body.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let equals = pair
                .iter()
                .position(|byte| *byte == b'=')
                .unwrap_or(pair.len());
            (
                unescape(&pair[..equals]),
                unescape(pair.get(equals + 1..).unwrap_or_default()),
            )
        })
}

/// `+` is a space and `%41` is A; a broken escape stays as it is, as in PHP.
fn unescape(text: &[u8]) -> Vec<u8> {
    let hex = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = after;
        out.push(match (first, after) {
            (b'+', _) => b' ',
            (b'%', [high, low, behind @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = behind;
                    high << 4 | low
                }
                _ => b'%',
            },
            (byte, _) => *byte,
        });
    }
    out
}

/// The fields of a multipart body. Parts with a file name are files, not fields, and are passed over as PHP does.
async fn multipart(
    content_type: &str,
    body: Bytes,
    limits: &Limits,
) -> Result<Vec<(Vec<u8>, Bytes)>, FormError> {
    let boundary = multer::parse_boundary(content_type).map_err(FormError::Multipart)?;
    let stream = futures::stream::once(std::future::ready(Ok::<_, Infallible>(body)));
    let mut parts = multer::Multipart::new(stream, boundary);
    let mut fields = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(FormError::Multipart)? {
        if fields.len() > limits.push_fields {
            return Err(PushError::TooManyFields {
                limit: limits.push_fields,
            }
            .into());
        }
        if let Some(name) = part.name().filter(|_| part.file_name().is_none()) {
            let name = name.as_bytes().to_vec();
            fields.push((name, part.bytes().await.map_err(FormError::Multipart)?));
        }
    }
    Ok(fields)
}

impl FormError {
    /// The HTTP status that says it.
    pub fn status(&self) -> u16 {
        match self {
            Self::Push(error) => error.status(),
            Self::Multipart(_) => 400,
            Self::ContentType(_) => 415,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn frame(content_type: &str, body: &'static str) -> Result<String, String> {
        let form = read(
            content_type,
            Bytes::from_static(body.as_bytes()),
            &Limits::default(),
        )
        .await;
        form.map(PushForm::into_frame)
            .map_err(|error| format!("{} {error}", error.status()))
    }

    const FRAME: &str = r#"{"event":"chat1","msg":"a b","to":"user:1","type":"app"}"#;

    #[tokio::test]
    async fn one_push_in_three_dresses() {
        let form = "application/x-www-form-urlencoded; charset=UTF-8";
        assert_eq!(
            frame(form, "event=chat1&msg=a+b&to=user%3A1&type=app")
                .await
                .unwrap(),
            FRAME
        );
        assert_eq!(
            frame("", "event=chat1&msg=a%20b&to=user:1&type=app")
                .await
                .unwrap(),
            FRAME
        );
        assert_eq!(frame("application/json", FRAME).await.unwrap(), FRAME);
        assert_eq!(frame("", FRAME).await.unwrap(), FRAME);
        let multipart = "--X\r\nContent-Disposition: form-data; name=\"event\"\r\n\r\nchat1\r\n\
            --X\r\nContent-Disposition: form-data; name=\"msg\"\r\n\r\na b\r\n\
            --X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.bin\"\r\n\r\nnot a field\r\n\
            --X\r\nContent-Disposition: form-data; name=\"to\"\r\n\r\nuser:1\r\n\
            --X\r\nContent-Disposition: form-data; name=\"type\"\r\n\r\napp\r\n--X--\r\n";
        assert_eq!(
            frame("multipart/form-data; boundary=X", multipart)
                .await
                .unwrap(),
            FRAME
        );
    }

    #[tokio::test]
    async fn a_byte_order_mark_is_passed_over_whatever_the_body_is() {
        let form = "\u{feff}event=chat1&msg=a+b&to=user:1&type=app";
        let json =
            "\u{feff}{\"event\":\"chat1\",\"msg\":\"a b\",\"to\":\"user:1\",\"type\":\"app\"}";
        for (kind, body) in [
            ("", form),
            ("application/x-www-form-urlencoded", form),
            ("", json),
            ("application/json", json),
        ] {
            assert_eq!(frame(kind, body).await.unwrap(), FRAME, "{kind:?}");
        }
    }

    #[tokio::test]
    async fn what_a_stranger_sent_is_escaped_in_the_answer() {
        for (kind, body) in [
            ("", "event=chat1&\u{1b}[31m\u{7}=%ff"),
            (
                "multipart/form-data; boundary=X",
                "--X\r\nContent-Disposition: form-data; name=\"\u{1b}[31m\"\r\n\r\ncut",
            ),
            ("text/\u{1b}[31m", "x"),
        ] {
            let reason = frame(kind, body).await.unwrap_err();
            assert!(
                !reason.chars().any(char::is_control),
                "{kind:?}: {reason:?}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_no_push_is_told_why() {
        let refusal = async |kind, body| frame(kind, body).await.unwrap_err();
        assert_eq!(refusal("", "").await, "400 field `event` is missing");
        assert_eq!(
            refusal("", "event=chat1&msg=%ff&to=user:1").await,
            "400 field `msg` is not UTF-8"
        );
        assert!(
            refusal("text/xml", "<a/>")
                .await
                .starts_with("415 content type \"text/xml\"")
        );
        assert!(
            refusal("multipart/form-data", "--X")
                .await
                .starts_with("400 the multipart body is broken")
        );
        assert!(
            refusal("multipart/form-data; boundary=X", "--X\r\nnonsense")
                .await
                .starts_with("400 ")
        );
    }

    #[test]
    fn escapes_are_undone_as_php_does() {
        assert_eq!(unescape(b"a+b%41%zz%4"), b"a bA%zz%4");
        let pairs: Vec<_> = urlencoded(b"a=1&&b&c=%26=").collect();
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| (&n[..], &v[..])).collect();
        assert_eq!(pairs, [(&b"a"[..], &b"1"[..]), (b"b", b""), (b"c", b"&=")]);
    }
}
