//! Evaluation: finding the ACL that a string names or holds, obeying its statements, and what the verdicts mean.

use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::ast::{Acl, Kind, Statement, Verb};
use super::messages::Messages;
use super::{AclResult, Verdict, Where, condition, messages, parse, table};
use crate::context::Context;
use crate::expand::{self, ExpandError, Template};
use crate::log::{self, Selector, Which, hdebug};
use crate::route::Address;
use crate::text::Text;
use crate::verify::cutthrough::{self, RcptEnd};

/// ACLs nested deeper than this are taken for a loop.
const MAX_LEVEL: u32 = 20;
/// No ACL file is larger.
const MAX_FILE: u64 = 1 << 20;

/// What one run of an ACL knows.
pub struct Run {
    /// Where it runs.
    pub place: Where,
    /// The recipient, at RCPT, VRFY and PRDR.
    pub addr: Option<Box<Address>>,
    /// The error number of the verification that failed last.
    pub errno: i32,
}

/// Runs the ACL that `string` (an option's value, not yet expanded) names or holds. `recipient` is the address at RCPT.
pub fn check(ctx: &mut Context, place: Where, recipient: Option<&Text>, string: &Template) -> AclResult {
    begin(ctx);
    let mut run = Run { place, addr: None, errno: 0 };
    let recipient = recipient.filter(|_| matches!(place, Where::Rcpt | Where::Vrfy | Where::Prdr));
    let lists = recipient.map(|_| ctx.services.lists.enter_address());
    if let Some(recipient) = recipient {
        match crate::verify::split_address(ctx, recipient) {
            Ok(a) => {
                ctx.address.domain = Some(a.domain.clone());
                ctx.address.local_part = Some(a.local_part.clone());
                run.addr = Some(Box::new(a));
            }
            Err(_) => return result(Verdict::Defer, Messages::log_only("defer in percent_hack_domains check")),
        }
    }
    let before = ctx.acl.running.replace(place);
    ctx.acl.level = 0;
    ctx.acl.source = None;
    let mut m = Messages::default();
    let mut verdict = match expand::expand(ctx, string) {
        Ok(text) => obey(ctx, &mut run, &text, &mut m),
        Err(ExpandError::Forced(_)) => Verdict::Ok,
        Err(e) => {
            m = Messages::log_only(format!("failed to expand ACL string \"{}\": {e}", string.raw().as_bstr()));
            Verdict::Error
        }
    };
    ctx.acl.running = before;
    ctx.acl.source = None;
    if place == Where::Rcpt
        && let Some(addr) = &run.addr
    {
        match cutthrough::at_rcpt_end(ctx, addr, verdict == Verdict::Ok) {
            RcptEnd::AsBefore => {}
            RcptEnd::Refused(text) => {
                verdict = Verdict::Fail;
                m.user = text;
            }
            RcptEnd::Deferred(text) => {
                verdict = Verdict::Defer;
                m.user = text;
                ctx.acl.temp_details = true;
            }
        }
    }
    if let Some(outer) = lists {
        ctx.services.lists.leave_address(outer);
    }
    let a = &mut ctx.address;
    (a.domain, a.local_part, a.address_data, a.domain_data, a.local_part_data, a.sender_address_data) =
        (None, None, None, None, None, None);

    let refused = match verdict {
        Verdict::Discard if !place.has_message() || place == Where::Predata => Some("discard"),
        Verdict::FailDrop if place == Where::Mailauth => Some("drop"),
        _ => None,
    };
    if let Some(verb) = refused {
        let text = format!("\"{verb}\" verb not allowed in {} ACL", place.name());
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
        verdict = Verdict::Error;
    }
    m.user = m.user.map(messages::split_message);
    ctx.message.fake_response_text = ctx.message.fake_response_text.take().map(messages::split_message);
    result(verdict, m)
}

/// `${acl {name}{arg}...}` and the `acl` expansion condition: runs an ACL with arguments. The text is what `message` gave.
pub fn check_with_args(ctx: &mut Context, place: Where, name: &Text, args: Vec<Text>) -> AclResult {
    let inside = ctx.acl.level > 0 || ctx.acl.running.is_some();
    let mut run = Run { place, addr: None, errno: 0 };
    if !inside {
        begin(ctx);
    }
    if place == Where::Rcpt
        && let (Some(local), Some(domain)) = (ctx.address.local_part.clone(), ctx.address.domain.clone())
    {
        let mut whole = local;
        whole.push_bytes(b"@");
        whole.push(&domain);
        run.addr = Some(Box::new(Address::new(whole)));
    }
    let mut m = Messages::default();
    let verdict = nested(ctx, &mut run, name, args, &mut m);
    result(verdict, m)
}

/// No ACL where the option must name one: refused, and logged as any refusal.
pub fn missing(ctx: &mut Context) -> AclResult {
    begin(ctx);
    result(Verdict::Fail, Messages::default())
}

fn begin(ctx: &mut Context) {
    ctx.acl.sender_verify_failed = None;
    ctx.acl.rates.clear();
    ctx.acl.log_reject_target = None;
}

fn result(verdict: Verdict, m: Messages) -> AclResult {
    AclResult { verdict, user_message: m.user, log_message: m.log }
}

/// Runs an ACL inside another one, or inside an expansion, with its own `$acl_arg1`...
pub fn nested(ctx: &mut Context, run: &mut Run, name: &Text, args: Vec<Text>, m: &mut Messages) -> Verdict {
    let args_before = std::mem::replace(&mut ctx.acl.args, args);
    let source = ctx.acl.source.clone();
    ctx.acl.level += 1;
    ctx.scratch.debug_level += 1;
    let verdict = obey(ctx, run, name, m);
    ctx.scratch.debug_level = ctx.scratch.debug_level.saturating_sub(1);
    ctx.acl.level = ctx.acl.level.saturating_sub(1);
    ctx.acl.source = source;
    ctx.acl.args = args_before;
    verdict
}

/// An ACL, and how the trace names it.
struct Found {
    acl: Arc<Acl>,
    label: String,
}

fn obey(ctx: &mut Context, run: &mut Run, text: &Text, m: &mut Messages) -> Verdict {
    if ctx.acl.level > MAX_LEVEL {
        m.log = Some(Text::clean("ACL nested too deep: possible loop"));
        return Verdict::Error;
    }
    let found = match find(ctx, text) {
        Ok(Some(f)) => f,
        Ok(None) => return Verdict::Fail,
        Err(message) => {
            m.log = Some(Text::clean(message));
            return Verdict::Error;
        }
    };
    for statement in &found.acl.statements {
        if let Some(verdict) = obey_statement(ctx, run, statement, &found.label, m) {
            return verdict;
        }
    }
    hdebug!(ctx, ACL, "end of {}: implicit DENY", found.label);
    Verdict::Fail
}

/// The ACL of a name, of a file, or the text itself as one. `None`: it is empty.
fn find(ctx: &mut Context, text: &Text) -> Result<Option<Found>, String> {
    let name = text.trim_start();
    if text.is_tainted() && !ctx.run.test_harness {
        let line = format!("attempt to use tainted ACL text \"{}\"", name.as_bstr());
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
        // The peer and the reject log learn nothing of it.
        return Err("internal configuration error".into());
    }
    if !name.contains(&b' ') {
        let label = format!("ACL {}", name.as_bstr());
        let known = ctx.config.acls.get(name.as_bstr()).or_else(|| ctx.acl.files.get(name.as_bstr())).cloned();
        if let Some(acl) = known {
            if acl.statements.is_empty() {
                hdebug!(ctx, ACL, "ACL \"{}\" is empty: implicit DENY", name.as_bstr());
                return Ok(None);
            }
            hdebug!(ctx, ACL, "using ACL \"{}\"", name.as_bstr());
            return Ok(Some(Found { acl, label }));
        }
        if name.first() == Some(&b'/') {
            refuse_taint(ctx, text, "Tainted filename '", "'")?;
            let content = read_file(name)?;
            hdebug!(ctx, ACL, "read ACL from file {}", name.as_bstr());
            let acl = Arc::new(parse::parse_text(name, &content)?);
            ctx.acl.files.insert(BString::from(name), acl.clone());
            return Ok(Some(Found { acl, label }));
        }
    }
    let acl = Arc::new(parse::parse_text(b"", name)?);
    Ok(Some(Found { acl, label: "inline ACL".into() }))
}

/// The peer and the reject log learn nothing of the mistake.
fn refuse_taint(ctx: &Context, text: &Text, before: &str, after: &str) -> Result<(), String> {
    if !text.is_tainted() {
        return Ok(());
    }
    let line = format!("{before}{text}{after}");
    log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
    Err("internal configuration error".into())
}

/// The content of a file that an ACL names.
pub fn read_file(name: &[u8]) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let shown = name.as_bstr();
    let path = name.to_path().map_err(|_| format!("failed to open ACL file \"{shown}\": bad name"))?;
    let file =
        std::fs::File::open(path).map_err(|e| format!("failed to open ACL file \"{shown}\": {}", crate::sys::error_text(&e)))?;
    let mut content = Vec::new();
    file.take(MAX_FILE)
        .read_to_end(&mut content)
        .map_err(|e| format!("failed to read ACL file \"{shown}\": {}", crate::sys::error_text(&e)))?;
    Ok(content)
}

/// One statement; `None`: the next one.
fn obey_statement(ctx: &mut Context, run: &mut Run, statement: &Statement, label: &str, m: &mut Messages) -> Option<Verdict> {
    let verb = statement.verb;
    let name = verb.name();
    let at_quit = ctx.acl.level == 0 && matches!(run.place, Where::Quit | Where::Notquit);
    *m = Messages::default();
    ctx.acl.temp_details = false;
    if statement.source.is_some() {
        ctx.acl.source = statement.source.clone();
    }
    match &ctx.acl.source {
        Some(at) => hdebug!(ctx, ACL, "processing {label} \"{name}\" ({at})"),
        None => hdebug!(ctx, ACL, "processing {label} \"{name}\""),
    }
    ctx.scratch.search_error = None;
    run.errno = 0;
    let mut endpass = false;
    let verdict = obey_items(ctx, run, statement, &mut endpass, m);
    match verdict {
        Verdict::Defer => {
            hdebug!(ctx, ACL, "{name}: condition test deferred in {label}");
            if run.errno == crate::retry::errors::CALLOUT_DEFER {
                ctx.acl.temp_details = true;
            } else {
                if let Some(e) = ctx.scratch.search_error.clone().filter(|e| !e.is_empty()) {
                    m.set_log(Text::clean(e));
                }
                if ctx.config.main.smtp_return_error_details {
                    ctx.acl.temp_details = true;
                }
            }
            if verb != Verb::Warn {
                return Some(Verdict::Defer);
            }
        }
        Verdict::Error => {
            hdebug!(ctx, ACL, "{name}: condition test error in {label}");
            return Some(Verdict::Error);
        }
        Verdict::Ok => hdebug!(ctx, ACL, "{name}: condition test succeeded in {label}"),
        Verdict::Fail => hdebug!(ctx, ACL, "{name}: condition test failed in {label}"),
        Verdict::Discard => hdebug!(ctx, ACL, "{name}: condition test yielded \"discard\" in {label}"),
        Verdict::FailDrop => hdebug!(ctx, ACL, "{name}: condition test yielded \"drop\" in {label}"),
    }
    let ends = |ctx: &Context, m: &mut Messages, word: &str, verdict: Verdict, refuses: bool| {
        hdebug!(ctx, ACL, "end of {label}: {word}");
        if refuses && at_quit {
            m.log = Some(Text::clean(format!("QUIT or not-QUIT toplevel ACL may not fail ('{name}' verb used incorrectly)")));
            return Some(Verdict::Error);
        }
        Some(verdict)
    };
    let positive = matches!(verdict, Verdict::Ok | Verdict::Discard);
    match verb {
        Verb::Accept | Verb::Discard => {
            if positive && verb == Verb::Accept {
                return ends(ctx, m, "ACCEPT", verdict, false);
            }
            if positive {
                return ends(ctx, m, "DISCARD", Verdict::Discard, true);
            }
            if endpass {
                hdebug!(ctx, ACL, "{name}: endpass encountered - denying access");
                return Some(verdict);
            }
        }
        Verb::Defer if verdict == Verdict::Ok => {
            ctx.acl.temp_details = true;
            return ends(ctx, m, "DEFER", Verdict::Defer, true);
        }
        Verb::Deny if verdict == Verdict::Ok => return ends(ctx, m, "DENY", Verdict::Fail, true),
        Verb::Drop if verdict == Verdict::Ok => return ends(ctx, m, "DROP", Verdict::FailDrop, true),
        Verb::Require if verdict != Verdict::Ok => return ends(ctx, m, "not OK", verdict, true),
        Verb::Warn => {
            if verdict == Verdict::Ok {
                messages::warn(ctx, run.place, m);
            } else if verdict == Verdict::Defer {
                let mut line = crate::context::names::host_and_ident(ctx, true);
                let at = ctx.acl.source.as_deref().and_then(|s| s.rsplit_once(' '));
                let at = at.map(|(file, n)| format!(" at line {n} of {file}")).unwrap_or_default();
                line.extend_from_slice(
                    format!(" Warning: ACL 'warn' statement skipped (in {label}{at}): condition test deferred").as_bytes(),
                );
                if let Some(why) = &m.log {
                    line.extend_from_slice(b": ");
                    line.extend_from_slice(why);
                }
                log::write(ctx, Some(Selector::AclWarnSkipped), Which::MAIN, &line);
            }
            *m = Messages::default();
        }
        Verb::Defer | Verb::Deny | Verb::Drop | Verb::Require => {}
    }
    None
}

/// The conditions and modifiers of a statement, then its messages.
fn obey_items(ctx: &mut Context, run: &mut Run, statement: &Statement, endpass: &mut bool, m: &mut Messages) -> Verdict {
    let verb = statement.verb;
    let (mut message, mut log_message) = (None, None);
    let mut verdict = Verdict::Ok;
    for item in &statement.items {
        let info = table::by_kind(item.kind);
        match item.kind {
            Kind::Message => {
                hdebug!(ctx, ACL, "  message: {}", item.arg.raw().as_bstr());
                message = Some(item.arg.clone());
                continue;
            }
            Kind::LogMessage => {
                hdebug!(ctx, ACL, "l_message: {}", item.arg.raw().as_bstr());
                log_message = Some(item.arg.clone());
                continue;
            }
            Kind::Endpass => {
                *endpass = true;
                continue;
            }
            _ => {}
        }
        let arg = if info.expand {
            match expand::expand(ctx, &item.arg) {
                Ok(t) => t,
                Err(ExpandError::Forced(_)) => continue,
                Err(e) => {
                    m.set_log(Text::clean(format!("failed to expand ACL string \"{}\": {e}", item.arg.raw().as_bstr())));
                    return if matches!(e, ExpandError::Defer(_)) { Verdict::Defer } else { Verdict::Error };
                }
            }
        } else {
            Text::new()
        };
        let mut left = String::from(info.name);
        if let Some(v) = &item.variable {
            left.push_str(&format!(" {}", v.name()));
        }
        if item.negated {
            left.insert(0, '!');
        }
        hdebug!(ctx, ACL, "check {left} = {}", item.arg.raw().as_bstr());
        // The reference shows the result only where there was something to expand.
        if info.expand && item.arg.raw().contains(&b'$') | item.arg.raw().contains(&b'\\') {
            hdebug!(ctx, ACL, "{:1$}= {arg}", "", (left.len() + 7).min(29));
        }
        if !info.places.has(run.place) {
            let what = if info.modifier { "use" } else { "test" };
            m.set_log(Text::clean(format!("cannot {what} {} condition in {} ACL", info.name, run.place.name())));
            return Verdict::Error;
        }
        verdict = condition::test(ctx, run, verb, item, &arg, m);
        if item.negated {
            verdict = match verdict {
                Verdict::Ok => Verdict::Fail,
                Verdict::Fail | Verdict::FailDrop => Verdict::Ok,
                other => other,
            };
        }
        if verdict != Verdict::Ok {
            break;
        }
    }
    if *endpass && verdict == Verdict::Ok {
        message = None;
    }
    messages::apply(ctx, verb, verdict, message.as_ref(), log_message.as_ref(), m);
    verdict
}
