//! Log lines about a session: how it ended, transactions left unfinished, what was said in a session without mail.

use bstr::{BString, ByteSlice};

use super::server::Server;
use crate::context::Context;
use crate::context::names::{connection_info, host_and_ident};
use crate::log::{self, Selector, Which};

/// Microseconds since 1970.
pub fn now_usec() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64)
}

/// `D=` of the session.
pub fn duration(ctx: &Context) -> String {
    log::stamp::interval(now_usec().saturating_sub(ctx.session.start_usec), log::selected(ctx, Selector::Millisec))
}

/// ` C=EHLO,MAIL,...`: the commands given, the last twenty. Dots say that there may have been more.
pub fn history(ctx: &Context) -> String {
    const SHOWN: usize = 20;
    let all = &ctx.session.command_history;
    if all.is_empty() {
        return String::new();
    }
    let from = all.len().saturating_sub(SHOWN);
    format!(" C={}{}", if all.len() >= SHOWN { "..." } else { "" }, all.get(from..).unwrap_or_default().join(","))
}

/// ` X=... CV=... DN="..."` of a rejection line.
pub fn tls_fields(ctx: &Context) -> BString {
    let mut b = log::line::LineBuilder::new(" ");
    log::line::tls(ctx, &mut b, &ctx.session.tls_in);
    let mut out = b.build();
    if let Some(sni) = ctx.session.tls_in.sni.as_ref().filter(|_| log::selected(ctx, Selector::TlsSni)) {
        out.extend_from_slice(b" SNI=");
        out.extend_from_slice(&super::answer::printable(ctx, sni));
    }
    let out = BString::from(out.trim());
    if out.is_empty() { out } else { [b" ", out.as_slice()].concat().into() }
}

/// `SMTP connection from ... closed by ...`.
pub fn closed(ctx: &Context, how: &str) {
    if ctx.session.connection_nolog {
        return;
    }
    let line = format!("{} D={} closed {how}", connection_info(ctx), duration(ctx));
    log::write(ctx, Some(Selector::SmtpConnection), Which::MAIN, line.as_bytes());
}

/// No command came in time.
pub fn command_timeout(ctx: &Context) {
    let line = format!(
        "SMTP command timeout on{} connection from {} D={}",
        if ctx.session.tls_in.cipher.is_some() { " TLS" } else { "" },
        host_and_ident(ctx, false),
        duration(ctx)
    );
    log::write(ctx, Some(Selector::LostIncomingConnection), Which::MAIN, line.as_bytes());
}

/// A transaction that ends without a message.
pub fn incomplete_transaction(ctx: &Context, what: &str) {
    let m = &ctx.message;
    let Some(sender) = m.raw_sender.as_ref().or(m.sender.as_ref()) else { return };
    if ctx.message.sender.is_none() || !log::selected(ctx, Selector::SmtpIncompleteTransaction) {
        return;
    }
    let mut line = host_and_ident(ctx, true);
    line.extend_from_slice(format!(" incomplete transaction ({what}) from <").as_bytes());
    line.extend_from_slice(sender);
    line.push(b'>');
    if !m.recipients.is_empty() {
        line.extend_from_slice(b" for");
        for r in &m.recipients {
            line.push(b' ');
            line.extend_from_slice(&r.address);
        }
    }
    log::write(ctx, Some(Selector::SmtpIncompleteTransaction), Which::MAIN, &line);
}

/// The line of a session that brought no MAIL command.
pub fn no_mail(ctx: &Context, server: &Server) {
    if ctx.session.mail_command_count > 0 || server.no_mail_line_off || ctx.session.connection_nolog {
        return;
    }
    let mut line = BString::from("no MAIL in ");
    line.extend_from_slice(b"SMTP connection from ");
    line.extend_from_slice(&host_and_ident(ctx, false));
    line.extend_from_slice(format!(" D={}", duration(ctx)).as_bytes());
    if let Some(a) = &ctx.session.authenticated_by {
        line.extend_from_slice(b" A=");
        line.extend_from_slice(a);
        if let Some(id) = &ctx.session.authenticated_id {
            line.push(b':');
            line.extend_from_slice(id);
        }
    }
    line.extend_from_slice(&tls_fields(ctx));
    line.extend_from_slice(history(ctx).as_bytes());
    log::write(ctx, Some(Selector::SmtpNoMail), Which::MAIN, line.trim_end());
}
