//! The words of MAIL and RCPT: addresses as the transport writes them, and parameters.

use bstr::{BString, ByteSlice};

use super::Smtp;
use super::result::State;
use crate::context::Context;
use crate::context::message::{DsnRet, notify};
use crate::expand::{self, ExpandError};
use crate::parse::xtext;
use crate::retry::errors;
use crate::route::Address;
use crate::smtp_out::Opened;
use crate::smtp_out::Trouble;
use crate::text::Text;
use crate::transports::TransportInstance;

/// What is used of the extensions for one message.
#[derive(Clone, Debug, Default)]
pub(super) struct Uses {
    pub(super) prdr: bool,
    pub(super) chunking: bool,
    pub(super) dsn: bool,
    pub(super) pipelining: bool,
    pub(super) smtputf8: bool,
    /// Addresses are written in ASCII form.
    pub(super) downconvert: bool,
    /// The address in AUTH= of MAIL.
    pub(super) auth_sender: Option<Text>,
}

/// Works out `authenticated_sender`.
pub(super) fn auth_sender(ctx: &mut Context, smtp: &Smtp, opened: &Opened) -> Result<Option<Text>, Trouble> {
    let o = &smtp.options;
    let mut sender = ctx.message.authenticated_sender.clone();
    if let Some(t) = o.authenticated_sender.get() {
        match expand::expand(ctx, t) {
            Ok(s) if s.is_empty() => {}
            Ok(s) => sender = Some(s),
            Err(ExpandError::Forced(_)) => {}
            Err(e) => {
                let text = format!("failed to expand authenticated_sender: {e}");
                return Err(Trouble::local(errors::EXPAND_FAIL, text));
            }
        }
    }
    Ok(sender.filter(|_| opened.auth.is_some() || o.authenticated_sender_force))
}

/// How a message goes out whose envelope is not all ASCII, or that came with SMTPUTF8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct International {
    /// With SMTPUTF8.
    pub smtputf8: bool,
    /// With addresses in their ASCII form.
    pub downconvert: bool,
}

/// Is the ASCII form of addresses needed, or SMTPUTF8, or neither? `plain`: the addresses are ASCII; `offered`: the server
/// has SMTPUTF8.
pub fn international(ctx: &mut Context, smtp: &Smtp, plain: bool, offered: bool) -> Result<International, Trouble> {
    if plain && !ctx.message.smtputf8 {
        return Ok(International::default());
    }
    // What the transport says comes before what an ACL has said of the message.
    let own = match smtp.options.utf8_downconvert.get() {
        Some(t) => match expand::expand(ctx, t) {
            Ok(s) => match s.trim() {
                b"1" => Some(1),
                b"0" => Some(0),
                b"-1" => Some(-1),
                _ => None,
            },
            Err(ExpandError::Forced(_)) => None,
            Err(e) => return Err(Trouble::local(errors::EXPAND_FAIL, format!("failed to expand utf8_downconvert: {e}"))),
        },
        None => None,
    };
    let wanted = own.or(ctx.message.utf8_downconvert).unwrap_or(0);
    let downconvert = wanted == 1 || (wanted == -1 && !offered);
    if !downconvert && !offered && ctx.message.smtputf8 {
        let mut t = Trouble::local(errors::UTF8_FORWARD, "utf8 support required but not offered for forwarding");
        t.class = b'5';
        return Err(t);
    }
    Ok(International { smtputf8: offered && !downconvert, downconvert })
}

/// Parameters of MAIL, each with a blank before it.
pub(super) fn mail_parameters(
    ctx: &Context,
    smtp: &Smtp,
    opened: &Opened,
    uses: &Uses,
    batch: &[Address],
    states: &[State],
) -> BString {
    let mut out = BString::default();
    let f = &opened.client.features;
    let addition = smtp.options.size_addition.0;
    if f.size.is_some() && addition >= 0 && ctx.message.size > 0 {
        let lines = if ctx.message.wireformat { 0 } else { ctx.message.message_linecount };
        let size = ctx.message.size + lines + u64::try_from(addition).unwrap_or(0);
        out.extend_from_slice(format!(" SIZE={size}").as_bytes());
    }
    if uses.prdr {
        out.extend_from_slice(b" PRDR");
    }
    if ctx.message.requiretls && f.requiretls {
        out.extend_from_slice(b" REQUIRETLS");
    }
    if uses.smtputf8 {
        out.extend_from_slice(b" SMTPUTF8");
    }
    let last_hop = batch.iter().zip(states).filter(|(_, s)| **s == State::Pending).all(|(a, _)| a.flags.dsn_lasthop);
    if uses.dsn && !last_hop {
        match ctx.message.dsn_ret {
            DsnRet::Headers => out.extend_from_slice(b" RET=HDRS"),
            DsnRet::Full => out.extend_from_slice(b" RET=FULL"),
            DsnRet::Unset => {}
        }
        if let Some(id) = &ctx.message.dsn_envid {
            out.extend_from_slice(b" ENVID=");
            out.extend_from_slice(id);
        }
    }
    if let Some(s) = &uses.auth_sender {
        out.extend_from_slice(b" AUTH=");
        out.extend_from_slice(&xtext::encode(s));
    }
    out
}

/// Parameters of RCPT, and the note in the address whether the host takes over DSN.
pub(super) fn rcpt_parameters(smtp: &Smtp, opened: &Opened, uses: &Uses, a: &mut Address) -> BString {
    let mut out = BString::default();
    if smtp.options.lmtp_ignore_quota && opened.client.lmtp && opened.client.features.ignore_quota {
        out.extend_from_slice(b" IGNOREQUOTA");
    }
    a.dsn_aware = Some(uses.dsn);
    if uses.dsn && !a.flags.dsn_lasthop {
        if a.dsn_flags & notify::NEVER != 0 {
            out.extend_from_slice(b" NOTIFY=NEVER");
        } else if a.dsn_flags & (notify::SUCCESS | notify::FAILURE | notify::DELAY) != 0 {
            let words: Vec<&str> = [(notify::SUCCESS, "SUCCESS"), (notify::FAILURE, "FAILURE"), (notify::DELAY, "DELAY")]
                .into_iter()
                .filter(|(bit, _)| a.dsn_flags & bit != 0)
                .map(|(_, word)| word)
                .collect();
            out.extend_from_slice(format!(" NOTIFY={}", words.join(",")).as_bytes());
        }
        if let Some(o) = &a.dsn_orcpt {
            out.extend_from_slice(b" ORCPT=");
            out.extend_from_slice(o);
        }
    }
    out
}

/// The address for RCPT: without the affixes that the router took off, unless `rcpt_include_affixes` is set.
pub fn rcpt_address(transport: &TransportInstance, a: &Address) -> BString {
    let whole = &a.address;
    let at = whole.rfind_byte(b'@').unwrap_or(whole.len());
    if transport.generic.rcpt_include_affixes || (a.prefix.is_none() && a.suffix.is_none()) {
        return BString::from(whole.as_bytes());
    }
    let start = a.prefix.as_ref().map_or(0, |p| p.len());
    let end = at.saturating_sub(a.suffix.as_ref().map_or(0, |s| s.len()));
    let mut out = BString::from(whole.get(start..end).unwrap_or_default());
    out.extend_from_slice(whole.get(at..).unwrap_or_default());
    out
}

/// An address as it goes over the wire: in ASCII form if need be, and free of what would end the command.
pub fn on_the_wire(address: &[u8], downconvert: bool) -> Result<BString, Trouble> {
    let bad = |m: String| Trouble { class: b'5', ..Trouble::local(errors::BAD_ADDRESS, m) };
    if address.iter().any(|c| matches!(c, b'\r' | b'\n' | 0)) {
        return Err(bad("address contains control characters".into()));
    }
    if !downconvert || address.is_ascii() {
        return Ok(address.into());
    }
    crate::expand::operators::address_to_alabel(address).map(BString::from).map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;

    #[test]
    fn affixes() {
        let t = TransportInstance {
            name: "t".into(),
            driver_name: "smtp",
            generic: Default::default(),
            set_options: Vec::new(),
            hidden: Vec::new(),
            place: String::new(),
            driver: Box::<Smtp>::default(),
        };
        let mut a = Address::new(Text::clean("x-user+y@d.example"));
        assert_eq!(rcpt_address(&t, &a), "x-user+y@d.example");
        a.prefix = Some(Text::clean("x-"));
        a.suffix = Some(Text::clean("+y"));
        assert_eq!(rcpt_address(&t, &a), "user@d.example");
    }
}
