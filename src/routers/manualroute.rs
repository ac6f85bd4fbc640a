//! The `manualroute` router (manual chapter 20): hosts that the configuration names.

use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::options::RouterOptions;
use super::{Router, RouterInstance};
use crate::config::Config;
use crate::config::options::*;
use crate::context::Context;
use crate::expand::{self, ExpandError, Template};
use crate::log::{self, Which};
use crate::matching::{self, Match};
use crate::options;
use crate::parse::list::items_with;
use crate::route::hostlist::{self, Find, HostFailure, LookupKind};
use crate::route::{Address, HostItem, RoutePurpose, Routed, common};
use crate::text::Text;
use crate::transports::TransportInstance;

options! {
    /// Private options of the `manualroute` driver.
    pub struct ManualrouteOptions {
        /// Action when every host is ignored.
        host_all_ignored: Str = Str::fixed("defer"),
        /// Action for unresolvable host: freeze/defer/decline/fail/pass/ignore.
        host_find_failed: Str = Str::fixed("freeze"),
        /// Shuffle hosts; + separates ordered groups.
        hosts_randomize: ExpBool = ExpBool::fixed(false),
        /// Expansion yielding hosts, options, transport.
        route_data: Str = Str::unset(),
        /// Inline rules: domain pattern, hosts, options; semicolon separated.
        route_list: Str = Str::unset(),
        /// Reuse routing for addresses sharing a domain.
        same_domain_copy_routing: bool = false,
    }
}

/// The driver.
#[derive(Debug, Default)]
pub struct Manualroute {
    options: ManualrouteOptions,
}

/// One item of `route_list`, or the expanded `route_data`.
struct Rule {
    pattern: BString,
    hosts: BString,
    words: Vec<BString>,
}

impl Router for Manualroute {
    fn options(&self) -> &dyn OptionSet {
        &self.options
    }
    fn options_mut(&mut self) -> &mut dyn OptionSet {
        &mut self.options
    }
    fn same_for_domain(&self) -> bool {
        self.options.same_domain_copy_routing
    }

    fn init(&mut self, _: &BString, generic: &mut RouterOptions, _: &[String], _: &Config) -> Result<(), String> {
        let o = &self.options;
        crate::route::self_action::SelfAction::parse(generic.self_.raw().unwrap_or(b"freeze"))?;
        if o.route_list.is_set() == o.route_data.is_set() {
            return Err("route_list or route_data (but not both) must be specified".into());
        }
        HostFailure::parse("host_find_failed", o.host_find_failed.raw().unwrap_or(b"freeze"), true)?;
        HostFailure::parse("host_all_ignored", o.host_all_ignored.raw().unwrap_or(b"defer"), false)?;
        Ok(())
    }

    fn route(&self, ctx: &mut Context, router: &RouterInstance, addr: &mut Address, purpose: RoutePurpose) -> Routed {
        let rule = match self.rule(ctx, router, addr) {
            Ok(Some(rule)) => rule,
            Ok(None) => return Routed::Decline,
            Err(message) => return common::defer(addr, message),
        };
        match self.with_rule(ctx, router, addr, purpose, &rule) {
            Ok(routed) => routed,
            Err(message) => common::defer(addr, message),
        }
    }
}

impl Manualroute {
    /// The rule for the address's domain, its hosts expanded.
    fn rule(&self, ctx: &mut Context, router: &RouterInstance, addr: &Address) -> Result<Option<Rule>, String> {
        let failed = |t: &[u8], e: ExpandError| format!("failed to expand \"{}\": {e}", t.as_bstr());
        if let Some(data) = self.options.route_data.get() {
            return match expand::expand(ctx, data) {
                Ok(text) if text.trim().is_empty() => Ok(None),
                Ok(text) => Ok(Some(split_rule(&text, false))),
                Err(ExpandError::Forced(_)) => Ok(None),
                Err(e) => Err(failed(data.raw(), e)),
            };
        }
        let list = self.options.route_list.raw().unwrap_or_default();
        for item in items_with(list, b';') {
            if item.is_empty() {
                continue;
            }
            let mut rule = split_rule(&item, true);
            let pattern = Template::new(&rule.pattern);
            let mut data = None;
            match matching::match_domain_item(ctx, &addr.domain, &pattern, Some(&mut data)) {
                Match::Yes => {}
                Match::No => continue,
                Match::Defer(_) => return Err("lookup defer in route_list".into()),
            }
            // A lookup that matched gives `$value`; wild parts are in `$1` and so on.
            ctx.scratch.value = data;
            let hosts = Template::new(&rule.hosts);
            match expand::expand(ctx, &hosts) {
                Ok(text) => rule.hosts = text.into_bytes().into(),
                Err(ExpandError::Forced(_)) => return Ok(None),
                Err(e) => return Err(format!("{} router: {}", router.name, failed(&rule.hosts, e))),
            }
            return Ok(Some(rule));
        }
        Ok(None)
    }

    fn with_rule(
        &self,
        ctx: &mut Context,
        router: &RouterInstance,
        addr: &mut Address,
        purpose: RoutePurpose,
        rule: &Rule,
    ) -> Result<Routed, String> {
        let mut randomize = crate::route::boolean(ctx, router, "hosts_randomize", &self.options.hosts_randomize)?;
        let mut kind = LookupKind::Default;
        let mut transport: Option<Arc<TransportInstance>> = None;
        for (at, word) in rule.words.iter().enumerate() {
            match word.as_slice() {
                b"randomize" => randomize = true,
                b"no_randomize" => randomize = false,
                b"byname" => kind = LookupKind::ByName,
                b"bydns" => kind = LookupKind::ByDns,
                b"ipv4_only" => kind = kind.with_ipv4_only(),
                b"ipv4_prefer" => kind = kind.with_ipv4_first(),
                name => match ctx.config.transport(name) {
                    Some(t) => transport = Some(t.clone()),
                    None => {
                        let rest = bstr::join(" ", rule.words.get(at..).unwrap_or_default());
                        let text = format!("unknown routing option or transport name \"{}\"", rest.as_bstr());
                        log::write(ctx, None, Which::MAIN, format!("Error in {} router: {text}", router.name).as_bytes());
                        return Err(format!("error in router: {text}"));
                    }
                },
            }
        }
        addr.transport = transport;
        common::accept(ctx, router, addr, purpose)?;
        let transport = addr.transport.clone();
        if transport.as_ref().is_some_and(|t| t.local().is_some()) {
            // A local transport only gets to see the list, as `$host`.
            let name = Text::tainted(rule.hosts.clone());
            addr.hosts = vec![HostItem { name, mx: -1, ..HostItem::default() }];
            addr.hosts.retain(|h| !h.name.is_empty());
            return Ok(Routed::Accept);
        }
        let hosts = hostlist::build(ctx, &rule.hosts, randomize);
        if hosts.is_empty() {
            // Where mail would go to is no question of a verification.
            let verifying = matches!(purpose, RoutePurpose::VerifySender | RoutePurpose::VerifyRecipient);
            if verifying || transport.is_some_and(|t| t.driver.option_is_set("hosts")) {
                return Ok(Routed::Accept);
            }
            let text = format!("error in {} router: no host(s) specified for domain {}", router.name, addr.domain);
            log::write(ctx, None, Which::MAIN, text.as_bytes());
            return Err(text);
        }
        addr.hosts = hosts;
        let find = Find {
            kind,
            find_failed: HostFailure::parse("host_find_failed", self.options.host_find_failed.raw().unwrap_or(b"freeze"), true)?,
            all_ignored: HostFailure::parse("host_all_ignored", self.options.host_all_ignored.raw().unwrap_or(b"defer"), false)?,
        };
        let routed = match hostlist::look_up(ctx, router, addr, &find) {
            Some(routed) => routed,
            None if addr.transport.is_none() && matches!(purpose, RoutePurpose::Deliver | RoutePurpose::Test) => {
                let text = format!("Error in {} router: no transport defined", router.name);
                log::write(ctx, None, Which::MAIN, text.as_bytes());
                return Err("error in router: transport missing".into());
            }
            None => Routed::Accept,
        };
        // The log shows a transport only for what was routed to it.
        if !matches!(routed, Routed::Accept) {
            addr.transport = None;
        }
        Ok(routed)
    }
}

/// Splits `pattern hosts options` (or `hosts options`). Pattern and hosts may be quoted.
fn split_rule(item: &[u8], with_pattern: bool) -> Rule {
    let mut rest = item.trim();
    let pattern = if with_pattern { take_word(&mut rest) } else { BString::default() };
    let hosts = take_word(&mut rest);
    let words = rest.fields().map(BString::from).collect();
    Rule { pattern, hosts, words }
}

/// The next word, or the next quoted string with its escapes done. An expansion item may hold spaces.
fn take_word(rest: &mut &[u8]) -> BString {
    *rest = rest.trim_start();
    if rest.first() == Some(&b'"') {
        let mut out = Vec::new();
        let mut i = 1;
        while let Some(c) = rest.get(i) {
            match c {
                b'"' => break,
                b'\\' if i + 1 < rest.len() => {
                    i += 1;
                    out.push(rest[i]);
                }
                _ => out.push(*c),
            }
            i += 1;
        }
        *rest = rest.get(i + 1..).unwrap_or_default();
        return out.into();
    }
    let mut depth = 0usize;
    let end = rest
        .iter()
        .position(|c| {
            match c {
                b'{' => depth += 1,
                b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && c.is_ascii_whitespace()
        })
        .unwrap_or(rest.len());
    let word = BString::from(&rest[..end]);
    *rest = &rest[end..];
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let r = split_rule(b"*.x.y  \"a:b c\" byname  t1", true);
        assert_eq!((r.pattern.as_slice(), r.hosts.as_slice(), r.words.len()), (&b"*.x.y"[..], &b"a:b c"[..], 2));
        let r = split_rule(b"${if eq{a}{b} {c}{d}} bydns", false);
        assert_eq!(r.hosts, "${if eq{a}{b} {c}{d}}");
    }
}
