//! The classic token: lower-case hex `md5(ID + key)`.

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

/// The token of the user with this id, for a role whose key is `key`.
///
/// ```
/// assert_eq!(heartline_protocol::classic_token("6", "secret"), "880f220137b743b3c6546fb54e6a25ec");
/// ```
pub fn classic_token(id: &str, key: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut hash = Md5::new();
    hash.update(id.as_bytes());
    hash.update(key.as_bytes());
    let mut token = String::with_capacity(32);
    for byte in hash.finalize() {
        token.push(char::from(HEX[usize::from(byte >> 4)]));
        token.push(char::from(HEX[usize::from(byte & 15)]));
    }
    token
}

/// Is this the token of that user? Compared in constant time; upper-case hex is not accepted.
pub fn verify_classic_token(id: &str, key: &str, token: &str) -> bool {
    classic_token(id, key)
        .as_bytes()
        .ct_eq(token.as_bytes())
        .into()
}
