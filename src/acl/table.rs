//! The table of conditions and modifiers: names, where each may be used, how its argument is expanded.

use super::ast::Kind;
use super::place::{Places, Where};
use crate::build_options::EXPERIMENTAL_DOMAINKEYS;

/// One row.
pub struct Info {
    /// The name.
    pub name: &'static str,
    /// Which it is.
    pub kind: Kind,
    /// A modifier (no `!`, always true), or a condition.
    pub modifier: bool,
    /// The whole argument is expanded before it is looked at (lists and messages are not).
    pub expand: bool,
    /// Where it may be used.
    pub places: Places,
}

const fn condition(name: &'static str, kind: Kind, expand: bool, places: Places) -> Info {
    Info { name, kind, modifier: false, expand, places }
}

const fn modifier(name: &'static str, kind: Kind, expand: bool, places: Places) -> Info {
    Info { name, kind, modifier: true, expand, places }
}

/// A condition of DomainKeys, if they are there.
const fn domainkeys(name: &'static str, kind: Kind) -> Info {
    let places = Places::only(&[Where::Data, Where::Mime, Where::NotSmtp]);
    if EXPERIMENTAL_DOMAINKEYS { condition(name, kind, false, places) } else { missing(name) }
}

const fn missing(name: &'static str) -> Info {
    condition(name, Kind::Missing, true, Places::ALL)
}

const HEADERS: Places = Places::only(&[
    Where::Mail,
    Where::Rcpt,
    Where::Predata,
    Where::Data,
    Where::Prdr,
    Where::Mime,
    Where::NotSmtp,
    Where::NotSmtpMime,
    Where::Dkim,
    Where::NotSmtpStart,
]);
const WITH_CONTENT: Places = Places::only(&[Where::Data, Where::Prdr, Where::NotSmtp]);
const WITH_RECIPIENT: Places = Places::only(&[Where::Rcpt, Where::Vrfy, Where::Prdr]);
const WITH_SENDER: Places = Places::except(&[
    Where::Auth,
    Where::Connect,
    Where::Helo,
    Where::Mailauth,
    Where::Quit,
    Where::Etrn,
    Where::Atrn,
    Where::Expn,
    Where::StartTls,
    Where::Vrfy,
]);

const AFTER_MAIL: Places = Places::except(&[
    Where::Auth,
    Where::Connect,
    Where::Helo,
    Where::Mailauth,
    Where::Etrn,
    Where::Atrn,
    Where::Expn,
    Where::StartTls,
    Where::Vrfy,
    Where::NotSmtp,
    Where::NotSmtpStart,
]);

/// All of them.
pub static TABLE: &[Info] = &[
    condition("acl", Kind::Acl, false, Places::ALL),
    modifier("add_header", Kind::AddHeader, true, HEADERS),
    condition("atrn_domains", Kind::AtrnDomains, true, Places::only(&[Where::Atrn])),
    condition(
        "authenticated",
        Kind::Authenticated,
        false,
        Places::except(&[Where::NotSmtp, Where::NotSmtpStart, Where::Connect, Where::Helo]),
    ),
    modifier("bmi_optin", Kind::BmiOptin, true, Places::only(&[Where::Rcpt])),
    condition("condition", Kind::Condition, true, Places::ALL),
    modifier("continue", Kind::Continue, true, Places::ALL),
    modifier("control", Kind::Control, true, Places::ALL),
    condition("dcc", Kind::Dcc, true, WITH_CONTENT),
    condition("decode", Kind::Decode, true, Places::only(&[Where::Mime])),
    modifier("delay", Kind::Delay, true, Places::except(&[Where::Notquit])),
    domainkeys("dk_domain_source", Kind::DkDomainSource),
    domainkeys("dk_policy", Kind::DkPolicy),
    domainkeys("dk_sender_domains", Kind::DkSenderDomains),
    domainkeys("dk_sender_local_parts", Kind::DkSenderLocalParts),
    domainkeys("dk_senders", Kind::DkSenders),
    domainkeys("dk_status", Kind::DkStatus),
    condition("dkim_signers", Kind::DkimSigners, false, Places::only(&[Where::Dkim])),
    condition("dkim_status", Kind::DkimStatus, false, Places::only(&[Where::Dkim, Where::Data, Where::Prdr, Where::Mime])),
    condition("dmarc_status", Kind::DmarcStatus, true, Places::only(&[Where::Data])),
    condition("dnslists", Kind::Dnslists, false, Places::ALL),
    condition("domains", Kind::Domains, false, WITH_RECIPIENT),
    condition("encrypted", Kind::Encrypted, false, Places::except(&[Where::NotSmtp, Where::NotSmtpStart])),
    modifier("endpass", Kind::Endpass, true, Places::ALL),
    condition("hosts", Kind::Hosts, false, Places::except(&[Where::NotSmtp, Where::NotSmtpStart])),
    condition("local_parts", Kind::LocalParts, false, WITH_RECIPIENT),
    modifier("log_message", Kind::LogMessage, false, Places::ALL),
    modifier("log_reject_target", Kind::LogRejectTarget, true, Places::ALL),
    modifier("logwrite", Kind::Logwrite, true, Places::ALL),
    condition("malware", Kind::Malware, true, WITH_CONTENT),
    modifier("message", Kind::Message, false, Places::ALL),
    condition("mime_regex", Kind::MimeRegex, true, Places::only(&[Where::Mime])),
    modifier("queue", Kind::Queue, true, Places::except(&[Where::NotSmtp, Where::Prdr, Where::Data])),
    condition("ratelimit", Kind::Ratelimit, true, Places::ALL),
    condition("recipients", Kind::Recipients, false, Places::only(&[Where::Rcpt])),
    condition("regex", Kind::Regex, true, Places::only(&[Where::Data, Where::Prdr, Where::NotSmtp, Where::Mime])),
    modifier("remove_header", Kind::RemoveHeader, true, HEADERS),
    condition("seen", Kind::Seen, true, Places::ALL),
    condition("sender_domains", Kind::SenderDomains, false, WITH_SENDER),
    condition("senders", Kind::Senders, false, WITH_SENDER),
    modifier("set", Kind::Set, true, Places::ALL),
    condition("spam", Kind::Spam, true, WITH_CONTENT),
    condition("spf", Kind::Spf, true, AFTER_MAIL),
    condition("spf_guess", Kind::SpfGuess, true, AFTER_MAIL),
    modifier("udpsend", Kind::Udpsend, true, Places::ALL),
    condition("verify", Kind::Verify, true, Places::ALL),
];

/// The row of that name, case-independently.
pub fn by_name(name: &[u8]) -> Option<&'static Info> {
    TABLE.iter().find(|i| i.name.as_bytes().eq_ignore_ascii_case(name))
}

/// The row of that kind.
pub fn by_kind(kind: Kind) -> &'static Info {
    // Every kind has a row; `Missing` never gets into an ACL.
    TABLE.iter().find(|i| i.kind == kind).unwrap_or(&TABLE[0])
}
