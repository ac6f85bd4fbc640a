//! A certificate as a value that variables can hold (`$tls_in_peercert` and the like).

use bstr::BString;
use openssl::hash::MessageDigest;
use openssl::x509::{X509, X509Ref};

use super::error::TlsError;
use super::ffi;

/// An X.509 certificate; cloning shares it.
#[derive(Clone)]
pub struct Cert(X509);

/// Digests for `${md5:}`, `${sha1:}`, `${sha256:}` of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fingerprint {
    Md5,
    Sha1,
    Sha256,
}

impl From<X509> for Cert {
    fn from(x: X509) -> Cert {
        Cert(x)
    }
}

impl std::fmt::Debug for Cert {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cert({})", BString::from(self.subject_oneline()))
    }
}

impl PartialEq for Cert {
    fn eq(&self, other: &Cert) -> bool {
        matches!((self.der(), other.der()), (Ok(a), Ok(b)) if a == b)
    }
}

impl Cert {
    /// Read one PEM certificate (spool files, continued connections).
    pub fn from_pem(pem: &[u8]) -> Result<Cert, TlsError> {
        X509::from_pem(pem).map(Cert).map_err(|e| TlsError::library("PEM_read_bio_X509", &e))
    }

    /// PEM text, lines ending in newline.
    pub fn pem(&self) -> Result<Vec<u8>, TlsError> {
        self.0.to_pem().map_err(|e| TlsError::library("PEM_write_bio_X509", &e))
    }

    /// DER bytes (`${base64:}` of a certificate is over these).
    pub fn der(&self) -> Result<Vec<u8>, TlsError> {
        self.0.to_der().map_err(|e| TlsError::library("i2d_X509", &e))
    }

    /// Digest over the DER form in upper case hex without separators, as the operators give it.
    pub fn fingerprint(&self, how: Fingerprint) -> Result<String, TlsError> {
        use std::fmt::Write;
        let md = match how {
            Fingerprint::Md5 => MessageDigest::md5(),
            Fingerprint::Sha1 => MessageDigest::sha1(),
            Fingerprint::Sha256 => MessageDigest::sha256(),
        };
        let digest = self.0.digest(md).map_err(|e| TlsError::library("X509_digest", &e))?;
        Ok(digest.iter().fold(String::new(), |mut s, b| {
            let _ = write!(s, "{b:02X}");
            s
        }))
    }

    /// The subject as `DN=` shows it: `/C=UK/O=Org/CN=name`, cut at 255 bytes.
    pub fn subject_oneline(&self) -> Vec<u8> {
        ffi::name_oneline(self.0.subject_name())
    }

    /// The library's object.
    pub fn x509(&self) -> &X509Ref {
        &self.0
    }
}
