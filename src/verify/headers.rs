//! Checks of the header lines of the message in hand: syntax of addresses, names, blind copies, a sender that verifies.

use bstr::{BString, ByteSlice};

use super::{Outcome, VerifyOptions, hplain, verify_address};
use crate::context::{Context, Header, HeaderKind};
use crate::log;
use crate::parse::{Rules, extract_with, find_address_end};
use crate::route::Address;
use crate::text::Text;

/// No more than this of a bad address is shown.
const SHOWN: usize = 1024;

/// One address text of a header line: where it begins and ends in the line.
struct Piece<'a> {
    text: &'a [u8],
}

/// The addresses of a header line, one text each, still with phrases and comments.
fn pieces(header: &Header) -> (&[u8], Vec<Piece<'_>>) {
    let text = header.text.as_slice();
    let colon = text.find_byte(b':').unwrap_or(text.len());
    let name = text.get(..colon).unwrap_or_default().trim_end();
    let mut rest = text.get(colon + 1..).unwrap_or_default().trim_start();
    let mut out = Vec::new();
    while !rest.is_empty() {
        let end = find_address_end(rest, false).min(rest.len());
        let (piece, after) = rest.split_at(end);
        out.push(Piece { text: piece });
        rest = after.get(1..).unwrap_or_default().trim_start();
    }
    (name, out)
}

fn of_kinds<'a>(ctx: &'a Context, kinds: &'a [HeaderKind]) -> impl Iterator<Item = &'a Header> {
    ctx.message.headers.iter().filter(move |h| kinds.contains(&h.kind))
}

/// `verify = header_syntax`: every address in From:, Sender:, Reply-To:, To:, Cc:, Bcc: must be one. The error is what is
/// wrong with the first bad one.
pub fn check_syntax(ctx: &Context) -> Result<(), String> {
    use HeaderKind::{Bcc, Cc, From, ReplyTo, Sender, To};
    let mut rules = Rules::header(&ctx.config.main);
    for header in of_kinds(ctx, &[From, ReplyTo, Sender, To, Cc, Bcc]) {
        let (name, pieces) = pieces(header);
        for piece in pieces {
            let unqualified_allowed = match header.kind {
                From | Sender => ctx.session.allow_unqualified_sender,
                _ => ctx.session.allow_unqualified_recipient,
            };
            let error = match extract_with(&mut rules, piece.text) {
                Ok(found) if !found.is_qualified() && !unqualified_allowed => "unqualified address not permitted".to_string(),
                Ok(_) => continue,
                Err(e) if e == "empty address" => continue,
                Err(e) => e,
            };
            let shown = piece.text.trim_end();
            let (verb, shown) = match shown.get(..SHOWN) {
                Some(s) if shown.len() > SHOWN => ("begins", s),
                _ => ("is", shown),
            };
            let mut text = BString::from(error);
            for part in [b": failing address in \"", name, b":\" header ", verb.as_bytes(), b": ", shown] {
                text.extend_from_slice(part);
            }
            return Err(log::escape::printing(&text, ctx.config.main.print_topbitchars).to_string());
        }
        rules.allow_group = true;
        rules.found_group = false;
    }
    Ok(())
}

/// `verify = header_names_ascii`
pub fn check_names_ascii(ctx: &Context) -> Result<(), BString> {
    for header in &ctx.message.headers {
        let end = header.text.find_byte(b':').unwrap_or(header.text.len());
        let name = header.text.get(..end).unwrap_or_default();
        if name.iter().any(|c| !(33..=126).contains(c)) {
            return Err([b"Invalid character in header \"", name, b"\" found"].concat().into());
        }
    }
    Ok(())
}

/// `verify = not_blind`: every envelope recipient is in To: or Cc:.
pub fn check_not_blind(ctx: &Context, case_sensitive: bool) -> bool {
    let mut rules = Rules::header(&ctx.config.main);
    let mut visible: Vec<BString> = Vec::new();
    for header in of_kinds(ctx, &[HeaderKind::To, HeaderKind::Cc]) {
        for piece in pieces(header).1 {
            if let Ok(found) = extract_with(&mut rules, piece.text) {
                visible.push(comparable(&found.address, case_sensitive));
            }
        }
        rules.allow_group = true;
        rules.found_group = false;
    }
    ctx.message.recipients.iter().all(|r| visible.contains(&comparable(&r.address, case_sensitive)))
}

/// The domain's case never matters.
fn comparable(address: &[u8], case_sensitive: bool) -> BString {
    let mut a = BString::from(address);
    let from = if case_sensitive { a.rfind_byte(b'@').unwrap_or(a.len()) } else { 0 };
    if let Some(tail) = a.get_mut(from..) {
        tail.make_ascii_lowercase();
    }
    a
}

/// What `verify = header_sender` found.
#[derive(Debug, Default)]
pub struct SenderFound {
    /// The result.
    pub outcome: Outcome,
    /// The error number of the last address that failed.
    pub errno: i32,
    /// For the peer.
    pub user_message: Option<Text>,
    /// For the log.
    pub log_message: Option<Text>,
}

/// `verify = header_sender`: some address in Sender:, Reply-To: or From: (in this order) verifies.
pub fn check_sender(ctx: &mut Context, options: &VerifyOptions) -> SenderFound {
    let mut result = SenderFound { outcome: Outcome::Fail, ..SenderFound::default() };
    for kind in [HeaderKind::Sender, HeaderKind::ReplyTo, HeaderKind::From] {
        let headers: Vec<Header> = ctx.message.headers.iter().filter(|h| h.kind == kind).cloned().collect();
        for header in headers {
            let mut rules = Rules::header(&ctx.config.main);
            let (name, pieces) = pieces(&header);
            for piece in pieces {
                let text = piece.text.trim();
                if text.is_empty() {
                    continue;
                }
                hplain!(ctx, VERIFY, "verifying {}: header address {}", name.as_bstr(), text.as_bstr());
                match check_one(ctx, &mut rules, name, text, options, &mut result) {
                    Ok(Outcome::Ok) => return SenderFound { outcome: Outcome::Ok, ..SenderFound::default() },
                    Ok(Outcome::Defer) => result.outcome = Outcome::Defer,
                    Ok(Outcome::Fail) => {}
                    Err(text) => {
                        result.outcome = Outcome::Fail;
                        result.log_message = Some(Text::tainted(text));
                        return result;
                    }
                }
            }
        }
    }
    result.log_message = Some(Text::clean(match result.outcome {
        Outcome::Defer => "all attempts to verify a sender in a header line deferred",
        _ => "there is no valid sender in any header line",
    }));
    result
}

fn check_one(
    ctx: &mut Context,
    rules: &mut Rules,
    name: &[u8],
    text: &[u8],
    options: &VerifyOptions,
    result: &mut SenderFound,
) -> Result<Outcome, String> {
    let known = ctx.message.verified_senders.iter().find(|v| v.address.as_bytes() == text).cloned();
    let (outcome, address, failure) = match known {
        Some(v) if options.callout.is_none() => {
            hplain!(ctx, VERIFY, "previously checked as envelope sender");
            (v.outcome, v.address, v.failure)
        }
        _ => {
            let found = match extract_with(rules, text) {
                Ok(f) => f,
                Err(e) if e == "empty address" => return Ok(Outcome::Fail),
                Err(e) => {
                    return Err(format!(
                        "syntax error in '{}:' header when scanning for sender: {e} in \"{}\"",
                        name.as_bstr(),
                        text.as_bstr()
                    ));
                }
            };
            let mut addr = Address::new(Text::tainted(found.address));
            let saved = ctx.address.clone();
            let lists = ctx.services.lists.enter_address();
            let options = VerifyOptions { recipient: false, fake_sender: true, ..options.clone() };
            let verified = verify_address(ctx, &mut addr, &options);
            ctx.services.lists.leave_address(lists);
            ctx.address = saved;
            (verified.outcome, addr.address, addr.failure)
        }
    };
    if outcome != Outcome::Ok {
        result.errno = failure.basic_errno;
        if ctx.config.main.smtp_return_error_details {
            let why = failure.message.unwrap_or_default();
            let mut text = BString::from("Rejected after DATA: could not verify \"");
            for part in [name, b":\" header address\n", &address, b": ", &why] {
                text.extend_from_slice(part);
            }
            result.user_message = Some(Text::tainted(text));
        }
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_a_line() {
        let h = Header { kind: HeaderKind::To, text: "To : a@b, \"x, y\" <c@d>,\n e@f\n".into() };
        let (name, all) = pieces(&h);
        assert_eq!(name, b"To");
        assert_eq!(all.len(), 3);
        assert_eq!(comparable(b"A@B", true), "A@b");
        assert_eq!(comparable(b"A@B", false), "a@b");
    }
}
