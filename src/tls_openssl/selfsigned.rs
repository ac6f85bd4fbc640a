//! A self-signed server certificate for sites without `tls_certificate`.

use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509NameBuilder};

/// Make key and certificate for `name`. `life` counts from now.
pub(super) fn make(name: &str, life: Duration) -> Result<(X509, PKey<Private>), ErrorStack> {
    let key = PKey::from_rsa(Rsa::generate(2048)?)?;
    let mut dn = X509NameBuilder::new()?;
    dn.append_entry_by_text("C", "UK")?;
    dn.append_entry_by_text("O", "Exim Developers")?;
    // A common name is limited to 64 characters (RFC 5280, ub-common-name).
    let cn: String = name.chars().take(64).collect();
    if !cn.is_empty() {
        dn.append_entry_by_text("CN", &cn)?;
    }
    let dn = dn.build();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let end = now.saturating_add(life.as_secs().max(1));
    let mut b = X509::builder()?;
    b.set_version(2)?;
    let serial = BigNum::from_u32(u32::try_from(now & 0x7fff_ffff).unwrap_or(1))?.to_asn1_integer()?;
    b.set_serial_number(&serial)?;
    let from = Asn1Time::from_unix(i64::try_from(now).unwrap_or(0))?;
    let to = Asn1Time::from_unix(i64::try_from(end).unwrap_or(i64::MAX))?;
    b.set_not_before(&from)?;
    b.set_not_after(&to)?;
    b.set_pubkey(&key)?;
    b.set_subject_name(&dn)?;
    b.set_issuer_name(&dn)?;
    b.sign(&key, MessageDigest::sha256())?;
    Ok((b.build(), key))
}
