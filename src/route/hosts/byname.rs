//! Addresses of a host by its name, as gethostbyname finds them.

use super::{Failed, HostSearch, LookupOptions, ignored, ipv4_only, literal, local, with_address};
use crate::context::Context;
use crate::dns::{ByName, Family};
use crate::log::{self, Selector, Which};
use crate::route::HostItem;
use crate::text::Text;

/// Looks a host up by name. IPv6 addresses come first.
pub fn find_by_name(ctx: &mut Context, host: &HostItem, options: &LookupOptions<'_>) -> HostSearch {
    let families: &[Family] = if ipv4_only(ctx, &host.name) { &[Family::V4] } else { &[Family::V6, Family::V4] };
    let mut name = host.name.clone();
    let mut found = Vec::new();
    let (mut again, mut any) = (false, false);
    if let Some(ip) = literal(&host.name) {
        any = true;
        if !ignored(ctx, options.ignore, &host.name, ip) {
            found.push(with_address(host, ip));
        }
    } else {
        for family in families {
            match ctx.services.dns.host_by_name(&host.name, *family) {
                ByName::Found { name: canonical, addresses } => {
                    any = true;
                    if !canonical.is_empty() {
                        name = Text::tainted(canonical);
                    }
                    for ip in addresses {
                        if !ignored(ctx, options.ignore, &host.name, ip)
                            && !found.iter().any(|h: &HostItem| h.address == Some(ip))
                        {
                            found.push(with_address(host, ip));
                        }
                    }
                }
                ByName::NotFound | ByName::NoData => {}
                ByName::Again => again = again || !super::again_is_nonexistent(ctx, &host.name),
                ByName::Fail(_) => again = true,
            }
        }
    }
    if found.is_empty() {
        if any {
            return HostSearch::Failed(Failed::NoRecords);
        }
        let during = match ctx.message.id.is_empty() && ctx.session.host_address.is_some() {
            true => format!(" (during {})", crate::context::names::connection_info(ctx)),
            false => String::new(),
        };
        let text = format!("no IP address found for host {}{during}", host.name);
        log::hdebug!(ctx, HOST_LOOKUP, "{text}");
        if !again && !ctx.run.log_testing {
            log::write(ctx, Some(Selector::HostLookupFailed), Which::MAIN, text.as_bytes());
        }
        if again && !super::again_is_nonexistent(ctx, &host.name) {
            return HostSearch::Again;
        }
        return HostSearch::Failed(Failed::NoRecords);
    }
    for h in &mut found {
        h.name = name.clone();
    }
    let is_local = options.check_local && local::scan(ctx, &mut found).first_is_local;
    if options.check_local {
        log::hdebug!(ctx, HOST_LOOKUP, "fully qualified name = {name}");
    }
    log::hdebug!(ctx, HOST_LOOKUP, "get[host|ipnode]byname[{}] looked up these IP addresses:", families.len());
    for h in &found {
        log::hdebug!(ctx, HOST_LOOKUP, "  name={} address={}", h.name, h.address_text);
    }
    HostSearch::Found { hosts: found, name, local: is_local, removed: false, treated: None, from_mx: false }
}
