//! `srs` of the redirect router: `reverse` turns a rewritten recipient back (`$srs_recipient`), `forward` gives what is
//! delivered for the addresses made here a rewritten sender. The scheme itself is in `mail_auth::srs`.

use super::RedirectOptions;
use crate::config::options::Str;
use crate::context::Context;
use crate::expand;
use crate::expand::operators::quote_local_part;
use crate::log::{self, Which};
use crate::mail_auth::srs::guarded::{Decoded, Refused, Scheme};
use crate::mail_auth::srs::today;
use crate::parse::{Rules, extract_address};
use crate::route::{Address, RoutePurpose, Routed, common};
use crate::routers::RouterInstance;
use crate::text::Text;

/// What the variables `$srs_...` show, but `$srs_recipient`, which `inbound_srs` sets too.
#[derive(Clone, Debug, Default)]
pub struct SrsFacts {
    /// `$srs_status`
    pub status: Option<&'static str>,
    /// `$srs_orig_sender`
    pub orig_sender: Option<Text>,
    /// `$srs_orig_recipient`
    pub orig_recipient: Option<Text>,
    /// `$srs_db_address`
    pub db_address: Option<Text>,
    /// `$srs_db_key`
    pub db_key: Option<Text>,
}

/// Letters of a key for the data base.
const KEY_LETTERS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
/// A key's length.
const KEY_LENGTH: usize = 16;

/// Why the router does not go on.
enum Stop {
    /// It is not this router's address, or the address is no good.
    Refused(Refused),
    /// Not now: the text for the address.
    Defer(String),
    /// The options are wrong.
    Config(String),
}

/// Does what `srs` asks for, before the data are looked at. An error is what the router says.
pub fn apply(
    ctx: &mut Context,
    router: &RouterInstance,
    o: &RedirectOptions,
    addr: &mut Address,
    purpose: RoutePurpose,
) -> Result<(), Routed> {
    let (forward, reverse) = match o.srs.raw() {
        Some(b"forward") => (true, false),
        Some(b"reverse") => (false, true),
        Some(b"reverseandforward") => (true, true),
        _ => return Ok(()),
    };
    let done = wanted(ctx, o).and_then(|wanted| {
        if !wanted {
            return Ok(());
        }
        if forward && reverse && o.srs_dbinsert.is_set() != o.srs_dbselect.is_set() {
            return Err(Stop::Config("only one of srs_dbinsert and srs_dbselect is set".into()));
        }
        ctx.scratch.srs = SrsFacts::default();
        let scheme = Scheme::read(&ctx.config.main).map_err(Stop::Config)?;
        if reverse {
            turn_back(ctx, o, &scheme, addr)?;
        }
        if forward && matches!(purpose, RoutePurpose::Deliver | RoutePurpose::Test) {
            rewrite_sender(ctx, o, &scheme, addr)?;
        }
        Ok(())
    });
    done.map_err(|stop| match stop {
        Stop::Refused(why) => {
            ctx.scratch.srs.status = Some(why.text());
            if matches!(why, Refused::NotRewritten | Refused::Form) {
                return Routed::Decline;
            }
            addr.failure.message = Some(Text::clean(why.text()));
            Routed::Fail
        }
        Stop::Defer(text) => common::defer(addr, format!("{} router: {text}", router.name)),
        Stop::Config(text) => {
            let line = format!("SRS Configuration Error: {text}");
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            common::defer(addr, line)
        }
    })
}

fn expanded(ctx: &mut Context, name: &str, option: &Str) -> Result<Option<Text>, Stop> {
    let Some(template) = option.get().cloned() else { return Ok(None) };
    expand::expand(ctx, &template).map(Some).map_err(|e| Stop::Defer(format!("failed to expand {name}: {e}")))
}

/// `srs_condition`
fn wanted(ctx: &mut Context, o: &RedirectOptions) -> Result<bool, Stop> {
    let Some(template) = o.srs_condition.get().cloned() else { return Ok(true) };
    expand::expand_condition(ctx, &template).map_err(|e| Stop::Defer(format!("failed to expand srs_condition: {e}")))
}

fn turn_back(ctx: &mut Context, o: &RedirectOptions, scheme: &Scheme, addr: &Address) -> Result<(), Stop> {
    ctx.scratch.srs_recipient = None;
    let taint = addr.address.taint();
    let found = match scheme.decode(today(), &addr.cc_local_part).map_err(Stop::Refused)? {
        Decoded::Address { local, domain } => whole(&Text::with_taint(local, taint), &domain),
        Decoded::Key(_) if !o.srs_dbselect.is_set() => return Err(Stop::Refused(Refused::Form)),
        Decoded::Key(key) => {
            ctx.scratch.srs.db_key = Some(Text::with_taint(key, taint));
            let found = expanded(ctx, "srs_dbselect", &o.srs_dbselect)?.filter(|t| !t.is_empty());
            let found = found.ok_or_else(|| Stop::Defer("srs_dbselect gave no address".into()))?;
            ctx.scratch.srs.db_address = Some(found.clone());
            found
        }
    };
    ctx.scratch.srs_recipient = Some(found);
    ctx.scratch.srs.orig_recipient = Some(addr.address.clone());
    ctx.scratch.srs.status = Some("ok");
    Ok(())
}

fn rewrite_sender(ctx: &mut Context, o: &RedirectOptions, scheme: &Scheme, addr: &mut Address) -> Result<(), Stop> {
    let Some(sender) = ctx.message.sender.clone().filter(|s| !s.is_empty()) else { return Ok(()) };
    let alias = match expanded(ctx, "srs_alias", &o.srs_alias)?.filter(|a| !a.is_empty()) {
        Some(alias) => alias,
        None => addr.domain.clone(),
    };
    let parts = extract_address(&mut Rules::new(&ctx.config.main), &sender)
        .map_err(|e| Stop::Defer(format!("cannot rewrite the sender {sender}: {e}")))?;
    // A sender of ours needs nothing.
    if parts.domain().eq_ignore_ascii_case(&alias) {
        return Ok(());
    }
    let local = if o.srs_dbinsert.is_set() {
        let key = new_key().ok_or_else(|| Stop::Defer("no random numbers for a key".into()))?;
        ctx.scratch.srs.db_address = Some(sender.clone());
        ctx.scratch.srs.db_key = Some(Text::clean(key.as_slice()));
        expanded(ctx, "srs_dbinsert", &o.srs_dbinsert)?;
        scheme.encode_key(today(), &key)
    } else {
        scheme.encode(today(), &crate::route::vars::unquoted(parts.local_part()), parts.domain())
    };
    addr.srs_sender = Some(whole(&Text::with_taint(local, sender.taint()), &alias));
    ctx.scratch.srs.orig_sender = Some(sender);
    ctx.scratch.srs.status = Some("ok");
    Ok(())
}

fn whole(local: &Text, domain: &[u8]) -> Text {
    let mut out = quote_local_part(local.clone());
    out.push_bytes(b"@");
    out.push_bytes(domain);
    out
}

fn new_key() -> Option<Vec<u8>> {
    let mut bytes = [0u8; KEY_LENGTH];
    openssl::rand::rand_bytes(&mut bytes).ok()?;
    Some(bytes.iter().filter_map(|b| KEY_LETTERS.get(usize::from(b & 31)).copied()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let key = new_key().unwrap();
        assert_eq!(key.len(), KEY_LENGTH);
        assert!(key.iter().all(u8::is_ascii_alphanumeric));
        assert_ne!(key, new_key().unwrap());
    }
}
