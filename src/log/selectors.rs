//! `log_selector`: the items that can be logged or not (manual section 53.15), and the parser of such settings.
//!
//! The same notation serves `-d+name-name`, so the parser works on any table of names. Nothing here writes.

use bstr::{BString, ByteSlice};

/// Bits of `log_selector`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selectors(pub u128);

impl Selectors {
    /// Is that item on?
    pub const fn has(self, s: Selector) -> bool {
        self.0 & s.bit() != 0
    }
    /// The same with one more item.
    #[must_use]
    pub const fn with(self, s: Selector) -> Self {
        Selectors(self.0 | s.bit())
    }
}

macro_rules! selectors {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $on:literal;)*) => {
        /// One `log_selector` item.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Selector { $($(#[$doc])* $variant,)* }

        impl Selector {
            /// Its name in the configuration.
            pub const fn name(self) -> &'static str {
                match self { $(Selector::$variant => $name,)* }
            }
            const fn bit(self) -> u128 {
                1 << (self as u32)
            }
        }

        /// All items, in alphabetical order, with their default.
        pub static SELECTORS: &[(Selector, &str, bool)] = &[$((Selector::$variant, $name, $on),)*];

        impl Default for Selectors {
            fn default() -> Self {
                let mut bits = 0;
                $(if $on { bits |= Selector::$variant.bit(); })*
                Selectors(bits)
            }
        }
    };
}

selectors! {
    /// `M8S=` on arrival.
    EightBitMime = "8bitmime", false;
    /// Log `warn` statements skipped for a deferred condition.
    AclWarnSkipped = "acl_warn_skipped", true;
    /// Log each rewrite.
    AddressRewrite = "address_rewrite", false;
    /// All intermediate parents on delivery lines.
    AllParents = "all_parents", false;
    /// Directory and arguments of each call.
    Arguments = "arguments", false;
    /// `Ci=` on connection, disconnection and arrival lines.
    ConnectionId = "connection_id", false;
    /// Rejected connections.
    ConnectionReject = "connection_reject", true;
    /// Immediate delivery not started because of load.
    DelayDelivery = "delay_delivery", true;
    /// `DT=` on delivery lines.
    DeliverTime = "deliver_time", false;
    /// `S=` on delivery lines.
    DeliverySize = "delivery_size", false;
    /// `DKIM=` on arrival.
    Dkim = "dkim", true;
    /// A line for each signature; `DKIM=` on delivery.
    DkimVerbose = "dkim_verbose", false;
    /// `DMARC` on arrival.
    Dmarc = "dmarc", false;
    /// `DMARC=status`.
    DmarcVerbose = "dmarc_verbose", false;
    /// DNS list lookups that were deferred.
    DnslistDefer = "dnslist_defer", true;
    /// `DS` on arrival and delivery.
    Dnssec = "dnssec", false;
    /// ETRN commands.
    Etrn = "etrn", true;
    /// Host lookups that found nothing.
    HostLookupFailed = "host_lookup_failed", true;
    /// Ident timeouts.
    IdentTimeout = "ident_timeout", false;
    /// `I=` on arrival, rejection and delivery lines.
    IncomingInterface = "incoming_interface", false;
    /// The remote port on arrival.
    IncomingPort = "incoming_port", false;
    /// Connections lost by the client.
    LostIncomingConnection = "lost_incoming_connection", true;
    /// Milliseconds in timestamps, finer intervals.
    Millisec = "millisec", false;
    /// `id=` on arrival.
    MsgId = "msg_id", true;
    /// `id*=` for ids made here.
    MsgIdCreated = "msg_id_created", false;
    /// `I=` on delivery lines (with incoming_interface).
    OutgoingInterface = "outgoing_interface", true;
    /// The remote port on delivery.
    OutgoingPort = "outgoing_port", false;
    /// `[pid]` after the timestamp.
    Pid = "pid", false;
    /// `L` fields.
    Pipelining = "pipelining", false;
    /// `PS=` and details of the protocol.
    ProtocolDetail = "protocol_detail", false;
    /// `PRX=`.
    Proxy = "proxy", false;
    /// Start and end of queue runs.
    QueueRun = "queue_run", true;
    /// `QT=` on delivery lines.
    QueueTime = "queue_time", false;
    /// `QT=` leaves out the time of reception.
    QueueTimeExclusive = "queue_time_exclusive", true;
    /// `QT=` on the `Completed` line.
    QueueTimeOverall = "queue_time_overall", false;
    /// `RT=` on arrival.
    ReceiveTime = "receive_time", false;
    /// `for ...` on arrival.
    ReceivedRecipients = "received_recipients", false;
    /// `from <...>` on arrival.
    ReceivedSender = "received_sender", false;
    /// Headers of rejected messages in the reject log.
    RejectedHeader = "rejected_header", true;
    /// "retry time not reached".
    RetryDefer = "retry_defer", true;
    /// `P=<>` on delivery lines.
    ReturnPathOnDelivery = "return_path_on_delivery", false;
    /// `F=<>` on delivery lines.
    SenderOnDelivery = "sender_on_delivery", false;
    /// Sender verification failures.
    SenderVerifyFail = "sender_verify_fail", true;
    /// Rejections of too big messages.
    SizeReject = "size_reject", true;
    /// Messages skipped in a queue run.
    SkipDelivery = "skip_delivery", true;
    /// `C=""` on delivery lines.
    SmtpConfirmation = "smtp_confirmation", true;
    /// Connections and their ends.
    SmtpConnection = "smtp_connection", false;
    /// Transactions given up by the client.
    SmtpIncompleteTransaction = "smtp_incomplete_transaction", false;
    /// The third part of `A=`.
    SmtpMailauth = "smtp_mailauth", false;
    /// Sessions without MAIL.
    SmtpNoMail = "smtp_no_mail", false;
    /// Protocol errors.
    SmtpProtocolError = "smtp_protocol_error", false;
    /// Syntax errors.
    SmtpSyntaxError = "smtp_syntax_error", false;
    /// `SPF` on arrival.
    Spf = "spf", false;
    /// `SPF=result`.
    SpfVerbose = "spf_verbose", false;
    /// `T=""` on arrival.
    Subject = "subject", false;
    /// `CV=`.
    TlsCertificateVerified = "tls_certificate_verified", true;
    /// `X=`.
    TlsCipher = "tls_cipher", true;
    /// Protocol names tell TLS on connect.
    TlsOnConnect = "tls_on_connect", false;
    /// `DN=""`.
    TlsPeerdn = "tls_peerdn", false;
    /// `*` after `X=` of a resumed session.
    TlsResumption = "tls_resumption", false;
    /// `SNI=`.
    TlsSni = "tls_sni", false;
    /// Failures of list matching for DNS trouble.
    UnknownInList = "unknown_in_list", false;
}

/// Reads a `log_selector` value on top of the default.
pub fn parse(value: &[u8]) -> Result<Selectors, String> {
    let all = SELECTORS.iter().fold(0u128, |b, (s, _, _)| b | s.bit());
    parse_signed(value, "log_selector", Selectors::default().0, all, |name| match name {
        b"rejected_headers" => Some(Selector::RejectedHeader.bit()),
        b"sender_verify_failures" => Some(Selector::SenderVerifyFail.bit()),
        _ => SELECTORS.iter().find(|(_, n, _)| n.as_bytes() == name).map(|(s, _, _)| s.bit()),
    })
    .map(Selectors)
}

/// Reads `+name -name ...` (also `=number`) for a table of bits; `what` names the setting in errors.
pub fn parse_signed(
    value: &[u8],
    what: &str,
    start: u128,
    all: u128,
    find: impl Fn(&[u8]) -> Option<u128>,
) -> Result<u128, String> {
    let mut bits = start;
    let mut rest = value.trim();
    if let Some(number) = rest.strip_prefix(b"=") {
        return parse_number(number.trim()).ok_or_else(|| format!("malformed {what} setting: {}", rest.as_bstr()));
    }
    while let Some(sign) = rest.first().copied() {
        if sign != b'+' && sign != b'-' {
            return Err(format!("malformed {what} setting: + or - expected but found \"{}\"", rest.as_bstr()));
        }
        let body = rest.get(1..).unwrap_or_default();
        let end = body.iter().position(|c| !(c.is_ascii_alphanumeric() || *c == b'_')).unwrap_or(body.len());
        let (name, after) = body.split_at(end);
        let found = if name == b"all" { Some(all) } else { find(name) };
        let Some(found) = found else {
            return Err(format!("unknown {what} setting: {}{}", char::from(sign), name.as_bstr()));
        };
        if sign == b'+' {
            bits |= found;
        } else {
            bits &= !found;
        }
        rest = after.trim_start();
    }
    Ok(bits)
}

fn parse_number(s: &[u8]) -> Option<u128> {
    let s = s.to_str().ok()?;
    match s.strip_prefix("0x").or_else(|| s.strip_prefix("0X")) {
        Some(hex) => u128::from_str_radix(hex, 16).ok(),
        None => s.parse().ok(),
    }
}

/// The bits as `-d` shows them.
pub fn shown(s: Selectors) -> BString {
    format!("{:08x} {:08x}", s.0 as u32, (s.0 >> 32) as u32).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings() {
        let s = parse(b"  +subject -retry_defer+pid").unwrap();
        assert!(s.has(Selector::Subject) && s.has(Selector::Pid) && !s.has(Selector::RetryDefer));
        assert_eq!(parse(b"+foo").unwrap_err(), "unknown log_selector setting: +foo");
        assert_eq!(parse(b"foo").unwrap_err(), "malformed log_selector setting: + or - expected but found \"foo\"");
        assert!(!parse(b"-all").unwrap().has(Selector::Dkim));
    }
}
