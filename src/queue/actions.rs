//! What an administrator does to messages: `-M`, `-Mc`, `-Mf`, `-Mt`, `-Mg`, `-Mrm`, `-Mar`, `-Mmad`, `-Mmd`, `-Mes`, `-MG`.
//!
//! Every change is made with the message locked, and written to -H before it is reported.

use bstr::{BString, ByteSlice};

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
    /// `-Mes address`
    EditSender(BString),
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
                println!("{}", refusal(id, &e));
                false
            }
        },
    }
}

fn deliver(ctx: &mut Context, queue_name: &[u8], id: &[u8], options: DeliverOptions) -> bool {
    deliver_message(ctx, id, &DeliverOptions { queue_name: queue_name.into(), ..options });
    true
}

fn refusal(id: &[u8], e: &SpoolError) -> String {
    let id = id.as_bstr();
    match e {
        SpoolError::Locked => format!("Message {id} is locked by another process"),
        SpoolError::NotFound => format!("Spool file for {id} not found"),
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
    let mut done = true;
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
            for r in ctx.message.recipients.clone() {
                ctx.message.nonrecipients.insert(&r.address);
            }
            spool::write_header(ctx, &place)?;
            println!("Message {shown} has been modified");
            log::write(ctx, None, Which::MAIN, format!("all recipients marked delivered by {}", caller(ctx)).as_bytes());
        }
        Action::MarkDelivered(addresses) => {
            for a in addresses {
                let full = qualified(ctx, a);
                if ctx.message.recipients.iter().any(|r| r.address.as_bytes() == full.as_slice()) {
                    ctx.message.nonrecipients.insert(&full);
                    log::write(
                        ctx,
                        None,
                        Which::MAIN,
                        format!("address <{full}> marked delivered by {}", caller(ctx)).as_bytes(),
                    );
                } else {
                    println!("- no recipients match \"{full}\"\nRecipient addresses are case-sensitive");
                    done = false;
                }
            }
            spool::write_header(ctx, &place)?;
            println!("Message {shown} has been modified");
        }
        Action::AddRecipients(addresses) => {
            for a in addresses {
                match parse::extract_address(&mut parse::Rules::new(&ctx.config.main), a) {
                    Ok(found) if !found.address.is_empty() => {
                        let full = qualified(ctx, &found.address);
                        ctx.message.recipients.push(Recipient::new(Text::tainted(full.clone())));
                        log::write(ctx, None, Which::MAIN, format!("recipient {full} added by {}", caller(ctx)).as_bytes());
                    }
                    Ok(_) => done = false,
                    Err(e) => {
                        println!("- bad recipient address {a}: {e}");
                        done = false;
                    }
                }
            }
            spool::write_header(ctx, &place)?;
            println!("Message {shown} has been modified");
        }
        Action::EditSender(sender) => {
            let new = if sender == "<>" || sender.is_empty() {
                BString::default()
            } else {
                match parse::extract_address(&mut parse::Rules::new(&ctx.config.main), sender) {
                    Ok(found) => qualified(ctx, &found.address),
                    Err(e) => {
                        println!("- bad sender address {sender}: {e}");
                        return Ok(false);
                    }
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
    Ok(done)
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

fn qualified(ctx: &Context, address: &[u8]) -> BString {
    if address.contains(&b'@') {
        return address.into();
    }
    let mut full = BString::from(address);
    full.push(b'@');
    full.extend_from_slice(&ctx.config.site.qualify_recipient);
    full
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
