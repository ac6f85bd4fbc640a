//! One message: envelope, headers, and what the spool file keeps about it.

use bstr::BString;

use crate::text::Text;

/// The type letter of a header line in the spool (inventory/spool_file_format.md).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderKind {
    /// Any other, ' '.
    #[default]
    Other,
    /// `Bcc:`, 'B'
    Bcc,
    /// `Cc:`, 'C'
    Cc,
    /// `From:`, 'F'
    From,
    /// `Message-Id:`, 'I'
    Id,
    /// `Received:`, 'P'
    Received,
    /// `Reply-To:`, 'R'
    ReplyTo,
    /// `Sender:`, 'S'
    Sender,
    /// `To:`, 'T'
    To,
    /// `Date:` is an ordinary header; kept for fix-up.
    Date,
    /// Deleted, '*'.
    Old,
}

/// One header line, with all its continuation lines and final newline, as it stands in the spool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Its type.
    pub kind: HeaderKind,
    /// The text, `Name: ...\n`, internal newlines included.
    pub text: BString,
}

/// DSN NOTIFY bits (RFC 3461), as in the spool file.
pub mod notify {
    /// NOTIFY=NEVER
    pub const NEVER: u32 = 2;
    /// NOTIFY=SUCCESS
    pub const SUCCESS: u32 = 4;
    /// NOTIFY=FAILURE
    pub const FAILURE: u32 = 8;
    /// NOTIFY=DELAY
    pub const DELAY: u32 = 16;
}

/// One envelope recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipient {
    /// The address.
    pub address: Text,
    /// `one_time` parent, index in the list of recipients; -1 for none.
    pub parent: i32,
    /// `errors_to` of a one_time router.
    pub errors_to: Option<Text>,
    /// ORCPT.
    pub orcpt: Option<Text>,
    /// NOTIFY bits.
    pub dsn_flags: u32,
    /// Brightmail opt-in.
    pub bmi_optin: Option<BString>,
}

impl Message {
    /// What -H does not say but follows from it and from the bytes of the body: sizes and counts.
    pub fn measure(&mut self, body: u64) {
        self.body_size = body;
        self.size = body + 1;
        self.message_linecount = self.body_linecount;
        self.received_count = 0;
        for h in self.headers.iter().filter(|h| h.kind != HeaderKind::Old) {
            self.size += h.text.len() as u64;
            self.message_linecount += h.text.iter().filter(|c| **c == b'\n').count() as u64;
            self.received_count += u32::from(h.kind == HeaderKind::Received);
        }
    }
}

impl Recipient {
    /// A plain recipient.
    pub fn new(address: Text) -> Self {
        Recipient { address, parent: -1, ..Recipient::default() }
    }
}

/// RET= of MAIL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DsnRet {
    /// Not given.
    #[default]
    Unset,
    /// RET=FULL, 1 in the spool.
    Full,
    /// RET=HDRS, 2.
    Headers,
}

/// `control = fakereject` and `fakedefer`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FakeResponse {
    /// The real response.
    #[default]
    Ok,
    /// 4xx after acceptance.
    Defer,
    /// 5xx after acceptance.
    Fail,
}

/// The data file of a message, for whoever wants a piece of its body.
#[derive(Clone, Debug)]
pub enum BodySource {
    /// To be opened by name.
    Path(BString),
    /// Open already: a process that has become the recipient could not open it.
    Open(std::sync::Arc<std::fs::File>),
}

/// One message.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// The id, `tttttt-ppppppppppp-ssss`; empty before it is made.
    pub id: BString,
    /// Envelope sender, without angle brackets; `None` before MAIL.
    pub sender: Option<Text>,
    /// The sender as it was before rewriting (`$smtp_command_argument` keeps the rest).
    pub raw_sender: Option<Text>,
    /// Recipients.
    pub recipients: Vec<Recipient>,
    /// Addresses already delivered (from -H and -J).
    pub nonrecipients: crate::spool::tree::Tree,
    /// Header lines in order, deleted ones included.
    pub headers: Vec<Header>,
    /// Login, uid and gid of the submitter.
    pub originator_login: BString,
    /// See above.
    pub originator_uid: u32,
    /// See above.
    pub originator_gid: u32,
    /// When the message began to arrive: seconds and microseconds.
    pub received_time: (i64, u32),
    /// How long its reception took, microseconds.
    pub received_duration_usec: u64,
    /// When the warnings went out: their count.
    pub warning_count: u32,
    /// AUTH= of MAIL.
    pub authenticated_sender: Option<Text>,
    /// `BODY=` 7 or 8, 0 if not given.
    pub body_type: u8,
    /// `$body_linecount`.
    pub body_linecount: u64,
    /// `$body_zerocount`.
    pub body_zerocount: u64,
    /// `$message_linecount`.
    pub message_linecount: u64,
    /// `$max_received_linelength`.
    pub max_received_linelength: u64,
    /// Bytes of the body (with newlines as they are in the spool).
    pub body_size: u64,
    /// Bytes of headers and body, as logged in `S=`.
    pub size: u64,
    /// `SIZE=` of MAIL.
    pub declared_size: Option<u64>,
    /// Frozen, and since when.
    pub frozen: bool,
    /// Time of freezing, seconds.
    pub frozen_at: i64,
    /// Frozen by `-Mf`.
    pub manual_thaw: bool,
    /// The first delivery attempt is still to come.
    pub first_delivery: bool,
    /// `queue_only` by an ACL's `control = queue` or similar.
    pub queue_only: bool,
    /// `control = queue/first_pass_route`.
    pub queue_smtp: bool,
    /// Local submission or one that counts as such (`-local`).
    pub local: bool,
    /// `-localerror`.
    pub local_error: bool,
    /// `-sender_set_untrusted`.
    pub sender_set_untrusted: bool,
    /// `-allow_unqualified_recipient`, `-allow_unqualified_sender` are the session's.
    pub wireformat: bool,
    /// `-N` was in force when it was received: no real delivery.
    pub dont_deliver: bool,
    /// The message was received by BDAT.
    pub chunked: bool,
    /// It may only go on over verified TLS, to servers that promise the same (REQUIRETLS, RFC 8689).
    pub requiretls: bool,
    /// `SMTPUTF8` was given.
    pub smtputf8: bool,
    /// Downconversion: 0 no, 1 yes, -1 if needed; unset `None`.
    pub utf8_downconvert: Option<i8>,
    /// PRDR was given.
    pub prdr: bool,
    /// ENVID.
    pub dsn_envid: Option<Text>,
    /// RET.
    pub dsn_ret: DsnRet,
    /// `control = suppress_local_fixups`.
    pub suppress_local_fixups: bool,
    /// `control = submission` and its options.
    pub submission: Option<Submission>,
    /// `control = freeze`, by ACL, before the message is accepted.
    pub freeze_requested: bool,
    /// `control = freeze/no_tell`: nobody is told of it.
    pub freeze_no_tell: bool,
    /// `control = fakereject`.
    pub fake_response: FakeResponse,
    /// Its text.
    pub fake_response_text: Option<Text>,
    /// `control = caseful_local_part`.
    pub caseful_local_part: bool,
    /// `control = dk_verify`.
    pub dk_verify: bool,
    /// `control = dkim_disable_verify`.
    pub dkim_disable_verify: bool,
    /// `control = dmarc_disable_verify`.
    pub dmarc_disable_verify: bool,
    /// `control = dmarc_enable_forensic`.
    pub dmarc_forensic: bool,
    /// Signatures, SPF and the like: who vouches for the message.
    pub auth: crate::mail_auth::MessageAuth,
    /// `local_scan`'s data.
    pub local_scan_data: Option<Text>,
    /// `$spam_score` and friends as kept in the spool.
    pub spam_score: Option<Text>,
    /// See above.
    pub spam_score_int: Option<Text>,
    /// See above.
    pub spam_bar: Option<Text>,
    /// See above.
    pub spam_report: Option<Text>,
    /// See above.
    pub spam_action: Option<Text>,
    /// What content scanning knows of it.
    pub scan: crate::scan::State,
    /// Message-ID of the message that this one answers (bounces), for log line `R=`.
    pub references_id: Option<BString>,
    /// Header lines added by ACLs, not yet put in.
    pub acl_added_headers: Vec<AclHeader>,
    /// Names of header lines to be removed, from ACLs.
    pub acl_removed_headers: Vec<BString>,
    /// Texts of ACL warnings that were logged for this message: each is logged once.
    pub acl_warnings: Vec<BString>,
    /// Sender addresses that were verified for this message, with what came of it.
    pub verified_senders: Vec<crate::verify::VerifiedSender>,
    /// Rates computed for this message.
    pub rates: crate::acl::ratelimit::Rates,
    /// Header lines kept by `$message_headers` are taken from `headers`.
    pub received_count: u32,
    /// The MAIL ACL (or DATA, predata...) said discard: recipients are accepted and thrown away.
    pub recipients_discarded: bool,
    /// `$rcpt_count`.
    pub rcpt_count: u32,
    /// `$rcpt_defer_count`.
    pub rcpt_defer_count: u32,
    /// `$rcpt_fail_count`.
    pub rcpt_fail_count: u32,
    /// Sub-directory letter of a split spool, if the message lies in one.
    pub subdir: Option<u8>,
    /// Queue it lies in; empty is the default one.
    pub queue_name: BString,
    /// Where `$message_body` is read from.
    pub body: Option<BodySource>,
    /// `$message_exim_id` for bounces etc. is `id`; `$recipients_max` are the session's.
    pub bounce_recipient: Option<Text>,
    /// Unknown `-name` lines of a spool file, kept so that they are written back.
    pub unknown_spool_lines: Vec<BString>,
    /// The debug log that was being written when it was received.
    pub debug_log: Option<crate::log::debuglog::Wanted>,
}

/// `control = submission` and its options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submission {
    /// `/sender_retain`
    pub sender_retain: bool,
    /// `/domain=`
    pub domain: Option<Text>,
    /// `/name=`
    pub name: Option<Text>,
}

/// Where an ACL's `add_header` puts its lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderPlace {
    /// At the end of the header (default).
    #[default]
    AtEnd,
    /// `:at_start:`
    AtStart,
    /// `:after_received:`
    AfterReceived,
    /// `:at_start_rfc:`
    AtStartRfc,
}

/// A header line that an ACL adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AclHeader {
    /// Where it goes.
    pub place: HeaderPlace,
    /// Text with newline.
    pub text: BString,
}
