//! The hosts that a callout asks: the router's, or the transport's own.

use bstr::ByteSlice;

use crate::config::options::ExpBool;
use crate::context::Context;
use crate::expand;
use crate::log::{self, Which};
use crate::route::hosts::{DnsWants, HostSearch, LookupOptions, find_by_dns, find_by_name, literal};
use crate::route::{Address, HostItem, hostlist};
use crate::text::Text;
use crate::transports::smtp::Smtp;

/// Hosts with addresses; those that have none are left out.
pub fn of(ctx: &mut Context, addr: &Address) -> Vec<HostItem> {
    let smtp = addr.transport.as_ref().and_then(|t| t.driver.as_smtp());
    match (smtp, &addr.transport) {
        (Some(smtp), Some(t)) if smtp.options.hosts.is_set() && (addr.hosts.is_empty() || smtp.options.hosts_override) => {
            let saved = ctx.address.clone();
            crate::route::set_address_vars(ctx, addr);
            let hosts = transport_hosts(ctx, smtp, &t.name);
            ctx.address = saved;
            hosts
        }
        _ => addr.hosts.clone(),
    }
}

fn transport_hosts(ctx: &mut Context, smtp: &Smtp, name: &[u8]) -> Vec<HostItem> {
    let o = &smtp.options;
    let Some(template) = o.hosts.get() else { return Vec::new() };
    let list = match expand::expand(ctx, template) {
        Ok(l) => l,
        Err(e) => {
            let line = format!(
                "failed to expand list of hosts \"{}\" in {} transport for callout: {e}",
                template.raw().as_bstr(),
                name.as_bstr()
            );
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            return Vec::new();
        }
    };
    let randomize = matches!(o.hosts_randomize, ExpBool::Fixed(true));
    let mut out = Vec::new();
    for item in hostlist::build(ctx, &list, randomize) {
        let (host_name, port, mx) = hostlist::split_host(&item.name);
        let host = HostItem { name: Text::tainted(host_name), port: port.or(item.port), ..item };
        let options = LookupOptions {
            qualify_single: o.dns_qualify_single,
            search_parents: o.dns_search_parents,
            ..LookupOptions::default()
        };
        let found = if literal(&host.name).is_some() || o.gethostbyname {
            find_by_name(ctx, &host, &options)
        } else {
            find_by_dns(ctx, &host, &DnsWants { mx, address: true, ..DnsWants::default() }, &options)
        };
        // If none has an address, the callout defers.
        match found {
            HostSearch::Found { hosts, .. } => out.extend(hosts),
            _ => out.push(host),
        }
    }
    out
}
