//! Is a DNS answer DNSSEC-secure? Called by everything that acts on it: host lookups, DANE, `dnsdb`, reverse lookups.

use super::{Match, match_domain};
use crate::context::Context;
use crate::dns::Answer;
use crate::text::Text;

/// Validated by the resolver (AD), or authoritative from a zone in `dns_trust_aa`.
pub fn dns_secure(ctx: &mut Context, answer: &Answer) -> bool {
    let list = ctx.config.main.dns_trust_aa.get().cloned();
    answer.is_secure(&mut |zone| {
        list.as_ref().is_some_and(|l| match_domain(ctx, &Text::tainted(zone.to_vec()), l, None) == Match::Yes)
    })
}
