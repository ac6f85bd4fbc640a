//! The command line, as values (manual chapter 5). `parse` fills it in, `start` and `dispatch` read it.

use bstr::BString;

use crate::config::Macro;
use crate::daemon::Schedule;
use crate::queue::actions::Action;
use crate::queue::list::ListOptions;
use crate::queue::run::RunOptions;
use crate::queue::view::What;

/// Why the command line cannot be obeyed: for stderr (or stdout), and then exit 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Text for stderr, whole.
    Message(String),
    /// Text for standard output, whole.
    Said(String),
    /// The help text is wanted.
    Help,
}

/// How a message comes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputMode {
    /// Not said: recipients on the command line or `-t` imply one message on stdin.
    #[default]
    Unset,
    /// `-bm`
    Message,
    /// `-bs`
    Smtp,
    /// `-bS`
    Batch,
}

/// Modes that only test something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// `-be`, with the file of `-bem` and the id of `-Mset`.
    Expand {
        /// `-bem file`
        message: Option<BString>,
        /// `-Mset id`
        id: Option<BString>,
    },
    /// `-bt`
    Address,
    /// `-bv`, `-bvs`
    Verify {
        /// As a sender.
        sender: bool,
    },
    /// `-brt`
    Retry,
    /// `-brw`
    Rewrite,
    /// `-bf`, `-bF`
    Filter {
        /// `-bf file`
        user: Option<BString>,
        /// `-bF file`
        system: Option<BString>,
    },
    /// `-bmalware file`
    Malware(BString),
    /// `-bh`, `-bhc`
    Host {
        /// `address[.port]`
        address: BString,
        /// With callouts.
        callouts: bool,
    },
}

/// What is done to messages of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageAction {
    /// Changes and deliveries.
    Act(Action),
    /// `-Mvb` and so on.
    View(What),
}

/// The daemon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Daemon {
    /// `-bdf`
    pub foreground: bool,
    /// `-bw`: the socket comes from inetd; seconds without work after which it ends.
    pub inetd_wait: Option<i64>,
}

/// When a received message is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// `-odb`, and nothing given.
    #[default]
    Background,
    /// `-odf`, `-odi`
    Foreground,
    /// `-odq`
    Queue,
    /// `-odqs`
    QueueSmtp,
}

/// How errors of a locally submitted message are reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ErrorReport {
    /// `-oem`, `-oew`: by mail, exit status not 0.
    #[default]
    Mail,
    /// `-oee`: by mail, exit status 0 if that worked.
    MailQuiet,
    /// `-oep`, `-oeq`: on stderr.
    Stderr,
}

/// Facts about the sender's host that the caller gives: `-oMa` and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// `-oMa address[.port]`
    pub host_address: Option<BString>,
    /// `-oMaa name`
    pub authenticator: Option<BString>,
    /// `-oMai id`
    pub authenticated_id: Option<BString>,
    /// `-oMas address`
    pub authenticated_sender: Option<BString>,
    /// `-oMi address[.port]`
    pub interface: Option<BString>,
    /// `-oMm id`
    pub reference: Option<BString>,
    /// `-oMr protocol`, `-p`
    pub protocol: Option<BString>,
    /// `-oMs name`, `-p`
    pub host_name: Option<BString>,
    /// `-oMt ident`
    pub ident: Option<BString>,
}

/// Everything that the command line says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `-bd`, `-bdf`, `-bw`
    pub daemon: Option<Daemon>,
    /// `-q...`, `-R`, `-S`: single runs (interval 0) and periodic ones.
    pub queue_runs: Vec<Schedule>,
    /// `-bp...`
    pub list_queue: Option<ListOptions>,
    /// `-bP` and its arguments.
    pub show: Option<Vec<BString>>,
    /// `-ps`, `-pd`: Perl is started at once, or when it is needed.
    pub perl_at_start: Option<bool>,
    /// `-bV`, `--version`
    pub version: bool,
    /// `-bI:...`
    pub info: Option<BString>,
    /// A testing mode.
    pub test: Option<Test>,
    /// `-M...` and the ids.
    pub action: Option<(MessageAction, Vec<BString>)>,
    /// `-bi`
    pub rebuild_aliases: bool,
    /// `-z text`
    pub log_text: Option<BString>,
    /// `-atrn host domains`
    pub atrn: Option<(BString, BString)>,
    /// `-bs`, `-bS`, `-bm`
    pub input: InputMode,
    /// `-t`
    pub extract_recipients: bool,
    /// `-i`, `-oi`, `-ti`: a lone dot does not end the message.
    pub dot_is_data: bool,
    /// `-bnq`
    pub no_qualify: bool,
    /// `-G`
    pub suppress_fixups: bool,
    /// `-tls-on-connect`
    pub tls_on_connect: bool,
    /// `-f`, `-r`
    pub sender: Option<BString>,
    /// `-F`
    pub full_name: Option<BString>,
    /// Facts about the sender's host.
    pub given: Given,
    /// `-od...`
    pub delivery: Option<Delivery>,
    /// `-odd`
    pub no_delays: bool,
    /// `-oe...`
    pub errors: ErrorReport,
    /// `-oA file`
    pub alias_file: Option<BString>,
    /// `-oB n`
    pub max_messages: Option<u32>,
    /// `-oP path`
    pub pid_file: Option<BString>,
    /// `-oPX`: remove the pid file.
    pub remove_pid_file: bool,
    /// `-or time`, seconds
    pub receive_timeout: Option<i64>,
    /// `-os time`, seconds
    pub smtp_timeout: Option<i64>,
    /// `-oX list`
    pub interfaces: Option<BString>,
    /// `-oY`
    pub no_notifier: bool,
    /// `-MS`: the message that is handed in goes over verified TLS only (REQUIRETLS).
    pub requiretls: bool,
    /// `-E id`
    pub bounce_of: Option<BString>,
    /// `-MCq address size`: would the mailbox take that much?
    pub quota_of: Option<(BString, u64)>,
    /// `-MCG name`
    pub queue_name: BString,
    /// `-L tag`
    pub syslog_name: Option<BString>,
    /// `-N`
    pub dont_deliver: bool,
    /// `-n`
    pub bare_values: bool,
    /// `-bfd`, `-bfl`, `-bfp`, `-bfs`
    pub filter_domain: Option<BString>,
    /// See above.
    pub filter_local_part: Option<BString>,
    /// See above.
    pub filter_prefix: Option<BString>,
    /// See above.
    pub filter_suffix: Option<BString>,
    /// `-Tqt times`
    pub fudged_queue_times: Vec<i64>,
    /// `-C`
    pub config_files: Option<BString>,
    /// `-D`, as given and taken apart.
    pub macros: Vec<(BString, Macro)>,
    /// `-d`, `-v`: bits of `log::trace`.
    pub debug: u32,
    /// `-v`
    pub verbose: bool,
    /// `-dd`: only the daemon itself.
    pub debug_daemon: bool,
    /// `-MCd text`: what this process is for, in debug output.
    pub purpose: Option<BString>,
    /// What is left: addresses, or words for a testing mode.
    pub arguments: Vec<BString>,
}

impl Options {
    /// The one queue of all runs that are not on a schedule.
    pub fn single_run(&self) -> Option<&RunOptions> {
        self.queue_runs.iter().find(|s| s.interval == 0).map(|s| &s.options)
    }

    /// The queue that a listing or an action is about: `-MCG name`, or a `-qG` that is no run of its own.
    pub fn named_queue(&self) -> BString {
        match self.queue_runs.first() {
            Some(run) if self.queue_name.is_empty() => run.options.queue_name.clone(),
            _ => self.queue_name.clone(),
        }
    }

    /// Do the `-qG...` only name the queue that a listing or an action is about?
    fn queue_is_named_only(&self) -> bool {
        (self.list_queue.is_some() || self.action.is_some())
            && self.queue_runs.iter().all(|s| s.interval == 0 && s.options.is_plain())
    }

    /// True if some run has an interval.
    pub fn has_schedule(&self) -> bool {
        self.queue_runs.iter().any(|s| s.interval > 0)
    }

    /// A message is to be received.
    pub fn receives(&self) -> bool {
        self.input != InputMode::Unset || self.extract_recipients || (!self.arguments.is_empty() && self.modes() == 0)
    }

    /// How many modes that have nothing to do with reception were asked for.
    pub fn modes(&self) -> usize {
        let daemon = self.daemon.is_some() || self.has_schedule();
        [
            daemon,
            self.single_run().is_some() && !self.queue_is_named_only(),
            self.list_queue.is_some(),
            self.show.is_some(),
            self.test.is_some(),
            self.action.is_some(),
            self.rebuild_aliases,
            self.version,
            self.info.is_some(),
            self.log_text.is_some(),
            self.atrn.is_some(),
            self.quota_of.is_some(),
            self.remove_pid_file,
        ]
        .iter()
        .filter(|on| **on)
        .count()
    }
}
