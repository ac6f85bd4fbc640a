//! SPF, DKIM, DMARC, ARC, SRS, DomainKeys.

/// `$spf_...` of a session.
#[derive(Clone, Debug, Default)]
pub struct SpfFacts {}

/// Begins the SPF state of a connection; `None`: this build has no SPF.
pub fn spf_connection(_: &mut crate::context::Context) -> Option<std::sync::Arc<SpfFacts>> {
    None
}

/// Verifies the signatures of a message that has arrived, and runs the ACLs that go with them.
pub fn message_received(_: &mut crate::context::Context) -> Result<(), crate::acl::AclResult> {
    Ok(())
}

/// Fields of the arrival line (`DKIM=...`).
pub fn arrival_fields(_: &crate::context::Context) -> bstr::BString {
    bstr::BString::default()
}
