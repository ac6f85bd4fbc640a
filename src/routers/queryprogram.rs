//! The `queryprogram` router (manual chapter 21): asks a command where an address goes.
//!
//! Called through the registry of drivers. No shell sees the command, and its output is data, not commands.

use std::io::Read;
use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};

use super::options::RouterOptions;
use super::redirect::{self, RedirectOptions};
use super::{Router, RouterInstance};
use crate::config::Config;
use crate::config::options::*;
use crate::context::Context;
use crate::expand::ids::{self as accounts, Owner};
use crate::log::{self, Which};
use crate::options;
use crate::parse::Rules as AddressRules;
use crate::parse::forward::{ForwardEnd, ForwardOptions, parse_forward_list};
use crate::route::hostlist::{self, Find, HostFailure, LookupKind};
use crate::route::{Address, RoutePurpose, Routed, common};
use crate::sys::process::{self, WaitStatus};
use crate::sys::spawn::{RunAs, Spawn, Stdio, Step};
use crate::sys::{ids, poll, users};
use crate::text::{Taint, Text};
use crate::transports::command::{self, CommandError, Rules};

/// Most bytes of the command's line that are looked at.
const MAX_LINE: u64 = 1023;

options! {
    /// Private options of the `queryprogram` driver.
    pub struct QueryprogramOptions {
        /// Program to run.
        command: Str = Str::unset(),
        /// Gid for program.
        command_group: Str = Str::unset(),
        /// Uid for program; required.
        command_user: Str = Str::unset(),
        /// Working directory for program.
        current_directory: Str = Str::fixed("/"),
        /// Time limit; zero unlimited.
        timeout: Time = Time(3600),
    }
}

/// The driver.
#[derive(Debug, Default)]
pub struct Queryprogram {
    options: QueryprogramOptions,
}

/// Why the command gave no answer.
enum Trouble {
    Defer(String),
    Freeze(String),
}

impl Router for Queryprogram {
    fn options(&self) -> &dyn OptionSet {
        &self.options
    }
    fn options_mut(&mut self) -> &mut dyn OptionSet {
        &mut self.options
    }

    fn init(&mut self, _: &BString, _: &mut RouterOptions, _: &[String], _: &Config) -> Result<(), String> {
        let o = &self.options;
        if !o.command_user.is_set() {
            return Err("command_user must be specified".into());
        }
        if o.command.raw().is_none_or(<[u8]>::is_empty) {
            return Err("command must be specified".into());
        }
        if o.current_directory.raw().is_none_or(|d| d.first() != Some(&b'/')) {
            return Err("current_directory must be an absolute path".into());
        }
        Ok(())
    }

    fn route(&self, ctx: &mut Context, router: &RouterInstance, addr: &mut Address, purpose: RoutePurpose) -> Routed {
        let line = match self.run(ctx, router, addr) {
            Ok(line) => line,
            Err(Trouble::Defer(message)) => return common::defer(addr, message),
            Err(Trouble::Freeze(message)) => {
                addr.flags.freeze = true;
                return common::defer(addr, message);
            }
        };
        let line = line.trim();
        let end = line.find_byteset(b" \t\n").unwrap_or(line.len());
        let (word, rest) = (line[..end].to_ascii_lowercase(), line[end..].trim());
        let text = |default: &str| Text::tainted(if rest.is_empty() { default.as_bytes().to_vec() } else { rest.to_vec() });
        match word.as_slice() {
            b"decline" => Routed::Decline,
            b"pass" => Routed::Pass,
            b"fail" => {
                addr.failure.message = Some(text("forced rejection"));
                addr.failure.user_message = addr.failure.message.clone();
                addr.flags.pass_message = true;
                Routed::Fail
            }
            b"defer" | b"freeze" => {
                addr.flags.freeze = word == b"freeze";
                addr.failure.message = Some(text(""));
                Routed::Defer
            }
            b"redirect" => self.redirect(ctx, router, addr, purpose, rest),
            b"accept" => match self.accept(ctx, router, addr, purpose, rest) {
                Ok(routed) => routed,
                Err(message) => common::defer(addr, message),
            },
            _ => {
                let text = format!("bad command yield: {} {}", line[..end].as_bstr(), rest.as_bstr());
                complain(ctx, router, &text);
                common::defer(addr, text)
            }
        }
    }
}

/// A command that does not keep to the rules is the administrator's business.
fn complain(ctx: &Context, router: &RouterInstance, text: &str) {
    log::write(ctx, None, Which::PANIC, format!("{} router: {text}", router.name).as_bytes());
}

impl Queryprogram {
    /// Runs the command and gives its line.
    fn run(&self, ctx: &mut Context, router: &RouterInstance, addr: &Address) -> Result<Vec<u8>, Trouble> {
        let o = &self.options;
        let name = &router.name;
        let defer = |m: String| Trouble::Defer(m);
        let run_as = self.identity(ctx, router).map_err(defer)?;
        // The reference names the driver here, not the router.
        let owner = "queryprogram router";
        let rules = Rules { expand: true, recipients: false, owner };
        let template = Text::clean(o.command.raw().unwrap_or_default());
        let argv = command::arguments(ctx, &template, std::slice::from_ref(addr), rules).map_err(|e| match e {
            CommandError::Expansion(m) | CommandError::Other(m) | CommandError::Tainted(m) => Trouble::Defer(m),
        })?;
        let argv: Vec<Vec<u8>> = argv.into_iter().map(Vec::from).collect();
        let path = argv.first().cloned().unwrap_or_default();
        if path.first() != Some(&b'/') {
            return Err(Trouble::Defer(format!("{name} router: command \"{}\" is not an absolute path", path.as_bstr())));
        }
        let mut spawn = Spawn::new(&path, &argv, &[]);
        spawn.stdout = Stdio::Pipe;
        spawn.stderr = Stdio::SameAsStdout;
        spawn.run_as = run_as;
        spawn.umask = Some(0o077);
        spawn.directory = o.current_directory.raw();
        spawn.new_group = true;
        let limit = u64::try_from(o.timeout.0).ok().filter(|t| *t > 0);
        let deadline = limit.map(|t| Instant::now() + Duration::from_secs(t));
        let mut child = spawn.start().map_err(|e| {
            if e.step == Step::Exec {
                Trouble::Defer(format!("{name} router: command returned non-zero code 127"))
            } else {
                Trouble::Defer(format!("{name} router couldn't create child process: {}", crate::sys::error_text(&e.error)))
            }
        })?;
        let timed_out = |pid: i32| {
            let _ = process::kill(-pid, libc::SIGKILL);
            let _ = process::wait(pid);
            Trouble::Freeze(format!("{name} router: command timed out"))
        };
        let mut output = Vec::new();
        if let Some(fd) = child.stdout.take() {
            use std::os::fd::AsFd;
            let mut file = std::fs::File::from(fd);
            let mut buffer = [0u8; 1024];
            loop {
                if let Some(d) = deadline
                    && !poll::wait_readable(file.as_fd(), Some(d)).unwrap_or(true)
                {
                    return Err(timed_out(child.pid));
                }
                match file.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(n) => {
                        // All is read, so that the command does not block; only the start counts.
                        let room = (MAX_LINE as usize).saturating_sub(output.len());
                        output.extend_from_slice(&buffer[..n.min(room)]);
                    }
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
        }
        let status = match deadline {
            None => process::wait(child.pid).ok(),
            Some(d) => match process::wait_until(child.pid, d.max(Instant::now() + Duration::from_millis(100))) {
                Ok(Some(s)) => Some(s),
                Ok(None) => return Err(timed_out(child.pid)),
                Err(_) => None,
            },
        };
        match status {
            Some(s) if s.success() => {}
            Some(WaitStatus::Signaled { signal, .. }) => {
                return Err(Trouble::Defer(format!("{name} router: command killed by signal {signal}")));
            }
            Some(WaitStatus::Exited(code)) => {
                return Err(Trouble::Defer(format!("{name} router: command returned non-zero code {code}")));
            }
            _ => return Err(Trouble::Defer(format!("{name} router: wait() failed for the command"))),
        }
        let line = output.split_once_str(b"\n").map_or(output.as_slice(), |(l, _)| l).to_vec();
        if output.is_empty() {
            return Err(Trouble::Defer(format!("{name} router: command failed to return data")));
        }
        Ok(line)
    }

    /// As whom the command runs; `None` if we could not change anyway.
    fn identity(&self, ctx: &mut Context, router: &RouterInstance) -> Result<Option<RunAs>, String> {
        let Some(template) = self.options.command_user.get().cloned() else { return Ok(None) };
        let (uid, user) = accounts::user(ctx, Owner::Router(&router.name), &template)?;
        let gid = match self.options.command_group.get().cloned() {
            Some(t) => accounts::group(ctx, Owner::Router(&router.name), &t)?,
            None => match &user {
                Some(u) => u.gid,
                None => return Err(format!("command_user set without command_group for {} router", router.name)),
            },
        };
        if ids::geteuid() != 0 {
            return Ok(None);
        }
        let groups = match &user {
            Some(u) => users::group_list(&u.name, gid).unwrap_or_else(|_| vec![gid]),
            None => vec![gid],
        };
        Ok(Some(RunAs { uid, gid, groups }))
    }

    /// `REDIRECT`: the rest is a list of addresses.
    fn redirect(
        &self,
        ctx: &mut Context,
        router: &RouterInstance,
        addr: &mut Address,
        purpose: RoutePurpose,
        list: &[u8],
    ) -> Routed {
        let options = ForwardOptions {
            allow_fail: true,
            allow_defer: true,
            forbid_blackhole: false,
            forbid_include: true,
            directory: None,
            incoming_domain: &addr.domain,
            skip_syntax_errors: false,
            tainted: true,
            rules: AddressRules::new(&ctx.config.main),
        };
        match parse_forward_list(&options, list) {
            Ok(found) if found.items.is_empty() => Routed::Decline,
            Ok(found) => {
                let items = redirect::children::of_list(&found.items, Taint::Tainted);
                redirect::children::make(ctx, router, &RedirectOptions::default(), addr, purpose, &items, Taint::Tainted)
                    .map_or_else(|end| end, Routed::Children)
            }
            Err(ForwardEnd::Blackhole) => Routed::Discard,
            Err(ForwardEnd::Fail(m)) => {
                addr.failure.message = Some(Text::tainted(m));
                Routed::Fail
            }
            Err(ForwardEnd::Defer(m)) => common::defer(addr, m),
            Err(ForwardEnd::IncludeFailed(m) | ForwardEnd::Error(m)) => common::defer(addr, format!("error in alias list: {m}")),
        }
    }

    /// `ACCEPT`, with what follows it.
    fn accept(
        &self,
        ctx: &mut Context,
        router: &RouterInstance,
        addr: &mut Address,
        purpose: RoutePurpose,
        rest: &[u8],
    ) -> Result<Routed, String> {
        let fields = fields(rest);
        let field = |name: &[u8]| fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).filter(|v| !v.is_empty());
        if let Some(data) = field(b"data") {
            addr.address_data = Some(Text::tainted(data));
        }
        if let Some(name) = field(b"transport") {
            match ctx.config.transport(&name) {
                Some(t) => addr.transport = Some(t.clone()),
                None => {
                    let text = format!("unknown transport name {name} yielded by command");
                    complain(ctx, router, &text);
                    return Err(text);
                }
            }
        }
        common::accept(ctx, router, addr, purpose)?;
        let Some(list) = field(b"hosts") else { return Ok(Routed::Accept) };
        let kind = match field(b"lookup").map(|l| l.to_ascii_lowercase()).as_deref() {
            None => LookupKind::Default,
            Some(b"byname") => LookupKind::ByName,
            Some(b"bydns") => LookupKind::ByDns,
            Some(b"bydns/ipv4_only" | b"ipv4_only") => LookupKind::ByDnsV4Only,
            Some(b"bydns/ipv4_prefer" | b"ipv4_prefer") => LookupKind::ByDnsV4First,
            Some(other) => return Err(format!("bad lookup type \"{}\" yielded by queryprogram command", other.as_bstr())),
        };
        addr.hosts = hostlist::build(ctx, &list, false);
        if addr.transport.as_ref().is_some_and(|t| t.local().is_some()) {
            return Ok(Routed::Accept);
        }
        let find = Find { kind, find_failed: HostFailure::Defer, all_ignored: HostFailure::Defer };
        let routed = hostlist::look_up(ctx, router, addr, &find).unwrap_or(Routed::Accept);
        if !matches!(routed, Routed::Accept) {
            addr.transport = None;
        }
        Ok(routed)
    }
}

/// `name=value` pairs; a value may be in double quotes.
fn fields(mut rest: &[u8]) -> Vec<(Vec<u8>, BString)> {
    let mut out = Vec::new();
    loop {
        rest = rest.trim_start();
        let Some(i) = rest.find_byte(b'=') else { return out };
        let name = rest[..i].trim().to_ascii_lowercase();
        rest = rest[i + 1..].trim_start();
        let value = if rest.first() == Some(&b'"') {
            let end = rest[1..].find_byte(b'"').map_or(rest.len(), |e| e + 1);
            let value = BString::from(&rest[1..end]);
            rest = rest.get(end + 1..).unwrap_or_default();
            value
        } else {
            let end = rest.find_byteset(b" \t").unwrap_or(rest.len());
            let value = BString::from(&rest[..end]);
            rest = &rest[end..];
            value
        };
        out.push((name, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs() {
        let f = fields(b"Transport=t1  HOSTS=a:b data=\"x y\"");
        assert_eq!(f.len(), 3);
        assert_eq!((f[0].0.as_slice(), f[1].1.as_slice(), f[2].1.as_slice()), (&b"transport"[..], &b"a:b"[..], &b"x y"[..]));
        assert!(fields(b"=\"").len() == 1);
    }
}
