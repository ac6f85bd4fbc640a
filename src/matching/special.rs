//! Items of domain lists that begin with `@`: `@[]`, `@mx_any`, `@mx_primary`, `@mx_secondary` (manual section 10.8).

use super::net::parse_ip;
use super::scan::Answer;
use crate::context::Context;
use crate::expand::Template;
use crate::route::HostItem;
use crate::route::hosts::{DnsWants, HostSearch, LookupOptions, find_by_dns, local};
use crate::text::Text;

/// `None` if the item is not one of them.
pub(super) fn check(ctx: &mut Context, subject: &Text, item: &Text, captures: Option<&mut usize>) -> Option<Answer> {
    if &item[..] == b"@[]" {
        let Some(inner) = subject.strip_prefix(b"[").and_then(|s| s.strip_suffix(b"]")) else { return Some(Answer::No) };
        let Some(ip) = parse_ip(inner) else { return Some(Answer::No) };
        let ours = local::interfaces(ctx).contains(&ip);
        return Some(if ours { Answer::Yes(None) } else { Answer::No });
    }
    let lower = item.to_ascii_lowercase();
    let rest = lower.strip_prefix(b"@mx_")?;
    let (which, word) = [(Which::Any, "any"), (Which::Primary, "primary"), (Which::Secondary, "secondary")]
        .into_iter()
        .find(|(_, w)| rest.starts_with(w.as_bytes()))?;
    let after = item.get(4 + word.len()..)?;
    let ignore = match after {
        b"" => None,
        _ => {
            let prefix = after.get(..8).filter(|p| p.eq_ignore_ascii_case(b"/ignore="))?;
            Some(Template::new(after.get(prefix.len()..)?))
        }
    };
    Some(mx(ctx, subject, which, ignore.as_ref(), captures))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Any,
    Primary,
    Secondary,
}

fn mx(ctx: &mut Context, domain: &Text, which: Which, ignore: Option<&Template>, captures: Option<&mut usize>) -> Answer {
    let host = HostItem { name: domain.clone(), ..HostItem::default() };
    let wants = DnsWants { mx: true, ..DnsWants::default() };
    let options = LookupOptions { ignore, check_local: true, ..LookupOptions::default() };
    match find_by_dns(ctx, &host, &wants, &options) {
        HostSearch::Again => Answer::Defer(Some(format!("DNS lookup of \"{domain}\" deferred"))),
        HostSearch::Found { local, removed, treated, .. } => {
            // The name was compared with a list on the way, and that sets `$0` as every comparison does.
            if let (Some(captures), Some(name)) = (captures, treated) {
                ctx.scratch.numeric = vec![Some(name)];
                *captures = 1;
            }
            let yes = match which {
                Which::Any => local || removed,
                Which::Primary => local,
                Which::Secondary => !local && removed,
            };
            if yes { Answer::Yes(None) } else { Answer::No }
        }
        _ => Answer::No,
    }
}
