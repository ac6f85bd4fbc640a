//! The `ipliteral` router (manual chapter 18): addresses whose domain is `[address]`.

use bstr::{BString, ByteSlice};

use super::options::RouterOptions;
use super::{Router, RouterInstance};
use crate::config::Config;
use crate::config::options::OptionSet;
use crate::context::Context;
use crate::matching::{self, Match};
use crate::options;
use crate::route::hosts::{literal, local};
use crate::route::{Address, HostItem, RoutePurpose, Routed, common, self_action};
use crate::text::Text;

options! {
    /// Private options of the `ipliteral` driver: it has none.
    pub struct IpliteralOptions {
    }
}

/// The driver.
#[derive(Debug, Default)]
pub struct Ipliteral {
    options: IpliteralOptions,
}

impl Router for Ipliteral {
    fn options(&self) -> &dyn OptionSet {
        &self.options
    }
    fn options_mut(&mut self) -> &mut dyn OptionSet {
        &mut self.options
    }
    fn init(&mut self, _: &BString, generic: &mut RouterOptions, _: &[String], _: &Config) -> Result<(), String> {
        self_action::SelfAction::parse(generic.self_.raw().unwrap_or(b"freeze")).map(drop)
    }

    fn route(&self, ctx: &mut Context, router: &RouterInstance, addr: &mut Address, purpose: RoutePurpose) -> Routed {
        let Some(inner) = addr.domain.strip_prefix(b"[").and_then(|d| d.strip_suffix(b"]")) else { return Routed::Decline };
        let bare = match inner.get(..5) {
            Some(tag) if tag.eq_ignore_ascii_case(b"ipv6:") => &inner[5..],
            _ => inner,
        };
        let Some(ip) = literal(bare) else {
            addr.failure.message = Some(Text::clean(format!("malformed domain literal {}", addr.domain.as_bytes().as_bstr())));
            return Routed::Decline;
        };
        if ip.is_ipv6() && ctx.config.main.disable_ipv6 {
            return Routed::Decline;
        }
        let name = addr.domain.clone();
        if let Some(list) = router.generic.ignore_target_hosts.get()
            && matching::match_host_named(ctx, &name, Some(ip), list) == Match::Yes
        {
            return Routed::Decline;
        }
        let host = HostItem { name, address: Some(ip), address_text: ip.to_string().into(), mx: -1, ..HostItem::default() };
        let mut hosts = vec![host.clone()];
        if local::scan(ctx, &mut hosts).first_is_local
            && let Some(routed) = self_action::apply(ctx, router, addr, &host)
        {
            return routed;
        }
        addr.hosts = vec![host];
        match common::accept(ctx, router, addr, purpose) {
            Ok(()) => Routed::Accept,
            Err(message) => common::defer(addr, message),
        }
    }
}
