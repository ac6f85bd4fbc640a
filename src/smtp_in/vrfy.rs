//! VRFY and EXPN: the ACL, then the verification of the address.

use super::Next;
use super::server::Server;
use crate::acl::{self, Verdict, Where};
use crate::context::Context;
use crate::context::names::host_and_ident;
use crate::log::{self, Which};
use crate::parse;
use crate::text::Text;

impl Server {
    fn ask(
        &mut self,
        ctx: &mut Context,
        place: Where,
        address: Option<&Text>,
        option: crate::config::options::Str,
    ) -> Option<Next> {
        let result = match option.get() {
            Some(list) => acl::check(ctx, place, address, list),
            None => acl::missing(ctx),
        };
        (result.verdict != Verdict::Ok).then(|| self.refuse(ctx, place, result))
    }

    /// VRFY
    pub fn vrfy(&mut self, ctx: &mut Context) -> Next {
        self.had(ctx);
        let argument = self.line.argument.clone();
        let found = match parse::extract_address(&mut parse::Rules::new(&ctx.config.main), &argument) {
            Ok(f) => f,
            Err(e) => {
                self.reply(ctx, format!("501 {e}"));
                return Next::Command;
            }
        };
        let mut address = Text::tainted(found.address.clone());
        if !found.is_qualified() {
            match self.qualify_recipient(ctx, &address, &argument, "verify") {
                Some(a) => address = a,
                None => return Next::Command,
            }
        }
        let option = ctx.config.main.acl_smtp_vrfy.clone();
        if let Some(next) = self.ask(ctx, Where::Vrfy, Some(&address), option) {
            return next;
        }
        let answer = match crate::verify::vrfy(ctx, &address) {
            crate::verify::Vrfy::Ok => format!("250 <{address}> is deliverable"),
            crate::verify::Vrfy::Defer(Some(m)) => format!("451 <{address}> {m}"),
            crate::verify::Vrfy::Defer(None) => format!("451 Cannot resolve <{address}> at this time"),
            crate::verify::Vrfy::Fail(m) => {
                let line = format!("VRFY failed for {argument} {}", host_and_ident(ctx, true));
                log::write(ctx, None, Which::MAIN, line.as_bytes());
                match m {
                    Some(m) => format!("550 <{address}> {m}"),
                    None => format!("550 <{address}> is not deliverable"),
                }
            }
        };
        self.reply(ctx, answer);
        Next::Command
    }

    /// EXPN
    pub fn expn(&mut self, ctx: &mut Context) -> Next {
        self.had(ctx);
        let option = ctx.config.main.acl_smtp_expn.clone();
        if let Some(next) = self.ask(ctx, Where::Expn, None, option) {
            return next;
        }
        let address = Text::tainted(self.line.argument.clone());
        let lines = crate::verify::expn(ctx, &address);
        for l in lines {
            self.reply(ctx, l);
        }
        Next::Command
    }
}
