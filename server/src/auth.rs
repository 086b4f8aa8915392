//! Who may log in and who may push. Comparisons take constant time; nothing here keeps or logs a secret.
//!
//! The classic login (`legacy-protocol.md` §1) answers every refusal with one and the same text; why it was
//! refused is for logs and metrics only, as [`LoginRefusal`]. The push rule is `requirements.md` §4: a key, or
//! loopback without any sign that the request came through a proxy or out of a web page.

use std::collections::BTreeMap;
use std::net::IpAddr;

use heartline_protocol::{User, verify_classic_token};
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, ORIGIN};
use serde::Deserialize;
use serde_json::value::RawValue;
use subtle::{Choice, ConstantTimeEq};

use crate::config::{PushConfig, Secret};

/// Why a login was refused. The device is told only that it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum LoginRefusal {
    /// The frame had no `data`, or `data` is not an object.
    #[error("the login carries no data object")]
    NoData,
    /// `u` is missing or not a JSON string.
    #[error("`u` is missing or not a string")]
    UserNotText,
    /// `u` is not `ROLE:ID`.
    #[error("`u` is not ROLE:ID")]
    UserMalformed,
    /// `token` is missing or not a JSON string.
    #[error("`token` is missing or not a string")]
    TokenNotText,
    /// No key is configured for the role.
    #[error("the role is not configured")]
    UnknownRole,
    /// The token is not that of this id and key.
    #[error("the token does not match")]
    WrongToken,
}

/// Why a push may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PushGrant {
    /// It carried one of the configured keys.
    Key,
    /// It came from this machine, and not through a proxy.
    Loopback,
}

/// Why a push may not be made. The text is safe to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PushRefusal {
    /// A bearer key was given, and it is none of ours.
    #[error("the push key is not known")]
    WrongKey,
    /// No key, and not from loopback (or loopback is not trusted).
    #[error("a push key is required: Authorization: Bearer KEY")]
    KeyRequired,
    /// From loopback, but with a forwarding header: a reverse proxy passed it on for somebody else.
    #[error(
        "the request was forwarded by a proxy; a push key is required: Authorization: Bearer KEY"
    )]
    Forwarded,
    /// From loopback, but sent by a web page in a browser on this machine.
    #[error("the request comes from a web page; a push key is required: Authorization: Bearer KEY")]
    WebPage,
}

/// Checks the `data` of a classic `login` (its JSON text) against the roles' keys.
///
/// # Errors
/// Every login that is not exactly right is refused, with the first reason found.
pub fn classic_login(
    roles: &BTreeMap<String, Secret>,
    data: Option<&str>,
) -> Result<User, LoginRefusal> {
    #[derive(Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        u: Option<&'a RawValue>,
        #[serde(borrow)]
        token: Option<&'a RawValue>,
    }
    // serde reads a JSON array as a struct by position; the wire does not.
    let data = data
        .filter(|text| text.trim_start().starts_with('{'))
        .ok_or(LoginRefusal::NoData)?;
    let data: Data<'_> = serde_json::from_str(data).map_err(|_| LoginRefusal::NoData)?;
    let u = data
        .u
        .and_then(json_text)
        .ok_or(LoginRefusal::UserNotText)?;
    let user = User::parse(&u).map_err(|_| LoginRefusal::UserMalformed)?;
    let token = data
        .token
        .and_then(json_text)
        .ok_or(LoginRefusal::TokenNotText)?;
    let key = roles.get(user.role()).ok_or(LoginRefusal::UnknownRole)?;
    if verify_classic_token(user.id(), key.expose(), &token) {
        Ok(user)
    } else {
        Err(LoginRefusal::WrongToken)
    }
}

/// Decides whether a request may push: by key, or from loopback where the configuration trusts it.
///
/// # Errors
/// Refused with the reason, which may be answered to the sender. A wrong key is refused from loopback too: who
/// means to use a key should hear that it is wrong.
pub fn push_allowed(
    config: &PushConfig,
    peer: IpAddr,
    headers: &HeaderMap,
) -> Result<PushGrant, PushRefusal> {
    if let Some(given) = bearer(headers) {
        return if any_key_matches(&config.keys, given) {
            Ok(PushGrant::Key)
        } else {
            Err(PushRefusal::WrongKey)
        };
    }
    if !config.allow_loopback || !is_loopback(peer) {
        return Err(PushRefusal::KeyRequired);
    }
    if headers.keys().any(is_forwarding) {
        return Err(PushRefusal::Forwarded);
    }
    if headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site") {
        return Err(PushRefusal::WebPage);
    }
    Ok(PushGrant::Loopback)
}

/// 127/8 and `::1`, the former also as IPv6 sockets show it (`::ffff:127.0.0.1`).
fn is_loopback(peer: IpAddr) -> bool {
    peer.to_canonical().is_loopback()
}

/// The text of a JSON string; `None` for any other JSON value.
fn json_text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// The key of `Authorization: Bearer KEY`; the scheme's case does not matter (RFC 9110 §11.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, key) = value.split_at_checked(BEARER.len())?;
    scheme
        .eq_ignore_ascii_case(BEARER)
        .then(|| key.trim_ascii())
}

/// Looks at every key whatever the outcome, so that time does not tell which one nearly matched.
fn any_key_matches(keys: &[Secret], given: &[u8]) -> bool {
    let matched = keys.iter().fold(Choice::from(0), |so_far, key| {
        so_far | key.expose().as_bytes().ct_eq(given)
    });
    matched.into()
}

fn is_forwarding(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("x-forwarded") || FORWARDING.contains(&name)
}

const BEARER: &[u8] = b"bearer ";

/// Headers by which a proxy says that it speaks for somebody else, beside `X-Forwarded-*`.
const FORWARDING: &[&str] = &[
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-original-host",
    "x-envoy-external-address",
    "cf-connecting-ip",
    "cf-ray",
    "cdn-loop",
    "true-client-ip",
    "fastly-client-ip",
    "ali-cdn-real-ip",
];

#[cfg(test)]
mod tests {
    use super::*;
    use heartline_protocol::classic_token;

    fn roles() -> BTreeMap<String, Secret> {
        BTreeMap::from([
            ("user".into(), Secret::new("K")),
            ("xxx".into(), Secret::new("X")),
        ])
    }

    fn login(data: &str) -> Result<String, LoginRefusal> {
        classic_login(&roles(), Some(data)).map(|user| user.to_string())
    }

    #[test]
    fn the_token_of_the_id_and_the_roles_key_logs_in() {
        let token = classic_token("6", "K");
        assert_eq!(
            login(&format!(r#"{{"u":"user:6","token":"{token}"}}"#)),
            Ok("user:6".into())
        );
        assert_eq!(
            login(&format!(
                r#"{{"token":"{token}","extra":[1],"u":"user:\u0036"}}"#
            )),
            Ok("user:6".into())
        );
        let of_xxx = classic_token("6", "X");
        assert_eq!(
            login(&format!(r#"{{"u":"xxx:6","token":"{of_xxx}"}}"#)),
            Ok("xxx:6".into())
        );
        assert_eq!(
            login(&format!(r#"{{"u":"xxx:6","token":"{token}"}}"#)),
            Err(LoginRefusal::WrongToken)
        );
    }

    #[test]
    fn the_id_is_all_that_follows_the_first_colon() {
        let of_3 = classic_token("3", "K");
        assert_eq!(
            login(&format!(r#"{{"u":"user:3:9","token":"{of_3}"}}"#)).ok(),
            None
        );
    }

    #[test]
    fn a_token_is_lower_hex_text_and_nothing_else() {
        let upper = classic_token("6", "K").to_uppercase();
        assert_ne!(
            upper,
            classic_token("6", "K"),
            "the vector must contain a letter"
        );
        for (token, refusal) in [
            ("true".to_owned(), LoginRefusal::TokenNotText),
            ("0".to_owned(), LoginRefusal::TokenNotText),
            ("null".to_owned(), LoginRefusal::TokenNotText),
            (
                format!("[\"{}\"]", classic_token("6", "K")),
                LoginRefusal::TokenNotText,
            ),
            (format!("\"{upper}\""), LoginRefusal::WrongToken),
            ("\"\"".to_owned(), LoginRefusal::WrongToken),
            (
                format!("\"{} \"", classic_token("6", "K")),
                LoginRefusal::WrongToken,
            ),
        ] {
            assert_eq!(
                login(&format!(r#"{{"u":"user:6","token":{token}}}"#)),
                Err(refusal),
                "{token}"
            );
        }
        assert_eq!(login(r#"{"u":"user:6"}"#), Err(LoginRefusal::TokenNotText));
    }

    #[test]
    fn every_malformed_login_has_its_reason() {
        assert_eq!(
            classic_login(&roles(), None).unwrap_err(),
            LoginRefusal::NoData
        );
        let token = classic_token("6", "K");
        for (data, refusal) in [
            ("null".to_owned(), LoginRefusal::NoData),
            ("\"user:6\"".to_owned(), LoginRefusal::NoData),
            (format!(r#"["user:6","{token}"]"#), LoginRefusal::NoData),
            ("{}".to_owned(), LoginRefusal::UserNotText),
            (
                format!(r#"{{"u":["user:6"],"token":"{token}"}}"#),
                LoginRefusal::UserNotText,
            ),
            (
                format!(r#"{{"u":6,"token":"{token}"}}"#),
                LoginRefusal::UserNotText,
            ),
            (
                format!(r#"{{"u":"6","token":"{token}"}}"#),
                LoginRefusal::UserMalformed,
            ),
            (
                format!(r#"{{"u":"user:","token":"{token}"}}"#),
                LoginRefusal::UserMalformed,
            ),
            (
                format!(r#"{{"u":"admin:6","token":"{token}"}}"#),
                LoginRefusal::UnknownRole,
            ),
        ] {
            assert_eq!(login(&data), Err(refusal), "{data}");
        }
    }

    fn ask(
        config: &PushConfig,
        peer: &str,
        headers: &[(&str, &str)],
    ) -> Result<PushGrant, PushRefusal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        push_allowed(config, peer.parse().unwrap(), &map)
    }

    fn open() -> PushConfig {
        PushConfig {
            keys: vec![Secret::new("one"), Secret::new("two")],
            ..crate::config::Config::default().push
        }
    }

    #[test]
    fn any_configured_key_opens_from_anywhere() {
        for key in ["Bearer one", "bearer two", "BEARER  one "] {
            assert_eq!(
                ask(&open(), "203.0.113.9", &[("Authorization", key)]),
                Ok(PushGrant::Key),
                "{key}"
            );
        }
        let proxied = [
            ("Authorization", "Bearer two"),
            ("X-Forwarded-For", "198.51.100.1"),
        ];
        assert_eq!(ask(&open(), "127.0.0.1", &proxied), Ok(PushGrant::Key));
    }

    #[test]
    fn a_wrong_key_is_told_so_even_on_loopback() {
        for key in ["Bearer three", "Bearer on", "Bearer ", "Bearer onetwo"] {
            assert_eq!(
                ask(&open(), "127.0.0.1", &[("Authorization", key)]),
                Err(PushRefusal::WrongKey),
                "{key}"
            );
        }
        assert_eq!(
            ask(&open(), "203.0.113.9", &[("Authorization", "Basic b25l")]),
            Err(PushRefusal::KeyRequired)
        );
    }

    #[test]
    fn an_empty_key_never_matches_because_no_key_is_configured() {
        let none = PushConfig {
            keys: Vec::new(),
            ..open()
        };
        assert_eq!(
            ask(&none, "203.0.113.9", &[("Authorization", "Bearer ")]),
            Err(PushRefusal::WrongKey)
        );
    }

    #[test]
    fn loopback_needs_no_key_in_any_spelling() {
        for peer in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(ask(&open(), peer, &[]), Ok(PushGrant::Loopback), "{peer}");
        }
        for peer in ["10.0.0.1", "::2", "::ffff:10.0.0.1", "0.0.0.0", "128.0.0.1"] {
            assert_eq!(
                ask(&open(), peer, &[]),
                Err(PushRefusal::KeyRequired),
                "{peer}"
            );
        }
    }

    #[test]
    fn a_proxy_or_a_web_page_on_this_machine_does_not_open_the_door() {
        for name in [
            "X-Forwarded-For",
            "x-forwarded-proto",
            "X-Forwarded",
            "Forwarded",
            "X-Real-IP",
            "Via",
            "CF-Ray",
        ] {
            assert_eq!(
                ask(&open(), "127.0.0.1", &[(name, "x")]),
                Err(PushRefusal::Forwarded),
                "{name}"
            );
        }
        for name in ["Origin", "Sec-Fetch-Site"] {
            assert_eq!(
                ask(&open(), "::1", &[(name, "null")]),
                Err(PushRefusal::WebPage),
                "{name}"
            );
        }
    }

    #[test]
    fn loopback_can_be_switched_off() {
        let closed = PushConfig {
            allow_loopback: false,
            ..open()
        };
        assert_eq!(
            ask(&closed, "127.0.0.1", &[]),
            Err(PushRefusal::KeyRequired)
        );
        assert_eq!(
            ask(&closed, "127.0.0.1", &[("Authorization", "Bearer one")]),
            Ok(PushGrant::Key)
        );
    }
}
