//! Recipients from header lines (`-t`).

use bstr::{BString, ByteSlice};

use super::kinds;
use crate::context::{Context, HeaderKind, Recipient};
use crate::parse;
use crate::text::Text;

/// An address that could not be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Its text.
    pub text: BString,
    /// The parser's complaint.
    pub why: String,
}

/// Why extraction ended early.
#[derive(Debug, PartialEq, Eq)]
pub struct TooMany;

/// What `-t` found besides recipients.
#[derive(Debug, Default)]
pub struct Extracted {
    /// What are no addresses.
    pub bad: Vec<Bad>,
    /// Some were on the command line, and so are none.
    pub removed: bool,
}

/// Takes the recipients from To:, Cc: and Bcc: (or their Resent- forms, if there are any). Addresses of the command line
/// are removed from them or added to them, as extract_addresses_remove_arguments says.
pub fn recipients(ctx: &mut Context, resent: bool, max: i64) -> Result<Extracted, TooMany> {
    let config = ctx.config.clone();
    if config.main.extract_addresses_remove_arguments {
        for r in std::mem::take(&mut ctx.message.recipients) {
            let a = super::rewriting::address(ctx, &r.address, true);
            ctx.message.nonrecipients.insert(&a);
        }
    }
    let mut out = Extracted::default();
    let mut count = 0i64;
    for i in 1..ctx.message.headers.len() {
        let Some(h) = ctx.message.headers.get_mut(i) else { break };
        if !matches!(h.kind, HeaderKind::To | HeaderKind::Cc | HeaderKind::Bcc) || (resent && !kinds::is_resent(&h.text)) {
            continue;
        }
        let text = h.text.clone();
        if h.kind == HeaderKind::Bcc {
            h.kind = HeaderKind::Old;
        }
        let mut rules = parse::Rules::header(&config.main).with_utf8();
        let mut rest = text.get(text.find_byte(b':').map_or(0, |at| at + 1)..).unwrap_or_default().trim_ascii_start();
        while !rest.is_empty() {
            let end = parse::find_address_end(rest, false);
            let piece = rest.get(..end).unwrap_or(rest);
            count += 1;
            if max > 0 && count > max {
                return Err(TooMany);
            }
            let one_line: Vec<u8> = piece.iter().copied().filter(|c| *c != b'\n').collect();
            match parse::extract_address(&mut rules, &one_line) {
                Ok(found) => {
                    let mut a = Text::tainted(found.address.clone());
                    if !found.is_qualified() {
                        a = super::rewriting::qualify(ctx, &a, true);
                    }
                    if ctx.message.nonrecipients.contains(&a) {
                        out.removed = true;
                    } else if !found.address.is_empty() {
                        ctx.message.smtputf8 |= !found.address.is_ascii();
                        ctx.message.recipients.push(Recipient::new(Text::tainted(found.address)));
                    }
                }
                Err(why) if why == "empty address" => {}
                Err(why) => {
                    let shown = crate::log::escape::printing(rest.trim_ascii_end(), config.site.log.topbit);
                    out.bad.push(Bad { text: shown, why });
                }
            }
            rest = rest.get(end + 1..).unwrap_or_default().trim_ascii_start();
        }
    }
    Ok(out)
}
