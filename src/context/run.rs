//! The process: who called it and how; and the services its threads share.

use std::sync::Arc;

use bstr::BString;

/// Facts fixed when the program starts (or when the daemon makes a worker).
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The binary has been patched for the test suite (`<<<testing>>>`).
    pub test_harness: bool,
    /// `-odd`, or not in the test harness: no sequencing delays.
    pub no_test_delays: bool,
    /// The caller's real uid, gid, and supplementary groups.
    pub real_uid: u32,
    /// See `real_uid`.
    pub real_gid: u32,
    /// See `real_uid`.
    pub groups: Vec<u32>,
    /// The caller's login (`$sender_ident` of local messages), full name, and home.
    pub login: BString,
    /// The caller's name from the gecos field.
    pub full_name: BString,
    /// The caller may set senders and more (manual section 5.2).
    pub trusted: bool,
    /// The caller may handle the queue.
    pub admin: bool,
    /// The arguments as given, for re-execution.
    pub argv: Vec<BString>,
    /// `$initial_cwd`.
    pub initial_cwd: BString,
    /// `-bh`/`-bhc`: host checking; nothing is delivered or logged to files.
    pub host_checking: bool,
    /// `-bhc`: callouts are made all the same.
    pub host_checking_callout: bool,
    /// `-bt`, `-bv`, `-bvs`: address testing modes.
    pub address_test: bool,
    /// Modes that only test something (`-be`, `-bt`, `-bv`, `-brw`, ...): log lines go to stderr, never to files.
    pub log_testing: bool,
    /// `-C` or `-D` of somebody who may not give it has cost the program its privilege: log lines go to stderr, never to files.
    pub unprivileged: bool,
    /// Debug categories switched on (`-d`, `-v`), see `log::trace`.
    pub debug: u32,
    /// `control = debug`: debug output goes there, not to stderr.
    pub debug_log: Option<Arc<crate::log::debuglog::DebugLog>>,
    /// `-od...`: when messages that this process receives are delivered.
    pub delivery: crate::receive::queueing::Mode,
    /// `-N`: no real delivery.
    pub dont_deliver: bool,
    /// `-C` as given, for children.
    pub config_file_arg: Option<BString>,
    /// `-D` arguments as given, for children.
    pub macro_args: Vec<BString>,
    /// `-v` or debugging: SMTP dialogue and deliveries are shown on stderr.
    pub verbose: bool,
    /// Real time on the queue is replaced by these (`-Tqt`), seconds.
    pub fudged_queue_times: Vec<i64>,
    /// The program's own path, to start children.
    pub exim_path: BString,
    /// This delivery was started by a queue runner (the condition `queue_running`).
    pub queue_running: bool,
    /// Routing is done for ATRN.
    pub odmr: Option<Arc<crate::odmr::Turn>>,
}

impl Run {
    /// The same for the next message of a queue run: of the fudged times (`-Tqt`) the first has been used, unless it
    /// is the only one.
    #[must_use]
    pub fn after_one_message(&self) -> Self {
        let mut next = self.clone();
        if next.fudged_queue_times.len() > 1 {
            next.fudged_queue_times.remove(0);
        }
        next
    }
}

/// Handles shared by the threads of one process; each is cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// The logs.
    pub log: Arc<crate::log::Logger>,
    /// The resolver.
    pub dns: Arc<crate::dns::Resolver>,
    /// The hints data bases.
    pub hints: Arc<dyn crate::hints::HintsStore>,
    /// Who delivers messages that this process receives.
    pub handoff: crate::daemon::Handoff,
    /// Who does what may be done at the same time; `None`: this process has one thread, since it forks.
    pub threads: Option<crate::daemon::Threads>,
    /// What this process must finish before it ends.
    pub work: crate::daemon::Work,
    /// TLS contexts, kept for all connections of the process.
    pub tls: Arc<crate::tls_openssl::ContextCache>,
    /// The spool directories.
    pub spool: Arc<crate::spool::Spool>,
    /// The addresses of this host.
    pub interfaces: Arc<crate::sys::iface::Recent>,
    /// Open lookup handles and results of this thread of control.
    pub lookups: crate::lookups::Cache,
    /// Results of named lists (`domain list cache`), by list id.
    pub lists: crate::matching::ListCache,
    /// The Perl interpreter of this thread of control.
    pub perl: crate::expand::perl::Perl,
    /// The test harness' random number generator state.
    pub random: crate::random::Random,
}
