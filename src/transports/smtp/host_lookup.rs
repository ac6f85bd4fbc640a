//! Finding the addresses of hosts that the transport's own options name.

use bstr::BString;

use super::hosts::{Run, Skipped};
use super::result::{Blame, State};
use crate::context::Context;
use crate::retry::{self, errors};
use crate::route::address::HostStatus;
use crate::route::hosts::{DnsWants, HostSearch, LookupOptions, find_by_dns, find_by_name, literal};
use crate::route::{HostItem, hostlist};

impl Run<'_, '_> {
    /// Finds the addresses of a host that was given by name. False: there are none, the host is passed over.
    pub(super) fn look_up(
        &mut self,
        ctx: &mut Context,
        hosts: &mut Vec<HostItem>,
        at: usize,
        skipped: &mut Skipped,
        expired: &mut bool,
    ) -> bool {
        let o = &self.smtp.options;
        skipped.total += 1;
        let (name, port, _) = hostlist::split_host(&hosts[at].name);
        let host = HostItem { name: hosts[at].name.piece(name), port: port.or(hosts[at].port), ..hosts[at].clone() };
        let lookup = LookupOptions {
            qualify_single: o.dns_qualify_single,
            search_parents: o.dns_search_parents,
            ignore: None,
            dnssec_request: o.dnssec_request_domains.get(),
            dnssec_require: o.dnssec_require_domains.get(),
            trace: crate::route::hosts::DnssecTrace::Options,
            check_local: !o.allow_localhost,
        };
        let found = if o.gethostbyname || literal(&host.name).is_some() {
            find_by_name(ctx, &host, &lookup)
        } else {
            find_by_dns(ctx, &host, &DnsWants { address: true, ..DnsWants::default() }, &lookup)
        };
        let message = match found {
            HostSearch::Found { local: true, .. } if !o.allow_localhost => {
                let message =
                    BString::from(format!("{} transport found host {} to be local", self.job.transport.name, host.name));
                for (a, s) in self.job.batch.iter_mut().zip(self.states.iter_mut()).filter(|(_, s)| **s == State::Deferred) {
                    Blame::ours(errors::HOST_IS_LOCAL, &message, State::Deferred).apply_one(a, s);
                }
                return false;
            }
            HostSearch::Found { hosts: mut found, .. } if !found.is_empty() => {
                skipped.total -= 1;
                for h in &mut found {
                    h.mx = host.mx;
                    h.port = host.port;
                }
                hosts.splice(at..=at, found);
                return true;
            }
            HostSearch::Insecure => format!("lookup of IP address for {} was insecure", host.name),
            HostSearch::Again => {
                skipped.defer += 1;
                format!("failed to lookup IP address for {}", host.name)
            }
            _ => {
                skipped.fail += 1;
                format!("failed to lookup IP address for {}", host.name)
            }
        };
        *expired = false;
        hosts[at].status = HostStatus::Failed;
        let message = BString::from(message);
        for (a, s) in self.job.batch.iter_mut().zip(self.states.iter_mut()).filter(|(_, s)| **s == State::Deferred) {
            Blame::ours(errors::UNKNOWN_HOST, &message, State::Deferred).apply_one(a, s);
        }
        if let Some(a) = self.job.batch.first_mut() {
            // A failure of routing rather than of a host: the address times out if it goes on.
            retry::add_item(a, [b"R:", host.name.as_bytes()].concat(), false, false, false);
        }
        false
    }
}
