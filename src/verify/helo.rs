//! Is the name in HELO the client's own (`helo_verify_hosts`, `helo_try_verify_hosts`, `verify = helo`)?

use std::net::IpAddr;

use bstr::ByteSlice;

use super::{Outcome, host_name_lookup, hplain};
use crate::context::Context;
use crate::context::session::HostName;
use crate::route::HostItem;
use crate::route::hosts::{DnsWants, DnssecTrace, HostSearch, LookupOptions, find_by_dns};
use crate::text::Text;

/// Verifies the name, and notes the result in the session.
pub fn verify(ctx: &mut Context) -> Outcome {
    let outcome = check(ctx);
    ctx.session.helo_verified = outcome == Outcome::Ok;
    ctx.session.helo_verify_failed = outcome != Outcome::Ok;
    outcome
}

fn check(ctx: &mut Context) -> Outcome {
    let Some(name) = ctx.session.helo_name.clone() else {
        hplain!(ctx, RECEIVE, "verifying EHLO/HELO argument <NULL>");
        hplain!(ctx, RECEIVE, "no EHLO/HELO command was issued");
        return Outcome::Fail;
    };
    hplain!(ctx, RECEIVE, "verifying EHLO/HELO argument \"{name}\"");
    let Some(ip) = ctx.session.host_ip else {
        hplain!(ctx, RECEIVE, "no client IP address: assume success");
        return Outcome::Ok;
    };
    if let Some(inner) = name.strip_prefix(b"[") {
        let inner = inner.strip_suffix(b"]").unwrap_or(inner);
        let inner = match inner.get(..5) {
            Some(p) if p.eq_ignore_ascii_case(b"ipv6:") => inner.get(5..).unwrap_or_default(),
            _ => inner,
        };
        let literal = inner.to_str().ok().and_then(|t| t.parse::<IpAddr>().ok());
        if literal.is_none_or(|l| l.to_canonical() != ip.to_canonical()) {
            return Outcome::Fail;
        }
        hplain!(ctx, RECEIVE, "matched host address");
        return Outcome::Ok;
    }
    if ctx.session.host_name == HostName::Unknown {
        host_name_lookup(ctx);
    }
    let temporary = ctx.session.host_name == HostName::Deferred;
    if let HostName::Found(found) = &ctx.session.host_name {
        let alias = ctx.session.host_aliases.iter().find(|a| a.eq_ignore_ascii_case(&name)).cloned();
        let matched = found.eq_ignore_ascii_case(&name);
        if matched || alias.is_some() {
            ctx.session.helo_dnssec = ctx.session.host_dnssec;
            match alias {
                Some(a) if !matched => hplain!(ctx, RECEIVE, "matched alias {a}"),
                _ => hplain!(ctx, RECEIVE, "matched host name"),
            }
            return Outcome::Ok;
        }
    }
    hplain!(ctx, RECEIVE, "getting IP address for {name}");
    match forward(ctx, &name, ip) {
        Some(secure) => {
            ctx.session.helo_dnssec = secure;
            hplain!(ctx, RECEIVE, "IP address for {name} matches calling address");
            hplain!(ctx, RECEIVE, "Forward DNS security status: {}verified", if secure { "" } else { "un" });
            Outcome::Ok
        }
        None if temporary => Outcome::Defer,
        None => Outcome::Fail,
    }
}

/// Does the name lead to the address? If so: is that DNSSEC-secure?
fn forward(ctx: &mut Context, name: &Text, ip: IpAddr) -> Option<bool> {
    let host = HostItem { name: name.clone(), ..HostItem::default() };
    let any = crate::expand::Template::new(b"*");
    let none = crate::expand::Template::new(b"");
    let options = LookupOptions {
        dnssec_request: Some(&any),
        dnssec_require: Some(&none),
        trace: DnssecTrace::Lists,
        ..LookupOptions::default()
    };
    let wants = DnsWants { address: true, ..DnsWants::default() };
    match find_by_dns(ctx, &host, &wants, &options) {
        HostSearch::Found { hosts, .. } => hosts
            .iter()
            .find(|h| h.address.is_some_and(|a| a.to_canonical() == ip.to_canonical()))
            .map(|h| h.dnssec == Some(true)),
        _ => None,
    }
}
