//! The certificate of the port: read from files, held against its key, and read again when the
//! operator says so. Connections that are open keep what they began with.
//!
//! `pem` reads the files, `key` and `certificate` explain what is wrong with what they hold. No
//! error of another crate is shown: one that was made from a key may quote it.

mod certificate;
mod der;
mod key;
mod pem;

pub(crate) use certificate::CertificateInfo;
pub(crate) use pem::{Pem, PemError};

use crate::config::shown_path;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{PemObject as _, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{CertificateError, Error, InconsistentKeys, ServerConfig};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// The files of a certificate and its key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those that lead to a root.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// TLS as the port speaks it.
pub struct Tls {
    files: TlsFiles,
    present: RwLock<Arc<ServerConfig>>,
}

/// Why a certificate and its key cannot be used: which of the two files, what is wrong with it, and
/// what to do. Nothing of the key is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {trouble}; {remedy}")]
pub struct TlsError {
    /// Which file.
    pub about: TlsFile,
    /// Its path, where that can be shown.
    pub path: String,
    /// What is wrong.
    pub trouble: String,
    /// What to do.
    pub remedy: String,
}

/// One of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsFile {
    /// The certificate's.
    Certificate,
    /// The private key's.
    Key,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be used together.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            files: files.clone(),
            present: RwLock::new(Arc::new(read(files)?)),
        })
    }

    /// Reads the files again, for connections that come from now on.
    ///
    /// # Errors
    /// When they cannot be used; then all stays as it is.
    pub fn reload(&self) -> Result<(), TlsError> {
        let next = Arc::new(read(&self.files)?);
        *self.present.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    /// What the next connection begins with.
    pub fn present(&self) -> Arc<ServerConfig> {
        self.present
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What works and deserves a look.
    pub fn warning(&self) -> Option<String> {
        self.files.warning()
    }
}

impl TlsFiles {
    /// What works and deserves a look: the first certificate has ended, ends soon, or does not hold
    /// yet.
    pub fn warning(&self) -> Option<String> {
        let pem = Pem::read(&self.cert).ok()?;
        let (_, first) =
            (pem.sections.iter()).find(|(kind, _)| *kind == SectionKind::Certificate)?;
        let warning = CertificateInfo::of(first)?.warning(jiff::Timestamp::now())?;
        Some(format!(
            "the certificate {}: {warning}",
            shown_path(&self.cert)
        ))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// What is wrong with a file, and what to do.
struct Fault {
    trouble: String,
    remedy: &'static str,
}

impl Fault {
    fn new(trouble: impl Into<String>, remedy: &'static str) -> Self {
        Self {
            trouble: trouble.into(),
            remedy,
        }
    }
}

impl From<PemError> for Fault {
    fn from(error: PemError) -> Self {
        Self::new(error.to_string(), error.remedy())
    }
}

fn read(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let wrong = |about| {
        move |fault: Fault| TlsError {
            about,
            path: shown_path(match about {
                TlsFile::Certificate => &files.cert,
                TlsFile::Key => &files.key,
            }),
            trouble: fault.trouble,
            remedy: fault.remedy.into(),
        }
    };
    let chain = chain(&files.cert).map_err(wrong(TlsFile::Certificate))?;
    let key = private_key(&files.key).map_err(wrong(TlsFile::Key))?;
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let signing = signing_key(&ring, key).map_err(wrong(TlsFile::Key))?;
    let pair = CertifiedKey::new(chain, signing);
    check_pair(&pair).map_err(|(about, fault)| wrong(about)(fault))?;
    let builder = ServerConfig::builder_with_provider(ring).with_safe_default_protocol_versions();
    let builder = builder.map_err(|_| {
        let fault = Fault::new("TLS cannot be set up", "report this: the provider is fixed");
        wrong(TlsFile::Certificate)(fault)
    })?;
    let resolver = Arc::new(SingleCertAndKey::from(pair));
    let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let pem = Pem::read(path)?;
    let certificates = (pem.sections.iter()).filter(|(kind, _)| *kind == SectionKind::Certificate);
    let chain: Vec<_> = certificates.map(|(_, der)| der.clone().into()).collect();
    if !chain.is_empty() {
        return Ok(chain);
    }
    let (instead, remedy) = match pem.unsupported_labels.first() {
        _ if pem.has_key() => (
            ", but a private key",
            "exchange the two files if they are swapped",
        ),
        _ if pem.has_request() => (
            ", but a request for one",
            "put the certificate into it that the authority made of the request",
        ),
        Some(&"TRUSTED CERTIFICATE") => (
            ", but one of OpenSSL's own form",
            "convert it: openssl x509 -in FILE -out NEW",
        ),
        Some(&"PKCS7") => (
            ", but PKCS #7",
            "convert it: openssl pkcs7 -print_certs -in FILE -out NEW",
        ),
        _ => (
            "",
            "put -----BEGIN CERTIFICATE----- and what follows into it",
        ),
    };
    Err(Fault::new(
        format!("it holds no certificate{instead}"),
        remedy,
    ))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Fault> {
    let pem = Pem::read(path)?;
    let has_certificate = pem.has_certificate();
    let mut sections = pem.sections.into_iter();
    if let Some(key) = sections.find_map(|(kind, der)| PrivateKeyDer::from_pem(kind, der)) {
        return Ok(key);
    }
    let (trouble, remedy) = match pem.unsupported_labels.first() {
        _ if pem.has_encrypted_key => (
            "the key is encrypted with a passphrase, which a server cannot ask anybody for",
            "decrypt it: openssl pkey -in FILE -out NEW",
        ),
        Some(&"OPENSSH PRIVATE KEY") => (
            "it holds an OpenSSH key, which TLS does not use",
            key::REMEDY,
        ),
        Some(&"DSA PRIVATE KEY") => ("it holds a DSA key, which is not supported", key::REMEDY),
        _ if has_certificate => (
            "it holds no private key, but a certificate",
            "exchange the two files if they are swapped",
        ),
        _ => (
            "it holds no private key",
            "put -----BEGIN PRIVATE KEY----- and what follows into it",
        ),
    };
    Err(Fault::new(trouble, remedy))
}

fn signing_key(
    provider: &CryptoProvider,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<dyn SigningKey>, Fault> {
    let trouble = key::trouble(&key);
    let signing = provider.key_provider.load_private_key(key);
    signing.map_err(|_| Fault::new(trouble, key::REMEDY))
}

/// Holds the key against the first certificate.
fn check_pair(pair: &CertifiedKey) -> Result<(), (TlsFile, Fault)> {
    let (about, trouble, remedy) = match pair.keys_match() {
        // Unknown: the library cannot tell, and takes it.
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => return Ok(()),
        Err(Error::InconsistentKeys(_)) if is_of_a_later_certificate(pair) => (
            TlsFile::Certificate,
            "the key is not that of the first certificate, but of a later one",
            "put the server's own certificate first, and then those that lead to a root",
        ),
        Err(Error::InconsistentKeys(_)) => (
            TlsFile::Key,
            "the key is not that of the certificate",
            "name the key that the certificate was made for",
        ),
        Err(Error::InvalidCertificate(CertificateError::BadEncoding)) => (
            TlsFile::Certificate,
            "the first certificate is damaged",
            "write it anew",
        ),
        Err(_) => (
            TlsFile::Certificate,
            "the first certificate is not X.509 version 3, which TLS needs",
            "have another one made",
        ),
    };
    Err((about, Fault::new(trouble, remedy)))
}

fn is_of_a_later_certificate(pair: &CertifiedKey) -> bool {
    let later = pair.cert.iter().skip(1);
    let mut alone = later.map(|cert| CertifiedKey::new(vec![cert.clone()], pair.key.clone()));
    alone.any(|pair| pair.keys_match().is_ok())
}
