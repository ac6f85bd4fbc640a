//! Fields of a certificate for `${certextract{field}{cert}}` (manual, "Expansion items").

use std::fmt;

use openssl::asn1::Asn1TimeRef;
use openssl::nid::Nid;
use openssl::x509::{GeneralNameRef, X509NameRef, X509Ref};

use super::certificate::Cert;
use super::ffi;
use super::session::hex;

/// The field cannot be extracted: the expansion fails with this text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError(String);

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FieldError {}

/// Modifiers after the field's name.
#[derive(Default)]
struct Modifiers<'a> {
    separator: Option<u8>,
    int: bool,
    raw: bool,
    /// CN, O, ... or dns, uri, mail.
    tag: Option<&'a str>,
}

/// Extract `field` (with modifiers, e.g. `subj_altname,dns,>;`). `None`: the certificate has no such
/// field. `utc_offset` gives the seconds east of Greenwich at a time, by the `timezone` option.
pub fn extract(cert: &Cert, field: &str, utc_offset: &dyn Fn(i64) -> i32) -> Result<Option<Vec<u8>>, FieldError> {
    let mut parts = field.split(',').map(str::trim);
    let name = parts.next().unwrap_or("");
    let mods = modifiers(parts);
    let sep = mods.separator.unwrap_or(b'\n');
    let x = cert.x509();
    Ok(match name {
        "version" => Some(x.version().to_string().into_bytes()),
        "serial_number" => serial(x),
        "subject" => dn(x.subject_name(), &mods, sep),
        "issuer" => dn(x.issuer_name(), &mods, sep),
        "notbefore" => time(x.not_before(), &mods, utc_offset),
        "notafter" => time(x.not_after(), &mods, utc_offset),
        "sig_algorithm" => x.signature_algorithm().object().nid().long_name().ok().map(|n| n.as_bytes().to_vec()),
        "signature" => Some(colons(x.signature().as_slice())),
        "subj_altname" => altnames(x, &mods, sep),
        "ocsp_uri" => ocsp_uris(x, sep),
        "crl_uri" => crl_uris(x, sep),
        _ => return Err(FieldError(format!("bad field selector \"{name}\" for certextract"))),
    })
}

fn modifiers<'a>(parts: impl Iterator<Item = &'a str>) -> Modifiers<'a> {
    let mut m = Modifiers::default();
    let mut comma = false;
    for p in parts {
        if comma && p.is_empty() {
            // ">," : the separator is the comma itself, which split has eaten.
            m.separator = Some(b',');
        }
        comma = false;
        match p.as_bytes() {
            [b'>'] => comma = true,
            [b'>', c, ..] => m.separator = Some(*c),
            b"int" => m.int = true,
            b"raw" => m.raw = true,
            b"" => {}
            _ => m.tag = Some(p),
        }
    }
    m
}

/// Lower case hex without leading zeros beyond whole bytes, as `openssl x509 -serial` but in lower
/// case.
fn serial(x: &X509Ref) -> Option<Vec<u8>> {
    let bn = x.serial_number().to_bn().ok()?;
    let digits = hex(&bn.to_vec());
    let digits = if digits.is_empty() { "00".to_string() } else { digits };
    Some(if bn.is_negative() { format!("-{digits}") } else { digits }.into_bytes())
}

fn colons(bytes: &[u8]) -> Vec<u8> {
    let h: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
    h.join(":").into_bytes()
}

/// A name in the form of RFC 4514, or the values of one type as a list.
fn dn(name: &X509NameRef, mods: &Modifiers<'_>, sep: u8) -> Option<Vec<u8>> {
    let text = ffi::name_rfc2253(name);
    let Some(tag) = mods.tag else {
        return Some(text);
    };
    let values: Vec<Vec<u8>> = rdns(&text)
        .into_iter()
        .filter_map(|r| {
            let eq = r.iter().position(|b| *b == b'=')?;
            let (t, v) = r.split_at(eq);
            t.eq_ignore_ascii_case(tag.as_bytes()).then(|| v.get(1..).unwrap_or_default().to_vec())
        })
        .collect();
    list(values, sep)
}

/// Split at `,` and `+` that are not escaped.
fn rdns(text: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (i, b) in text.iter().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b',' | b'+' => {
                out.push(text.get(start..i).unwrap_or_default());
                start = i + 1;
            }
            _ => {}
        }
    }
    out.push(text.get(start..).unwrap_or_default());
    out
}

/// A list with this separator; separators inside of elements are doubled. None when empty.
fn list(items: Vec<Vec<u8>>, sep: u8) -> Option<Vec<u8>> {
    if items.is_empty() {
        return None;
    }
    let mut out = Vec::new();
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(sep);
        }
        for b in item {
            out.push(*b);
            if *b == sep {
                out.push(sep);
            }
        }
    }
    Some(out)
}

/// Subject alternative names, last one first (as the reference has them).
fn altnames(x: &X509Ref, mods: &Modifiers<'_>, sep: u8) -> Option<Vec<u8>> {
    let only = mods.tag.map(str::to_ascii_lowercase);
    let names = x.subject_alt_names()?;
    let mut items: Vec<Vec<u8>> = Vec::new();
    for n in &names {
        let (tag, value) = if let Some(v) = n.dnsname() {
            ("DNS", v)
        } else if let Some(v) = n.uri() {
            ("URI", v)
        } else if let Some(v) = n.email() {
            ("MAIL", v)
        } else {
            continue;
        };
        // A NUL inside is an attempt at deceit.
        if value.contains('\0') {
            continue;
        }
        match &only {
            None => items.push(format!("{tag}={value}").into_bytes()),
            Some(want) if want.eq_ignore_ascii_case(tag) => items.push(value.as_bytes().to_vec()),
            Some(_) => {}
        }
    }
    items.reverse();
    list(items, sep)
}

fn ocsp_uris(x: &X509Ref, sep: u8) -> Option<Vec<u8>> {
    let info = x.authority_info()?;
    let items = info.iter().filter(|a| a.method().nid() == Nid::AD_OCSP).filter_map(|a| uri(a.location())).collect();
    list(items, sep)
}

fn crl_uris(x: &X509Ref, sep: u8) -> Option<Vec<u8>> {
    let points = x.crl_distribution_points()?;
    let mut items = Vec::new();
    for p in &points {
        if let Some(names) = p.distpoint().and_then(|d| d.fullname()) {
            items.extend(names.iter().filter_map(uri));
        }
    }
    list(items, sep)
}

fn uri(name: &GeneralNameRef) -> Option<Vec<u8>> {
    name.uri().map(|u| u.as_bytes().to_vec())
}

/// `raw`: as the library prints it (GMT); `int`: seconds since 1970; else local time.
fn time(t: &Asn1TimeRef, mods: &Modifiers<'_>, utc_offset: &dyn Fn(i64) -> i32) -> Option<Vec<u8>> {
    if mods.raw {
        return Some(t.to_string().into_bytes());
    }
    let epoch = openssl::asn1::Asn1Time::from_unix(0).ok()?;
    let diff = epoch.diff(t).ok()?;
    let secs = i64::from(diff.days) * 86400 + i64::from(diff.secs);
    if mods.int {
        return Some(secs.to_string().into_bytes());
    }
    let offset = i64::from(utc_offset(secs));
    Some(calendar(secs + offset, offset).into_bytes())
}

/// `Nov  1 12:34:56 2019 +0000` from local seconds and the offset.
fn calendar(local: i64, offset: i64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, secs) = (local.div_euclid(86400), local.rem_euclid(86400));
    // Civil date from days since 1970-01-01, years beginning in March.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    let name = usize::try_from(month - 1).ok().and_then(|m| MONTHS.get(m)).unwrap_or(&"???");
    let sign = if offset < 0 { '-' } else { '+' };
    let off = offset.abs() / 60;
    format!(
        "{name} {day:2} {:02}:{:02}:{:02} {year} {sign}{:02}{:02}",
        secs / 3600,
        secs / 60 % 60,
        secs % 60,
        off / 60,
        off % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar_forms() {
        assert_eq!(calendar(1_572_611_696, 0), "Nov  1 12:34:56 2019 +0000");
        assert_eq!(calendar(1_572_611_696 - 12_600, -12_600), "Nov  1 09:04:56 2019 -0330");
        assert_eq!(calendar(951_782_400, 0), "Feb 29 00:00:00 2000 +0000");
    }

    #[test]
    fn lists() {
        assert_eq!(rdns(b"CN=a\\,b+O=x,C=UK"), [&b"CN=a\\,b"[..], b"O=x", b"C=UK"]);
        assert_eq!(list(vec![b"a:b".to_vec(), b"c".to_vec()], b':').unwrap(), b"a::b:c");
        assert_eq!(modifiers([">", "", "dns"].into_iter()).separator, Some(b','));
    }
}
