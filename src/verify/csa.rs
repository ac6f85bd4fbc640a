//! Client SMTP authorization: SRV records that say which hosts may send mail under a HELO name (manual section 44.53).

use bstr::ByteSlice;

use super::Outcome;
use crate::context::Context;
use crate::dns::{self, Query, RData, RecordType};

/// The result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Csa {
    /// Nothing is published, or it does not apply.
    Unknown,
    /// Authorized.
    Ok,
    /// The record could not be looked up.
    DeferSrv,
    /// The addresses of its target could not be looked up.
    DeferAddress,
    /// A parent domain says that its hosts need records of their own.
    FailExplicit,
    /// The record says no.
    FailDomain,
    /// The target has no address.
    FailNoAddress,
    /// The client is not one of the target's addresses.
    FailMismatch,
}

impl Csa {
    /// For messages.
    pub fn reason(self) -> &'static str {
        match self {
            Csa::Unknown => "unknown",
            Csa::Ok => "ok",
            Csa::DeferSrv => "deferred (SRV lookup failed)",
            Csa::DeferAddress => "deferred (target address lookup failed)",
            Csa::FailExplicit => "failed (explicit authorization required)",
            Csa::FailDomain => "failed (host name not authorized)",
            Csa::FailNoAddress => "failed (no authorized addresses)",
            Csa::FailMismatch => "failed (client address mismatch)",
        }
    }

    /// `$csa_status`
    pub fn status(self) -> &'static str {
        match self {
            Csa::Unknown => "unknown",
            Csa::Ok => "ok",
            Csa::DeferSrv | Csa::DeferAddress => "defer",
            _ => "fail",
        }
    }

    /// What the condition says. It does not defer: too many good senders would be held up.
    pub fn outcome(self) -> Outcome {
        match self {
            Csa::Unknown | Csa::Ok | Csa::DeferSrv | Csa::DeferAddress => Outcome::Ok,
            Csa::FailExplicit | Csa::FailDomain | Csa::FailNoAddress | Csa::FailMismatch => Outcome::Fail,
        }
    }
}

/// Checks the client under a domain; without one, under its HELO name, or else its address.
pub fn check(ctx: &mut Context, domain: Option<&[u8]>) -> Csa {
    let session = &ctx.session;
    let Some(ip) = session.host_ip else { return Csa::Unknown };
    let given = domain.map(|d| d.trim()).filter(|d| !d.is_empty());
    let mut name = match (given, &session.helo_name) {
        (Some(d), _) => d.to_vec(),
        (None, Some(helo)) => helo.to_vec(),
        (None, None) => ip.to_string().into_bytes(),
    };
    // An address literal: without brackets and keyword.
    if name.first() == Some(&b'[') {
        let start = name.find_byte(b':').map_or(1, |i| i + 1);
        name = name.get(start..name.len().saturating_sub(1)).unwrap_or_default().to_vec();
    }
    if let Some(literal) = name.to_str().ok().and_then(|t| t.parse().ok()) {
        if !ctx.config.main.dns_csa_use_reverse {
            return Csa::Unknown;
        }
        name = dns::reverse_name(literal).into_bytes();
    }
    let limit = u32::try_from(ctx.config.main.dns_csa_search_limit.0).unwrap_or(0);
    let found = ctx.services.dns.csa(&name, limit, false);
    match found.answer.outcome {
        dns::Outcome::Found => {}
        dns::Outcome::NoMatch | dns::Outcome::NoData => return Csa::Unknown,
        _ => return Csa::DeferSrv,
    }
    let mut target = None;
    for record in found.answer.of_type(RecordType::Srv) {
        let RData::Srv { priority, weight, port, target: t } = &record.data else { continue };
        // The priority is CSA's version number.
        if *priority != 1 {
            continue;
        }
        if found.from_parent {
            return if port & 1 != 0 { Csa::FailExplicit } else { Csa::Unknown };
        }
        match weight {
            0 | 1 => return Csa::FailDomain,
            2 => {
                target = Some(t.clone());
                break;
            }
            _ => {}
        }
    }
    let Some(target) = target else { return Csa::Unknown };
    if target.is_empty() || target == "." {
        return Csa::FailNoAddress;
    }
    let among = |records: &mut dyn Iterator<Item = &dns::Record>| {
        let mut verdict = Csa::FailNoAddress;
        for r in records.filter(|r| r.name.eq_ignore_ascii_case(&target)) {
            match r.data.address() {
                Some(a) if a == ip => return Csa::Ok,
                Some(_) => verdict = Csa::FailMismatch,
                None => {}
            }
        }
        verdict
    };
    let verdict = among(&mut found.answer.additional.iter());
    if verdict != Csa::FailNoAddress {
        return verdict;
    }
    let rtype = if ip.is_ipv4() { RecordType::A } else { RecordType::Aaaa };
    let answer = dns::note::lookup(ctx, &Query::new(&target, rtype));
    match answer.outcome {
        dns::Outcome::Found => among(&mut answer.records.iter()),
        dns::Outcome::NoMatch | dns::Outcome::NoData => Csa::FailNoAddress,
        _ => Csa::DeferAddress,
    }
}
