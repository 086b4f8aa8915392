//! The TLS client of this command line. It trusts Mozilla's roots, or those of a file; a failed
//! handshake is explained with its remedy.

use crate::config::shown_path;
use crate::tls::{CertificateInfo, Pem};
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::SectionKind;
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The certificates that a connection trusts.
pub(super) struct Trust {
    config: Arc<ClientConfig>,
    /// The file, and whether an authority is in it.
    file: Option<(String, bool)>,
}

impl Trust {
    /// What is in this file (PEM), or else Mozilla's roots.
    pub fn from(file: Option<&Path>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        let mut trusted = None;
        match file {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(path) => {
                let shown = shown_path(path);
                let has_authority = read(path, &mut roots)
                    .map_err(|reason| format!("--ca-file {shown}: {reason}"))?;
                trusted = Some((shown, has_authority));
            }
        }
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ClientConfig::builder_with_provider(ring).with_safe_default_protocol_versions();
        let config = config.map_err(|_| "TLS cannot be set up")?;
        Ok(Self {
            config: Arc::new(config.with_root_certificates(roots).with_no_client_auth()),
            file: trusted,
        })
    }

    /// TLS around a socket to this host.
    pub async fn connect(
        &self,
        host: &str,
        socket: TcpStream,
    ) -> Result<TlsStream<TcpStream>, String> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| "--url: its host is neither a name nor an IP address")?;
        let connector = TlsConnector::from(self.config.clone());
        let connected = connector.connect(name, socket).await;
        connected.map_err(|error| {
            let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref());
            match of_tls {
                Some(error) => self.explain(error, host),
                None => format!("no TLS: {}", error.kind()),
            }
        })
    }

    fn explain(&self, error: &Error, host: &str) -> String {
        match error {
            Error::InvalidCertificate(reason) => self.explain_certificate(reason, host),
            Error::InvalidMessage(_) => "the server does not speak TLS there; begin --url with \
                                         http, or name another port"
                .into(),
            Error::AlertReceived(alert) => {
                format!("the server ended the TLS handshake ({alert:?}); look at its log")
            }
            _ => "the TLS handshake failed; look at the server's log".into(),
        }
    }

    fn explain_certificate(&self, reason: &CertificateError, host: &str) -> String {
        use CertificateError as E;
        let sentence = match reason {
            // A signature is bad where the authority has the right name and another key.
            E::UnknownIssuer | E::BadSignature => return self.explain_issuer(),
            E::NotValidForName | E::NotValidForNameContext { .. } => {
                return format!(
                    "the server's certificate is not for {host}; \
                     use a name in --url that is in the certificate"
                );
            }
            E::Other(inner) if inner.to_string().contains("CaUsedAsEndEntity") => {
                "is an authority's (CA:TRUE) and no server's; make one with \
                 -addext basicConstraints=critical,CA:FALSE where openssl makes it"
            }
            E::Expired | E::ExpiredContext { .. } => {
                "has ended; renew it there, or mend this machine's clock"
            }
            E::NotValidYet | E::NotValidYetContext { .. } => {
                "does not hold yet; mend this machine's clock, or wait"
            }
            _ => "cannot be used; look at it: openssl s_client -connect HOST:PORT",
        };
        format!("the server's certificate {sentence}")
    }

    fn explain_issuer(&self) -> String {
        let Some((path, has_authority)) = &self.file else {
            return "the server's certificate is signed by no public authority; \
                    name the file of its authority's certificate with --ca-file"
                .into();
        };
        let instead = match has_authority {
            true => "",
            false => ", which holds only a server's certificate and no authority's",
        };
        format!(
            "the server's certificate is signed by none of those in --ca-file {path}{instead}; \
             name the file of the certificate of the authority (CA) that signed it"
        )
    }
}

/// Adds the certificates of a file; whether an authority's is among them.
fn read(path: &Path, roots: &mut RootCertStore) -> Result<bool, String> {
    let pem = Pem::read(path).map_err(|error| format!("{error}; {}", error.remedy()))?;
    let mut has_authority = false;
    for (kind, der) in pem.sections {
        if kind == SectionKind::Certificate {
            has_authority |= CertificateInfo::of(&der).is_some_and(|facts| facts.is_authority);
            roots
                .add(der.into())
                .map_err(|_| "a certificate in it is damaged; write it anew")?;
        }
    }
    match roots.is_empty() {
        true => Err("it holds no certificate; \
                     name the file of the certificate of the server's authority (CA)"
            .into()),
        false => Ok(has_authority),
    }
}
