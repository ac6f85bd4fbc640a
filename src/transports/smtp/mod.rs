//! The `smtp` transport (manual chapter 30): SMTP and LMTP over TCP.
//!
//! `hosts` tries one host after the other (`host_lookup`, `one_host`), `transaction` sends one message over a connection
//! (`commands`, `answers`, `body`, `ending`), `result` puts what happened into addresses. The dialogue itself is in `crate::smtp_out`.

mod answers;
mod body;
mod commands;
mod ending;
mod envelope;
mod host_lookup;
mod hosts;
mod one_host;
mod options;
mod result;
mod transaction;

use bstr::BString;

use super::options::TransportOptions;
use super::{Kind, Transport};
use crate::config::Config;
use crate::config::options::{ExpBool, OptionSet};
use crate::context::Context;
use crate::deliver::Continued;
use crate::deliver::local::DeliveryStatus;
use crate::deliver::remote::{RemoteJob, RemoteTransport};
use crate::expand::{self, Template};
use crate::route::HostItem;
use crate::smtp_out::dane;
use crate::tls_openssl::ContextCache;
pub use envelope::{International, international, on_the_wire, rcpt_address};
pub use options::SmtpOptions;

/// `protocol`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// `smtp`
    #[default]
    Smtp,
    /// `smtps`: TLS from the beginning.
    Smtps,
    /// `lmtp`
    Lmtp,
}

impl Protocol {
    /// Whose port is used if none is given.
    fn service(self) -> &'static str {
        match self {
            Protocol::Smtp => "smtp",
            Protocol::Smtps => "submissions",
            Protocol::Lmtp => "lmtp",
        }
    }
}

/// The driver.
#[derive(Default)]
pub struct Smtp {
    /// Its options.
    pub options: SmtpOptions,
    /// The protocol, from the option.
    pub protocol: Protocol,
    /// TLS contexts that connections of this transport have used.
    pub contexts: ContextCache,
}

impl std::fmt::Debug for Smtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Smtp").field("options", &self.options).field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

impl Smtp {
    /// The port if neither the option nor the host says one.
    pub fn default_port(&self) -> u16 {
        crate::smtp_out::options::service(self.protocol.service().as_bytes()).unwrap_or(25)
    }
}

impl Smtp {
    /// Will a connection to a host of a router be one of DANE?
    fn uses_dane(&self, ctx: &mut Context, host: &HostItem) -> bool {
        if host.dnssec != Some(true) {
            return false;
        }
        self.port_of(ctx, host).is_some_and(|port| dane::is_wanted(ctx, self, host, port))
    }

    /// The port at which a host of a router is called; `None`: the option is wrong, and an attempt says so.
    pub fn port_of(&self, ctx: &mut Context, host: &HostItem) -> Option<u16> {
        let default = self.default_port();
        host.port.or_else(|| crate::smtp_out::options::port(ctx, &self.options.port, default, "smtp transport").ok())
    }
}

impl Transport for Smtp {
    fn options(&self) -> &dyn OptionSet {
        &self.options
    }
    fn options_mut(&mut self) -> &mut dyn OptionSet {
        &mut self.options
    }

    fn init(&mut self, name: &BString, generic: &mut TransportOptions, set: &[String], _: &Config) -> Result<(), String> {
        let o = &self.options;
        self.protocol = match o.protocol.raw().unwrap_or(b"smtp").to_ascii_lowercase().as_slice() {
            b"lmtp" => Protocol::Lmtp,
            b"smtps" | b"submissions" => Protocol::Smtps,
            _ => Protocol::Smtp,
        };
        if o.command_timeout.0 <= 0 || o.data_timeout.0 <= 0 || o.final_timeout.0 <= 0 {
            return Err(format!("command, data, or final timeout value is zero for {name} transport"));
        }
        if !set.iter().any(|s| s == "retry_use_local_part") {
            generic.retry_use_local_part = false;
        }
        Ok(())
    }

    fn kind(&self) -> Kind<'_> {
        Kind::Remote(self)
    }

    fn as_smtp(&self) -> Option<&Smtp> {
        Some(self)
    }
}

impl RemoteTransport for Smtp {
    fn deliver(&self, ctx: &mut Context, job: &mut RemoteJob<'_>) -> Vec<DeliveryStatus> {
        hosts::deliver(self, ctx, job)
    }
    fn max_rcpt(&self) -> Option<&Template> {
        self.options.max_rcpt.get()
    }
    fn multi_domain(&self) -> Option<&ExpBool> {
        Some(&self.options.multi_domain)
    }
    fn retry_include_ip_address(&self) -> Option<&ExpBool> {
        Some(&self.options.retry_include_ip_address)
    }
    fn overrides_hosts(&self) -> bool {
        self.options.hosts_override && self.options.hosts.is_set()
    }
    fn single_domain(&self, ctx: &mut Context, host: &HostItem) -> bool {
        self.uses_dane(ctx, host)
    }
    fn can_continue(&self, ctx: &mut Context, kept: &Continued, host: &HostItem) -> bool {
        kept.uses_dane() == self.uses_dane(ctx, host)
    }
    fn max_messages(&self) -> u64 {
        u64::try_from(self.options.connection_max_messages.0).unwrap_or(0)
    }
    fn fallback_hosts(&self, ctx: &mut Context) -> Vec<HostItem> {
        let Some(t) = self.options.fallback_hosts.get() else { return Vec::new() };
        match expand::expand(ctx, t) {
            Ok(list) => {
                let mut hosts = crate::route::hostlist::build(ctx, &list, false);
                let randomize = matches!(self.options.hosts_randomize, ExpBool::Fixed(true));
                if randomize {
                    hosts = crate::route::hostlist::build(ctx, &list, true);
                }
                hosts
            }
            Err(_) => Vec::new(),
        }
    }
}
