//! SPF, DKIM, DMARC, ARC, SRS, DomainKeys.

/// `$spf_...` of a session.
#[derive(Clone, Debug, Default)]
pub struct SpfFacts {}
