//! The `dnslookup` router (manual chapter 17): finds hosts by MX, SRV and address records.

use bstr::{BString, ByteSlice};

use super::options::RouterOptions;
use super::{Router, RouterInstance};
use crate::config::Config;
use crate::config::options::*;
use crate::context::Context;
use crate::expand::{self, ExpandError};
use crate::matching::{self, Match, Subject};
use crate::options;
use crate::parse::list::items;
use crate::retry::errors;
use crate::route::hosts::{DnsWants, DnssecTrace, Failed, HostSearch, LookupOptions, find_by_dns};
use crate::route::{Address, HostItem, RoutePurpose, Routed, common, self_action};
use crate::text::Text;

options! {
    /// Private options of the `dnslookup` driver.
    pub struct DnslookupOptions {
        /// Decline unless local host is a listed MX.
        check_secondary_mx: bool = false,
        /// SRV service name(s) tried before MX lookup.
        check_srv: Str = Str::unset(),
        /// Domains where nonexistence defers instead of declining.
        fail_defer_domains: Str = Str::unset(),
        /// Truthy expansion: only A records wanted.
        ipv4_only: Str = Str::unset(),
        /// Truthy expansion: A addresses ordered ahead of AAAA.
        ipv4_prefer: Str = Str::unset(),
        /// Domains needing MX or SRV, no address fallback.
        mx_domains: Str = Str::unset(),
        /// Domains where MX lookup error counts as no MX.
        mx_fail_domains: Str = Str::unset(),
        /// Set resolver RES_DEFNAMES.
        qualify_single: bool = true,
        /// Rewrite headers after DNS name widening.
        rewrite_headers: bool = true,
        /// Reuse routing for addresses sharing a domain.
        same_domain_copy_routing: bool = false,
        /// Set resolver RES_DNSRCH.
        search_parents: bool = false,
        /// Domains where SRV lookup error counts as no SRV.
        srv_fail_domains: Str = Str::unset(),
        /// Suffixes appended after failed lookup.
        widen_domains: Str = Str::unset(),
    }
}

/// The driver.
#[derive(Debug, Default)]
pub struct Dnslookup {
    options: DnslookupOptions,
}

impl Router for Dnslookup {
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
        self_action::SelfAction::parse(generic.self_.raw().unwrap_or(b"freeze")).map(drop)
    }

    fn route(&self, ctx: &mut Context, router: &RouterInstance, addr: &mut Address, purpose: RoutePurpose) -> Routed {
        let o = &self.options;
        let (ipv4_only, ipv4_first, service) = match self.expanded(ctx, router) {
            Ok(v) => v,
            Err(message) => return common::defer(addr, message),
        };
        let wants = DnsWants {
            srv_service: service.as_deref(),
            mx: true,
            // Whether addresses will do is asked only when there is no MX.
            address: !o.mx_domains.is_set(),
            ipv4_only,
            ipv4_first,
            srv_fail: o.srv_fail_domains.get(),
            mx_fail: o.mx_fail_domains.get(),
        };
        let g = &router.generic;
        let lookup = LookupOptions {
            qualify_single: o.qualify_single,
            search_parents: o.search_parents,
            ignore: g.ignore_target_hosts.get(),
            dnssec_request: g.dnssec_request_domains.get(),
            dnssec_require: g.dnssec_require_domains.get(),
            trace: DnssecTrace::Options,
            check_local: true,
        };
        // The domain as it is, then widened by each item.
        let mut names = vec![addr.domain.clone()];
        if let Some(list) = o.widen_domains.raw() {
            for item in items(list) {
                let mut wider = addr.domain.clone();
                wider.push_bytes(b".");
                wider.push_bytes(&item);
                names.push(wider);
            }
        }
        let mut last = Failed::NoRecords;
        for name in names {
            let host = HostItem { name: name.clone(), mx: -1, ..HostItem::default() };
            ctx.scratch.debug_level += 1;
            let mut search = find_by_dns(ctx, &host, &wants, &lookup);
            ctx.scratch.debug_level = ctx.scratch.debug_level.saturating_sub(1);
            if let (HostSearch::Failed(Failed::NoRecords), Some(list)) = (&search, o.mx_domains.get()) {
                match matching::match_option(ctx, "mx_domains", Subject::Domain(&addr.domain), list, None) {
                    Match::Yes => {}
                    Match::No => search = find_by_dns(ctx, &host, &DnsWants { address: true, ..wants }, &lookup),
                    Match::Defer(_) => return common::defer(addr, "lookup defer for mx_domains"),
                }
            }
            match search {
                HostSearch::Found { hosts, name: full, local, removed, useless, .. } => {
                    addr.useless_hosts = useless;
                    if !full.eq_ignore_ascii_case(&addr.domain) {
                        return Routed::Changed(Box::new(self_action::change_domain(ctx, addr, &full, o.rewrite_headers)));
                    }
                    if *full != *addr.domain {
                        take_case(addr, &full);
                    }
                    return self.found(ctx, router, addr, purpose, hosts, local, removed);
                }
                HostSearch::Again => {
                    addr.failure.basic_errno = errors::DNS_DEFER;
                    let out = common::defer(addr, "host lookup did not complete");
                    if !g.pass_on_timeout {
                        addr.failure.basic_errno = errors::UNKNOWN;
                    }
                    return out;
                }
                HostSearch::Insecure => return common::defer(addr, "host lookup done insecurely"),
                HostSearch::Failed(why) => last = why,
            }
            if last == Failed::NoService {
                break;
            }
        }
        self.not_found(ctx, addr, last)
    }
}

/// The domain is written with other letter case in the DNS: it is sent like that.
fn take_case(addr: &mut Address, domain: &Text) {
    let Some(at) = addr.address.rfind_byte(b'@') else { return };
    let mut full = addr.address[..=at].to_vec();
    full.extend_from_slice(domain);
    addr.address = addr.address.piece(full);
}

impl Dnslookup {
    /// `ipv4_only`, `ipv4_prefer`, and the SRV service.
    fn expanded(&self, ctx: &mut Context, router: &RouterInstance) -> Result<(bool, bool, Option<Vec<u8>>), String> {
        let mut flags = [false, false];
        for (flag, option) in flags.iter_mut().zip([&self.options.ipv4_only, &self.options.ipv4_prefer]) {
            if let Some(t) = option.get() {
                *flag = expand::expand_condition(ctx, t)
                    .map_err(|e| format!("failed to expand \"{}\" in {} router: {e}", t.raw().as_bstr(), router.name))?;
            }
        }
        let service = match self.options.check_srv.get() {
            None => None,
            Some(t) => match expand::expand(ctx, t) {
                Ok(s) if s.is_empty() => None,
                Ok(s) => Some(s.into_bytes()),
                Err(ExpandError::Forced(_)) => None,
                Err(e) => return Err(format!("{} router: failed to expand \"{}\": {e}", router.name, t.raw().as_bstr())),
            },
        };
        Ok((flags[0], flags[1], service))
    }

    #[allow(clippy::too_many_arguments)]
    fn found(
        &self,
        ctx: &mut Context,
        router: &RouterInstance,
        addr: &mut Address,
        purpose: RoutePurpose,
        hosts: Vec<HostItem>,
        local: bool,
        removed: bool,
    ) -> Routed {
        if local && let Some(first) = hosts.first() {
            let first = first.clone();
            if let Some(routed) = self_action::apply(ctx, router, addr, &first) {
                return routed;
            }
        }
        // Only a host that has this one as a better MX is a secondary for the domain.
        if self.options.check_secondary_mx && !removed {
            return Routed::Decline;
        }
        addr.hosts = hosts;
        match common::accept(ctx, router, addr, purpose) {
            Ok(()) => Routed::Accept,
            Err(message) => common::defer(addr, message),
        }
    }

    fn not_found(&self, ctx: &mut Context, addr: &mut Address, why: Failed) -> Routed {
        if why != Failed::NoRecords {
            addr.failure.message = Some(Text::clean(why.to_string()));
            // Nothing of ours is given away.
            addr.flags.pass_message = true;
        }
        if matches!(why, Failed::AllMxBad { literal: true, .. }) {
            addr.failure.user_message = Some(Text::tainted(format!(
                "It appears that the DNS operator for {}\nhas installed an invalid MX record with an IP address\n\
                 instead of a domain name on the right hand side.",
                addr.domain
            )));
        }
        if let Some(list) = self.options.fail_defer_domains.get()
            && matching::match_domain(ctx, &addr.domain, list, None) == Match::Yes
        {
            return common::defer(addr, "missing MX, or all MXs point to missing A records, and defer requested");
        }
        if why == Failed::NoService {
            return Routed::Fail;
        }
        Routed::Decline
    }
}
