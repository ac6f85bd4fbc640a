//! Local deliveries: what a transport that runs on this host has to provide.
//!
//! The delivery code (`local_run`) forks, becomes the user and calls the transport there; nothing else calls it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use bstr::BString;

use crate::context::Context;
use crate::route::Address;
use crate::sys::file::{Dir, fsync};
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
    /// What `begin` gave.
    pub begun: Begun,
    /// Where directories are noted that have to be made durable.
    pub directories: &'a Directories,
    /// Bytes that went out, for the log (`S=`).
    pub sent: &'a Cell<u64>,
}

/// What [`LocalTransport::setup`] hands to `deliver`; the transport's own type.
pub type Prepared = Option<Box<dyn std::any::Any>>;

/// What [`LocalTransport::begin`] hands to `deliver`; the transport's own type.
pub type Begun = Option<Box<dyn std::any::Any>>;

/// Directories whose new entries have to be durable before a delivery counts.
///
/// With a single delivery that is done at once; of several that one process makes, after the last.
#[derive(Debug, Default)]
pub struct Directories {
    waiting: Option<RefCell<Vec<(BString, OwnedFd)>>>,
}

impl Directories {
    /// For several deliveries: [`Directories::sync_all`] has to follow.
    pub fn collected() -> Self {
        Directories { waiting: Some(RefCell::default()) }
    }

    /// Makes a directory durable, now or with the others.
    pub fn sync(&self, path: &[u8], dir: &Dir) -> io::Result<()> {
        let Some(waiting) = &self.waiting else { return dir.sync() };
        let mut waiting = waiting.borrow_mut();
        if !waiting.iter().any(|(p, _)| p == path) {
            waiting.push((path.into(), dir.as_fd().try_clone_to_owned()?));
        }
        Ok(())
    }

    /// Makes all of them durable; an error says which is not.
    pub fn sync_all(&self) -> Result<(), (BString, io::Error)> {
        let Some(waiting) = &self.waiting else { return Ok(()) };
        waiting.take().into_iter().try_for_each(|(path, dir)| fsync(dir.as_fd()).map_err(|e| (path, e)))
    }
}

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
    /// Does what can be done before anything is durable or can be seen by others, for `deliver` to end: with the deliveries of
    /// several messages that one process makes, all begin before the first ends, so that the disk is waited for once. `None`:
    /// `deliver` does it all.
    fn begin(&self, ctx: &mut Context, job: &mut LocalJob<'_>) -> Begun {
        let _ = (ctx, job);
        None
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_wait_once_each_or_not_at_all() {
        let dir = Dir::open(b"/tmp").unwrap();
        let at_once = Directories::default();
        at_once.sync(b"/tmp", &dir).unwrap();
        at_once.sync_all().unwrap();
        let collected = Directories::collected();
        for _ in 0..3 {
            collected.sync(b"/tmp", &dir).unwrap();
        }
        assert_eq!(collected.waiting.as_ref().unwrap().borrow().len(), 1);
        collected.sync_all().unwrap();
        assert!(collected.waiting.as_ref().unwrap().borrow().is_empty());
        // A descriptor that cannot be synced: the error names the directory.
        let (pipe, _other) = crate::sys::fd::pipe().unwrap();
        collected.waiting.as_ref().unwrap().borrow_mut().push(("/a/new".into(), pipe));
        assert_eq!(collected.sync_all().unwrap_err().0, "/a/new");
    }
}
