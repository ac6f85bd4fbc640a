//! The state of one SMTP dialogue, and its loop of commands.
//!
//! The order of commands is kept by types: DATA and BDAT lead to [`super::Next::Receive`] only with an
//! [`super::Envelope`], and one is made only from a sender and at least one recipient (or a discarded one).

use bstr::{BString, ByteSlice};

use super::answer::RcptAnswers;
use super::command::{self, Known, Line, Sync, Verb};
use super::ratelimit::Rate;
use super::wire::InputEnd;
use super::{Next, SessionEnd, host_is_in, report};
use crate::context::names::{connection_info, host_and_ident};
use crate::context::{AclVars, Context, Message};
use crate::log::{self, Selector, Which};
use crate::receive::{self, Accepted};

/// How HELO is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VerifyHelo {
    /// Not at all.
    #[default]
    No,
    /// The result is only noted.
    Try,
    /// It must be right.
    Require,
}

/// Commands that are not counted as non-mail commands the next time they come.
#[derive(Debug)]
pub struct Free {
    /// RSET
    pub rset: bool,
    /// HELO and EHLO
    pub helo: bool,
    /// STARTTLS
    pub starttls: bool,
    /// AUTH
    pub auth: bool,
}

/// One dialogue.
#[derive(Debug)]
pub struct Server {
    /// The command in hand.
    pub line: Line,
    /// Its short name.
    pub short: &'static str,
    /// HELO or EHLO has been accepted.
    pub helo_seen: bool,
    /// From helo_verify_hosts and helo_try_verify_hosts.
    pub verify_helo: VerifyHelo,
    /// From helo_accept_junk_hosts.
    pub helo_accept_junk: bool,
    /// Which authenticators were advertised, by their place in the configuration; `None`: AUTH was not.
    pub auth_advertised: Option<Vec<bool>>,
    /// STARTTLS was advertised.
    pub tls_advertised: bool,
    /// SMTPUTF8 was advertised.
    pub smtputf8_advertised: bool,
    /// REQUIRETLS was.
    pub requiretls_advertised: bool,
    /// ATRN was advertised.
    pub atrn_advertised: bool,
    /// WELLKNOWN was advertised.
    pub wellknown_advertised: bool,
    /// XCLIENT was advertised.
    pub xclient_advertised: bool,
    /// PIPECONNECT may be advertised.
    pub pipe_connect_acceptable: bool,
    /// Syntax and protocol errors so far.
    pub mistakes: u32,
    /// Unknown commands so far.
    pub unknown: u32,
    /// Non-mail commands so far; whether they count is found out when the first one comes.
    nonmail: u32,
    nonmail_counts: Option<bool>,
    /// See [`Free`].
    pub free: Free,
    /// smtp_accept_max_per_connection; 0 is no limit.
    pub mail_max: Option<i64>,
    /// message_size_limit for this session; 0 is none.
    pub size_limit: i64,
    /// recipients_max for this session; 0 is none.
    pub recipients_max: i64,
    /// smtp_ratelimit_mail
    pub mail_rate: Option<Rate>,
    /// smtp_ratelimit_rcpt
    pub rcpt_rate: Option<Rate>,
    /// The not-QUIT business is done, or QUIT came.
    pub exit_done: bool,
    /// Answers to RCPT in this transaction.
    pub rcpt_answers: RcptAnswers,
    /// recipients_max was passed in this transaction.
    pub too_many_recipients: bool,
    /// A recipient was accepted but thrown away.
    pub discarded: bool,
    /// Which ACL said that recipients are to be thrown away.
    pub discard_note: Option<&'static str>,
    /// ... and its text for the log.
    pub discard_message: Option<crate::text::Text>,
    /// The command before this one was RCPT, or a MAIL that was refused.
    pub last_was_rcpt: bool,
    /// See above.
    pub last_was_rejected_mail: bool,
    pub(super) was_rcpt: bool,
    pub(super) was_rejected_mail: bool,
    /// The line about a session without mail is not to be written (hosts_connection_nolog and such).
    pub no_mail_line_off: bool,
    /// The banner went out within the TLS handshake.
    pub banner_sent: bool,
    /// TLS has begun, and `tls` authenticators have not been tried since.
    pub tls_auth_due: bool,
    /// Messages accepted in this session.
    pub accepted: u64,
    /// Batched SMTP: the error that ended the message in hand.
    pub batch_error: Option<String>,
    /// The PROXY header was bad: nothing but QUIT is obeyed.
    pub proxy_failed: bool,
}

impl Server {
    /// A dialogue before its first check.
    pub fn new() -> Self {
        Server {
            line: Line::default(),
            short: "",
            helo_seen: false,
            verify_helo: VerifyHelo::No,
            helo_accept_junk: false,
            auth_advertised: None,
            tls_advertised: false,
            smtputf8_advertised: false,
            requiretls_advertised: false,
            atrn_advertised: false,
            wellknown_advertised: false,
            xclient_advertised: false,
            pipe_connect_acceptable: false,
            mistakes: 0,
            unknown: 0,
            nonmail: 0,
            nonmail_counts: None,
            free: Free { rset: true, helo: true, starttls: true, auth: true },
            mail_max: None,
            size_limit: 0,
            recipients_max: 0,
            mail_rate: None,
            rcpt_rate: None,
            exit_done: false,
            rcpt_answers: RcptAnswers::default(),
            too_many_recipients: false,
            discarded: false,
            discard_note: None,
            discard_message: None,
            last_was_rcpt: false,
            last_was_rejected_mail: false,
            was_rcpt: false,
            was_rejected_mail: false,
            no_mail_line_off: false,
            banner_sent: false,
            tls_auth_due: false,
            accepted: 0,
            batch_error: None,
            proxy_failed: false,
        }
    }

    /// Runs the dialogue to its end.
    pub fn run(&mut self, ctx: &mut Context, after: &mut dyn FnMut(&mut Context, &Accepted)) -> SessionEnd {
        let end = loop {
            self.new_transaction(ctx);
            self.free.rset = true;
            self.free.helo = true;
            self.free.starttls = true;
            match self.until_message(ctx) {
                Err(end) => break end,
                Ok(envelope) => match receive::smtp::receive(ctx, self, envelope) {
                    receive::smtp::Received::Accepted(accepted) => {
                        super::flush(ctx);
                        after(ctx, &accepted);
                    }
                    receive::smtp::Received::Gone | receive::smtp::Received::Refused => {}
                    receive::smtp::Received::Close(end) => break end,
                },
            }
        };
        super::flush(ctx);
        report::no_mail(ctx, self);
        end
    }

    /// Obeys commands until message data is to come, or the session ends.
    fn until_message(&mut self, ctx: &mut Context) -> Result<super::Envelope, SessionEnd> {
        loop {
            self.tls_auth(ctx);
            self.last_was_rcpt = std::mem::take(&mut self.was_rcpt);
            self.last_was_rejected_mail = std::mem::take(&mut self.was_rejected_mail);
            let next = match self.read_command(ctx, !self.pipe_connect_acceptable) {
                Ok(Command::Known(known)) if !self.proxy_failed || known.verb == Verb::Quit => self.obey(ctx, known),
                Ok(_) if self.proxy_failed => {
                    self.reply(ctx, "503 Command refused, required Proxy negotiation failed");
                    Next::Command
                }
                Ok(Command::Known(known)) => self.obey(ctx, known),
                Ok(Command::Unknown) => self.unknown_command(ctx),
                Ok(Command::Nul) => {
                    let next = self.mistake(ctx, Selector::SmtpSyntaxError, 0, None, "NUL character(s) present (shown as '?')");
                    self.reply(ctx, "501 NUL characters are not allowed in SMTP commands");
                    next
                }
                Ok(Command::BadArgument) => self.mistake(ctx, Selector::SmtpSyntaxError, 501, None, "unexpected argument data"),
                Ok(Command::OutOfSync) => self.sync_failure(ctx),
                Ok(Command::TooManyNonmail) => self.too_many_nonmail(ctx),
                Err(end) => self.input_ended(ctx, &end),
            };
            match next {
                Next::Command => {}
                Next::Close => return Err(SessionEnd::Failed),
                Next::Break => return Err(SessionEnd::Broken),
                Next::End => return Err(SessionEnd::Done),
                Next::Receive(envelope) => return Ok(envelope),
            }
        }
    }

    fn obey(&mut self, ctx: &mut Context, known: &'static Known) -> Next {
        self.short = known.short;
        match known.verb {
            Verb::Helo => self.helo(ctx, false),
            Verb::Ehlo => self.helo(ctx, true),
            Verb::Auth => self.auth(ctx),
            Verb::StartTls => self.starttls(ctx),
            Verb::Mail => self.mail(ctx),
            Verb::Rcpt => self.rcpt(ctx),
            Verb::Data => self.data(ctx),
            Verb::Bdat => self.bdat(ctx),
            Verb::Rset => self.rset(ctx),
            Verb::Noop => self.noop(ctx),
            Verb::Quit => self.quit(ctx),
            Verb::Help => self.help(ctx),
            Verb::Vrfy => self.vrfy(ctx),
            Verb::Expn => self.expn(ctx),
            Verb::Etrn => self.etrn(ctx),
            Verb::Atrn => self.atrn(ctx),
            Verb::Wellknown => self.wellknown(ctx),
            Verb::Xclient => self.xclient(ctx),
        }
    }

    /// Reads a command. `check_sync`: see [`Sync`].
    pub fn read_command(&mut self, ctx: &mut Context, check_sync: bool) -> Result<Command, InputEnd> {
        let Some(wire) = ctx.session.wire.as_mut() else { return Err(InputEnd::Eof) };
        self.line = command::read_line(wire)?;
        let known = command::identify(&mut self.line);
        crate::log::debug!(ctx, RECEIVE, "SMTP<< {}", self.line.text);
        ctx.session.smtp_command = Some(crate::text::Text::tainted(self.line.text.clone()));
        ctx.session.smtp_command_argument = Some(crate::text::Text::tainted(self.line.argument.clone()));
        if self.line.had_nul {
            return Ok(Command::Nul);
        }
        let Some(known) = known.filter(|k| self.recognised(ctx, k.verb)) else {
            if check_sync && !self.in_sync(ctx) {
                return Ok(Command::OutOfSync);
            }
            return Ok(Command::Unknown);
        };
        let must_wait = match known.sync {
            Sync::Always => true,
            Sync::UnlessPipelining => !ctx.session.pipelining_advertised,
            Sync::Never => false,
        };
        if check_sync && must_wait && !self.in_sync(ctx) {
            return Ok(Command::OutOfSync);
        }
        if !known.mail && !self.is_free(known.verb) && self.count_nonmail(ctx) {
            return Ok(Command::TooManyNonmail);
        }
        if !known.argument && !self.line.argument.is_empty() {
            return Ok(Command::BadArgument);
        }
        Ok(Command::Known(known))
    }

    /// Commands of optional extensions are unknown unless they are in use.
    fn recognised(&self, ctx: &Context, verb: Verb) -> bool {
        match verb {
            Verb::Xclient => self.xclient_advertised || ctx.config.main.hosts_xclient.is_set(),
            Verb::Wellknown => ctx.config.main.wellknown_advertise_hosts.is_set(),
            _ => true,
        }
    }

    fn is_free(&self, verb: Verb) -> bool {
        match verb {
            Verb::Rset => self.free.rset,
            Verb::Helo | Verb::Ehlo => self.free.helo,
            Verb::StartTls => self.free.starttls,
            Verb::Auth => self.free.auth,
            _ => false,
        }
    }

    fn count_nonmail(&mut self, ctx: &mut Context) -> bool {
        let counts = match self.nonmail_counts {
            Some(c) => c,
            None => {
                let option = ctx.config.main.smtp_accept_max_nonmail_hosts.clone();
                let c = host_is_in(ctx, "smtp_accept_max_nonmail_hosts", &option);
                self.nonmail_counts = Some(c);
                c
            }
        };
        if counts {
            self.nonmail += 1;
        }
        counts && i64::from(self.nonmail) > ctx.config.main.smtp_accept_max_nonmail.0
    }

    /// Nothing has come ahead of its time.
    pub fn in_sync(&self, ctx: &mut Context) -> bool {
        !ctx.session.enforce_sync || !ctx.session.sent_early()
    }

    /// Notes a command for the history.
    pub fn had(&mut self, ctx: &mut Context) {
        // Only the last ones are ever shown; a peer cannot make the list grow without end.
        if ctx.session.command_history.len() > 200 {
            ctx.session.command_history.drain(..100);
        }
        ctx.session.command_history.push(self.short);
    }

    /// Forgets the message in hand (RSET, a new HELO, the end of a message).
    pub fn new_transaction(&mut self, ctx: &mut Context) {
        crate::verify::cutthrough::new_message(ctx);
        let s = &ctx.session;
        let message = Message {
            queue_name: s.queue_name.clone(),
            originator_login: ctx.message.originator_login.clone(),
            originator_uid: ctx.message.originator_uid,
            originator_gid: ctx.message.originator_gid,
            // A rehearsal's log lines keep the id of its last message, as the reference's do.
            id: if ctx.run.host_checking { std::mem::take(&mut ctx.message.id) } else { Default::default() },
            ..Message::default()
        };
        ctx.message = message;
        let connection = std::mem::take(&mut ctx.acl.connection);
        let files = std::mem::take(&mut ctx.acl.files);
        ctx.acl = AclVars { connection, files, ..AclVars::default() };
        ctx.address = crate::context::AddressVars::default();
        let debug_level = ctx.scratch.debug_level;
        ctx.scratch = crate::context::Scratch { debug_level, ..Default::default() };
        ctx.services.lists.new_message();
        ctx.services.lookups.tidy();
        self.rcpt_answers = RcptAnswers::default();
        self.too_many_recipients = false;
        self.discarded = false;
        self.discard_note = None;
        self.discard_message = None;
    }

    fn unknown_command(&mut self, ctx: &mut Context) -> Next {
        self.unknown += 1;
        if i64::from(self.unknown) <= ctx.config.main.smtp_max_unknown_commands.0 {
            return self.mistake(ctx, Selector::SmtpSyntaxError, 500, None, "unrecognized command");
        }
        let command = super::answer::printable(ctx, &self.line.text);
        let line = format!("SMTP syntax error in \"{command}\" {} unrecognized command", host_and_ident(ctx, true));
        log::write(ctx, Some(Selector::SmtpSyntaxError), Which::MAIN, line.as_bytes());
        report::incomplete_transaction(ctx, "unrecognized command");
        self.not_quit(ctx, Some("bad-commands"), Some(("500", "Too many unrecognized commands")));
        let line = format!(
            "SMTP call from {} dropped: too many unrecognized commands (last was \"{command}\")",
            host_and_ident(ctx, false)
        );
        log::write(ctx, None, Which::MAIN.and(Which::REJECT), line.as_bytes());
        Next::End
    }

    /// Input came before the answer that it should have waited for.
    pub fn sync_failure(&mut self, ctx: &mut Context) -> Next {
        self.log_sync_failure(ctx, 150);
        self.not_quit(ctx, Some("synchronization-error"), Some(("554", "SMTP synchronization error")));
        Next::Close
    }

    /// The log line of it, with so much of the input.
    pub fn log_sync_failure(&mut self, ctx: &mut Context, shown: usize) {
        let waiting: BString = ctx.session.wire.as_ref().map(|w| w.unread()).unwrap_or_default().into();
        report::incomplete_transaction(ctx, "sync failure");
        let line = format!(
            "SMTP protocol synchronization error (next input sent too soon: pipelining was{} advertised): rejected \"{}\" {} \
             next input=\"{}\"{}",
            if ctx.session.pipelining_advertised { "" } else { " not" },
            super::answer::printable(ctx, &self.line.text),
            host_and_ident(ctx, true),
            super::answer::printable(ctx, waiting.get(..shown).unwrap_or(&waiting)),
            if waiting.len() > shown { "..." } else { "" },
        );
        log::write(ctx, None, Which::MAIN.and(Which::REJECT), line.as_bytes());
    }

    fn too_many_nonmail(&mut self, ctx: &mut Context) -> Next {
        report::incomplete_transaction(ctx, "too many non-mail commands");
        let text = &self.line.text;
        let word = text.get(..text.find_byteset(b" \t").unwrap_or(text.len())).unwrap_or_default();
        let line = format!(
            "SMTP call from {} dropped: too many nonmail commands (last was \"{}\")",
            host_and_ident(ctx, false),
            word.as_bstr()
        );
        log::write(ctx, None, Which::MAIN.and(Which::REJECT), line.as_bytes());
        self.not_quit(ctx, Some("bad-commands"), Some(("554", "Too many nonmail commands")));
        Next::Close
    }

    /// The input has ended while a command was awaited.
    pub fn input_ended(&mut self, ctx: &mut Context, end: &InputEnd) -> Next {
        let host = ctx.session.active_hostname.clone();
        match end {
            InputEnd::TimedOut => {
                report::command_timeout(ctx);
                let text = format!("{host}: SMTP command timeout - closing connection");
                self.not_quit(ctx, Some("command-timeout"), Some(("421", &text)));
                return Next::Break;
            }
            InputEnd::Terminated(signal) => {
                let how = format!("after {}", crate::sys::signal::name(*signal));
                report::closed(ctx, &how);
                let text = format!("{host}: Service not available - closing connection");
                self.not_quit(ctx, Some("signal-exit"), Some(("421", &text)));
                return Next::Break;
            }
            InputEnd::Eof | InputEnd::Failed(_) => {
                report::incomplete_transaction(ctx, "connection lost");
                let text = format!("{host} lost input connection");
                self.not_quit(ctx, Some("connection-lost"), Some(("421", &text)));
                let why = match end {
                    InputEnd::Failed(e) => format!(" (error: {e})"),
                    _ => String::new(),
                };
                let took = report::duration(ctx);
                if ctx.message.sender.is_some() || !ctx.message.recipients.is_empty() {
                    let what = if ctx.session.host_address.is_none() { "EOF" } else { "disconnection" };
                    let line =
                        format!("unexpected {what} while reading SMTP command from {}{why} D={took}", host_and_ident(ctx, false));
                    log::write(ctx, Some(Selector::LostIncomingConnection), Which::MAIN, line.as_bytes());
                } else if !ctx.session.connection_nolog {
                    let line = format!("{} lost{why} D={took}", connection_info(ctx));
                    log::write(ctx, Some(Selector::SmtpConnection), Which::MAIN, line.as_bytes());
                }
            }
        }
        Next::Close
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

/// A command as read.
#[derive(Debug)]
pub enum Command {
    /// In order; its line is in the server.
    Known(&'static Known),
    /// Not one of ours.
    Unknown,
    /// It has a NUL in it.
    Nul,
    /// An argument where there is none to be.
    BadArgument,
    /// The peer did not wait for an earlier answer.
    OutOfSync,
    /// One non-mail command too many.
    TooManyNonmail,
}
