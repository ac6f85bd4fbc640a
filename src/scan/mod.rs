//! Content scanning: MIME parts, malware, spam. Not written yet: configurations that ask for it are refused by name.

use crate::acl::{AclResult, Verdict, Where};
use crate::context::Context;
use crate::expand::Template;
use crate::text::Text;

/// The MIME ACL, for each part of the message.
pub fn mime_acl(_: &mut Context, _: Where, _: &Template) -> AclResult {
    AclResult { verdict: Verdict::Error, user_message: None, log_message: Some(Text::clean("acl_smtp_mime is not implemented")) }
}
