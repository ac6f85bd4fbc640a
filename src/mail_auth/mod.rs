//! SPF, DKIM, DMARC, ARC, SRS, DomainKeys.

/// `$spf_...` of a session.
#[derive(Clone, Debug, Default)]
pub struct SpfFacts {}

/// Begins the SPF state of a connection; `None`: this build has no SPF.
pub fn spf_connection(_: &mut crate::context::Context) -> Option<std::sync::Arc<SpfFacts>> {
    None
}
