//! Certificates and their keys in files, for whoever shows them: to Postgres as a client, to workers as a server.
//!
//! What must stay true: a key that others may read is refused; no error has anything of a file's text.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::failure::Failure;

/// The key of a file that nobody else may read.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
    let about = std::fs::metadata(path).map_err(Failure::io(path.display().to_string()))?;
    // A key that root owns may be readable by a group, as the system's keys are for the services that use them.
    let others = if about.uid() == 0 { 0o037 } else { 0o077 };
    if about.permissions().mode() & others != 0 {
        let path = path.display();
        return Err(Failure::Usage(format!("others may read {path}: chmod 0600 {path}")));
    }
    PrivateKeyDer::from_pem_file(path).map_err(|error| unreadable(path, error))
}

/// All certificates of a file, which has one at least.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let read = read.map_err(|error| unreadable(path, error))?;
    if read.is_empty() {
        return Err(Failure::Usage(format!("{} holds no certificate", path.display())));
    }
    Ok(read)
}

/// What is wrong with a file; none of its text.
fn unreadable(path: &Path, error: PemError) -> Failure {
    let path = path.display().to_string();
    match error {
        PemError::Io(error) => Failure::io(path)(error),
        _ => Failure::Usage(format!("{path} is no PEM file of the kind that is needed")),
    }
}
