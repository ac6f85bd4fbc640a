//! Remote deliveries: addresses that go to the same hosts, in a thread of the delivery process.

use std::fmt;

use super::local::DeliveryStatus;
use crate::context::Context;
use crate::route::Address;
use crate::transports::TransportInstance;

/// A transport that goes over the network.
pub trait RemoteTransport: fmt::Debug {
    /// Delivers the message to the batch, trying the hosts of its first address. Sets `failure`, `host_used`,
    /// `retries` and `log_fields` of each address.
    fn deliver(
        &self,
        ctx: &mut Context,
        transport: &TransportInstance,
        batch: &mut [Address],
        data: &std::fs::File,
    ) -> Vec<DeliveryStatus>;
}
