//! Content scanning: MIME parts, malware, spam. Only its refusal to do it is here yet.

use crate::acl::{AclResult, Verdict, Where};
use crate::context::Context;
use crate::expand::Template;
use crate::text::Text;

/// Runs the MIME ACL for each part of the message in hand.
pub fn mime_acl(ctx: &mut Context, place: Where, list: &Template) -> AclResult {
    let _ = (ctx, list);
    let option = if place == Where::Mime { "acl_smtp_mime" } else { "acl_not_smtp_mime" };
    AclResult {
        verdict: Verdict::Error,
        user_message: None,
        log_message: Some(Text::clean(format!("option {option} is not implemented"))),
    }
}
