//! The `verify` condition: its items and options; the work is done in `crate::verify`.

use bstr::{BString, ByteSlice};

use super::Verdict;
use super::messages::Messages;
use super::place::{Places, Where};
use super::run::Run;
use super::verify_options::{self, Parsed};
use crate::context::Context;
use crate::context::scratch::SenderVerifyFailed;
use crate::log::{debug, hdebug};
use crate::parse::list;
use crate::retry::errors;
use crate::text::Text;
use crate::verify::{self, Outcome, VerifiedSender};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Arc,
    Certificate,
    Csa,
    HeaderNamesAscii,
    HeaderSender,
    HeaderSyntax,
    Helo,
    NotBlind,
    Recipient,
    ReverseHostLookup,
    Sender,
}

struct Row {
    name: &'static str,
    what: What,
    no_options: bool,
    places: Places,
}

/// Where the header has been read.
const DATA: Places = Places::only(&[
    Where::Mime,
    Where::Dkim,
    Where::Data,
    Where::Prdr,
    Where::NotSmtpMime,
    Where::NotSmtp,
    Where::Quit,
    Where::Notquit,
]);
static ROWS: &[Row] = &[
    Row { name: "arc", what: What::Arc, no_options: false, places: Places::only(&[Where::Data]) },
    Row { name: "certificate", what: What::Certificate, no_options: true, places: Places::ALL },
    Row { name: "csa", what: What::Csa, no_options: false, places: Places::ALL },
    Row { name: "header_names_ascii", what: What::HeaderNamesAscii, no_options: true, places: DATA },
    Row { name: "header_sender", what: What::HeaderSender, no_options: false, places: DATA },
    Row { name: "header_syntax", what: What::HeaderSyntax, no_options: true, places: DATA },
    Row { name: "helo", what: What::Helo, no_options: true, places: Places::ALL },
    Row { name: "not_blind", what: What::NotBlind, no_options: false, places: DATA },
    Row { name: "recipient", what: What::Recipient, no_options: false, places: Places::only(&[Where::Rcpt]) },
    Row { name: "reverse_host_lookup", what: What::ReverseHostLookup, no_options: false, places: Places::ALL },
    Row {
        name: "sender",
        what: What::Sender,
        no_options: false,
        places: Places::only(&[Where::Mail, Where::Rcpt, Where::Predata, Where::Data, Where::NotSmtp]),
    },
];

/// Tests it.
pub fn test(ctx: &mut Context, run: &mut Run, arg: &Text, m: &mut Messages) -> Verdict {
    ctx.scratch.debug_level += 1;
    let verdict = inner(ctx, run, arg, m).unwrap_or_else(|text| {
        m.set_log(Text::clean(text));
        Verdict::Error
    });
    ctx.scratch.debug_level = ctx.scratch.debug_level.saturating_sub(1);
    verdict
}

fn ok_or_fail(ok: bool) -> Verdict {
    if ok { Verdict::Ok } else { Verdict::Fail }
}

fn verdict_of(outcome: Outcome) -> Verdict {
    match outcome {
        Outcome::Ok => Verdict::Ok,
        Outcome::Fail => Verdict::Fail,
        Outcome::Defer => Verdict::Defer,
    }
}

fn inner(ctx: &mut Context, run: &mut Run, arg: &Text, m: &mut Messages) -> Result<Verdict, String> {
    let malformed = || {
        format!(
            "expected \"sender[=address]\", \"recipient\", \"helo\", \"header_syntax\", \"header_sender\", \
             \"header_names_ascii\" or \"reverse_host_lookup\" at start of ACL condition \"verify {arg}\""
        )
    };
    let parts: Vec<BString> = list::items_with(arg, b'/').collect();
    let (first, options) = parts.split_first().ok_or_else(malformed)?;
    let row = ROWS
        .iter()
        .find(|r| {
            if r.what == What::Sender {
                first.get(..6).is_some_and(|w| w.eq_ignore_ascii_case(b"sender"))
            } else {
                first.eq_ignore_ascii_case(r.name.as_bytes())
            }
        })
        .ok_or_else(malformed)?;
    if row.no_options && arg.contains(&b'/') {
        return Err(format!("unexpected '/' found in \"{arg}\" (this verify item has no options)"));
    }
    if !row.places.has(run.place) {
        return Err(format!("cannot verify {} in ACL for {}", row.name, run.place.name()));
    }
    match row.what {
        What::Arc => Ok(ok_or_fail(crate::mail_auth::arc::condition(ctx, options.first().map(|o| o.as_slice())))),
        What::Certificate => {
            if ctx.session.tls_in.certificate_verified {
                return Ok(Verdict::Ok);
            }
            m.user = Some(Text::clean("no verified certificate"));
            Ok(Verdict::Fail)
        }
        What::Csa => Ok(csa(ctx, options.first(), m)),
        What::Helo => {
            if !ctx.session.helo_verified && !ctx.session.helo_verify_failed {
                verify::helo::verify(ctx);
            }
            Ok(ok_or_fail(ctx.session.helo_verified))
        }
        What::ReverseHostLookup => {
            if ctx.session.host_address.is_none() {
                return Ok(Verdict::Ok);
            }
            let v = reverse(ctx, m);
            let defer_ok = options.iter().any(|o| o.eq_ignore_ascii_case(b"defer_ok"));
            Ok(if v == Verdict::Defer && defer_ok { Verdict::Ok } else { v })
        }
        What::HeaderSyntax => {
            let found = verify::headers::check_syntax(ctx);
            Ok(header_result(ctx, found.map_err(BString::from), m))
        }
        What::HeaderNamesAscii => {
            let found = verify::headers::check_names_ascii(ctx);
            Ok(header_result(ctx, found, m))
        }
        What::NotBlind => {
            let mut case_sensitive = true;
            for o in options {
                if !o.eq_ignore_ascii_case(b"case_insensitive") {
                    return Err(format!("unknown option \"{o}\" in ACL condition \"verify {arg}\""));
                }
                case_sensitive = false;
            }
            if verify::headers::check_not_blind(ctx, case_sensitive) {
                return Ok(Verdict::Ok);
            }
            m.set_log(Text::clean("bcc recipient detected"));
            if ctx.config.main.smtp_return_error_details {
                m.user = Some(Text::clean("Rejected after DATA: bcc recipient detected"));
            }
            Ok(Verdict::Fail)
        }
        What::HeaderSender => {
            let parsed = verify_options::parse(arg, options, true)?;
            parsed.check_for_recipient()?;
            Ok(header_sender(ctx, run, &parsed, m))
        }
        What::Sender => {
            let after = first.get(6..).unwrap_or_default();
            let mut given = None;
            if !after.is_empty() {
                let a = after.trim_start().strip_prefix(b"=").ok_or_else(malformed)?;
                given = Some(arg.piece(a.trim_start()));
            }
            let parsed = verify_options::parse(arg, options, false)?;
            parsed.check_for_sender()?;
            Ok(sender(ctx, run, given, &parsed, m))
        }
        What::Recipient => {
            let parsed = verify_options::parse(arg, options, false)?;
            parsed.check_for_recipient()?;
            recipient(ctx, run, &parsed, m)
        }
    }
}

fn csa(ctx: &mut Context, domain: Option<&BString>, m: &mut Messages) -> Verdict {
    let found = verify::csa::check(ctx, domain.map(|d| d.as_bytes()));
    m.set_both(Text::clean(format!("client SMTP authorization {}", found.reason())));
    ctx.scratch.csa_status = Some(found.status().into());
    debug!(ctx, ACL, "CSA result {}", found.status());
    verdict_of(found.outcome())
}

/// The host must have a name that is its own.
fn reverse(ctx: &mut Context, m: &mut Messages) -> Verdict {
    use crate::context::session::HostName;
    let text = match &ctx.session.host_name {
        HostName::Found(_) => return Verdict::Ok,
        HostName::Failed => format!("host lookup failed{}", verify::host_name::lookup_text(ctx)),
        HostName::Unknown | HostName::Deferred => {
            hdebug!(ctx, ACL, "looking up host name to force name/address consistency check");
            match verify::host_name_lookup(ctx) {
                Outcome::Ok => return Verdict::Ok,
                Outcome::Defer => {
                    m.set_log(Text::clean("host lookup deferred for reverse lookup check"));
                    return Verdict::Defer;
                }
                Outcome::Fail => {
                    format!("host lookup failed for reverse lookup check{}", verify::host_name::lookup_text(ctx))
                }
            }
        }
    };
    m.set_log(Text::tainted(text));
    Verdict::Fail
}

fn header_result(ctx: &mut Context, found: Result<(), BString>, m: &mut Messages) -> Verdict {
    let Err(text) = found else { return Verdict::Ok };
    if !text.is_empty() {
        if ctx.config.main.smtp_return_error_details {
            m.user = Some(Text::tainted([b"Rejected after DATA: ", text.as_slice()].concat()));
        } else {
            ctx.acl.verify_message = Some(Text::tainted(text.clone()));
        }
        m.set_log(Text::tainted(text));
    }
    Verdict::Fail
}

fn header_sender(ctx: &mut Context, run: &mut Run, parsed: &Parsed, m: &mut Messages) -> Verdict {
    let found = verify::headers::check_sender(ctx, &parsed.options);
    if found.outcome != Outcome::Ok {
        run.errno = found.errno;
        m.user = found.user_message;
        m.log = found.log_message;
        if ctx.config.main.smtp_return_error_details {
            if m.user.is_none()
                && let Some(l) = &m.log
            {
                let mut t = Text::clean("Rejected after DATA: ");
                t.push(l);
                m.user = Some(t);
            }
            if found.outcome == Outcome::Defer {
                ctx.acl.temp_details = true;
            }
        }
    }
    override_defer(ctx, run, parsed, found.outcome)
}

fn sender(ctx: &mut Context, run: &mut Run, given: Option<Text>, parsed: &Parsed, m: &mut Messages) -> Verdict {
    let fake = given.is_some();
    let address = given.or_else(|| ctx.message.sender.clone()).unwrap_or_default();
    let cached = ctx.message.verified_senders.iter().rev().find(|v| v.address == address).cloned();
    let verified = match cached {
        Some(v) if parsed.options.callout.is_none() => {
            hdebug!(ctx, ACL, "using cached sender verify result");
            // If routing worked, a failure kept is one of a callout, which is not asked for now.
            VerifiedSender { outcome: if v.routed { Outcome::Ok } else { v.outcome }, ..v }
        }
        _ => verify_sender(ctx, address, fake, parsed),
    };
    if verified.outcome != Outcome::Ok {
        run.errno = verified.failure.basic_errno;
    }
    ctx.address.sender_address_data = verified.address_data.clone();
    let verdict = override_defer(ctx, run, parsed, verified.outcome);
    if verdict != Verdict::Ok {
        let deferred = verdict == Verdict::Defer;
        if !deferred {
            m.set_both(Text::clean("Sender verify failed"));
        } else if run.errno != errors::CALLOUT_DEFER {
            m.set_both(Text::clean("Could not complete sender verify"));
        } else {
            m.set_both(Text::clean("Could not complete sender verify callout"));
            if ctx.config.main.smtp_return_error_details {
                m.user = verified.failure.user_message.clone();
                m.log_is_user = false;
            }
        }
        ctx.acl.sender_verify_failed = Some(SenderVerifyFailed {
            address: verified.address.clone(),
            deferred,
            message: verified.failure.message.clone(),
            user_message: verified.failure.user_message.clone(),
            postmaster_failed: verified.postmaster_failed,
            null_sender_failed: verified.null_sender_failed,
            told: verified.told,
        });
        // The details are given once for a message.
        if let Some(v) = ctx.message.verified_senders.iter_mut().rev().find(|v| v.address == verified.address) {
            v.told = true;
        }
    }
    restore_address(ctx, run);
    verdict
}

fn verify_sender(ctx: &mut Context, address: Text, fake: bool, parsed: &Parsed) -> VerifiedSender {
    let mut verified = VerifiedSender {
        address: address.clone(),
        routed: true,
        told: parsed.no_details,
        outcome: Outcome::Ok,
        failure: Default::default(),
        address_data: None,
        postmaster_failed: false,
        null_sender_failed: false,
    };
    if !address.is_empty() {
        let saved = ctx.address.clone();
        let lists = ctx.services.lists.enter_address();
        let mut item = crate::route::Address::new(address.clone());
        let options = verify::VerifyOptions { recipient: false, fake_sender: fake, ..parsed.options.clone() };
        let result = verify::verify_address(ctx, &mut item, &options);
        hdebug!(ctx, ACL, "----------- end verify ------------");
        ctx.services.lists.leave_address(lists);
        ctx.address = saved;
        if !fake && ctx.message.raw_sender.is_none() {
            // Rewriting has been done: it is not to be done again when the message comes.
            ctx.message.raw_sender = Some(address.clone());
        }
        verified.outcome = result.outcome;
        verified.routed = result.routed;
        verified.postmaster_failed = result.postmaster_failed;
        verified.null_sender_failed = result.null_sender_failed;
        if result.outcome == Outcome::Ok {
            if item.address == address {
                debug!(ctx, ACL, "sender {address} verified ok");
            } else {
                debug!(ctx, ACL, "sender {address} verified ok as {}", item.address);
            }
        }
        verified.address = item.address;
        verified.failure = item.failure;
        verified.address_data = item.address_data;
    }
    ctx.message.verified_senders.push(verified.clone());
    verified
}

fn recipient(ctx: &mut Context, run: &mut Run, parsed: &Parsed, m: &mut Messages) -> Result<Verdict, String> {
    let Some(mut item) = run.addr.clone() else { return Err("cannot verify recipient: there is none".into()) };
    let saved = ctx.address.clone();
    let lists = ctx.services.lists.of_address();
    let options = verify::VerifyOptions { recipient: true, ..parsed.options.clone() };
    let outcome = match &options.quota {
        Some(quota) => verify::quota::check(ctx, &mut item, quota),
        None => verify::verify_address(ctx, &mut item, &options).outcome,
    };
    hdebug!(ctx, ACL, "----------- end verify ------------");
    ctx.services.lists.leave_address(lists);
    ctx.address = saved;
    run.errno = item.failure.basic_errno;
    m.log = item.failure.message.clone();
    m.user = item.failure.user_message.clone().or_else(|| item.failure.message.clone());
    m.log_is_user = item.failure.user_message.is_none();
    if options.quota.is_some() {
        // How full mailboxes are is not for everybody, unless the administrator says it.
        ctx.acl.verify_message = m.user.take();
        m.log_is_user = false;
    }
    if item.flags.pass_message || item.flags.user_message_given {
        ctx.acl.temp_details = true;
    }
    let verdict = override_defer(ctx, run, parsed, outcome);
    restore_address(ctx, run);
    ctx.address.address_data = item.address_data.clone();
    Ok(verdict)
}

/// `defer_ok` and `callout=defer_ok`.
fn override_defer(ctx: &Context, run: &Run, parsed: &Parsed, outcome: Outcome) -> Verdict {
    if outcome == Outcome::Defer {
        let callout = parsed.callout_defer_ok && run.errno == errors::CALLOUT_DEFER;
        if parsed.defer_ok || callout {
            hdebug!(ctx, ACL, "verify defer overridden by {}", if parsed.defer_ok { "defer_ok" } else { "callout_defer_ok" });
            return Verdict::Ok;
        }
    }
    verdict_of(outcome)
}

/// Verification has used the address variables.
fn restore_address(ctx: &mut Context, run: &Run) {
    if let Some(a) = &run.addr {
        ctx.address.domain = Some(a.domain.clone());
        ctx.address.local_part = Some(a.local_part.clone());
    }
}
