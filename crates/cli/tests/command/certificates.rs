//! Certificates for a server and its clients, made by `openssl` for one test.

#![allow(clippy::expect_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A folder of certificates and keys, of an authority and without one.
pub struct Certificates(PathBuf);

impl Certificates {
    /// An authority `ca`, another one `other`, `server` for these names by the first, `clerk` for a client of that name, and
    /// `alone`, which signed itself. None where there is no `openssl`.
    pub fn make(folder: &Path, names: &str) -> Option<Self> {
        let made = Self(folder.to_owned());
        Command::new("openssl").arg("version").stdout(Stdio::null()).status().ok()?;
        made.itself("ca", "/CN=authority", "basicConstraints=critical,CA:TRUE");
        made.itself("other", "/CN=other", "basicConstraints=critical,CA:TRUE");
        made.itself("alone", "/CN=alone", &format!("subjectAltName={names}"));
        made.signed("server", "/CN=server", &format!("subjectAltName={names}"));
        made.signed("clerk", "/CN=clerk", "extendedKeyUsage=clientAuth");
        Some(made)
    }

    /// A file of the folder.
    pub fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("text").to_owned()
    }

    /// A certificate that signed itself.
    fn itself(&self, name: &str, subject: &str, extension: &str) {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
        self.openssl(&[
            "req",
            "-x509",
            "-days",
            "2",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            subject,
            "-addext",
            extension,
            "-keyout",
            &key,
            "-out",
            &certificate,
        ]);
    }

    /// A certificate that the authority signed.
    fn signed(&self, name: &str, subject: &str, extension: &str) {
        let (key, request, certificate) =
            (format!("{name}.key"), format!("{name}.csr"), format!("{name}.crt"));
        std::fs::write(self.0.join("extensions"), extension).expect("written");
        self.openssl(&[
            "req",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            subject,
            "-keyout",
            &key,
            "-out",
            &request,
        ]);
        self.openssl(&[
            "x509",
            "-req",
            "-days",
            "2",
            "-in",
            &request,
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-extfile",
            "extensions",
            "-out",
            &certificate,
        ]);
    }

    fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl").args(arguments).current_dir(&self.0).output().expect("openssl");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
