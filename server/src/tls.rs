//! The certificate of the port: read from files, held against its key, and read again when the operator says so. Connections that are open
//! keep what they began with.

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
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

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is no PEM.
    #[error("{path} cannot be read as PEM: {reason}")]
    File {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// There is none in the file.
    #[error("{0} holds no certificate")]
    NoCertificate(String),
    /// They do not go together, or are not understood.
    #[error("the certificate and its key cannot be used: {0}")]
    Pair(rustls::Error),
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
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

fn read(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let unreadable = |path: &Path, reason: rustls::pki_types::pem::Error| TlsError::File {
        path: path.display().to_string(),
        reason: reason.to_string(),
    };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|reason| unreadable(&files.cert, reason))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(files.cert.display().to_string()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|reason| unreadable(&files.key, reason))?;
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Pair)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Pair)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
