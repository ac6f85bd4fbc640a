//! ETRN: a queue run for a domain, or smtp_etrn_command.
//!
//! The run is started in a child of its own, which this process does not wait for. smtp_etrn_serialize keeps a record in
//! the `misc` hints while it runs; the argument is only ever a bound value there (CVE-2025-26794).

use bstr::{BString, ByteSlice};

use super::Next;
use super::server::Server;
use crate::acl::{self, Verdict, Where};
use crate::context::Context;
use crate::context::names::host_and_ident;
use crate::expand::{self, Template};
use crate::hints::Mode;
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
            None => acl::missing(ctx),
        };
        if result.verdict != Verdict::Ok {
            return self.refuse(ctx, Where::Etrn, result);
        }
        let what = match ctx.config.main.smtp_etrn_command.get().cloned() {
            Some(command) => {
                ctx.address.domain = Some(Text::tainted(argument.clone()));
                let argv = set_up(ctx, &command);
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
        // Not the argument itself, which is the peer's, but a sum of it.
        let sum = openssl::hash::hash(openssl::hash::MessageDigest::md5(), key)
            .map(|d| data_encoding::HEXLOWER.encode(&d))
            .unwrap_or_default();
        let key = BString::from(format!("etrn-{sum}"));
        if serialize && !self.take_place(ctx, &key) {
            let mut shown = self.line.argument.to_vec();
            if !ctx.config.main.smtp_etrn_command.is_set() {
                // Of the standard form only the name is left by now.
                shown = shown.strip_prefix(b"#").unwrap_or(&shown).to_vec();
            }
            self.reply(ctx, [b"458 Already processing ", shown.as_slice()].concat());
            return Next::Command;
        }
        super::flush(ctx);
        let lock = serialize.then_some(key.as_slice());
        if let Err(e) = crate::daemon::run_detached(ctx, &argv, lock, "ETRN") {
            let program = argv.first().cloned().unwrap_or_default();
            let line = format!("exec of \"{program}\" (ETRN) failed: {}", crate::sys::error_text(&e));
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            if serialize {
                crate::hints::serialize::give_back(ctx.services.hints.as_ref(), &key);
            }
        }
        self.accept(ctx, "250", "OK", message.as_ref());
        Next::Command
    }

    /// smtp_etrn_serialize: false when such a run is going on.
    fn take_place(&self, ctx: &Context, key: &[u8]) -> bool {
        match crate::hints::open(ctx, "misc", Mode::Write) {
            // Without hints there is no serialization.
            Ok(Some(mut db)) => crate::hints::serialize::start(&mut *db, key, 1).unwrap_or(true),
            _ => true,
        }
    }
}

/// Splits smtp_etrn_command at white space (not within quotes), and expands each argument.
fn set_up(ctx: &mut Context, command: &Template) -> Result<Vec<BString>, String> {
    let mut argv: Vec<BString> = Vec::new();
    let mut rest = command.raw().trim_start();
    while let Some(&first) = rest.first() {
        let word: Vec<u8> = match first {
            b'\'' => {
                let end = rest.get(1..).and_then(|r| r.find_byte(b'\'')).ok_or("unmatched quote")?;
                let w = rest.get(1..=end).unwrap_or_default().to_vec();
                rest = rest.get(end + 2..).unwrap_or_default();
                w
            }
            b'"' => {
                let mut w = Vec::new();
                let mut at = 1;
                loop {
                    match rest.get(at) {
                        None => return Err("unmatched quote".into()),
                        Some(b'"') => break,
                        Some(b'\\') => {
                            at += 1;
                            w.extend(rest.get(at));
                        }
                        Some(c) => w.push(*c),
                    }
                    at += 1;
                }
                rest = rest.get(at + 1..).unwrap_or_default();
                w
            }
            _ => {
                let end = rest.find_byteset(b" \t\n").unwrap_or(rest.len());
                let (w, r) = rest.split_at(end);
                rest = r;
                w.to_vec()
            }
        };
        rest = rest.trim_start();
        let expanded = expand::expand_once(ctx, &word).map_err(|e| e.to_string())?;
        argv.push(expanded.into_bytes().into());
    }
    match argv.first() {
        None => Err("no command specified".into()),
        Some(p) if !p.starts_with(b"/") => Err(format!("\"{p}\" command name is not absolute")),
        Some(_) => Ok(argv),
    }
}
