//! One recipient being routed, verified or delivered, and the hosts it may go to.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use bstr::BString;

use crate::text::Text;
use crate::transports::TransportInstance;

/// What an address is, beyond an ordinary mail address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AddressKind {
    /// `local@domain`.
    #[default]
    Mail,
    /// `/file` or `/directory/` from redirection or a filter.
    File,
    /// `|command`.
    Pipe,
    /// `>` autoreply from a filter.
    Reply,
}

/// Whether a host has been tried, and how it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HostStatus {
    /// Not tried.
    #[default]
    Unknown,
    /// Usable.
    Usable,
    /// Its retry time has not come.
    UnusableRetry,
    /// It has passed its last retry.
    UnusableExpired,
    /// Tried, failed.
    Failed,
    /// Ours.
    Local,
}

/// Preference of a host: MX value, or -1 (none), or groups of randomised lists below that.
pub type MxRank = i32;

/// One host (or one address of it) to try.
#[derive(Clone, Debug, Default)]
pub struct HostItem {
    /// The name.
    pub name: Text,
    /// The name that a certificate must have, when it differs: that before CNAMEs were followed.
    pub cert_name: Option<Text>,
    /// The address, once looked up.
    pub address: Option<IpAddr>,
    /// The address as text, for variables and logs.
    pub address_text: BString,
    /// The port, if the router gave one.
    pub port: Option<u16>,
    /// MX preference; negative for "no MX".
    pub mx: MxRank,
    /// Key for sorting equal preferences.
    pub sort_key: i64,
    /// See [`HostStatus`].
    pub status: HostStatus,
    /// Why it is not usable: retry key and first failure.
    pub why: Option<BString>,
    /// When it was tried last.
    pub last_try: i64,
    /// DNSSEC vouches for the name (MX, SRV) and the address; None if it was not asked for.
    pub dnssec: Option<bool>,
    /// TLS on connect by SRV (`_smtps`).
    pub tls_on_connect: bool,
}

/// Facts of an autoreply that a filter asked for.
#[derive(Clone, Debug, Default)]
pub struct ReplyInfo {
    /// Header fields and texts by their filter-command names: from, to, cc, bcc, reply_to, subject, headers, text, file, log, once.
    pub fields: BTreeMap<&'static str, Text>,
    /// once_repeat, seconds.
    pub once_repeat: i64,
    /// Expand the file's lines (`file_expand`).
    pub file_expand: bool,
    /// Forward the original (`return message`).
    pub return_message: bool,
    /// None of its recipients is good.
    pub nobody: bool,
    /// never_mail list of the reply transport comes from its options.
    pub expand_forbid: u32,
}

/// The last delivery's result on an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// Basic error number (positive errno or the negative codes of `retry::errors`).
    pub basic_errno: i32,
    /// More: SMTP code and command, IP protocol letters, as the retry code reads them.
    pub more_errno: i32,
    /// Text for the log.
    pub message: Option<Text>,
    /// Text for users (may be given by :fail: and friends).
    pub user_message: Option<Text>,
}

/// One address.
#[derive(Clone, Debug, Default)]
pub struct Address {
    /// The full address: as routed, after any rewriting.
    pub address: Text,
    /// What makes a delivery of it unique (with transport and home for files and pipes).
    pub unique: BString,
    /// Local part and domain as routers see them; the local part without affixes while a router handles it.
    pub local_part: Text,
    /// Case-preserving local part.
    pub cc_local_part: Text,
    /// The domain in lower case.
    pub domain: Text,
    /// Affixes that the current router removed.
    pub prefix: Option<Text>,
    /// See above.
    pub prefix_v: Option<Text>,
    /// See above.
    pub suffix: Option<Text>,
    /// See above.
    pub suffix_v: Option<Text>,
    /// What it is.
    pub kind: AddressKind,
    /// Index of the original recipient in the message's list, -1 for none.
    pub recipient_index: i32,
    /// The address it came from by redirection (shared by siblings).
    pub parent: Option<Arc<Address>>,
    /// `$address_data` and other data carried along.
    pub address_data: Option<Text>,
    /// `$domain_data`, `$local_part_data`.
    pub domain_data: Option<Text>,
    /// See above.
    pub local_part_data: Option<Text>,
    /// `$r_...`.
    pub router_vars: BTreeMap<BString, Text>,
    /// Where bounces of it go, if not to the sender.
    pub errors_to: Option<Text>,
    /// The rewritten sender (SRS) for its delivery; bounces still go to the sender.
    pub srs_sender: Option<Text>,
    /// Headers to add (with newlines) and to remove (names, colon-separated lists).
    pub headers_add: Vec<BString>,
    /// See above.
    pub headers_remove: Vec<BString>,
    /// The router that accepted it.
    pub router: Option<BString>,
    /// First router to use (redirect_router, pass_router), if not the first of all.
    pub start_router: Option<BString>,
    /// The transport.
    pub transport: Option<Arc<TransportInstance>>,
    /// Hosts for a remote one.
    pub hosts: Vec<HostItem>,
    /// Hosts of MX or SRV records that have no usable address, for `-bt`.
    pub useless_hosts: Vec<HostItem>,
    /// fallback_hosts.
    pub fallback_hosts: Vec<HostItem>,
    /// User and groups for a local one.
    pub uid: Option<u32>,
    /// See above.
    pub gid: Option<u32>,
    /// initgroups.
    pub initgroups: bool,
    /// home and current directory from the router.
    pub home_dir: Option<Text>,
    /// `self_hostname`.
    pub self_hostname: Option<Text>,
    /// The result of the last router or delivery.
    pub failure: Failure,
    /// Flags.
    pub flags: AddressFlags,
    /// ORCPT and NOTIFY bits of the recipient.
    pub dsn_orcpt: Option<Text>,
    /// See above.
    pub dsn_flags: u32,
    /// The remote host took over DSN responsibility.
    pub dsn_aware: Option<bool>,
    /// The host that took it (remote deliveries), for logs.
    pub host_used: Option<Box<HostItem>>,
    /// An autoreply's data.
    pub reply: Option<Box<ReplyInfo>>,
    /// File mode from a filter's `save`.
    pub mode: Option<u32>,
    /// Retry records to be written or removed after delivery; filled by routers and transports.
    pub retries: Vec<RetryItem>,
    /// What the remote transport leaves for the log lines.
    pub remote_log: Option<Box<crate::log::outcome::RemoteLog>>,
    /// Further log fields after delivery, already built (normally none: `remote_log` has them).
    pub log_fields: BString,
    /// TLS of the delivery.
    pub tls: crate::context::TlsFacts,
    /// The numbered variables for the expansion of a pipe command that a filter made (`$0`, `$1`...).
    pub pipe_numeric: Vec<Option<Text>>,
    /// `$thisaddress` for the same.
    pub pipe_this_address: Option<Text>,
    /// How long the delivery took, microseconds (`DT=`).
    pub delivery_usec: u64,
    /// Bytes sent, for `S=` of delivery lines.
    pub bytes_sent: u64,
    /// The envelope sender that the transport used, when it is known (`P=`).
    pub return_path: Option<Text>,
    /// Output of a pipe command and the like, to be put into a bounce: a file of the spool.
    pub return_file: Option<BString>,
    /// The output is shown in the bounce after the last address of a batch; this is not that one.
    pub shares_return_file: bool,
    /// Text of a message to be sent to the recipient when quota_warn_threshold was passed (expanded).
    pub warn_message: Option<Text>,
    /// The shadow transport that ran after this delivery, and why it failed.
    pub shadow: Option<(BString, Option<BString>)>,
    /// Keys of the routing retry records, `R:domain` and `R:local@domain`; set by delivery.
    pub domain_retry_key: BString,
    /// See above.
    pub address_retry_key: BString,
    /// The recipient that a one_time router made this one of.
    pub onetime_parent: Option<Text>,
    /// The original recipients that this delivery is for, with their places in the message's list, duplicates included
    /// (`Envelope-to:`); set by delivery.
    pub envelope_to: Vec<(i32, Text)>,
    /// Delivered in one transaction with an address before it: logged with `->`. Set by remote transports; delivery
    /// sets it for local batches.
    pub follower: bool,
}

/// Flags of an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressFlags {
    /// The bounce may show the child's address or not (`hide_child_in_errmsg`).
    pub hide_child: bool,
    /// The router that took it looked at the case of the local part.
    pub caseful: bool,
    /// `one_time` handling.
    pub ignore_error: bool,
    /// Returned message output (pipe transports).
    pub return_output: bool,
    /// Expansions of the address's file or pipe are not done again.
    pub expand_pipe: bool,
    /// It timed out in the retry rules.
    pub timed_out: bool,
    /// Freezing was asked for (`special_action`).
    pub freeze: bool,
    /// log_as_local.
    pub log_as_local: bool,
    /// errors_to came from a router of this address (not inherited).
    pub errors_to_set: bool,
    /// The user was set explicitly.
    pub uid_set: bool,
    /// Delivered by a remote host with PRDR, with DSN etc. are in `log_fields`.
    pub pass_message: bool,
    /// The failure message was given by the administrator (`:fail:` and user messages).
    pub user_message_given: bool,
    /// no log line for it (disable_logging).
    pub no_log: bool,
    /// The system filter asked for it.
    pub of_system_filter: bool,
    /// DSN lasthop.
    pub dsn_lasthop: bool,
    /// An ancestor has the same address: its deliveries are noted with the transport's name.
    pub homonym: bool,
    /// A host was skipped because its retry time has not come: the address must not time out yet.
    pub retry_skipped: bool,
    /// There is a routing retry record, to be deleted when routing works.
    pub routing_retry_exists: bool,
    /// There is a local delivery retry record, to be deleted when the delivery works.
    pub delivery_retry_exists: bool,
}

/// A retry record that a delivery wants to be written (or deleted).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetryItem {
    /// `R:...` or `T:...`.
    pub key: BString,
    /// Delete it: the delivery worked.
    pub delete: bool,
    /// It is a host's record.
    pub host: bool,
    /// The message's own (contains the id).
    pub message_specific: bool,
    /// The failure.
    pub failure: Failure,
}

/// The unique form of an address: that of the address, with a mark if an ancestor has the same name.
pub fn set_unique(addr: &mut Address) {
    let same = addr.ancestors().find(|a| a.address.eq_ignore_ascii_case(&addr.address)).map(|a| a.unique.clone());
    let mut unique = BString::from(addr.address.as_bytes());
    if let Some(u) = same {
        let level = match u.as_slice() {
            [b'\\', n, b'\\', ..] => n.saturating_add(1),
            _ => b'0',
        };
        unique = [&[b'\\', level, b'\\'], addr.address.as_bytes()].concat().into();
        addr.flags.homonym = true;
    }
    if let Some(at) = unique.iter().rposition(|c| *c == b'@') {
        unique[at..].make_ascii_lowercase();
    }
    addr.unique = unique;
}
