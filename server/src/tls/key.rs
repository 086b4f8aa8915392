//! Why a private key cannot be used: its kind, curve or size, read from its outside (RFC 5958, RFC
//! 8017, RFC 5915). Nothing of the key itself is shown.

use super::der::{self, CONTEXT_0, Elements, INTEGER, OBJECT_ID, OCTET_STRING, SEQUENCE};
use rustls::pki_types::PrivateKeyDer;

/// What is wrong with a key that the TLS library does not take.
pub(super) fn trouble(key: &PrivateKeyDer<'_>) -> String {
    let kind = match key {
        PrivateKeyDer::Pkcs1(key) => rsa(key.secret_pkcs1_der()),
        PrivateKeyDer::Sec1(key) => sec1_curve(key.secret_sec1_der()),
        PrivateKeyDer::Pkcs8(key) => pkcs8(key.secret_pkcs8_der()),
        _ => None,
    };
    match kind {
        Some(kind) => format!("{kind}, which is not supported"),
        None => "it is damaged, or of a kind that is not known".into(),
    }
}

fn pkcs8(der: &[u8]) -> Option<String> {
    let mut parts = der::sequence(der)?;
    parts.next().filter(|version| version.tag == INTEGER)?;
    let mut algorithm = parts.next()?.open(SEQUENCE)?;
    let id = algorithm.next().filter(|id| id.tag == OBJECT_ID)?.content;
    let key = parts.next().filter(|key| key.tag == OCTET_STRING)?.content;
    match id {
        RSA => rsa(key),
        ELLIPTIC => curve(algorithm),
        id => {
            let (_, name) = OTHER_KINDS.iter().find(|(known, _)| *known == id)?;
            Some(format!("it is a key of the kind {name}"))
        }
    }
}

/// The size, if it is one that is not taken.
fn rsa(der: &[u8]) -> Option<String> {
    let mut numbers = der::sequence(der)?.filter(|element| element.tag == INTEGER);
    let modulus = numbers.nth(1)?.content;
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let first = modulus.get(zeros)?;
    let bits = (modulus.len() - zeros) * 8 - first.leading_zeros() as usize;
    (!(2048..=4096).contains(&bits)).then(|| format!("it is an RSA key of {bits} bits"))
}

fn sec1_curve(der: &[u8]) -> Option<String> {
    let mut parts = der::sequence(der)?;
    curve(parts.find_map(|part| part.open(CONTEXT_0))?)
}

fn curve(mut parameters: Elements<'_>) -> Option<String> {
    let id = parameters.next()?;
    if id.tag != OBJECT_ID {
        return Some("its curve is written out instead of named".into());
    }
    if [P256, P384].contains(&id.content) {
        return None;
    }
    let known = CURVES.iter().find(|(known, _)| *known == id.content);
    Some(match known {
        Some((_, name)) => format!("it is an elliptic key of the curve {name}"),
        None => "it is an elliptic key of another curve".into(),
    })
}

/// What can be used instead.
pub(super) const REMEDY: &str =
    "use an ECDSA key of P-256 or P-384, an Ed25519 key or an RSA key of 2048 to 4096 bits";

/// 1.2.840.113549.1.1.1
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.2.840.10045.2.1
const ELLIPTIC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.2.840.10045.3.1.7
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// 1.3.132.0.34
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const CURVES: &[(&[u8], &str)] = &[
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], "P-521"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x21], "P-224"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x0a], "secp256k1"),
    (&[0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d], "SM2"),
];
const OTHER_KINDS: &[(&[u8], &str)] = &[
    (&[0x2b, 0x65, 0x71], "Ed448"),
    (&[0x2b, 0x65, 0x6e], "X25519"),
    (
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a],
        "RSA-PSS",
    ),
    (&[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01], "DSA"),
];
