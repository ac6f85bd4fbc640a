//! The message for test modes: a file (`-bem`), standard input (`-bf`) or one of the queue (`-Mset`). Nothing is put on
//! the queue, no ACL runs.

use std::os::fd::{AsFd, OwnedFd};

use bstr::{BString, ByteSlice};

use crate::context::{BodySource, Context, Header, HeaderKind};
use crate::expand::variables::body;
use crate::receive::body::Local;
use crate::receive::headers::{self, Ended, Limits, Trouble};
use crate::receive::input::{FileInput, Input};
use crate::receive::kinds::{self, Name};
use crate::receive::sink::Sink;
use crate::receive::{extract, fixup, from_line};
use crate::sys::{error_text, file};

/// Reads a message of the queue. The error is the whole message to the caller.
pub fn from_spool(ctx: &mut Context, queue_name: &[u8], id: &BString) -> Result<(), String> {
    let queue = ctx.services.spool.queue(queue_name).map_err(|e| e.to_string())?;
    let place = queue.place_of(id).map_err(|e| format!("failed to read message {id}: {e}"))?;
    crate::spool::read_header(ctx, &place, id).map_err(|e| format!("failed to read message {id}: {e}"))?;
    let data = crate::spool::DataFile::open_locked(&queue, id).map_err(|e| format!("failed to read message {id}: {e}"))?;
    ctx.message.body = Some(BodySource::Path(data.path()));
    ctx.message.body_size = data.body_size().map_err(|e| format!("failed to read message {id}: {e}"))?;
    body::keep(ctx);
    Ok(())
}

/// Reads a message from a file, as a local submission: with the header lines that such a message gets.
pub fn from_file(ctx: &mut Context, path: &BString, extract_recipients: bool) -> Result<(), String> {
    let input = file::open(path, file::Flags::READ, 0).map_err(|e| format!("failed to open {path}: {}", error_text(&e)))?;
    read(ctx, input, extract_recipients, &mut |_, _| false).map(drop).map_err(|()| format!("the header of {path} cannot be read"))
}

/// What was in a message, besides itself.
pub struct Seen {
    /// It had header lines.
    pub headers: bool,
    /// The content of `Return-path:`, which is taken out.
    pub return_path: Option<BString>,
}

/// Reads a message from standard input, in the same way; a "From " line gives the sender.
pub fn from_stdin(ctx: &mut Context) -> Result<Seen, String> {
    let input = std::io::stdin().as_fd().try_clone_to_owned().map_err(|e| error_text(&e))?;
    let seen = read(ctx, input, false, &mut |ctx, line| from_line::take(ctx, line, false))
        .map_err(|()| "the header of the message cannot be read".to_string())?;
    // A filter sees the message before its body is counted, as far as the reference is concerned.
    ctx.message.message_linecount -= ctx.message.body_linecount;
    Ok(seen)
}

fn read(
    ctx: &mut Context,
    input: OwnedFd,
    extract_recipients: bool,
    from_line: &mut dyn FnMut(&mut Context, &[u8]) -> bool,
) -> Result<Seen, ()> {
    let mut input = Input::File(FileInput::file(input, None));
    let m = &mut ctx.message;
    // The first place is for our own Received:, which is not made here.
    m.headers = vec![Header { kind: HeaderKind::Old, text: BString::default() }];
    m.local = true;
    m.first_delivery = true;
    m.originator_login = ctx.run.login.clone();
    m.originator_uid = ctx.run.real_uid;
    m.originator_gid = ctx.run.real_gid;
    let limits = Limits {
        section: crate::receive::header_maxsize(ctx),
        line: u64::try_from(ctx.config.main.header_line_maxsize.0).unwrap_or(0),
        dot_ends: false,
        smtp: false,
        must_crlf: false,
    };
    let (section, result) = headers::read(ctx, &mut input, &limits, from_line);
    if !matches!(result, Ok(()) | Err(Trouble::Input(_))) {
        return Err(());
    }
    let headers = !section.lines.is_empty();
    let path = section.lines.iter().find(|l| kinds::classify(l) == Name::ReturnPath);
    let return_path = path.map(|l| l.split_once_str(":").map_or(&b""[..], |(_, v)| v).into());
    for text in section.lines {
        ctx.message.headers.push(Header { kind: HeaderKind::Other, text });
    }
    let mut found = fixup::scan(ctx, false);
    if extract_recipients {
        let max = crate::receive::recipients_max(ctx);
        let _bad = extract::recipients(ctx, found.resent, max).map_err(|_| ())?;
    }
    let (id, time) = crate::spool::new_message_id(&ctx.config);
    ctx.message.id = id;
    ctx.message.received_time = time;
    fixup::message_id(ctx, &mut found);
    fixup::from(ctx, &mut found);
    fixup::date(ctx, &mut found);

    let mut data = Vec::new();
    let mut sink = Sink::new(&mut data);
    if let Some(line) = &section.first_body_line {
        sink.put_line(line);
    }
    if section.ended == Ended::BodyFollows {
        let mut machine = Local::new(false);
        loop {
            let used = machine.feed(input.unread(ctx), &mut sink).used;
            input.consume(ctx, used);
            if input.fill(ctx).is_err() {
                break;
            }
        }
        machine.finish(&mut sink);
    }
    sink.flush();
    let (lines, zeros, longest, size) = (sink.lines, sink.zeros, sink.longest, sink.size);
    drop(sink);
    let m = &mut ctx.message;
    m.body_size = size;
    m.size = section.size + size;
    m.body_linecount = lines;
    m.body_zerocount = zeros;
    m.message_linecount = section.line_count + lines;
    m.max_received_linelength = section.longest.max(longest);
    body::keep_bytes(ctx, &data);
    Ok(Seen { headers, return_path })
}
