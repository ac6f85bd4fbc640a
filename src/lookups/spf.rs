//! `spf`: what SPF says of an address (the key) and a client (in place of a file).

use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use crate::context::Context;
use crate::log::hdebug;

/// The type.
pub struct Spf;

impl Driver for Spf {
    fn name(&self) -> &'static str {
        "spf"
    }
    fn style(&self) -> Style {
        Style::Key
    }
    fn open(&self, _: &mut Context, _: &[u8]) -> Result<Box<dyn Handle>, String> {
        Ok(Box::new(Open))
    }
}

struct Open;

impl Handle for Open {
    fn find(&mut self, ctx: &mut Context, ask: &Ask<'_>) -> Answer {
        match crate::mail_auth::spf::lookup(ctx, ask.key, ask.file) {
            Ok(word) => Answer::Found(word.into(), Keep::Seconds(60)),
            Err(why) => {
                hdebug!(ctx, LOOKUP, "{why}");
                Answer::NotFound(Keep::Always)
            }
        }
    }
}
