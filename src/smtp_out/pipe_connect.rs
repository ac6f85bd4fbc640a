//! Early pipelining (PIPECONNECT): commands go out before the banner and the answer to EHLO have been seen, on the strength
//! of what the server said last time. That is kept in the `misc` hints under `address:port.EHLO`.
//!
//! `setup` asks [`Early::begin`] whether it may be done; [`settle`] compares what was believed with what the server says now
//! and corrects the hints. Nothing is lost by a wrong belief: the message is put off, and next time nothing is believed.

use bstr::{BString, ByteSlice};

use super::client::Client;
use super::features::Features;
use super::in_hosts;
use super::opened::Opened;
use super::setup::Plan;
use super::trouble::Trouble;
use crate::context::Context;
use crate::hints::records::EhloResponse;
use crate::hints::{self, Mode};
use crate::log::debug;
use crate::sys::time::unix_time;
use crate::transports::TransportInstance;

/// What is believed of a server, and what has come of it.
#[derive(Clone, Debug, Default)]
pub struct Early {
    key: BString,
    record: EhloResponse,
    /// The belief is acted on.
    pub active: bool,
}

type Flag = fn(&mut Features) -> &mut bool;
/// Features as the record has them; the numbers are the reference's.
const BITS: [(u16, Flag); 7] = [
    (0x0001, |f| &mut f.starttls),
    (0x0002, |f| &mut f.ignore_quota),
    (0x0004, |f| &mut f.prdr),
    (0x0008, |f| &mut f.smtputf8),
    (0x0010, |f| &mut f.dsn),
    (0x0020, |f| &mut f.pipelining),
    (0x0080, |f| &mut f.chunking),
];
const SIZE: u16 = 0x0040;
const EARLY: u16 = 0x0100;

fn to_bits(features: &Features) -> u16 {
    let mut f = features.clone();
    let plain = BITS.iter().filter(|(_, get)| *get(&mut f)).fold(0, |b, (bit, _)| b | bit);
    plain | if features.size.is_some() { SIZE } else { 0 } | if features.pipe_connect { EARLY } else { 0 }
}

fn from_bits(bits: u16) -> Features {
    let mut f = Features { esmtp: true, pipe_connect: bits & EARLY != 0, ..Features::default() };
    for (bit, get) in BITS {
        *get(&mut f) = bits & bit != 0;
    }
    f.size = (bits & SIZE != 0).then_some(0);
    f
}

/// The client authenticators whose mechanisms are offered, as bits in the order of the configuration.
fn auth_bits(ctx: &Context, features: &Features) -> u16 {
    let Some(offered) = &features.auth else { return 0 };
    let mut bits = 0u16;
    for (n, inst) in ctx.config.auths.iter().enumerate().take(16).filter(|(_, a)| a.client) {
        let name = inst.generic.public_name.raw().unwrap_or(&inst.name);
        if offered.iter().any(|m| m.eq_ignore_ascii_case(name)) {
            bits |= 1 << n;
        }
    }
    bits
}

fn auth_names(ctx: &Context, bits: u16) -> Option<Vec<BString>> {
    let all = ctx.config.auths.iter().enumerate().take(16).filter(|(n, _)| bits & (1 << n) != 0);
    let names: Vec<BString> = all.map(|(_, a)| a.generic.public_name.raw().unwrap_or(&a.name).into()).collect();
    (!names.is_empty()).then_some(names)
}

impl Early {
    /// Is the facility used with this server? `on_connect`: TLS comes before the banner.
    pub fn begin(ctx: &mut Context, plan: &Plan<'_>, on_connect: bool) -> Option<Self> {
        let o = &plan.smtp.options;
        if plan.verify || !in_hosts(ctx, "hosts_pipe_connect", &o.hosts_pipe_connect, plan.host) {
            return None;
        }
        let helo = o.helo_data.raw().unwrap_or_default();
        let needs_address = helo.contains_str("$sending_ip_address") && !helo.contains_str("def:sending_ip_address");
        if needs_address && plan.interface.is_none() {
            debug!(ctx, TRANSPORT, "helo needs $sending_ip_address; avoid early-pipelining");
            return None;
        }
        let address = &plan.host.address_text;
        let key = match plan.host.address.is_some_and(|a| a.is_ipv6()) {
            true => format!("[{address}]:{}.EHLO", plan.port),
            false => format!("{address}:{}.EHLO", plan.port),
        };
        let mut early = Early { key: key.into(), ..Early::default() };
        if let Some(record) = early.read(ctx) {
            early.record = record;
            let r = &early.record;
            early.active = EARLY & if on_connect { r.crypted_features } else { r.clear_features } != 0;
        }
        Some(early)
    }

    /// A record that is not too old; an old one is removed.
    fn read(&self, ctx: &mut Context) -> Option<EhloResponse> {
        let mut db = crate::hints::open(ctx, "misc", Mode::Read).ok()??;
        let found = hints::get::<EhloResponse>(db.as_mut(), &self.key).ok()??;
        drop(db);
        if unix_time().saturating_sub(found.time_stamp) > ctx.config.main.retry_data_expire.0 {
            debug!(ctx, TRANSPORT, "ehlo-resp record too old for {}", self.key);
            self.remove(ctx);
            return None;
        }
        Some(found.record)
    }

    fn write(&self, ctx: &Context) {
        let r = &self.record;
        debug!(
            ctx,
            TRANSPORT,
            "writing clr {:04x}/{:04x} cry {:04x}/{:04x}",
            r.clear_features,
            r.clear_auths,
            r.crypted_features,
            r.crypted_auths
        );
        if let Ok(Some(mut db)) = crate::hints::open(ctx, "misc", Mode::Write) {
            // Losing it costs round trips.
            let _ = hints::put(db.as_mut(), &self.key, &self.record);
        }
    }

    /// What is believed of the server turned out wrong.
    pub fn remove(&self, ctx: &Context) {
        debug!(ctx, TRANSPORT, "removing EHLO cache record for {}", self.key);
        if let Ok(Some(mut db)) = crate::hints::open(ctx, "misc", Mode::Write) {
            let _ = db.delete(&self.key);
        }
    }

    /// The features that are believed, before or after TLS.
    pub fn believed(&self, ctx: &Context, crypted: bool) -> Features {
        let r = &self.record;
        let (bits, auths) = if crypted { (r.crypted_features, r.crypted_auths) } else { (r.clear_features, r.clear_auths) };
        Features {
            auth: auth_names(ctx, auths),
            mail_max: r.limit_mail,
            rcpt_max: r.limit_rcpt,
            rcpt_domain_max: r.limit_rcptdom,
            ..from_bits(bits)
        }
    }

    /// May EHLO over TLS be pipelined too?
    pub fn believed_after_tls(&self) -> bool {
        self.record.crypted_features & EARLY != 0
    }

    /// The server has said what it offers: keeps that if it is new.
    pub fn learn(&mut self, ctx: &Context, features: &Features, crypted: bool) {
        let (bits, auths) = (to_bits(features), auth_bits(ctx, features));
        let r = &mut self.record;
        let before = r.clone();
        if crypted {
            (r.crypted_features, r.crypted_auths) = (bits, auths);
        } else {
            (r.clear_features, r.clear_auths) = (bits, auths);
        }
        (r.limit_mail, r.limit_rcpt, r.limit_rcptdom) = (features.mail_max, features.rcpt_max, features.rcpt_domain_max);
        let known = before != EhloResponse::default();
        if self.active && *r != before {
            let what = if crypted { "crypted" } else { "cleartext" };
            debug!(ctx, TRANSPORT, "EHLO {what} extensions changed");
        }
        // Who has never offered it is not remembered.
        let news = *r != before || !self.active;
        if news && (features.pipe_connect || known) {
            self.write(ctx);
        }
    }
}

/// Reads the answers that commands were sent ahead of, if there are any, and corrects what is believed.
pub fn settle(ctx: &mut Context, transport: &TransportInstance, opened: &mut Opened) -> Result<(), Trouble> {
    if let Err(fault) = opened.client.settle() {
        if let Some(e) = &opened.early {
            e.remove(ctx);
        }
        // Whatever the banner or EHLO got for an answer, it is not this message's fault.
        return Err(Trouble { class: b'4', ..opened.client.trouble(fault) });
    }
    note(ctx, transport, opened);
    Ok(())
}

/// After answers have been read: learns what they said.
pub fn note(ctx: &mut Context, transport: &TransportInstance, opened: &mut Opened) {
    let client: &mut Client = &mut opened.client;
    let Some(settled) = client.take_settled() else { return };
    let action = transport.generic.event_action.get().cloned();
    if settled.banner {
        let greeting = client.greeting.clone();
        crate::deliver::raise_event(ctx, action.as_ref(), "smtp:connect", &greeting, 0);
    }
    if settled.hello {
        let (said, features) = (client.helo_response.clone(), client.features.clone());
        let crypted = client.wire_ref().tls().is_some() && opened.tls.is_some();
        crate::deliver::raise_event(ctx, action.as_ref(), "smtp:ehlo", &said, 0);
        if let Some(e) = &mut opened.early {
            e.learn(ctx, &features, crypted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_features() {
        let f = Features { esmtp: true, pipelining: true, pipe_connect: true, size: Some(1000), ..Features::default() };
        assert_eq!(to_bits(&f), 0x0160);
        assert_eq!(from_bits(0x0160), Features { size: Some(0), ..f });
        assert_eq!(to_bits(&from_bits(0x01ff)), 0x01ff);
        // Unknown bits of a record mean nothing.
        assert_eq!(to_bits(&from_bits(0xfe00)), 0);
    }
}
