//! The lines of -H that begin with `-`: one variable each.

use bstr::{BString, ByteSlice};

use super::read::Cursor;
use crate::context::message::DsnRet;
use crate::context::session::HostName;
use crate::context::{Context, Message};
use crate::log::debuglog::Wanted;
use crate::text::{Taint, Text};

/// Longest value of an ACL variable, bytes.
const MAX_ACL_VALUE: usize = 64 << 20;

/// Takes one variable line, and for ACL variables the data after it. Unknown ones are kept, to be written back.
pub(super) fn variable(ctx: &mut Context, line: &[u8], c: &mut Cursor<'_>) -> Result<(), &'static str> {
    let (taint, body) = taint_of(line)?;
    let (name, value) = match body.find_byte(b' ') {
        Some(i) => (&body[..i], &body[i + 1..]),
        None => (body, &b""[..]),
    };
    let text = || Some(Text::with_taint(value, taint));
    let bytes = || Some(BString::from(value));
    let (s, m) = (&mut ctx.session, &mut ctx.message);
    match name {
        b"received_time_usec" => m.received_time.1 = fraction(value).ok_or("received_time_usec")?,
        b"received_time_complete" => {
            let (secs, usec) = seconds_and_fraction(value).ok_or("received_time_complete")?;
            let began = m.received_time.0.saturating_mul(1_000_000).saturating_add(i64::from(m.received_time.1));
            let ended = secs.saturating_mul(1_000_000).saturating_add(i64::from(usec));
            m.received_duration_usec = u64::try_from(ended.saturating_sub(began)).unwrap_or(0);
        }
        b"helo_name" => s.helo_name = text(),
        b"host_address" => {
            let (address, port) = address_and_port(value).ok_or("host_address")?;
            s.host_ip = address.to_str().ok().and_then(|a| a.parse().ok());
            s.host_address = Some(Text::with_taint(address, taint));
            s.host_port = port;
        }
        b"host_name" => s.host_name = HostName::Found(Text::with_taint(value, taint)),
        b"host_auth" => s.authenticated_by = bytes(),
        b"host_auth_pubname" => s.auth_public_name = bytes(),
        b"interface_address" => {
            let (address, port) = address_and_port(value).ok_or("interface_address")?;
            s.interface_address = Some(Text::with_taint(address, taint));
            s.interface_port = port;
        }
        b"active_hostname" => s.active_hostname = value.into(),
        b"ident" => s.ident = text(),
        b"received_protocol" => s.received_protocol = bytes(),
        b"aclc" | b"aclm" | b"acl" => acl_variable(ctx, name, value, taint, c)?,
        b"debug_selector" | b"debuglog_name" | b"debuglog_pretrigger" | b"debuglog_panic" => debug_log(m, name, value)?,
        b"spool_file_wireformat" => m.wireformat = true,
        b"body_linecount" => m.body_linecount = number(value).ok_or("body_linecount")?,
        b"max_received_linelength" => m.max_received_linelength = number(value).ok_or("max_received_linelength")?,
        b"body_zerocount" => m.body_zerocount = number(value).ok_or("body_zerocount")?,
        b"auth_id" => s.authenticated_id = text(),
        b"auth_sender" => m.authenticated_sender = text(),
        b"allow_unqualified_recipient" => s.allow_unqualified_recipient = true,
        b"allow_unqualified_sender" => s.allow_unqualified_sender = true,
        b"deliver_firsttime" => m.first_delivery = true,
        b"frozen" => {
            m.frozen = true;
            m.frozen_at = number(value).and_then(|n| i64::try_from(n).ok()).ok_or("frozen")?;
        }
        b"N" => m.dont_deliver = true,
        b"host_lookup_deferred" => s.host_name = HostName::Deferred,
        b"host_lookup_failed" => s.host_name = HostName::Failed,
        b"local" => m.local = true,
        b"localerror" => m.local_error = true,
        b"bmi_verdicts" if crate::build_options::EXPERIMENTAL_BRIGHTMAIL => m.scan.bmi.verdicts = text(),
        b"local_scan" => m.local_scan_data = text(),
        b"spam_bar" => m.spam_bar = text(),
        b"spam_score" => m.spam_score = text(),
        b"spam_score_int" => m.spam_score_int = text(),
        b"manual_thaw" => m.manual_thaw = true,
        b"sender_set_untrusted" => m.sender_set_untrusted = true,
        b"tls_certificate_verified" => s.tls_in.certificate_verified = true,
        b"tls_cipher" => s.tls_in.cipher = bytes(),
        b"tls_peercert" => s.tls_in.peer_cert = Some(restore_newlines(value)),
        b"tls_ourcert" => s.tls_in.our_cert = Some(restore_newlines(value)),
        b"tls_peerdn" => s.tls_in.peerdn = text(),
        b"tls_sni" => s.tls_in.sni = text(),
        b"tls_ocsp" => s.tls_in.ocsp = number(value).and_then(|n| u8::try_from(n).ok()).ok_or("tls_ocsp")?,
        b"tls_resumption" => s.tls_in.resumption = value.first().map_or(0, |l| u32::from(l.wrapping_sub(b'A') & 0x0f)),
        b"tls_ver" => s.tls_in.version = bytes(),
        b"tls_requiretls" => m.requiretls = value != b"0x0",
        b"smtputf8" => m.smtputf8 = true,
        b"utf8_downcvt" => m.utf8_downconvert = Some(1),
        b"utf8_optdowncvt" => m.utf8_downconvert = Some(-1),
        b"dsn_envid" => m.dsn_envid = text(),
        b"dsn_ret" => {
            m.dsn_ret = match value {
                b"1" => DsnRet::Full,
                b"2" => DsnRet::Headers,
                _ => DsnRet::Unset,
            }
        }
        _ => m.unknown_spool_lines.push(line.into()),
    }
    Ok(())
}

/// `-name`, `--name`, `--(lookup)name`: the taint, and the rest.
fn taint_of(line: &[u8]) -> Result<(Taint, &[u8]), &'static str> {
    let one = line.strip_prefix(b"-").ok_or("a variable")?;
    let Some(two) = one.strip_prefix(b"-") else { return Ok((Taint::Clean, one)) };
    let Some(quoted) = two.strip_prefix(b"(") else { return Ok((Taint::Tainted, two)) };
    let end = quoted.find_byte(b')').ok_or("the quoting of a variable")?;
    // A lookup type that this build lacks is simply tainted.
    let taint = crate::lookups::type_index(&quoted[..end]).map_or(Taint::Tainted, Taint::Quoted);
    Ok((taint, &quoted[end + 1..]))
}

/// The lines of `control = debug`.
fn debug_log(m: &mut Message, name: &[u8], value: &[u8]) -> Result<(), &'static str> {
    let d = m.debug_log.get_or_insert_with(Wanted::default);
    match name {
        b"debug_selector" => {
            let digits = value.to_str().ok().and_then(|v| v.trim().strip_prefix("0x"));
            // The reference has more categories than fit here.
            let all = digits.and_then(|v| u64::from_str_radix(v, 16).ok()).ok_or("debug_selector")?;
            d.selector = (all & u64::from(u32::MAX)) as u32;
        }
        b"debuglog_name" => d.path = value.into(),
        b"debuglog_panic" => d.on_panic = true,
        _ => d.pretrigger = Some(usize::try_from(number(value).ok_or("debuglog_pretrigger")?).unwrap_or(usize::MAX)),
    }
    Ok(())
}

fn number(value: &[u8]) -> Option<u64> {
    value.to_str().ok()?.trim().parse().ok()
}

/// `.NNNNNN` in microseconds.
fn fraction(value: &[u8]) -> Option<u32> {
    let digits = value.strip_prefix(b".")?;
    if digits.len() > 6 {
        return None;
    }
    let n: u32 = digits.to_str().ok()?.parse().ok()?;
    Some(n * 10u32.pow(6 - digits.len() as u32))
}

fn seconds_and_fraction(value: &[u8]) -> Option<(i64, u32)> {
    let dot = value.find_byte(b'.').unwrap_or(value.len());
    let secs = value[..dot].to_str().ok()?.parse().ok()?;
    Some((secs, if dot < value.len() { fraction(&value[dot..])? } else { 0 }))
}

/// `[ip]:port`, or the older `ip.port`.
fn address_and_port(value: &[u8]) -> Option<(&[u8], u16)> {
    let port = |p: &[u8]| p.to_str().ok()?.parse().ok();
    if let Some(rest) = value.strip_prefix(b"[") {
        let end = rest.find_byte(b']')?;
        return match rest.get(end + 1..)? {
            b"" => Some((&rest[..end], 0)),
            p => Some((&rest[..end], port(p.strip_prefix(b":")?)?)),
        };
    }
    let dots = value.iter().filter(|c| **c == b'.').count();
    if (value.contains(&b':') && dots == 1) || dots == 4 {
        let dot = value.rfind_byte(b'.')?;
        return Some((&value[..dot], port(&value[dot + 1..])?));
    }
    Some((value, 0))
}

/// `aclm NAME LEN`, then LEN bytes and a newline; or the form of before 4.61, `acl N LEN`.
fn acl_variable(ctx: &mut Context, kind: &[u8], value: &[u8], taint: Taint, c: &mut Cursor<'_>) -> Result<(), &'static str> {
    let bad = "an ACL variable";
    let space = value.rfind_byte(b' ').ok_or(bad)?;
    let len: usize = value[space + 1..].to_str().ok().and_then(|n| n.parse().ok()).ok_or(bad)?;
    if len > MAX_ACL_VALUE {
        return Err(bad);
    }
    let data = c.take(len).ok_or(bad)?;
    if c.take(1) != Some(b"\n") {
        return Err(bad);
    }
    let text = Text::with_taint(data, taint);
    let name = BString::from(&value[..space]);
    match kind {
        b"aclc" => ctx.acl.connection.insert(name, text),
        b"aclm" => ctx.acl.message.insert(name, text),
        _ => match number(&name) {
            Some(n @ 0..=9) => ctx.acl.connection.insert(n.to_string().into(), text),
            Some(n @ 10..=19) => ctx.acl.message.insert((n - 10).to_string().into(), text),
            _ => return Err(bad),
        },
    };
    Ok(())
}

fn restore_newlines(value: &[u8]) -> BString {
    value.replace("\\n", "\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(address_and_port(b"[127.0.0.1]:25"), Some((&b"127.0.0.1"[..], 25)));
        assert_eq!(address_and_port(b"[::1]"), Some((&b"::1"[..], 0)));
        assert_eq!(address_and_port(b"1.2.3.4.25"), Some((&b"1.2.3.4"[..], 25)));
        assert_eq!(address_and_port(b"[::1"), None);
        assert_eq!(fraction(b".5"), Some(500_000));
        assert_eq!(taint_of(b"--helo_name x"), Ok((Taint::Tainted, &b"helo_name x"[..])));
    }
}
