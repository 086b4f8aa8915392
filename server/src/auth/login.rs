//! The classic login (docs/protocol.md). Every refusal is answered with one and the same text; why it was
//! refused is for logs and metrics only.

use std::collections::BTreeMap;

use heartline_protocol::{User, UserError, verify_classic_token};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::config::Secret;

/// Why a login was refused. The device is told only that it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum LoginRefusal {
    /// The frame had no `data`, or `data` is not an object.
    #[error("the login carries no data object")]
    NoData,
    /// `u` is missing or not a JSON string.
    #[error("`u` is missing or not a string")]
    UserNotText,
    /// `u` is no user.
    #[error("`u` is not a user, ROLE:ID: {0}")]
    UserMalformed(UserError),
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
    let user = User::parse(&u).map_err(LoginRefusal::UserMalformed)?;
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

/// The text of a JSON string; `None` for any other JSON value.
fn json_text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

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
    fn a_user_whom_no_push_could_name_is_refused_with_the_right_token_too() {
        for (id, refusal) in [
            ("6 ", UserError::SpaceAround),
            ("a,b", UserError::Comma),
            ("6\\u0000", UserError::ControlCharacter),
        ] {
            let token = classic_token(&id.replace("\\u0000", "\0"), "K");
            assert_eq!(
                login(&format!(r#"{{"u":"user:{id}","token":"{token}"}}"#)),
                Err(LoginRefusal::UserMalformed(refusal)),
                "{id}"
            );
        }
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
                LoginRefusal::UserMalformed(UserError::NoColon),
            ),
            (
                format!(r#"{{"u":"user:","token":"{token}"}}"#),
                LoginRefusal::UserMalformed(UserError::IdEmpty),
            ),
            (
                format!(r#"{{"u":"admin:6","token":"{token}"}}"#),
                LoginRefusal::UnknownRole,
            ),
        ] {
            assert_eq!(login(&data), Err(refusal), "{data}");
        }
    }
}
