//! The body's way into the -D file: from the input through the state machine for its kind, watched by whoever signs or verifies,
//! onward to another host if it is being passed on, and synced.

use super::body::{Chunked, Data, Fed, Local, Wireformat};
use super::headers::{Ended, Section};
use super::input::{End, Input};
use super::pipeline::{Options, Stop, host_fields};
use super::sink::Sink;
use crate::context::Context;
use crate::log::{self, Selector, Which};
use crate::mail_auth::Ends;
use crate::spool::DataFile;
use crate::verify::cutthrough::{Passing, Tee};

pub(super) fn open_data(ctx: &Context) -> Result<DataFile, Stop> {
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
pub(super) fn read_body(
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
    let written = data.written();
    let result = match result {
        Ok(()) => written.map_err(|e| Pump::Stop(Stop::Io(false, e.to_string(), None))),
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
            let from =
                crate::context::names::sender_fullhost(ctx).or_else(|| ctx.session.ident.as_ref().map(|i| i.to_vec().into()));
            let what = if reading { "Input read" } else { "Spool write" };
            let text = format!("{what} error ({text}) while receiving message from {}", from.unwrap_or_default());
            log::write(ctx, None, Which::MAIN, format!("Message abandoned: {text}").as_bytes());
            Stop::Io(reading, text, Some(Box::new(data)))
        }
        Pump::Stop(other) => other,
    }
}
