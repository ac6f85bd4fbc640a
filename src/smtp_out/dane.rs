//! DANE (RFC 7672, manual section 42.18): is it to be used with a host, and with which TLSA records?
//!
//! Called when a connection is set up, and by the smtp transport when it groups addresses or goes on with a connection.
//! The records are judged by `crate::tls_openssl`; nothing here connects.

use super::in_hosts;
use super::requiretls::{self, Wish};
use crate::context::Context;
use crate::dns::{Outcome, Query, RData, RecordType, note};
use crate::log::{self, Which};
use crate::matching;
use crate::route::HostItem;
use crate::tls_openssl::TlsaRecord;
use crate::transports::smtp::{Protocol, Smtp};

/// Whether DANE is to be used with a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dane {
    /// No.
    No,
    /// With these records.
    Yes(Vec<TlsaRecord>),
    /// The host cannot be used.
    Broken {
        /// For the log.
        message: String,
        /// Addresses fail for good.
        definite: bool,
        /// `$event_data` of `dane:fail`.
        result: &'static str,
    },
}

impl Dane {
    /// A verified connection is demanded.
    pub fn is_used(&self) -> bool {
        matches!(self, Dane::Yes(_))
    }
}

/// What the records of a host have led to.
enum Tlsa {
    Records(Vec<TlsaRecord>),
    /// There are none.
    None,
    /// There are some, but DNSSEC does not vouch for them.
    Insecure,
    /// That cannot be known now.
    Later,
    /// The answer is broken.
    Broken,
}

/// Will the connection to the host be one of DANE?
pub fn is_wanted(ctx: &mut Context, smtp: &Smtp, host: &HostItem, port: u16) -> bool {
    host.dnssec == Some(true) && in_either_list(ctx, smtp, host) && matches!(look_up(ctx, host, port), Tlsa::Records(_))
}

fn in_either_list(ctx: &mut Context, smtp: &Smtp, host: &HostItem) -> bool {
    let o = &smtp.options;
    // `TLS-Required: No` asks to do without what the recipient's domain wants, but not without what this host's
    // administrator does.
    let try_it = requiretls::wish(ctx) != Wish::Relaxed;
    smtp.protocol != Protocol::Lmtp
        && (in_hosts(ctx, "hosts_require_dane", &o.hosts_require_dane, host)
            || (try_it && in_hosts(ctx, "hosts_try_dane", &o.hosts_try_dane, host)))
}

/// Looks for TLSA records as `hosts_try_dane` and `hosts_require_dane` say.
pub fn wanted(ctx: &mut Context, smtp: &Smtp, host: &HostItem, port: u16) -> Dane {
    if !in_either_list(ctx, smtp, host) {
        return Dane::No;
    }
    let required = in_hosts(ctx, "hosts_require_dane", &smtp.options.hosts_require_dane, host);
    let broken = |what: &str, definite: bool| Dane::Broken {
        message: format!("DANE error: {what}"),
        definite,
        result: if required { "dane-required" } else { "dnssec-invalid" },
    };
    if host.dnssec != Some(true) {
        return if required { broken(&format!("{} lookup not DNSSEC", host.name), true) } else { Dane::No };
    }
    let found = look_up(ctx, host, port);
    if matches!(found, Tlsa::Insecure) {
        let line = format!("DANE error: TLSA lookup for {} not DNSSEC", host.name);
        log::write(ctx, None, Which::MAIN, line.as_bytes());
    }
    match (found, required) {
        (Tlsa::Records(r), _) => Dane::Yes(r),
        (Tlsa::None | Tlsa::Insecure, false) => Dane::No,
        (Tlsa::None | Tlsa::Insecure | Tlsa::Broken, true) => broken("tlsa lookup FAIL", true),
        (Tlsa::Later, _) | (Tlsa::Broken, false) => broken("tlsa lookup DEFER", false),
    }
}

fn look_up(ctx: &mut Context, host: &HostItem, port: u16) -> Tlsa {
    let name = format!("_{port}._tcp.{}", host.name);
    let answer = note::lookup(ctx, &Query::new(name.as_bytes(), RecordType::Tlsa).dnssec(true));
    match answer.outcome {
        Outcome::Found => {}
        Outcome::NoMatch | Outcome::NoData => return Tlsa::None,
        Outcome::Again => return Tlsa::Later,
        Outcome::Fail => return Tlsa::Broken,
    }
    if !matching::dns_secure(ctx, &answer) {
        return Tlsa::Insecure;
    }
    let records: Vec<TlsaRecord> = answer
        .of_type(RecordType::Tlsa)
        .filter_map(|r| match &r.data {
            RData::Tlsa { usage, selector, matching, data } => {
                Some(TlsaRecord { usage: *usage, selector: *selector, matching: *matching, data: data.to_vec() })
            }
            _ => None,
        })
        .collect();
    if records.is_empty() { Tlsa::None } else { Tlsa::Records(records) }
}
