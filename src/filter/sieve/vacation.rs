//! `vacation` (RFC 5230): one reply for each correspondent in some days. The reply transport sends it and remembers.

use bstr::{BString, ByteSlice};

use super::ast::Vacation;
use super::mailto::one_line;
use super::run::Runner;
use super::test::recipient;
use super::trace;
use crate::filter::asked::What;
use crate::filter::personal::is_personal;
use crate::parse::{Rules, extract_address, quote_2047};
use crate::route::address::ReplyInfo;
use crate::sys::file::Dir;
use crate::sys::time::unix_time;
use crate::text::Text;

/// Days between replies: unless given, and at most.
const DEFAULT_DAYS: u64 = 7;
const MAX_DAYS: u64 = 31;
const DAY: i64 = 86_400;
/// Letters in the name of a data base.
const NAME_LENGTH: usize = 32;

/// Sets up the reply, if the message is one that may be answered.
pub(super) fn obey(r: &mut Runner<'_>, v: &Vacation) -> Result<(), String> {
    if std::mem::replace(&mut r.vacation_done, true) {
        return Err("trying to execute vacation more than once".into());
    }
    let aliases: Vec<Vec<u8>> = v.addresses.iter().map(|a| a.to_vec()).collect();
    let to: [&[u8]; 6] = [b"to", b"cc", b"bcc", b"resent-to", b"resent-cc", b"resent-bcc"];
    if !is_personal(r.ctx, &aliases, &to) {
        trace::line(r.ctx, r.job, &[b"Sieve: mail was not personal, vacation would ignore it"]);
        return Ok(());
    }
    trace::line(r.ctx, r.job, &[b"Sieve: mail was personal, vacation file basename: ", name(v).as_bytes()]);
    let Some(directory) = r.job.vacation_directory.clone() else { return Ok(()) };
    let from = match &v.from {
        Some(f) => {
            extract_address(&mut Rules::header(&r.ctx.config.main), f).map(|_| f.clone()).map_err(|e| format!(":from: {e}"))?
        }
        None => recipient(r.ctx).into(),
    };
    let days = v.days.unwrap_or(DEFAULT_DAYS).clamp(1, MAX_DAYS);
    let mut once = directory.clone();
    once.push_bytes(b"/");
    once.push_bytes(name(v).as_bytes());
    if r.job.delivering {
        tidy(&directory);
    }
    let mut reply = ReplyInfo { once_repeat: i64::try_from(days).unwrap_or(1) * DAY, ..ReplyInfo::default() };
    let subject = v.subject.clone().map_or_else(|| BString::from("Automated reply"), one_line);
    let (headers, text) = if v.mime { mime_parts(&v.reason) } else { plain(&v.reason) };
    let fields = [
        ("to", r.ctx.message.sender.clone().unwrap_or_default()),
        ("from", Text::clean(one_line(from))),
        ("subject", Text::clean(encoded(&subject))),
        ("headers", Text::clean(headers)),
        ("text", Text::clean(text)),
        ("once", once),
    ];
    reply.fields.extend(fields);
    r.add(What::Reply(Box::new(reply)));
    Ok(())
}

/// Encoded words, if it needs them.
pub(super) fn encoded(text: &[u8]) -> BString {
    if text.iter().all(|c| (b' '..0x7f).contains(c)) { text.into() } else { quote_2047(text, b"utf-8", true) }
}

/// The header and body that `:mime` gives.
fn mime_parts(reason: &[u8]) -> (BString, BString) {
    let text = BString::from(reason.replace("\r\n", "\n"));
    let (head, body) = match text.strip_prefix(b"\n") {
        Some(body) => (&b""[..], body),
        None => text.split_once_str("\n\n").unwrap_or((&text, b"")),
    };
    // Nothing but fields of MIME: the rest is ours to say.
    let mut kept = BString::from("MIME-Version: 1.0");
    let mut wanted = false;
    for line in head.lines() {
        let folded = matches!(line.first(), Some(b' ' | b'\t'));
        wanted = if folded { wanted } else { line.get(..8).is_some_and(|n| n.eq_ignore_ascii_case(b"content-")) };
        if wanted {
            kept.push(b'\n');
            kept.extend_from_slice(line);
        }
    }
    (kept, body.into())
}

/// A plain text in UTF-8.
fn plain(reason: &[u8]) -> (BString, BString) {
    let headers =
        "MIME-Version: 1.0\nContent-Type: text/plain;\n\tcharset=\"utf-8\"\nContent-Transfer-Encoding: quoted-printable";
    (headers.into(), quoted_printable(reason))
}

/// RFC 2045, 6.7.
fn quoted_printable(text: &[u8]) -> BString {
    let mut out = BString::default();
    for line in text.lines() {
        let mut column = 0;
        for (i, c) in line.iter().enumerate() {
            let last = i + 1 == line.len();
            let plain = (b'!'..=b'~').contains(c) && *c != b'=' || (matches!(c, b' ' | b'\t') && !last);
            let piece = if plain { vec![*c] } else { format!("={c:02X}").into_bytes() };
            if column + piece.len() > 75 {
                out.extend_from_slice(b"=\n");
                column = 0;
            }
            column += piece.len();
            out.extend_from_slice(&piece);
        }
        out.push(b'\n');
    }
    out
}

/// The name of the data base: of the handle, or of all that makes the reply what it is.
fn name(v: &Vacation) -> String {
    let mut all: Vec<u8> = Vec::new();
    let mut part = |text: Option<&[u8]>| {
        all.push(u8::from(text.is_some()));
        all.extend_from_slice(text.unwrap_or_default());
        all.push(0);
    };
    match &v.handle {
        Some(h) => part(Some(h)),
        None => {
            part(None);
            part(v.subject.as_deref().map(|s| s.as_slice()));
            part(v.from.as_deref().map(|s| s.as_slice()));
            part(v.mime.then_some(b""));
            part(Some(&v.reason));
        }
    }
    let digest = openssl::sha::sha256(&all);
    let hex: String = digest.iter().map(|b| format!("{b:02X}")).collect();
    hex.chars().take(NAME_LENGTH).collect()
}

/// Data bases that nobody can need any more go. Other files are none of ours.
fn tidy(directory: &Text) {
    let Ok(dir) = Dir::open(directory) else { return };
    let Ok(names) = std::fs::read_dir(directory.to_path_lossy()) else { return };
    let oldest = unix_time() - i64::try_from(MAX_DAYS).unwrap_or(0) * DAY;
    for entry in names.flatten() {
        let name = entry.file_name().into_encoded_bytes();
        let ours = name.len() >= NAME_LENGTH
            && name.iter().take(NAME_LENGTH).all(|c| c.is_ascii_digit() || (b'A'..=b'F').contains(c))
            && matches!(name.get(NAME_LENGTH), None | Some(b'-' | b'.'));
        if ours && dir.stat_at(&name).is_ok_and(|s| s.is_file() && s.mtime.0 < oldest) {
            let _ = dir.unlink(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        assert_eq!(quoted_printable("a=\u{e9} \n".as_bytes()), "a=3D=C3=A9=20\n");
        assert!(quoted_printable(&[b'x'; 200]).lines().all(|l| l.len() <= 76));
        let (h, b) = mime_parts(b"Content-Type: text/html;\r\n charset=x\r\nBcc: a@b\r\n c@d\r\n\r\n<p>");
        assert_eq!((h.as_slice(), b.as_slice()), (&b"MIME-Version: 1.0\nContent-Type: text/html;\n charset=x"[..], &b"<p>"[..]));
        assert_eq!(encoded(b"abc"), "abc");
        assert_ne!(name(&Vacation { mime: true, ..Vacation::default() }), name(&Vacation::default()));
    }
}
