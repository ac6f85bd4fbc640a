//! The `spam` condition (manual 45.2, 45.3): a spamd or rspamd of `spamd_address` is asked for a score, which is remembered
//! for the message. `servers.rs` chooses whom to ask; `protocol.rs` has the two protocols.

mod protocol;
mod servers;

use bstr::BString;

use super::conditions::Argument;
use super::link::{Link, why};
use super::{mbox, panic_log};
use crate::acl::Verdict;
use crate::context::Context;
use crate::expand::expand_once;
use crate::log::{self, Which, hdebug};
use crate::parse::list;
use crate::text::Text;
use protocol::{Facts, Report};
use servers::{Server, Variant};

/// What is remembered of the message's scan.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The scan that was done, and whether it found spam.
    done: Option<(Scan, bool)>,
}

/// For whom, and by which servers (`spamd_address` as it was then).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Scan {
    user: BString,
    servers: BString,
}

/// Longest `$spam_bar`.
const MAX_BAR: usize = 50;

/// The condition. An error in the argument is for the log.
pub fn test(ctx: &mut Context, arg: &Text) -> Result<Verdict, String> {
    let Some(argument) = Argument::read("spam", arg, false)? else { return Ok(Verdict::Fail) };
    let mut words = list::items(&argument.value);
    let user = words.next().unwrap_or_default();
    let always = words.next().is_some_and(|w| w.eq_ignore_ascii_case(b"true"));
    if user == "0" || user.eq_ignore_ascii_case(b"false") {
        return Ok(Verdict::Fail);
    }
    let option = ctx.config.main.spamd_address.clone();
    let result = super::option_value(ctx, "spamd_address", &option).and_then(|servers| {
        let wanted = Scan { user, servers };
        match &ctx.message.scan.spam.done {
            Some((done, spam)) if *done == wanted => Ok(*spam),
            _ => scan(ctx, wanted),
        }
    });
    Ok(match result {
        Ok(spam) if spam || always => Verdict::Ok,
        Ok(_) => Verdict::Fail,
        Err(text) => {
            panic_log(ctx, format!("spam acl condition: {text}").as_bytes());
            argument.deferred()
        }
    })
}

fn scan(ctx: &mut Context, wanted: Scan) -> Result<bool, String> {
    ctx.message.scan.spam.done = None;
    let servers = servers::read(&wanted.servers, |warning| {
        log::write(ctx, None, Which::MAIN, format!("spam acl condition: {warning}").as_bytes());
    });
    if servers.is_empty() {
        return Err("no useable spamd server addresses in spamd_address configuration option.".into());
    }
    let mbox = mbox::get(ctx)?;
    let (server, mut link) = connect(ctx, servers)?;
    hdebug!(ctx, ACL, "spam: scanning with {}", link.peer);
    let mut file = mbox::open(ctx)?;
    let head = match server.variant {
        Variant::SpamAssassin => protocol::spamd_request(&wanted.user, mbox.size),
        Variant::Rspamd => protocol::rspamd_request(&facts(ctx), mbox.size),
    };
    link.send(&head)
        .and_then(|()| link.send_file(&mut file))
        .map_err(|e| format!("spamd send to {} failed: {}", link.peer, why(&e)))?;
    // rspamd takes the end of the request for the end of the connection.
    if server.variant == Variant::SpamAssassin {
        link.end_sending();
    }
    let answer = link.rest().map_err(|e| format!("error reading from spamd {}, socket: {}", link.peer, why(&e)))?;
    let report = match server.variant {
        Variant::SpamAssassin => {
            protocol::spamd_answer(&answer).ok_or_else(|| format!("cannot parse spamd {} output", link.peer))
        }
        Variant::Rspamd => protocol::rspamd_answer(&answer).ok_or_else(|| format!("cannot parse rspamd {} output", link.peer)),
    }?;
    let spam = keep(ctx, &report);
    ctx.message.scan.spam.done = Some((wanted, spam));
    Ok(spam)
}

/// The first server, in the order in which they are to be tried, that can be connected to.
fn connect(ctx: &mut Context, mut servers: Vec<Server>) -> Result<(Server, Link), String> {
    loop {
        let now = crate::sys::time::localtime(crate::sys::time::unix_time());
        let second = now.map_or(0, |t| u32::try_from(t.hour * 3600 + t.minute * 60 + t.second).unwrap_or(0));
        let random = &mut ctx.services.random;
        let Some(n) = servers::choose(&servers, second, |limit| random.below(limit)) else {
            return Err("all spamd servers failed".into());
        };
        let server = servers.remove(n);
        match Link::open(ctx, &server.place, server.time, server.retry) {
            Ok(link) => return Ok((server, link)),
            Err(text) => log::write(ctx, None, Which::MAIN, format!("spam acl condition: spamd: {text}").as_bytes()),
        }
    }
}

/// What rspamd is told of the message.
fn facts(ctx: &mut Context) -> Facts {
    // This looks the name up, if that has not been done.
    let host_name = expand_once(ctx, b"$sender_host_name").ok().filter(|n| !n.is_empty());
    let bytes = |t: &Option<Text>| t.as_ref().map(|t| BString::from(t.as_bytes()));
    let s = &ctx.session;
    Facts {
        id: ctx.message.id.clone(),
        sender: bytes(&ctx.message.sender).unwrap_or_default(),
        recipients: ctx.message.recipients.iter().map(|r| r.address.as_bytes().into()).collect(),
        helo: bytes(&s.helo_name),
        host_name: bytes(&host_name),
        address: bytes(&s.host_address),
        user: bytes(&s.authenticated_id),
    }
}

/// Sets the variables; is it spam?
fn keep(ctx: &mut Context, report: &Report) -> bool {
    let spam = report.score >= report.threshold;
    let action = report.action.clone().unwrap_or_else(|| if spam { "reject" } else { "no action" }.into());
    let m = &mut ctx.message;
    m.spam_score = Some(Text::tainted(format!("{:.1}", report.score)));
    m.spam_score_int = Some(Text::tainted(tenths(report.score).to_string()));
    m.spam_bar = Some(Text::tainted(bar(report.score)));
    m.spam_report = Some(Text::tainted(report.text.to_vec()));
    m.spam_action = Some(Text::tainted(action.to_vec()));
    spam
}

/// Ten times the score, cut off; a little is added lest 16.4 become 163.
fn tenths(score: f64) -> i64 {
    ((score + 0.001) * 10.0) as i64
}

/// One `+` or `-` for each whole point, `/` for none.
fn bar(score: f64) -> Vec<u8> {
    let length = (score.abs() as usize).min(MAX_BAR);
    match length {
        0 => b"/".to_vec(),
        n => vec![if score < 0.0 { b'-' } else { b'+' }; n],
    }
}

/// What an rspamd answers, for fuzzing.
#[cfg(feature = "fuzzing")]
pub fn fuzz_rspamd(ctx: &mut Context, answer: &[u8]) {
    if let Some(report) = protocol::rspamd_answer(answer) {
        keep(ctx, &report);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (score, int, bars) in
            [(16.4, 164, 16), (-16.4, -163, 16), (4.99, 49, 4), (-3.56, -35, 3), (0.0, 0, 1), (1e6, 10_000_000, 50)]
        {
            assert_eq!((tenths(score), bar(score).len()), (int, bars), "{score}");
        }
        assert_eq!(bar(-2.5), b"--");
        assert_eq!(bar(-0.5), b"/");
    }
}
