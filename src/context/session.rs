//! The SMTP connection, or the local submission, that a message comes from.

use std::net::IpAddr;

use bstr::BString;

use crate::text::Text;
use crate::tls_openssl::{self, ChannelBinding};

/// How a message arrives (`$received_protocol` is kept beside it).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Input {
    /// Not SMTP: `-bm`, `-t`.
    #[default]
    Local,
    /// SMTP over a socket or `-bs`.
    Smtp,
    /// `-bS`.
    BatchedSmtp,
}

/// Facts of one TLS session, for variables and log lines.
#[derive(Clone, Debug, Default)]
pub struct TlsFacts {
    /// `X=`: `TLS1.3:TLS_AES_256_GCM_SHA384:256`; unset while there is no TLS.
    pub cipher: Option<BString>,
    /// The cipher's standard name.
    pub cipher_std: Option<BString>,
    /// `TLS1.3`.
    pub version: Option<BString>,
    /// Strength in bits.
    pub bits: u32,
    /// The peer's certificate was verified.
    pub certificate_verified: bool,
    /// Configuration asks for verification of such peers; else `CV=` is not shown.
    pub verification_configured: bool,
    /// DANE made the verification.
    pub dane_verified: bool,
    /// Usage bits of the TLSA records used.
    pub tlsa_usage: u32,
    /// The peer's distinguished name.
    pub peerdn: Option<Text>,
    /// Server name indication.
    pub sni: Option<Text>,
    /// OCSP state, 0 to 4.
    pub ocsp: u8,
    /// Resumption bits.
    pub resumption: u32,
    /// Our certificate, PEM.
    pub our_cert: Option<BString>,
    /// The peer's certificate, PEM.
    pub peer_cert: Option<BString>,
    /// What an authenticator may bind to (SCRAM-...-PLUS).
    pub channel_binding: Option<ChannelBinding>,
    /// TLS began with the connection.
    pub on_connect: bool,
    /// `TLS early banner` and ALPN agreed.
    pub alpn: bool,
}

impl TlsFacts {
    /// From those of the TLS room, when a handshake has ended.
    pub fn of(f: &tls_openssl::TlsFacts) -> Self {
        let text = |s: &str| (!s.is_empty()).then(|| BString::from(s));
        let pem = |c: &Option<tls_openssl::Cert>| c.as_ref().and_then(|c| c.pem().ok()).map(BString::from);
        Self {
            cipher: text(&f.cipher),
            cipher_std: text(&f.cipher_std),
            version: text(&f.version),
            bits: f.bits,
            certificate_verified: f.verified,
            verification_configured: false,
            dane_verified: f.dane,
            tlsa_usage: u32::from(f.tlsa_usage),
            peerdn: f.peer_dn.clone().map(Text::tainted),
            sni: f.sni.clone().map(Text::tainted),
            ocsp: f.ocsp.number(),
            resumption: u32::from(f.resumption),
            our_cert: pem(&f.our_cert),
            peer_cert: pem(&f.peer_cert),
            channel_binding: f.channel_binding.clone(),
            on_connect: false,
            alpn: f.alpn.is_some(),
        }
    }
}

/// State of the name of the sending host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HostName {
    /// Not looked up yet.
    #[default]
    Unknown,
    /// Found.
    Found(Text),
    /// Looked up, none: `$host_lookup_failed`.
    Failed,
    /// Looked up, temporarily none: `$host_lookup_deferred`.
    Deferred,
}

/// One connection.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Local, SMTP or batched.
    pub input: Input,
    /// The peer, if it is one on the network (or `-oMa`).
    pub host_address: Option<Text>,
    /// The same, as an address, if it is one.
    pub host_ip: Option<IpAddr>,
    /// The peer's port, 0 if unknown.
    pub host_port: u16,
    /// Our own end.
    pub interface_address: Option<Text>,
    /// Our own port.
    pub interface_port: u16,
    /// Nothing more will be learnt of it: a message of the queue, or a caller who may say nothing.
    pub interface_settled: bool,
    /// What a reverse lookup said.
    pub host_name: HostName,
    /// Further names of the host.
    pub host_aliases: Vec<Text>,
    /// Why there is no name, for SMTP responses: ` (failed to find host name from IP address)`.
    pub host_lookup_msg: BString,
    /// The reverse lookup was DNSSEC-secured.
    pub host_dnssec: bool,
    /// The argument of HELO or EHLO (or `-oMs`-like options).
    pub helo_name: Option<Text>,
    /// The HELO name was verified.
    pub helo_verified: bool,
    /// ... and a verification was tried and failed.
    pub helo_verify_failed: bool,
    /// DNSSEC of the HELO verification.
    pub helo_dnssec: bool,
    /// `$sender_ident`: RFC 1413, or the login of a local caller.
    pub ident: Option<Text>,
    /// The peer said EHLO.
    pub esmtp: bool,
    /// `$received_protocol`, if fixed (`-oMr`); else worked out from the session.
    pub received_protocol: Option<BString>,
    /// Name of the authenticator that succeeded (`$sender_host_authenticated`).
    pub authenticated_by: Option<BString>,
    /// Its public name, for logs.
    pub auth_public_name: Option<BString>,
    /// `$authenticated_id`.
    pub authenticated_id: Option<Text>,
    /// `$authenticated_fail_id`.
    pub authenticated_fail_id: Option<Text>,
    /// `$authentication_failed`.
    pub authentication_failed: bool,
    /// `$authenticated_sender` of the session (`-oMas`); AUTH= on MAIL is the message's.
    pub authenticated_sender: Option<Text>,
    /// `$auth1` ... `$auth4`.
    pub auth_vars: [Option<Text>; 4],
    /// Incoming TLS.
    pub tls_in: TlsFacts,
    /// Outgoing TLS of the delivery or callout in hand.
    pub tls_out: TlsFacts,
    /// `$smtp_active_hostname`.
    pub active_hostname: BString,
    /// `$smtp_command` and its argument.
    pub smtp_command: Option<Text>,
    /// The argument of `smtp_command`.
    pub smtp_command_argument: Option<Text>,
    /// `$smtp_command_history`, names only, oldest first.
    pub command_history: Vec<&'static str>,
    /// `$smtp_notquit_reason`.
    pub notquit_reason: Option<BString>,
    /// `$smtp_count_at_connection_start`.
    pub count_at_start: u32,
    /// Commands are pipelined, PRDR and SMTPUTF8 requested for the message in hand are in `Message`.
    pub pipelining_advertised: bool,
    /// PROXY protocol: the proxy's outer address and port, and its local ones.
    pub proxy: Option<Proxy>,
    /// The peer used TCP Fast Open; `true`: with data. Only the first line about the connection says so.
    pub fast_open: Option<bool>,
    /// Unique id of the connection (`$connection_id`).
    pub connection_id: BString,
    /// `$host_data` from the last `hosts` condition.
    pub host_data: Option<Text>,
    /// The peer may send unqualified addresses.
    pub allow_unqualified_sender: bool,
    /// See above.
    pub allow_unqualified_recipient: bool,
    /// `$queue_name` (ACL `queue =`, `-qG`, `-MCG`).
    pub queue_name: BString,
    /// `SMTP connection from` when it began, microseconds since 1970 (D= and QT= in log lines).
    pub start_usec: u64,
    /// `$received_ip_address`/`$received_port` when replaced by PROXY or XCLIENT are above.
    pub sender_host_notsocket: bool,
    /// The peer's host is known only by command-line options.
    pub host_unknown: bool,
    /// Who submits locally, as far as header fix-ups care.
    pub caller: LocalCaller,
    /// The line to the peer. It belongs to the thread that has the context; a copied session has none.
    pub wire: crate::smtp_in::wire::WireSlot,
    /// `smtp_enforce_sync`, as changed by `control = enforce_sync`/`no_enforce_sync`.
    pub enforce_sync: bool,
    /// `control = no_pipelining` was not given.
    pub pipelining_enabled: bool,
    /// The peer has used PIPELINING (log field L).
    pub pipelining_used: bool,
    /// PIPECONNECT was advertised.
    pub early_pipe_advertised: bool,
    /// The peer has used it.
    pub early_pipe_used: bool,
    /// `control = no_multiline_responses`.
    pub no_multiline_responses: bool,
    /// `control = no_callout_flush`.
    pub no_callout_flush: bool,
    /// `control = no_delay_flush`.
    pub no_delay_flush: bool,
    /// `control = allow_auth_unadvertised`.
    pub allow_auth_unadvertised: bool,
    /// DSN was advertised to this peer.
    pub dsn_advertised: bool,
    /// CHUNKING was advertised to this peer.
    pub chunking_offered: bool,
    /// MAIL commands so far.
    pub mail_command_count: u32,
    /// The connection came through inetd.
    pub via_inetd: bool,
    /// hosts_connection_nolog: nothing is logged of the connection itself.
    pub connection_nolog: bool,
    /// QUIT was given.
    pub in_quit: bool,
    /// `-od...` for the messages of this session.
    pub queue_mode: crate::receive::queueing::Mode,
    /// How errors of a local submission are told.
    pub errors: crate::receive::local::Errors,
    /// What was said of a message that was received all the same.
    pub complaint: crate::receive::local::Complaint,
    /// The rest of this session's messages wait for a queue run (queue_only_load_latch): what the log says of it.
    pub queue_only: Option<String>,
    /// What DNS lists have answered.
    pub dnslists: crate::verify::dnslists::Cache,
    /// Rates computed for this connection.
    pub rates: crate::acl::ratelimit::Rates,
}

/// A local submitter: what the command line said of sender and name.
#[derive(Clone, Debug, Default)]
pub struct LocalCaller {
    /// The message counts as local: the sender is the caller (`-local` in the spool).
    pub sender_local: bool,
    /// `-f` was given (and allowed).
    pub sender_forced: bool,
    /// `-F` was given.
    pub name_forced: bool,
    /// The caller's full name: gecos or `-F`.
    pub name: BString,
    /// The caller's own address, used in place of the MAIL command's by callers who may not set a sender.
    pub real_sender: Option<Text>,
    /// `-oMm`: the message that this one is about.
    pub message_reference: Option<BString>,
    /// `-bnq`: addresses in header lines stay unqualified.
    pub no_qualify: bool,
}

/// What a PROXY header said.
#[derive(Clone, Debug, Default)]
pub struct Proxy {
    /// `$proxy_external_address`.
    pub external_address: Text,
    /// `$proxy_external_port`.
    pub external_port: u16,
    /// `$proxy_local_address`.
    pub local_address: Text,
    /// `$proxy_local_port`.
    pub local_port: u16,
}

impl Session {
    /// A peer has sent more, without waiting for an answer. What does not come from a socket is there all at once, and says
    /// nothing.
    pub fn sent_early(&mut self) -> bool {
        self.host_address.is_some() && !self.sender_host_notsocket && self.wire.as_mut().is_some_and(|w| w.input_waiting())
    }

    /// The message is said to come from a host: what was known of the local caller does not hold for it.
    pub fn caller_is_host(&mut self) {
        self.caller.sender_local = false;
        self.authenticated_id = None;
        self.authenticated_sender = None;
    }
}
