//! The `autoreply` transport (manual chapter 27): a message in answer to the one in hand.
//!
//! Runs as the recipient. `fields` works out what is said to whom, `once` remembers who has had an answer.

mod fields;
mod once;
mod options;
pub(crate) mod submit;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;

use bstr::{BString, ByteSlice};

use super::options::TransportOptions;
use super::{Kind, Transport};
use crate::config::Config;
use crate::config::options::OptionSet;
use crate::context::{Context, HeaderKind};
use crate::deliver::local::{DeliveryStatus, LocalJob, LocalTransport};
use crate::deliver::transport_write::{WriteSpec, write_message};
use crate::expand;
use crate::log::stamp;
use crate::sys::file::{self, Flags};
use crate::text::Text;
use fields::Fields;
pub use options::AutoreplyOptions;

/// Size of the blocks in which the reference reads, bytes: the limit on returned bodies is a multiple.
const BLOCK: u64 = 8192;

/// The driver.
#[derive(Debug, Default)]
pub struct Autoreply {
    options: AutoreplyOptions,
}

/// A reply that was not sent.
#[derive(Debug)]
pub(super) struct Failure {
    status: DeliveryStatus,
    errno: i32,
    message: String,
}

impl Failure {
    fn fail(message: impl Into<String>) -> Self {
        Failure { status: DeliveryStatus::Fail, errno: 0, message: message.into() }
    }
    fn defer(errno: i32, message: impl Into<String>) -> Self {
        Failure { status: DeliveryStatus::Defer, errno, message: message.into() }
    }
}

impl Transport for Autoreply {
    fn options(&self) -> &dyn OptionSet {
        &self.options
    }
    fn options_mut(&mut self) -> &mut dyn OptionSet {
        &mut self.options
    }
    fn init(&mut self, _: &BString, _: &mut TransportOptions, _: &[String], _: &Config) -> Result<(), String> {
        Ok(())
    }
    fn kind(&self) -> Kind<'_> {
        Kind::Local(self)
    }
}

impl LocalTransport for Autoreply {
    fn deliver(&self, ctx: &mut Context, job: &mut LocalJob<'_>) -> Vec<DeliveryStatus> {
        let status = match self.run(ctx, job) {
            Ok(()) => DeliveryStatus::Ok,
            Err(f) => {
                for a in job.batch.iter_mut() {
                    a.failure.basic_errno = f.errno;
                    a.failure.message = Some(Text::clean(f.message.clone()));
                }
                f.status
            }
        };
        vec![status; job.batch.len()]
    }
}

impl Autoreply {
    fn run(&self, ctx: &mut Context, job: &mut LocalJob<'_>) -> Result<(), Failure> {
        let o = &self.options;
        let Some(f) = Fields::of(ctx, o, job)? else { return Ok(()) };
        let name = job.transport.name.clone();
        let once = match (&f.once, &f.to) {
            (Some(path), Some(to)) => {
                let record = once::Record::open(path, o, &name)?;
                if record.answered(to, f.once_repeat, &name)? {
                    self.log(ctx, &f, |out| {
                        out.extend_from_slice(b"  previously sent to ");
                        out.extend_from_slice(to.get(..200).unwrap_or(to));
                        out.push(b'\n');
                    });
                    return Ok(());
                }
                Some((record, to.clone()))
            }
            _ => None,
        };
        let text = self.message(ctx, job, &f)?;
        if ctx.run.dont_deliver {
            return Ok(());
        }
        // A reply for which nobody is left (never_mail) is one that need not be sent.
        if let Err(code) = submit::hand_in(ctx, &text)
            && code != crate::receive::moan::EXIT_NO_RECIPIENTS
        {
            return Err(Failure::defer(0, format!("Failed to send message from {name} transport ({code})")));
        }
        if let Some((record, to)) = once {
            record.note(&to);
        }
        self.log(ctx, &f, |out| {
            for (title, value) in [("From", &f.from), ("To", &f.to), ("Cc", &f.cc), ("Bcc", &f.bcc), ("Subject", &f.subject)] {
                if let Some(v) = value {
                    out.extend_from_slice(format!("  {title}: {v}\n").as_bytes());
                }
            }
            if let Some(h) = &f.headers {
                out.extend_from_slice(format!("  {h}\n").as_bytes());
            }
        });
        Ok(())
    }

    /// Appends to the log file. Trouble with it does not matter to the reply.
    fn log(&self, ctx: &Context, f: &Fields, fill: impl FnOnce(&mut Vec<u8>)) {
        let Some(path) = &f.log else { return };
        let flags = Flags::WRITE | Flags::APPEND | Flags::CREATE | Flags::NOFOLLOW;
        let Ok(fd) = file::open(path, flags, self.options.mode.0) else { return };
        let mut out = stamp::log_time(crate::sys::time::now(), false, ctx.config.site.log.with_zone).into_bytes();
        out.push(b'\n');
        fill(&mut out);
        let _ = File::from(fd).write_all(&out);
    }

    /// The whole message.
    fn message(&self, ctx: &mut Context, job: &mut LocalJob<'_>, f: &Fields) -> Result<Vec<u8>, Failure> {
        let mut out = Vec::new();
        for (title, value) in
            [("From", &f.from), ("Reply-To", &f.reply_to), ("To", &f.to), ("Cc", &f.cc), ("Bcc", &f.bcc), ("Subject", &f.subject)]
        {
            if let Some(v) = value {
                out.extend_from_slice(title.as_bytes());
                out.extend_from_slice(b": ");
                out.extend_from_slice(v.trim_end_with(|c| c == '\n'));
                out.push(b'\n');
            }
        }
        if let Some(id) = ctx.message.headers.iter().find(|h| h.kind == HeaderKind::Id) {
            let value = id.text.split_once_str(":").map_or(&b""[..], |(_, v)| v).trim();
            out.extend_from_slice(b"In-Reply-To: ");
            out.extend_from_slice(value);
            out.push(b'\n');
        }
        out.extend_from_slice(&crate::deliver::from_original(ctx));
        out.extend_from_slice(b"Auto-Submitted: auto-replied\n");
        if let Some(h) = &f.headers {
            out.extend_from_slice(h);
            out.push(b'\n');
        }
        out.push(b'\n');
        if let Some(t) = &f.text {
            out.extend_from_slice(t);
            if !t.ends_with(b"\n") {
                out.push(b'\n');
            }
        }
        if let Some(path) = &f.file {
            self.file(ctx, job, f, path, &mut out)?;
        }
        if f.return_message {
            self.original(ctx, job, &mut out)?;
        }
        Ok(out)
    }

    /// The lines of the file, expanded one by one if that is wanted.
    fn file(&self, ctx: &mut Context, job: &LocalJob<'_>, f: &Fields, path: &Text, out: &mut Vec<u8>) -> Result<(), Failure> {
        let fd = match file::open(path, Flags::READ, 0) {
            Ok(fd) => fd,
            Err(_) if f.file_optional => return Ok(()),
            Err(e) => {
                let text = format!(
                    "Failed to open file {path} when sending message from {} transport: {}",
                    job.transport.name,
                    crate::sys::error_text(&e)
                );
                return Err(Failure::defer(e.raw_os_error().unwrap_or(0), text));
            }
        };
        let mut reader = BufReader::new(File::from(fd));
        let mut line = Vec::new();
        loop {
            line.clear();
            match reader.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            if f.file_expand {
                match expand::expand_once(ctx, &line) {
                    Ok(t) => out.extend_from_slice(&t),
                    Err(e) => {
                        crate::debug!(ctx, TRANSPORT, "error while expanding line from file: {e}");
                        out.extend_from_slice(&line);
                    }
                }
            } else {
                out.extend_from_slice(&line);
            }
        }
        Ok(())
    }

    /// The message that is answered.
    fn original(&self, ctx: &mut Context, job: &mut LocalJob<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
        let g = &job.transport.generic;
        let rubric = if g.headers_only {
            "------ This is a copy of the message's header lines.\n"
        } else if g.body_only {
            "------ This is a copy of the body of the message, without the headers.\n"
        } else {
            "------ This is a copy of the message, including all the headers.\n"
        };
        out.extend_from_slice(format!("\n{rubric}").as_bytes());
        let size = file::fstat(job.data.as_fd()).map(|s| u64::try_from(s.size).unwrap_or(0)).unwrap_or(0);
        let limit = u64::try_from(ctx.config.main.bounce_return_size_limit.0).unwrap_or(0);
        if limit > 0 && !g.headers_only {
            let max = (limit / BLOCK + 1) * BLOCK;
            if size > max {
                out.extend_from_slice(
                    format!(
                        "------ The body of the message is {size} characters long; only the first\n------ {} or so are included here.\n",
                        max / 1000 * 1000
                    )
                    .as_bytes(),
                );
            }
        }
        out.push(b'\n');
        let mut spec = WriteSpec::of_transport(job.transport, job.batch);
        spec.body_limit = limit;
        write_message(ctx, &spec, job.data, out).map(drop).map_err(|e| {
            Failure::defer(
                crate::retry::errors::HEADER_FAIL,
                format!("failed to copy the message in {} transport: {e}", job.transport.name),
            )
        })
    }
}
