//! `control`: changes in how the connection or the message is handled.

use bstr::{BString, ByteSlice};

use super::messages::Messages;
use super::place::{Places, Where};
use super::run::Run;
use super::{Verdict, dscp};
use crate::context::Context;
use crate::context::message::{FakeResponse, Submission};
use crate::log::debuglog::{self, Wanted};
use crate::log::{self, Which, trace};
use crate::parse;
use crate::text::Text;
use crate::verify::cutthrough;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Control {
    AllowAuthUnadvertised,
    BmiRun,
    CasefulLocalPart,
    CaselowerLocalPart,
    CutthroughDelivery,
    Debug,
    DkVerify,
    DkimDisableVerify,
    DmarcDisableVerify,
    DmarcEnableForensic,
    Dscp,
    EnforceSync,
    Fakedefer,
    Fakereject,
    Freeze,
    NoCalloutFlush,
    NoDelayFlush,
    NoEnforceSync,
    NoMboxUnspool,
    NoMultilineResponses,
    NoPipelining,
    RequireTls,
    Queue,
    Submission,
    SuppressLocalFixups,
    Utf8Downconvert,
    Wellknown,
}

impl Control {
    fn is_built_in(self) -> bool {
        self != Control::BmiRun || crate::build_options::EXPERIMENTAL_BRIGHTMAIL
    }
}

struct Row {
    name: &'static str,
    control: Control,
    options: bool,
    places: Places,
}

const fn row(name: &'static str, control: Control, options: bool, places: Places) -> Row {
    Row { name, control, options, places }
}

const SMTP: Places = Places::except(&[Where::NotSmtp, Where::NotSmtpStart]);
const FAKE: Places = Places::only(&[Where::Mail, Where::Rcpt, Where::Predata, Where::Data, Where::Prdr, Where::Mime]);
const MESSAGE: Places = Places::only(&[Where::Mail, Where::Rcpt, Where::Predata, Where::Data, Where::NotSmtp, Where::Mime]);
const BEFORE_BODY: Places =
    Places::except(&[Where::Data, Where::Prdr, Where::Mime, Where::Dkim, Where::NotSmtp, Where::NotSmtpStart]);
const BEFORE_DMARC: Places = Places::except(&[Where::Data, Where::NotSmtp, Where::NotSmtpStart]);

const BMI: Places = Places::except(&[Where::Delivery, Where::Quit, Where::Notquit]);

static ROWS: &[Row] = &[
    row("allow_auth_unadvertised", Control::AllowAuthUnadvertised, false, Places::only(&[Where::Connect, Where::Helo])),
    row("bmi_run", Control::BmiRun, false, BMI),
    row("caseful_local_part", Control::CasefulLocalPart, false, Places::only(&[Where::Rcpt])),
    row("caselower_local_part", Control::CaselowerLocalPart, false, Places::only(&[Where::Rcpt])),
    row("cutthrough_delivery", Control::CutthroughDelivery, true, Places::only(&[Where::Rcpt])),
    row("debug", Control::Debug, true, Places::ALL),
    row("dk_verify", Control::DkVerify, false, BEFORE_BODY),
    row(
        "dkim_disable_verify",
        Control::DkimDisableVerify,
        false,
        Places::except(&[Where::Data, Where::NotSmtp, Where::Prdr, Where::NotSmtpStart]),
    ),
    row("dmarc_disable_verify", Control::DmarcDisableVerify, false, BEFORE_DMARC),
    row("dmarc_enable_forensic", Control::DmarcEnableForensic, false, BEFORE_DMARC),
    row("dscp", Control::Dscp, true, Places::except(&[Where::NotSmtp, Where::NotSmtpStart, Where::Notquit])),
    row("enforce_sync", Control::EnforceSync, false, SMTP),
    row("fakedefer", Control::Fakedefer, true, FAKE),
    row("fakereject", Control::Fakereject, true, FAKE),
    row("freeze", Control::Freeze, true, MESSAGE),
    row("no_callout_flush", Control::NoCalloutFlush, false, SMTP),
    row("no_delay_flush", Control::NoDelayFlush, false, SMTP),
    row("no_enforce_sync", Control::NoEnforceSync, false, SMTP),
    row(
        "no_mbox_unspool",
        Control::NoMboxUnspool,
        false,
        Places::only(&[Where::Mail, Where::Rcpt, Where::Predata, Where::Data, Where::Mime]),
    ),
    row("no_multiline_responses", Control::NoMultilineResponses, false, SMTP),
    row("no_pipelining", Control::NoPipelining, false, SMTP),
    row("queue", Control::Queue, true, MESSAGE),
    row("queue_only", Control::Queue, true, MESSAGE),
    row("requiretls", Control::RequireTls, false, MESSAGE),
    row("submission", Control::Submission, true, Places::only(&[Where::Mail, Where::Rcpt, Where::Predata])),
    row(
        "suppress_local_fixups",
        Control::SuppressLocalFixups,
        false,
        Places::only(&[Where::Mail, Where::Rcpt, Where::Predata, Where::NotSmtpStart]),
    ),
    row("utf8_downconvert", Control::Utf8Downconvert, true, Places::only(&[Where::Rcpt, Where::Vrfy])),
    row("wellknown", Control::Wellknown, true, Places::only(&[Where::Wellknown])),
];

/// What `fakereject` and `fakedefer` say when they are given no text.
const FAKE_TEXT: &str = "Your message has been rejected but is being kept for evaluation.\n\
If it was a legitimate message, it may still be delivered to the target recipient(s).";

/// Obeys a control. `arg` is the whole expanded value.
pub fn obey(ctx: &mut Context, run: &mut Run, arg: &Text, m: &mut Messages) -> Verdict {
    match try_obey(ctx, run, arg) {
        Ok(Done::Yes) => Verdict::Ok,
        Ok(Done::No) => Verdict::Fail,
        Err(text) => {
            m.set_log(Text::clean(text));
            Verdict::Error
        }
    }
}

/// Whether a control could be obeyed: a file that is not there fails the condition.
enum Done {
    Yes,
    No,
}

fn try_obey(ctx: &mut Context, run: &mut Run, arg: &Text) -> Result<Done, String> {
    let syntax = || format!("syntax error in \"control={arg}\"");
    let end = arg.find_byte(b'/').unwrap_or(arg.len());
    let (name, rest) = arg.split_at_checked(end).unwrap_or((arg, b""));
    let name = name.trim_end();
    let row = ROWS
        .iter()
        .find(|r| r.name.as_bytes().eq_ignore_ascii_case(name) && (r.options || rest.is_empty()) && r.control.is_built_in())
        .ok_or_else(syntax)?;
    if !row.places.has(run.place) {
        // The older name is not used in messages.
        let name = if row.control == Control::Queue { "queue" } else { row.name };
        return Err(format!("cannot use \"control={name}\" in {} ACL", run.place.name()));
    }
    match row.control {
        Control::AllowAuthUnadvertised => ctx.session.allow_auth_unadvertised = true,
        Control::CasefulLocalPart => local_part_case(ctx, run, true),
        Control::CaselowerLocalPart => local_part_case(ctx, run, false),
        Control::BmiRun => ctx.message.scan.bmi.wanted = true,
        Control::Debug => debug_control(ctx, arg, rest)?,
        Control::DkVerify if !crate::build_options::EXPERIMENTAL_DOMAINKEYS => return Err(syntax()),
        Control::DkVerify => ctx.message.dk_verify = true,
        Control::DkimDisableVerify => ctx.message.dkim_disable_verify = true,
        Control::DmarcDisableVerify => ctx.message.dmarc_disable_verify = true,
        Control::DmarcEnableForensic => ctx.message.dmarc_forensic = true,
        Control::Dscp => dscp::set(ctx, arg, rest.get(1..).unwrap_or_default())?,
        Control::EnforceSync => ctx.session.enforce_sync = true,
        Control::NoEnforceSync => ctx.session.enforce_sync = false,
        Control::Fakedefer => fake(ctx, FakeResponse::Defer, arg, rest),
        Control::Fakereject => {
            fake(ctx, FakeResponse::Fail, arg, rest);
            cutthrough::end(ctx, "fakereject");
        }
        Control::Freeze => {
            let tell = match rest {
                b"" => true,
                b"/no_tell" => false,
                _ => return Err(syntax()),
            };
            // Nothing waits in a wrapper.
            ctx.message.freeze_requested = !ctx.config.main.mua_wrapper;
            ctx.message.freeze_no_tell = !tell;
            cutthrough::end(ctx, "item frozen");
        }
        Control::NoCalloutFlush => ctx.session.no_callout_flush = true,
        Control::NoDelayFlush => ctx.session.no_delay_flush = true,
        Control::NoMboxUnspool => ctx.message.scan.keep = true,
        Control::NoMultilineResponses => ctx.session.no_multiline_responses = true,
        Control::RequireTls => {
            ctx.message.requiretls = true;
            // The connection of a callout was not made for that.
            cutthrough::end(ctx, "REQUIRETLS");
        }
        Control::NoPipelining => ctx.session.pipelining_enabled = false,
        Control::Queue => {
            let mut first_pass = false;
            for option in options(rest) {
                match option.as_slice() {
                    b"only" => first_pass = false,
                    b"first_pass_route" => first_pass = true,
                    _ => return Err(syntax()),
                }
            }
            ctx.message.queue_only = !ctx.config.main.mua_wrapper;
            ctx.message.queue_smtp = first_pass && ctx.message.queue_only;
            cutthrough::end(ctx, "queueing forced");
        }
        Control::Submission => {
            let charset = ctx.config.main.headers_charset.raw().unwrap_or_default();
            ctx.message.submission = Some(submission(arg, rest, charset).ok_or_else(syntax)?);
        }
        Control::SuppressLocalFixups => ctx.message.suppress_local_fixups = true,
        Control::Utf8Downconvert => {
            ctx.message.utf8_downconvert = Some(match rest {
                b"" | b"/1" => 1,
                b"/0" => 0,
                b"/-1" => -1,
                _ => return Err("bad option value for control=utf8_downconvert".into()),
            });
        }
        Control::CutthroughDelivery => cutthrough::request(ctx, rest),
        Control::Wellknown => {
            let path = arg.piece(rest.get(1..).unwrap_or_default());
            return well_known(ctx, &path);
        }
    }
    Ok(Done::Yes)
}

/// Reads the file whose content the client gets.
fn well_known(ctx: &mut Context, path: &Text) -> Result<Done, String> {
    if path.is_tainted() {
        let line = format!("Tainted filename '{path}'");
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
        return Err("internal configuration error".into());
    }
    Ok(match super::run::read_file(path) {
        Ok(content) => {
            ctx.acl.wellknown_response = Some(Text::tainted(content));
            Done::Yes
        }
        Err(_) => Done::No,
    })
}

fn options(rest: &[u8]) -> impl Iterator<Item = BString> + '_ {
    rest.split(|c| *c == b'/').skip(1).map(BString::from)
}

/// `control = debug`
fn debug_control(ctx: &mut Context, arg: &Text, rest: &[u8]) -> Result<(), String> {
    let (mut tag, mut selector, mut pretrigger) = (BString::default(), trace::default_categories(), None);
    let (mut on_panic, mut now) = (false, false);
    for option in options(rest) {
        let (name, value) = option.split_once_str("=").map_or((option.as_slice(), None), |(n, v)| (n, Some(v)));
        let bad = || format!("bad option \"{option}\" in \"control={arg}\"");
        match (name, value) {
            (b"stop", None) => {
                debuglog::stop(ctx, false);
                return Ok(());
            }
            (b"kill", None) => {
                debuglog::stop(ctx, true);
                return Ok(());
            }
            (b"tag", Some(v)) => tag = v.into(),
            (b"opts", Some(v)) => selector = trace::parse(v)?,
            (b"pretrigger", Some(v)) => {
                let size = v.to_str().ok().and_then(|v| v.parse().ok()).ok_or_else(bad)?;
                pretrigger = Some(size).filter(|n: &usize| *n > 0);
            }
            (b"trigger", Some(b"paniclog")) => on_panic = true,
            (b"trigger", Some(b"now")) => now = true,
            _ => return Err(bad()),
        }
    }
    match &ctx.run.debug_log {
        Some(log) if now => log.trigger(),
        Some(_) => {}
        None => {
            let path = debuglog::path(ctx, &tag)?;
            // With a trigger that has come nothing needs to wait.
            let pretrigger = pretrigger.filter(|_| !now);
            debuglog::start(ctx, Wanted { path, selector, pretrigger, on_panic: on_panic && !now });
        }
    }
    Ok(())
}

/// What `$local_part` and `local_parts` see from here on.
fn local_part_case(ctx: &mut Context, run: &mut Run, caseful: bool) {
    let Some(a) = run.addr.as_mut() else { return };
    a.local_part = if caseful { a.cc_local_part.clone() } else { a.cc_local_part.to_lower() };
    a.flags.caseful = caseful;
    ctx.message.caseful_local_part = caseful;
    ctx.address.local_part = Some(a.local_part.clone());
}

fn fake(ctx: &mut Context, response: FakeResponse, arg: &Text, rest: &[u8]) {
    ctx.message.fake_response = response;
    ctx.message.fake_response_text = Some(match rest.strip_prefix(b"/") {
        Some(text) => arg.piece(text),
        None => Text::clean(FAKE_TEXT),
    });
}

fn submission(arg: &Text, rest: &[u8], charset: &[u8]) -> Option<Submission> {
    let mut out = Submission::default();
    let mut rest = rest;
    while !rest.is_empty() {
        if let Some(r) = rest.strip_prefix(b"/sender_retain") {
            out.sender_retain = true;
            rest = r;
        } else if let Some(r) = rest.strip_prefix(b"/domain=") {
            let end = r.find_byte(b'/').unwrap_or(r.len());
            out.domain = Some(arg.piece(r.get(..end).unwrap_or_default()));
            rest = r.get(end..).unwrap_or_default();
        } else if let Some(r) = rest.strip_prefix(b"/name=") {
            // The name may hold slashes: it goes to the end.
            out.name = Some(arg.piece(parse::fix_phrase(r, charset)));
            rest = b"";
        } else {
            return None;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submission_options() {
        let arg = Text::clean("submission/sender_retain/domain=a.b/name=X/Y");
        let s = submission(&arg, &arg[10..], b"utf-8").unwrap();
        assert!(s.sender_retain);
        assert_eq!(s.domain.unwrap(), "a.b");
        assert_eq!(s.name.unwrap(), "X/Y");
        assert!(submission(&arg, b"/x", b"").is_none());
    }
}
