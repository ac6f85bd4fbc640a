//! What the main options amount to on this host: names, users, log settings. Done once, when the main section has been
//! read and before any driver is.

use std::sync::Arc;

use bstr::{BString, ByteSlice};

use super::error::ConfigError;
use super::options::{OptionSet as _, Str};
use super::{Config, ids};
use crate::build_options as build;
use crate::context::{Context, Run, Services};
use crate::dns::Validator;
use crate::expand::{self, ExpandError, Template};
use crate::log::{Settings, selectors, settings};
use crate::tls_openssl::OpensslOptions;

/// Largest `localhost_number` with ids of base 62.
const MAX_LOCALHOST: u32 = 16;

/// EXIM_USER and EXIM_GROUP of the build, as ids. A build whose user does not exist here runs as its caller, if the
/// caller has no privilege that it could lose; `None`: it has, and the configuration must name the user (`exim_user`).
pub fn build_user(run: &Run) -> Result<Option<(u32, u32)>, String> {
    let plain = |s: &'static str| s.strip_prefix("ref:").unwrap_or(s);
    let user = if build::EXIM_UID.is_empty() { plain(build::EXIM_USER) } else { build::EXIM_UID };
    let group = if build::EXIM_GID.is_empty() { plain(build::EXIM_GROUP) } else { build::EXIM_GID };
    let Some(found) = ids::user(user.as_bytes()) else {
        if run.real_uid != 0 && crate::sys::ids::geteuid() != 0 {
            return Ok(Some((run.real_uid, run.real_gid)));
        }
        return Ok(None);
    };
    if found.uid == 0 {
        return Err("exim: EXIM_USER must not be root".into());
    }
    let gid = if group.is_empty() { found.gid } else { ids::group(group.as_bytes()) };
    match gid {
        Some(gid) => Ok(Some((found.uid, gid))),
        None => Err(format!("exim: the group of the build's user \"{user}\" (EXIM_GROUP) does not exist")),
    }
}

/// Log settings from a configuration that could not be read to its end: what needs no expansion counts.
pub fn early_log(config: &Config) -> Settings {
    let m = &config.main;
    let plain = |s: Option<&[u8]>| s.filter(|v| !v.contains(&b'$')).map(BString::from);
    let spool = plain(m.spool_directory.raw()).unwrap_or_else(|| build::SPOOL_DIRECTORY.into());
    let path = plain(m.log_file_path.raw()).unwrap_or_default();
    let (pattern, syslog) = settings::resolve_path(&path, &spool).unwrap_or_else(|_| {
        let d = Settings::default();
        (d.pattern, d.syslog)
    });
    let mut s = Settings { pattern, syslog, uid: config.site.exim_uid, gid: config.site.exim_gid, ..Settings::default() };
    s.with_zone = m.log_timezone;
    s.panic_coredump = m.panic_coredump;
    s.selectors = selectors::parse(m.log_selector.raw().unwrap_or_default()).unwrap_or_default();
    s
}

/// Fills in `config.site`, and puts what was worked out back into the options, where `-bP` shows it.
pub fn complete(
    config: &mut Config,
    run: &Arc<Run>,
    services: &dyn Fn(&Config, &Run) -> Services,
    warnings: &mut Vec<String>,
) -> Result<(), ConfigError> {
    users(config, run)?;
    // A safety net that nobody can cut through: every address is tried at least once a day.
    config.main.retry_interval_max.0 = config.main.retry_interval_max.0.min(24 * 60 * 60);
    if config.main.mua_wrapper {
        wrap(config);
    }
    names(config, run);
    config.site.spool_directory = config.main.spool_directory.raw().unwrap_or(build::SPOOL_DIRECTORY.as_bytes()).into();
    config.site.log = early_log(config);
    if let Some(zone) = config.main.timezone.raw().or(Some(build::TIMEZONE_DEFAULT.as_bytes())).filter(|z| !z.is_empty()) {
        let zone = if zone == b"UTC" { b"UTC".as_slice() } else { zone };
        crate::sys::time::set_timezone(Some(zone))
            .map_err(|e| ConfigError::bare(format!("exim: cannot set the time zone: {}", crate::sys::error_text(&e))))?;
    }
    let mut expander = Expander { run, services };
    let spool = expander.text(config, "spool_directory", build::SPOOL_DIRECTORY)?;
    if spool.is_empty() {
        return Err(ConfigError::bare("spool_directory undefined: cannot proceed"));
    }
    config.site.spool_directory.clone_from(&spool);
    config.main.spool_directory = Str::from_bytes(&spool);
    let path = expander.text(config, "log_file_path", "")?;
    config.site.log_file_path.clone_from(&path);
    if config.main.log_file_path.is_set() || !build::LOG_FILE_PATH.is_empty() {
        let shown = if path.is_empty() { build::LOG_FILE_PATH.as_bytes() } else { &path };
        config.main.log_file_path = Str::from_bytes(shown);
    }
    if config.main.process_log_path.raw().unwrap_or_default().is_empty() {
        let mut p = spool.clone();
        p.extend_from_slice(b"/exim-process.info");
        config.main.process_log_path = Str::from_bytes(&p);
    }
    if !config.main.pid_file_path.is_set() && !build::PID_FILE_PATH.is_empty() {
        config.main.pid_file_path = Str::fixed(build::PID_FILE_PATH);
    }
    logs(config, &path, &spool, warnings)?;
    lists_of_ids(config, &mut expander)?;
    openssl_options(config)?;
    dns_validator(config)?;
    localhost_number(config, &mut expander)?;
    Ok(())
}

/// What `mua_wrapper` overrides (manual chapter 52): nothing waits, and nothing needs root.
fn wrap(config: &mut Config) {
    let m = &mut config.main;
    m.deliver_drop_privilege = true;
    m.remote_max_parallel.0 = 1;
    m.queue_only = false;
    m.queue_only_load.0 = None;
    for list in [&mut m.queue_domains, &mut m.queue_only_file, &mut m.queue_smtp_domains] {
        *list = Str::unset();
    }
}

/// exim_user and exim_group.
fn users(config: &mut Config, run: &Run) -> Result<(), ConfigError> {
    let place = |config: &Config, name: &str| config.places.get(name).cloned().unwrap_or_default();
    if let Some(name) = config.main.exim_user.raw().filter(|n| !n.is_empty()) {
        let found = ids::need_user(name).map_err(|e| ConfigError::at(place(config, "exim_user"), e))?;
        config.site.exim_uid = found.uid;
        if let Some(gid) = found.gid {
            config.site.exim_gid = gid;
        }
    } else if build_user(run).is_ok_and(|u| u.is_none()) {
        let user = build::EXIM_USER;
        return Err(ConfigError::bare(format!(
            "the user \"{user}\" of the build (EXIM_USER) does not exist; exim_user may name another"
        )));
    }
    if let Some(name) = config.main.exim_group.raw().filter(|n| !n.is_empty()) {
        config.site.exim_gid = ids::need_group(name).map_err(|e| ConfigError::at(place(config, "exim_group"), e))?;
    }
    config.main.exim_user = Str::from_bytes(&ids::name_of(config.site.exim_uid, false));
    config.main.exim_group = Str::from_bytes(&ids::name_of(config.site.exim_gid, true));
    Ok(())
}

/// The host's name and the domains that follow from it.
fn names(config: &mut Config, run: &Run) {
    let host: BString = match config.main.primary_hostname.raw() {
        Some(name) => name.into(),
        None => find_hostname(run),
    };
    config.main.primary_hostname = Str::from_bytes(&host);
    if !config.main.qualify_domain.is_set() {
        config.main.qualify_domain = Str::from_bytes(&host);
    }
    if !config.main.qualify_recipient.is_set() {
        config.main.qualify_recipient = config.main.qualify_domain.clone();
    }
    config.site.qualify_domain = config.main.qualify_domain.raw().unwrap_or_default().into();
    config.site.qualify_recipient = config.main.qualify_recipient.raw().unwrap_or_default().into();
    config.site.primary_hostname = host;
}

/// The name that uname gives, made longer by a lookup if it has no dot.
fn find_hostname(run: &Run) -> BString {
    let node = crate::sys::system::uname().map(|u| u.node).unwrap_or_default();
    if node.is_empty() {
        return "localhost".into();
    }
    if node.contains(&b'.') || run.test_harness {
        return node;
    }
    match crate::sys::addrinfo::by_name(&node, None) {
        Ok(found) if found.canonical.contains(&b'.') => found.canonical,
        Ok(_) => node,
        Err(_) => node,
    }
}

/// Expands options while there is no final configuration yet.
struct Expander<'a> {
    run: &'a Arc<Run>,
    services: &'a dyn Fn(&Config, &Run) -> Services,
}

impl Expander<'_> {
    fn expand(&mut self, config: &mut Config, text: &Template) -> Result<BString, ExpandError> {
        if !text.raw().iter().any(|c| matches!(c, b'$' | b'\\')) {
            return Ok(text.raw().into());
        }
        let services = (self.services)(config, self.run);
        let mut ctx = Context::new(Arc::new(std::mem::take(config)), self.run.clone(), services);
        let result = expand::expand(&mut ctx, text);
        // The context was the only owner, so the configuration comes back as it went.
        if let Some(back) = Arc::into_inner(ctx.config) {
            *config = back;
        }
        result.map(|t| t.into_bytes().into())
    }

    /// A main option that is expanded once, here.
    fn text(&mut self, config: &mut Config, name: &str, default: &str) -> Result<BString, ConfigError> {
        let raw = match config.main.option(name).map(|o| o.raw_text()) {
            Some(Some(raw)) => raw,
            _ => return Ok(default.into()),
        };
        self.expand(config, &Template::new(&raw))
            .map_err(|e| ConfigError::bare(format!("failed to expand {name} \"{}\": {e}", raw.as_bstr())))
    }
}

fn logs(config: &mut Config, path: &[u8], spool: &[u8], warnings: &mut Vec<String>) -> Result<(), ConfigError> {
    let m = &config.main;
    let mut log = early_log(config);
    log.selectors = selectors::parse(m.log_selector.raw().unwrap_or_default()).map_err(ConfigError::general)?;
    (log.pattern, log.syslog) = match settings::resolve_path(path, spool) {
        Ok(found) => found,
        Err(text) if text.starts_with("More than one") => {
            warnings.push(text);
            let first = path.split_str(":").map(ByteSlice::trim).find(|i| !i.is_empty() && *i != b"syslog").unwrap_or(path);
            let syslog = path.split_str(":").any(|i| i.trim() == b"syslog");
            (Some(first.into()), syslog)
        }
        Err(text) => return Err(ConfigError::bare(text)),
    };
    if let Some(f) = m.syslog_facility.raw().filter(|f| !f.is_empty()) {
        let name = f.to_ascii_lowercase();
        let name = name.strip_prefix(b"log_").unwrap_or(&name);
        log.syslog_facility = crate::sys::syslog::facility(name)
            .ok_or_else(|| ConfigError::general(format!("failed to interpret syslog_facility \"{}\"", f.as_bstr())))?;
    }
    let name = m.syslog_processname.raw().unwrap_or_default();
    if name.len() > 32 {
        return Err(ConfigError::general("the syslog_processname is longer than 32 chars: aborting"));
    }
    log.syslog_name = name.into();
    log.with_zone = m.log_timezone;
    log.write_rejectlog = m.write_rejectlog;
    log.syslog_timestamp = m.syslog_timestamp;
    log.syslog_pid = m.syslog_pid;
    log.syslog_duplication = m.syslog_duplication;
    log.topbit = m.print_topbitchars;
    log.uid = config.site.exim_uid;
    log.gid = config.site.exim_gid;
    config.site.log = log;
    Ok(())
}

/// A name that openssl_options does not know is better found now than when TLS is wanted. What is expanded is looked at then.
fn openssl_options(config: &Config) -> Result<(), ConfigError> {
    let value = config.main.openssl_options.raw().unwrap_or_default();
    if value.contains(&b'$') {
        return Ok(());
    }
    let place = config.places.get("openssl_options").cloned().unwrap_or_default();
    OpensslOptions::parse(&value.to_str_lossy()).map(drop).map_err(|e| ConfigError::at(place, e.to_string()))
}

/// The keys that DNSSEC begins with, in builds that validate.
fn dns_validator(config: &mut Config) -> Result<(), ConfigError> {
    let value = config.main.dnssec_trust_anchors.raw().unwrap_or_default().to_str_lossy();
    let place = config.places.get("dnssec_trust_anchors").cloned().unwrap_or_default();
    let made = Validator::from_option(&value).map_err(|e| ConfigError::at(place, format!("dnssec_trust_anchors: {e}")))?;
    config.site.dns_validator = made.map(Arc::new);
    Ok(())
}

/// never_users and the others of its kind.
fn lists_of_ids(config: &mut Config, expander: &mut Expander<'_>) -> Result<(), ConfigError> {
    for name in ["never_users", "trusted_users", "trusted_groups", "admin_groups"] {
        let place = config.places.get(name).cloned().unwrap_or_default();
        let Some(list) = config.main.option_mut(name).and_then(|o| o.id_list()) else { continue };
        let groups = list.of_groups();
        if let Some(template) = list.get().filter(|t| t.raw().contains(&b'$')).cloned() {
            let text = expander
                .expand(config, &template)
                .map_err(|e| ConfigError::at(place.as_str(), format!("failed to expand {name}: {e}")))?;
            let found = ids::list(&text, groups).map_err(|e| ConfigError::at(place.as_str(), e))?;
            if let Some(list) = config.main.option_mut(name).and_then(|o| o.id_list()) {
                list.ids = found;
            }
        }
    }
    let (m, site) = (&config.main, &mut config.site);
    site.trusted_users.clone_from(&m.trusted_users.ids);
    site.trusted_groups.clone_from(&m.trusted_groups.ids);
    site.admin_groups.clone_from(&m.admin_groups.ids);
    site.never_users.clone_from(&m.never_users.ids);
    site.never_users.extend(fixed_never_users());
    Ok(())
}

/// FIXED_NEVER_USERS, as ids; names that this host does not have are left out.
pub fn fixed_never_users() -> Vec<u32> {
    ids::items(build::FIXED_NEVER_USERS.as_bytes()).iter().filter_map(|n| ids::user(n)).map(|u| u.uid).collect()
}

fn localhost_number(config: &mut Config, expander: &mut Expander<'_>) -> Result<(), ConfigError> {
    let Some(template) = config.main.localhost_number.get().cloned() else { return Ok(()) };
    let raw = template.raw().as_bstr().to_string();
    let text = expander
        .expand(config, &template)
        .map_err(|e| ConfigError::bare(format!("failed to expand localhost_number \"{raw}\": {e}")))?;
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(());
    }
    let n: i64 = trimmed
        .to_str()
        .ok()
        .and_then(|s| s.parse().ok())
        .ok_or_else(|| ConfigError::general(format!("localhost_number value is not a number: {text}")))?;
    match u32::try_from(n) {
        Ok(n) if n <= MAX_LOCALHOST => config.site.localhost_number = Some(n),
        Ok(_) => {
            return Err(ConfigError::general(format!(
                "localhost_number is greater than the maximum allowed value ({MAX_LOCALHOST})"
            )));
        }
        Err(_) => return Err(ConfigError::general("localhost_number is negative")),
    }
    Ok(())
}
