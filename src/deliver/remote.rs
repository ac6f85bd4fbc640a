//! Remote deliveries: what a transport that goes over the network has to provide.
//!
//! The delivery code (`remote_run`) calls it in a thread of the delivery process, with a context of its own; nothing
//! else calls it. It must not fork, change ids or the working directory.

use std::fmt;
use std::fs::File;

use bstr::ByteSlice;

use super::local::DeliveryStatus;
use crate::context::Context;
use crate::expand::Template;
use crate::route::Address;
use crate::transports::TransportInstance;

/// One run of a remote transport: addresses that go to the same hosts with the same envelope sender and headers.
pub struct RemoteJob<'a> {
    /// The transport.
    pub transport: &'a TransportInstance,
    /// The addresses; the hosts are those of the first (`Address::hosts`, changed as they are tried).
    pub batch: &'a mut [Address],
    /// The open -D file of the message.
    pub data: &'a File,
    /// The second pass, with fallback hosts in `Address::hosts`.
    pub fallback: bool,
    /// mua_wrapper: all or nothing, no retries.
    pub mua_wrapper: bool,
    /// Retry times do not matter (`-qf`, `-M`).
    pub force_retry: bool,
    /// Nothing is to be sent now (`-odqs`, queue_smtp_domains, the first phase of a two-phase queue run): the hosts are
    /// worked out, the message is noted as waiting for them, and the addresses are deferred with error number 0 and
    /// `SMTP delivery explicitly queued`.
    pub explicitly_queued: bool,
    /// A connection that is open already (`-MC`).
    pub continued: Option<&'a super::Continued>,
    /// Hosts that earlier runs for this message found unusable, as [`unusable_key`] writes them.
    pub unusable: &'a std::collections::BTreeSet<bstr::BString>,
    /// The number of this run within the message's delivery, from 0.
    pub sequence: usize,
    /// Where further recipients of the message are going by the same transport, one run after the other.
    pub further: Further,
    /// The transport leaves here a connection that another message can go down, once this one is finished.
    pub kept: Option<Kept>,
}

/// Hosts that routers chose for later runs of a transport for the same message; those of the transport itself do not
/// count, as in the reference.
#[derive(Clone, Debug, Default)]
pub struct Further {
    /// Their names.
    pub names: std::collections::BTreeSet<bstr::BString>,
}

impl Further {
    /// Those of the addresses.
    pub fn of<'a>(addresses: impl Iterator<Item = &'a Address>) -> Self {
        let mut further = Further::default();
        for a in addresses {
            // A host that has not been looked up yet may still have its port in the name.
            let name = |h: &crate::route::HostItem| crate::route::hostlist::split_host(&h.name).0.to_ascii_lowercase().into();
            further.names.extend(a.hosts.iter().map(name));
        }
        further
    }

    /// Is the host wanted again?
    pub fn wants(&self, name: &[u8]) -> bool {
        !self.names.is_empty() && self.names.contains(name.to_ascii_lowercase().as_bstr())
    }
}

impl RemoteJob<'_> {
    /// The connection for whose sake the delivery was started; not one that may just as well be left alone.
    pub fn continuing(&self) -> Option<&super::Continued> {
        self.continued.filter(|c| c.is_the_reason())
    }
}

/// An open connection, and the message that waits for it.
#[derive(Debug)]
pub struct Kept {
    /// The message to be delivered next.
    pub next: bstr::BString,
    /// How it is to be delivered.
    pub continued: super::Continued,
}

/// How a host stands in [`RemoteJob::unusable`].
pub fn unusable_key(host: &crate::route::HostItem) -> bstr::BString {
    let mut key = bstr::BString::from(host.name.as_bytes());
    key.push(b' ');
    key.extend_from_slice(&host.address_text);
    if let Some(port) = host.port {
        key.extend_from_slice(format!(" {port}").as_bytes());
    }
    key
}

/// A transport that goes over the network.
pub trait RemoteTransport: fmt::Debug {
    /// Delivers the message to the batch, trying the hosts of its first address. Sets `failure`, `host_used`,
    /// `retries` and `log_fields` of each address; one status for each address, in their order. Addresses that
    /// stay [`DeliveryStatus::Pending`] and have fallback hosts are tried again there.
    fn deliver(&self, ctx: &mut Context, job: &mut RemoteJob<'_>) -> Vec<DeliveryStatus>;
    /// `max_rcpt`, expanded per delivery; `None` or 0 is no limit.
    fn max_rcpt(&self) -> Option<&Template> {
        None
    }
    /// `multi_domain`.
    fn multi_domain(&self) -> Option<&crate::config::options::ExpBool> {
        None
    }
    /// `retry_include_ip_address`.
    fn retry_include_ip_address(&self) -> Option<&crate::config::options::ExpBool> {
        None
    }
    /// The transport's own fallback hosts, used for addresses whose router has none: the list, parsed.
    fn fallback_hosts(&self, ctx: &mut Context) -> Vec<crate::route::HostItem> {
        let _ = ctx;
        Vec::new()
    }
    /// It uses its own hosts whatever those of the addresses are (`hosts` with `hosts_override`).
    fn overrides_hosts(&self) -> bool {
        false
    }
    /// The server must be verified for each domain (DANE): addresses of several cannot share a transaction.
    fn single_domain(&self, ctx: &mut Context, host: &crate::route::HostItem) -> bool {
        let _ = (ctx, host);
        false
    }
    /// Can messages for the host go over a connection that was kept?
    fn can_continue(&self, ctx: &mut Context, kept: &super::Continued, host: &crate::route::HostItem) -> bool {
        let _ = (ctx, kept, host);
        true
    }
    /// `connection_max_messages`: limits how many copies one run may make. 0 is no limit.
    fn max_messages(&self) -> u64 {
        0
    }
}
