//! Who may push: a key, or loopback without any sign that the request came through a proxy or out of a web page.

use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, ORIGIN};
use subtle::{Choice, ConstantTimeEq};

use crate::config::{PushConfig, Secret};

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
