//! Loading files and settings into a context: the parts that server and client share. Each failure
//! names the library's call, as the reference's log lines do.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use openssl::pkey::PKey;
use openssl::ssl::{SslContextBuilder, SslFiletype, SslMode, SslOptions, SslVersion};
use openssl::x509::X509;
use openssl::x509::store::X509Lookup;
use openssl::x509::verify::X509VerifyFlags;

use super::error::TlsError;
use super::options::OpensslOptions;
use super::params::CertSource;

/// Identity of a file's contents, for noticing that it was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    path: PathBuf,
    seen: Option<(u64, u64, i64, i64, u64)>,
}

impl Stamp {
    pub fn take(path: &Path) -> Stamp {
        let seen = fs::metadata(path).ok().map(|m| (m.dev(), m.ino(), m.mtime(), m.mtime_nsec(), m.size()));
        Stamp { path: path.to_path_buf(), seen }
    }

    /// The file is another one now.
    pub fn changed(&self) -> bool {
        Stamp::take(&self.path) != *self
    }
}

/// A path that OpenSSL can be given: UTF-8, without NUL.
pub(super) fn text_path<'a>(step: &str, path: &'a Path) -> Result<&'a str, TlsError> {
    path.to_str()
        .filter(|p| !p.contains('\0'))
        .ok_or_else(|| TlsError::Library { step: step.to_string(), detail: format!("unusable file name {}", path.display()) })
}

/// Refuse a NUL, which the library's C strings would cut (and the crate would panic on).
pub(super) fn no_nul<'a>(step: &str, text: &'a str) -> Result<&'a str, TlsError> {
    if text.contains('\0') {
        return Err(TlsError::Library { step: step.to_string(), detail: "NUL in value".to_string() });
    }
    Ok(text)
}

/// Options and modes that every context gets.
pub(super) fn options(ctx: &mut SslContextBuilder, options: OpensslOptions) {
    ctx.clear_options(SslOptions::from_bits_retain(options.clear));
    ctx.set_options(SslOptions::from_bits_retain(options.set));
    ctx.set_mode(SslMode::AUTO_RETRY | SslMode::RELEASE_BUFFERS);
}

/// `tls_require_ciphers`: names of TLS 1.3 suites (`TLS_...`) go to that version's list, the others
/// to the list for older versions, with underscores taken for hyphens.
pub(super) fn ciphers(ctx: &mut SslContextBuilder, list: &str) -> Result<(), TlsError> {
    no_nul("SSL_CTX_set_cipher_list", list)?;
    let (mut new, mut old) = (Vec::new(), Vec::new());
    for item in list.split([':', ' ', ',']).filter(|i| !i.is_empty()) {
        if item.starts_with("TLS_") { new.push(item.to_string()) } else { old.push(item.replace('_', "-")) }
    }
    if !new.is_empty() {
        ctx.set_ciphersuites(&new.join(":")).map_err(|e| TlsError::library("SSL_CTX_set_ciphersuites", &e))?;
    }
    if !old.is_empty() {
        return ctx.set_cipher_list(&old.join(":")).map_err(|e| TlsError::library("SSL_CTX_set_cipher_list", &e));
    }
    if !new.is_empty() {
        ctx.set_min_proto_version(Some(SslVersion::TLS1_3))
            .map_err(|e| TlsError::library("SSL_CTX_set_min_proto_version", &e))?;
    }
    Ok(())
}

/// `tls_eccurve`. "auto" leaves the choice to the library.
pub(super) fn groups(ctx: &mut SslContextBuilder, curves: &[String]) -> Result<(), TlsError> {
    let wanted: Vec<&str> = curves.iter().map(|c| c.trim()).filter(|c| !c.is_empty() && *c != "auto").collect();
    if wanted.is_empty() || curves.iter().any(|c| c.trim() == "auto") {
        return Ok(());
    }
    for c in &wanted {
        let unknown = || TlsError::Message(format!("Unknown curve name in tls_eccurve '{c}'"));
        if c.contains(['\0', ':']) {
            return Err(unknown());
        }
        ctx.set_groups_list(c).map_err(|_| unknown())?;
    }
    ctx.set_groups_list(&wanted.join(":")).map_err(|e| TlsError::library("SSL_CTX_set1_groups_list", &e))
}

/// Certificates and keys. Keys come after all certificates; the library pairs them by type.
pub(super) fn certificates(ctx: &mut SslContextBuilder, certs: &[PathBuf], keys: &[PathBuf]) -> Result<(), TlsError> {
    for file in certs {
        let step = format!("SSL_CTX_use_certificate_chain_file file={}", file.display());
        text_path(&step, file)?;
        ctx.set_certificate_chain_file(file).map_err(|e| TlsError::library(step, &e))?;
    }
    for file in if keys.is_empty() { certs } else { keys } {
        let step = format!("SSL_CTX_use_PrivateKey_file file={}", file.display());
        text_path(&step, file)?;
        ctx.set_private_key_file(file, SslFiletype::PEM).map_err(|e| TlsError::library(step, &e))?;
    }
    certs.iter().zip(keys).try_for_each(|(cert, key)| fits(cert, key))
}

/// A key of another kind than its certificate's would be taken by the library for one whose certificate is to come.
fn fits(cert: &Path, key: &Path) -> Result<(), TlsError> {
    let (Ok(cert_pem), Ok(key_pem)) = (fs::read(cert), fs::read(key)) else { return Ok(()) };
    let public = X509::from_pem(&cert_pem).and_then(|c| c.public_key());
    let (Ok(public), Ok(private)) = (public, PKey::private_key_from_pem(&key_pem)) else { return Ok(()) };
    if private.public_eq(&public) {
        return Ok(());
    }
    let step = format!("SSL_CTX_use_PrivateKey_file file={}", key.display());
    Err(TlsError::Library { step, detail: format!("the key is not that of {}", cert.display()) })
}

/// Trust anchors. Returns the certificates of an explicit file (to announce to clients, and to find
/// signers of OCSP proofs).
pub(super) fn trust(ctx: &mut SslContextBuilder, source: &CertSource, stamps: &mut Vec<Stamp>) -> Result<Vec<X509>, TlsError> {
    if *source == CertSource::None {
        return Ok(Vec::new());
    }
    ctx.set_default_verify_paths().map_err(|e| TlsError::library("SSL_CTX_set_default_verify_paths", &e))?;
    let CertSource::Path(path) = source else {
        return Ok(Vec::new());
    };
    let gone = || TlsError::Stat(format!("failed to stat {} for certificates", path.display()));
    let meta = fs::metadata(path).map_err(|_| gone())?;
    let step = "SSL_CTX_load_verify_locations";
    text_path(step, path)?;
    stamps.push(Stamp::take(path));
    if meta.is_dir() {
        ctx.load_verify_locations(None, Some(path)).map_err(|e| TlsError::library(step, &e))?;
        return Ok(Vec::new());
    }
    if meta.len() == 0 {
        // An empty file means no trust anchors, which is not an error.
        return Ok(Vec::new());
    }
    ctx.load_verify_locations(Some(path), None).map_err(|e| TlsError::library(step, &e))?;
    let pem = fs::read(path).map_err(|_| gone())?;
    X509::stack_from_pem(&pem).map_err(|e| TlsError::library(step, &e))
}

/// Revocation lists: a PEM file or a hashed directory. Every signer then needs one.
pub(super) fn crl(ctx: &mut SslContextBuilder, path: &Path, stamps: &mut Vec<Stamp>) -> Result<(), TlsError> {
    let meta = fs::metadata(path)
        .map_err(|_| TlsError::Stat(format!("failed to stat {} for certificates revocation lists", path.display())))?;
    let name = text_path("X509_load_crl_file", path)?;
    stamps.push(Stamp::take(path));
    let store = ctx.cert_store_mut();
    if meta.is_dir() {
        store
            .add_lookup(X509Lookup::hash_dir())
            .and_then(|l| l.add_dir(name, SslFiletype::PEM))
            .map_err(|e| TlsError::library("X509_STORE_load_locations", &e))?;
    } else {
        store
            .add_lookup(X509Lookup::file())
            .and_then(|l| l.load_crl_file(path, SslFiletype::PEM))
            .map_err(|e| TlsError::library("X509_STORE_load_locations", &e))?;
    }
    store
        .set_flags(X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL)
        .map_err(|e| TlsError::library("X509_STORE_set_flags", &e))
}
