//! A certificate and a key that cannot be used together say why, and what to do: each way in which
//! people get them wrong.

use expect_test::expect;
use heartline_server::tls::{Tls, TlsError, TlsFile, TlsFiles};
use rcgen::{CertificateParams, IsCa, KeyPair, date_time_ymd};
use std::fs;

struct Pair {
    folder: tempfile::TempDir,
    cert: String,
    key: String,
}

impl Pair {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            cert: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        }
    }

    fn files(&self, cert: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> TlsFiles {
        let files = TlsFiles {
            cert: self.folder.path().join("cert.pem"),
            key: self.folder.path().join("key.pem"),
        };
        fs::write(&files.cert, cert).unwrap();
        fs::write(&files.key, key).unwrap();
        files
    }

    fn load(&self, cert: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Tls, TlsError> {
        Tls::load(&self.files(cert, key))
    }

    fn with_key(&self, key: impl AsRef<[u8]>) -> String {
        error_text(self.load(&self.cert, key), TlsFile::Key)
    }

    fn with_cert(&self, cert: impl AsRef<[u8]>) -> String {
        error_text(self.load(cert, &self.key), TlsFile::Certificate)
    }
}

#[track_caller]
fn error_text(loaded: Result<Tls, TlsError>, about: TlsFile) -> String {
    let error = loaded.expect_err("it cannot be used");
    assert_eq!(error.about, about, "{error}");
    format!("{}; {}", error.trouble, error.remedy)
}

fn broken_key(name: &str) -> String {
    fs::read_to_string(format!("{}/tests/keys/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn keys_of_a_kind_that_is_not_taken_name_it() {
    let pair = Pair::new();
    let names = [
        "p521.key",
        "p521.pkcs8.key",
        "secp256k1.key",
        "rsa1024.key",
        "rsa1024.pkcs1.key",
        "ed448.key",
        "encrypted.key",
        "encrypted.sec1.key",
    ];
    let all: String = names
        .iter()
        .map(|name| format!("{name}: {}\n", pair.with_key(broken_key(name))))
        .collect();
    expect![[r#"
        p521.key: it is an elliptic key of the curve P-521, which is not supported; use an ECDSA key of P-256 or P-384, an Ed25519 key or an RSA key of 2048 to 4096 bits
        p521.pkcs8.key: it is an elliptic key of the curve P-521, which is not supported; use an ECDSA key of P-256 or P-384, an Ed25519 key or an RSA key of 2048 to 4096 bits
        secp256k1.key: it is an elliptic key of the curve secp256k1, which is not supported; use an ECDSA key of P-256 or P-384, an Ed25519 key or an RSA key of 2048 to 4096 bits
        rsa1024.key: it is an RSA key of 1024 bits, which is not supported; use an ECDSA key of P-256 or P-384, an Ed25519 key or an RSA key of 2048 to 4096 bits
        rsa1024.pkcs1.key: it is an RSA key of 1024 bits, which is not supported; use an ECDSA key of P-256 or P-384, an Ed25519 key or an RSA key of 2048 to 4096 bits
        ed448.key: it is a key of the kind Ed448, which is not supported; use an ECDSA key of P-256 or P-384, an Ed25519 key or an RSA key of 2048 to 4096 bits
        encrypted.key: the key is encrypted with a passphrase, which a server cannot ask anybody for; decrypt it: openssl pkey -in FILE -out NEW
        encrypted.sec1.key: the key is encrypted with a passphrase, which a server cannot ask anybody for; decrypt it: openssl pkey -in FILE -out NEW
    "#]].assert_eq(&all);
}

#[test]
fn files_that_hold_something_else_say_what() {
    let pair = Pair::new();
    let (cert, key) = (&pair.cert, &pair.key);
    let damaged = cert.replacen("MII", "AII", 1);
    let cut = &key[..key.len() / 2];
    let other = Pair::new().key;
    let all = [
        pair.with_cert(""),
        pair.with_cert("nonsense"),
        pair.with_cert(key),
        pair.with_cert(cert.replace("CERTIFICATE", "CERTIFICATE REQUEST")),
        pair.with_cert(cert.replace('\n', "")),
        pair.with_cert(damaged),
        pair.with_key("nonsense"),
        pair.with_key(cert),
        pair.with_key(key.replace('\n', "")),
        pair.with_key(key.replace('\n', "\\n")),
        pair.with_key(cut),
        pair.with_key(key.replace("MI", "M*")),
        pair.with_key(key.replace("PRIVATE KEY", "OPENSSH PRIVATE KEY")),
        pair.with_key(other),
        pair.with_key([0xff, 0xfe, b'-', 0]),
        pair.with_key([0x30, 0x82, 0x01, 0xff]),
    ]
    .map(|line| line + "\n")
    .concat();
    expect![[r#"
        it is empty; put the PEM text into it
        it is no PEM: no line -----BEGIN …----- is in it; name a PEM file
        it holds no certificate, but a private key; exchange the two files if they are swapped
        it holds no certificate, but a request for one; put the certificate into it that the authority made of the request
        its line breaks were lost, or are written as \n, at line 1; write it anew, with each -----BEGIN …----- and each -----END …----- on a line of its own
        the first certificate is damaged; write it anew
        it is no PEM: no line -----BEGIN …----- is in it; name a PEM file
        it holds no private key, but a certificate; exchange the two files if they are swapped
        its line breaks were lost, or are written as \n, at line 1; write it anew, with each -----BEGIN …----- and each -----END …----- on a line of its own
        its line breaks were lost, or are written as \n, at line 1; write it anew, with each -----BEGIN …----- and each -----END …----- on a line of its own
        the section of line 1 has no -----BEGIN …----- and -----END …----- that go together: the file is cut off or mixed up; write it anew
        the section that begins in line 1 is not base64: the file is damaged; write it anew
        it holds an OpenSSH key, which TLS does not use; use an ECDSA key of P-256 or P-384, an Ed25519 key or an RSA key of 2048 to 4096 bits
        the key is not that of the certificate; name the key that the certificate was made for
        it is UTF-16; save it as ASCII or UTF-8
        it is DER and not PEM; convert it: openssl x509 (or openssl pkey) -inform DER -in FILE -out NEW
    "#]].assert_eq(&all);
}

#[test]
fn a_chain_in_the_wrong_order_says_so() {
    let (own, above) = (Pair::new(), Pair::new());
    let said = own.with_cert(format!("{}{}", above.cert, own.cert));
    assert!(
        said.contains("put the server's own certificate first"),
        "{said}"
    );
    own.load(format!("{}{}", own.cert, above.cert), &own.key)
        .expect("this is the order");
}

#[test]
fn a_byte_order_mark_windows_line_ends_and_words_around_do_no_harm() {
    let pair = Pair::new();
    for change in [
        |text: &str| format!("\u{feff}{text}"),
        |text: &str| text.replace('\n', "\r\n"),
        |text: &str| {
            format!(
                "\u{feff}Bag Attributes: none\r\n{}",
                text.replace('\n', "\r\n")
            )
        },
        |text: &str| text.trim_end().to_owned(),
    ] {
        let loaded = pair.load(change(&pair.cert), change(&pair.key));
        loaded.unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn a_certificate_that_has_ended_serves_with_a_warning() {
    let pair = Pair::new();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::ExplicitNoCa;
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(2002, 1, 1);
    let ended = params.self_signed(&key).unwrap();
    let files = pair.files(ended.pem(), key.serialize_pem());
    Tls::load(&files).expect("clocks may be wrong: it serves");
    let warning = files.warning().expect("a warning");
    assert!(
        warning.contains("cert.pem: it ended on 2002-01-01 00:00 UTC"),
        "{warning}"
    );
    assert_eq!(pair.files(&pair.cert, &pair.key).warning(), None);
}

#[test]
fn a_key_that_stands_where_its_path_belongs_is_not_repeated() {
    let pair = Pair::new();
    let mut files = pair.files(&pair.cert, &pair.key);
    files.key = pair.key.clone().into();
    let error = Tls::load(&files).expect_err("no such file");
    assert!(error.to_string().starts_with("(not shown"), "{error}");
}
