//! What an administrator does to messages: `-M`, `-Mc`, `-Mf`, `-Mt`, `-Mg`, `-Mrm`, `-Mar`, `-Mmad`, `-Mmd`, `-Mes`, `-MG`.
//!
//! Every change is made with the message locked, and written to -H before it is reported.

use bstr::{BStr, BString, ByteSlice};

use super::caller;
use crate::context::{Context, Recipient};
use crate::deliver::{DeliverOptions, deliver_message, event};
use crate::log::{self, Which};
use crate::parse;
use crate::route::Address;
use crate::spool::{self, DataFile, SpoolError};
use crate::text::Text;

/// What to do to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `-M`
    Deliver,
    /// `-Mc`
    DeliverConditionally,
    /// `-Mf`
    Freeze,
    /// `-Mt`
    Thaw,
    /// `-Mg`
    GiveUp,
    /// `-Mrm`
    Remove,
    /// `-Mar address ...`
    AddRecipients(Vec<BString>),
    /// `-Mmad`
    MarkAllDelivered,
    /// `-Mmd address ...`
    MarkDelivered(Vec<BString>),
    /// `-Mes address`: there must be one.
    EditSender(Vec<BString>),
    /// `-MG queue`
    Move(BString),
}

/// Does it to one message of a queue. The caller's right to has been checked. False if it could not be done.
pub fn act(ctx: &mut Context, queue_name: &[u8], id: &[u8], action: &Action) -> bool {
    if !spool::is_message_id(id) {
        eprintln!("exim: malformed message id {} after -M option", id.as_bstr());
        return false;
    }
    match action {
        Action::Deliver => deliver(
            ctx,
            queue_name,
            id,
            DeliverOptions { forced: true, force_retry: true, force_thaw: true, ..DeliverOptions::default() },
        ),
        Action::DeliverConditionally => deliver(ctx, queue_name, id, DeliverOptions::default()),
        Action::GiveUp => deliver(
            ctx,
            queue_name,
            id,
            DeliverOptions { forced: true, give_up: true, force_thaw: true, ..DeliverOptions::default() },
        ),
        _ => match change(ctx, queue_name, id, action) {
            Ok(done) => done,
            Err(e) => {
                println!("{}", refusal(ctx, id, &e));
                false
            }
        },
    }
}

fn deliver(ctx: &mut Context, queue_name: &[u8], id: &[u8], options: DeliverOptions) -> bool {
    deliver_message(ctx, id, &DeliverOptions { queue_name: queue_name.into(), ..options });
    true
}

/// What people are told of a message that nothing can be done to. One that is not there is noted in the log, too.
pub(super) fn refusal(ctx: &Context, id: &[u8], e: &SpoolError) -> String {
    let id = id.as_bstr();
    match e {
        SpoolError::Locked => format!("Message {id} is locked by another process"),
        SpoolError::NotFound => {
            log::write(ctx, None, Which::MAIN, format!("Spool file {id}-D not found").as_bytes());
            format!("Spool data file for {id} does not exist")
        }
        SpoolError::Io(_, e) => format!("Failed to open spool file for message {id}: {}", crate::sys::error_text(e)),
        other => format!("Message {id}: {other}"),
    }
}

/// Says it on standard output, and in the main log.
fn tell(ctx: &Context, said: &str, logged: &str) {
    println!("{said}");
    log::write(ctx, None, Which::MAIN, format!("{logged} by {}", caller(ctx)).as_bytes());
}

fn change(ctx: &mut Context, queue_name: &[u8], id: &[u8], action: &Action) -> Result<bool, SpoolError> {
    let queue = ctx.services.spool.queue(queue_name)?;
    let data = match DataFile::open_locked(&queue, id) {
        // A message that has lost its body can still be removed.
        Err(SpoolError::NotFound) if *action == Action::Remove && queue.place_of(id).is_ok() => None,
        other => Some(other?),
    };
    let loaded = super::load(ctx, queue_name, id);
    let shown = id.as_bstr();
    if *action == Action::Remove {
        ctx.message.id = id.into();
        if let Err(e) = &loaded {
            println!("Message {shown}: {e}");
        }
        queue.remove(id)?;
        drop(data);
        println!("Message {shown} has been removed");
        if loaded.is_ok() {
            tell_events(ctx);
        }
        log::write(ctx, None, Which::MAIN, format!("removed by {}", caller(ctx)).as_bytes());
        log::write(ctx, None, Which::MAIN, b"Completed");
        return Ok(true);
    }
    let place = loaded?;
    match action {
        Action::Freeze => {
            if ctx.message.frozen {
                println!("Message {shown} is already frozen");
                return Ok(false);
            }
            ctx.message.frozen = true;
            ctx.message.manual_thaw = false;
            ctx.message.frozen_at = crate::sys::time::unix_time();
            spool::write_header(ctx, &place)?;
            tell(ctx, &format!("Message {shown} is now frozen"), "frozen");
        }
        Action::Thaw => {
            if !ctx.message.frozen {
                println!("Message {shown} is not frozen");
                return Ok(false);
            }
            ctx.message.frozen = false;
            ctx.message.manual_thaw = true;
            spool::write_header(ctx, &place)?;
            tell(ctx, &format!("Message {shown} is no longer frozen"), "unfrozen");
        }
        Action::MarkAllDelivered => {
            let all: Vec<_> = ctx.message.recipients.iter().map(|r| r.address.to_vec().into()).collect();
            mark_delivered(ctx, &place, &all)?;
        }
        Action::MarkDelivered(addresses) => {
            let known = |a: &BString| ctx.message.recipients.iter().any(|r| r.address.as_bytes() == a.as_slice());
            let what = "marking as delivered";
            if addresses.is_empty() {
                return Ok(mistake(shown, what, " no address given"));
            }
            if let Some(a) = addresses.iter().find(|a| !known(a)) {
                return Ok(mistake(shown, what, &format!("\n  {a} is not a recipient: message not updated")));
            }
            mark_delivered(ctx, &place, addresses)?;
        }
        Action::AddRecipients(addresses) => {
            let what = "adding recipient";
            if addresses.is_empty() {
                return Ok(mistake(shown, what, " no address given"));
            }
            let mut good = Vec::new();
            for a in addresses {
                match full_address(ctx, a) {
                    Ok(found) => good.push(found),
                    Err(text) => return Ok(mistake(shown, what, &text)),
                }
            }
            for full in good {
                ctx.message.recipients.push(Recipient::new(Text::tainted(full.clone())));
                log::write(ctx, None, Which::MAIN, format!("recipient <{full}> added by {}", caller(ctx)).as_bytes());
            }
            spool::write_header(ctx, &place)?;
            println!("Message {shown} has been modified");
        }
        Action::EditSender(addresses) => {
            let what = "editing sender";
            let new = match addresses.as_slice() {
                [] => return Ok(mistake(shown, what, " no address given")),
                [null] if null == "<>" || null.is_empty() => BString::default(),
                [one] => match full_address(ctx, one) {
                    Ok(found) => found,
                    Err(text) => return Ok(mistake(shown, what, &text)),
                },
                _ => {
                    println!("Message {shown} - only one sender address can be specified");
                    return Ok(false);
                }
            };
            ctx.message.sender = Some(Text::tainted(new.clone()));
            spool::write_header(ctx, &place)?;
            println!("Message {shown} has been modified");
            log::write(ctx, None, Which::MAIN, format!("sender address changed to <{new}> by {}", caller(ctx)).as_bytes());
        }
        Action::Move(to) => {
            if to.as_slice() == queue_name {
                println!("Message {shown} is already on the {to} queue");
                return Ok(false);
            }
            move_message(ctx, queue_name, to, id)?;
            print!("Message {shown} ");
            let place = |queue: &[u8]| match queue {
                b"" => "input, msglog".to_string(),
                name => format!("({}) input, msglog", name.as_bstr()),
            };
            let text = format!("moved from {} to {}", place(queue_name), place(to));
            log::write(ctx, None, Which::MAIN, text.as_bytes());
        }
        Action::Deliver | Action::DeliverConditionally | Action::GiveUp | Action::Remove => {}
    }
    drop(data);
    Ok(true)
}

/// Events of a message that is being removed: of each recipient that is left, and of the message.
fn tell_events(ctx: &mut Context) {
    let why = Text::clean(format!("message removed by {}", caller(ctx)));
    let left: Vec<_> =
        ctx.message.recipients.iter().map(|r| r.address.clone()).filter(|a| !ctx.message.nonrecipients.contains(a)).collect();
    for address in left {
        let mut gone = Address::new(address);
        gone.failure.message = Some(why.clone());
        event::of_failure(ctx, &gone);
    }
    event::of_message(ctx, "msg:complete");
}

/// Says what is wrong with an order; nothing has been changed.
fn mistake(shown: &BStr, what: &str, text: &str) -> bool {
    println!("Message {shown} - error while {what}:{text}");
    false
}

/// A whole address. Messages that are on the queue are not given domains.
fn full_address(ctx: &Context, text: &BString) -> Result<BString, String> {
    let bad = |why: &str| format!("\n  bad address {text}: {why}");
    match parse::extract_address(&mut parse::Rules::new(&ctx.config.main), text) {
        Ok(found) if found.address.contains(&b'@') => Ok(found.address.to_vec().into()),
        Ok(_) => Err(bad("domain missing")),
        Err(e) => Err(bad(&e)),
    }
}

fn mark_delivered(ctx: &mut Context, place: &spool::Place, addresses: &[BString]) -> Result<(), SpoolError> {
    for a in addresses {
        ctx.message.nonrecipients.insert(a);
        log::write(ctx, None, Which::MAIN, format!("address <{a}> marked delivered by {}", caller(ctx)).as_bytes());
    }
    spool::write_header(ctx, place)?;
    println!("Message {} has been modified", ctx.message.id);
    Ok(())
}

/// Links the files into the other queue, the one that makes the message exist last; then removes them here, that one first.
fn move_message(ctx: &Context, from: &[u8], to: &[u8], id: &[u8]) -> Result<(), SpoolError> {
    let old_queue = ctx.services.spool.queue(from)?;
    let new_queue = ctx.services.spool.queue(to)?;
    let old = old_queue.place_of(id)?;
    let new = new_queue.place_new(id)?;
    let failed = SpoolError::io("move a spool file");
    let link = |suffix: &[u8]| {
        let name = [id, suffix].concat();
        old.dir.link(&name, &new.dir, &name)
    };
    link(b"-D").and_then(|()| link(b"-H")).and_then(|()| new.dir.sync()).map_err(failed)?;
    for suffix in [b"-H", b"-D"] {
        old.dir.unlink(&[id, suffix].concat()).map_err(SpoolError::io("remove a spool file"))?;
    }
    if let (Ok(a), Ok(b)) = (old_queue.beside(b"msglog", old.letter), new_queue.beside(b"msglog", new.letter)) {
        let _ = a.rename(id, &b, id);
    }
    Ok(())
}
