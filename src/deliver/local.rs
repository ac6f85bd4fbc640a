//! Local deliveries: one batch of addresses, in a process that has become the recipient.

use std::fmt;

use crate::context::Context;
use crate::route::Address;
use crate::transports::TransportInstance;

/// What a delivery attempt did to one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// Not tried yet.
    #[default]
    Pending,
    /// Delivered.
    Ok,
    /// Try again later; details in `Address::failure`.
    Defer,
    /// Permanent failure.
    Fail,
    /// Trouble that freezes the message.
    Panic,
}

/// A transport that runs on this host.
pub trait LocalTransport: fmt::Debug {
    /// Runs in the parent, as the user that delivers unless root is needed: prepares expansions that need it.
    /// Delivers the message of `ctx.message` (body: `ctx.message.data_path` or the open -D file in `data`) to the
    /// batch; sets `failure` and the log fields of each address. Runs with the final uid, gid and directory.
    fn deliver(
        &self,
        ctx: &mut Context,
        transport: &TransportInstance,
        batch: &mut [Address],
        data: &std::fs::File,
    ) -> Vec<DeliveryStatus>;
}
