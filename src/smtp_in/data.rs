//! DATA and BDAT: from the envelope to the message, and the chunks in between.

use super::Next;
use super::command::Verb;
use super::server::{Command, Server};
use super::wire::InputEnd;
use crate::acl::{self, Verdict, Where};
use crate::context::Context;
use crate::log::Selector;
use crate::verify::cutthrough;

/// The proof that there is a sender and a recipient (or that all recipients were thrown away): only with it does message
/// data follow. It says how the data comes.
#[derive(Debug)]
pub struct Envelope {
    /// The first chunk; `None` for DATA.
    pub chunk: Option<Chunk>,
}

/// One chunk of BDAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its size as given.
    pub size: u64,
    /// What is still to be read of it.
    pub left: u64,
    /// It is the last one.
    pub last: bool,
}

/// How the data of a chunked message goes on after a chunk.
#[derive(Debug, PartialEq, Eq)]
pub enum NextChunk {
    /// Here is more.
    More(Chunk),
    /// RSET, or a mistake after it: the message is given up, the session goes on.
    Abandoned,
    /// The session is over: the input has ended, or QUIT came.
    Ended(Option<InputEnd>),
    /// It is over, for the peer's mistakes.
    Dropped,
}

impl Server {
    /// DATA
    pub fn data(&mut self, ctx: &mut Context) -> Next {
        self.had(ctx);
        let chunk = None;
        if let Some(next) = self.no_recipients(ctx, "DATA") {
            return next;
        }
        if self.too_many_recipients && ctx.config.main.recipients_max_reject {
            ctx.message.sender = None;
            self.reply(ctx, "554 Too many recipients");
            return Next::Command;
        }
        let mut message = None;
        if let Some(list) = ctx.config.main.acl_smtp_predata.get().cloned() {
            let result = acl::check(ctx, Where::Predata, None, &list);
            match result.verdict {
                Verdict::Ok => {}
                Verdict::Discard => {
                    cutthrough::end(ctx, "predata acl not ok");
                    ctx.message.recipients_discarded = true;
                    self.discard_note.get_or_insert("DATA");
                }
                _ => {
                    cutthrough::end(ctx, "predata acl not ok");
                    return self.refuse(ctx, Where::Predata, result);
                }
            }
            if !self.in_sync(ctx) {
                return self.sync_failure(ctx);
            }
            message = result.user_message;
        }
        cutthrough::start_data(ctx);
        self.accept(ctx, "354", "Enter message, ending with \".\" on a line by itself", message.as_ref());
        super::flush(ctx);
        Next::Receive(Envelope { chunk })
    }

    /// BDAT
    pub fn bdat(&mut self, ctx: &mut Context) -> Next {
        self.had(ctx);
        if !ctx.session.chunking_offered {
            return self.mistake(ctx, Selector::SmtpProtocolError, 503, None, "BDAT command used when CHUNKING not advertised");
        }
        let Some(chunk) = parse_chunk(&self.line.argument) else {
            return self.mistake(ctx, Selector::SmtpProtocolError, 501, None, "missing size for BDAT command");
        };
        // The chunk is on its way whatever we say to it, so it is read and dropped when it is not wanted.
        if let Some(next) = self.no_recipients(ctx, "BDAT") {
            return self.drop_chunk(ctx, chunk, next);
        }
        if self.too_many_recipients && ctx.config.main.recipients_max_reject {
            ctx.message.sender = None;
            self.reply(ctx, "554 Too many recipients");
            return self.drop_chunk(ctx, chunk, Next::Command);
        }
        cutthrough::end(ctx, "chunking");
        Next::Receive(Envelope { chunk: Some(chunk) })
    }

    /// Without any recipient there is nothing to be received: tells the peer so.
    fn no_recipients(&mut self, ctx: &mut Context, command: &str) -> Option<Next> {
        self.pipe_connect_acceptable = false;
        if self.discarded || !ctx.message.recipients.is_empty() {
            return None;
        }
        if let Some(same) = self.rcpt_answers.same().cloned() {
            let mut text: &[u8] = &same;
            text = text.strip_suffix(b"\r\n").unwrap_or(text);
            self.respond(ctx, b"503", false, b"All RCPT commands were rejected with this error:");
            let text = text.to_vec();
            self.respond(ctx, b"503", false, &text);
        }
        Some(if ctx.session.pipelining_advertised && self.last_was_rcpt {
            self.reply(ctx, format!("503 Valid RCPT command must precede {command}"));
            Next::Command
        } else {
            let text = format!("valid RCPT command must precede {command}");
            self.mistake(ctx, Selector::SmtpProtocolError, 503, None, &text)
        })
    }

    fn drop_chunk(&mut self, ctx: &mut Context, chunk: Chunk, next: Next) -> Next {
        if matches!(next, Next::Close | Next::Break | Next::End) {
            return next;
        }
        match self.skip(ctx, chunk.left) {
            Ok(()) => next,
            Err(end) => self.input_ended(ctx, &end),
        }
    }

    /// Reads and drops `left` bytes.
    pub fn skip(&mut self, ctx: &mut Context, mut left: u64) -> Result<(), InputEnd> {
        while left > 0 {
            let Some(wire) = ctx.session.wire.as_mut() else { return Err(InputEnd::Eof) };
            if wire.unread().is_empty() {
                wire.fill()?;
            }
            let n = usize::try_from(left).unwrap_or(usize::MAX).min(wire.unread().len());
            wire.consume(n);
            left -= n as u64;
        }
        Ok(())
    }

    /// After a chunk that is not the last: acknowledges it and reads the command for the next one.
    pub fn next_chunk(&mut self, ctx: &mut Context, done: Chunk) -> NextChunk {
        let mut only_rset = false;
        // Without PIPELINING nothing may follow a chunk before it has been acknowledged.
        let out_of_sync = !ctx.session.pipelining_advertised && !self.in_sync(ctx);
        if out_of_sync {
            self.log_sync_failure(ctx, 32);
            self.reply(ctx, "554 SMTP synchronization error");
            only_rset = true;
        } else {
            self.reply(ctx, format!("250 {} byte chunk received", done.size));
        }
        loop {
            let command = match self.read_command(ctx, true) {
                Ok(c) => c,
                Err(end) => return NextChunk::Ended(Some(end)),
            };
            let verb = match command {
                Command::Known(known) => {
                    self.short = known.short;
                    Some(known.verb)
                }
                _ => None,
            };
            match verb {
                Some(Verb::Quit) => {
                    let _ = self.quit(ctx);
                    return NextChunk::Ended(None);
                }
                Some(Verb::Rset) => {
                    self.rset_answer(ctx);
                    return NextChunk::Abandoned;
                }
                Some(Verb::Noop) if !only_rset => {
                    let _ = self.noop(ctx);
                }
                Some(Verb::Bdat) if !only_rset => {
                    let Some(chunk) = parse_chunk(&self.line.argument) else {
                        let text = "missing size for BDAT command";
                        if let Next::Close = self.mistake(ctx, Selector::SmtpProtocolError, 501, None, text) {
                            return NextChunk::Dropped;
                        }
                        only_rset = true;
                        continue;
                    };
                    if chunk.size > 0 || chunk.last {
                        return NextChunk::More(chunk);
                    }
                    let next = self.mistake(ctx, Selector::SmtpProtocolError, 504, None, "zero size for BDAT command");
                    if matches!(next, Next::Close) {
                        return NextChunk::Dropped;
                    }
                    only_rset = true;
                }
                _ => {
                    let text = if only_rset { "only RSET accepted now" } else { "only BDAT permissible after non-LAST BDAT" };
                    only_rset = true;
                    // A chunk that comes with a wrong command's successor must not be read as commands.
                    let next = self.mistake(ctx, Selector::SmtpProtocolError, 503, None, text);
                    if matches!(next, Next::Close) {
                        return NextChunk::Dropped;
                    }
                }
            }
            // Data of a chunk that is not wanted must never be read as commands. (After a synchronization error there is no
            // telling what is what.)
            if let (true, Some(Verb::Bdat), Some(chunk)) = (only_rset && !out_of_sync, verb, parse_chunk(&self.line.argument))
                && chunk.size > 0
                && let Err(end) = self.skip(ctx, chunk.size)
            {
                return NextChunk::Ended(Some(end));
            }
        }
    }
}

/// `size [LAST]`
fn parse_chunk(argument: &[u8]) -> Option<Chunk> {
    let digits = argument.iter().take_while(|c| c.is_ascii_digit()).count();
    if digits == 0 || digits > 18 {
        return None;
    }
    let size = argument.get(..digits)?.iter().fold(0u64, |n, c| n * 10 + u64::from(c - b'0'));
    let rest = argument.get(digits..)?.trim_ascii();
    Some(Chunk { size, left: size, last: rest.eq_ignore_ascii_case(b"LAST") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks() {
        assert_eq!(parse_chunk(b"88 last"), Some(Chunk { size: 88, left: 88, last: true }));
        assert_eq!(parse_chunk(b"0"), Some(Chunk { size: 0, left: 0, last: false }));
        assert_eq!(parse_chunk(b"-1"), None);
        assert_eq!(parse_chunk(b"99999999999999999999"), None);
    }
}
