//! The sections of routers, transports and authenticators (manual section 6.23).
//!
//! One loop for the three kinds; what differs is in [`Kind`]. Drivers come from the registries of their rooms.

use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::error::ConfigError;
use super::lines::Lines;
use super::options::{OptionSet, Str};
use super::read::{is_definition, name_line, section_start};
use super::{Config, pending, setting};
use crate::auths::options::AuthOptions;
use crate::auths::{AuthInstance, Authenticator};
use crate::routers::options::RouterOptions;
use crate::routers::{Router, RouterInstance};
use crate::transports::options::TransportOptions;
use crate::transports::{Transport, TransportInstance};

/// One kind of driver.
trait Kind {
    /// `router`, `transport`, `authenticator`.
    const NAME: &'static str;
    /// Options that all drivers of the kind have.
    type Generic: OptionSet + Default;
    /// A driver.
    type Driver: ?Sized;
    /// Makes a driver.
    fn make(name: &[u8]) -> Option<(&'static str, Box<Self::Driver>)>;
    /// Its private options.
    fn private<'a>(driver: &'a mut Self::Driver) -> &'a mut (dyn OptionSet + 'a);
    /// Is there an instance of that name?
    fn exists(config: &Config, name: &[u8]) -> bool;
    /// Completes an instance and puts it into the configuration.
    fn finish(draft: Draft<Self>, name: &'static str, driver: Box<Self::Driver>, config: &mut Config) -> Result<(), ConfigError>
    where
        Self: Sized;
}

/// An instance that is being read.
struct Draft<K: Kind + ?Sized> {
    name: BString,
    place: String,
    generic: K::Generic,
    driver: Option<(&'static str, Box<K::Driver>)>,
    set: Vec<String>,
    hidden: Vec<String>,
}

fn section<K: Kind>(config: &mut Config, lines: &mut Lines) -> Result<Option<BString>, ConfigError> {
    let mut current: Option<Draft<K>> = None;
    loop {
        let line = lines.next()?;
        let section = line.as_ref().and_then(|l| section_start(l));
        let starts = line.as_ref().and_then(|l| name_line(l)).map(|(n, rest)| (BString::from(n), BString::from(rest)));
        let ends = line.is_none() || section.is_some() || starts.is_some() || line.as_ref().is_some_and(|l| is_definition(l));
        if ends && let Some(draft) = current.take() {
            end::<K>(draft, config)?;
        }
        let Some(line) = line else { return Ok(None) };
        if section.is_some() {
            return Ok(section);
        }
        if let Some((name, rest)) = starts {
            if K::exists(config, &name) {
                return Err(ConfigError::general(format!("there are two {}s called \"{name}\"", K::NAME)));
            }
            if !rest.is_empty() {
                return Err(lines.error(format!("extra characters follow driver name {name}")));
            }
            current = Some(Draft {
                name,
                place: lines.position(),
                generic: K::Generic::default(),
                driver: None,
                set: Vec::new(),
                hidden: Vec::new(),
            });
        } else if is_definition(&line) {
            lines.define(&line)?;
        } else if let Some(draft) = &mut current {
            option::<K>(draft, &line).map_err(|e| lines.error(e))?;
        } else {
            return Err(lines.error(format!("{} name missing", K::NAME)));
        }
    }
}

fn option<K: Kind>(draft: &mut Draft<K>, line: &[u8]) -> Result<(), String> {
    let parts = setting::split(line);
    if parts.word == b"driver" {
        if draft.driver.is_some() {
            return Err("\"driver\" option set for the second time".into());
        }
        let Some(text) = parts.rest.strip_prefix(b"=") else {
            return Err(if parts.rest.is_empty() {
                "unexpected end of line (data missing) after driver".into()
            } else {
                "missing \"=\" after driver".into()
            });
        };
        let wanted = setting::string("driver", text.trim_start())?;
        let made = K::make(&wanted);
        draft.driver =
            Some(made.ok_or_else(|| format!("{} {}: cannot find {} driver \"{wanted}\"", K::NAME, draft.name, K::NAME))?);
        return Ok(());
    }
    let Draft { generic, driver, set, hidden, .. } = draft;
    let driver_name = driver.as_ref().map_or("", |d| d.0);
    let found = match driver {
        Some((_, d)) => setting::apply(&parts, &mut [generic, K::private(d)], set)?,
        None => setting::apply(&parts, &mut [generic], set)?,
    };
    let Some(done) = found else {
        let word = parts.word.as_bstr();
        return Err(if driver.is_none() {
            format!("option \"{word}\" unknown (\"driver\" must be specified before any private options)")
        } else {
            format!("option \"{word}\" unknown{}", crate::event::renamed_option(parts.word))
        });
    };
    let value = match driver {
        Some((_, d)) => generic.option(&done.name).or_else(|| K::private(d).option(&done.name)),
        None => generic.option(&done.name),
    };
    if let Some(text) = pending::driver(K::NAME, driver_name, &done.name, value) {
        return Err(text);
    }
    if done.hidden {
        hidden.push(done.name);
    }
    Ok(())
}

fn end<K: Kind>(mut draft: Draft<K>, config: &mut Config) -> Result<(), ConfigError> {
    match draft.driver.take() {
        Some((name, driver)) => K::finish(draft, name, driver, config),
        None => Err(ConfigError::general(format!("no driver defined for {} \"{}\"", K::NAME, draft.name))),
    }
}

struct Routers;
impl Kind for Routers {
    const NAME: &'static str = "router";
    type Generic = RouterOptions;
    type Driver = dyn Router;
    fn make(name: &[u8]) -> Option<(&'static str, Box<dyn Router>)> {
        crate::routers::drivers().find(|d| d.name.as_bytes() == name).map(|d| (d.name, (d.make)()))
    }
    fn private<'a>(driver: &'a mut (dyn Router + 'static)) -> &'a mut (dyn OptionSet + 'a) {
        driver.options_mut()
    }
    fn exists(config: &Config, name: &[u8]) -> bool {
        config.router(name).is_some()
    }
    fn finish(
        mut d: Draft<Self>,
        driver_name: &'static str,
        mut driver: Box<dyn Router>,
        config: &mut Config,
    ) -> Result<(), ConfigError> {
        let given = |name: &str| d.set.iter().any(|s| s == name);
        let g = &mut d.generic;
        if !given("log_as_local") {
            g.log_as_local = driver_name == "accept";
        }
        if !given("retry_use_local_part") {
            g.retry_use_local_part = g.check_local_user
                || g.condition.is_set()
                || [&g.local_parts, &g.local_part_prefix, &g.local_part_suffix, &g.senders, &g.require_files]
                    .iter()
                    .any(|o| o.is_set());
        }
        driver.init(&d.name, &mut d.generic, &d.set, config).map_err(|e| ConfigError::driver(Self::NAME, &d.name, e))?;
        check_self(&d.generic).map_err(|e| ConfigError::driver(Self::NAME, &d.name, e))?;
        check_transport(driver_name, &d.generic).map_err(|e| ConfigError::general(format!("{} router:\n  {e}", d.name)))?;
        config.routers.push(Arc::new(RouterInstance {
            name: d.name,
            driver_name,
            generic: d.generic,
            set_options: d.set,
            hidden: d.hidden,
            place: d.place,
            driver,
        }));
        Ok(())
    }
}

/// The words that `self` takes.
fn check_self(generic: &RouterOptions) -> Result<(), String> {
    let text = generic.self_.raw().unwrap_or_default();
    let word = text.split(|c| *c == b':').next().unwrap_or_default().trim();
    let good = match word {
        b"reroute" => text.contains(&b':'),
        b"freeze" | b"defer" | b"send" | b"pass" | b"fail" => text.trim() == word,
        _ => false,
    };
    if good { Ok(()) } else { Err(format!("{} is not valid for the self option", text.as_bstr())) }
}

struct Transports;
impl Kind for Transports {
    const NAME: &'static str = "transport";
    type Generic = TransportOptions;
    type Driver = dyn Transport;
    fn make(name: &[u8]) -> Option<(&'static str, Box<dyn Transport>)> {
        crate::transports::DRIVERS.iter().find(|d| d.name.as_bytes() == name).map(|d| (d.name, (d.make)()))
    }
    fn private<'a>(driver: &'a mut (dyn Transport + 'static)) -> &'a mut (dyn OptionSet + 'a) {
        driver.options_mut()
    }
    fn exists(config: &Config, name: &[u8]) -> bool {
        config.transport(name).is_some()
    }
    fn finish(
        mut d: Draft<Self>,
        driver_name: &'static str,
        mut driver: Box<dyn Transport>,
        config: &mut Config,
    ) -> Result<(), ConfigError> {
        driver.init(&d.name, &mut d.generic, &d.set, config).map_err(|e| ConfigError::driver(Self::NAME, &d.name, e))?;
        if !d.set.iter().any(|s| s == "retry_use_local_part") {
            d.generic.retry_use_local_part = matches!(driver.kind(), crate::transports::Kind::Local(_));
        }
        config.transports.push(Arc::new(TransportInstance {
            name: d.name,
            driver_name,
            generic: d.generic,
            set_options: d.set,
            hidden: d.hidden,
            place: d.place,
            driver,
        }));
        Ok(())
    }
}

struct Auths;
impl Kind for Auths {
    const NAME: &'static str = "authenticator";
    type Generic = AuthOptions;
    type Driver = dyn Authenticator;
    fn make(name: &[u8]) -> Option<(&'static str, Box<dyn Authenticator>)> {
        crate::auths::drivers().find(|d| d.name.as_bytes() == name).map(|d| (d.name, (d.make)()))
    }
    fn private<'a>(driver: &'a mut (dyn Authenticator + 'static)) -> &'a mut (dyn OptionSet + 'a) {
        driver
    }
    fn exists(config: &Config, name: &[u8]) -> bool {
        config.auths.iter().any(|a| a.name == name)
    }
    fn finish(
        mut d: Draft<Self>,
        driver_name: &'static str,
        mut driver: Box<dyn Authenticator>,
        config: &mut Config,
    ) -> Result<(), ConfigError> {
        if !d.generic.public_name.is_set() {
            d.generic.public_name = Str::from_bytes(&d.name);
        }
        let sides = driver.init(&d.generic).map_err(|e| ConfigError::driver(Self::NAME, &d.name, e))?;
        config.auths.push(Arc::new(AuthInstance {
            name: d.name,
            driver_name,
            generic: d.generic,
            set_options: d.set,
            hidden: d.hidden,
            place: d.place,
            server: sides.server,
            client: sides.client,
            driver,
        }));
        Ok(())
    }
}

/// `begin routers`.
pub fn routers(config: &mut Config, lines: &mut Lines) -> Result<Option<BString>, ConfigError> {
    section::<Routers>(config, lines)
}

/// `begin transports`.
pub fn transports(config: &mut Config, lines: &mut Lines) -> Result<Option<BString>, ConfigError> {
    section::<Transports>(config, lines)
}

/// Some routers must have a transport, redirection must not.
fn check_transport(driver: &str, generic: &RouterOptions) -> Result<(), &'static str> {
    match driver {
        "accept" | "dnslookup" | "ipliteral" if !generic.transport.is_set() && !generic.verify_only => {
            Err("a transport is required for this router")
        }
        "redirect" if generic.transport.is_set() => Err("a transport must not be defined for this router"),
        _ => Ok(()),
    }
}

/// `begin authenticators`.
pub fn authenticators(config: &mut Config, lines: &mut Lines) -> Result<Option<BString>, ConfigError> {
    section::<Auths>(config, lines)
}

/// What can be checked only when all sections have been read.
pub fn check_all(config: &Config) -> Result<(), ConfigError> {
    for r in &config.routers {
        for (what, option) in [("pass_router", &r.generic.pass_router), ("redirect_router", &r.generic.redirect_router)] {
            let Some(wanted) = option.raw().filter(|w| !w.is_empty()) else { continue };
            let Some((to, _)) = config.router(wanted) else {
                return Err(ConfigError::general(format!(
                    "new_router \"{}\" not found for \"{}\" router",
                    wanted.as_bstr(),
                    r.name
                )));
            };
            let from = config.router(&r.name).map_or(0, |(i, _)| i);
            if what == "pass_router" && to <= from {
                return Err(ConfigError::general(format!(
                    "new_router \"{}\" does not follow \"{}\" router",
                    wanted.as_bstr(),
                    r.name
                )));
            }
        }
    }
    type Side = fn(&AuthInstance) -> bool;
    for (i, a) in config.auths.iter().enumerate() {
        for b in config.auths.iter().skip(i + 1) {
            let (Some(x), Some(y)) = (a.generic.public_name.raw(), b.generic.public_name.raw()) else { continue };
            if !x.eq_ignore_ascii_case(y) {
                continue;
            }
            for (side, is) in [("client", (|d| d.client) as Side), ("server", |d| d.server)] {
                if is(a) && is(b) {
                    return Err(ConfigError::general(format!(
                        "two {side} authenticators ({} and {}) have the same public name ({})",
                        a.name,
                        b.name,
                        x.as_bstr()
                    )));
                }
            }
        }
    }
    Ok(())
}
