//! A message of the queue and its variables: those of Exim are expanded by Exim's own code, and there are some more.

use std::path::PathBuf;
use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::criteria::Value;
use super::stored::Stored;
use crate::config::Config;
use crate::context::{Context, Message, Run, Session};
use crate::expand::expand_once;
use crate::queue::list::{show_age, show_size};

/// Bytes of a body that are looked at.
const MAX_BODY: u64 = 64 << 20;

/// Variables of Exim that a message has and that patterns find; `$acl_...` come to these.
const NAMES: &[&str] = &[
    "authenticated_id",
    "authenticated_sender",
    "body_linecount",
    "body_zerocount",
    "interface_address",
    "interface_port",
    "local_scan_data",
    "max_received_linelength",
    "message_body_size",
    "message_exim_id",
    "message_headers",
    "message_headers_raw",
    "message_id",
    "message_linecount",
    "message_size",
    "originator_gid",
    "originator_uid",
    "received_count",
    "received_ip_address",
    "received_port",
    "received_protocol",
    "received_time",
    "reply_address",
    "sender_address",
    "sender_address_domain",
    "sender_address_local_part",
    "sender_helo_name",
    "sender_host_address",
    "sender_host_authenticated",
    "sender_host_name",
    "sender_host_port",
    "sender_ident",
    "smtp_active_hostname",
    "spam_score",
    "spam_score_int",
    "tls_certificate_verified",
    "tls_cipher",
    "tls_peerdn",
    "tls_sni",
];

/// Those that exipick adds, or gives another value.
const OWN: &[&str] = &[
    "data_path",
    "deliver_freeze",
    "deliver_frozen_at",
    "dont_deliver",
    "first_delivery",
    "header_path",
    "host_lookup_deferred",
    "host_lookup_failed",
    "local_error_message",
    "manually_thawed",
    "message_age",
    "message_body",
    "message_body_missing",
    "originator_login",
    "recipients",
    "recipients_count",
    "recipients_del",
    "recipients_del_count",
    "recipients_undel",
    "recipients_undel_count",
    "sender_local",
    "sender_set_untrusted",
    "shown_message_size",
    "warning_count",
];

/// One that has been read.
pub(super) struct Picked {
    pub stored: Stored,
    /// Seconds since 1970.
    pub received: i64,
    pub sender: String,
    /// The caller, if it was not for him to say who the sender is.
    pub untrusted: Option<String>,
    pub frozen: bool,
    pub size: u64,
    /// With whether it is done.
    pub recipients: Vec<(String, bool)>,
    /// All addresses that are done: recipients, and what was made of them.
    pub done: Vec<String>,
    /// Of `--show-vars`.
    pub shown: Vec<(String, BString)>,
    /// What it is sorted by.
    pub keys: Vec<BString>,
}

impl Picked {
    pub(super) fn age(&self) -> String {
        show_age(crate::sys::time::unix_time() - self.received)
    }

    pub(super) fn shown_size(&self) -> String {
        show_size(self.size)
    }

    pub(super) fn id(&self) -> &str {
        &self.stored.id
    }

    fn path(&self, suffix: &str) -> PathBuf {
        self.stored.directory.join(format!("{}{suffix}", self.id()))
    }

    fn left(&self, done: bool) -> Vec<String> {
        self.recipients.iter().filter(|r| r.1 == done).map(|r| r.0.clone()).collect()
    }
}

/// Reads messages one after the other; variables are those of the last.
pub(super) struct Reader {
    ctx: Context,
}

impl Reader {
    /// `charset`: what header lines are shown in.
    pub(super) fn new(charset: &str) -> Self {
        let mut config = Config::default();
        config.main.headers_charset = crate::config::options::Str::from_bytes(charset.as_bytes());
        let run = Run { log_testing: true, ..Run::default() };
        let services = crate::cli::services(&config, &run);
        Reader { ctx: Context::new(Arc::new(config), Arc::new(run), services) }
    }

    /// `None`: it is no message.
    pub(super) fn read(&mut self, stored: Stored) -> Option<Picked> {
        let ctx = &mut self.ctx;
        (ctx.message, ctx.session, ctx.acl) = (Message::default(), Session::default(), Default::default());
        let id = stored.id.as_str();
        crate::spool::parse_header_file(ctx, id.as_bytes(), &stored.header).ok()?;
        ctx.message.id = id.into();
        ctx.message.measure(stored.data.saturating_sub(id.len() as u64 + 3));
        let m = &ctx.message;
        let mut done: Vec<String> = m.nonrecipients.preorder().into_iter().map(|(_, _, a)| a.to_string()).collect();
        done.extend(stored.journal.lines().map(|l| l.to_str_lossy().into_owned()));
        done.sort();
        done.dedup();
        let recipients = m.recipients.iter().map(|r| r.address.to_string());
        Some(Picked {
            stored,
            received: m.received_time.0,
            sender: m.sender.as_ref().map(ToString::to_string).unwrap_or_default(),
            untrusted: m.sender_set_untrusted.then(|| m.originator_login.to_string()),
            frozen: m.frozen,
            size: m.size,
            recipients: recipients.map(|a| (a.clone(), done.binary_search(&a).is_ok())).collect(),
            done,
            shown: Vec::new(),
            keys: Vec::new(),
        })
    }

    /// The names that a pattern is looked for in.
    pub(super) fn names(&self) -> Vec<String> {
        let acl = &self.ctx.acl;
        let connection = acl.connection.keys().map(|n| format!("acl_c{n}"));
        let of_acl = connection.chain(acl.message.keys().map(|n| format!("acl_m{n}")));
        let mut names: Vec<String> = NAMES.iter().chain(OWN).map(ToString::to_string).chain(of_acl).collect();
        names.sort();
        names
    }

    /// A variable's value for comparisons.
    pub(super) fn value(&mut self, m: &mut Picked, name: &str) -> Value {
        match name {
            "each_recipients" => Value::Each(m.recipients.iter().map(|r| r.0.as_str().into()).collect()),
            "each_recipients_del" => Value::Each(m.done.iter().map(|a| a.as_str().into()).collect()),
            "each_recipients_undel" => Value::Each(m.left(false).into_iter().map(Into::into).collect()),
            _ => Value::Text(self.text(m, name)),
        }
    }

    /// A variable's value as text; empty if there is no such variable, as for one that is not set.
    pub(super) fn text(&mut self, m: &mut Picked, name: &str) -> BString {
        match self.own(m, name) {
            Some(text) => text.into(),
            None if name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-') => self.expanded(name),
            None => BString::default(),
        }
    }

    /// One of those that exipick adds, or gives another value.
    fn own(&self, m: &mut Picked, name: &str) -> Option<String> {
        let yes = |b: bool| if b { "1".to_string() } else { String::new() };
        let (message, session) = (&self.ctx.message, &self.ctx.session);
        Some(match name {
            "data_path" => m.path("-D").display().to_string(),
            "header_path" => m.path("-H").display().to_string(),
            "deliver_freeze" => yes(m.frozen),
            "deliver_frozen_at" if m.frozen => message.frozen_at.to_string(),
            "deliver_frozen_at" => String::new(),
            "dont_deliver" => yes(message.dont_deliver),
            "first_delivery" => yes(message.first_delivery),
            "host_lookup_deferred" => yes(matches!(session.host_name, crate::context::session::HostName::Deferred)),
            "host_lookup_failed" => yes(matches!(session.host_name, crate::context::session::HostName::Failed)),
            "local_error_message" => yes(message.local_error),
            "manually_thawed" => yes(message.manual_thaw),
            "message_age" => (crate::sys::time::unix_time() - m.received).to_string(),
            "message_body" => body(&m.path("-D"), m.id().len() as u64 + 3).unwrap_or_default(),
            "message_body_missing" => yes(std::fs::File::open(m.path("-D")).is_err()),
            "originator_login" => message.originator_login.to_string(),
            "recipients" => m.recipients.iter().map(|r| r.0.as_str()).collect::<Vec<_>>().join(", "),
            "recipients_count" => m.recipients.len().to_string(),
            "recipients_del" => m.done.join(", "),
            "recipients_del_count" => m.left(true).len().to_string(),
            "recipients_undel" => m.left(false).join(", "),
            "recipients_undel_count" => m.left(false).len().to_string(),
            "received_time" => m.received.to_string(),
            "sender_local" => yes(message.local),
            "sender_set_untrusted" => yes(message.sender_set_untrusted),
            "shown_message_size" => m.shown_size().trim().to_string(),
            "warning_count" => message.warning_count.to_string(),
            // What came by no connection has no ports.
            "sender_host_port" | "received_port" | "interface_port" if session.host_address.is_none() => String::new(),
            _ => return None,
        })
    }

    fn expanded(&mut self, name: &str) -> BString {
        let header =
            ["h_", "rh_", "bh_", "lh_", "header_", "rheader_", "bheader_", "lheader_"].iter().any(|p| name.starts_with(p));
        let text = if header { format!("${name}:") } else { format!("${{{name}}}") };
        expand_once(&mut self.ctx, text.as_bytes()).map(|t| BString::from(&*t)).unwrap_or_default()
    }
}

/// All of the body, in one line; `start` is where it begins.
fn body(path: &std::path::Path, start: u64) -> std::io::Result<String> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = std::fs::File::open(path)?;
    file.seek(SeekFrom::Start(start))?;
    let mut text = Vec::new();
    file.take(MAX_BODY).read_to_end(&mut text)?;
    Ok(text.replace("\n", " ").replace("\0", " ").to_str_lossy().into_owned())
}
