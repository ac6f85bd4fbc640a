//! Short-lived values of expansions, and the variables of ACLs.

use std::collections::BTreeMap;

use bstr::BString;

use crate::text::Text;

/// Values that exist only while something is being expanded or matched.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// `$0`...: captures of the last match, or arguments. An unset one is `None`.
    pub numeric: Vec<Option<Text>>,
    /// `$value`.
    pub value: Option<Text>,
    /// `$item`.
    pub item: Option<Text>,
    /// `$runrc`.
    pub runrc: i32,
    /// `$prvscheck_address`, `_keynum`, `_result`.
    pub prvscheck_address: Option<Text>,
    /// See above.
    pub prvscheck_keynum: Option<Text>,
    /// See above.
    pub prvscheck_result: Option<Text>,
    /// `$srs_recipient`.
    pub srs_recipient: Option<Text>,
    /// `$srs_status`, `$srs_orig_sender`, `$srs_orig_recipient`, `$srs_db_address`, `$srs_db_key`.
    pub srs: crate::routers::redirect::SrsFacts,
    /// `$ldap_dn`.
    pub ldap_dn: Option<Text>,
    /// `$dnslist_domain`, `_matched`, `_text`, `_value`.
    pub dnslist_domain: Option<Text>,
    /// See above.
    pub dnslist_matched: Option<Text>,
    /// See above.
    pub dnslist_text: Option<Text>,
    /// See above.
    pub dnslist_value: Option<Text>,
    /// `$csa_status`.
    pub csa_status: Option<BString>,
    /// `$sender_rate`, `_limit`, `_period`.
    pub sender_rate: Option<BString>,
    /// See above.
    pub sender_rate_limit: Option<BString>,
    /// See above.
    pub sender_rate_period: Option<BString>,
    /// `$dkim_...`, `$arc_...`, `$dmarc_...` by name, set by the modules that own them.
    pub named: BTreeMap<&'static str, Text>,
    /// A list was left because of an unknown host: its indentation stays, as in the reference's traces.
    pub keep_debug_level: bool,
    /// How deep debug output is indented.
    pub debug_level: u32,
    /// How deep expansions are nested (`${expand:}` inside `${expand:}`...).
    pub expansion_depth: u32,
    /// The message of the last forced failure or error, for callers that log it later.
    pub search_error: Option<String>,
    /// What expansions may not do just now: bits of `expand::forbid`, set while a user's filter runs.
    pub expand_forbid: u32,
    /// `dns_again_means_nonexist` is being tested: its own lookups must not ask it again.
    pub again_list_running: bool,
    /// A filter file is being obeyed: `$n0`... and `$sn0`... exist.
    pub filter_running: bool,
    /// `$recipients` may be seen: the system filter runs, or a command that it asked for.
    pub shows_recipients: bool,
    /// `$n0`..`$n9`
    pub filter_n: [i64; 10],
    /// `$sn0`..`$sn9`: what the system filter left in `$n0`..`$n9`.
    pub filter_sn: [i64; 10],
    /// The character set for `$h_` that a filter chose.
    pub headers_charset: Option<BString>,
    /// Answers that `${readsocket}` may use again, by place, request and options.
    pub socket_cache: BTreeMap<BString, Vec<u8>>,
}

/// ACL variables, and what an ACL run leaves for others.
#[derive(Clone, Debug, Default)]
pub struct AclVars {
    /// `$acl_c<name>`, by the name after `acl_c`, e.g. `0` or `_x`.
    pub connection: BTreeMap<BString, Text>,
    /// `$acl_m<name>`.
    pub message: BTreeMap<BString, Text>,
    /// `$acl_arg1`...
    pub args: Vec<Text>,
    /// `$acl_verify_message`.
    pub verify_message: Option<Text>,
    /// `$recipient_verify_failure`.
    pub recipient_verify_failure: Option<&'static str>,
    /// `$sender_verify_failure`.
    pub sender_verify_failure: Option<&'static str>,
    /// The failed sender verification that the peer and the log are to be told of (once).
    pub sender_verify_failed: Option<SenderVerifyFailed>,
    /// The result may be given to the peer in detail although it is a temporary one (callouts, `defer` verbs).
    pub temp_details: bool,
    /// The ACL that is being run, if one is.
    pub running: Option<crate::acl::Where>,
    /// How deep ACLs are nested just now.
    pub level: u32,
    /// File and line of the statement being obeyed.
    pub source: Option<String>,
    /// ACLs that were read from files, by path.
    pub files: BTreeMap<BString, std::sync::Arc<crate::acl::Acl>>,
    /// Rates computed for the command in hand.
    pub rates: crate::acl::ratelimit::Rates,
    /// `log_reject_target` of the ACL that ran last: `None` is the default (main and reject log), `Some(None)` nowhere.
    pub log_reject_target: Option<Option<crate::log::Which>>,
    /// What `control = wellknown` found for the client.
    pub wellknown_response: Option<Text>,
    /// What `atrn_domains` has looked for.
    pub atrn: Option<crate::odmr::Wanted>,
}

/// What a failed sender verification leaves for the answer and the log line.
#[derive(Clone, Debug, Default)]
pub struct SenderVerifyFailed {
    /// The address.
    pub address: Text,
    /// It was deferred, not refused.
    pub deferred: bool,
    /// Text for the log.
    pub message: Option<Text>,
    /// Text for the peer.
    pub user_message: Option<Text>,
    /// The postmaster check of a callout failed.
    pub postmaster_failed: bool,
    /// MAIL FROM:<> or HELO of a callout failed.
    pub null_sender_failed: bool,
    /// The peer has been told.
    pub told: bool,
}
