//! Variables of the SMTP connection, or of the local submission.

use super::{VarDef, bit, num, own, v, yes_no};
use crate::context::Context;
use crate::text::Text;

/// A port, or -1 if it is not known.
pub fn port(n: u16) -> Option<Text> {
    if n == 0 { num(-1) } else { num(n) }
}

fn interface_port(c: &Context) -> Option<Text> {
    if c.session.interface_settled { num(c.session.interface_port) } else { port(c.session.interface_port) }
}

fn proxy<T>(c: &Context, f: fn(&crate::context::session::Proxy) -> T) -> Option<T> {
    c.session.proxy.as_ref().map(f)
}

fn authenticated_sender(c: &Context) -> Option<Text> {
    c.message.authenticated_sender.clone().or_else(|| c.session.authenticated_sender.clone())
}

/// This group.
pub static VARIABLES: &[VarDef] = &[
    v("authenticated_fail_id", |c| c.session.authenticated_fail_id.clone()),
    v("authenticated_id", |c| c.session.authenticated_id.clone()),
    v("authenticated_sender", |c| authenticated_sender(c)),
    v("authentication_failed", |c| bit(c.session.authentication_failed)),
    v("connection_id", |c| own(&c.session.connection_id)),
    v("host_data", |c| c.session.host_data.clone()),
    v("interface_address", |c| c.session.interface_address.clone()),
    v("interface_port", |c| interface_port(c)),
    v("proxy_external_address", |c| proxy(c, |p| p.external_address.clone())),
    v("proxy_external_port", |c| num(proxy(c, |p| p.external_port).unwrap_or(0))),
    v("proxy_local_address", |c| proxy(c, |p| p.local_address.clone())),
    v("proxy_local_port", |c| num(proxy(c, |p| p.local_port).unwrap_or(0))),
    v("proxy_session", |c| yes_no(c.session.proxy.is_some())),
    v("received_ip_address", |c| c.session.interface_address.clone()),
    v("received_port", |c| interface_port(c)),
    v("received_protocol", |c| c.session.received_protocol.as_ref().and_then(own)),
    v("sender_helo_dnssec", |c| yes_no(c.session.helo_dnssec)),
    v("sender_helo_name", |c| c.session.helo_name.clone()),
    v("sender_helo_verified", |c| yes_no(c.session.helo_verified)),
    v("sender_host_address", |c| c.session.host_address.clone()),
    v("sender_host_authenticated", |c| c.session.authenticated_by.as_ref().and_then(own)),
    v("sender_host_dnssec", |c| yes_no(c.session.host_dnssec)),
    v("sender_host_port", |c| num(c.session.host_port)),
    v("sender_ident", |c| c.session.ident.clone()),
    v("smtp_active_hostname", |c| {
        let s = &c.session.active_hostname;
        own(if s.is_empty() { &c.config.site.primary_hostname } else { s })
    }),
    v("smtp_command", |c| c.session.smtp_command.clone()),
    v("smtp_command_argument", |c| c.session.smtp_command_argument.clone()),
    v("smtp_command_history", |c| Some(Text::clean(c.session.command_history.join(",")))),
    v("smtp_count_at_connection_start", |c| num(c.session.count_at_start)),
    v("smtp_notquit_reason", |c| c.session.notquit_reason.as_ref().and_then(own)),
];
