//! Items of host lists (manual sections 10.11 to 10.18).

use std::net::IpAddr;

use bstr::ByteSlice;

use super::host_name::host_name_lookup;
use super::net::{Network, lookup_key, parse_ip, unmapped};
use super::scan::Answer;
use super::string::{self, Wanted};
use crate::context::Context;
use crate::context::session::HostName;
use crate::log;
use crate::lookups::{self, LookupError, Style};
use crate::route::HostItem;
use crate::route::hosts::{HostSearch, LookupOptions, find_by_name, local};
use crate::text::Text;

/// One host, compared with items.
pub(super) struct HostTest<'a> {
    name: Name<'a>,
    address: Option<IpAddr>,
    // As text, for keys of lookups and messages; empty if there is no host.
    address_text: Vec<u8>,
}

enum Name<'a> {
    /// The session's, to be looked up when needed.
    Session,
    Known(&'a Text),
    /// Only the address may be compared.
    Never,
}

const NAMES: Wanted = Wanted { caseless: true, partial: true, at_is_special: false };

impl<'a> HostTest<'a> {
    pub fn session(ctx: &Context) -> Self {
        let text = ctx.session.host_address.as_ref().map(|a| a.to_vec()).unwrap_or_default();
        let address = ctx.session.host_ip.or_else(|| parse_ip(&text)).map(unmapped);
        HostTest { name: Name::Session, address, address_text: text }
    }

    pub fn named(name: &'a Text, address: Option<IpAddr>) -> Self {
        let text = address.map(|a| a.to_string().into_bytes()).unwrap_or_default();
        HostTest { name: Name::Known(name), address: address.map(unmapped), address_text: text }
    }

    pub fn address_only(text: &[u8]) -> Self {
        HostTest { name: Name::Never, address: parse_ip(text).map(unmapped), address_text: text.to_vec() }
    }

    pub fn key(&self) -> Vec<u8> {
        let mut key = self.address_text.clone();
        if let Name::Known(n) = self.name {
            key.push(b' ');
            key.extend_from_slice(n);
        }
        key
    }

    pub fn test(&mut self, ctx: &mut Context, item: &Text) -> Answer {
        // Addresses give no data: they are not looked up in anything.
        let yes = || Answer::Yes(None);
        if &item[..] == b"*" {
            return yes();
        }
        // No host, as for -bs: only an empty item.
        if self.address_text.is_empty() || item.is_empty() {
            return if self.address_text.is_empty() && item.is_empty() { yes() } else { Answer::No };
        }
        let ip_only = matches!(self.name, Name::Never);
        let mut pattern = item.clone();
        if &item[..] == b"@" {
            if ip_only {
                return Answer::Unknown("cannot match host name in match_ip list".into());
            }
            pattern = Text::clean(ctx.config.site.primary_hostname.clone());
        } else if &item[..] == b"@[]" {
            let ours = self.address.is_some_and(|ip| local::interfaces(ctx).contains(&ip));
            return if ours { yes() } else { Answer::No };
        }
        if let Some(net) = Network::parse(&pattern) {
            let net = match net {
                Network { address: IpAddr::V6(v6), bits } if bits >= 96 && v6.to_ipv4_mapped().is_some() => {
                    Network { address: unmapped(net.address), bits: bits - 96 }
                }
                n => n,
            };
            return if self.address.is_some_and(|ip| net.contains(ip)) { yes() } else { Answer::No };
        }
        // A forgotten component of an address would otherwise be looked up as a name.
        if let Some(message) = malformed(&pattern) {
            return Answer::Unknown(message);
        }
        if let Some(semicolon) = pattern.find_byte(b';')
            && let Some(answer) = self.by_address(ctx, &pattern, semicolon, ip_only)
        {
            return answer;
        }
        if ip_only {
            return Answer::Unknown("cannot match host name in match_ip list".into());
        }
        let utf8 = ctx.config.main.allow_utf8_domains;
        if pattern.iter().all(|c| c.is_ascii_alphanumeric() || b".-_".contains(c) || (utf8 && *c >= 0x80)) {
            return self.forward(ctx, &pattern);
        }
        self.by_name(ctx, &pattern)
    }

    // `net-lookup;`, `net24-lookup;`, and any lookup where only the address may be compared.
    fn by_address(&self, ctx: &mut Context, pattern: &Text, semicolon: usize, ip_only: bool) -> Option<Answer> {
        let head = pattern.get(..semicolon).unwrap_or_default();
        let mut bits = None;
        let mut name = head;
        let net = head.strip_prefix(b"net").and_then(|after| {
            let digits = after.iter().take_while(|c| c.is_ascii_digit()).count();
            let name = after.get(digits..)?.strip_prefix(b"-")?;
            Some((after.get(..digits)?, name))
        });
        match net {
            Some((digits, after)) => {
                name = after;
                bits = digits.to_str().ok().and_then(|d| d.parse::<u8>().ok());
            }
            None if ip_only => {}
            None => return None,
        }
        let spec = match lookups::parse_type(name) {
            Ok(s) => s,
            Err(m) => return Some(string::broken(ctx, m)),
        };
        let key = match self.address {
            Some(ip) if !spec.driver().style().is_query() => {
                let separator = if spec.driver().name() == "iplsearch" { ':' } else { '.' };
                Text::clean(lookup_key(ip, bits, separator))
            }
            _ => Text::tainted(self.address_text.clone()),
        };
        let query = pattern.piece(pattern.get(semicolon + 1..).unwrap_or_default());
        Some(match lookups::find_single(ctx, &spec, &key, &query) {
            Ok(Some(found)) => Answer::Yes(Some(found.value)),
            Ok(None) => Answer::No,
            Err(LookupError::Defer(m)) => Answer::Defer(Some(m)),
            Err(LookupError::Open(m)) => string::broken(ctx, m),
        })
    }

    // A complete name: its addresses.
    fn forward(&self, ctx: &mut Context, pattern: &Text) -> Answer {
        let host = HostItem { name: pattern.clone(), ..HostItem::default() };
        let options = LookupOptions { qualify_single: true, ..LookupOptions::default() };
        match find_by_name(ctx, &host, &options) {
            HostSearch::Found { hosts, .. } => {
                let found = hosts.iter().any(|h| h.address.map(unmapped) == self.address);
                if found { Answer::Yes(None) } else { Answer::No }
            }
            HostSearch::Again => Answer::Defer(None),
            _ => Answer::Unknown(format!("failed to find IP address for {pattern}")),
        }
    }

    // Everything else is compared with the host's name, which may have to be looked up.
    fn by_name(&self, ctx: &mut Context, pattern: &Text) -> Answer {
        if let Name::Known(name) = self.name {
            return string::check(ctx, name, pattern, NAMES, None);
        }
        if let Some(semicolon) = pattern.find_byte(b';') {
            match lookups::parse_type(pattern.get(..semicolon).unwrap_or_default()) {
                Ok(s) if matches!(s.driver().style(), Style::Query | Style::FileQuery) => {
                    // The query says itself what it asks for.
                    return string::check(ctx, &Text::new(), pattern, NAMES, None);
                }
                Ok(_) => {}
                Err(m) => {
                    ctx.scratch.search_error = Some(m.clone());
                    return string::broken(ctx, format!("{m} in host list item \"{pattern}\""));
                }
            }
        }
        if !matches!(ctx.session.host_name, HostName::Found(_)) {
            log::hdebug!(ctx, HOST_LOOKUP, "sender host name required, to match against {pattern}");
        }
        if ctx.session.host_name == HostName::Unknown {
            let level = ctx.scratch.debug_level;
            ctx.scratch.debug_level += 1;
            host_name_lookup(ctx);
            ctx.scratch.debug_level = level;
        }
        let HostName::Found(name) = ctx.session.host_name.clone() else {
            let address = self.address_text.as_bstr();
            return Answer::Unknown(format!("failed to find host name for {address}"));
        };
        let aliases = ctx.session.host_aliases.clone();
        for name in std::iter::once(&name).chain(&aliases) {
            match string::check(ctx, name, pattern, NAMES, None) {
                Answer::No => {}
                found => return found,
            }
        }
        Answer::No
    }
}

// What was meant to be an address or a network and is none.
fn malformed(pattern: &[u8]) -> Option<String> {
    let prefix = |good: fn(u8) -> bool| {
        let len = pattern.iter().take_while(|c| good(**c)).count();
        (len > 0 && matches!(pattern.get(len), None | Some(b'/'))).then(|| pattern.get(..len).unwrap_or_default())
    };
    let message = |version, text: &[u8]| format!("malformed {version} address or address mask: {}", text.as_bstr());
    if let Some(text) = prefix(|c| c.is_ascii_digit() || c == b'.') {
        return Some(message("IPv4", text));
    }
    let v6 = prefix(|c| c.is_ascii_hexdigit() || matches!(c, b':' | b'.'));
    v6.filter(|t| t.contains(&b':')).map(|t| message("IPv6", t))
}
