//! `if`, `acl`, `env`, `authresults`.

use super::ItemArgs;
use crate::acl::Where;
use crate::context::Context;
use crate::context::session::HostName;
use crate::expand::eval::{append, condition, otherwise, subs, yes_no};
use crate::expand::{ExpandError, hooks};
use crate::parse::Space as _;
use crate::text::Text;

/// `${if}`: captures and `$value` that conditions set last to the end of the item.
pub fn if_item(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let saved = (ctx.scratch.numeric.clone(), ctx.scratch.value.clone());
    let result = decide(ctx, args, out);
    (ctx.scratch.numeric, ctx.scratch.value) = saved;
    result
}

fn decide(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let yes = match &args.condition {
        Some(c) => condition(ctx, c)?,
        None => false,
    };
    if !yes {
        return otherwise(ctx, args, "if", out);
    }
    match &args.yes {
        Some(yes) => append(ctx, yes, out),
        None => {
            out.push_bytes(b"true");
            Ok(())
        }
    }
}

/// `${acl}`
pub fn acl(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let args = subs(ctx, args)?;
    let (_, message) = hooks::run_acl(ctx, args.into_vec())?;
    if let Some(m) = message {
        out.push(&m);
    }
    Ok(())
}

/// `${env}`
pub fn env(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let key = subs(ctx, args)?.into_iter().next().unwrap_or_default();
    let name = key.trim_space();
    // Names that cannot be are simply not there.
    let usable = !name.is_empty() && !name.contains(&b'=') && !name.contains(&0);
    let found = if usable { std::env::var_os(std::ffi::OsStr::from_bytes(name)) } else { None };
    yes_no(ctx, args, "env", found.map(|v| Text::tainted(v.into_vec())), out)
}

/// `${authresults}`: everything that is known of who sent the message.
pub fn authresults(ctx: &mut Context, args: &ItemArgs, out: &mut Text) -> Result<(), ExpandError> {
    let id = subs(ctx, args)?.into_iter().next().unwrap_or_default();
    out.push_bytes(b"Authentication-Results: ");
    out.push(&id);
    let mut parts: Vec<Text> = Vec::new();
    parts.extend(iprev(ctx));
    parts.extend(local(ctx, &id));
    parts.extend(smtp_auth(ctx));
    parts.extend(hooks::auth_results(ctx));
    for p in &parts {
        out.push(p);
    }
    Ok(())
}

fn iprev(ctx: &Context) -> Option<Text> {
    let session = &ctx.session;
    let address = session.host_address.as_ref()?;
    let mut t = match &session.host_name {
        HostName::Found(name) => {
            let mut t = Text::clean(";\n\tiprev=pass (");
            t.push(name);
            t.push_bytes(b")");
            t
        }
        HostName::Deferred => Text::clean(";\n\tiprev=temperror"),
        HostName::Failed => Text::clean(";\n\tiprev=fail"),
        HostName::Unknown => return None,
    };
    t.push_bytes(b" smtp.remote-ip=");
    t.push(address);
    Some(t)
}

fn smtp_auth(ctx: &Context) -> Option<Text> {
    let session = &ctx.session;
    let by = session.authenticated_by.as_ref()?;
    let mut t = Text::clean(";\n\tauth=pass (");
    t.push_bytes(session.auth_public_name.as_ref().unwrap_or(by));
    t.push_bytes(b")");
    if let Some(id) = &session.authenticated_id {
        t.push_bytes(b" smtp.auth=");
        t.push(id);
    }
    if let Some(s) = ctx.message.authenticated_sender.as_ref().or(session.authenticated_sender.as_ref()) {
        t.push_bytes(b" smtp.mailfrom=");
        t.push(s);
    }
    Some(t)
}

/// A message that came from a process of this host without SMTP: known once it is there, while its ACL runs.
fn local(ctx: &Context, id: &Text) -> Option<Text> {
    if ctx.acl.running != Some(Where::NotSmtp) {
        return None;
    }
    let mut t = Text::clean(";\n\tlocal=pass (non-smtp, ");
    t.push(id);
    t.push_bytes(b")");
    if let Some(user) = &ctx.session.authenticated_id {
        t.push_bytes(b" u=");
        t.push(user);
    }
    Some(t)
}
