//! `-bP`: what the configuration says (manual section 5.3).
//!
//! The command line calls it with the words that follow `-bP`; output is collected, so that it can be tested.

use bstr::{BString, ByteSlice};

use super::options::OptionSet;
use super::{Config, ListKind, builtin};
use crate::sys::users;

/// Options that `-bP` shows only when asked for by name: old spellings and setters of other options.
const UNLISTED: &[&str] = &["daemon_smtp_port", "return_size_limit", "rfc1413_port", "fail_verify", "verify"];

const HIDDEN: &str = "<value not displayable>";

/// Who asks, and how.
#[derive(Clone, Copy, Debug)]
pub struct Viewer {
    /// May see hidden values and macros.
    pub admin: bool,
    /// `-n`: values without names.
    pub bare: bool,
    /// Test harness: no version in `-bP config`.
    pub test_harness: bool,
}

/// What to print, and whether everything was found.
#[derive(Debug, Default)]
pub struct Shown {
    /// For stdout.
    pub text: BString,
    /// For stderr.
    pub errors: BString,
    /// Something was not found or not allowed.
    pub failed: bool,
}

impl Shown {
    fn line(&mut self, text: &[u8]) {
        self.text.extend_from_slice(text);
        self.text.push(b'\n');
    }
    fn missing(&mut self, text: String) {
        self.line(text.as_bytes());
        self.failed = true;
    }
}

/// Answers one `-bP` with its arguments.
pub fn show(config: &Config, viewer: Viewer, arguments: &[BString]) -> Shown {
    let mut out = Shown::default();
    let p = Printer { config, viewer };
    if arguments.is_empty() {
        p.all_main(&mut out);
    }
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_slice() {
            kind @ (b"router" | b"transport" | b"authenticator" | b"macro") => match words.next() {
                Some(name) => p.named(&mut out, kind, name),
                None => p.main(&mut out, kind),
            },
            other => p.one(&mut out, other),
        }
    }
    out
}

/// A fixed user brings the group with it, if no other is set: `name = GROUP`.
fn group_of_user(set: &dyn OptionSet, name: &str) -> Option<BString> {
    let option = if name == "group" { "user" } else { "command_user" };
    let shown = set.option(option)?.show(option);
    let user = shown.split_once_str(" = ").map(|(_, user)| user).filter(|u| !u.is_empty() && !u.contains(&b'$'))?;
    let found = match user.to_str().ok().and_then(|u| u.parse().ok()) {
        Some(uid) => users::user_by_id(uid),
        None => users::user_by_name(user),
    };
    let gid = found.ok()??.gid;
    let group = users::group_by_id(gid).ok().flatten().map_or_else(|| gid.to_string().into(), |g| g.name);
    Some([name.as_bytes(), b" = ", &group].concat().into())
}

struct Printer<'a> {
    config: &'a Config,
    viewer: Viewer,
}

impl Printer<'_> {
    fn all_main(&self, out: &mut Shown) {
        let mut names = self.config.main.names().to_vec();
        names.sort_unstable();
        for name in names.into_iter().filter(|n| !UNLISTED.contains(n) && super::pending::main_works(n)) {
            self.option(out, &self.config.main, name, &self.config.hidden);
        }
    }

    fn option(&self, out: &mut Shown, set: &dyn OptionSet, name: &str, hidden: &[String]) {
        let Some(value) = set.option(name) else { return };
        if !self.viewer.admin && hidden.iter().any(|h| h == name) {
            let prefix = if self.viewer.bare { String::new() } else { format!("{name} = ") };
            out.line(format!("{prefix}{HIDDEN}").as_bytes());
            return;
        }
        let shown = match name {
            "group" | "command_group" if value.show(name).ends_with(b"= ") => group_of_user(set, name),
            _ => None,
        };
        let shown = shown.unwrap_or_else(|| value.show(name));
        let shown = crate::log::escape::printing(&shown, self.config.main.print_topbitchars);
        out.line(self.bare(name, &shown));
    }

    /// For `-n`: the value without `name = `.
    fn bare<'a>(&self, name: &str, shown: &'a BString) -> &'a [u8] {
        if !self.viewer.bare {
            return shown;
        }
        match shown.strip_prefix(name.as_bytes()).map(|r| r.trim_start()).and_then(|r| r.strip_prefix(b"=")) {
            Some(value) => value.strip_prefix(b" ").unwrap_or(value),
            None => shown,
        }
    }

    fn main(&self, out: &mut Shown, word: &[u8]) {
        match word.to_str().ok().filter(|w| self.config.main.option(w).is_some()) {
            Some(name) => self.option(out, &self.config.main, name, &self.config.hidden),
            None => out.missing(format!("{} is not a known option", word.as_bstr())),
        }
    }

    fn one(&self, out: &mut Shown, word: &[u8]) {
        if let Some(name) = word.strip_prefix(b"+") {
            return self.list(out, name);
        }
        match word {
            b"all" => self.all_main(out),
            b"configure_file" | b"config_file" => out.line(&self.config.file),
            b"config" => self.file(out),
            b"environment" => {
                let mut all = crate::sys::exec::current_environment();
                all.sort();
                for entry in all {
                    // `-n`: the names only.
                    let name = entry.find_byte(b'=').and_then(|n| entry.get(..n)).filter(|_| self.viewer.bare);
                    out.line(name.unwrap_or(&entry));
                }
            }
            b"local_scan" => out.line(b"local_scan() options are not supported"),
            b"macros" | b"macro_list" => self.macros(out, word),
            b"routers" => {
                for r in &self.config.routers {
                    out.line(format!("\n{} router:", r.name).as_bytes());
                    self.driver(out, "router", r.driver_name, &r.generic, r.driver.options());
                }
            }
            b"transports" => {
                for t in &self.config.transports {
                    out.line(format!("\n{} transport:", t.name).as_bytes());
                    self.driver(out, "transport", t.driver_name, &t.generic, t.driver.options());
                }
            }
            b"authenticators" => {
                for a in &self.config.auths {
                    out.line(format!("\n{} authenticator:", a.name).as_bytes());
                    self.driver(out, "authenticator", a.driver_name, &a.generic, &*a.driver);
                }
            }
            b"router_list" => self.config.routers.iter().for_each(|r| out.line(&r.name)),
            b"transport_list" => self.config.transports.iter().for_each(|t| out.line(&t.name)),
            b"authenticator_list" => self.config.auths.iter().for_each(|a| out.line(&a.name)),
            _ => self.main(out, word),
        }
    }

    fn list(&self, out: &mut Shown, name: &[u8]) {
        let mut found = false;
        for kind in [ListKind::Address, ListKind::Domain, ListKind::Host, ListKind::LocalPart] {
            if let Some(list) = self.config.named_list(kind, name) {
                found = true;
                let value: &[u8] = if list.hidden && !self.viewer.admin { HIDDEN.as_bytes() } else { list.text.raw() };
                if self.viewer.bare {
                    out.line(value);
                } else {
                    out.line(&[kind.keyword().as_bytes(), b" ", name, b" = ", value].concat());
                }
            }
        }
        if !found {
            out.missing(format!("no address, domain, host, or local part list called \"{}\" exists", name.as_bstr()));
        }
    }

    fn macros(&self, out: &mut Shown, word: &[u8]) {
        if !self.viewer.admin {
            out.errors.extend_from_slice(b"exim: permission denied\n");
            out.failed = true;
            return;
        }
        for m in &self.config.macros {
            if word == b"macro_list" {
                out.line(&m.name);
            } else if self.viewer.bare {
                out.line(&m.value);
            } else {
                out.line(&builtin::shown(m));
            }
        }
    }

    fn named(&self, out: &mut Shown, kind: &[u8], name: &BString) {
        let config = self.config;
        match kind {
            b"router" => {
                if let Some((_, r)) = config.router(name) {
                    return self.driver(out, "router", r.driver_name, &r.generic, r.driver.options());
                }
            }
            b"transport" => {
                if let Some(t) = config.transport(name) {
                    return self.driver(out, "transport", t.driver_name, &t.generic, t.driver.options());
                }
            }
            b"authenticator" => {
                if let Some(a) = config.auths.iter().find(|a| a.name == *name) {
                    return self.driver(out, "authenticator", a.driver_name, &a.generic, &*a.driver);
                }
            }
            _ => {
                if !self.viewer.admin {
                    out.errors.extend_from_slice(b"exim: permission denied\n");
                    out.failed = true;
                    return;
                }
                if let Some(m) = config.macros.iter().find(|m| m.name == *name) {
                    return out.line(&if self.viewer.bare { m.value.clone() } else { builtin::shown(m) });
                }
            }
        }
        out.missing(format!("{} {name} not found", kind.as_bstr()));
    }

    /// `hide` on a driver's option hides it in all instances of that driver; on a generic one, in all of the kind.
    fn hidden_of(&self, kind: &str, driver: &str) -> Vec<String> {
        let c = self.config;
        let each: Vec<(&str, &Vec<String>)> = match kind {
            "router" => c.routers.iter().map(|r| (r.driver_name, &r.hidden)).collect(),
            "transport" => c.transports.iter().map(|t| (t.driver_name, &t.hidden)).collect(),
            _ => c.auths.iter().map(|a| (a.driver_name, &a.hidden)).collect(),
        };
        each.iter().filter(|(d, _)| *d == driver).flat_map(|(_, h)| h.iter().cloned()).collect()
    }

    fn driver(&self, out: &mut Shown, kind: &str, driver_name: &str, generic: &dyn OptionSet, private: &dyn OptionSet) {
        let hidden = &self.hidden_of(kind, driver_name);
        let usable = |n: &&str| !UNLISTED.contains(n) && super::pending::driver_works(kind, driver_name, n);
        let mut names: Vec<&str> = generic.names().iter().copied().filter(usable).collect();
        names.push("driver");
        names.sort_unstable();
        for name in names {
            if name == "driver" {
                let shown = BString::from(format!("driver = {driver_name}"));
                out.line(self.bare("driver", &shown));
            } else {
                self.option(out, generic, name, hidden);
            }
        }
        let mut names: Vec<&str> = private.names().iter().copied().filter(usable).collect();
        names.sort_unstable();
        for name in names {
            self.option(out, private, name, hidden);
        }
    }

    /// `-bP config`: the logical lines, indented by what they are.
    fn file(&self, out: &mut Shown) {
        let version = if self.viewer.test_harness { "X".into() } else { crate::version::version() };
        out.line(format!("# Exim Configuration ({version})").as_bytes());
        let mut depth = 0;
        let mut section = BString::default();
        for line in &self.config.lines {
            let text = squeeze(line);
            if text.first() == Some(&b'#') {
                out.line(&text);
                continue;
            }
            let begins = super::read::section_start(&text);
            if let Some(name) = begins {
                if !self.viewer.bare {
                    out.line(b"");
                }
                out.line(&text);
                section = name;
                depth = usize::from(matches!(section.as_slice(), b"retry" | b"rewrite"));
                continue;
            }
            let named = matches!(section.as_slice(), b"acl" | b"routers" | b"transports" | b"authenticators")
                && super::read::name_line(&text).is_some_and(|(_, rest)| rest.is_empty());
            if named {
                depth = 1;
                if !self.viewer.bare {
                    out.line(b"");
                }
            }
            let indent = if self.viewer.bare { 0 } else { 2 * depth };
            let mut shown = BString::from(b" ".repeat(indent));
            shown.extend_from_slice(&self.cover(&text));
            out.line(&shown);
            if named {
                depth = 2;
            }
        }
    }

    /// For those who are no admins: values of macros and of hidden settings are left out.
    fn cover(&self, text: &BString) -> BString {
        let secret = text.first().is_some_and(u8::is_ascii_uppercase) || text.starts_with(b"hide ");
        match text.find_byte(b'=') {
            Some(at) if secret && !self.viewer.admin => {
                let mut s = BString::from(text.get(..=at).unwrap_or_default());
                s.push(b' ');
                s.extend_from_slice(HIDDEN.as_bytes());
                s
            }
            _ => text.clone(),
        }
    }
}

/// Runs of white space become one blank.
fn squeeze(line: &BString) -> BString {
    let mut out = BString::default();
    for word in line.fields() {
        if !out.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
    out
}
