//! Modes that receive mail from standard input: `-bm`, `-t`, `-bs`, `-bS`, and the rehearsal `-bh`.
//!
//! Sets up the session from the command line, then hands over to `receive` and `smtp_in`. Reception runs as the exim
//! user; root comes back only to start deliveries.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use bstr::BString;

use super::options::{ErrorReport, InputMode, Options, Refusal};
use super::parse::{refuse, split_address};
use crate::context::Context;
use crate::context::session::{HostName, Input};
use crate::daemon::queue_delivery;
use crate::odmr::customer::{self, Answer};
use crate::receive::local::{Errors, From, Submission};
use crate::receive::{self, Accepted, queueing::Mode};
use crate::smtp_in::wire::{Wire, WireSlot};
use crate::smtp_in::{self, SessionEnd};
use crate::sys::{fd, ids, net};
use crate::text::Text;
use crate::{parse, rewrite};

/// Receives what the command line asks for; the result is the exit status.
pub fn run(ctx: &mut Context, o: &Options) -> Result<i32, Refusal> {
    let socket_peer = if o.input == InputMode::Smtp { from_socket() } else { None };
    caller(ctx, o, socket_peer.is_some())?;
    match &socket_peer {
        Some((peer, own)) => connection(ctx, *peer, *own),
        None if ctx.run.trusted => given(ctx, o),
        None => ctx.session.interface_settled = true,
    }
    let privilege = Privilege::lower(ctx)?;
    // A client of SMTP is told at MAIL.
    if o.input != InputMode::Smtp && !receive::space::enough(ctx, 0) {
        return Err(refuse("insufficient disk space"));
    }
    let mut deliver = |ctx: &mut Context, accepted: &Accepted| {
        if let Some(when) = accepted.delivery {
            let done = privilege.raised(|| queue_delivery(ctx, &accepted.id, when));
            // The exit status is all the answer that a caller gets who has been told already that we have the message.
            if done != Some(true) && ctx.config.main.mua_wrapper {
                std::process::exit(1);
            }
        }
    };
    match o.input {
        InputMode::Smtp => {
            ctx.session.input = Input::Smtp;
            wire(ctx, true)?;
            let end = smtp_in::serve(ctx, &mut deliver);
            ctx.services.work.wait(Duration::MAX);
            Ok(i32::from(end != SessionEnd::Done))
        }
        InputMode::Batch => {
            ctx.session.input = Input::BatchedSmtp;
            wire(ctx, false)?;
            Ok(smtp_in::batch::serve(ctx, &mut deliver))
        }
        _ => {
            ctx.session.input = Input::Local;
            ctx.message.requiretls = o.requiretls;
            let stdin = fd::duplicate(fd::stdin()).map_err(|e| refuse(crate::sys::error_text(&e)))?;
            match receive::local::receive(ctx, &submission(o), From::File(stdin)) {
                Ok(accepted) => {
                    let complaint = std::mem::take(&mut ctx.session.complaint);
                    accepted.iter().chain(&complaint.waiting).for_each(|a| deliver(ctx, a));
                    // A message that an ACL threw away was not received.
                    Ok(if accepted.is_some() { complaint.status } else { 1 })
                }
                Err(status) => Ok(status),
            }
        }
    }
}

/// `-atrn`: fetches mail from a provider, by turning round a connection to it.
pub fn fetch(ctx: &mut Context, o: &Options, host: &BString, domains: &BString) -> Result<i32, Refusal> {
    caller(ctx, o, true)?;
    let privilege = Privilege::lower(ctx)?;
    match customer::connect(ctx, host, domains).map_err(refuse)? {
        Answer::NoMail => {
            eprintln!("exim: {host} has no mail for us");
            Ok(0)
        }
        Answer::Turned => {
            let end = smtp_in::serve(ctx, &mut |ctx, accepted| {
                if let Some(when) = accepted.delivery {
                    privilege.raised(|| queue_delivery(ctx, &accepted.id, when));
                }
            });
            ctx.services.work.wait(Duration::MAX);
            Ok(i32::from(end != SessionEnd::Done))
        }
    }
}

/// `-bh`: a session that comes to nothing.
pub fn rehearse(ctx: &mut Context, o: &Options, address: &[u8], callouts: bool) -> Result<i32, Refusal> {
    let _ = callouts;
    caller(ctx, o, true)?;
    ctx.session.ident = None;
    given(ctx, o);
    if let Some((ip, port)) = split_address(address) {
        ctx.session.host_address = Some(Text::clean(ip.to_string()));
        ctx.session.host_ip = Some(ip);
        if port != 0 {
            ctx.session.host_port = port;
        }
    }
    ctx.session.sender_host_notsocket = true;
    super::privilege::become_exim(&ctx.config)?;
    let shown = ctx.session.host_address.clone().unwrap_or_default();
    let mut out = std::io::stdout();
    let ident = if o.given.ident.is_some() { "" } else { "**** but without any ident (RFC 1413) callback.\n" };
    let _ = write!(out, "\n**** SMTP testing session as if from host {shown}\n{ident}**** This is not for real!\n\n");
    let _ = out.flush();
    ctx.session.input = Input::Smtp;
    if ctx.run.test_harness && ctx.session.interface_port != 0 && o.given.ident.is_none() {
        // Only in tests is there somebody at the other end to ask.
        let run = ctx.run.clone();
        ctx.run = std::sync::Arc::new(crate::context::Run { host_checking: false, ..(*run).clone() });
        crate::verify::ident(ctx);
        ctx.run = run;
    }
    wire(ctx, true)?;
    // A rehearsal has no failure to tell of.
    Ok(i32::from(smtp_in::serve(ctx, &mut |_, _| {}) == SessionEnd::Broken))
}

/// The line to the peer: standard input and, with answers, output.
fn wire(ctx: &mut Context, answers: bool) -> Result<(), Refusal> {
    let copy = |f| fd::duplicate(f).map_err(|e| refuse(crate::sys::error_text(&e)));
    let input = copy(fd::stdin())?;
    let output = if answers { Some(copy(fd::stdout())?) } else { None };
    ctx.session.wire = WireSlot::new(Wire::files(input, output));
    Ok(())
}

fn submission(o: &Options) -> Submission {
    let errors = match o.errors {
        ErrorReport::Mail => Errors { to_sender: true, sender_status: 1 },
        ErrorReport::MailQuiet => Errors { to_sender: true, sender_status: 0 },
        ErrorReport::Stderr => Errors { to_sender: false, sender_status: 1 },
    };
    Submission {
        arguments: o.arguments.clone(),
        extract: o.extract_recipients,
        dot_ends: !o.dot_is_data,
        errors,
        mode: Mode::Default,
    }
}

/// inetd's way: standard input is a connection. Its two ends.
fn from_socket() -> Option<(SocketAddr, Option<SocketAddr>)> {
    if !fd::is_socket(fd::stdin()) {
        return None;
    }
    let peer = net::peer_address(fd::stdin()).ok().flatten()?;
    Some((peer, net::local_address(fd::stdin()).ok().flatten()))
}

fn connection(ctx: &mut Context, peer: SocketAddr, own: Option<SocketAddr>) {
    let s = &mut ctx.session;
    let ip = peer.ip().to_canonical();
    s.host_address = Some(Text::tainted(ip.to_string()));
    s.host_ip = Some(ip);
    s.host_port = peer.port();
    s.via_inetd = true;
    s.ident = None;
    if let Some(own) = own {
        s.interface_address = Some(Text::clean(own.ip().to_canonical().to_string()));
        s.interface_port = own.port();
    }
}

/// The caller and what the options say of the host and the sender, for modes that receive nothing.
pub fn describe(ctx: &mut Context, o: &Options) -> Result<(), Refusal> {
    caller(ctx, o, false)?;
    given(ctx, o);
    // In a test anybody may be the sender.
    if let Some(sender) = &o.sender {
        ctx.message.sender = Some(sender_address(ctx, sender)?);
    }
    Ok(())
}

/// What is known of the caller, and the sender that follows from it.
fn caller(ctx: &mut Context, o: &Options, remote: bool) -> Result<(), Refusal> {
    let config = ctx.config.clone();
    let mut own = receive::quote_local_part(&ctx.run.login);
    own.push(b'@');
    own.extend_from_slice(&config.site.qualify_domain);
    let own = Text::clean(own);
    let smtp = matches!(o.input, InputMode::Smtp | InputMode::Batch);
    let trusted = ctx.run.trusted;
    ctx.session.ident = Some(Text::clean(ctx.run.login.to_vec()));
    ctx.session.connection_id = crate::random::Random::connection_id();
    ctx.session.queue_name.clone_from(&o.queue_name);
    ctx.session.allow_unqualified_sender = !o.no_qualify;
    ctx.session.allow_unqualified_recipient = !o.no_qualify;
    let c = &mut ctx.session.caller;
    c.name.clone_from(&ctx.run.full_name);
    c.name_forced = o.full_name.is_some();
    c.no_qualify = o.no_qualify;
    c.message_reference.clone_from(if trusted { &o.given.reference } else { &None });
    if let Some(id) = &o.bounce_of {
        c.message_reference = Some(id.clone());
        ctx.message.local_error = true;
    }
    let c = &mut ctx.session.caller;
    c.sender_local = !remote && ((o.sender.is_none() && !smtp) || !trusted);
    c.real_sender = (!trusted && !remote).then(|| own.clone());
    ctx.message.suppress_local_fixups = o.suppress_fixups;
    ctx.message.originator_login.clone_from(&ctx.run.login);
    ctx.message.originator_uid = ctx.run.real_uid;
    ctx.message.originator_gid = ctx.run.real_gid;
    if ctx.session.caller.sender_local && !(smtp && o.given.host_address.is_some()) {
        ctx.session.authenticated_id = Some(Text::clean(ctx.run.login.to_vec()));
        let plain = [ctx.run.login.as_slice(), b"@", &ctx.config.site.qualify_domain].concat();
        ctx.session.authenticated_sender = Some(Text::clean(plain));
    }
    if smtp {
        return Ok(());
    }
    let wanted = o.sender.as_ref().map(|s| sender_address(ctx, s)).transpose()?;
    if ctx.config.main.mua_wrapper {
        ctx.message.utf8_downconvert = Some(-1);
    }
    ctx.message.sender = Some(match wanted {
        Some(sender) if sender.is_empty() || trusted || receive::may_set_sender(ctx, &sender) => {
            ctx.session.caller.sender_forced = true;
            ctx.message.sender_set_untrusted = !trusted;
            sender
        }
        _ => own,
    });
    ctx.message.smtputf8 = ctx.message.sender.as_ref().is_some_and(|s| !s.is_ascii());
    Ok(())
}

/// The address of `-f`.
pub(super) fn sender_address(ctx: &Context, given: &BString) -> Result<Text, Refusal> {
    if given.is_empty() || *given == "<>" {
        return Ok(Text::default());
    }
    let found = parse::extract_address(&mut parse::Rules::new(&ctx.config.main).with_utf8(), given)
        .map_err(|e| refuse(format!("bad -f address \"{given}\": {e}")))?;
    let address = Text::tainted(found.address);
    Ok(if address.contains(&b'@') { address } else { rewrite::qualify(ctx, &address, false) })
}

/// `-oM...`, from those who may.
fn given(ctx: &mut Context, o: &Options) {
    let g = &o.given;
    let text = |b: &BString| Text::tainted(b.to_vec());
    let s = &mut ctx.session;
    if let Some((ip, port)) = g.host_address.as_ref().and_then(|a| split_address(a)) {
        s.host_address = Some(Text::clean(ip.to_string()));
        s.host_ip = Some(ip);
        s.host_port = port;
        s.sender_host_notsocket = true;
        // A message that is not SMTP is the caller's all the same.
        if matches!(o.input, InputMode::Smtp | InputMode::Batch) {
            s.caller_is_host();
        }
    }
    if let Some((ip, port)) = g.interface.as_ref().and_then(|a| split_address(a)) {
        s.interface_address = Some(Text::clean(ip.to_string()));
        s.interface_port = port;
    }
    if let Some(name) = &g.host_name {
        s.host_name = HostName::Found(text(name));
    }
    if let Some(ident) = &g.ident {
        s.ident = Some(text(ident)).filter(|i| !i.is_empty());
    }
    if let Some(p) = &g.protocol {
        s.received_protocol = Some(p.clone());
    }
    if let Some(a) = &g.authenticator {
        s.authenticated_by = Some(a.clone());
        s.auth_public_name = Some(a.clone());
    }
    if let Some(id) = &g.authenticated_id {
        s.authenticated_id = Some(text(id));
    }
    if let Some(sender) = &g.authenticated_sender {
        s.authenticated_sender = Some(text(sender));
    }
    if o.tls_on_connect {
        s.tls_in.on_connect = true;
    }
}

/// Root, put aside while a message is read.
struct Privilege {
    lowered: Option<(u32, u32, u32)>,
}

impl Privilege {
    fn lower(ctx: &Context) -> Result<Self, Refusal> {
        if ids::geteuid() != 0 {
            return Ok(Privilege { lowered: None });
        }
        let (uid, gid, old) = (ctx.config.site.exim_uid, ctx.config.site.exim_gid, ids::getegid());
        let failed = |e: std::io::Error| refuse(format!("changing user failed: {}", crate::sys::error_text(&e)));
        ids::setegid(gid).map_err(failed)?;
        ids::seteuid(uid).map_err(failed)?;
        Ok(Privilege { lowered: Some((uid, gid, old)) })
    }

    /// Does something as root.
    /// `None`: root could not be had.
    fn raised<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let Some((uid, gid, old)) = self.lowered else { return Some(work()) };
        if ids::seteuid(0).is_err() || ids::setegid(old).is_err() {
            return None;
        }
        let result = work();
        if ids::setegid(gid).is_err() || ids::seteuid(uid).is_err() {
            std::process::abort();
        }
        Some(result)
    }
}
