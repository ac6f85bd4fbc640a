//! Lists (manual chapter 10): string, domain, local part, address and host lists, named lists, and their caches.
//!
//! Everything that asks whether something is in a list asks here. [`test`] takes any subject and any list; the functions
//! below are the common cases. A list that cannot be tested gives [`Match::Defer`]; where the reference ends the process
//! for a mistake in the configuration (an unknown named list), this writes to the panic log and defers.

mod address;
mod cache;
mod host;
mod host_name;
pub mod net;
mod scan;
mod secure;
mod special;
mod string;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::config::options::Str;
use crate::context::Context;
use crate::expand::{ExpandError, Template};
use crate::log::{self, Which};
use crate::text::Text;

pub use cache::{ListCache, Outer};
pub use host_name::{addresses_of, host_name_lookup};
pub use secure::dns_secure;

/// What a list says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// It holds the thing.
    Yes,
    /// It does not.
    No,
    /// A lookup in it deferred.
    Defer(String),
}

/// The list.
#[derive(Clone, Copy, Debug)]
pub enum List<'a> {
    /// An option's text, to be expanded first. Forced failure means that nothing is in it.
    Expand(&'a Template),
    /// A list that is ready.
    Ready(&'a Text),
}

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// In a list of strings: no named lists, no `@`.
    String {
        /// The string.
        text: &'a Text,
        /// Case does not matter.
        caseless: bool,
    },
    /// A domain.
    Domain(&'a Text),
    /// A local part; case does not matter unless the list says `+caseful`.
    LocalPart(&'a Text),
    /// A local part whose case matters (`caseful_local_part` of routers).
    CasefulLocalPart(&'a Text),
    /// A whole address; may be empty.
    Address {
        /// The address.
        address: &'a Text,
        /// The case of the local part does not matter unless the list says `+caseful`.
        caseless: bool,
    },
    /// The host of the session; none at all is matched by an empty item.
    SessionHost,
    /// Another host, whose name is known.
    Host {
        /// Its name.
        name: &'a Text,
        /// Its address.
        address: Option<IpAddr>,
    },
    /// An IP address: items that are host names are errors (`match_ip`).
    Ip(&'a [u8]),
}

/// A question.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What is looked for.
    pub subject: Subject<'a>,
    /// Where.
    pub list: List<'a>,
    /// The text is one item, whatever separators are in it.
    pub single: bool,
    /// Set `$0`, `$1`, ... from the item that matches.
    pub captures: bool,
    /// What traces call the list: an option's name; `None`: its text in quotes.
    pub label: Option<&'a str>,
}

/// Answers a question. `data` receives what the matching item gave: a lookup's result, or the item itself.
pub fn test(ctx: &mut Context, request: &Request<'_>, data: Option<&mut Option<Text>>) -> Match {
    let mut found = None;
    let result = scan::run(ctx, request, &mut found);
    if let Some(data) = data
        && result == Match::Yes
    {
        *data = found;
    }
    result
}

fn simple(ctx: &mut Context, subject: Subject<'_>, list: List<'_>, data: Option<&mut Option<Text>>) -> Match {
    test(ctx, &Request { subject, list, single: false, captures: false, label: None }, data)
}

/// Is the subject in the list of the option of that name?
pub fn match_option(
    ctx: &mut Context,
    option: &str,
    subject: Subject<'_>,
    list: &Template,
    data: Option<&mut Option<Text>>,
) -> Match {
    test(ctx, &Request { subject, list: List::Expand(list), single: false, captures: false, label: Some(option) }, data)
}

/// The same for `domains` and `local_parts` of routers, which set `$1` and so on for the router's other options.
pub fn match_router_list(
    ctx: &mut Context,
    option: &str,
    subject: Subject<'_>,
    list: &Template,
    data: Option<&mut Option<Text>>,
) -> Match {
    test(ctx, &Request { subject, list: List::Expand(list), single: false, captures: true, label: Some(option) }, data)
}

/// For the trace: the option has no value, so nothing is in its list.
pub fn trace_unset(ctx: &Context, option: &str, subject: Subject<'_>) {
    log::hdebug!(ctx, LISTS, "{} in {option}? no (option unset)", subject);
}

/// For the trace: an empty list that is no option's value. The reference cannot tell it from one.
pub fn trace_empty(ctx: &Context, subject: Subject<'_>) {
    log::hdebug!(ctx, LISTS, "{} not in empty list (option unset? cannot trace name)", subject);
}

/// Is the subject in a list that is ready (the conditions `match_domain` and so on, after expansion)?
pub fn match_ready(ctx: &mut Context, subject: Subject<'_>, list: &Text, data: Option<&mut Option<Text>>) -> Match {
    simple(ctx, subject, List::Ready(list), data)
}

/// Is the domain in the list?
pub fn match_domain(ctx: &mut Context, domain: &Text, list: &Template, data: Option<&mut Option<Text>>) -> Match {
    simple(ctx, Subject::Domain(domain), List::Expand(list), data)
}

/// Does the domain match this one item (`route_list`)? Sets `$0`, `$1`, ...
pub fn match_domain_item(ctx: &mut Context, domain: &Text, item: &Template, data: Option<&mut Option<Text>>) -> Match {
    let request =
        Request { subject: Subject::Domain(domain), list: List::Expand(item), single: true, captures: true, label: None };
    test(ctx, &request, data)
}

/// Does `dns_again_means_nonexist` say that a temporary failure for this name means that it does not exist?
pub fn again_means_nonexist(ctx: &mut Context, name: &[u8]) -> bool {
    let name = Text::tainted(name);
    let option = "dns_again_means_nonexist";
    if std::mem::replace(&mut ctx.scratch.again_list_running, true) {
        // An item of the list needs a lookup that fails in the same way.
        log::debug!(ctx, DNS, "dns_again_means_nonexist recursion seen for {name} (assuming nonexist)");
        return true;
    }
    let yes = match ctx.config.main.dns_again_means_nonexist.get().cloned() {
        Some(list) => match_option(ctx, option, Subject::Domain(&name), &list, None) == Match::Yes,
        None => {
            trace_unset(ctx, option, Subject::Domain(&name));
            false
        }
    };
    ctx.scratch.again_list_running = false;
    yes
}

/// Is the domain in the list of the option of that name?
pub fn match_domain_named(ctx: &mut Context, option: &str, domain: &Text, list: &Template) -> Match {
    match_option(ctx, option, Subject::Domain(domain), list, None)
}

/// Is the local part in the list?
pub fn match_local_part(ctx: &mut Context, local: &Text, list: &Template, data: Option<&mut Option<Text>>) -> Match {
    simple(ctx, Subject::LocalPart(local), List::Expand(list), data)
}

/// Is the address in the list? Case of the local part does not matter unless the list says so.
pub fn match_address(ctx: &mut Context, address: &Text, list: &Template, data: Option<&mut Option<Text>>) -> Match {
    simple(ctx, Subject::Address { address, caseless: true }, List::Expand(list), data)
}

/// Does the address match this one item (retry and rewriting rules)? The local part's case matters. Sets `$0`, `$1`, ...
pub fn match_address_item(ctx: &mut Context, address: &Text, item: &Template) -> Match {
    let subject = Subject::Address { address, caseless: false };
    test(ctx, &Request { subject, list: List::Expand(item), single: true, captures: true, label: None }, None)
}

/// Is the string in the list?
pub fn match_string(ctx: &mut Context, text: &Text, list: &Template, data: Option<&mut Option<Text>>) -> Match {
    simple(ctx, Subject::String { text, caseless: true }, List::Expand(list), data)
}

/// Does the string match a pattern of the simple kind: literal, `*tail`, regular expression, lookup? Case does not matter,
/// unless a regular expression says so: the string is compared as it is.
pub fn match_pattern_string(ctx: &mut Context, text: &Text, pattern: &[u8], expand: bool) -> Match {
    let pattern = match expand {
        true => match crate::expand::expand_once(ctx, pattern) {
            Ok(p) => p,
            Err(ExpandError::Forced(_)) => return Match::No,
            Err(e) => {
                let why = format!("failed to expand \"{}\" while checking a list: {e}", bstr::BStr::new(pattern));
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), why.as_bytes());
                return Match::Defer(why);
            }
        },
        false => Text::clean(pattern),
    };
    let wanted = string::Wanted { caseless: true, ..Default::default() };
    match string::check(ctx, text, &pattern, wanted, None) {
        scan::Answer::Yes(_) => Match::Yes,
        scan::Answer::No => Match::No,
        scan::Answer::Defer(why) => Match::Defer(why.unwrap_or_else(|| pattern.to_string())),
        scan::Answer::Unknown(why) => Match::Defer(why),
    }
}

/// Is the session's host in the list?
pub fn match_host(ctx: &mut Context, list: &Template) -> Match {
    simple(ctx, Subject::SessionHost, List::Expand(list), None)
}

/// The same; `$host_data` is the caller's to set from `data`.
pub fn match_host_data(ctx: &mut Context, list: &Template, data: &mut Option<Text>) -> Match {
    simple(ctx, Subject::SessionHost, List::Expand(list), Some(data))
}

/// Is the session's host in the list of this option? An unset option is an empty list.
pub fn match_host_option(ctx: &mut Context, name: &str, option: &Str) -> Match {
    match option.get() {
        Some(list) => match_option(ctx, name, Subject::SessionHost, list, None),
        None => {
            trace_unset(ctx, name, Subject::SessionHost);
            Match::No
        }
    }
}

/// Is a host with this name and address in the list of this option? An unset option is an empty list.
pub fn match_option_host(ctx: &mut Context, option: &str, list: &Str, name: &Text, address: Option<IpAddr>) -> Match {
    match list.get() {
        Some(list) => match_option(ctx, option, Subject::Host { name, address }, list, None),
        None => {
            trace_unset(ctx, option, Subject::Host { name, address });
            Match::No
        }
    }
}

/// Is a host with this name and address in the list? `$host_address` is its address meanwhile.
pub fn match_host_named(ctx: &mut Context, name: &Text, address: Option<IpAddr>, list: &Template) -> Match {
    simple(ctx, Subject::Host { name, address }, List::Expand(list), None)
}
