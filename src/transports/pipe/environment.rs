//! The environment of a pipe's command (manual section 29.4).

use bstr::{BString, ByteSlice};

use super::program::path;
use super::{Failure, PipeOptions};
use crate::context::Context;
use crate::deliver::local::{DeliveryStatus, LocalJob};
use crate::expand;
use crate::parse::list::items;

/// Most settings.
const MAX: usize = 50;

/// All settings as `NAME=value`.
pub(super) fn build(ctx: &mut Context, o: &PipeOptions, job: &LocalJob<'_>) -> Result<Vec<BString>, Failure> {
    let mut out: Vec<BString> = Vec::new();
    let mut set = |name: &str, value: &[u8]| out.push([name.as_bytes(), b"=", value].concat().into());
    let v = &ctx.address;
    let local_part = v.local_part.as_deref().unwrap_or_default();
    let domain = v.domain.as_deref().unwrap_or_default();
    set("LOCAL_PART", local_part);
    set("LOGNAME", local_part);
    set("USER", local_part);
    set("LOCAL_PART_PREFIX", v.prefix.as_deref().unwrap_or_default());
    set("LOCAL_PART_SUFFIX", v.suffix.as_deref().unwrap_or_default());
    set("DOMAIN", domain);
    set("HOME", job.home.as_deref().unwrap_or_default());
    set("MESSAGE_ID", &ctx.message.id);
    let prefix = v.prefix.as_deref().unwrap_or_default();
    let suffix = v.suffix.as_deref().unwrap_or_default();
    let recipient = [prefix, local_part, suffix, b"@", domain].concat();
    set("RECIPIENT", &recipient);
    set("QUALIFY_DOMAIN", &ctx.config.site.qualify_domain);
    let sender = job.batch.first().and_then(|a| a.return_path.clone()).or_else(|| ctx.message.sender.clone()).unwrap_or_default();
    set("SENDER", &sender);
    set("SHELL", b"/bin/sh");
    if let Some(host) = job.batch.first().and_then(|a| a.hosts.first()) {
        set("HOST", &host.name);
    }
    if let Some(zone) = ctx.config.main.timezone.raw().filter(|z| !z.is_empty()) {
        set("TZ", zone);
    } else if let Some(zone) = std::env::var_os("TZ") {
        use std::os::unix::ffi::OsStrExt;
        set("TZ", zone.as_bytes());
    }
    let path = path(ctx, o, job)?;
    out.push([b"PATH=", path.as_bytes()].concat().into());
    if let Some(t) = o.environment.get() {
        let list = expand::expand(ctx, t).map_err(|e| {
            let text = format!("failed to expand string \"{}\" for {} transport: {e}", t.raw().as_bstr(), job.transport.name);
            Failure::new(DeliveryStatus::Panic, text)
        })?;
        for item in items(&list) {
            if out.len() >= MAX {
                let text = format!("too many environment settings for {} transport", job.transport.name);
                return Err(Failure::new(DeliveryStatus::Defer, text).with(libc::E2BIG));
            }
            out.push(item);
        }
    }
    // What comes later wins.
    let mut kept: Vec<BString> = Vec::with_capacity(out.len());
    for e in out {
        let name = e.find_byte(b'=').map_or(e.len(), |n| n + 1);
        kept.retain(|k| !k.starts_with(&e[..name]));
        kept.push(e);
    }
    Ok(kept)
}
