//! As whom a delivery runs, and where: uid, gid, `$home` and the working directory (manual chapter 23).

use bstr::{BString, ByteSlice};

use crate::config::Config;
use crate::context::Context;
use crate::expand::ids::{self, Owner};
use crate::expand::{self, Template};
use crate::log::{self, Which};
use crate::retry::errors;
use crate::route::Address;
use crate::sys::ids::{BecomeError, become_user, geteuid};
use crate::text::Text;
use crate::transports::TransportInstance;

/// For a process that routes and delivers from now on: the Exim user with `deliver_drop_privilege` (and `mua_wrapper`), else
/// root in all ids, with Exim's group. It must not be a process of whoever called the program, who could send signals to it,
/// and what it starts must not have the caller's groups.
pub fn become_deliverer(config: &Config) -> Result<(), BecomeError> {
    if geteuid() != 0 {
        return Ok(());
    }
    let uid = if config.main.deliver_drop_privilege { config.site.exim_uid } else { 0 };
    become_user(uid, config.site.exim_gid, None)
}

/// The identity of a delivery process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) initgroups: bool,
}

/// An error number and a text; `true`: it belongs into the panic log.
pub(super) type Problem = (i32, String, bool);

/// Works out uid and gid (section 23.1).
pub(super) fn identity(ctx: &mut Context, transport: &TransportInstance, addr: &Address) -> Result<Identity, Problem> {
    let g = &transport.generic;
    let site = ctx.config.site.clone();
    let mut gid = None;
    if let Some(t) = g.group.get() {
        gid = Some(ids::group(ctx, Owner::Transport(&transport.name), t).map_err(|m| (errors::GID_FAIL, m, false))?);
    }
    if gid.is_none() {
        gid = addr.gid;
    }
    let mut initgroups = g.initgroups;
    let uid = if let Some(t) = g.user.get() {
        let (uid, user) = ids::user(ctx, Owner::Transport(&transport.name), t).map_err(|m| (errors::UID_FAIL, m, false))?;
        gid = gid.or(user.map(|u| u.gid));
        uid
    } else if transport.local().is_some_and(|l| l.as_creator()) {
        gid = gid.or(Some(ctx.message.originator_gid));
        ctx.message.originator_uid
    } else if let Some(uid) = addr.uid {
        initgroups = addr.initgroups;
        uid
    } else {
        gid = gid.or(Some(site.exim_gid));
        site.exim_uid
    };
    let Some(gid) = gid else {
        return Err((errors::GID_FAIL, format!("User set without group for {} transport", transport.name), true));
    };
    if site.never_users.contains(&uid) {
        return Err((
            errors::UID_FAIL,
            format!("User {uid} set for {} transport is on the never_users list", transport.name),
            true,
        ));
    }
    Ok(Identity { uid, gid, initgroups })
}

/// `$home` and the working directory (section 23.3). The address's own directories are expanded already.
pub(super) fn directories(
    ctx: &mut Context,
    transport: &TransportInstance,
    addr: &Address,
) -> Result<(Option<Text>, BString), Problem> {
    let config = ctx.config.clone();
    let router = addr.router.as_ref().and_then(|name| config.router(name)).map(|(_, r)| &r.generic);
    let g = &transport.generic;
    let home = if let Some(t) = g.home_directory.get() {
        Some(directory(ctx, "home", t, &transport.name)?)
    } else if let Some(t) = router.and_then(|r| r.transport_home_directory.get()) {
        // This is where $home comes from.
        ctx.address.home = None;
        Some(directory(ctx, "home", t, &transport.name)?)
    } else {
        addr.home_dir.clone().filter(|h| !h.is_empty())
    };
    check_absolute("home", home.as_ref(), &transport.name)?;
    ctx.address.home = home.clone();
    let option = g.current_directory.get().or_else(|| router.and_then(|r| r.transport_current_directory.get()));
    let current = option.map(|t| directory(ctx, "current", t, &transport.name)).transpose()?;
    check_absolute("current", current.as_ref(), &transport.name)?;
    let working = current.or_else(|| home.clone()).map_or(BString::from("/"), |t| t.into_bytes().into());
    Ok((home, working))
}

fn directory(ctx: &mut Context, what: &str, t: &Template, name: &BString) -> Result<Text, Problem> {
    expand::expand(ctx, t).map_err(|e| {
        (
            errors::EXPAND_FAIL,
            format!("{what} directory \"{}\" failed to expand for {name} transport: {e}", t.raw().as_bstr()),
            true,
        )
    })
}

fn check_absolute(what: &str, path: Option<&Text>, name: &BString) -> Result<(), Problem> {
    match path {
        Some(p) if !p.starts_with(b"/") => {
            Err((errors::NOT_ABSOLUTE, format!("{what} directory path \"{p}\" is not absolute for {name} transport"), true))
        }
        _ => Ok(()),
    }
}

/// Puts a problem into every address of a batch, and logs it if it is one for the logs.
pub(super) fn note_problem(ctx: &Context, batch: &mut [Address], (errno, text, panic): Problem) {
    if panic {
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
    }
    for a in batch {
        a.failure.basic_errno = errno;
        a.failure.message = Some(Text::clean(text.clone()));
    }
}

/// The envelope sender of a delivery: the address's errors_to, its rewritten sender or the message's sender, or what the transport's
/// `return_path` makes of it.
pub(super) fn return_path(ctx: &mut Context, transport: &TransportInstance, addr: &Address) -> Result<Text, Problem> {
    let plain = addr.return_path_before_transport(ctx).unwrap_or_default();
    ctx.address.return_path = Some(plain.clone());
    let Some(t) = transport.generic.return_path.get() else { return Ok(plain) };
    match expand::expand(ctx, t) {
        Ok(new) => {
            ctx.address.return_path = Some(new.clone());
            Ok(new)
        }
        Err(expand::ExpandError::Forced(_)) => Ok(plain),
        Err(e) => Err((
            errors::EXPAND_FAIL,
            format!("Failed to expand return path \"{}\" in {} transport: {e}", t.raw().as_bstr(), transport.name),
            true,
        )),
    }
}
/// Who this process is now, and why, for `-d+uid`.
pub(super) fn show_change(ctx: &Context, why: std::fmt::Arguments<'_>) {
    use crate::sys::{ids, process};
    let (uid, gid, pid) = (ids::geteuid(), ids::getegid(), process::getpid());
    crate::debug!(ctx, UID, "changed uid/gid: {why}\n  uid={uid} gid={gid} pid={pid}");
}
