//! Transports: the registry of drivers, and instances of the configuration. One file (or folder) per driver.

pub mod appendfile;
pub mod autoreply;
pub mod command;
pub mod filter;
pub mod lmtp;
pub mod options;
pub mod pipe;
pub mod queuefile;
pub mod smtp;

use std::fmt;

use bstr::BString;

use crate::config::Config;
use crate::config::options::OptionSet;
use options::TransportOptions;

/// A configured transport.
#[derive(Debug)]
pub struct TransportInstance {
    /// Its name in the configuration.
    pub name: BString,
    /// The driver's name.
    pub driver_name: &'static str,
    /// Options that all transports have.
    pub generic: TransportOptions,
    /// Names of all options that were set explicitly (both kinds), and those that were hidden.
    pub set_options: Vec<String>,
    /// See above.
    pub hidden: Vec<String>,
    /// File and line of its first line, for messages.
    pub place: String,
    /// The driver with its private options.
    pub driver: Box<dyn Transport>,
}

impl TransportInstance {
    /// Its driver, if it delivers on this host.
    pub fn local(&self) -> Option<&dyn crate::deliver::local::LocalTransport> {
        match self.driver.kind() {
            Kind::Local(l) => Some(l),
            Kind::Remote(_) => None,
        }
    }

    /// Its driver, if it delivers over the network.
    pub fn remote(&self) -> Option<&dyn crate::deliver::remote::RemoteTransport> {
        match self.driver.kind() {
            Kind::Remote(r) => Some(r),
            Kind::Local(_) => None,
        }
    }
}

/// What a transport driver is; how it delivers is in the traits that `deliver` defines for local and remote ones.
pub trait Transport: fmt::Debug + Send + Sync {
    /// The private options.
    fn options(&self) -> &dyn OptionSet;
    /// The same, while the configuration is read.
    fn options_mut(&mut self) -> &mut dyn OptionSet;
    /// Checks and completes the options after reading. The error follows `<name> transport:\n  `.
    fn init(&mut self, name: &BString, generic: &mut TransportOptions, set: &[String], config: &Config) -> Result<(), String>;
    /// Was a private option of that name given a value?
    fn option_is_set(&self, name: &str) -> bool {
        self.options().option(name).is_some_and(|o| !o.show(name).ends_with(b"= "))
    }
    /// How it delivers.
    fn kind(&self) -> Kind<'_>;
    /// The driver itself if it is appendfile: `file_format` can hand a delivery over to another one.
    fn as_appendfile(&self) -> Option<&appendfile::Appendfile> {
        None
    }
    /// The driver itself if it is the smtp one: callouts use its options.
    fn as_smtp(&self) -> Option<&smtp::Smtp> {
        None
    }
}

/// A transport delivers on this host (in a process of the recipient) or over the network (in a thread).
pub enum Kind<'a> {
    /// appendfile, autoreply, pipe, lmtp (a command or socket), queuefile.
    Local(&'a dyn crate::deliver::local::LocalTransport),
    /// smtp (and lmtp over TCP through smtp's `protocol = lmtp`).
    Remote(&'a dyn crate::deliver::remote::RemoteTransport),
}

/// One entry of the registry.
pub struct TransportType {
    /// `driver = name`.
    pub name: &'static str,
    /// As `-bV` shows it: `appendfile/maildir/mbx`.
    pub shown: &'static str,
    /// Makes one with default options.
    pub make: fn() -> Box<dyn Transport>,
}

/// The address as a transport writes it into RCPT: without the affixes that a router took off, unless
/// `rcpt_include_affixes` is set.
pub fn rcpt_address(transport: &TransportInstance, a: &crate::route::Address) -> BString {
    smtp::rcpt_address(transport, a)
}

/// All transport drivers of this build, in the order of `-bV`.
pub static DRIVERS: &[TransportType] = &[
    TransportType {
        name: "appendfile",
        shown: "appendfile/maildir/mailstore/mbx",
        make: || Box::<appendfile::Appendfile>::default(),
    },
    TransportType { name: "autoreply", shown: "autoreply", make: || Box::<autoreply::Autoreply>::default() },
    TransportType { name: "lmtp", shown: "lmtp", make: || Box::<lmtp::Lmtp>::default() },
    TransportType { name: "pipe", shown: "pipe", make: || Box::<pipe::Pipe>::default() },
    TransportType { name: "queuefile", shown: "queuefile", make: || Box::<queuefile::Queuefile>::default() },
    TransportType { name: "smtp", shown: "smtp", make: || Box::<smtp::Smtp>::default() },
];
