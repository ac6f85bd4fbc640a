//! Is the name in HELO the peer's own (helo_verify_hosts, ACL `verify = helo`)?

use std::net::IpAddr;

use bstr::ByteSlice;

use crate::context::Context;
use crate::context::session::HostName;
use crate::log;
use crate::matching::net::unmapped;
use crate::route::HostItem;
use crate::route::hosts::{HostSearch, LookupOptions, find_by_name};

/// The result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeloResult {
    /// It is.
    Verified,
    /// It is not.
    Failed,
    /// A lookup was deferred.
    Deferred,
}

/// Verifies the name, and notes the result in the session.
pub fn verify(ctx: &mut Context) -> HeloResult {
    let result = check(ctx);
    ctx.session.helo_verified = result == HeloResult::Verified;
    ctx.session.helo_verify_failed = result == HeloResult::Failed;
    result
}

fn check(ctx: &mut Context) -> HeloResult {
    let Some(name) = ctx.session.helo_name.clone() else {
        log::hdebug!(ctx, RECEIVE, "no EHLO/HELO command was issued");
        return HeloResult::Failed;
    };
    let ip = ctx.session.host_ip;
    if let Some(inner) = name.strip_prefix(b"[") {
        let inner = inner.strip_suffix(b"]").unwrap_or(inner);
        let inner = match inner.get(..5) {
            Some(p) if p.eq_ignore_ascii_case(b"ipv6:") => inner.get(5..).unwrap_or_default(),
            _ => inner,
        };
        let literal = inner.to_str().ok().and_then(|t| t.parse::<IpAddr>().ok());
        let same = literal.is_some() && literal == ip;
        return if same {
            log::hdebug!(ctx, RECEIVE, "matched host address");
            HeloResult::Verified
        } else {
            HeloResult::Failed
        };
    }
    log::hdebug!(ctx, RECEIVE, "verifying EHLO/HELO argument \"{name}\"");
    if ctx.session.host_name == HostName::Unknown {
        crate::matching::host_name_lookup(ctx);
    }
    let mut temporary = ctx.session.host_name == HostName::Deferred;
    if let HostName::Found(found) = &ctx.session.host_name {
        let alias = ctx.session.host_aliases.iter().any(|a| a.eq_ignore_ascii_case(&name));
        let matched = found.eq_ignore_ascii_case(&name);
        if matched || alias {
            ctx.session.helo_dnssec = ctx.session.host_dnssec;
            let how = if matched { "name" } else { "alias" };
            log::hdebug!(ctx, RECEIVE, "matched host {how}");
            return HeloResult::Verified;
        }
    }
    // A forward lookup of the name must give the peer's address.
    log::hdebug!(ctx, RECEIVE, "getting IP address for {name}");
    let host = HostItem { name: name.clone(), ..HostItem::default() };
    match find_by_name(ctx, &host, &LookupOptions::default()) {
        HostSearch::Found { hosts, .. } => {
            if let Some(h) = hosts.iter().find(|h| h.address.map(unmapped) == ip.map(unmapped) && ip.is_some()) {
                log::hdebug!(ctx, RECEIVE, "IP address for {name} matches calling address");
                ctx.session.helo_dnssec = h.dnssec_address == Some(true);
                return HeloResult::Verified;
            }
        }
        HostSearch::Again => temporary = true,
        _ => {}
    }
    if temporary { HeloResult::Deferred } else { HeloResult::Failed }
}
