//! OCSP stapling: proofs that the server loads and sends, and the client's check of a proof. Nothing
//! here fetches proofs (see scripts/ocsp_fetch).

use std::fs;
use std::path::Path;

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspBasicResponse, OcspBasicResponseRef, OcspCertId, OcspFlag, OcspResponse, OcspResponseStatus};
use openssl::ssl::{SslContextBuilder, SslRef};
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder, X509StoreRef};
use openssl::x509::{X509, X509Ref, X509VerifyResult};

use super::connection::{self, Connection};
use super::error::{TlsError, stack_text};
use super::facts::OcspState;
use super::ffi;
use super::params::{OcspFile, OcspWish};

/// Clock difference allowed, in seconds.
const SKEW: u32 = 300;
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
    // Only the signature: the chain of the signer is the client's affair.
    basic
        .verify(&certs, &store, OcspFlag::NO_VERIFY)
        .map_err(|e| format!("OCSP response has bad signature: {}", stack_text(&e)))?;
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

fn parse(der: &[u8]) -> Result<(OcspBasicResponse, OcspResponse), String> {
    let response = OcspResponse::from_der(der).map_err(|e| format!("Error parsing OCSP response: {}", stack_text(&e)))?;
    if response.status() != OcspResponseStatus::SUCCESSFUL {
        return Err("OCSP response not valid".to_string());
    }
    let basic = response
        .basic()
        .map_err(|e| format!("OCSP response parse error: unable to extract basic response: {}", stack_text(&e)))?;
    Ok((basic, response))
}

fn stack<'a>(certs: impl Iterator<Item = &'a X509>) -> Result<Stack<X509>, ErrorStack> {
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

/// Client: judge what the server stapled, or that it did not.
pub(super) fn install_client(ctx: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    ctx.set_status_callback(|ssl: &mut SslRef| {
        let Some(conn) = connection::of(ssl) else { return Ok(false) };
        Ok(judge(ssl, &conn))
    })
}

/// Outcome of looking at a proof: state, log line, text of the refusal.
struct Verdict {
    state: OcspState,
    log: Option<String>,
    refusal: &'static str,
    /// Refuse also when a proof was only requested.
    always: bool,
}

fn failed(log: String, refusal: &'static str) -> Verdict {
    Verdict { state: OcspState::Failed, log: Some(log), refusal, always: false }
}

fn judge(ssl: &SslRef, conn: &Connection) -> bool {
    let required = conn.ocsp_wish == OcspWish::Require;
    let verdict = match ssl.ocsp_status() {
        None => Verdict {
            state: OcspState::NotResponded,
            log: required.then(|| "Required TLS certificate status not received".to_string()),
            refusal: "Required TLS certificate status not received",
            always: false,
        },
        Some(der) => match parse(der) {
            Ok((basic, _)) => inspect(ssl, conn, &basic),
            Err(why) => Verdict {
                state: OcspState::Failed,
                log: Some(format!("Received TLS cert status response, parse error: {why}")),
                refusal: "Server certificate status response parse error",
                always: true,
            },
        },
    };
    conn.learned().ocsp = verdict.state;
    if let Some(line) = &verdict.log {
        conn.log(line);
    }
    let good = verdict.state == OcspState::Verified;
    if !good && (required || verdict.always) {
        conn.refuse(TlsError::Status { reason: verdict.refusal.to_string() });
        return false;
    }
    true
}

fn inspect(ssl: &SslRef, conn: &Connection, basic: &OcspBasicResponseRef) -> Verdict {
    let chain: Vec<X509> = ssl.peer_cert_chain().map(|c| c.iter().map(|x| x.to_owned()).collect()).unwrap_or_default();
    let verified: Vec<X509> = ssl.verified_chain().map(|c| c.iter().map(|x| x.to_owned()).collect()).unwrap_or_default();
    let unverifiable = |e: String| {
        failed(
            format!("Received TLS cert status response, itself unverifiable: {e}"),
            "Server certificate status response unverifiable",
        )
    };
    // Under DANE the anchor is in the chain, not in the store.
    let dane_store = if conn.learned().plan.dane { anchor_store(verified.last()) } else { None };
    let store: &X509StoreRef = match &dane_store {
        Some(s) => s,
        None => ssl.ssl_context().cert_store(),
    };
    let mut flags = OcspFlag::NO_EXPLICIT;
    if conn.ocsp_no_validity_check {
        flags |= OcspFlag::NO_TIME;
    }
    let checked = stack(chain.iter().chain(&verified)).and_then(|certs| basic.verify(&certs, store, flags));
    if let Err(e) = checked {
        return unverifiable(stack_text(&e));
    }
    let Some(leaf) = chain.first() else {
        return unverifiable("no certificate".to_string());
    };
    let single = match issuer(leaf, &verified, &chain, store) {
        Some(issuer) => status_of(basic, leaf, &issuer),
        None => None,
    };
    let Some(single) = single else {
        return failed(
            "Server certificate status unknown, in OCSP stapling".to_string(),
            "Server certificate status unknown, in OCSP stapling",
        );
    };
    if !single.in_time {
        return failed("OCSP dates invalid".to_string(), "Server certificate status is out-of-date");
    }
    match single.status {
        0 => Verdict { state: OcspState::Verified, log: None, refusal: "", always: false },
        1 => failed(format!("Server certificate revoked; reason: {}", reason_text(single.reason)), "Server certificate revoked"),
        _ => failed(
            "Server certificate status unknown, in OCSP stapling".to_string(),
            "Server certificate status unknown, in OCSP stapling",
        ),
    }
}

/// The single response for this very certificate, whatever digest its id is made with.
fn status_of(basic: &OcspBasicResponseRef, leaf: &X509Ref, issuer: &X509Ref) -> Option<ffi::OcspSingle> {
    let digests = [MessageDigest::sha1(), MessageDigest::sha256(), MessageDigest::sha384(), MessageDigest::sha512()];
    for md in digests {
        let Ok(id) = OcspCertId::from_cert(md, leaf, issuer) else { continue };
        if let Some(s) = basic.find_status(&id) {
            return Some(ffi::OcspSingle {
                status: s.status.as_raw(),
                reason: s.reason.as_raw(),
                has_next_update: s.next_update().is_some(),
                in_time: s.check_validity(SKEW, None).is_ok(),
            });
        }
    }
    None
}

fn issuer(leaf: &X509, verified: &[X509], chain: &[X509], store: &X509StoreRef) -> Option<X509> {
    let issued = |c: &X509Ref| c.issued(leaf) == X509VerifyResult::OK;
    if let Some(c) = verified.iter().chain(chain).find(|c| issued(c)) {
        return Some(c.clone());
    }
    let all = store.all_certificates();
    all.iter().find(|c| issued(c)).map(|c| c.to_owned())
}

fn anchor_store(anchor: Option<&X509>) -> Option<X509Store> {
    use openssl::x509::verify::X509VerifyFlags;
    let mut b = X509StoreBuilder::new().ok()?;
    b.add_cert(anchor?.clone()).ok()?;
    b.set_flags(X509VerifyFlags::PARTIAL_CHAIN).ok()?;
    Some(b.build())
}

/// Reason codes of RFC 5280 section 5.3.1.
fn reason_text(code: i32) -> &'static str {
    match code {
        0 => "unspecified",
        1 => "keyCompromise",
        2 => "cACompromise",
        3 => "affiliationChanged",
        4 => "superseded",
        5 => "cessationOfOperation",
        6 => "certificateHold",
        8 => "removeFromCRL",
        9 => "privilegeWithdrawn",
        10 => "aACompromise",
        _ => "(UNKNOWN)",
    }
}
