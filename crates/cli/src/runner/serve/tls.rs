//! The certificate that workers are shown.
//!
//! What must stay true: its key is in a file that nobody else may read; a certificate that cannot be read again leaves the former
//! one in use.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use tokio_rustls::TlsAcceptor;

use crate::failure::Failure;
use crate::pem::{certificates, private_key};

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
        let read = private_key(&key)?;
        let certificates = certificates(&chain)?;
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
