//! The system filter (manual chapter 47): run once at the start of each delivery, before any routing.
//!
//! It runs as `system_filter_user`, in a process of that user; what it asks for comes back through a pipe. Without that option it
//! runs as the delivery process does, which is root unless `deliver_drop_privilege` is set.

use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::post::{self, Outcome, Stage};
use super::start::Mode;
use super::state::{Delivery, set_unique};
use crate::context::{Context, HeaderKind};
use crate::expand::{self, ExpandError};
use crate::filter::exim::{self, Allowed, Job};
use crate::filter::{End, Filtered, Generated, What};
use crate::log::{self, Which, escape};
use crate::pipe_fields::{In, Out};
use crate::retry::errors;
use crate::route::{Address, AddressKind};
use crate::routers::redirect::{self, special};
use crate::sys::ids;
use crate::text::Text;

/// The address that stands for the filter in logs, as the parent of what it makes.
const NAME: &str = "system-filter";

/// Runs the filter if there is one. The result says what happens to the recipients; `None`: nothing can be delivered now.
pub(super) fn run(ctx: &mut Context, d: &mut Delivery<'_>) -> Option<Mode> {
    ctx.scratch.filter_sn = [0; 10];
    match find_and_obey(ctx) {
        Ok(None) => Some(Mode::Deliver),
        Ok(Some((found, user))) => Some(act_on(ctx, d, found, user)),
        Err(message) => {
            let message = escape::printing_with_tabs(
                format!("Error in system filter: {message}").as_bytes(),
                ctx.config.main.print_topbitchars,
            );
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), &message);
            None
        }
    }
}

/// Uid and gid.
type User = (u32, u32);

fn find_and_obey(ctx: &mut Context) -> Result<Option<(Filtered, User)>, String> {
    let config = ctx.config.clone();
    let Some(template) = config.main.system_filter.get() else { return Ok(None) };
    let path = match expand::expand(ctx, template) {
        Ok(path) => path,
        Err(ExpandError::Forced(_)) => return Ok(None),
        Err(e) => return Err(format!("failed to expand \"{}\": {e}", template.raw().as_bstr())),
    };
    if path.first() != Some(&b'/') {
        return Err(format!("\"{path}\" is not an absolute path"));
    }
    if path.is_tainted() {
        return Err(format!("tainted name '{path}' for the system filter is not permitted"));
    }
    let user = user(ctx)?;
    let found = if redirect::needs_child(user.0) {
        in_child(ctx, &path, user)?
    } else {
        let text = redirect::read_plain(&path)?;
        obey(ctx, &text)
    };
    match found.end {
        End::Error(message) => Err(message),
        _ => Ok(Some((found, user))),
    }
}

/// `system_filter_user` and `system_filter_group`, or who the delivery process is. It is also who the deliveries that the filter asks
/// for are made as, so root's are refused unless their transports have a user (`never_users`).
fn user(ctx: &Context) -> Result<User, String> {
    use crate::config::ids::{need_group, need_user};
    let m = &ctx.config.main;
    let Some(name) = m.system_filter_user.raw() else { return Ok((ids::geteuid(), ids::getegid())) };
    let found = need_user(name)?;
    let gid = match m.system_filter_group.raw() {
        Some(group) => Some(need_group(group)?),
        None => found.gid,
    };
    gid.map(|gid| (found.uid, gid)).ok_or_else(|| "system_filter_group must be set when system_filter_user is a number".into())
}

fn obey(ctx: &mut Context, text: &[u8]) -> Filtered {
    // Nothing is about any recipient, so all may be seen.
    ctx.address = Default::default();
    ctx.address.return_path = ctx.message.sender.clone();
    let job = Job { allowed: Allowed::SYSTEM, prepend_home: false, testing: false, writes_log: true };
    let found = exim::run(ctx, text, job);
    ctx.scratch.numeric.clear();
    found
}

/// Runs it as somebody else. Its changes of the header come back with what it asks for.
fn in_child(ctx: &mut Context, path: &[u8], (uid, gid): User) -> Result<Filtered, String> {
    crate::expand::variables::body::keep(ctx);
    let before = ctx.message.headers.len();
    let answer = redirect::in_child(uid, gid, || {
        let found = match redirect::read_plain(path) {
            Ok(text) => obey(ctx, &text),
            Err(message) => Filtered::error(message),
        };
        let mut o = Out::default();
        found.encode(&mut o);
        let (old, new) = ctx.message.headers.split_at(before.min(ctx.message.headers.len()));
        o.count(old.len());
        old.iter().for_each(|h| o.num(i64::from(h.kind == HeaderKind::Old)));
        o.count(new.len());
        for h in new {
            o.num(i64::from(h.kind == HeaderKind::Old));
            o.bytes(&h.text);
        }
        o.finish()
    });
    crate::expand::variables::body::forget(ctx);
    let bytes = answer?;
    take(ctx, &bytes).ok_or_else(|| "the process that ran it gave nonsense".to_string())
}

fn take(ctx: &mut Context, bytes: &[u8]) -> Option<Filtered> {
    let mut i = In::new(bytes);
    let found = Filtered::decode(&mut i)?;
    let mut headers = ctx.message.headers.clone();
    if usize::try_from(i.count()?).ok()? != headers.len() {
        return None;
    }
    for h in &mut headers {
        if i.num()? == 1 {
            h.kind = HeaderKind::Old;
        }
    }
    for _ in 0..i.count()? {
        let gone = i.num()? == 1;
        let mut line = exim::header_of(i.bytes()?);
        if gone {
            line.kind = HeaderKind::Old;
        }
        headers.push(line);
    }
    i.end()?;
    ctx.message.headers = headers;
    Some(found)
}

fn act_on(ctx: &mut Context, d: &mut Delivery<'_>, found: Filtered, user: User) -> Mode {
    ctx.scratch.filter_sn = found.n;
    let main = |ctx: &Context, text: &[u8]| log::write(ctx, None, Which::MAIN, text);
    let mode = match found.end {
        End::NotDelivered | End::Error(_) => Mode::Deliver,
        End::Delivered => {
            let text: &[u8] = if found.items.is_empty() {
                b"=> discarded (system filter)"
            } else {
                b"original recipients ignored (system filter)"
            };
            main(ctx, text);
            Mode::Ignore
        }
        End::Defer(_) => {
            main(ctx, b"Delivery deferred by system filter");
            Mode::Hold
        }
        End::Freeze(text) => {
            let mut info = BString::from(" by the system filter");
            if !text.is_empty() {
                info.extend_from_slice(b": ");
                info.extend_from_slice(&escape::printing(&text, ctx.config.main.print_topbitchars));
            }
            d.freeze(ctx, &info);
            Mode::Hold
        }
        End::Fail(text) => {
            let (log, user) = log_part(&text);
            let mut line = BString::from("cancelled by system filter");
            if !log.is_empty() {
                line.extend_from_slice(b": ");
                line.extend_from_slice(&escape::printing_with_tabs(log, ctx.config.site.log.topbit));
            }
            main(ctx, &line);
            let user = if user.is_empty() { Text::clean("delivery cancelled") } else { text.piece(user) };
            // Nobody is told about a bounce.
            if ctx.message.sender.as_deref().is_none_or(<[u8]>::is_empty) { Mode::Ignore } else { Mode::Fail(user) }
        }
    };
    generate(ctx, d, &found.items, user);
    mode
}

/// `<<for the log>>for the sender`
fn log_part(text: &[u8]) -> (&[u8], &[u8]) {
    match text.strip_prefix(b"<<").and_then(|rest| rest.split_once_str(">>")) {
        Some(parts) => parts,
        None => (text, text),
    }
}

/// Makes the addresses that the filter asked for.
fn generate(ctx: &mut Context, d: &mut Delivery<'_>, items: &[Generated], (uid, gid): User) {
    if items.is_empty() {
        return;
    }
    let mut parent = Address::new(Text::clean(NAME));
    parent.domain = Text::clean(ctx.config.site.qualify_domain.to_vec());
    set_unique(&mut parent);
    let parent = Arc::new(parent);
    for item in items {
        let mut a = special::bare(ctx, &item.what);
        a.recipient_index = -1;
        a.parent = Some(parent.clone());
        a.errors_to = item.errors_to.clone();
        a.flags.errors_to_set = a.errors_to.is_some();
        a.flags.ignore_error = item.ignore_error;
        a.flags.of_system_filter = true;
        if let What::Address { .. } = item.what {
            a = rewritten(ctx, a);
            d.count_child(&a, None);
            d.new.push_front(a);
            continue;
        }
        a.domain = parent.domain.clone();
        (a.uid, a.gid) = (Some(uid), Some(gid));
        d.count_child(&a, None);
        match transport(ctx, &a) {
            Ok(t) => {
                a.transport = Some(t);
                d.new.push_front(a);
            }
            Err(message) => {
                a.failure.basic_errno = errors::UNKNOWN;
                a.failure.message = Some(Text::clean(message));
                post::process(ctx, d, a, Outcome::Panic, Stage::Router);
            }
        }
    }
}

fn rewritten(ctx: &mut Context, a: Address) -> Address {
    let mut new = Address::new(crate::rewrite::rewrite_redirected(ctx, a.address.clone()));
    new.recipient_index = a.recipient_index;
    new.parent = a.parent;
    new.errors_to = a.errors_to;
    new.flags = a.flags;
    new
}

/// `system_filter_..._transport`
fn transport(ctx: &mut Context, a: &Address) -> Result<Arc<crate::transports::TransportInstance>, String> {
    let config = ctx.config.clone();
    let m = &config.main;
    let (option, value) = match a.kind {
        AddressKind::Pipe => ("system_filter_pipe_transport", &m.system_filter_pipe_transport),
        AddressKind::Reply => ("system_filter_reply_transport", &m.system_filter_reply_transport),
        _ if a.address.ends_with(b"/") => ("system_filter_directory_transport", &m.system_filter_directory_transport),
        _ => ("system_filter_file_transport", &m.system_filter_file_transport),
    };
    let Some(template) = value.get() else { return Err(format!("{option} is unset")) };
    special::name_it(ctx, a);
    let name = expand::expand(ctx, template);
    (ctx.address.address_pipe, ctx.address.address_file) = (None, None);
    let name =
        name.map_err(|e| format!("failed to expand \"{}\" as a system filter transport name: {e}", template.raw().as_bstr()))?;
    let found = config.transport(&name).filter(|_| !name.is_tainted());
    found.cloned().ok_or_else(|| format!("failed to find \"{name}\" transport for system filter delivery"))
}
