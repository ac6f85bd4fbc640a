//! Brightmail AntiSpam (EXPERIMENTAL_BRIGHTMAIL): `control = bmi_run` has a message judged by the vendor's server when the
//! ACLs have accepted it; the verdicts stay with it in the spool, and routing asks what they say of an address.
//!
//! The vendor's client library (`bmi_library`, calls as in `src/brightmail.h`) is loaded at run time, in a process of its own
//! (`helper.rs`, by way of [`crate::foreign`]). Whatever goes wrong there, the message is delivered as if there were no verdict.

pub mod helper;

use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};

use super::conditions::DEFAULT_TIME;
use super::panic_log;
use crate::config::Config;
use crate::context::{BodySource, Context, HeaderKind};
use crate::expand::variables::body::Body;
use crate::foreign;
use crate::parse::list;
use crate::routers::options::RouterOptions;
use crate::sys::brightmail::{Destination, Facts, Message};
use crate::sys::{error_text, frames};
use crate::text::Text;

/// What the server takes for the client when there is none.
const NO_CLIENT: &[u8] = b"127.0.0.1";
/// How long the library may take to read verdicts.
const READING_TIME: Duration = Duration::from_secs(30);

/// What is known of the message in hand.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// `control = bmi_run`
    pub wanted: bool,
    /// `bmi_optin`, for the recipient in hand.
    pub optin: Option<BString>,
    /// `$bmi_verdicts`, as in the spool.
    pub verdicts: Option<Text>,
    /// What they say, once somebody has asked.
    read: Option<Vec<Facts>>,
}

/// Can the library be used? For the start of a daemon.
pub fn check_library(ctx: &Context) -> Result<(), String> {
    if !is_wanted(&ctx.config) {
        return Ok(());
    }
    ask(ctx, helper::CHECK, &[], READING_TIME, |_| ()).map(drop).map_err(|e| format!("Brightmail cannot be used: {e}"))
}

/// Does anything in the configuration look as if it used Brightmail?
fn is_wanted(config: &Config) -> bool {
    config.set_options.iter().any(|o| o.starts_with("bmi_"))
        || config.routers.iter().any(|r| r.set_options.iter().any(|o| o.starts_with("bmi_")))
}

fn ask(ctx: &Context, kind: u8, parts: &[&[u8]], time: Duration, word: impl FnMut(Vec<u8>)) -> Result<Vec<u8>, String> {
    let library = ctx.config.main.bmi_library.raw().unwrap_or_default();
    if library.is_empty() {
        return Err("bmi_library does not name the client library".into());
    }
    let request = frames::pack(std::iter::once(&library).chain(parts));
    let name = library.to_str_lossy();
    // The dynamic linker's messages have the name in them.
    let named = |e: String| if e.contains(&*name) || e.starts_with(ERROR) { e } else { format!("{name}: {e}") };
    foreign::ask(ctx, helper::FLAG, Some(Instant::now() + time), kind, &request, word).map_err(named)
}

/// The ACLs have accepted the message: has it judged, if one of them wanted that.
pub fn run(ctx: &mut Context) {
    if !ctx.message.scan.bmi.wanted || ctx.message.recipients.is_empty() {
        return;
    }
    match scan(ctx) {
        Ok(verdicts) if verdicts.is_empty() => {}
        Ok(verdicts) => ctx.message.scan.bmi.verdicts = Some(Text::tainted(verdicts.join(&b':'))),
        Err(text) => panic_log(ctx, with_name(&text).as_bytes()),
    }
}

/// Messages for the panic log begin with this; those that the library's own errors become have it already.
const ERROR: &str = "bmi error";

fn with_name(text: &str) -> String {
    if text.starts_with(ERROR) { text.into() } else { format!("{ERROR}: {text}") }
}

fn scan(ctx: &Context) -> Result<Vec<Vec<u8>>, String> {
    let Some(source @ BodySource::Path(data)) = &ctx.message.body else { return Err("there is no message".into()) };
    let start = Body::open(source).map_err(|e| format!("cannot open the message: {}", error_text(&e)))?.start();
    let m = &ctx.message;
    let message = Message {
        config_file: ctx.config.main.bmi_config_file.raw().unwrap_or_default().to_vec(),
        client_address: ctx.session.host_address.as_ref().map_or(NO_CLIENT, |t| t.as_bytes()).to_vec(),
        sender: m.sender.as_deref().unwrap_or_default().to_vec(),
        recipients: m.recipients.iter().map(|r| (r.address.to_vec(), r.bmi_optin.clone().map(Vec::from))).collect(),
        headers: m.headers.iter().filter(|h| h.kind != HeaderKind::Old).map(|h| h.text.to_vec()).collect(),
    };
    let mut words = Vec::new();
    let answer =
        ask(ctx, helper::SCAN, &[&helper::write_message(&message), data, start.to_string().as_bytes()], DEFAULT_TIME, |w| {
            words.push(w)
        });
    for w in words {
        crate::log::write(ctx, None, crate::log::Which::MAIN, &[b"warning: ", &w[..]].concat());
    }
    // A verdict is base64: what is not could not be kept in the spool.
    let plain = |v: &Vec<u8>| v.iter().all(|c| c.is_ascii_graphic() && *c != b':') && !v.is_empty();
    let verdicts = frames::unpack(&answer?);
    if verdicts.iter().all(plain) { Ok(verdicts) } else { Err("a verdict is not in base64".into()) }
}

/// What there is to say of the address in hand, if there is a verdict on the recipient that it comes from: the verdict's
/// text, and its meaning.
fn of_address(ctx: &mut Context) -> Option<(Text, &Facts)> {
    let verdicts = ctx.message.scan.bmi.verdicts.clone().filter(|v| !v.is_empty())?;
    let texts: Vec<&[u8]> = verdicts.split(|c| *c == b':').collect();
    if ctx.message.scan.bmi.read.is_none() {
        let rules = helper::write_numbers(&rules(&ctx.config));
        let read = match ask(ctx, helper::READ, &[&rules, &frames::pack(&texts)], READING_TIME, |_| ()) {
            Ok(answer) => helper::read_facts(&answer),
            Err(text) => {
                panic_log(ctx, with_name(&text).as_bytes());
                Vec::new()
            }
        };
        ctx.message.scan.bmi.read = Some(read);
    }
    let address = [
        ctx.address.original_local_part.as_deref().unwrap_or_default(),
        b"@",
        ctx.address.original_domain.as_deref().unwrap_or_default(),
    ]
    .concat();
    let facts = ctx.message.scan.bmi.read.as_deref().unwrap_or_default();
    let at = facts.iter().position(|f| f.recipients.iter().any(|r| r.eq_ignore_ascii_case(&address)))?;
    Some((verdicts.piece(*texts.get(at)?), facts.get(at)?))
}

/// All rules that routers ask for.
fn rules(config: &Config) -> Vec<i32> {
    let mut out: Vec<i32> = config.routers.iter().flat_map(|r| numbers(r.generic.bmi_rule.raw().unwrap_or_default())).collect();
    out.sort_unstable();
    out.dedup();
    out
}

fn numbers(list: &[u8]) -> Vec<i32> {
    list::items(list).filter_map(|i| i.to_str().ok()?.parse().ok()).filter(|n| *n > 0).collect()
}

/// The preconditions of a router. Without a verdict mail is delivered as usual.
pub fn allows(ctx: &mut Context, options: &RouterOptions) -> bool {
    let rule = options.bmi_rule.raw().map(numbers);
    if !(options.bmi_deliver_alternate || options.bmi_deliver_default || options.bmi_dont_deliver || rule.is_some()) {
        return true;
    }
    let found = of_address(ctx).map(|(_, facts)| facts);
    let destination = found.map_or(&Destination::Default, |f| &f.destination);
    (!options.bmi_deliver_default || *destination == Destination::Default)
        && (!options.bmi_deliver_alternate || matches!(destination, Destination::Alternate(_)))
        && (!options.bmi_dont_deliver || *destination == Destination::None)
        && rule.is_none_or(|wanted| found.is_some_and(|f| wanted.iter().any(|n| f.fired.contains(n))))
}

/// `$bmi_verdicts`
pub fn verdicts(ctx: &mut Context) -> Option<Text> {
    ctx.message.scan.bmi.verdicts.clone()
}

/// `$bmi_base64_verdict`
pub fn verdict(ctx: &mut Context) -> Option<Text> {
    of_address(ctx).map(|(text, _)| text)
}

/// `$bmi_base64_tracker_verdict`
pub fn tracker(ctx: &mut Context) -> Option<Text> {
    of_address(ctx).map(|(_, f)| Text::tainted(f.tracker.as_slice()))
}

/// `$bmi_alt_location`
pub fn alternate(ctx: &mut Context) -> Option<Text> {
    match of_address(ctx)?.1.destination.clone() {
        Destination::Alternate(place) => Some(Text::tainted(place)),
        _ => None,
    }
}

/// `$bmi_deliver`
pub fn deliver(ctx: &mut Context) -> Option<Text> {
    let not = of_address(ctx).is_some_and(|(_, f)| f.destination == Destination::None);
    Some(Text::clean(if not { "0" } else { "1" }))
}
