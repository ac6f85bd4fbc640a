//! OCSP stapling, client's side: judging the proof that a server stapled, or its absence. No nonce is
//! used, and only the leaf's status is looked at.

use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspBasicResponseRef, OcspCertId, OcspFlag};
use openssl::ssl::{SslContextBuilder, SslRef};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509ExtendedKeyUsage, X509Ref, X509VerifyResult};

use super::connection::{self, Connection};
use super::error::{TlsError, stack_text};
use super::facts::OcspState;
use super::ffi;
use super::ocsp::{self, SKEW};
use super::params::OcspWish;

/// Client: judge what the server stapled, or that it did not.
pub(super) fn install(ctx: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    ctx.set_status_callback(|ssl: &mut SslRef| {
        let Some(conn) = connection::of(ssl) else { return Ok(false) };
        // With a session that is taken up again no proof comes; what the first handshake has found counts (`client::after`).
        Ok(ssl.session_reused() || judge(ssl, &conn))
    })
}

/// Outcome of looking at a proof: state, log line, text of the refusal.
pub(super) struct Verdict {
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
        Some(der) => match ocsp::parse(der) {
            Ok((basic, _)) => inspect(&trusted_chain(ssl), &basic, conn.ocsp_no_validity_check),
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

fn unverifiable(why: &str) -> Verdict {
    failed(
        format!("Received TLS cert status response, itself unverifiable: {why}"),
        "Server certificate status response unverifiable",
    )
}

/// The server's chain up to a trusted certificate; empty if there is none. A wrong name is another matter.
fn trusted_chain(ssl: &SslRef) -> Vec<X509> {
    let good = ssl.verify_result() == X509VerifyResult::OK || ssl.verify_result() == ffi::hostname_mismatch();
    ssl.verified_chain().filter(|_| good).map(|c| c.iter().map(X509Ref::to_owned).collect()).unwrap_or_default()
}

/// Judges a proof for the first certificate of a trusted chain.
pub(super) fn inspect(chain: &[X509], basic: &OcspBasicResponseRef, any_time: bool) -> Verdict {
    // Without a trusted chain nobody can vouch for the signer.
    let Some((leaf, above)) = chain.split_first() else {
        return Verdict {
            state: OcspState::NotVerified,
            log: None,
            refusal: "Server certificate status response unverifiable",
            always: false,
        };
    };
    let signer = match signer(basic, chain) {
        Ok(s) => s,
        Err(e) => return unverifiable(&stack_text(&e)),
    };
    if !above.iter().any(|ca| may_sign(ca, &signer, any_time)) {
        return unverifiable("signer is not authorised");
    }
    let single = above.iter().find(|c| c.issued(leaf) == X509VerifyResult::OK).and_then(|issuer| status_of(basic, leaf, issuer));
    let Some(single) = single else {
        return unknown();
    };
    if !single.in_time && !any_time {
        return failed("OCSP dates invalid".to_string(), "Server certificate status is out-of-date");
    }
    match single.status {
        0 => Verdict { state: OcspState::Verified, log: None, refusal: "", always: false },
        1 => failed(format!("Server certificate revoked; reason: {}", reason_text(single.reason)), "Server certificate revoked"),
        _ => unknown(),
    }
}

fn unknown() -> Verdict {
    const TEXT: &str = "Server certificate status unknown, in OCSP stapling";
    failed(TEXT.to_string(), TEXT)
}

/// Check the signature and give the signer's certificate, from the response or the chain.
fn signer(basic: &OcspBasicResponseRef, chain: &[X509]) -> Result<X509, ErrorStack> {
    let certs = ocsp::stack(chain.iter())?;
    let store = X509StoreBuilder::new()?.build();
    basic.verify(&certs, &store, OcspFlag::NO_VERIFY)?;
    ffi::ocsp_signer(basic, &certs)
}

/// RFC 6960 section 4.2.2.2: the CA itself, or one whom it authorised by a certificate for signing
/// OCSP responses. Every CA above the leaf will do, so that one response can cover the whole chain.
fn may_sign(ca: &X509Ref, signer: &X509Ref, any_time: bool) -> bool {
    if let (Ok(a), Ok(b)) = (ca.to_der(), signer.to_der())
        && a == b
    {
        return true;
    }
    let delegated = signer.extended_key_usage().is_some_and(|u| u.contains(X509ExtendedKeyUsage::OCSP_SIGN));
    let issued = ca.issued(signer) == X509VerifyResult::OK && ca.public_key().is_ok_and(|k| signer.verify(&k).unwrap_or(false));
    delegated && issued && (any_time || current(signer))
}

fn current(cert: &X509Ref) -> bool {
    Asn1Time::days_from_now(0).is_ok_and(|now| cert.not_before() <= &*now && &*now <= cert.not_after())
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
