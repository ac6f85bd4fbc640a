//! The way of a message from its first byte to the spool: header, fix-ups, body, ACLs, commit. Used by `smtp.rs` and
//! `local.rs`, which say to the sender what has become of it.
//!
//! Accepted means on disk: [`Done::Accepted`] is given only when -D and -H are synced and their directory entry too.

use bstr::BString;

use super::commit::{Logged, commit};
use super::extract::{self, Extracted};
use super::fixup::{self, Found};
use super::headers::{self, Ended, Limits, Rest, Section, Trouble};
use super::input::{End, Input};
use super::intake::{open_data, read_body};
use super::{Accepted, checks, queueing, received};
use crate::context::{BodySource, Context, Header, HeaderKind};
use crate::log::{self, Which};
use crate::spool::DataFile;
use crate::text::Text;
use crate::verify::cutthrough;

/// What is to be done with the input.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// SMTP, batched or not.
    pub smtp: bool,
    /// `-bS`.
    pub batched: bool,
    /// A dot on a line of its own ends the message.
    pub dot_ends: bool,
    /// `-t`
    pub extract: bool,
    /// message_size_limit; 0 is none.
    pub size_limit: i64,
    /// recipients_max; 0 is none.
    pub recipients_max: i64,
    /// `-od...`
    pub mode: queueing::Mode,
    /// Messages accepted before in this session.
    pub before: u64,
}

/// A message that was taken in.
#[derive(Debug)]
pub enum Done {
    /// It is on the queue.
    Accepted(Accepted),
    /// All its recipients were thrown away (by this ACL), or it was delivered on its way in: nothing is on the queue.
    Gone,
    /// This is only a test: nothing is on the queue.
    Rehearsed,
}

/// Why a message is not accepted. Its data file is given along where something of it may be shown.
#[derive(Debug)]
pub enum Stop {
    /// The peer has gone: in the header, after it, or in the body.
    Lost(&'static str),
    /// Nothing came in time.
    TimedOut,
    /// A signal.
    Terminated(i32),
    /// The session is over, or the message given up: answered already.
    SessionOver,
    /// The same, for the peer's mistakes: logged as well.
    Dropped,
    /// See above.
    Abandoned,
    /// The header is not acceptable.
    Header(Trouble, Rest),
    /// `-t` found too many.
    TooManyRecipients,
    /// `-t` found bad ones or none; good ones may be among the recipients.
    BadRecipients(Extracted, Box<DataFile>),
    /// message_size_limit.
    TooBig(Box<DataFile>),
    /// Reading (`true`) or writing failed.
    Io(bool, String, Option<Box<DataFile>>),
    /// -H could not be written.
    Write(String, Box<DataFile>),
    /// An ACL said no.
    Acl(Box<checks::Refusal>, Option<Box<DataFile>>),
    /// The onward host refused it (cutthrough delivery): the answer for the peer.
    Onward(Text),
    /// The peer went away before it could be told that the message is accepted: it was thrown away.
    GoneAtEnd,
}

impl From<End> for Stop {
    fn from(e: End) -> Stop {
        match e {
            End::Eof | End::LastChunk => Stop::Lost(""),
            End::Abandoned => Stop::Abandoned,
            End::SessionOver => Stop::SessionOver,
            End::Dropped => Stop::Dropped,
            End::TimedOut => Stop::TimedOut,
            End::Failed(text) => Stop::Io(true, text, None),
            End::Terminated(s) => Stop::Terminated(s),
        }
    }
}

/// The message's text for the answer to its end, when an ACL gave one.
pub struct Finished {
    /// What became of it.
    pub done: Done,
    /// `message` of the DATA ACL.
    pub user_message: Option<Text>,
    /// PRDR: the answer for the message as a whole.
    pub prdr_reply: Option<String>,
    /// Bytes as `total` of the answer to BDAT counts them.
    pub total: u64,
}

/// Takes a message in. The envelope is in `ctx.message`.
pub fn take(ctx: &mut Context, input: &mut Input<'_>, options: &Options) -> Result<Finished, Stop> {
    let began = std::time::Instant::now();
    begin(ctx, input, options);
    let (section, result) = read_header(ctx, input, options);
    for line in section.within(u64::try_from(options.size_limit).unwrap_or(0)) {
        ctx.message.headers.push(Header { kind: HeaderKind::Other, text: line.clone() });
    }
    ctx.message.size = section.size;
    match result {
        Ok(()) => {}
        Err(Trouble::Input(end)) => return Err(end.into()),
        Err(t) => {
            let rest = section.rest(Some(&t));
            return Err(Stop::Header(t, rest));
        }
    }
    if options.smtp && section.ended.by_input() && !input.is_chunked() {
        return Err(Stop::Lost(if section.ended == Ended::Input { " (after header)" } else { " (header)" }));
    }
    if options.smtp && !options.batched {
        crate::mail_auth::begin_message(ctx, &section.lines);
    }
    let mut found = fixup::scan(ctx, options.smtp);
    let mut extracted = Extracted::default();
    if options.extract {
        extracted = extract::recipients(ctx, found.resent, options.recipients_max).map_err(|_| Stop::TooManyRecipients)?;
    }
    let (id, time) = crate::spool::new_message_id(&ctx.config);
    ctx.message.id = id;
    ctx.message.received_time = time;
    let raw_recipients: Vec<BString> = ctx.message.recipients.iter().map(|r| BString::from(r.address.as_bytes())).collect();
    let raw_sender = ctx.message.sender.clone().unwrap_or_default();
    fix_up(ctx, &mut found);
    let data = match open_data(ctx) {
        Ok(data) => data,
        Err(stop) => {
            if options.smtp && section.ended == Ended::BodyFollows {
                swallow(ctx, input, section.rest(None));
            }
            return Err(stop);
        }
    };
    // A message that goes on while it comes in (cutthrough delivery) gets its Received: line now.
    let early = cutthrough::is_ready(ctx);
    if early {
        received::generate(ctx);
        checks::add_headers(ctx);
    }
    let mut passing = cutthrough::begin_message(ctx);
    let mut data = read_body(ctx, input, options, section, data, passing.as_mut())?;
    if let Some(p) = passing {
        p.body_done(ctx);
    }
    if options.extract && (!extracted.bad.is_empty() || ctx.message.recipients.is_empty()) {
        let what = if extracted.bad.is_empty() { "no recipients" } else { "bad addresses" };
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), format!("{what} found in headers").as_bytes());
        if ctx.message.recipients.is_empty() {
            data.unlink();
            return Err(Stop::BadRecipients(extracted, Box::new(data)));
        }
    }
    if !early {
        received::generate(ctx);
    }
    ctx.message.body = Some(BodySource::Path(data.path()));
    let body_size = data.body_size().map_err(|e| Stop::Io(false, e.to_string(), None))?;
    ctx.message.body_size = body_size;
    checks::add_headers(ctx);
    let checked = checks::run(ctx, input, options).and_then(|mut v| {
        crate::scan::brightmail::run(ctx);
        super::local_scan::run(ctx, options, &mut v).map(|()| v)
    });
    let verdict = match checked {
        Ok(v) => v,
        Err(refusal) => {
            data.unlink();
            return Err(Stop::Acl(Box::new(refusal), Some(Box::new(data))));
        }
    };
    let total = ctx.message.size + ctx.message.message_linecount;
    if !extracted.bad.is_empty() {
        super::local::tell_of_bad(ctx, &extracted.bad, &mut data);
    }
    ctx.message.received_duration_usec = u64::try_from(began.elapsed().as_micros()).unwrap_or(0);
    if !early {
        received::update(ctx);
    }
    let logged = Logged { found, raw_recipients, raw_sender };
    let done = commit(ctx, options, data, &verdict, &logged)?;
    Ok(Finished { done, user_message: verdict.user_message, prdr_reply: verdict.prdr_reply, total })
}

fn begin(ctx: &mut Context, input: &Input<'_>, options: &Options) {
    let m = &mut ctx.message;
    m.headers.clear();
    // The first place is for our own Received:.
    m.headers.push(Header { kind: HeaderKind::Old, text: BString::default() });
    m.chunked = input.is_chunked();
    m.local = ctx.session.caller.sender_local;
    if m.originator_login.is_empty() {
        m.originator_login = ctx.run.login.clone();
        m.originator_uid = ctx.run.real_uid;
        m.originator_gid = ctx.run.real_gid;
    }
    if m.local && !options.smtp && m.authenticated_sender.is_none() {
        m.authenticated_sender = ctx.session.authenticated_sender.clone();
    }
    m.first_delivery = true;
    m.dont_deliver = ctx.run.dont_deliver;
    if m.references_id.is_none() {
        m.references_id = ctx.session.caller.message_reference.clone();
    }
}

fn read_header(ctx: &mut Context, input: &mut Input<'_>, options: &Options) -> (Section, Result<(), Trouble>) {
    let limits = Limits {
        section: super::header_maxsize(ctx),
        line: u64::try_from(ctx.config.main.header_line_maxsize.0).unwrap_or(0),
        dot_ends: options.dot_ends && !input.is_chunked(),
        smtp: options.smtp,
        must_crlf: input.is_chunked(),
    };
    headers::read(ctx, input, &limits, &mut |ctx, line| super::from_line::take(ctx, line, options.smtp))
}

fn fix_up(ctx: &mut Context, found: &mut Found) {
    fixup::message_id(ctx, found);
    for i in 0..ctx.message.recipients.len() {
        let Some(a) = ctx.message.recipients.get(i).map(|r| r.address.clone()) else { break };
        let new = super::rewriting::address(ctx, &a, true);
        if let Some(r) = ctx.message.recipients.get_mut(i) {
            r.address = new;
        }
    }
    fixup::from(ctx, found);
    fixup::sender(ctx, found);
    if ctx.message.raw_sender.is_none()
        && let Some(sender) = ctx.message.sender.clone().filter(|s| !s.is_empty())
    {
        let new = super::rewriting::address(ctx, &sender, false);
        if new != sender {
            ctx.message.raw_sender = Some(sender);
            ctx.message.sender = Some(new);
        }
    }
    super::rewriting::headers(ctx);
    fixup::date(ctx, found);
}

/// Reads the rest of a message that is not wanted; trouble on the way is seen by whoever reads next.
pub fn swallow(ctx: &mut Context, input: &mut Input<'_>, rest: Rest) {
    let _ = input.swallow(ctx, rest);
}

/// ` H=... U=...` as lines about rejected sizes have it.
pub fn host_fields(ctx: &Context) -> BString {
    let mut out = BString::default();
    if let Some(h) = crate::context::names::sender_fullhost(ctx) {
        out.extend_from_slice(b" H=");
        out.extend_from_slice(&h);
    }
    if let Some(i) = &ctx.session.ident {
        out.extend_from_slice(b" U=");
        out.extend_from_slice(i);
    }
    out
}
