//! OCSP stapling, server's side: proofs that are loaded and sent. Nothing here fetches proofs (see
//! scripts/ocsp_fetch); the client's judgement is in `ocsp_client`.

use std::fs;
use std::path::Path;

use openssl::error::ErrorStack;
use openssl::ocsp::{OcspBasicResponse, OcspFlag, OcspResponse, OcspResponseStatus};
use openssl::ssl::{SslContextBuilder, SslRef};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509Ref};

use super::connection;
use super::error::stack_text;
use super::facts::OcspState;
use super::ffi;
use super::params::OcspFile;

/// Clock difference allowed, in seconds.
pub(super) const SKEW: u32 = 300;
/// Largest proof read from a file.
const MAX_FILE: u64 = 1 << 20;

/// A proof to send with one of the server's leaf certificates.
pub(super) struct Staple {
    leaf: Vec<u8>,
    response: Vec<u8>,
}

impl Staple {
    /// Load and judge the proof for `leaf`; Err says why it will not be sent (debug output only, by
    /// the manual: a useless proof is silently not stapled).
    pub fn load(file: &OcspFile, leaf: &X509Ref, signers: &[X509], no_validity_check: bool) -> Result<Staple, String> {
        let der = read(file)?;
        if !no_validity_check {
            check_own(&der, signers)?;
        }
        let leaf = leaf.to_der().map_err(|e| stack_text(&e))?;
        Ok(Staple { leaf, response: der })
    }
}

fn read(file: &OcspFile) -> Result<Vec<u8>, String> {
    let path: &Path = &file.path;
    let meta = fs::metadata(path).map_err(|e| format!("Failed to open OCSP response file {}: {e}", path.display()))?;
    if meta.len() > MAX_FILE {
        return Err(format!("OCSP response file {} is too large", path.display()));
    }
    let bytes = fs::read(path).map_err(|e| format!("Failed to open OCSP response file {}: {e}", path.display()))?;
    if !file.pem {
        return Ok(bytes);
    }
    pem_body(&bytes).ok_or_else(|| format!("OCSP response file {}: no OCSP RESPONSE in PEM form", path.display()))
}

/// DER from the first `OCSP RESPONSE` block.
fn pem_body(pem: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(pem).ok()?;
    let (_, rest) = text.split_once("-----BEGIN OCSP RESPONSE-----")?;
    let (body, _) = rest.split_once("-----END OCSP RESPONSE-----")?;
    let b64: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    openssl::base64::decode_block(&b64).ok()
}

/// The server's look at its own proof: well-formed, signed by somebody known, good, in time.
fn check_own(der: &[u8], signers: &[X509]) -> Result<(), String> {
    let (basic, _) = parse(der)?;
    let certs = stack(signers.iter()).map_err(|e| stack_text(&e))?;
    let store = X509StoreBuilder::new().map_err(|e| stack_text(&e))?.build();
    // Only the signature: the chain of the signer is the client's affair. A signer that we do not
    // have (the CA's certificate need not be on a server) cannot be checked and is let through.
    if let Err(e) = basic.verify(&certs, &store, OcspFlag::NO_VERIFY)
        && !signer_unknown(&e)
    {
        return Err(format!("OCSP response has bad signature: {}", stack_text(&e)));
    }
    let singles = ffi::ocsp_singles(&basic, SKEW);
    if singles.is_empty() {
        return Err("OCSP response holds no status".to_string());
    }
    for s in singles {
        if s.status != 0 {
            return Err("OCSP response: certificate status is not good".to_string());
        }
        if !s.has_next_update {
            return Err("OCSP response has no next-update time".to_string());
        }
        if !s.in_time {
            return Err("OCSP status invalid times".to_string());
        }
    }
    Ok(())
}

#[cfg(feature = "fuzzing")]
pub(super) fn look_at(der: &[u8], signers: &[X509]) {
    let _ = check_own(der, signers);
}

/// OCSP_R_SIGNER_CERTIFICATE_NOT_FOUND
fn signer_unknown(stack: &ErrorStack) -> bool {
    stack.errors().first().is_some_and(|e| e.library_code() == 39 && e.reason_code() == 118)
}

pub(super) fn parse(der: &[u8]) -> Result<(OcspBasicResponse, OcspResponse), String> {
    let response = OcspResponse::from_der(der).map_err(|e| format!("Error parsing OCSP response: {}", stack_text(&e)))?;
    if response.status() != OcspResponseStatus::SUCCESSFUL {
        return Err("OCSP response not valid".to_string());
    }
    let basic = response
        .basic()
        .map_err(|e| format!("OCSP response parse error: unable to extract basic response: {}", stack_text(&e)))?;
    Ok((basic, response))
}

pub(super) fn stack<'a>(certs: impl Iterator<Item = &'a X509>) -> Result<Stack<X509>, ErrorStack> {
    let mut s = Stack::new()?;
    for c in certs {
        s.push(c.clone())?;
    }
    Ok(s)
}

/// Server: answer status requests with the staple of the leaf in use.
pub(super) fn install_server(ctx: &mut SslContextBuilder, staples: Vec<Staple>) -> Result<(), ErrorStack> {
    ctx.set_status_callback(move |ssl: &mut SslRef| {
        let leaf = ssl.certificate().and_then(|c| c.to_der().ok());
        let staple = staples.iter().find(|s| Some(&s.leaf) == leaf.as_ref());
        if let Some(conn) = connection::of(ssl) {
            conn.learned().ocsp = if staple.is_some() { OcspState::Verified } else { OcspState::NotResponded };
        }
        match staple {
            Some(s) => ssl.set_ocsp_status(&s.response).map(|()| true),
            None => Ok(false),
        }
    })
}
