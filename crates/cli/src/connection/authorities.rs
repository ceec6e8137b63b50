//! The authorities whose certificates are believed where nobody names others.

use rustls::pki_types::CertificateDer;

/// Those of this machine, which `SSL_CERT_FILE` and `SSL_CERT_DIR` may name; none where it has no such list, as a slim
/// container: the list that is built in serves there.
pub fn of_machine() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}
