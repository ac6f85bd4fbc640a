//! ETRN: a queue run for a domain, or smtp_etrn_command.
//!
//! The run is started in a child of its own, which this process does not wait for. smtp_etrn_serialize keeps a record in
//! the `misc` hints while it runs; the argument is only ever a bound value there (CVE-2025-26794).

use bstr::{BString, ByteSlice};

use super::Next;
use super::server::Server;
use crate::acl::{self, AclResult, Verdict, Where};
use crate::context::Context;
use crate::context::names::host_and_ident;
use crate::log::{self, Selector, Which};
use crate::text::Text;

impl Server {
    /// ETRN
    pub fn etrn(&mut self, ctx: &mut Context) -> Next {
        self.had(ctx);
        if ctx.message.sender.is_some() {
            let text = "ETRN is not permitted inside a transaction";
            return self.mistake(ctx, Selector::SmtpProtocolError, 503, None, text);
        }
        let argument = self.line.argument.clone();
        let line = format!("ETRN {argument} received from {}", host_and_ident(ctx, false));
        log::write(ctx, Some(Selector::Etrn), Which::MAIN, line.as_bytes());
        let result = match ctx.config.main.acl_smtp_etrn.get().cloned() {
            Some(list) => acl::check(ctx, Where::Etrn, None, &list),
            None => AclResult { verdict: Verdict::Fail, user_message: None, log_message: None },
        };
        if result.verdict != Verdict::Ok {
            return self.refuse(ctx, Where::Etrn, result);
        }
        let what = match ctx.config.main.smtp_etrn_command.get().cloned() {
            Some(command) => {
                ctx.address.domain = Some(Text::tainted(argument.clone()));
                let argv = crate::transports::command::set_up(ctx, &command, "ETRN processing");
                ctx.address.domain = None;
                match argv {
                    Ok(argv) => (command.raw().as_bstr().to_owned(), argv),
                    Err(e) => {
                        let line = format!("failed to set up ETRN command: {e}");
                        log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
                        self.reply(ctx, "458 Internal failure");
                        return Next::Command;
                    }
                }
            }
            None => {
                let Some(name) = argument.strip_prefix(b"#") else {
                    return self.mistake(ctx, Selector::SmtpSyntaxError, 501, None, "argument must begin with #");
                };
                let mut argv: Vec<BString> = vec!["-R".into(), name.into()];
                if !ctx.session.queue_name.is_empty() {
                    argv.extend(["-MCG".into(), ctx.session.queue_name.clone()]);
                }
                (BString::from("exim -R"), crate::daemon::own_command(ctx, &argv))
            }
        };
        self.run_etrn(ctx, &argument, what, result.user_message)
    }

    fn run_etrn(&mut self, ctx: &mut Context, key: &[u8], what: (BString, Vec<BString>), message: Option<Text>) -> Next {
        let (command, argv) = what;
        if ctx.run.host_checking {
            log::hdebug!(ctx, RECEIVE, "ETRN command is: {command}");
            log::hdebug!(ctx, RECEIVE, "ETRN command execution skipped");
            self.accept(ctx, "250", "OK", message.as_ref());
            return Next::Command;
        }
        let serialize = ctx.config.main.smtp_etrn_serialize;
        let key: BString = [b"etrn-", key].concat().into();
        if serialize && !crate::hints::serialize::take(ctx.services.hints.as_ref(), &key, 1) {
            let shown = self.line.argument.strip_prefix(b"#").unwrap_or(&self.line.argument).to_owned();
            self.reply(ctx, [b"458 Already processing ", shown.as_slice()].concat());
            return Next::Command;
        }
        super::flush(ctx);
        let done = serialize.then_some(key.as_slice());
        match crate::daemon::run_detached(ctx, &argv, done, "ETRN") {
            Ok(()) => self.accept(ctx, "250", "OK", message.as_ref()),
            Err(e) => {
                let line = format!("fork of process for ETRN failed: {}", crate::sys::error_text(&e));
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
                self.reply(ctx, "458 Unable to fork process");
                if serialize {
                    crate::hints::serialize::give_back(ctx.services.hints.as_ref(), &key);
                }
            }
        }
        Next::Command
    }
}
