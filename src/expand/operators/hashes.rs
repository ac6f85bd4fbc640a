//! Operators that hash: `md5`, `sha1`, `sha2`, `sha256`, `sha3`; for strings and for certificates.
//! Results say nothing of the string any more and are clean.

use openssl::x509::X509;

use crate::context::Context;
use crate::expand::digest::{self, Algorithm};
use crate::expand::{ExpandError, failed};
use crate::text::{Bytes, Text};

fn digest(algorithm: Algorithm, data: &[u8], upper: bool) -> Result<Text, ExpandError> {
    let d = digest::digest(algorithm, data)?;
    let mut hex = Bytes::from_elem(0, 2 * d.len());
    let encoding = if upper { &data_encoding::HEXUPPER } else { &data_encoding::HEXLOWER };
    encoding.encode_mut(&d, &mut hex);
    Ok(Text::clean(hex))
}

/// The DER form of a certificate in PEM form.
pub fn der(pem: &[u8]) -> Result<Vec<u8>, ExpandError> {
    X509::from_pem(pem).and_then(|c| c.to_der()).or_else(|e| failed(format!("certificate not usable: {e}")))
}

/// `${md5:}`
pub fn md5(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    digest(Algorithm::Md5, &s, false)
}

/// Fingerprint, upper case as the TLS library's.
pub fn md5_cert(pem: &[u8], _: Option<&[u8]>) -> Result<Text, ExpandError> {
    digest(Algorithm::Md5, &der(pem)?, true)
}

/// `${sha1:}`
pub fn sha1(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    digest(Algorithm::Sha1, &s, true)
}

/// Fingerprint.
pub fn sha1_cert(pem: &[u8], _: Option<&[u8]>) -> Result<Text, ExpandError> {
    digest(Algorithm::Sha1, &der(pem)?, true)
}

/// `${sha256:}`, `${sha2:}`, `${sha2_n:}`
pub fn sha2(_: &mut Context, _: &str, arg: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    digest(sha2_kind(arg)?, &s, true)
}

/// Fingerprint.
pub fn sha2_cert(pem: &[u8], arg: Option<&[u8]>) -> Result<Text, ExpandError> {
    digest(sha2_kind(arg)?, &der(pem)?, true)
}

fn sha2_kind(arg: Option<&[u8]>) -> Result<Algorithm, ExpandError> {
    match arg {
        None | Some(b"256") => Ok(Algorithm::Sha256),
        Some(b"384") => Ok(Algorithm::Sha384),
        Some(b"512") => Ok(Algorithm::Sha512),
        Some(_) => failed("unrecognised sha2 variant"),
    }
}

/// `${sha3:}`, `${sha3_n:}`
pub fn sha3(_: &mut Context, _: &str, arg: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let kind = match arg {
        None | Some(b"256") => Algorithm::Sha3_256,
        Some(b"224") => Algorithm::Sha3_224,
        Some(b"384") => Algorithm::Sha3_384,
        Some(b"512") => Algorithm::Sha3_512,
        Some(_) => return failed("unrecognised sha3 variant"),
    };
    digest(kind, &s, true)
}
