//! The way of a message from its first byte to the spool: header, fix-ups, body, ACLs, commit. Used by `smtp.rs` and
//! `local.rs`, which say to the sender what has become of it.
//!
//! Accepted means on disk: [`Done::Accepted`] is given only when -D and -H are synced and their directory entry too.

use bstr::{BString, ByteSlice};

use super::body::{Chunked, Data, Fed, Local, Sink, Wireformat};
use super::extract::{self, Bad};
use super::fixup::{self, Found};
use super::headers::{self, Ended, Limits, Rest, Section, Trouble};
use super::input::{End, Input};
use super::{Accepted, checks, queueing, received};
use crate::context::message::{FakeResponse, notify};
use crate::context::{BodySource, Context, Header, HeaderKind};
use crate::log::{self, Selector, Which};
use crate::mail_auth::Ends;
use crate::spool::DataFile;
use crate::text::Text;
use crate::verify::cutthrough::{self, Answer, Passing, Tee};

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
    /// All its recipients were thrown away (by this ACL), or it was delivered on its way in, or this is only a test:
    /// nothing is on the queue.
    Gone,
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
    BadRecipients(Vec<Bad>, Box<DataFile>),
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
    for line in &section.lines {
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
    let mut bad = Vec::new();
    if options.extract {
        bad = extract::recipients(ctx, found.resent, options.recipients_max).map_err(|_| Stop::TooManyRecipients)?;
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
    if options.extract && (!bad.is_empty() || ctx.message.recipients.is_empty()) {
        let what = if bad.is_empty() { "no recipients" } else { "bad addresses" };
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), format!("{what} found in headers").as_bytes());
        if ctx.message.recipients.is_empty() {
            data.unlink();
            return Err(Stop::BadRecipients(bad, Box::new(data)));
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
    if !bad.is_empty() {
        super::local::tell_of_bad(ctx, &bad, &mut data);
    }
    ctx.message.received_duration_usec = u64::try_from(began.elapsed().as_micros()).unwrap_or(0);
    if !early {
        received::update(ctx);
    }
    let logged = Logged { found, raw_recipients, raw_sender };
    let done = commit(ctx, input, options, data, &verdict, &logged)?;
    Ok(Finished { done, user_message: verdict.user_message, prdr_reply: verdict.prdr_reply, total })
}

/// What the arrival line needs beside the message.
struct Logged {
    found: Found,
    raw_recipients: Vec<BString>,
    raw_sender: Text,
}

fn begin(ctx: &mut Context, input: &Input<'_>, options: &Options) {
    let m = &mut ctx.message;
    m.headers.clear();
    // The first place is for our own Received:.
    m.headers.push(Header { kind: HeaderKind::Old, text: BString::default() });
    m.chunked = input.is_chunked();
    m.local = ctx.session.caller.sender_local && ctx.session.host_address.is_none();
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

fn open_data(ctx: &Context) -> Result<DataFile, Stop> {
    let fail = |e: crate::spool::SpoolError| {
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), format!("Message abandoned: {e}").as_bytes());
        Stop::Io(false, e.to_string(), None)
    };
    let queue = ctx.services.spool.queue(&ctx.message.queue_name).map_err(fail)?;
    DataFile::create(&queue, &ctx.message.id).map_err(fail)
}

enum Machine {
    Data(Data),
    Chunked(Chunked),
    Wire(Wireformat),
    Local(Local),
}

impl Machine {
    fn feed(&mut self, input: &[u8], sink: &mut Sink<'_>) -> Fed {
        match self {
            Machine::Data(m) => m.feed(input, sink),
            Machine::Chunked(m) => m.feed(input, sink),
            Machine::Wire(m) => m.feed(input, sink),
            Machine::Local(m) => m.feed(input, sink),
        }
    }
    fn finish(&mut self, sink: &mut Sink<'_>) {
        match self {
            Machine::Data(_) => {}
            Machine::Chunked(m) => m.finish(sink),
            Machine::Wire(m) => m.finish(sink),
            Machine::Local(m) => m.finish(sink),
        }
    }
}

/// Reads the body into the data file, and syncs it.
fn read_body(
    ctx: &mut Context,
    input: &mut Input<'_>,
    options: &Options,
    section: Section,
    mut data: DataFile,
    passing: Option<&mut Passing>,
) -> Result<DataFile, Stop> {
    let wire = input.is_chunked() && ctx.config.main.spool_wireformat && section.first_body_line.is_none();
    ctx.message.wireformat = wire;
    let mut machine = if input.is_chunked() {
        if wire { Machine::Wire(Wireformat::default()) } else { Machine::Chunked(Chunked::default()) }
    } else if options.smtp {
        let mut data = Data::new(section.crlf);
        if section.space {
            data.not_at_line_start();
        }
        Machine::Data(data)
    } else {
        Machine::Local(Local::new(options.dot_ends))
    };
    let mut file = data.file();
    let mut same_file = data.file();
    let mut onward = passing.map(Passing::onward);
    let mut tee = onward.as_mut().map(|o| Tee::new(&mut same_file, o));
    let mut arriving = ctx.message.auth.arriving.take();
    let result = {
        let sink = match tee.as_mut() {
            Some(tee) => Sink::new(tee),
            None => Sink::new(&mut file),
        };
        let mut sink = sink.watched(arriving.as_mut().map(|a| {
            a.watch.set_ends(if wire { Ends::Crlf } else { Ends::Lf });
            &mut a.watch
        }));
        if let Some(line) = &section.first_body_line {
            sink.put_line(line);
            sink.zeros += section.zeros;
            // It was counted with the header already.
            sink.size = 0;
        }
        if section.space {
            sink.put_line(b" ");
        }
        let limit = u64::try_from(options.size_limit).unwrap_or(0);
        let already = section.size;
        let result = if section.ended == Ended::BodyFollows {
            pump(ctx, input, &mut machine, &mut sink, limit, already, options.smtp)
        } else {
            Ok(())
        };
        if result.is_ok() {
            machine.finish(&mut sink);
        }
        sink.flush();
        let m = &mut ctx.message;
        m.size = already + sink.size;
        m.body_zerocount = sink.zeros;
        // Of a body in wire format lines are not counted: its size has CRLFs.
        m.body_linecount = if wire { 0 } else { sink.lines };
        m.message_linecount = section.line_count + m.body_linecount;
        m.max_received_linelength = section.longest.max(sink.longest);
        match (result, sink.error.take()) {
            (Ok(()), Some(e)) => Err(Pump::Stop(Stop::Io(false, crate::sys::error_text(&e), None))),
            (r, _) => r,
        }
    };
    if let Some(tee) = tee {
        // Trouble on the way onward is remembered there.
        let _ = tee.finish();
    }
    ctx.message.auth.arriving = arriving;
    let cut = data.cut();
    let result = match result {
        Ok(()) => cut.and_then(|()| data.sync()).map_err(|e| Pump::Stop(Stop::Io(false, e.to_string(), None))),
        other => other,
    };
    match result {
        Ok(()) => Ok(data),
        Err(pump) => {
            data.unlink();
            Err(body_trouble(ctx, options, data, pump, section.size))
        }
    }
}

/// Why a body was not read to its end.
enum Pump {
    /// message_size_limit.
    TooBig,
    /// Anything else.
    Stop(Stop),
}

/// Moves the input through the state machine until the message ends. What an SMTP client still sends when no more is
/// wanted is read all the same, up to the end of the message and not beyond: commands come after it.
fn pump(
    ctx: &mut Context,
    input: &mut Input<'_>,
    machine: &mut Machine,
    sink: &mut Sink<'_>,
    limit: u64,
    already: u64,
    smtp: bool,
) -> Result<(), Pump> {
    let mut too_big = false;
    let outcome = |too_big| if too_big { Err(Pump::TooBig) } else { Ok(()) };
    loop {
        let fed = machine.feed(input.unread(ctx), sink);
        input.consume(ctx, fed.used);
        if limit > 0 && already + sink.size > limit {
            too_big = true;
        }
        let no_more = too_big || sink.error.is_some();
        if fed.ended || (no_more && !smtp) {
            return outcome(too_big);
        }
        if no_more {
            sink.stop_writing();
        }
        match input.fill(ctx) {
            Ok(()) => {}
            Err(End::LastChunk) => return outcome(too_big),
            Err(End::Eof) if matches!(input, Input::File(_)) => return outcome(too_big),
            Err(e) => return Err(Pump::Stop(e.into())),
        }
    }
}

/// Logs what went wrong; the data file has been unlinked.
fn body_trouble(ctx: &mut Context, options: &Options, data: DataFile, pump: Pump, header_size: u64) -> Stop {
    match pump {
        Pump::TooBig => {
            // Of local messages, as of the byte that was one too many.
            let read =
                if options.smtp { ctx.message.size } else { u64::try_from(options.size_limit).unwrap_or(0).max(header_size) + 1 };
            let line = format!(
                "rejected from <{}>{}: message too big: read={read} max={}",
                ctx.message.sender.clone().unwrap_or_default(),
                host_fields(ctx),
                options.size_limit
            );
            log::write(ctx, Some(Selector::SizeReject), Which::MAIN.and(Which::REJECT), line.as_bytes());
            Stop::TooBig(Box::new(data))
        }
        Pump::Stop(Stop::Io(reading, text, _)) => {
            let from = log::line::sender_fullhost(ctx).or_else(|| ctx.session.ident.as_ref().map(|i| i.to_vec().into()));
            let what = if reading { "Input read" } else { "Spool write" };
            let text = format!("{what} error ({text}) while receiving message from {}", from.unwrap_or_default());
            log::write(ctx, None, Which::MAIN, format!("Message abandoned: {text}").as_bytes());
            Stop::Io(reading, text, Some(Box::new(data)))
        }
        Pump::Stop(other) => other,
    }
}

/// Reads the rest of a message that is not wanted; trouble on the way is seen by whoever reads next.
pub fn swallow(ctx: &mut Context, input: &mut Input<'_>, rest: Rest) {
    let _ = input.swallow(ctx, rest);
}

/// ` H=... U=...` as lines about rejected sizes have it.
pub fn host_fields(ctx: &Context) -> BString {
    let mut out = BString::default();
    if let Some(h) = log::line::sender_fullhost(ctx) {
        out.extend_from_slice(b" H=");
        out.extend_from_slice(&h);
    }
    if let Some(i) = &ctx.session.ident {
        out.extend_from_slice(b" U=");
        out.extend_from_slice(i);
    }
    out
}

/// `control = fakereject` or `fakedefer`: the sender is told that the message was not taken, so no report may say later that it
/// was delivered (NOTIFY=SUCCESS).
fn no_success_reports_if_refused(ctx: &mut Context) {
    if ctx.message.fake_response == FakeResponse::Ok {
        return;
    }
    for r in ctx.message.recipients.iter_mut().filter(|r| r.dsn_flags & notify::SUCCESS != 0) {
        r.dsn_flags &= !notify::SUCCESS;
        if r.dsn_flags == 0 {
            r.dsn_flags = notify::NEVER;
        }
    }
}

/// Writes -H (unless nothing is to be kept) and the arrival line, and decides on the delivery.
fn commit(
    ctx: &mut Context,
    input: &mut Input<'_>,
    options: &Options,
    data: DataFile,
    verdict: &checks::Verdict,
    logged: &Logged,
) -> Result<Done, Stop> {
    if ctx.message.freeze_requested {
        ctx.message.frozen = true;
        ctx.message.frozen_at = crate::sys::time::now().sec;
    }
    no_success_reports_if_refused(ctx);
    let kept = !ctx.run.host_checking && verdict.blackholed_by.is_none();
    let size = if kept {
        match crate::spool::write_header(ctx, data.place()) {
            Ok(n) => n,
            Err(e) => {
                log::write(ctx, None, Which::MAIN, format!("Message abandoned: {e}").as_bytes());
                data.unlink();
                return Err(Stop::Write(e.to_string(), Box::new(data)));
            }
        }
    } else {
        ctx.message.headers.iter().filter(|h| h.kind != HeaderKind::Old).map(|h| h.text.len() as u64).sum()
    };
    ctx.message.size = size + ctx.message.body_size + 1;
    if kept && peer_gone(ctx, options) {
        let mut line = BString::from("SMTP connection lost after final dot");
        line.extend_from_slice(&host_fields(ctx));
        if let Some(p) = &ctx.session.received_protocol {
            line.extend_from_slice(b" P=");
            line.extend_from_slice(p);
        }
        log::write(ctx, None, Which::MAIN, &line);
        remove_files(ctx);
        return Err(Stop::GoneAtEnd);
    }
    let onward = if kept { cutthrough::finish(ctx) } else { Answer::None };
    if let Answer::Tell(text) = onward {
        remove_files(ctx);
        return Err(Stop::Onward(text));
    }
    ctx.message.subdir = data.place().letter;
    arrival(ctx, logged, kept, if verdict.held_by.is_empty() { "ACL" } else { verdict.held_by });
    if let Answer::Delivered = onward {
        log::write(ctx, None, Which::MAIN, b"Completed");
        remove_files(ctx);
        return Ok(Done::Gone);
    }
    let _ = input;
    if let Some(by) = &verdict.blackholed_by {
        data.abandon();
        let mut line = BString::from(format!("=> blackhole ({by} discarded recipients)"));
        if let Some(m) = &verdict.blackhole_message {
            line.extend_from_slice(b": ");
            line.extend_from_slice(m);
        }
        log::write(ctx, None, Which::MAIN, &line);
        log::write(ctx, None, Which::MAIN, b"Completed");
        return Ok(Done::Gone);
    }
    if !kept {
        data.abandon();
        return Ok(Done::Gone);
    }
    let delivery = match onward {
        // The host has just put it off.
        Answer::Queued => None,
        _ => queueing::decide(ctx, options.mode, options.before + 1),
    };
    // Letting go of the data file opens the message to deliveries.
    drop(data);
    Ok(Done::Accepted(Accepted { id: ctx.message.id.clone(), delivery }))
}

/// The message is not to be kept after all.
fn remove_files(ctx: &Context) {
    if let Ok(queue) = ctx.services.spool.queue(&ctx.message.queue_name)
        && let Err(e) = queue.remove(&ctx.message.id)
    {
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), e.to_string().as_bytes());
    }
}

/// Has the peer gone while it waited for the answer to its message? It would send it again.
fn peer_gone(ctx: &mut Context, options: &Options) -> bool {
    if !options.smtp || ctx.session.host_address.is_none() || ctx.session.sender_host_notsocket {
        return false;
    }
    let Some(wire) = ctx.session.wire.as_mut() else { return false };
    wire.is_socket() && !wire.input_waiting() && wire.is_dead()
}

/// The `<=` line, and the first lines of the message's own log.
fn arrival(ctx: &mut Context, logged: &Logged, kept: bool, held_by: &str) {
    let find = |kind: HeaderKind| ctx.message.headers.iter().find(|h| h.kind == kind).map(|h| h.text.clone());
    let id = find(HeaderKind::Id).map(|t| {
        let value = t.get(t.find_byte(b':').map_or(0, |i| i + 1)..).unwrap_or_default().trim();
        BString::from(value.strip_prefix(b"<").unwrap_or(value).strip_suffix(b">").unwrap_or(value))
    });
    let subject = log::selected(ctx, Selector::Subject)
        .then(|| {
            let h = ctx.message.headers.iter().find(|h| super::kinds::classify(&h.text) == super::kinds::Name::Subject)?;
            let value = h.text.get(h.text.find_byte(b':')? + 1..)?.trim();
            let charset = ctx.config.main.headers_charset.raw().unwrap_or(b"UTF-8").to_vec();
            crate::parse::decode_2047(value, ctx.config.main.check_rfc2047_length, Some(&charset), None)
                .ok()
                .or(Some(value.into()))
        })
        .flatten();
    let mail_auth = crate::mail_auth::arrival_fields(ctx);
    let facts = log::line::Arrival {
        message_id: id.as_ref().map(|i| i.as_slice()),
        id_created: logged.found.id_created,
        subject: subject.as_ref().map(|t| t.as_slice()),
        mail_auth: &mail_auth,
        recipients: &logged.raw_recipients,
        raw_sender: Some(&logged.raw_sender),
    };
    let text = log::line::arrival(ctx, &facts);
    let refused = ctx.message.fake_response == FakeResponse::Fail;
    let flag: &[u8] = if refused { b"(= " } else { b"<= " };
    log::write(ctx, None, Which::MAIN, &[flag, text.as_slice()].concat());
    ctx.session.fast_open = None;
    let frozen = ctx.message.freeze_requested;
    let queued = ctx.message.queue_only;
    let queue = &ctx.message.queue_name;
    let waits = format!("no immediate delivery: queued{}{queue} by {held_by}", if queue.is_empty() { "" } else { " in " },);
    if frozen {
        log::write(ctx, None, Which::MAIN, format!("frozen by {held_by}").as_bytes());
    }
    if queued {
        log::write(ctx, Some(Selector::DelayDelivery), Which::MAIN, waits.as_bytes());
    }
    if kept && ctx.config.main.message_logs {
        // The message log does without the envelope.
        let text = log::line::arrival(ctx, &log::line::Arrival { recipients: &[], raw_sender: None, ..facts });
        log::msglog::append(ctx, &[b"Received from ", text.as_slice()].concat());
        if frozen {
            log::msglog::append(ctx, format!("frozen by {held_by}").as_bytes());
        }
        if queued {
            log::msglog::append(ctx, waits.as_bytes());
        }
    }
}
