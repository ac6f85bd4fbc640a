//! Is a message for this user, and from a person? (Sections 3.27 to 3.29 of the document; RFC 5230, 4.5 and 4.6.)

use bstr::ByteSlice;

use crate::context::{Context, HeaderKind};
use crate::expand::HeaderForm;
use crate::expand::headers::{exists, find};
use crate::parse::{Rules, extract_address, find_address_end};
use crate::receive::kinds::name_of;
use crate::text::Text;

/// Header lines of mailing lists.
const LIST_HEADERS: [&[u8]; 7] =
    [b"list-id", b"list-help", b"list-subscribe", b"list-unsubscribe", b"list-post", b"list-owner", b"list-archive"];

/// Parts of senders' addresses that show machines.
const ROBOTS: [&[u8]; 6] = [b"server@", b"daemon@", b"root@", b"listserv@", b"majordomo@", b"-request@"];

/// Is it? The user must be in one of the header lines `to`, by an own address or one of the aliases.
pub fn is_personal(ctx: &mut Context, aliases: &[Vec<u8>], to: &[&[u8]]) -> bool {
    let mut own = addresses_of_user(ctx);
    own.extend(aliases.iter().cloned());
    let ctx = &*ctx;
    if ctx.message.sender.as_deref().is_none_or(<[u8]>::is_empty) || is_automatic(ctx) {
        return false;
    }
    let is_own = |a: &Text| own.iter().any(|o| a.eq_ignore_ascii_case(o));
    let from = addresses(ctx, &content(ctx, b"from"));
    to.iter().any(|name| addresses(ctx, &content(ctx, name)).iter().any(is_own)) && !from.iter().any(|a| is_own(a) || is_robot(a))
}

/// The addresses of a header line's content, without their phrases and comments. Bad ones are left out.
pub fn addresses(ctx: &Context, list: &Text) -> Vec<Text> {
    let mut rules = Rules::header(&ctx.config.main);
    let mut out = Vec::new();
    let mut rest: &[u8] = list;
    while !rest.is_empty() {
        let (one, tail) = rest.split_at(find_address_end(rest, false).min(rest.len()));
        if let Ok(found) = extract_address(&mut rules, one) {
            out.push(list.piece(found.address));
        }
        rest = tail.get(1..).unwrap_or_default();
    }
    out
}

fn content(ctx: &Context, name: &[u8]) -> Text {
    find(ctx, HeaderForm::Decoded, name).ok().flatten().unwrap_or_default()
}

/// Do its header lines show that no person sent it?
fn is_automatic(ctx: &Context) -> bool {
    let from_list = ctx.message.headers.iter().filter(|h| h.kind != HeaderKind::Old).any(|h| {
        let name = name_of(&h.text);
        LIST_HEADERS.iter().any(|l| name.eq_ignore_ascii_case(l))
    });
    let precedence = content(ctx, b"precedence").to_ascii_lowercase();
    from_list || is_auto_submitted(ctx) || [&b"bulk"[..], b"list", b"junk"].iter().any(|w| precedence.contains_str(w))
}

/// Does `Auto-Submitted:` say that it is?
pub fn is_auto_submitted(ctx: &Context) -> bool {
    exists(ctx, b"auto-submitted") && !content(ctx, b"auto-submitted").eq_ignore_ascii_case(b"no")
}

fn is_robot(address: &Text) -> bool {
    let a = address.to_ascii_lowercase();
    let owner = a.strip_prefix(b"owner-").is_some_and(|rest| rest.find_byte(b'@').is_some_and(|at| at > 0));
    owner || ROBOTS.iter().any(|w| a.contains_str(w))
}

/// The user's address, with and without affixes, and as it is rewritten.
fn addresses_of_user(ctx: &mut Context) -> Vec<Vec<u8>> {
    let v = &ctx.address;
    let part = |t: &Option<Text>| t.as_deref().unwrap_or_default().to_vec();
    let (local, domain) = (part(&v.local_part), part(&v.domain));
    let plain = [local.as_slice(), b"@", &domain].concat();
    let full = [part(&v.prefix).as_slice(), &local, &part(&v.suffix), b"@", &domain].concat();
    let mut all = Vec::new();
    for address in [plain, full] {
        let rewritten = crate::rewrite::rewrite_in_filter(ctx, Text::tainted(address.clone()));
        for a in [address, rewritten.into_bytes()] {
            if !all.contains(&a) {
                all.push(a);
            }
        }
    }
    all
}
