//! SPF, DKIM, DMARC, ARC, SRS, DomainKeys.

/// `$spf_...` of a session.
#[derive(Clone, Debug, Default)]
pub struct SpfFacts {}

/// A whole SMTP message has been read: signatures are judged, acl_smtp_dkim runs.
pub fn message_received(ctx: &mut crate::context::Context) -> Result<(), crate::acl::AclResult> {
    if ctx.config.main.acl_smtp_dkim.is_set() {
        return Err(crate::acl::AclResult {
            verdict: crate::acl::Verdict::Error,
            user_message: None,
            log_message: Some(crate::text::Text::clean("option acl_smtp_dkim is not implemented")),
        });
    }
    Ok(())
}

/// `DKIM=... SPF... DMARC...` for the arrival line.
pub fn arrival_fields(ctx: &crate::context::Context) -> Vec<u8> {
    let _ = ctx;
    Vec::new()
}

/// Begins the SPF state of a connection; `None`: this build has no SPF.
pub fn spf_connection(_: &mut crate::context::Context) -> Option<std::sync::Arc<SpfFacts>> {
    None
}
