//! TLS to Postgres, as libpq's sslmode asks for it.
//!
//! What must stay true: `verify-full` believes an authority that was named and only for the host that was named, `verify-ca` such
//! an authority; where a file of authorities is there, `require` is `verify-ca`, as for libpq.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::authorities;
use super::settings::Settings;
use crate::failure::Failure;
use crate::pem::{certificates, private_key};

/// How much of TLS there must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// None.
    Disable,
    /// Some, where the server has it.
    Prefer,
    /// Some.
    Require,
    /// And a certificate of an authority that is believed.
    VerifyAuthority,
    /// And for this host.
    VerifyFull,
}

impl Mode {
    /// What settings ask for. `allow` is `prefer`: both go without TLS where there is none.
    pub fn of(settings: &Settings) -> Result<Self, Failure> {
        let system = settings.get("sslrootcert") == Some("system");
        match settings.get("sslmode") {
            None if system => Ok(Self::VerifyFull),
            Some("verify-full") => Ok(Self::VerifyFull),
            Some(_) if system => Err(Failure::Usage(
                "sslrootcert=system trusts every public authority, so it needs sslmode=verify-full"
                    .to_owned(),
            )),
            Some("disable") => Ok(Self::Disable),
            None | Some("allow" | "prefer") => Ok(Self::Prefer),
            Some("verify-ca") => Ok(Self::VerifyAuthority),
            Some("require") => {
                let has_authorities =
                    settings.file("sslrootcert", "root.crt").is_some_and(|path| path.exists());
                Ok(if has_authorities { Self::VerifyAuthority } else { Self::Require })
            }
            Some(_) => Err(Failure::Usage(
                "sslmode is one of disable, allow, prefer, require, verify-ca, verify-full".to_owned(),
            )),
        }
    }
}

/// A client of TLS for this mode.
pub fn client(mode: Mode, settings: &Settings) -> Result<MakeRustlsConnect, Failure> {
    let provider = Arc::new(ring::default_provider());
    let (believed, chain) = if mode >= Mode::VerifyAuthority {
        let believed = believed(settings)?;
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(believed.iter().cloned());
        if settings.get("sslrootcert") == Some("system") && store.is_empty() {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone()).build();
        let chain = chain.map_err(|error| Failure::Usage(format!("sslrootcert: {error}")))?;
        (believed, Some(chain))
    } else {
        (Vec::new(), None)
    };
    let verifier = Verifier { chain, believed, host: mode == Mode::VerifyFull, provider: provider.clone() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::Usage(format!("TLS: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let config = match own_certificate(settings)? {
        Some((certificates, key)) => config
            .with_client_auth_cert(certificates, key)
            .map_err(|error| Failure::Usage(format!("sslcert and sslkey: {error}")))?,
        None => config.with_no_client_auth(),
    };
    Ok(MakeRustlsConnect::new(config))
}

/// The authorities of sslrootcert.
fn believed(settings: &Settings) -> Result<Vec<CertificateDer<'static>>, Failure> {
    if settings.get("sslrootcert") == Some("system") {
        return Ok(authorities::of_machine());
    }
    let path = settings.file("sslrootcert", "root.crt").filter(|path| path.exists()).ok_or_else(|| {
        Failure::Usage(
            "this sslmode needs a file of authorities: sslrootcert=FILE, ~/.postgresql/root.crt, or \
             sslrootcert=system for the public ones"
                .to_owned(),
        )
    })?;
    certificates(&path)
}

/// Our own certificate and its key, if we have them.
fn own_certificate(
    settings: &Settings,
) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, Failure> {
    let named = settings.get("sslcert").is_some();
    let Some(path) = settings.file("sslcert", "postgresql.crt").filter(|path| named || path.exists()) else {
        return Ok(None);
    };
    let key = settings.file("sslkey", "postgresql.key").unwrap_or_default();
    let read = private_key(&key)?;
    Ok(Some((certificates(&path)?, read)))
}

/// Looks at the server's certificate as much as the mode asks for.
#[derive(Debug)]
struct Verifier {
    /// None: any certificate will do.
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// The authorities that were named.
    believed: Vec<CertificateDer<'static>>,
    /// Whether the certificate must be for this host.
    host: bool,
    /// Checks the signatures.
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(end_entity, intermediates, host, ocsp_response, now) {
            // The host is looked at last, when the chain was found good.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.host => Ok(ServerCertVerified::assertion()),
            // A server that signed its own certificate, as `openssl req -x509` makes it, is no authority for webpki. Its dates
            // were looked at before that, and its very certificate is among those that are believed.
            Err(Error::InvalidCertificate(CertificateError::Other(why)))
                if why.to_string().contains("CaUsedAsEndEntity") && self.believed.contains(end_entity) =>
            {
                if self.host {
                    verify_server_name(&ParsedCertificate::try_from(end_entity)?, host)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            found => found,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
