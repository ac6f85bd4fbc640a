//! ATRN (RFC 2645): the customer asks for its mail, and the connection is turned round.
//!
//! Here is the command; what is sent then, and how, is in `crate::odmr`. The ACL must have tested `atrn_domains`: it says
//! for which domains the customer gets mail, and without it there is none.

use super::server::Server;
use super::{Next, report};
use crate::acl::{self, Verdict, Where};
use crate::context::Context;
use crate::context::names::host_and_ident;
use crate::expand::{self, ExpandError};
use crate::log::{self, Selector, Which};

impl Server {
    /// Is ATRN there for this client? An ACL that expands to nothing says no.
    pub fn offers_atrn(&mut self, ctx: &mut Context) -> bool {
        let Some(option) = ctx.config.main.acl_smtp_atrn.get().cloned() else { return false };
        self.atrn_advertised = match expand::expand(ctx, &option) {
            Ok(name) => !name.trim_ascii().is_empty(),
            Err(ExpandError::Forced(_)) => false,
            Err(e) => {
                let line = format!("failed to expand acl_smtp_atrn: {e}");
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
                false
            }
        };
        self.atrn_advertised
    }

    /// ATRN
    pub fn atrn(&mut self, ctx: &mut Context) -> Next {
        self.had(ctx);
        let wrong = if !self.atrn_advertised {
            Some((502, "ATRN command used when not advertised"))
        } else if ctx.session.authenticated_by.is_none() {
            Some((530, "ATRN is not permitted without authentication"))
        } else if ctx.message.sender.is_some() {
            Some((503, "ATRN is not permitted inside a transaction"))
        } else {
            None
        };
        if let Some((code, text)) = wrong {
            return self.mistake(ctx, Selector::SmtpProtocolError, code, None, text);
        }
        let line = format!("ATRN '{}' received from {}", self.line.argument, host_and_ident(ctx, false));
        log::write(ctx, Some(Selector::Etrn), Which::MAIN, line.as_bytes());
        ctx.acl.atrn = None;
        let result = match ctx.config.main.acl_smtp_atrn.get().cloned() {
            Some(list) => acl::check(ctx, Where::Atrn, None, &list),
            None => acl::missing(ctx),
        };
        let wanted = ctx.acl.atrn.take();
        if result.verdict != Verdict::Ok {
            return self.refuse(ctx, Where::Atrn, result);
        }
        let Some(wanted) = wanted else {
            self.reply(ctx, "453 You have no mail");
            return Next::Command;
        };
        if ctx.run.host_checking {
            log::hdebug!(ctx, RECEIVE, "ATRN: turning the connection round skipped");
            self.reply(ctx, "453 You have no mail");
            return Next::Command;
        }
        self.reply(ctx, "250 ODMR provider turning line around");
        super::flush(ctx);
        // The session is over; who speaks next is a server that we deliver to.
        self.exit_done = true;
        self.no_mail_line_off = true;
        if let Some(line) = ctx.session.wire.as_mut().and_then(|w| w.take_line()) {
            crate::odmr::provider::send(ctx, line, wanted);
        }
        report::closed(ctx, "after ATRN");
        Next::End
    }
}
