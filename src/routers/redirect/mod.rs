//! The `redirect` router (manual chapter 22): aliases, `.forward` files, filters.

pub mod children;
mod filter;
mod list_wire;
mod options;
mod source;
pub mod special;
mod srs;
mod syntax_errors;

use bstr::{BString, ByteSlice};

use super::options::RouterOptions;
use super::{Router, RouterInstance};
use crate::config::Config;
use crate::config::options::OptionSet;
use crate::context::Context;
use crate::log::{self, Which};
use crate::parse::forward::{ForwardEnd, ForwardList, ForwardOptions, SkippedError, parse_forward_list};
use crate::parse::{Rules, forward};
use crate::retry::errors;
use crate::route::{Address, RoutePurpose, Routed, common};
use crate::text::{Taint, Text};
pub use options::RedirectOptions;
pub use source::{in_child, read_plain};
pub use srs::SrsFacts;

/// The driver.
#[derive(Debug, Default)]
pub struct Redirect {
    options: RedirectOptions,
}

impl Router for Redirect {
    fn options(&self) -> &dyn OptionSet {
        &self.options
    }
    fn options_mut(&mut self) -> &mut dyn OptionSet {
        &mut self.options
    }
    fn repeat_use(&self) -> bool {
        self.options.repeat_use
    }

    fn init(&mut self, _: &BString, generic: &mut RouterOptions, set: &[String], _: &Config) -> Result<(), String> {
        let o = &mut self.options;
        let is_set = |name: &str| set.iter().any(|s| s == name);
        match (o.file.is_set(), o.data.is_set()) {
            (true, true) => return Err("only one of \"file\" or \"data\" must be specified".into()),
            (false, false) => return Err("one of \"file\" or \"data\" must be specified".into()),
            _ => {}
        }
        if o.one_time {
            o.forbid_pipe = true;
            o.forbid_file = true;
            o.forbid_filter_reply = true;
            if generic.headers_add.is_set() || generic.headers_remove.is_set() {
                return Err("\"headers_add\" and \"headers_remove\" are not permitted with \"one_time\"".into());
            }
            if set.iter().any(|s| s == "unseen") {
                return Err("\"unseen\" may not be used with \"one_time\"".into());
            }
        }
        // A user's own file must be owned by the user.
        if !is_set("check_owner") {
            o.check_owner = generic.check_local_user || o.owners.is_set();
        }
        if !is_set("check_group") {
            o.check_group = (generic.check_local_user && o.modemask.0 & 0o020 == 0) || o.owngroups.is_set();
        }
        if o.allow_filter && !generic.check_local_user && !generic.user.is_set() {
            return Err("\"user\" or \"check_local_user\" must be set with \"allow_filter\"".into());
        }
        if o.qualify_domain.is_set() && o.qualify_preserve_domain {
            return Err("only one of \"qualify_domain\" or \"qualify_preserve_domain\" must be set".into());
        }
        Ok(())
    }

    fn route(&self, ctx: &mut Context, router: &RouterInstance, addr: &mut Address, purpose: RoutePurpose) -> Routed {
        // The user is needed before the file is read, and by files and pipes.
        if let Err(message) = common::set_user(ctx, router, addr) {
            return common::defer(addr, message);
        }
        if let Err(end) = srs::apply(ctx, router, &self.options, addr, purpose) {
            return end;
        }
        let source = match source::find(ctx, router, &self.options, addr) {
            Ok(Some(source)) => source,
            Ok(None) => return Routed::Decline,
            Err(e) => {
                addr.failure.basic_errno = e.errno;
                return common::defer(addr, e.message);
            }
        };
        if crate::filter::is_filter(&source.text).is_some() {
            return filter::route(ctx, router, &self.options, addr, purpose, &source.text);
        }
        let result = self.interpret(ctx, addr, &source);
        self.act_on(ctx, router, addr, purpose, result, source.text.taint())
    }
}

impl Redirect {
    /// Parses the list, in a process of the user if there is one: it may include files.
    fn interpret(&self, ctx: &mut Context, addr: &Address, source: &source::Source) -> Result<ForwardList, ForwardEnd> {
        let o = &self.options;
        let parse = |text: &[u8]| {
            let options = ForwardOptions {
                allow_fail: o.allow_fail,
                allow_defer: o.allow_defer,
                forbid_blackhole: o.forbid_blackhole,
                forbid_include: o.forbid_include,
                directory: o.include_directory.raw(),
                incoming_domain: &addr.domain,
                skip_syntax_errors: o.skip_syntax_errors,
                tainted: source.text.is_tainted(),
                rules: Rules::new(&ctx.config.main),
            };
            parse_forward_list(&options, text)
        };
        match (addr.uid, addr.gid) {
            (Some(uid), Some(gid)) if needs_child(uid) && forward::mentions_include(&source.text) => {
                source::in_child(uid, gid, || list_wire::encode(parse(&source.text)))
                    .map_err(ForwardEnd::Error)
                    .and_then(|bytes| list_wire::decode(&bytes))
            }
            _ => parse(&source.text),
        }
    }

    fn act_on(
        &self,
        ctx: &mut Context,
        router: &RouterInstance,
        addr: &mut Address,
        purpose: RoutePurpose,
        result: Result<ForwardList, ForwardEnd>,
        taint: Taint,
    ) -> Routed {
        let o = &self.options;
        match result {
            Ok(list) => {
                skip_errors(ctx, router, o, purpose, &list.errors, !list.items.is_empty());
                if list.items.is_empty() {
                    if !list.errors.is_empty() {
                        addr.failure.message = Some(Text::clean(ALL_SKIPPED));
                    }
                    return Routed::Decline;
                }
                children::make(ctx, router, o, addr, purpose, &children::of_list(&list.items, taint), taint)
                    .map_or_else(|end| end, Routed::Children)
            }
            Err(ForwardEnd::Blackhole) => {
                if purpose == RoutePurpose::Deliver {
                    log_discarded(ctx, router, addr, ":blackhole:");
                }
                Routed::Discard
            }
            Err(ForwardEnd::Fail(text)) => {
                o.give_text(addr, &text);
                Routed::Fail
            }
            Err(ForwardEnd::Defer(text)) => {
                o.give_text(addr, &text);
                addr.failure.basic_errno = errors::UNKNOWN;
                Routed::Defer
            }
            Err(ForwardEnd::IncludeFailed(message) | ForwardEnd::Error(message)) => {
                addr.failure.basic_errno = errors::BAD_REDIRECT;
                common::defer(addr, format!("error in redirect {}: {message}", o.kind()))
            }
        }
    }
}

/// What stands in an address when nothing was left of its redirection data.
const ALL_SKIPPED: &str = "syntax error in redirection data";

/// `skip_syntax_errors`: tells the log, and perhaps somebody. `some`: there were good addresses too.
fn skip_errors(
    ctx: &mut Context,
    router: &RouterInstance,
    o: &RedirectOptions,
    purpose: RoutePurpose,
    errors: &[SkippedError],
    some: bool,
) {
    for e in errors {
        let place = if e.item.is_empty() { String::new() } else { format!(" in \"{}\"", e.item) };
        let line = format!("{} router: skipped error: {}{place}", router.name, e.message);
        log::write(ctx, None, Which::MAIN, line.as_bytes());
    }
    if !errors.is_empty() && purpose == RoutePurpose::Deliver {
        syntax_errors::mail_syntax_errors(ctx, router, o, errors, some);
    }
}

impl RedirectOptions {
    /// Where the data come from, for messages.
    fn kind(&self) -> &'static str {
        if self.file.is_set() { "file" } else { "data" }
    }

    /// Puts the text of a failure or deferral into the address, without an SMTP code if `forbid_smtp_code` is set.
    fn give_text(&self, addr: &mut Address, text: &[u8]) {
        let code = crate::smtp_in::answer::code_length(text).filter(|_| self.forbid_smtp_code).unwrap_or(0);
        let text = Text::tainted(text.get(code..).unwrap_or_default());
        addr.failure.message = Some(text.clone());
        addr.failure.user_message = Some(text);
        addr.flags.user_message_given = true;
    }
}

/// Must another process do what the user could not be trusted with here?
pub fn needs_child(uid: u32) -> bool {
    use crate::sys::ids;
    (ids::getuid() == 0 || ids::geteuid() == 0) && ids::geteuid() != uid
}

/// The `=>` line of an address that nothing is delivered for.
fn log_discarded(ctx: &mut Context, router: &RouterInstance, addr: &Address, how: &str) {
    let line = format!("=> {how} <{}> R={}", addr.address.as_bytes().as_bstr(), router.name);
    log::write(ctx, None, Which::MAIN, line.as_bytes());
}
