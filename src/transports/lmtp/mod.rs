//! The `lmtp` transport (manual chapter 28): LMTP to a command or to a Unix socket, as the recipient.

mod options;

use std::time::Duration;

use bstr::{BString, ByteSlice};

use super::command::{self, CommandError, Rules};
use super::options::TransportOptions;
use super::{Kind, Transport};
use crate::config::Config;
use crate::config::options::OptionSet;
use crate::context::Context;
use crate::deliver::local::{DeliveryStatus, LocalJob, LocalTransport};
use crate::deliver::transport_write::{Output, WriteError, WriteSpec, write_message};
use crate::expand::{self, Template};
use crate::log::outcome::RemoteLog;
use crate::retry::errors;
use crate::smtp_out::client::write_fault;
use crate::smtp_out::wire::{Wire, WireError};
use crate::smtp_out::{Client, Fault, Trouble};
use crate::sys::spawn::{Spawn, Stdio};
use crate::sys::{process, unix};
use crate::text::Text;
pub use options::LmtpOptions;

/// The driver.
#[derive(Debug, Default)]
pub struct Lmtp {
    options: LmtpOptions,
}

impl Transport for Lmtp {
    fn options(&self) -> &dyn OptionSet {
        &self.options
    }
    fn options_mut(&mut self) -> &mut dyn OptionSet {
        &mut self.options
    }
    fn init(&mut self, name: &BString, generic: &mut TransportOptions, _: &[String], _: &Config) -> Result<(), String> {
        let o = &self.options;
        if o.command.is_set() == o.socket.is_set() {
            return Err(format!("one (and only one) of command or socket must be set for the {name} transport"));
        }
        if o.timeout.0 <= 0 {
            return Err(format!("timeout value is zero for the {name} transport"));
        }
        let _ = generic;
        Ok(())
    }
    fn kind(&self) -> Kind<'_> {
        Kind::Local(self)
    }
}

/// Where an address stands; `Accepted` is after RCPT.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Pending,
    Accepted,
    Done(DeliveryStatus),
}

impl LocalTransport for Lmtp {
    fn batch_max(&self) -> usize {
        usize::try_from(self.options.batch_max.0).unwrap_or(1).max(1)
    }
    fn batch_id(&self) -> Option<&Template> {
        self.options.batch_id.get()
    }

    fn deliver(&self, ctx: &mut Context, job: &mut LocalJob<'_>) -> Vec<DeliveryStatus> {
        let mut states = vec![State::Pending; job.batch.len()];
        let limit = u64::try_from(self.options.timeout.0).ok().map(Duration::from_secs);
        match self.connect(ctx, job) {
            Err((status, errno, text)) => {
                for a in job.batch.iter_mut() {
                    a.failure.basic_errno = errno;
                    a.failure.message = Some(Text::clean(text.clone()));
                }
                return vec![status; job.batch.len()];
            }
            Ok((wire, pid)) => {
                let mut client = Client::new(ctx, wire, b"");
                client.protocol = "LMTP";
                client.lmtp = true;
                client.command_timeout = limit;
                match self.session(ctx, job, &mut client, &mut states) {
                    Ok(()) => client.quit(),
                    Err(t) => {
                        give(job, &mut states, &t);
                        if t.can_quit {
                            client.quit();
                        } else {
                            // There is nothing more to be said to a command in the middle of a message.
                            if let Some(pid) = pid {
                                let _ = process::kill(-pid, libc::SIGKILL);
                            }
                            client.close();
                        }
                    }
                }
                drop(client);
                if let Some(pid) = pid {
                    let deadline =
                        std::time::Instant::now() + limit.unwrap_or(Duration::from_secs(300)).min(Duration::from_secs(10));
                    if !matches!(process::wait_until(pid, deadline), Ok(Some(_))) {
                        let _ = process::kill(-pid, libc::SIGKILL);
                        let _ = process::wait(pid);
                    }
                }
            }
        }
        states
            .into_iter()
            .map(|s| match s {
                State::Done(d) => d,
                State::Pending | State::Accepted => DeliveryStatus::Defer,
            })
            .collect()
    }
}

/// Puts trouble into all addresses that are not done.
fn give(job: &mut LocalJob<'_>, states: &mut [State], t: &Trouble) {
    let status = if t.class == b'5' { DeliveryStatus::Fail } else { DeliveryStatus::Defer };
    for (a, s) in job.batch.iter_mut().zip(states.iter_mut()) {
        // A dead connection is everybody's trouble, whatever was said before.
        if matches!(s, State::Done(_)) && (t.for_user || t.command.starts_with(b"end ")) {
            continue;
        }
        // Time-outs and the like are no errors of the system here.
        a.failure.basic_errno = match t.errno {
            libc::ETIMEDOUT => errors::UNKNOWN,
            0 if status == DeliveryStatus::Defer => errors::UNKNOWN,
            n => n,
        };
        a.failure.more_errno |= if t.class == b'4' { t.code << 8 } else { 0 };
        a.failure.message = t.message.as_ref().map(|m| Text::tainted(m.to_vec()));
        a.flags.pass_message = t.for_user;
        *s = State::Done(status);
    }
}

struct Sink<'c> {
    client: &'c mut Client,
    limit: Option<Duration>,
    error: Option<WireError>,
}

impl Output for Sink<'_> {
    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.client.write_raw(bytes, self.limit).map_err(|e| {
            self.error = Some(e);
            std::io::ErrorKind::BrokenPipe.into()
        })
    }
}

impl Lmtp {
    fn connect(&self, ctx: &mut Context, job: &LocalJob<'_>) -> Result<(Wire, Option<i32>), (DeliveryStatus, i32, String)> {
        let name = &job.transport.name;
        if let Some(t) = self.options.command.get() {
            let owner = format!("{name} transport");
            let rules = Rules { expand: true, recipients: false, owner: &owner };
            let argv = command::arguments(ctx, &Text::clean(t.raw()), job.batch, rules).map_err(|e| match e {
                CommandError::Expansion(m) => (DeliveryStatus::Panic, errors::EXPAND_FAIL, m),
                CommandError::Other(m) => (DeliveryStatus::Panic, 0, m),
                CommandError::Tainted(m) => (DeliveryStatus::Fail, 0, m),
            })?;
            let argv: Vec<Vec<u8>> = argv.into_iter().map(Into::into).collect();
            let path = argv.first().cloned().unwrap_or_default();
            let envp = crate::sys::exec::current_environment();
            let mut spawn = Spawn::new(&path, &argv, &envp);
            spawn.stdin = Stdio::Pipe;
            spawn.stdout = Stdio::Pipe;
            spawn.stderr = Stdio::SameAsStdout;
            spawn.new_group = true;
            let mut child = spawn.start().map_err(|e| {
                let errno = e.error.raw_os_error().unwrap_or(errors::UNKNOWN);
                (
                    DeliveryStatus::Defer,
                    errno,
                    format!("Failed to create child process for {name} transport: {}", crate::sys::error_text(&e.error)),
                )
            })?;
            let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
                return Err((DeliveryStatus::Panic, 0, format!("no pipes to the command of {name} transport")));
            };
            return Ok((Wire::pipes(from, to), Some(child.pid)));
        }
        let Some(t) = self.options.socket.get() else {
            return Err((DeliveryStatus::Panic, 0, format!("neither command nor socket set for {name} transport")));
        };
        let path = expand::expand(ctx, t).map_err(|e| {
            let text = format!("Expansion of \"{}\" (socket setting for {name} transport) failed: {e}", t.raw().as_bstr());
            (DeliveryStatus::Defer, errors::EXPAND_FAIL, text)
        })?;
        if path.is_tainted() {
            return Err((DeliveryStatus::Panic, 0, format!("Tainted '{path}' (socket for {name} transport) not permitted")));
        }
        let limit = u64::try_from(self.options.timeout.0).ok().map(Duration::from_secs);
        let socket = unix::connect(unix::Kind::Stream, &path, limit).map_err(|e| {
            (
                DeliveryStatus::Defer,
                errors::UNKNOWN,
                format!("Failed to connect to socket {path} for {name} transport: {}", crate::sys::error_text(&e)),
            )
        })?;
        Ok((Wire::socket(socket), None))
    }

    fn session(&self, ctx: &mut Context, job: &mut LocalJob<'_>, c: &mut Client, states: &mut [State]) -> Result<(), Trouble> {
        let limit = c.command_timeout;
        c.read_greeting().map_err(|f| c.trouble(f))?;
        let helo = ctx.config.site.primary_hostname.clone();
        c.ehlo(&helo).map_err(|f| c.trouble(f))?;
        let quota: &[u8] = if self.options.ignore_quota && c.features.ignore_quota { b" IGNOREQUOTA" } else { b"" };
        let sender =
            job.batch.first().and_then(|a| a.return_path.clone()).or_else(|| ctx.message.sender.clone()).unwrap_or_default();
        let refused = |c: &Client, f: Fault, errno: i32| {
            let mut t = c.trouble(f);
            if t.for_user && t.class == b'4' {
                t.errno = errno;
            }
            t
        };
        let mail = [b"MAIL FROM:<", sender.as_bytes(), b">"].concat();
        c.command_ok(&mail).map_err(|f| refused(c, f, errors::MAIL_4XX))?;
        for (a, s) in job.batch.iter_mut().zip(states.iter_mut()) {
            let address = super::rcpt_address(job.transport, a);
            let line = [b"RCPT TO:<", address.as_slice(), b">", quota].concat();
            match c.command_ok(&line) {
                Ok(_) => *s = State::Accepted,
                Err(f @ Fault::Refused(_)) => {
                    let shown = BString::from(format!("RCPT TO:<{address}>"));
                    let mut t = c.trouble_at(shown.as_bstr(), f);
                    if t.class == b'4' {
                        t.errno = errors::RCPT_4XX;
                    }
                    a.failure.basic_errno = t.errno;
                    a.failure.more_errno |= if t.class == b'4' { t.code << 8 } else { 0 };
                    a.failure.message = t.message.map(|m| Text::tainted(Vec::from(m)));
                    a.flags.pass_message = true;
                    *s = State::Done(if t.class == b'5' { DeliveryStatus::Fail } else { DeliveryStatus::Defer });
                }
                Err(f) => return Err(c.trouble(f)),
            }
        }
        if !states.contains(&State::Accepted) {
            return Ok(());
        }
        c.send(crate::smtp_out::Send::Now, b"DATA")
            .and_then(|_| c.expect(b'3', limit))
            .map_err(|f| refused(c, f, errors::DATA_4XX))?;
        self.message(ctx, job, c)?;
        for (a, s) in job.batch.iter_mut().zip(states.iter_mut()) {
            if *s != State::Accepted {
                continue;
            }
            c.set_command("end of data");
            match c.expect(b'2', limit) {
                Ok(reply) => {
                    *s = State::Done(DeliveryStatus::Ok);
                    a.failure = Default::default();
                    a.bytes_sent = c.written;
                    a.remote_log = Some(Box::new(RemoteLog { confirmation: Some(reply.text), ..RemoteLog::default() }));
                }
                Err(f @ Fault::Refused(_)) => {
                    let written = std::mem::take(&mut c.written);
                    let t = c.trouble(f);
                    c.written = written;
                    let failed = t.class == b'5';
                    a.failure.basic_errno = if failed { 0 } else { errors::DATA_4XX };
                    a.failure.more_errno |= if failed { 0 } else { t.code << 8 };
                    a.failure.message = t.message.map(|m| Text::tainted(Vec::from(m)));
                    a.flags.pass_message = true;
                    *s = State::Done(if failed { DeliveryStatus::Fail } else { DeliveryStatus::Defer });
                }
                Err(f) => return Err(c.trouble(f)),
            }
        }
        Ok(())
    }

    fn message(&self, ctx: &mut Context, job: &LocalJob<'_>, c: &mut Client) -> Result<(), Trouble> {
        let broken = |errno: i32, m: String| Trouble { can_quit: false, ..Trouble::local(errno, m) };
        let filter =
            crate::transports::filter::prepare_for(ctx, job.transport, job.batch).map_err(|m| broken(errors::FILTER_FAIL, m))?;
        let mut spec = WriteSpec::of_transport(job.transport, job.batch);
        spec.crlf = true;
        spec.dots = true;
        spec.filter = filter;
        c.set_command("sending data block");
        c.say("  LMTP>> writing message and terminating \".\"");
        let limit = c.command_timeout;
        let mut sink = Sink { client: c, limit, error: None };
        let result = write_message(ctx, &spec, job.data, &mut sink);
        let error = sink.error.take();
        match (result, error) {
            (Ok(_), _) => Ok(()),
            (Err(_), Some(e)) => Err(c.trouble(write_fault(&e))),
            (Err(WriteError::Header(m)), _) => {
                Err(broken(errors::HEADER_FAIL, format!("failed to expand headers_add or headers_remove: {m}")))
            }
            (Err(WriteError::Filter(m)), _) => Err(broken(errors::FILTER_FAIL, m)),
            (Err(e), _) => Err(broken(errors::WRITE_INCOMPLETE, e.to_string())),
        }
    }
}
