//! `passwd`: a user of this host (manual section 9.4).

use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use crate::context::Context;

/// The type.
pub struct Passwd;

impl Driver for Passwd {
    fn name(&self) -> &'static str {
        "passwd"
    }
    fn style(&self) -> Style {
        Style::Query
    }
    fn open(&self, _: &mut Context, _: &[u8]) -> Result<Box<dyn Handle>, String> {
        Ok(Box::new(Open))
    }
}

struct Open;

impl Handle for Open {
    fn find(&mut self, ctx: &mut Context, ask: &Ask<'_>) -> Answer {
        match ctx.config.user_by_name(ask.key) {
            Ok(Some(u)) => {
                let mut out = format!("*:{}:{}:", u.uid, u.gid).into_bytes();
                for (i, part) in [&u.gecos, &u.home, &u.shell].into_iter().enumerate() {
                    if i > 0 {
                        out.push(b':');
                    }
                    out.extend_from_slice(part);
                }
                Answer::Found(out, Keep::Always)
            }
            Ok(None) => Answer::NotFound(Keep::Always),
            Err(e) => Answer::Defer(crate::sys::error_text(&e)),
        }
    }
}
