//! The certificate that workers are shown.
//!
//! What must stay true: its key is in a file that nobody else may read; a certificate that cannot be read again leaves the former
//! one in use.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::failure::Failure;

/// A certificate, its key, and where both are.
pub struct Certificates {
    /// The certificate and those above it.
    chain: PathBuf,
    /// Its key.
    key: PathBuf,
    /// Shows them to whoever connects.
    acceptor: TlsAcceptor,
}

impl Certificates {
    /// Reads both files.
    pub fn read(chain: PathBuf, key: PathBuf) -> Result<Self, Failure> {
        let about = std::fs::metadata(&key).map_err(Failure::io(key.display().to_string()))?;
        // A key that root owns may be readable by a group, as the system's keys are for the services that use them.
        let others = if about.uid() == 0 { 0o037 } else { 0o077 };
        if about.permissions().mode() & others != 0 {
            let key = key.display();
            return Err(Failure::Usage(format!("others may read {key}: chmod 0600 {key}")));
        }
        let read = PrivateKeyDer::from_pem_file(&key).map_err(|error| unreadable(&key, error))?;
        let certificates =
            CertificateDer::pem_file_iter(&chain).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let certificates = certificates.map_err(|error| unreadable(&chain, error))?;
        let unfit = |error| Failure::Usage(format!("{} and {}: {error}", chain.display(), key.display()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unfit)?
            .with_no_client_auth()
            .with_single_cert(certificates, read)
            .map_err(unfit)?;
        Ok(Self { chain, key, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// Reads them again, as they are now.
    pub fn again(&self) -> Result<Self, Failure> {
        Self::read(self.chain.clone(), self.key.clone())
    }

    /// What shows them to whoever connects.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }
}

/// What is wrong with a file; none of its text.
fn unreadable(path: &std::path::Path, error: PemError) -> Failure {
    let path = path.display().to_string();
    match error {
        PemError::Io(error) => Failure::io(path)(error),
        _ => Failure::Usage(format!("{path} is no PEM file of the kind that is needed")),
    }
}
