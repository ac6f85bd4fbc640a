//! The message on its way through: DATA, the header, the body as it comes in, the dot, and what the host says to it.

use std::io::{self, Write};

use bstr::BString;

use super::{DATA_TIMEOUT, Held, end};
use crate::context::Context;
use crate::deliver::transport_write::{Output, Stuffed, WriteSpec, header_section};
use crate::log::{self, Which, outcome};
use crate::smtp_out::wire::WireError;
use crate::smtp_out::{Client, Send};
use crate::text::Text;

/// DATA was accepted here: the onward host must take it too, or the message goes by way of the queue.
pub fn start_data(ctx: &mut Context) {
    if !ctx.cutthrough.deliver {
        return;
    }
    let Some(mut held) = ctx.cutthrough.held.take() else { return };
    let client = &mut held.opened.client;
    let answer = client.send(Send::Now, b"DATA").and_then(|_| client.read(Some(DATA_TIMEOUT)));
    let ready = answer.is_ok_and(|r| r.class() == b'3');
    held.data_started = ready;
    ctx.cutthrough.held = Some(held);
    if !ready {
        end(ctx, "unexpected response to smtp command");
    }
}

/// A message that is being passed on while it is received. Dropped before its end, it breaks the connection, so that the
/// onward host takes nothing.
#[derive(Debug)]
pub struct Passing {
    held: Box<Held>,
    error: Option<WireError>,
}

impl Passing {
    /// Where the body goes beside the spool file.
    pub fn onward(&mut self) -> Onward<'_> {
        Onward { client: &mut self.held.opened.client, error: &mut self.error }
    }

    /// The body has been read. If all of it has gone out, the connection waits for [`finish`].
    pub fn body_done(self, ctx: &mut Context) {
        match self.error {
            None => ctx.cutthrough.held = Some(self.held),
            Some(_) => {
                let mut held = self.held;
                held.opened.client.close();
                end(ctx, "error while copying the message");
            }
        }
    }
}

/// Sends on what comes, and remembers the first error: trouble with the onward host is none of the spool file's.
pub struct Onward<'a> {
    client: &'a mut Client,
    error: &'a mut Option<WireError>,
}

impl Output for Onward<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.error.is_none() {
            *self.error = self.client.write_raw(bytes, Some(DATA_TIMEOUT)).err();
        }
        Ok(())
    }
}

/// A writer to the spool file and to the onward host.
pub struct Tee<'a> {
    file: &'a mut dyn Write,
    body: Stuffed<'a>,
}

impl<'a> Tee<'a> {
    /// Takes text with LF line ends.
    pub fn new(file: &'a mut dyn Write, onward: &'a mut Onward<'_>) -> Self {
        Tee { file, body: Stuffed::new(onward) }
    }

    /// The body is complete.
    pub fn finish(mut self) -> io::Result<()> {
        self.body.finish()
    }
}

impl Write for Tee<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        self.body.write(bytes)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Does the message in hand go out while it comes in?
pub fn is_ready(ctx: &Context) -> bool {
    ctx.cutthrough.held.as_ref().is_some_and(|h| h.data_started)
}

/// After the header has been read and made complete: sends it.
pub fn begin_message(ctx: &mut Context) -> Option<Passing> {
    if !is_ready(ctx) {
        return None;
    }
    let mut held = ctx.cutthrough.held.take()?;
    let transport = held.addresses.first()?.transport.clone()?;
    let saved = ctx.address.clone();
    if let Some(a) = held.addresses.first() {
        crate::route::set_address_vars(ctx, a);
    }
    ctx.address.transport_name = Some(transport.name.clone());
    let mut spec = WriteSpec::of_transport(&transport, &held.addresses);
    spec.return_path = Some(&held.sender);
    let header = header_section(ctx, &spec);
    ctx.address = saved;
    let client = &mut held.opened.client;
    client.say("  SMTP>> (writing message)");
    client.written = 0;
    let mut error = None;
    let sent = header.is_ok_and(|header| {
        let mut onward = Onward { client, error: &mut error };
        let mut out = Stuffed::new(&mut onward);
        out.write(&header).and_then(|()| out.finish()).is_ok()
    });
    if !sent || error.is_some() {
        held.opened.client.close();
        end(ctx, "error while copying headers");
        return None;
    }
    Some(Passing { held, error })
}

/// What the onward host says to the whole message.
#[derive(Debug)]
pub enum Answer {
    /// The message does not go that way.
    None,
    /// It has it: nothing is left to be done.
    Delivered,
    /// Not now: it stays on the queue, and is not tried again at once.
    Queued,
    /// The peer is to be told this, and keeps the message.
    Tell(Text),
}

/// The message is in the spool, and all ACLs have accepted it: asks the onward host, and logs what it says.
pub fn finish(ctx: &mut Context) -> Answer {
    if !is_ready(ctx) {
        return Answer::None;
    }
    let Some(mut held) = ctx.cutthrough.held.take() else { return Answer::None };
    let client = &mut held.opened.client;
    client.set_command("end of data");
    client.note_end_of_data();
    let reply = match client.write_raw(b".\r\n", Some(DATA_TIMEOUT)) {
        Ok(()) => client.read(Some(DATA_TIMEOUT)).ok(),
        Err(_) => None,
    };
    let class = reply.as_ref().map_or(0, |r| r.class());
    let said = reply.map(|r| r.text).unwrap_or_default();
    let pass = ctx.cutthrough.defer_pass;
    log_answer(ctx, &mut held, class, &said);
    held.data_started = false;
    ctx.cutthrough.held = Some(held);
    let (why, answer) = match class {
        b'2' => ("delivered", Answer::Delivered),
        b'5' => ("refused", Answer::Tell(Text::tainted(said))),
        b'4' if pass => ("deferred", Answer::Tell(Text::tainted(said))),
        b'4' => ("deferred", Answer::Queued),
        _ if pass => ("no answer", Answer::Tell(Text::clean("450 Onward transmission not accepted"))),
        _ => ("no answer", Answer::Queued),
    };
    end(ctx, why);
    answer
}

/// One line for each recipient, the last one first.
fn log_answer(ctx: &mut Context, held: &mut Held, class: u8, said: &BString) {
    let facts =
        outcome::RemoteLog { confirmation: Some(said.clone()), auth: held.opened.log_auth(None), ..held.opened.log_facts() };
    for mut a in held.addresses.drain(..).rev() {
        a.host_used = Some(Box::new(held.host.clone()));
        a.tls = held.opened.tls.clone().unwrap_or_default();
        a.remote_log = Some(Box::new(facts.clone()));
        a.return_path = Some(held.sender.clone());
        a.bytes_sent = held.opened.client.written;
        let details = outcome::Delivered {
            return_path: Some(&held.sender),
            size: a.bytes_sent,
            queue_time: 0,
            ..outcome::Delivered::default()
        };
        let which = if class == b'5' { Which::MAIN.and(Which::REJECT) } else { Which::MAIN };
        let text = match class {
            b'2' => outcome::delivery(ctx, ">>", &a, &details),
            b'4' => outcome::refused_onward(ctx, &a, "tmp-reject from cutthrough after DATA:", &details),
            b'5' => outcome::refused_onward(ctx, &a, "rejected after DATA:", &details),
            _ => continue,
        };
        log::write(ctx, None, which, &text);
        if class == b'2' {
            crate::deliver::delivery_event(ctx, &a, said);
        }
    }
}
