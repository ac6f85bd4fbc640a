//! Who may do what (manual section 5.2 and the options' own descriptions), and giving up root.
//!
//! The start of the program calls it; all facts come from [`Run`] and the configuration.

use bstr::ByteSlice;

use super::options::{MessageAction, Options, Test};
use super::parse::refuse;
use crate::build_options as build;
use crate::cli::options::Refusal;
use crate::config::{Config, source};
use crate::context::Run;
use crate::queue::actions::Action;
use crate::sys::ids;

/// May `-C` and `-D` of this caller keep root's privilege? `exim_uid` is the build's, if it exists.
pub fn keeps_privilege(o: &Options, run: &Run, exim_uid: Option<u32>) -> Result<bool, Refusal> {
    if let Some(files) = &o.config_files
        && !build::ALT_CONFIG_PREFIX.is_empty()
        && run.real_uid != 0
    {
        for name in crate::config::ids::items(files) {
            if !name.starts_with(build::ALT_CONFIG_PREFIX.as_bytes()) || name.contains_str("/../") {
                return Err(Refusal::Message("-C Permission denied".into()));
            }
        }
    }
    if build::DISABLE_D_OPTION && !o.macros.is_empty() {
        return Err(refuse("permission denied"));
    }
    if run.test_harness || run.real_uid == 0 {
        return Ok(true);
    }
    if let Some(files) = &o.config_files {
        let names = crate::config::ids::items(files);
        if names.is_empty() || !names.iter().all(|n| source::trusted_config(n)) {
            return Ok(false);
        }
    }
    if !o.macros.is_empty() {
        let caller_may = Some(run.real_uid) == exim_uid || source::configure_owner().0 == Some(run.real_uid);
        let allowed: Vec<&str> = build::WHITELIST_D_MACROS.split(':').map(str::trim).filter(|n| !n.is_empty()).collect();
        let good = |value: &[u8]| value.iter().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'/' | b'-'));
        if !caller_may || !o.macros.iter().all(|(_, m)| allowed.iter().any(|a| m.name == *a) && good(&m.value)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Becomes the caller for good, with the caller's groups: real, effective and saved ids.
pub fn become_caller(run: &Run) -> Result<(), Refusal> {
    if ids::geteuid() == run.real_uid && ids::getegid() == run.real_gid && run.real_uid != 0 {
        return Ok(());
    }
    ids::become_with_groups(run.real_uid, run.real_gid, &run.groups).map_err(|e| refuse(e.to_string()))
}

/// Becomes the exim user for good, if there is root to lose.
pub fn become_exim(config: &Config) -> Result<(), Refusal> {
    if ids::geteuid() != 0 {
        return Ok(());
    }
    ids::become_user(config.site.exim_uid, config.site.exim_gid, None).map_err(|e| refuse(e.to_string()))
}

/// Becomes who routes and delivers.
pub fn become_deliverer(config: &Config) -> Result<(), Refusal> {
    crate::deliver::become_deliverer(config).map_err(|e| refuse(e.to_string()))
}

/// Fills in `trusted` and `admin`.
pub fn classify(run: &mut Run, config: &Config) {
    let site = &config.site;
    let in_groups = |wanted: &[u32]| wanted.iter().any(|g| *g == run.real_gid || run.groups.contains(g));
    let root_or_exim = run.real_uid == 0 || run.real_uid == site.exim_uid;
    run.trusted = root_or_exim || site.trusted_users.contains(&run.real_uid) || in_groups(&site.trusted_groups);
    run.admin = root_or_exim || in_groups(&[site.exim_gid]) || in_groups(&site.admin_groups);
}

/// Refuses what the caller has no right to.
pub fn check(o: &Options, run: &Run, config: &Config) -> Result<(), Refusal> {
    let denied = || refuse("permission denied");
    let m = &config.main;
    let privileged = run.real_uid == 0 || run.real_uid == config.site.exim_uid;
    if o.debug & crate::log::trace::ANY != 0 && !run.admin && !run.test_harness && !o.version && o.show.is_none() {
        return Err(refuse("debugging permission denied"));
    }
    if o.suppress_fixups && !run.trusted {
        return Err(refuse("permission denied (-G requires a trusted user)"));
    }
    if o.syslog_name.is_some() && !run.admin {
        return Err(refuse("you lack sufficient privilege to specify syslog process name"));
    }
    if (o.pid_file.is_some() || o.remove_pid_file) && !privileged && !run.test_harness {
        return Err(refuse(format!(
            "only uid=0 or uid={} can use -oP and -oPX (uid={} euid={} | {})",
            config.site.exim_uid,
            run.real_uid,
            ids::geteuid(),
            run.real_uid
        )));
    }
    if m.commandline_checks_require_admin && !run.admin && o.test.as_ref().is_some_and(|t| !matches!(t, Test::Malware(_))) {
        return Err(refuse("those command-line flags are set to require admin"));
    }
    if run.admin {
        let moves_mail = o.daemon.is_some() || !o.queue_runs.is_empty() || o.action.is_some();
        if o.dont_deliver && moves_mail && !privileged && !run.test_harness {
            return Err(denied());
        }
        return Ok(());
    }
    let listening = o.daemon.is_some() || o.has_schedule() || o.interfaces.is_some() || o.max_messages.is_some();
    let prods = o.single_run().is_some()
        || matches!(&o.action, Some((MessageAction::Act(Action::Deliver | Action::DeliverConditionally), _)));
    let acts = o.action.is_some() && !prods;
    let lists = o.list_queue.is_some() && m.queue_list_requires_admin;
    let looks_at_message = matches!(&o.test, Some(Test::Expand { id: Some(_), .. }));
    if listening
        || (prods && (m.prod_requires_admin || o.dont_deliver))
        || acts
        || lists
        || looks_at_message
        || o.log_text.is_some()
        || o.atrn.is_some()
        || o.quota_of.is_some()
        || matches!(o.test, Some(Test::Malware(_)))
    {
        return Err(denied());
    }
    Ok(())
}
