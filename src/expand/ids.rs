//! Users and groups that options of routers and transports name, after expansion: by name or by number.
//!
//! Called where a router's or a transport's `user` and `group` are settled. What cannot be found is logged here, in the panic
//! log too; the text is given back for the address.

use std::fmt;

use bstr::{BStr, ByteSlice};

use super::{Template, expand};
use crate::context::Context;
use crate::log::{self, Which};
use crate::sys::users::{self, User};
use crate::text::Text;

/// The driver whose option it is, as the log names it.
#[derive(Clone, Copy)]
pub enum Owner<'a> {
    /// `the NAME router`
    Router(&'a [u8]),
    /// `the NAME transport`
    Transport(&'a [u8]),
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Router(name) => write!(f, "the {} router", BStr::new(name)),
            Owner::Transport(name) => write!(f, "the {} transport", BStr::new(name)),
        }
    }
}

/// The user's id, and the account if it was named.
pub fn user(ctx: &mut Context, owner: Owner<'_>, t: &Template) -> Result<(u32, Option<User>), String> {
    let name = expanded(ctx, owner, "user", t)?;
    let name = name.trim();
    if let Some(uid) = number(name) {
        return Ok((uid, None));
    }
    match ctx.config.user_by_name(name) {
        Ok(Some(u)) => Ok((u.uid, Some(u))),
        _ => Err(not_found(ctx, owner, "user", name, t)),
    }
}

/// The group's id.
pub fn group(ctx: &mut Context, owner: Owner<'_>, t: &Template) -> Result<u32, String> {
    let name = expanded(ctx, owner, "group", t)?;
    let name = name.trim();
    if let Some(gid) = number(name) {
        return Ok(gid);
    }
    match users::group_by_name(name) {
        Ok(Some(g)) => Ok(g.gid),
        _ => Err(not_found(ctx, owner, "group", name, t)),
    }
}

fn expanded(ctx: &mut Context, owner: Owner<'_>, what: &str, t: &Template) -> Result<Text, String> {
    expand(ctx, t).map_err(|e| logged(ctx, format!("Failed to expand {what} string \"{}\" for {owner}: {e}", t.raw().as_bstr())))
}

fn not_found(ctx: &Context, owner: Owner<'_>, what: &str, name: &[u8], t: &Template) -> String {
    let text = format!("Failed to find {what} \"{}\" from expanded string \"{}\" for {owner}", name.as_bstr(), t.raw().as_bstr());
    logged(ctx, text)
}

fn logged(ctx: &Context, text: String) -> String {
    log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
    text
}

fn number(s: &[u8]) -> Option<u32> {
    s.to_str().ok()?.parse().ok()
}
