//! Does a test of a Sieve script hold for the message in hand?

use bstr::{BString, ByteSlice};

use super::ast::{Envelope, Match, Part, Test};
use super::run::Job;
use super::{mailto, trace};
use crate::context::{Context, HeaderKind};
use crate::expand::HeaderForm;
use crate::expand::headers::{exists, find};
use crate::filter::personal::addresses;
use crate::parse::{decode_2047, unfold};
use crate::receive::kinds::name_of;
use crate::text::Text;

/// Does it?
pub(super) fn holds(ctx: &Context, job: &Job, test: &Test) -> bool {
    match test {
        Test::Constant(b) => *b,
        Test::Not(t) => !holds(ctx, job, t),
        Test::All(all) => all.iter().all(|t| holds(ctx, job, t)),
        Test::Any(all) => all.iter().any(|t| holds(ctx, job, t)),
        Test::Exists(names) => names.iter().all(|n| exists(ctx, n)),
        Test::Size(over, limit) => {
            if *over {
                ctx.message.size > *limit
            } else {
                ctx.message.size < *limit
            }
        }
        Test::Header(names, how) => names.iter().filter_map(|n| header(ctx, n)).any(|v| trace::holds(ctx, job, how, &v)),
        Test::Address(part, names, how) => names.iter().filter_map(|n| raw(ctx, n)).any(|list| {
            let list = Text::tainted(unfold(&list));
            addresses(ctx, &list).iter().any(|a| part_holds(ctx, job, *part, a, how))
        }),
        Test::Envelope(part, fields, how) => fields.iter().any(|f| {
            let address = match f {
                Envelope::From => ctx.message.sender.as_deref().unwrap_or_default().to_vec(),
                Envelope::To => recipient(ctx),
            };
            part_holds(ctx, job, *part, &address, how)
        }),
        Test::ValidNotify(uris) => uris.iter().all(|u| mailto::parse(u).is_some()),
        Test::NotifyCapability(uri, capability, how) => {
            mailto::parse(uri).is_some() && capability.eq_ignore_ascii_case(b"online") && trace::holds(ctx, job, how, b"maybe")
        }
    }
}

/// The lists of addresses in all header lines of a name, as one.
fn raw(ctx: &Context, name: &[u8]) -> Option<Vec<u8>> {
    let lines = ctx.message.headers.iter().filter(|h| h.kind != HeaderKind::Old && name_of(&h.text).eq_ignore_ascii_case(name));
    let values: Vec<&[u8]> = lines.map(|h| h.text.split_once_str(":").map_or(&b""[..], |(_, v)| v.trim())).collect();
    (!values.is_empty()).then(|| bstr::join(",", values))
}

/// The content of all header lines of a name as one text: without folding, its encoded words as UTF-8.
fn header(ctx: &Context, name: &[u8]) -> Option<Vec<u8>> {
    let raw = find(ctx, HeaderForm::Raw, name).ok().flatten()?;
    let lines: Vec<BString> = unfold(&raw).lines().map(|l| l.trim().into()).collect();
    let text = bstr::join("\n", &lines);
    let check = ctx.config.main.check_rfc2047_length;
    // What cannot be decoded or converted is taken as it is.
    Some(decode_2047(&text, check, Some(b"UTF-8"), None).map_or(text, Into::into))
}

/// The envelope recipient, affixes and all.
pub(super) fn recipient(ctx: &Context) -> Vec<u8> {
    let v = &ctx.address;
    let part = |t: &Option<Text>| t.as_deref().unwrap_or_default().to_vec();
    [part(&v.prefix).as_slice(), &part(&v.local_part), &part(&v.suffix), b"@", &part(&v.domain)].concat()
}

fn part_holds(ctx: &Context, job: &Job, part: Part, address: &[u8], how: &Match) -> bool {
    let (local, domain) = match address.rfind_byte(b'@') {
        Some(at) => (address.get(..at).unwrap_or_default(), address.get(at + 1..).unwrap_or_default()),
        None => (address, &b""[..]),
    };
    let holds = |value: &[u8]| trace::holds(ctx, job, how, value);
    match part {
        Part::All => holds(address),
        Part::Local => holds(local),
        Part::Domain => holds(domain),
        Part::User | Part::Detail => {
            let (user, detail) = split(ctx, job, address, local);
            match part {
                Part::User => holds(&user),
                _ => detail.is_some_and(|d| holds(&d)),
            }
        }
    }
}

/// User and detail of a local part (RFC 5233). The router says what those of the recipient are; other addresses are split by
/// the affixes that the recipient's has.
fn split(ctx: &Context, job: &Job, address: &[u8], local: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    let v = &ctx.address;
    let prefix = v.prefix.as_deref().unwrap_or_default();
    let suffix = v.suffix.as_deref().unwrap_or_default();
    if address.eq_ignore_ascii_case(&recipient(ctx)) {
        let user = job.user_address.as_ref().or(v.local_part.as_ref()).map(|t| t.to_vec()).unwrap_or_default();
        let affix = [prefix, suffix].concat();
        let given = job.subaddress.as_ref().map(|t| t.to_vec());
        let none = affix.is_empty() && given.as_ref().is_none_or(Vec::is_empty);
        let detail = (!none).then(|| given.unwrap_or(affix));
        return (user, detail);
    }
    let lower = local.to_ascii_lowercase();
    let has = !(prefix.is_empty() && suffix.is_empty())
        && lower.len() >= prefix.len() + suffix.len()
        && lower.starts_with(&prefix.to_ascii_lowercase())
        && lower.ends_with(&suffix.to_ascii_lowercase());
    if !has {
        return (local.to_vec(), None);
    }
    let user = local.get(prefix.len()..local.len() - suffix.len()).unwrap_or_default();
    (user.to_vec(), Some([prefix, suffix].concat()))
}
