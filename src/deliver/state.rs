//! What one delivery run of a message knows: the lists of addresses by what has become of them, the journal, and
//! which parents still wait for children.
//!
//! The parts of the run (`routing`, `local_run`, `remote_run`, `post`, `finish`) share it; nothing else sees it.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bstr::BString;

use super::DeliverOptions;
use super::post::{self, Outcome, Stage};
use crate::context::Context;
use crate::log::msglog::MessageLog;
use crate::log::{self, Which};
use crate::route::Address;
use crate::spool::{DataFile, Journal};
use crate::text::Text;
use crate::transports::TransportInstance;

/// One run. The lists are in the reference's order, which puts new entries at the front; log lines and bounces show it.
pub(super) struct Delivery<'a> {
    pub(super) options: &'a DeliverOptions,
    pub(super) data: DataFile,
    pub(super) journal: Option<Journal>,
    pub(super) msglog: Option<MessageLog>,
    pub(super) new: VecDeque<Address>,
    pub(super) local: VecDeque<Address>,
    pub(super) remote: VecDeque<Address>,
    pub(super) fallback: VecDeque<Address>,
    pub(super) succeeded: VecDeque<Address>,
    pub(super) failed: VecDeque<Address>,
    pub(super) deferred: VecDeque<Address>,
    /// Addresses whose delivery another address with the same `unique` makes.
    pub(super) duplicates: Vec<Address>,
    /// All `unique` values that are being delivered to.
    pub(super) seen: HashSet<BString>,
    /// Parents with the number of children that are not done, by the address of the shared value.
    parents: HashMap<usize, (Arc<Address>, u32)>,
    /// -H must be written again.
    pub(super) update_spool: bool,
    /// What follows `Frozen` in the log.
    pub(super) frozen_info: BString,
    /// Seconds since the message arrived (or what the test harness says).
    pub(super) message_age: i64,
    /// Transports run so far.
    pub(super) runs: usize,
    /// A delivery process gave no results: the journal stays.
    pub(super) keep_journal: bool,
    /// There is one delivery and nothing else to be done: it needs no journal, since the message ends with it.
    pub(super) sole: bool,
    /// The -H file, when that delivery has been made: it is no longer on the queue.
    pub(super) header_gone: Option<Option<crate::spool::Given>>,
    /// Hosts found unusable in this run: `name address`.
    pub(super) unusable: BTreeSet<BString>,
    /// A bounce could not be sent: the message stays, though no address is deferred.
    pub(super) keep_message: bool,
    /// Open connections that further messages wait for.
    pub(super) kept: Vec<super::remote::Kept>,
    /// An open connection for the next run of this message.
    pub(super) again: Option<super::Continued>,
}

impl<'a> Delivery<'a> {
    pub(super) fn new(options: &'a DeliverOptions, data: DataFile, message_age: i64) -> Self {
        Delivery {
            options,
            data,
            journal: None,
            msglog: None,
            new: VecDeque::new(),
            local: VecDeque::new(),
            remote: VecDeque::new(),
            fallback: VecDeque::new(),
            succeeded: VecDeque::new(),
            failed: VecDeque::new(),
            deferred: VecDeque::new(),
            duplicates: Vec::new(),
            seen: HashSet::new(),
            parents: HashMap::new(),
            update_spool: false,
            frozen_info: BString::default(),
            message_age,
            runs: 0,
            kept: Vec::new(),
            again: None,
            keep_journal: false,
            sole: false,
            header_gone: None,
            unusable: BTreeSet::new(),
            keep_message: false,
        }
    }

    /// Writes a line into the message log, with a timestamp.
    pub(super) fn msglog(&self, ctx: &Context, text: &[u8]) {
        if let Some(m) = &self.msglog {
            m.write(ctx, text);
        }
    }

    /// Counts an address that routing made as a child of its parent. `known` is the parent that the routed address
    /// had: it has been counted already.
    pub(super) fn count_child(&mut self, child: &Address, known: Option<usize>) {
        let Some(parent) = &child.parent else { return };
        let key = identity(parent);
        if Some(key) == known {
            return;
        }
        let fresh = !self.parents.contains_key(&key);
        self.parents.entry(key).or_insert_with(|| (parent.clone(), 0)).1 += 1;
        if fresh && parent.parent.as_ref().map(identity) != known {
            // A router made a parent of a parent (unseen redirection).
            let parent = parent.clone();
            self.count_child(&parent, known);
        }
    }

    /// Notes that an address will not be delivered to again, and the same of its duplicates and of ancestors all of
    /// whose children are done.
    pub(super) fn done(&mut self, ctx: &mut Context, addr: &Address) {
        self.mark(ctx, addr);
        self.child_done(ctx, addr);
    }

    /// Puts an address among the non-recipients.
    fn mark(&mut self, ctx: &mut Context, addr: &Address) {
        self.update_spool = true;
        let gone = &mut ctx.message.nonrecipients;
        if addr.parent.is_none() {
            gone.insert(&addr.unique);
            gone.insert(&addr.address);
        } else if addr.flags.homonym {
            if let Some(name) = with_transport(addr) {
                gone.insert(&name);
            }
        } else if addr.parent.as_ref().is_some_and(|p| p.unique == addr.unique) {
            // What an unseen router redirected. Its children are noted, and the copy that goes on has the same name.
        } else {
            gone.insert(&addr.unique);
        }
        let (same, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.duplicates).into_iter().partition(|d| d.unique == addr.unique);
        self.duplicates = rest;
        for d in same {
            ctx.message.nonrecipients.insert(&d.unique);
            self.child_done(ctx, &d);
        }
    }

    /// A child is done: its parent may be, too.
    pub(super) fn child_done(&mut self, ctx: &mut Context, addr: &Address) {
        let Some(parent) = addr.parent.clone() else { return };
        if let Some((_, left)) = self.parents.get_mut(&identity(&parent)) {
            *left = left.saturating_sub(1);
            if *left > 0 {
                return;
            }
        }
        self.mark(ctx, &parent);
        if !parent.ancestors().any(|a| a.address == parent.address) {
            let mut line = BString::from(parent.address.as_bytes());
            line.extend_from_slice(b": children all complete");
            self.msglog(ctx, &line);
        }
        self.child_done(ctx, &parent);
    }

    /// The address with its transport, when there is something to do for it now. One without a transport is dealt with here.
    pub(super) fn transport_of(&mut self, ctx: &mut Context, mut addr: Address) -> Option<(Arc<TransportInstance>, Address)> {
        let Some(transport) = addr.transport.clone() else {
            addr.failure.message = Some(Text::clean(match &addr.router {
                Some(r) => format!("No transport set by {r} router"),
                None => "No transport set by system filter".into(),
            }));
            post::process(ctx, self, addr, Outcome::Panic, Stage::Transport);
            return None;
        };
        (!self.previously_transported(ctx, &addr)).then_some((transport, addr))
    }

    /// Was this address delivered to by its transport in an earlier run, perhaps as the child of an address with the same
    /// name? (Other earlier deliveries are found before routing.)
    pub(super) fn previously_transported(&mut self, ctx: &mut Context, addr: &Address) -> bool {
        let known = with_transport(addr).is_some_and(|n| ctx.message.nonrecipients.contains(&n));
        if known {
            self.child_done(ctx, addr);
        }
        known
    }

    /// Writes the addresses into the journal, and makes it durable. Where the delivery is all that there is to be done, the
    /// message ends instead; not if a command's output may yet make a failure of it.
    pub(super) fn note_in_journal<'b>(&mut self, ctx: &Context, done: impl IntoIterator<Item = &'b Address>) {
        let mut final_result = true;
        let note = |a: &Address| {
            final_result &= a.return_file.is_none();
            journal_name(a)
        };
        let names: Vec<BString> = done.into_iter().map(note).collect();
        if names.is_empty() {
            return;
        }
        let Some(journal) = &mut self.journal else {
            if self.sole && final_result {
                // What fails here is tried again, and logged, at the end of the run.
                let name = [ctx.message.id.as_slice(), b"-H"].concat();
                self.header_gone = self.data.place().discard(&name).ok();
            }
            return;
        };
        let result = journal.note(names.iter().map(|n| n.as_slice())).and_then(|()| journal.sync());
        if let Err(e) = result {
            let text = format!("failed to update journal for {}: {e}", ctx.message.id);
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
        }
    }

    /// Writes -H as it has to be now.
    pub(super) fn write_header(&mut self, ctx: &Context) {
        match crate::spool::write_header(ctx, self.data.place()) {
            Ok(_) => self.update_spool = false,
            Err(e) => log::write(ctx, None, Which::MAIN.and(Which::PANIC), e.to_string().as_bytes()),
        }
    }

    /// Freezes the message; the line in the log comes at the end of the run.
    pub(super) fn freeze(&mut self, ctx: &mut Context, info: &[u8]) {
        self.frozen_info = info.into();
        ctx.message.frozen = true;
        ctx.message.frozen_at = crate::sys::time::unix_time();
        self.update_spool = true;
    }
}

/// The reference waits in its tests when it has delivered, before it goes on to the journal.
pub(super) fn test_pause(ctx: &Context) {
    if ctx.run.test_harness && !ctx.run.no_test_delays {
        crate::sys::time::sleep_ms(300);
    }
}

/// Which of the shared parents is it?
pub(super) fn identity(parent: &Arc<Address>) -> usize {
    Arc::as_ptr(parent) as usize
}

/// `address/transport`: what is kept of a delivery to an address whose ancestor has the same name.
fn with_transport(addr: &Address) -> Option<BString> {
    let t = addr.transport.as_ref()?;
    Some([bare(&addr.unique), b"/", t.name.as_slice()].concat().into())
}

/// The unique form without the `\0\` of homonyms.
fn bare(unique: &[u8]) -> &[u8] {
    if unique.first() == Some(&b'\\') { unique.get(3..).unwrap_or_default() } else { unique }
}

fn journal_name(addr: &Address) -> BString {
    match with_transport(addr) {
        Some(name) if addr.flags.homonym => name,
        _ => addr.unique.clone(),
    }
}

pub(super) use crate::route::address::set_unique;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;

    #[test]
    fn unique_forms() {
        let parent = Arc::new({
            let mut a = Address::new(Text::tainted("User@Dom"));
            set_unique(&mut a);
            a
        });
        assert_eq!(parent.unique, "User@dom");
        let mut child = Address::new(Text::tainted("user@dom"));
        child.parent = Some(parent);
        set_unique(&mut child);
        assert_eq!(child.unique, "\\0\\user@dom");
        let mut grand = Address::new(Text::tainted("user@dom"));
        grand.parent = Some(Arc::new(child));
        set_unique(&mut grand);
        assert_eq!(grand.unique, "\\1\\user@dom");
        assert_eq!(bare(&grand.unique), b"user@dom");
    }
}
