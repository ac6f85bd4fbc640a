//! What one thread of control knows: the values that Exim keeps in globals, with an owner.
//!
//! Each SMTP connection, each delivery process, each command-line mode makes one [`Context`] and hands it
//! down as `&mut`. Expansion variables, lists, ACLs and log lines read it. Nothing here does any work.

pub mod address_vars;
pub mod message;
pub mod names;
pub mod run;
pub mod scratch;
pub mod session;

use std::sync::Arc;

use crate::config::Config;

pub use address_vars::AddressVars;
pub use message::{BodySource, Header, HeaderKind, Message, Recipient};
pub use run::{Run, Services};
pub use scratch::{AclVars, Scratch, SenderVerifyFailed};
pub use session::{Session, TlsFacts};

/// The state of one thread of control.
pub struct Context {
    /// The configuration in force.
    pub config: Arc<Config>,
    /// This process: who called it, how, and in which mode.
    pub run: Arc<Run>,
    /// Handles that this thread of control shares with its process: logs, DNS, hints, lookups' caches.
    pub services: Services,
    /// The SMTP connection, or the local submission, that the message comes from.
    pub session: Session,
    /// The message being received or delivered.
    pub message: Message,
    /// The address being verified, routed or delivered, and the host it goes to.
    pub address: AddressVars,
    /// `$acl_c...`, `$acl_m...`, and what an ACL run leaves behind.
    pub acl: AclVars,
    /// Short-lived values of expansions: `$1`, `$value`, `$item`, lookups' results.
    pub scratch: Scratch,
    /// The connection onward that the message being received may take (cutthrough delivery, `callout=hold`).
    pub cutthrough: crate::verify::Cutthrough,
}

impl Context {
    /// A context with nothing received and nobody connected.
    pub fn new(config: Arc<Config>, run: Arc<Run>, services: Services) -> Self {
        Context {
            config,
            run,
            services,
            session: Session::default(),
            message: Message::default(),
            address: AddressVars::default(),
            acl: AclVars::default(),
            scratch: Scratch::default(),
            cutthrough: Default::default(),
        }
    }

    /// A context without services that reach outside, for unit tests and fuzzing.
    #[cfg(any(test, feature = "fuzzing"))]
    pub fn for_tests(config: Arc<Config>, run: Arc<Run>) -> Self {
        let services = Services {
            log: Default::default(),
            dns: Default::default(),
            hints: Arc::new(crate::hints::SqliteStore::new(std::path::Path::new("/nonexistent"), 0, 0)),
            tls: Default::default(),
            spool: Arc::new(crate::spool::Spool::new(&config)),
            handoff: Default::default(),
            threads: None,
            work: Default::default(),
            interfaces: Default::default(),
            lookups: Default::default(),
            lists: Default::default(),
            perl: Default::default(),
            random: Default::default(),
        };
        Context::new(config, run, services)
    }
}
