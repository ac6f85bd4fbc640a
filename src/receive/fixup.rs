//! What is done to the header lines of an arriving message: kinds, removal of trace lines, From:, Sender:, Date:,
//! Message-Id: of local and submission-mode messages, qualification and rewriting (manual chapter 47).

use bstr::{BString, ByteSlice};

use super::kinds::{self, Name};
use crate::context::{Context, Header, HeaderKind};
use crate::expand::{self, ExpandError, Template};
use crate::log::{self, Selector, Which};
use crate::parse;
use crate::text::Text;

/// What scanning the header found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// There are Resent- lines: the rules apply to them.
    pub resent: bool,
    /// Message-Id (or Resent-Message-Id): index in the list of lines.
    pub id: Option<usize>,
    /// It was made here.
    pub id_created: bool,
    from: Option<usize>,
    date: bool,
    /// Subject: index.
    pub subject: Option<usize>,
}

impl Found {
    fn prefix(&self) -> &'static str {
        if self.resent { "Resent-" } else { "" }
    }
}

/// The message is one of our own users', or counts as one.
fn fixes_wanted(ctx: &Context) -> bool {
    (ctx.session.host_address.is_none() && !ctx.message.suppress_local_fixups) || ctx.message.submission.is_some()
}

/// The caller's address is the true sender, and the caller is not trusted.
fn untrusted_local(ctx: &Context) -> bool {
    ctx.message.local && !ctx.run.trusted && !ctx.message.suppress_local_fixups
}

fn header(kind: HeaderKind, text: impl Into<Vec<u8>>) -> Header {
    let text: Vec<u8> = text.into();
    Header { kind, text: text.into() }
}

/// Gives the lines of the message their kinds. The first place of `ctx.message.headers` is kept for Received:.
pub fn scan(ctx: &mut Context, smtp: bool) -> Found {
    let mut found = Found { resent: ctx.message.headers.iter().any(|h| kinds::is_resent(&h.text)), ..Found::default() };
    let config = ctx.config.clone();
    let m = &config.main;
    let untrusted = untrusted_local(ctx);
    let submission = ctx.message.submission.as_ref();
    let retain = m.local_sender_retain || submission.is_some_and(|s| s.sender_retain);
    let drop_sender = !retain && (untrusted || submission.is_some());
    let login = ctx.message.originator_login.clone();
    let mut added = None;
    ctx.message.received_count = 1;
    for (i, h) in ctx.message.headers.iter_mut().enumerate().skip(1) {
        let counts = !found.resent || kinds::is_resent(&h.text);
        h.kind = match kinds::classify(&h.text) {
            Name::Kind(HeaderKind::Date) => {
                found.date |= counts;
                HeaderKind::Other
            }
            Name::Kind(HeaderKind::From) => {
                if counts {
                    found.from = Some(i);
                    let value = h.text.get(kinds::name_of(&h.text).len()..).unwrap_or_default();
                    let value = value.trim_ascii_start().strip_prefix(b":").unwrap_or_default().trim_ascii();
                    if !smtp && !login.is_empty() && value.eq_ignore_ascii_case(&login) {
                        added = Some(kinds::is_resent(&h.text));
                        h.kind = HeaderKind::Old;
                        continue;
                    }
                }
                HeaderKind::From
            }
            Name::Kind(HeaderKind::Id) => {
                if found.id.is_none() && counts {
                    found.id = Some(i);
                    HeaderKind::Id
                } else {
                    HeaderKind::Other
                }
            }
            Name::Kind(HeaderKind::Received) => {
                ctx.message.received_count += 1;
                HeaderKind::Received
            }
            Name::Kind(HeaderKind::Sender) if drop_sender && counts => HeaderKind::Old,
            Name::Kind(k) => k,
            Name::DeliveryDate if m.delivery_date_remove => HeaderKind::Old,
            Name::EnvelopeTo if m.envelope_to_remove => HeaderKind::Old,
            Name::ReturnPath if m.return_path_remove => HeaderKind::Old,
            Name::Subject => {
                found.subject = Some(i);
                HeaderKind::Other
            }
            _ => HeaderKind::Other,
        };
    }
    if let Some(resent) = added {
        // A From: that is just the caller's login, as some programs write it, is written in full.
        let mut text = BString::from(if resent { "Resent-From: " } else { "From: " });
        push_name(&mut text, &ctx.session.caller.name);
        text.extend_from_slice(b"<");
        text.extend_from_slice(&login);
        text.push(b'@');
        text.extend_from_slice(&config.site.qualify_domain);
        text.extend_from_slice(b">\n");
        found.from = Some(ctx.message.headers.len());
        ctx.message.headers.push(header(HeaderKind::From, text));
    }
    found
}

fn push_name(text: &mut BString, name: &[u8]) {
    text.extend_from_slice(name);
    text.push(b' ');
}

/// Puts a line at the end, or, before Resent- lines, at the start (after the place of Received:).
fn add(ctx: &mut Context, found: &mut Found, line: Header) -> usize {
    if !found.resent {
        ctx.message.headers.push(line);
        return ctx.message.headers.len() - 1;
    }
    ctx.message.headers.insert(1, line);
    for at in [&mut found.id, &mut found.from, &mut found.subject].into_iter().flatten() {
        *at += 1;
    }
    1
}

/// An option's expanded value; unset, empty or forced to fail is `None`.
fn value(ctx: &mut Context, name: &str, option: Option<Template>) -> Option<Text> {
    let t = option?;
    match expand::expand(ctx, &t) {
        Ok(v) => Some(v).filter(|v| !v.is_empty()),
        Err(ExpandError::Forced(_)) => None,
        Err(e) => {
            let line = format!("expansion of \"{}\" ({name}) failed: {e}", t.raw().as_bstr());
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), line.as_bytes());
            None
        }
    }
}

/// Adds a Message-Id: to a message of our own that has none.
pub fn message_id(ctx: &mut Context, found: &mut Found) {
    if found.id.is_some() || !fixes_wanted(ctx) {
        return;
    }
    let config = ctx.config.clone();
    let mut domain = config.site.primary_hostname.to_vec();
    if let Some(v) = value(ctx, "message_id_header_domain", config.main.message_id_header_domain.get().cloned()) {
        domain = v.iter().map(|c| if c.is_ascii_alphanumeric() || *c == b'.' { *c } else { b'-' }).collect();
    }
    let mut text = Vec::new();
    if let Some(v) = value(ctx, "message_id_header_text", config.main.message_id_header_text.get().cloned()) {
        let bad = |c: u8| c.is_ascii_control() || b"()<>@,;:\\\"[] ".contains(&c);
        text.push(b'.');
        text.extend(v.iter().map(|c| if bad(*c) { b'-' } else { *c }));
    }
    let mut line = BString::from(found.prefix());
    line.extend_from_slice(b"Message-Id: <E");
    line.extend_from_slice(&ctx.message.id);
    line.extend_from_slice(&text);
    line.push(b'@');
    line.extend_from_slice(&domain);
    line.extend_from_slice(b">\n");
    let at = add(ctx, found, header(HeaderKind::Id, line));
    found.id = Some(at);
    found.id_created = true;
}

/// Adds a From: to a message of our own that has none.
pub fn from(ctx: &mut Context, found: &mut Found) {
    if found.from.is_some() || !fixes_wanted(ctx) {
        return;
    }
    let config = ctx.config.clone();
    let caller = &ctx.session.caller;
    let smtp = ctx.session.input != crate::context::session::Input::Local;
    let name: BString = if ctx.session.host_address.is_none() {
        if !ctx.run.trusted || caller.name_forced || (!smtp && !caller.sender_forced) { caller.name.clone() } else { "".into() }
    } else {
        ctx.message.submission.as_ref().and_then(|s| s.name.clone()).map(|n| n.into_bytes().into()).unwrap_or_default()
    };
    let sender = ctx.message.sender.clone().unwrap_or_default();
    let address = if !sender.is_empty() {
        Some((ctx.message.raw_sender.clone().unwrap_or(sender), true))
    } else if ctx.message.local || ctx.message.local_error {
        let mut a = super::quote_local_part(&ctx.message.originator_login);
        a.push(b'@');
        a.extend_from_slice(&config.site.qualify_domain);
        Some((Text::clean(a), false))
    } else {
        submission_address(ctx).map(|a| (a, true))
    };
    let Some((address, check_sender)) = address else { return };
    let mut line = BString::from(found.prefix());
    line.extend_from_slice(b"From: ");
    if name.is_empty() {
        line.extend_from_slice(&address);
    } else {
        push_name(&mut line, &name);
        line.push(b'<');
        line.extend_from_slice(&address);
        line.push(b'>');
    }
    line.push(b'\n');
    ctx.message.headers.push(header(HeaderKind::From, line));
    if check_sender {
        found.from = Some(ctx.message.headers.len() - 1);
    }
}

/// The address that submission mode gives to the authenticated user.
fn submission_address(ctx: &Context) -> Option<Text> {
    let s = ctx.message.submission.as_ref()?;
    let mut a = ctx.session.authenticated_id.clone()?;
    match &s.domain {
        None => {
            a.push_bytes(b"@");
            a.push_bytes(&ctx.config.site.qualify_domain);
        }
        Some(d) if d.is_empty() => {}
        Some(d) => {
            a.push_bytes(b"@");
            a.push(d);
        }
    }
    Some(a)
}

/// Adds a Sender: where From: is not the true sender's, and puts submission mode's sender into the envelope.
pub fn sender(ctx: &mut Context, found: &Found) {
    let Some(from) = found.from.and_then(|i| ctx.message.headers.get(i)) else { return };
    let config = ctx.config.clone();
    let submission = ctx.message.submission.clone();
    let check = match &submission {
        Some(s) => !s.sender_retain && config.main.local_from_check,
        None => config.main.local_from_check,
    };
    let by_submission = submission.is_some() && ctx.session.authenticated_id.is_some();
    if !check || !(untrusted_local(ctx) || by_submission) {
        return;
    }
    let value = from.text.get(from.text.find_byte(b':').map_or(0, |i| i + 1)..).unwrap_or_default();
    let parsed = parse::extract_address(&mut parse::Rules::new(&config.main), value).ok();
    let login = ctx.message.originator_login.clone();
    let own = match &submission {
        Some(_) => submission_address(ctx).unwrap_or_default(),
        None => {
            let mut a = super::quote_local_part(&login);
            a.push(b'@');
            a.extend_from_slice(&config.site.qualify_domain);
            Text::clean(a)
        }
    };
    let same = parsed.is_some_and(|p| {
        let mut local = p.local_part().to_vec();
        if let Some(list) = config.main.local_from_prefix.raw()
            && let Some(n) = crate::route::affix::prefix(list, &local).map(|a| a.text.len())
        {
            local.drain(..n);
        }
        if let Some(list) = config.main.local_from_suffix.raw()
            && let Some(n) = crate::route::affix::suffix(list, &local).map(|a| a.text.len())
        {
            local.truncate(local.len().saturating_sub(n));
        }
        if !p.is_qualified() {
            return local.eq_ignore_ascii_case(&login);
        }
        local.push(b'@');
        local.extend_from_slice(p.domain());
        local.eq_ignore_ascii_case(&own)
    });
    if !same {
        let name: Option<BString> = match &submission {
            None => Some(ctx.session.caller.name.clone()),
            Some(s) => s.name.clone().map(|n| n.into_bytes().into()),
        };
        let mut line = BString::from(found.prefix());
        line.extend_from_slice(b"Sender: ");
        match name {
            None => line.extend_from_slice(&own),
            Some(n) => {
                push_name(&mut line, &n);
                line.push(b'<');
                line.extend_from_slice(&own);
                line.push(b'>');
            }
        }
        line.push(b'\n');
        ctx.message.headers.push(header(HeaderKind::Sender, line));
    }
    if submission.is_some()
        && let Some(sender) = ctx.message.sender.clone().filter(|s| !s.is_empty())
    {
        let raw = ctx.message.raw_sender.get_or_insert(sender).clone();
        if raw != own {
            let line = format!("\"{raw}\" from env-from rewritten as \"{own}\" by submission mode");
            log::write(ctx, Some(Selector::AddressRewrite), Which::MAIN, line.as_bytes());
        }
        ctx.message.sender = Some(own);
    }
}

/// Adds a Date: to a message of our own that has none.
pub fn date(ctx: &mut Context, found: &mut Found) {
    if found.date || !fixes_wanted(ctx) {
        return;
    }
    let line = format!("{}Date: {}\n", found.prefix(), log::stamp::full(crate::sys::time::now().sec));
    add(ctx, found, header(HeaderKind::Other, line));
}
