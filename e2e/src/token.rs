//! The classic token, computed a second time: lower-case hex of `md5(ID + key)`.

use std::fmt::Write as _;

use md5::{Digest, Md5};

/// The key of role `user` on every test server.
pub const ROLE_KEY_USER: &str = "key-of-users";
/// The key of role `xxx` on every test server.
pub const ROLE_KEY_XXX: &str = "another-key";

/// The token that logs `ROLE:ID` in: the id is all that follows the first colon.
///
/// # Panics
/// When the user has no colon or a role that test servers do not know.
pub fn token_for(user: &str) -> String {
    let (role, id) = user.split_once(':').expect("a user is ROLE:ID");
    let key = match role {
        "user" => ROLE_KEY_USER,
        "xxx" => ROLE_KEY_XXX,
        other => panic!("test servers have no role {other}"),
    };
    md5_hex(&format!("{id}{key}"))
}

/// Lower-case hex MD5.
pub fn md5_hex(text: &str) -> String {
    Md5::digest(text.as_bytes())
        .iter()
        .fold(String::with_capacity(32), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

#[cfg(test)]
mod tests {
    #[test]
    fn md5_agrees_with_rfc_1321() {
        assert_eq!(super::md5_hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
    }
}
