//! PEM files (RFC 7468) as people really have them: with a byte-order mark, cut off, on one line,
//! encrypted, with the wrong thing in them. Each fault has a sentence of our own, because the
//! parser's errors quote what they found, and that may be a private key.

use rustls::pki_types::pem::{PemObject, SectionKind};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What a file holds.
#[derive(Default)]
pub(crate) struct Pem {
    /// Every section that is understood, in order.
    pub sections: Vec<(SectionKind, Vec<u8>)>,
    /// Labels of sections that are not, as far as they have a name in [`LABELS`].
    pub unsupported_labels: Vec<&'static str>,
    /// A private key that is encrypted is among them.
    pub has_encrypted_key: bool,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PemError {
    #[error("it cannot be read ({0})")]
    Io(io::Error),
    #[error("it is empty")]
    Empty,
    #[error("it is larger than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("it is UTF-16")]
    Utf16,
    #[error("it is DER and not PEM")]
    Der,
    #[error("it is no PEM: no line -----BEGIN …----- is in it")]
    NotPem,
    #[error("its line breaks were lost, or are written as \\n, at line {0}")]
    LineBreaks(usize),
    #[error(
        "the section of line {0} has no -----BEGIN …----- and -----END …----- that go together: \
         the file is cut off or mixed up"
    )]
    NoEnd(usize),
    #[error("the section that begins in line {0} is not base64: the file is damaged")]
    NotBase64(usize),
}

impl PemError {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Io(_) => "name a file that this user may read",
            Self::Empty => "put the PEM text into it",
            Self::TooLarge | Self::NotPem => "name a PEM file",
            Self::Utf16 => "save it as ASCII or UTF-8",
            Self::Der => "convert it: openssl x509 (or openssl pkey) -inform DER -in FILE -out NEW",
            Self::LineBreaks(_) => {
                "write it anew, with each -----BEGIN …----- and each -----END …----- \
                 on a line of its own"
            }
            Self::NoEnd(_) | Self::NotBase64(_) => "write it anew",
        }
    }
}

impl Pem {
    /// Reads a file, at most [`MAX_BYTES`].
    pub fn read(path: &Path) -> Result<Self, PemError> {
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(PemError::Io)?;
        let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
        match read.map_err(PemError::Io)? as u64 {
            0 => Err(PemError::Empty),
            1..=MAX_BYTES => Self::parse(&bytes),
            _ => Err(PemError::TooLarge),
        }
    }

    fn parse(bytes: &[u8]) -> Result<Self, PemError> {
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Err(PemError::Utf16);
        }
        let mut pem = Self::default();
        let mut open: Option<Section<'_>> = None;
        let mut sections = 0;
        for (at, line) in lines(bytes) {
            match Mark::of(line) {
                Err(LostLineBreaks) => return Err(PemError::LineBreaks(at)),
                Ok(Some(Mark::Begin(label))) => {
                    if let Some(before) = &open {
                        return Err(PemError::NoEnd(before.line));
                    }
                    open = Some(Section::new(label, at));
                    sections += 1;
                }
                Ok(Some(Mark::End(label))) => match open.take() {
                    Some(section) if section.label == label => pem.close(section)?,
                    Some(section) => return Err(PemError::NoEnd(section.line)),
                    None => return Err(PemError::NoEnd(at)),
                },
                Ok(None) => {
                    if let Some(section) = &mut open {
                        section.line(line);
                    }
                }
            }
        }
        match open {
            Some(section) => Err(PemError::NoEnd(section.line)),
            None if sections > 0 => Ok(pem),
            None if bytes.starts_with(&[0x30]) && !bytes.is_ascii() => Err(PemError::Der),
            None if bytes.iter().all(u8::is_ascii_whitespace) => Err(PemError::Empty),
            None => Err(PemError::NotPem),
        }
    }

    fn close(&mut self, section: Section<'_>) -> Result<(), PemError> {
        if section.is_encrypted || section.label == b"ENCRYPTED PRIVATE KEY" {
            self.has_encrypted_key = true;
            return Ok(());
        }
        let whole = [
            b"-----BEGIN ",
            section.label,
            b"-----\n",
            &section.base64,
            b"\n-----END ",
            section.label,
            b"-----\n",
        ]
        .concat();
        match <(SectionKind, Vec<u8>)>::pem_slice_iter(&whole).next() {
            Some(Ok(understood)) => self.sections.push(understood),
            Some(Err(_)) => return Err(PemError::NotBase64(section.line)),
            None => {
                let known = LABELS
                    .iter()
                    .find(|label| label.as_bytes() == section.label);
                self.unsupported_labels.extend(known);
            }
        }
        Ok(())
    }

    /// Whether a certificate is in it.
    pub fn has_certificate(&self) -> bool {
        self.has(|kind| kind == SectionKind::Certificate)
    }

    /// Whether a request for a certificate is in it.
    pub fn has_request(&self) -> bool {
        self.has(|kind| kind == SectionKind::Csr)
            || self.unsupported_labels.contains(&"NEW CERTIFICATE REQUEST")
    }

    /// Whether a private key is in it, encrypted or not.
    pub fn has_key(&self) -> bool {
        self.has_encrypted_key || self.has(is_key)
    }

    fn has(&self, wanted: fn(SectionKind) -> bool) -> bool {
        self.sections.iter().any(|(kind, _)| wanted(*kind))
    }
}

fn is_key(kind: SectionKind) -> bool {
    matches!(
        kind,
        SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey
    )
}

struct Section<'a> {
    label: &'a [u8],
    line: usize,
    base64: Vec<u8>,
    is_encrypted: bool,
}

impl<'a> Section<'a> {
    fn new(label: &'a [u8], line: usize) -> Self {
        Self {
            label,
            line,
            base64: Vec::new(),
            is_encrypted: false,
        }
    }

    fn line(&mut self, line: &[u8]) {
        // `Proc-Type: 4,ENCRYPTED` and `DEK-Info: …`: headers of the old form (RFC 1421). Base64
        // has no colon.
        if line.contains(&b':') {
            self.is_encrypted |= line.ends_with(b"ENCRYPTED");
        } else {
            self.base64.extend_from_slice(line);
        }
    }
}

enum Mark<'a> {
    Begin(&'a [u8]),
    End(&'a [u8]),
}

struct LostLineBreaks;

impl<'a> Mark<'a> {
    fn of(line: &'a [u8]) -> Result<Option<Self>, LostLineBreaks> {
        let count = |mark: &[u8]| line.windows(mark.len()).filter(|at| at == &mark).count();
        if count(BEGIN) + count(END) == 0 {
            return Ok(None);
        }
        let label = |mark| line.strip_prefix(mark)?.strip_suffix(b"-----");
        let is_label = |label: &&[u8]| label.len() <= MAX_LABEL_BYTES && !label.contains(&b'-');
        let begin = label(BEGIN).filter(is_label).map(Self::Begin);
        let end = label(END).filter(is_label).map(Self::End);
        begin.or(end).ok_or(LostLineBreaks).map(Some)
    }
}

/// Lines with their numbers from 1, without byte-order marks and spaces around them. A carriage
/// return alone ends a line too.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut number = 1;
    let mut former = b'\n';
    bytes
        .split_inclusive(|byte| matches!(byte, b'\r' | b'\n'))
        .filter_map(move |line| {
            let ending = line.last().copied().unwrap_or_default();
            // `\r\n` is one line break.
            let is_half = line == b"\n" && former == b'\r';
            former = ending;
            if is_half {
                return None;
            }
            number += 1;
            let line = line.trim_ascii();
            let line = line.strip_prefix(UTF8_MARK).unwrap_or(line);
            Some((number - 1, line.trim_ascii_start()))
        })
}

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const MAX_LABEL_BYTES: usize = 64;
/// Twenty times the largest list of roots that systems have.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// What people put into these files by mistake. No other label is shown: it is text of the file.
pub(super) const LABELS: &[&str] = &[
    "OPENSSH PRIVATE KEY",
    "DSA PRIVATE KEY",
    "NEW CERTIFICATE REQUEST",
    "TRUSTED CERTIFICATE",
    "PKCS7",
];

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\nAAAA\n-----END PRIVATE KEY-----\n";

    fn kinds(text: &str) -> Vec<SectionKind> {
        let pem = Pem::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text:?}"));
        pem.sections.iter().map(|(kind, _)| *kind).collect()
    }

    fn error(text: &str) -> String {
        let Err(error) = Pem::parse(text.as_bytes()) else {
            panic!("read: {text:?}");
        };
        error.to_string()
    }

    #[test]
    fn line_endings_spaces_marks_and_words_around_do_not_matter() {
        use SectionKind::{Certificate, PrivateKey};
        let both = format!("{CERTIFICATE}{KEY}");
        for text in [
            both.clone(),
            both.replace('\n', "\r\n"),
            both.replace('\n', "\r"),
            both.replace('\n', " \n"),
            format!("\u{feff}{CERTIFICATE}\u{feff}{KEY}"),
            format!("Bag Attributes\n    friendlyName: me\n{both}"),
            both.trim_end().to_owned(),
        ] {
            assert_eq!(kinds(&text), [Certificate, PrivateKey], "{text:?}");
        }
    }

    #[test]
    fn lost_line_breaks_are_found_wherever_they_were() {
        for (text, line) in [
            (KEY.replace('\n', ""), 1),
            (KEY.replace('\n', "\\n"), 1),
            (KEY.replacen('\n', "", 1), 1),
            (KEY.replace("AAAA\n---", "AAAA---"), 3),
            // Two files put together, of which the first does not end its line: the second would be
            // passed over.
            (format!("{}{KEY}", CERTIFICATE.trim_end()), 3),
        ] {
            let said = error(&text);
            assert!(said.contains(&format!("at line {line}")), "{said} {text:?}");
        }
    }

    #[test]
    fn each_fault_has_its_sentence() {
        for (text, sentence) in [
            (" \n", "it is empty"),
            ("nonsense", "it is no PEM"),
            (&KEY[..40], "of line 1 has no -----BEGIN"),
            (
                &format!("{CERTIFICATE}{}", &KEY[..40]),
                "of line 4 has no -----BEGIN",
            ),
            (
                &KEY.replace("END PRIVATE", "END EC PRIVATE"),
                "has no -----BEGIN",
            ),
            (
                &KEY.replace("AAAA", "A*AA"),
                "begins in line 1 is not base64",
            ),
        ] {
            let said = error(text);
            assert!(said.contains(sentence), "{said} {text:?}");
        }
        assert!(matches!(Pem::parse(b"\x30\x82\xff"), Err(PemError::Der)));
        assert!(matches!(Pem::parse(b"\xff\xfe-\0"), Err(PemError::Utf16)));
    }

    #[test]
    fn encrypted_keys_of_both_forms_are_seen() {
        let new = KEY.replace("PRIVATE", "ENCRYPTED PRIVATE");
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
                   DEK-Info: AES-256-CBC,00\n\nAAAA\n\
                   -----END RSA PRIVATE KEY-----\n";
        for text in [new.as_str(), old] {
            let pem = Pem::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
            assert!(pem.has_encrypted_key && pem.sections.is_empty(), "{text}");
        }
    }
}
