//! Finding the addresses of hosts that mail may go to: by name, by DNS (SRV, MX, addresses), and which of them are
//! this host (manual chapters 17, 20).
//!
//! Used by routers, by the smtp transport for its own host lists, and by callouts.

mod bydns;
mod byname;
pub mod local;
mod order;

pub use bydns::{DnsWants, find_by_dns};
pub use byname::find_by_name;

use std::net::IpAddr;

use bstr::ByteSlice;

use super::HostItem;
use crate::context::Context;
use crate::expand::Template;
use crate::matching::{self, Match};
use crate::text::Text;

/// What a search for a host's addresses gave.
#[derive(Debug)]
pub enum HostSearch {
    /// Addresses, the best first. The first one is this host if `local`; later ones that are have been removed,
    /// with all that are not better.
    Found {
        /// The list.
        hosts: Vec<HostItem>,
        /// The full name of the domain or host, after widening.
        name: Text,
        /// The first is this host.
        local: bool,
        /// Hosts were removed from the end because they are this host.
        removed: bool,
        /// The name by which `hosts_treat_as_local` made one of them this host.
        treated: Option<Text>,
        /// They are from MX (or SRV) records.
        from_mx: bool,
    },
    /// There is no such host, or none of its addresses is usable.
    Failed(Failed),
    /// Try again later.
    Again,
    /// DNSSEC was required and is lacking.
    Insecure,
}

/// Why a search failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// No records, or none whose address is not in `ignore_target_hosts`.
    NoRecords,
    /// There are MX records, but none has a usable address.
    AllMxBad {
        /// At least one is an IP address.
        literal: bool,
        /// The most preferred name.
        best: Text,
    },
    /// A null MX (RFC 7505) or SRV: no mail service.
    NoService,
}

/// How names are looked up.
#[derive(Clone, Copy, Debug, Default)]
pub struct LookupOptions<'a> {
    /// RES_DEFNAMES.
    pub qualify_single: bool,
    /// RES_DNSRCH.
    pub search_parents: bool,
    /// `ignore_target_hosts`.
    pub ignore: Option<&'a Template>,
    /// `dnssec_request_domains`.
    pub dnssec_request: Option<&'a Template>,
    /// `dnssec_require_domains`.
    pub dnssec_require: Option<&'a Template>,
    /// How the trace of `-bh` calls the two lists.
    pub trace: DnssecTrace,
    /// Look whether hosts are this host.
    pub check_local: bool,
}

/// What `dnssec_request` and `dnssec_require` of [`LookupOptions`] are, for the trace of `-bh`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DnssecTrace {
    /// They do not apply.
    #[default]
    None,
    /// The values of the options of these names, or unset ones.
    Options,
    /// Lists that are no option's.
    Lists,
}

/// Is the address in `ignore_target_hosts`? A list that cannot be tested counts as no.
fn ignored(ctx: &mut Context, list: Option<&Template>, name: &Text, ip: IpAddr) -> bool {
    let Some(list) = list else { return false };
    matching::match_host_named(ctx, name, Some(ip), list) == Match::Yes
}

/// One host item for an address.
fn with_address(host: &HostItem, ip: IpAddr) -> HostItem {
    HostItem { address: Some(ip), address_text: ip.to_string().into(), ..host.clone() }
}

/// Should IPv6 addresses of the name be left out? (`disable_ipv6`, `dns_ipv4_lookup`)
fn ipv4_only(ctx: &mut Context, name: &Text) -> bool {
    if ctx.config.main.disable_ipv6 {
        return true;
    }
    match ctx.config.main.dns_ipv4_lookup.get().cloned() {
        Some(list) => matching::match_domain(ctx, name, &list, None) == Match::Yes,
        None => false,
    }
}

/// Is the name in one of the DNSSEC lists? `kind` is `require` or `request`.
fn in_dnssec(ctx: &mut Context, name: &Text, kind: &str, list: Option<&Template>, trace: DnssecTrace) -> bool {
    crate::log::hdebug!(ctx, HOST_LOOKUP, "check dnssec {kind} list");
    ctx.scratch.debug_level += 1;
    let subject = matching::Subject::Domain(name);
    let option = format!("dnssec_{kind}_domains");
    let found = match (list, trace) {
        (Some(l), DnssecTrace::Options) => matching::match_option(ctx, &option, subject, l, None) == Match::Yes,
        (Some(l), _) => matching::match_domain(ctx, name, l, None) == Match::Yes,
        (None, DnssecTrace::Options) => {
            matching::trace_unset(ctx, &option, subject);
            false
        }
        (None, DnssecTrace::Lists) => {
            matching::trace_empty(ctx, subject);
            false
        }
        (None, DnssecTrace::None) => false,
    };
    ctx.scratch.debug_level = ctx.scratch.debug_level.saturating_sub(1);
    found
}

/// Does `srv_fail_domains` or `mx_fail_domains` hold the name?
fn in_fail_domains(ctx: &mut Context, name: &Text, list: Option<&Template>) -> bool {
    if list.is_none() {
        matching::trace_empty(ctx, matching::Subject::Domain(name));
    }
    in_domains(ctx, name, list)
}

/// Does a list of domains hold the name? An unset list does not.
fn in_domains(ctx: &mut Context, name: &Text, list: Option<&Template>) -> bool {
    list.is_some_and(|l| matching::match_domain(ctx, name, l, None) == Match::Yes)
}

/// Is an AGAIN for this name to be taken as "does not exist" (`dns_again_means_nonexist`)?
fn again_is_nonexistent(ctx: &mut Context, name: &[u8]) -> bool {
    matching::again_means_nonexist(ctx, name)
}

/// The name that a certificate must have if it is not `full`: that at the head of the chain of CNAMEs that led there
/// (manual section 42.6). A name that was only widened by a search domain is no such chain.
fn cert_name(asked: &Text, full: &Text) -> Option<Text> {
    let widened = full.get(..asked.len()).is_some_and(|f| f.eq_ignore_ascii_case(asked))
        && (full.len() == asked.len() || full.get(asked.len()) == Some(&b'.'));
    (!widened).then(|| asked.clone())
}

/// The address that a host name is, if it is one (brackets allowed around IPv6).
pub fn literal(name: &[u8]) -> Option<IpAddr> {
    let bare = name.strip_prefix(b"[").and_then(|n| n.strip_suffix(b"]")).unwrap_or(name);
    bare.to_str().ok()?.parse().ok()
}
