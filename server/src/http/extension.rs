//! Which extension of a handshake is taken: permessage-deflate (RFC 7692 §5, §7.1), in the one shape that needs no memory
//! between messages.

use hyper::header::{HeaderMap, HeaderValue};

/// The header of offers and of the answer.
pub(super) const EXTENSIONS: &str = "sec-websocket-extensions";

/// The answer to the first offer that can be met. Both sides forget their window after each message: that is what makes one
/// compressed frame good for all recipients, and an idle connection free. A smaller window than the usual one is not
/// granted, for the same reason: such an offer is passed over.
pub(super) fn answer_to(headers: &HeaderMap) -> Option<HeaderValue> {
    let lists = headers
        .get_all(EXTENSIONS)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).find_map(meet)
}

fn meet(offer: &str) -> Option<HeaderValue> {
    let mut parts = offer.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case("permessage-deflate") {
        return None;
    }
    let mut seen = [false; 4];
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(value.trim().trim_matches('"'))),
            None => (part, None),
        };
        let (at, is_right) = match name.to_ascii_lowercase().as_str() {
            "server_no_context_takeover" => (0, value.is_none()),
            "client_no_context_takeover" => (1, value.is_none()),
            "server_max_window_bits" => (2, value == Some("15")),
            "client_max_window_bits" => (3, value.is_none_or(is_window)),
            _ => return None,
        };
        if !is_right || std::mem::replace(&mut seen[at], true) {
            return None;
        }
    }
    let [_, _, names_window, _] = seen;
    Some(HeaderValue::from_static(match names_window {
        true => {
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15"
        }
        false => "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    }))
}

/// 8 to 15, without a leading zero.
fn is_window(value: &str) -> bool {
    matches!(value, "8" | "9" | "10" | "11" | "12" | "13" | "14" | "15")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    fn check(offers: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for offer in offers {
            headers.append(EXTENSIONS, HeaderValue::from_static(offer));
        }
        answer_to(&headers).map(|answer| answer.to_str().unwrap().to_owned())
    }

    #[test]
    fn what_browsers_and_libraries_offer_is_taken() {
        for offer in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate;client_max_window_bits=\"12\"",
            "Permessage-Deflate ; server_no_context_takeover; client_no_context_takeover",
            "x-webkit-deflate-frame, permessage-deflate; client_max_window_bits",
        ] {
            assert_eq!(check(&[offer]).as_deref(), Some(PLAIN), "{offer}");
        }
        assert_eq!(
            check(&["foo", "permessage-deflate"]).as_deref(),
            Some(PLAIN)
        );
        let named = check(&["permessage-deflate; server_max_window_bits=15"]);
        assert_eq!(named, Some(format!("{PLAIN}; server_max_window_bits=15")));
    }

    #[test]
    fn an_offer_that_cannot_be_met_is_passed_over() {
        for offer in [
            "",
            "deflate",
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; client_max_window_bits=16",
            "permessage-deflate; client_max_window_bits=08",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_max_window_bits; client_max_window_bits",
            "permessage-deflate; unheard_of",
        ] {
            assert_eq!(check(&[offer]), None, "{offer}");
        }
        let both = "permessage-deflate; server_max_window_bits=10, permessage-deflate";
        assert_eq!(check(&[both]).as_deref(), Some(PLAIN));
    }
}
