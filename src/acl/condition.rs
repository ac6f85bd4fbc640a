//! One condition or modifier: what it says. The larger ones have their own files.

use bstr::{BString, ByteSlice};

use super::ast::{Item, Kind, Variable, Verb};
use super::messages::Messages;
use super::run::Run;
use super::{Verdict, Where, control, delay, headers, logs, nested, ratelimit, seen, udpsend, verify};
use crate::context::Context;
use crate::expand::Template;
use crate::matching::{self, List, Match, Request, Subject};
use crate::scan;
use crate::text::Text;

/// Tests a condition, or obeys a modifier. `arg` is the expanded argument, for those whose argument is expanded whole.
pub fn test(ctx: &mut Context, run: &mut Run, verb: Verb, item: &Item, arg: &Text, m: &mut Messages) -> Verdict {
    match item.kind {
        Kind::Acl => nested::test(ctx, run, verb, item, m),
        Kind::AddHeader => {
            headers::add(ctx, arg);
            Verdict::Ok
        }
        Kind::AtrnDomains => match crate::odmr::provider::look(ctx, arg) {
            Ok(true) => Verdict::Ok,
            Ok(false) => Verdict::Fail,
            Err(text) => {
                m.set_log(Text::clean(text));
                Verdict::Error
            }
        },
        Kind::Authenticated => match ctx.session.authenticated_by.clone() {
            None => Verdict::Fail,
            Some(name) => listed(ctx, m, |ctx| matching::match_string(ctx, &Text::clean(name.clone()), &item.arg, None)),
        },
        Kind::BmiOptin => {
            // The reference ignores what is no longer than a letter.
            ctx.message.scan.bmi.optin = Some(BString::from(arg.as_bytes())).filter(|a| a.len() > 1);
            Verdict::Ok
        }
        Kind::Condition => condition(arg, m),
        Kind::Continue => Verdict::Ok,
        Kind::Control => control::obey(ctx, run, arg, m),
        Kind::Dcc => scanned(scan::dcc::test(ctx, arg), m),
        Kind::Decode => scan::mime::decode::test(ctx, arg),
        Kind::Delay => delay::obey(ctx, arg, m),
        Kind::DkDomainSource
        | Kind::DkPolicy
        | Kind::DkSenderDomains
        | Kind::DkSenderLocalParts
        | Kind::DkSenders
        | Kind::DkStatus => listed(ctx, m, |ctx| crate::mail_auth::domainkeys::condition(ctx, item.kind, &item.arg)),
        Kind::DkimSigners => {
            let signer = ctx.message.auth.dkim.cur_signer.clone().unwrap_or_default();
            listed(ctx, m, |ctx| matching::match_string(ctx, &signer, &item.arg, None))
        }
        Kind::DkimStatus => {
            let status = ctx.message.auth.dkim.status.clone().unwrap_or_default();
            listed(ctx, m, |ctx| matching::match_string(ctx, &status, &item.arg, None))
        }
        Kind::DmarcStatus => {
            if crate::mail_auth::dmarc::condition(ctx, arg) {
                Verdict::Ok
            } else {
                Verdict::Fail
            }
        }
        Kind::Dnslists => crate::verify::dnslists::check(ctx, run.place, &item.arg, m),
        Kind::Domains => {
            let Some(domain) = run.addr.as_ref().map(|a| a.domain.clone()) else { return Verdict::Fail };
            let mut data = None;
            let v = listed(ctx, m, |ctx| captured(ctx, &domain, &item.arg, &mut data));
            if v == Verdict::Ok {
                ctx.address.domain_data = data;
            }
            v
        }
        Kind::Encrypted => match ctx.session.tls_in.cipher.clone() {
            None => Verdict::Fail,
            Some(cipher) => {
                // Version and key length stand around the cipher's name.
                let name = cipher.split_str(":").nth(1).unwrap_or(&cipher).to_vec();
                listed(ctx, m, |ctx| matching::match_string(ctx, &Text::clean(name.clone()), &item.arg, None))
            }
        },
        Kind::Hosts => {
            let mut data = None;
            let v = listed(ctx, m, |ctx| matching::match_host_data(ctx, &item.arg, &mut data));
            if v == Verdict::Ok {
                ctx.session.host_data = data;
            }
            v
        }
        Kind::LocalParts => {
            let Some(local) = run.addr.as_ref().map(|a| a.cc_local_part.clone()) else { return Verdict::Fail };
            let mut data = None;
            let v = listed(ctx, m, |ctx| matching::match_local_part(ctx, &local, &item.arg, Some(&mut data)));
            if v == Verdict::Ok {
                ctx.address.local_part_data = data;
            }
            v
        }
        Kind::LogRejectTarget => logs::reject_target(ctx, run.place, arg),
        Kind::Logwrite => logs::write(ctx, run.place, arg),
        Kind::Malware => scanned(scan::malware::test(ctx, arg), m),
        Kind::MimeRegex => scan::regex::decoded(ctx, arg),
        Kind::Queue => queue(ctx, arg, m),
        Kind::Ratelimit => ratelimit::test(ctx, run, arg, m),
        Kind::Recipients => {
            let Some(address) = run.addr.as_ref().map(|a| a.address.clone()) else { return Verdict::Fail };
            let mut data = None;
            let v = listed(ctx, m, |ctx| matching::match_address(ctx, &address, &item.arg, Some(&mut data)));
            if v == Verdict::Ok {
                ctx.address.recipient_data = data;
            }
            v
        }
        Kind::Regex => scan::regex::lines(ctx, arg),
        Kind::RemoveHeader => {
            headers::remove(ctx, arg);
            Verdict::Ok
        }
        Kind::Seen => seen::test(ctx, arg, m),
        Kind::SenderDomains => {
            let sender = ctx.message.sender.clone().unwrap_or_default();
            let at = sender.rfind_byte(b'@').map_or(sender.len(), |i| i + 1);
            let domain = sender.piece(sender.get(at..).unwrap_or_default());
            listed(ctx, m, |ctx| matching::match_domain(ctx, &domain, &item.arg, None))
        }
        Kind::Senders => {
            let sender = ctx.message.sender.clone().unwrap_or_default();
            let mut data = None;
            let v = listed(ctx, m, |ctx| matching::match_address(ctx, &sender, &item.arg, Some(&mut data)));
            if v == Verdict::Ok {
                ctx.address.sender_data = data;
            }
            v
        }
        Kind::Set => set(ctx, run, item, arg, m),
        Kind::Spam => scanned(scan::spam::test(ctx, arg), m),
        Kind::Spf | Kind::SpfGuess => {
            if crate::mail_auth::spf::condition(ctx, arg, item.kind == Kind::SpfGuess) {
                Verdict::Ok
            } else {
                Verdict::Fail
            }
        }
        Kind::Udpsend => udpsend::obey(ctx, arg, m),
        Kind::Verify => {
            let v = verify::test(ctx, run, arg, m);
            if m.user.is_some() {
                ctx.acl.verify_message = m.user.clone();
            }
            if verb == Verb::Warn {
                m.user = None;
            }
            v
        }
        // Dealt with by the caller, or refused by the parser.
        Kind::Endpass | Kind::LogMessage | Kind::Message | Kind::Missing => Verdict::Ok,
    }
}

fn set(ctx: &mut Context, run: &Run, item: &Item, arg: &Text, m: &mut Messages) -> Verdict {
    match &item.variable {
        None => {}
        Some(Variable::Connection(name)) => {
            ctx.acl.connection.insert(name.clone(), arg.clone());
        }
        Some(Variable::Message(name)) => {
            ctx.acl.message.insert(name.clone(), arg.clone());
        }
        Some(v) if run.place != Where::Dkim => {
            m.set_log(Text::clean(format!("cannot set {} in {} ACL", v.name(), run.place.name())));
            return Verdict::Error;
        }
        Some(Variable::DkimStatus) => ctx.message.auth.dkim.status = Some(arg.clone()),
        Some(Variable::DkimReason) => ctx.message.auth.dkim.reason = Some(arg.clone()),
    }
    Verdict::Ok
}

/// The domain's list; what its wild cards match is in `$0`, `$1`...
fn captured(ctx: &mut Context, domain: &Text, list: &Template, data: &mut Option<Text>) -> Match {
    let request =
        Request { subject: Subject::Domain(domain), list: List::Expand(list), single: false, captures: true, label: None };
    matching::test(ctx, &request, Some(data))
}

/// Turns what a list says into a verdict.
fn listed(ctx: &mut Context, m: &mut Messages, list: impl FnOnce(&mut Context) -> Match) -> Verdict {
    match list(ctx) {
        Match::Yes => Verdict::Ok,
        Match::No => Verdict::Fail,
        Match::Defer(why) => {
            if !why.is_empty() {
                m.set_log(Text::clean(why));
            }
            Verdict::Defer
        }
    }
}

/// A scanner's verdict; a mistake in its argument is one for the log.
fn scanned(result: Result<Verdict, String>, m: &mut Messages) -> Verdict {
    result.unwrap_or_else(|text| {
        m.set_log(Text::clean(text));
        Verdict::Error
    })
}

fn condition(arg: &Text, m: &mut Messages) -> Verdict {
    let truth = |b: bool| if b { Verdict::Ok } else { Verdict::Fail };
    let digits = arg.strip_prefix(b"-").unwrap_or(arg);
    if digits.iter().all(u8::is_ascii_digit) && (arg.is_empty() || !digits.is_empty()) {
        return truth(digits.iter().any(|c| *c != b'0'));
    }
    match arg.to_ascii_lowercase().as_slice() {
        b"no" | b"false" => Verdict::Fail,
        b"yes" | b"true" => Verdict::Ok,
        _ => {
            let mut text = Text::clean("invalid \"condition\" value \"");
            text.push(arg);
            text.push_bytes(b"\"");
            m.set_log(text);
            Verdict::Defer
        }
    }
}

fn queue(ctx: &mut Context, arg: &Text, m: &mut Messages) -> Verdict {
    let bad = if arg.is_tainted() {
        Some(format!("Tainted name '{arg}' for queue not permitted"))
    } else if arg.contains(&b'/') {
        Some(format!("Directory separator not permitted in queue name: '{arg}'"))
    } else {
        None
    };
    if let Some(text) = bad {
        m.set_log(Text::clean(text));
        return Verdict::Error;
    }
    let name = BString::from(arg.as_bytes());
    ctx.message.queue_name = name.clone();
    ctx.session.queue_name = name;
    Verdict::Ok
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth() {
        let mut m = Messages::default();
        for (s, v) in [
            ("", Verdict::Fail),
            ("00", Verdict::Fail),
            ("010", Verdict::Ok),
            ("-1", Verdict::Ok),
            ("Yes", Verdict::Ok),
            ("x", Verdict::Defer),
        ] {
            assert_eq!(condition(&Text::clean(s), &mut m), v, "{s}");
        }
    }
}
