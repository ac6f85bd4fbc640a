//! The lines of the answer to EHLO: what is offered to this peer, in the order that clients' scripts know.

use bstr::ByteSlice;

use super::server::Server;
use super::{host_in, host_is_in};
use crate::context::Context;
use crate::expand;
use crate::log::{self, Which};
use crate::matching::Match;

impl Server {
    /// Adds the extension lines to `out` and notes what was offered.
    pub fn offers(&mut self, ctx: &mut Context, code: &[u8], out: &mut Vec<u8>) {
        let config = ctx.config.clone();
        let main = &config.main;
        let mut line = |text: &str, last: bool| {
            out.extend_from_slice(code);
            out.push(if last { b' ' } else { b'-' });
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(b"\r\n");
        };
        match self.size_limit {
            n if n > 0 => line(&format!("SIZE {n}"), false),
            _ => line("SIZE", false),
        }
        self.mail_limit(ctx);
        let mail_max = self.mail_max.unwrap_or(0);
        if (mail_max > 0 || self.recipients_max > 0) && host_is_in(ctx, "limits_advertise_hosts", &main.limits_advertise_hosts) {
            let mut text = String::from("LIMITS");
            if mail_max > 0 {
                text.push_str(&format!(" MAILMAX={mail_max}"));
            }
            if self.recipients_max > 0 {
                text.push_str(&format!(" RCPTMAX={}", self.recipients_max));
            }
            line(&text, false);
        }
        if main.accept_8bitmime {
            line("8BITMIME", false);
        }
        if maybe(ctx, "dsn_advertise_hosts", &main.dsn_advertise_hosts) {
            ctx.session.dsn_advertised = true;
            line("DSN", false);
        }
        if main.acl_smtp_etrn.is_set() {
            line("ETRN", false);
        }
        if self.offers_atrn(ctx) {
            line("ATRN", false);
        }
        if main.acl_smtp_vrfy.is_set() {
            line("VRFY", false);
        }
        if main.acl_smtp_expn.is_set() {
            line("EXPN", false);
        }
        if ctx.session.pipelining_enabled && host_is_in(ctx, "pipelining_advertise_hosts", &main.pipelining_advertise_hosts) {
            ctx.session.pipelining_advertised = true;
            line("PIPELINING", false);
            if self.pipe_connect_acceptable {
                ctx.session.early_pipe_advertised = true;
                // Whoever sends more without waiting for this knows what we offer.
                ctx.session.early_pipe_used |= ctx.session.sent_early();
                line("PIPECONNECT", false);
            }
        }
        if let Some(text) = self.auth_line(ctx) {
            line(&text, false);
        }
        if maybe(ctx, "chunking_advertise_hosts", &main.chunking_advertise_hosts) {
            ctx.session.chunking_offered = true;
            line("CHUNKING", false);
        }
        if ctx.session.tls_in.cipher.is_none() && maybe(ctx, "tls_advertise_hosts", &main.tls_advertise_hosts) {
            self.tls_advertised = true;
            line("STARTTLS", false);
        }
        if ctx.session.tls_in.cipher.is_some()
            && main.tls_advertise_requiretls.is_set()
            && maybe(ctx, "tls_advertise_requiretls", &main.tls_advertise_requiretls)
        {
            self.requiretls_advertised = true;
            line("REQUIRETLS", false);
        }
        if main.hosts_xclient.is_set() && (ctx.session.proxy.is_some() || maybe(ctx, "hosts_xclient", &main.hosts_xclient)) {
            self.xclient_advertised = true;
            line("XCLIENT ADDR NAME PORT LOGIN DESTADDR DESTPORT", false);
        }
        if main.prdr_enable {
            line("PRDR", false);
        }
        if main.accept_8bitmime && self.may_smtputf8(ctx) {
            self.smtputf8_advertised = true;
            line("SMTPUTF8", false);
        }
        if main.wellknown_advertise_hosts.is_set() && maybe(ctx, "wellknown_advertise_hosts", &main.wellknown_advertise_hosts) {
            self.wellknown_advertised = true;
            line("WELLKNOWN", false);
        }
        line("HELP", true);
    }

    /// In the test harness the option's default is unset, so that answers stay the same whatever is compiled in.
    fn may_smtputf8(&self, ctx: &mut Context) -> bool {
        let option = ctx.config.main.smtputf8_advertise_hosts.clone();
        maybe(ctx, "smtputf8_advertise_hosts", &option)
    }

    /// `AUTH` and the names of the mechanisms that this peer may use.
    fn auth_line(&mut self, ctx: &mut Context) -> Option<String> {
        let config = ctx.config.clone();
        // Who has authenticated needs no mechanisms any more.
        if config.auths.is_empty()
            || ctx.session.authenticated_by.is_some()
            || !host_is_in(ctx, "auth_advertise_hosts", &config.main.auth_advertise_hosts)
        {
            return None;
        }
        let mut text = String::from("AUTH");
        let mut shown = vec![false; config.auths.len()];
        for (auth, shown) in config.auths.iter().zip(&mut shown).filter(|(a, _)| a.server && a.driver.is_mechanism()) {
            let wanted = match auth.generic.server_advertise_condition.get() {
                None => true,
                Some(t) => condition(ctx, t, &auth.name),
            };
            if wanted {
                *shown = true;
                text.push(' ');
                let name = auth.generic.public_name.raw().unwrap_or_default();
                text.push_str(&name.to_ascii_uppercase().to_str_lossy());
            }
        }
        if !shown.contains(&true) {
            return None;
        }
        self.auth_advertised = Some(shown);
        Some(text)
    }

    /// smtp_accept_max_per_connection, expanded once per session.
    pub fn mail_limit(&mut self, ctx: &mut Context) -> i64 {
        if let Some(n) = self.mail_max {
            return n;
        }
        let option = ctx.config.main.smtp_accept_max_per_connection.clone();
        let n = match option.get().map(|t| expand::expand_int(ctx, t, true)) {
            None => 0,
            Some(Ok(n)) => n,
            Some(Err(e)) => {
                let line = format!("Expansion of smtp_accept_max_per_connection failed: {e}");
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
                0
            }
        };
        self.mail_max = Some(n);
        n
    }
}

/// The offer is made unless the host certainly is not in the list.
fn maybe(ctx: &mut Context, name: &str, option: &crate::config::options::Str) -> bool {
    host_in(ctx, name, option) != Match::No
}

/// A condition of an authenticator; a failed expansion is logged and counts as false.
pub fn condition(ctx: &mut Context, template: &expand::Template, name: &bstr::BString) -> bool {
    match expand::expand(ctx, template) {
        Ok(v) => !v.is_empty() && !matches!(v.to_ascii_lowercase().as_slice(), b"0" | b"no" | b"false"),
        Err(expand::ExpandError::Forced(_)) => false,
        Err(e) => {
            let raw = template.raw().as_bstr();
            let line = format!("failed to expand condition \"{raw}\" for {name} authenticator: {e}");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            false
        }
    }
}
