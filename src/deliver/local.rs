//! Local deliveries: what a transport that runs on this host has to provide.
//!
//! The delivery code (`local_run`) forks, becomes the user and calls the transport there; nothing else calls it.

use std::cell::Cell;
use std::fmt;
use std::fs::File;

use bstr::BString;

use crate::context::Context;
use crate::route::Address;
use crate::text::Text;
use crate::transports::TransportInstance;

/// What a delivery attempt did to one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// Not tried yet; after an attempt it counts as deferred.
    #[default]
    Pending,
    /// Delivered.
    Ok,
    /// Try again later; details in `Address::failure`.
    Defer,
    /// Permanent failure; details in `Address::failure`.
    Fail,
    /// Trouble that is logged to the panic log too, and deferred.
    Panic,
}

/// One run of a local transport: one batch of addresses, one process.
pub struct LocalJob<'a> {
    /// The transport.
    pub transport: &'a TransportInstance,
    /// The addresses; all but the first matter only to transports that batch. `$local_part` and the other
    /// address variables are set from the first.
    pub batch: &'a mut [Address],
    /// The open -D file of the message, for [`super::transport_write::write_message`].
    pub data: &'a File,
    /// The user that the process is by now.
    pub uid: u32,
    /// And its group.
    pub gid: u32,
    /// `$home`.
    pub home: Option<Text>,
    /// The working directory that the process is in.
    pub directory: BString,
    /// Where output that goes back to the sender is to be written (pipe's `return_output` and friends).
    pub output: Option<&'a File>,
    /// What `setup` gave.
    pub prepared: Prepared,
    /// Bytes that went out, for the log (`S=`).
    pub sent: &'a Cell<u64>,
}

/// What [`LocalTransport::setup`] hands to `deliver`; the transport's own type.
pub type Prepared = Option<Box<dyn std::any::Any>>;

/// What is done with the output of a command (options of `pipe`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputOptions {
    /// `return_output`: any output makes the delivery fail, and goes back to the sender.
    pub give_back: bool,
    /// `return_fail_output`: the output of a failed delivery goes back.
    pub give_back_failed: bool,
    /// `log_output`: the first line is logged.
    pub log: bool,
    /// `log_fail_output`.
    pub log_fail: bool,
    /// `log_defer_output`.
    pub log_defer: bool,
}

impl OutputOptions {
    /// Is the output needed at all?
    pub fn any(self) -> bool {
        self != OutputOptions::default()
    }
}

/// A transport that runs on this host.
pub trait LocalTransport: fmt::Debug {
    /// Called in the delivery's own process before it gives up privilege: expansions that may need it (appendfile's
    /// quota). An error defers (or fails) every address, with its message.
    fn setup(&self, ctx: &mut Context, transport: &TransportInstance, batch: &mut [Address]) -> Result<Prepared, String> {
        let _ = (ctx, transport, batch);
        Ok(None)
    }
    /// Delivers to the batch; sets `failure` and the log fields of each address. The result has one status for each
    /// address, in their order.
    fn deliver(&self, ctx: &mut Context, job: &mut LocalJob<'_>) -> Vec<DeliveryStatus>;
    /// More than one address may be delivered at once (`batch_max` of the driver, 1 if it has none).
    fn batch_max(&self) -> usize {
        1
    }
    /// `batch_id` of the driver: addresses are batched only with the same expanded value.
    fn batch_id(&self) -> Option<&crate::expand::Template> {
        None
    }
    /// pipe's `pipe_as_creator`: runs as the sender of the message.
    fn as_creator(&self) -> bool {
        false
    }
    /// What is done with the output of a command; if anything, the delivery code opens [`LocalJob::output`].
    fn output_options(&self) -> OutputOptions {
        OutputOptions::default()
    }
}
