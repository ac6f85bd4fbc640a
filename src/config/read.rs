//! Reads a configuration: the main section, then the others in any order.
//!
//! The start of the program calls [`load`]; the result does not change any more.

use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::error::ConfigError;
use super::lines::Lines;
use super::macros::{Macros, split_definition};
use super::options::OptionSet as _;
use super::{Config, ListKind, Macro, NamedList, drivers, pending, setting, site, source};
use crate::context::{Run, Services};
use crate::expand::Template;
use crate::log::Settings;

/// What the reader needs to know.
pub struct Request<'a> {
    /// Colon-separated list of files; the first that exists is used.
    pub files: &'a [u8],
    /// Ownership and mode are checked.
    pub check_owner: bool,
    /// Macros of `-D`.
    pub macros: Vec<Macro>,
    /// The process.
    pub run: &'a Arc<Run>,
    /// Makes what expansions need, from a configuration whose main section has been read.
    pub services: &'a dyn Fn(&Config, &Run) -> Services,
}

/// A configuration, and what should go to the panic log all the same.
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Messages for main log and panic log.
    pub warnings: Vec<String>,
}

/// A configuration that cannot be used.
pub struct Failure {
    /// Why.
    pub error: ConfigError,
    /// Where to log it, as far as that had been read.
    pub log: Box<Settings>,
}

/// Reads everything.
pub fn load(request: Request<'_>) -> Result<Loaded, Failure> {
    let mut config = Config::default();
    let ids = match site::build_user(request.run) {
        Ok(ids) => ids.unwrap_or_default(),
        Err(text) => return Err(Failure { error: ConfigError::bare(text), log: Box::default() }),
    };
    (config.site.exim_uid, config.site.exim_gid) = ids;
    let mut warnings = Vec::new();
    match read(&mut config, request, ids, &mut warnings) {
        Ok(()) => Ok(Loaded { config, warnings }),
        Err(error) => Err(Failure { error, log: Box::new(site::early_log(&config)) }),
    }
}

fn read(config: &mut Config, request: Request<'_>, ids: (u32, u32), warnings: &mut Vec<String>) -> Result<(), ConfigError> {
    let (file, text) = source::read_main(request.files, request.check_owner, ids)?;
    config.file = file.clone();
    let mut lines = Lines::new(&file, text, Macros::new(request.macros));
    let result = sections(config, &mut lines, request.run, request.services, warnings);
    config.lines = std::mem::take(&mut lines.saved);
    config.macro_uses = lines.macros.take_uses();
    config.macros = std::mem::take(&mut lines.macros).into_list();
    result
}

/// Reads a configuration from memory, for fuzzing.
#[cfg(feature = "fuzzing")]
pub(crate) fn from_text(
    text: &[u8],
    run: &Arc<Run>,
    services: &dyn Fn(&Config, &Run) -> Services,
) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    let mut lines = Lines::new(b"/fuzz", text.to_vec(), Macros::new(Vec::new()));
    sections(&mut config, &mut lines, run, services, &mut Vec::new())?;
    Ok(config)
}

fn sections(
    config: &mut Config,
    lines: &mut Lines,
    run: &Arc<Run>,
    services: &dyn Fn(&Config, &Run) -> Services,
    warnings: &mut Vec<String>,
) -> Result<(), ConfigError> {
    let mut next = main_section(config, lines)?;
    site::complete(config, run, services, warnings)?;
    let mut seen: Vec<&str> = Vec::new();
    while let Some(given) = next {
        let Some(name) = section_name(&given) else {
            return Err(lines.error(format!("\"{given}\" is not a known configuration section name")));
        };
        if seen.contains(&name) {
            return Err(lines.error(format!("\"{given}\" section is repeated in the configuration file")));
        }
        next = match name {
            "acl" => acls(config, lines)?,
            "authenticators" => drivers::authenticators(config, lines)?,
            "routers" => drivers::routers(config, lines)?,
            "transports" => drivers::transports(config, lines)?,
            "retry" => retry(config, lines, warnings)?,
            "rewrite" => rewrite(config, lines)?,
            _ => {
                return Err(
                    lines.error("local_scan() options not supported: (LOCAL_SCAN_HAS_OPTIONS not defined in Local/Makefile)")
                );
            }
        };
        seen.push(name);
    }
    drivers::check_all(config)
}

/// The name of the section that a line begins, if it does.
pub fn section_start(line: &[u8]) -> Option<BString> {
    let rest = line.strip_prefix(b"begin")?;
    if !rest.first().is_some_and(u8::is_ascii_whitespace) {
        return None;
    }
    Some(rest.trim().to_ascii_lowercase().into())
}

/// The section that a name means: in any case, and singular or plural.
fn section_name(given: &[u8]) -> Option<&'static str> {
    let plural = |s: &[u8]| s.to_ascii_lowercase().strip_suffix(b"s").map_or(s.to_ascii_lowercase(), <[u8]>::to_vec);
    ["acl", "authenticators", "local_scan", "retry", "rewrite", "routers", "transports"]
        .into_iter()
        .find(|known| plural(known.as_bytes()) == plural(given))
}

/// Is the line a macro definition (outside the main section, where all lines with a capital are)?
pub fn is_definition(line: &[u8]) -> bool {
    split_definition(line).is_some()
}

fn main_section(config: &mut Config, lines: &mut Lines) -> Result<Option<BString>, ConfigError> {
    while let Some(line) = lines.next()? {
        if let Some(section) = section_start(&line) {
            return Ok(Some(section));
        }
        if line.first().is_some_and(u8::is_ascii_uppercase) {
            lines.define(&line)?;
            continue;
        }
        let parts = setting::split(&line);
        let plain = parts.word.strip_suffix(b"_cache");
        let kind = match plain.unwrap_or(parts.word) {
            b"domainlist" => Some(ListKind::Domain),
            b"hostlist" => Some(ListKind::Host),
            b"addresslist" => Some(ListKind::Address),
            b"localpartlist" => Some(ListKind::LocalPart),
            _ => None,
        };
        if let Some(kind) = kind {
            named_list(config, lines, kind, plain.is_some(), &parts)?;
            continue;
        }
        if line.first() == Some(&b'.') || (parts.word.is_empty() && !parts.hidden) {
            return Err(lines.error(format!("option setting expected: {line}")));
        }
        let found = setting::apply(&parts, &mut [&mut config.main], &mut config.set_options).map_err(|e| lines.error(e))?;
        let Some(done) = found else {
            let hint = crate::event::renamed_option(parts.word);
            return Err(lines.error(format!("main option \"{}\" unknown{hint}", parts.word.as_bstr())));
        };
        if let Some(text) = pending::main(&done.name, config.main.option(&done.name)) {
            return Err(lines.error(text));
        }
        // Whichever of the two names is used, both have the value.
        for (a, b) in SYNONYMS {
            let other = if done.name == a { b } else { a };
            if done.name == a || done.name == b {
                let same = setting::Parts { word: other.as_bytes(), ..parts };
                setting::apply(&same, &mut [&mut config.main], &mut Vec::new()).map_err(|e| lines.error(e))?;
            }
        }
        if done.hidden {
            config.hidden.push(done.name.clone());
        }
        config.places.insert(done.name, lines.place());
    }
    Ok(None)
}

/// Main options that have an older name, too.
const SYNONYMS: [(&str, &str); 2] =
    [("daemon_smtp_port", "daemon_smtp_ports"), ("return_size_limit", "bounce_return_size_limit")];

fn named_list(
    config: &mut Config,
    lines: &Lines,
    kind: ListKind,
    cache: bool,
    parts: &setting::Parts<'_>,
) -> Result<(), ConfigError> {
    let (name, rest) = {
        let p = setting::split(parts.rest);
        if parts.rest.is_empty() {
            return Err(lines.error("unrecognized configuration line"));
        }
        (BString::from(p.word), p.rest)
    };
    if name.is_empty() {
        return Err(lines.error("unrecognized configuration line"));
    }
    let Some(text) = rest.strip_prefix(b"=") else {
        return Err(lines.error(format!("missing '=' after \"{name}\"")));
    };
    let text = setting::string(&name.to_str_lossy(), text.trim_start()).map_err(|e| lines.error(e))?;
    let id = config.named_lists.values().map(|m| m.len()).sum();
    let lists = config.named_lists.entry(kind).or_default();
    if lists.contains_key(&name) {
        return Err(lines.error(format!("duplicate name \"{name}\" for a named {} list", kind.name())));
    }
    lists.insert(name, Arc::new(NamedList { text: Template::new(&text), hidden: parts.hidden, id, cache }));
    Ok(())
}

/// The name in `name:` at the start of an ACL or driver, and what follows the colon.
pub fn name_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = line.iter().position(|c| !(c.is_ascii_alphanumeric() || *c == b'_' || *c == b'-'))?;
    let (name, rest) = line.split_at(end);
    let rest = rest.strip_prefix(b":")?;
    if name.is_empty() { None } else { Some((name, rest.trim())) }
}

fn acls(config: &mut Config, lines: &mut Lines) -> Result<Option<BString>, ConfigError> {
    let mut current: Option<(BString, Vec<(String, BString)>)> = None;
    loop {
        let line = lines.next()?;
        let section = line.as_ref().and_then(|l| section_start(l));
        let name = line.as_ref().and_then(|l| name_line(l).filter(|(_, rest)| rest.is_empty()));
        let ends = line.is_none() || section.is_some() || name.is_some() || line.as_ref().is_some_and(|l| is_definition(l));
        if ends && let Some((name, body)) = current.take() {
            let acl = crate::acl::parse(&name, &body).map_err(|(at, text)| {
                let place = body.get(at).map_or("", |(p, _)| p.as_str());
                let place = match place.rsplit_once(' ') {
                    Some((file, n)) => format!(" in line {n} of {file}"),
                    None => String::new(),
                };
                ConfigError::at(place, format!("error in ACL: {text}"))
            })?;
            config.acls.insert(name, Arc::new(acl));
        }
        let Some(line) = line else { return Ok(None) };
        if section.is_some() {
            return Ok(section);
        }
        if let Some((name, _)) = name_line(&line).filter(|(_, rest)| rest.is_empty()) {
            if config.acls.contains_key(name) {
                return Err(lines.error(format!("there are two ACLs called \"{}\"", name.as_bstr())));
            }
            current = Some((name.into(), Vec::new()));
        } else if is_definition(&line) {
            lines.define(&line)?;
        } else if let Some((_, body)) = &mut current {
            body.push((lines.position(), line));
        } else {
            return Err(lines.error("missing or malformed ACL name"));
        }
    }
}

fn retry(config: &mut Config, lines: &mut Lines, warnings: &mut Vec<String>) -> Result<Option<BString>, ConfigError> {
    while let Some(line) = lines.next()? {
        if let Some(section) = section_start(&line) {
            return Ok(Some(section));
        }
        let (rule, warning) = crate::retry::rules::parse_rule_warn(&line).map_err(|e| lines.error(e))?;
        warnings.extend(warning);
        config.retry.push(rule);
    }
    Ok(None)
}

fn rewrite(config: &mut Config, lines: &mut Lines) -> Result<Option<BString>, ConfigError> {
    while let Some(line) = lines.next()? {
        if let Some(section) = section_start(&line) {
            return Ok(Some(section));
        }
        config.rewrite.push(crate::rewrite::parse_rule(&line).map_err(|e| lines.error(e))?);
    }
    Ok(None)
}
