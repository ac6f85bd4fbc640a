//! The small commands: RSET, NOOP, QUIT, HELP, WELLKNOWN.

use bstr::{BString, ByteSlice};

use super::server::Server;
use super::{Next, host_in, report};
use crate::acl::{self, Verdict, Where};
use crate::context::Context;
use crate::log::{self, Selector, Which};
use crate::matching::Match;

impl Server {
    /// RSET
    pub fn rset(&mut self, ctx: &mut Context) -> Next {
        self.rset_answer(ctx);
        self.new_transaction(ctx);
        Next::Command
    }

    /// The log line and the answer of RSET.
    pub fn rset_answer(&mut self, ctx: &mut Context) {
        self.had(ctx);
        report::incomplete_transaction(ctx, "RSET");
        self.reply(ctx, "250 Reset OK");
        self.free.rset = false;
    }

    /// NOOP
    pub fn noop(&mut self, ctx: &mut Context) -> Next {
        self.had(ctx);
        self.reply(ctx, "250 OK");
        Next::Command
    }

    /// QUIT
    pub fn quit(&mut self, ctx: &mut Context) -> Next {
        self.had(ctx);
        ctx.session.in_quit = true;
        report::incomplete_transaction(ctx, "QUIT");
        let mut message = None;
        if let Some(list) = ctx.config.main.acl_smtp_quit.get().cloned() {
            let result = acl::check(ctx, Where::Quit, None, &list);
            if result.verdict == Verdict::Error {
                let why = result.log_message.clone().unwrap_or_default();
                let line = format!("ACL for QUIT returned ERROR: {why}");
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            }
            message = result.user_message;
        }
        match message {
            Some(m) => self.respond(ctx, b"221", true, &m),
            None => {
                let host = ctx.session.active_hostname.clone();
                self.reply(ctx, format!("221 {host} closing connection"));
            }
        }
        super::flush(ctx);
        self.exit_done = true;
        report::closed(ctx, "by QUIT");
        Next::End
    }

    /// HELP
    pub fn help(&mut self, ctx: &mut Context) -> Next {
        self.had(ctx);
        let config = ctx.config.clone();
        let main = &config.main;
        let mut text = BString::from("214-Commands supported:\r\n214");
        let mut add = |word: &str, there: bool| {
            if there {
                text.push(b' ');
                text.extend_from_slice(word.as_bytes());
            }
        };
        add("AUTH", true);
        let tls =
            ctx.session.tls_in.cipher.is_none() && host_in(ctx, "tls_advertise_hosts", &main.tls_advertise_hosts) != Match::No;
        add("STARTTLS", tls);
        add("HELO EHLO MAIL RCPT DATA BDAT", true);
        add("NOOP QUIT RSET HELP", true);
        add("ETRN", main.acl_smtp_etrn.is_set());
        add("ATRN", main.acl_smtp_atrn.is_set());
        add("EXPN", main.acl_smtp_expn.is_set());
        add("VRFY", main.acl_smtp_vrfy.is_set());
        let wellknown = main.wellknown_advertise_hosts.is_set()
            && host_in(ctx, "wellknown_advertise_hosts", &main.wellknown_advertise_hosts) != Match::No;
        add("WELLKNOWN", wellknown);
        let xclient = main.hosts_xclient.is_set() && host_in(ctx, "hosts_xclient", &main.hosts_xclient) != Match::No;
        add("XCLIENT", xclient);
        self.reply(ctx, text);
        Next::Command
    }

    /// WELLKNOWN (draft-storey-smtp-well-known): the ACL decides, and gives the text.
    pub fn wellknown(&mut self, ctx: &mut Context) -> Next {
        self.had(ctx);
        if !self.wellknown_advertised {
            return self.mistake(ctx, Selector::SmtpProtocolError, 503, None, "WELLKNOWN not advertised");
        }
        let result = match ctx.config.main.acl_smtp_wellknown.get().cloned() {
            Some(list) => acl::check(ctx, Where::Wellknown, None, &list),
            None => acl::missing(ctx),
        };
        if result.verdict != Verdict::Ok {
            return self.refuse(ctx, Where::Wellknown, result);
        }
        let Some(body) = ctx.acl.wellknown_response.take() else {
            return self.refuse(ctx, Where::Wellknown, acl::AclResult { verdict: Verdict::Fail, ..result });
        };
        // xtext, one line of the answer for each line of the text.
        let mut out = BString::from(format!("250-SIZE={}\r\n", body.len()));
        let lines: Vec<&[u8]> = body.lines_with_terminator().collect();
        for (i, line) in lines.iter().enumerate() {
            out.extend_from_slice(if i + 1 < lines.len() { b"250-" } else { b"250 " });
            out.extend_from_slice(&crate::parse::xtext::encode(line));
            out.extend_from_slice(b"\r\n");
        }
        if lines.is_empty() {
            out.extend_from_slice(b"250 \r\n");
        }
        super::answer::put(ctx, &out);
        Next::Command
    }
}
