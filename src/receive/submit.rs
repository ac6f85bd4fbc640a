//! Messages that the program makes itself (bounces, warnings, replies, complaints about submissions): received like any
//! other, in this process, from the Exim user.

use super::local::{Errors, From, Submission, receive};
use super::{Accepted, queueing};
use crate::context::{Context, Recipient};
use crate::text::Text;

/// One generated message.
#[derive(Debug, Default)]
pub struct Generated {
    /// Envelope sender; empty for all that must not be answered.
    pub sender: Text,
    /// Recipients; none: they are taken from the header lines.
    pub recipients: Vec<Text>,
    /// Header and body.
    pub text: Vec<u8>,
    /// For AUTH= when it is sent on (`bounce_sender_authentication`).
    pub authenticated_sender: Option<Text>,
    /// The log names the user that this process runs as (`U=root`), not Exim's own.
    pub as_process: bool,
    /// It has to go as the message that it is about: over verified TLS.
    pub requiretls: bool,
    /// Its delivery in the background is left to who gets the result: a process made now would keep the message that is being
    /// received locked.
    pub held: bool,
    /// The message that it is about (`R=` in the log).
    pub reference: Option<bstr::BString>,
}

/// Puts the message on the queue. `Err` is the exit status that a submission would have had.
pub fn submit(parent: &Context, message: Generated) -> Result<Option<Accepted>, i32> {
    let mut run = (*parent.run).clone();
    let site = &parent.config.site;
    let user =
        crate::sys::users::user_by_id(if message.as_process { crate::sys::ids::geteuid() } else { site.exim_uid }).ok().flatten();
    run.login = user.map_or_else(|| "exim".into(), |u| u.name);
    run.real_uid = site.exim_uid;
    run.real_gid = site.exim_gid;
    run.full_name = "Exim".into();
    run.trusted = true;
    // The times that a test of the queue makes up are not those of new messages.
    run.fudged_queue_times.clear();
    let mut ctx = Context::new(parent.config.clone(), std::sync::Arc::new(run), parent.services.clone());
    let session = &mut ctx.session;
    session.ident = Some(Text::clean(ctx.run.login.clone()));
    session.caller.sender_forced = true;
    session.caller.message_reference = message.reference;
    session.allow_unqualified_sender = true;
    session.allow_unqualified_recipient = true;
    ctx.message.sender = Some(message.sender);
    ctx.message.authenticated_sender = message.authenticated_sender;
    ctx.message.requiretls = message.requiretls;
    ctx.message.local_error = true;
    ctx.message.recipients = message.recipients.into_iter().map(Recipient::new).collect();
    let submission = Submission {
        arguments: Vec::new(),
        extract: ctx.message.recipients.is_empty(),
        dot_ends: false,
        errors: Errors { to_sender: true, sender_status: 1 },
        mode: if parent.run.test_harness && !parent.config.main.queue_only {
            queueing::Mode::Foreground
        } else {
            queueing::Mode::Default
        },
    };
    let accepted = receive(&mut ctx, &submission, From::Bytes(message.text))?;
    if let Some(a) = &accepted
        && let Some(when) = a.delivery
        && !(message.held && when == crate::daemon::handoff::When::Background)
    {
        crate::daemon::handoff::queue_delivery(&mut ctx, &a.id, when);
    }
    Ok(accepted)
}
