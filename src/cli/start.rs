//! The start of the program: descriptors, arguments, privilege, configuration, environment, rights; then the mode.
//!
//! The order matters: nothing that an unprivileged caller wrote is read with root's rights unless a trusted list says
//! so, and nothing is expanded before that is settled (CVE-2010-4345).

use std::os::unix::ffi::OsStringExt as _;
use std::sync::Arc;
use std::time::Duration;

use bstr::{BString, ByteSlice};

use super::options::{Delivery, InputMode, Options, Refusal, Test};
use super::{dispatch, environment, originator, parse, privilege, version};
use crate::build_options as build;
use crate::config::options::{Str, Time};
use crate::config::read::{self, Request};
use crate::config::{Config, site};
use crate::context::{Context, Run, Services};
use crate::foreign;
use crate::log::{self, Logger, Selector, Which, trace};
use crate::receive::queueing::Mode;
use crate::sys::{self, exec, fd, ids};

/// Runs the program; the result is the exit status.
pub fn run() -> i32 {
    match try_run() {
        Ok(status) => status,
        Err(Refusal::Help) => {
            eprint!("{}", version::HELP);
            1
        }
        Err(Refusal::Said(text)) => {
            println!("{text}");
            1
        }
        Err(Refusal::Message(text)) => {
            eprintln!("{text}");
            1
        }
    }
}

fn io_refusal(what: &str, e: &std::io::Error) -> Refusal {
    parse::refuse(format!("{what}: {}", sys::error_text(e)))
}

fn try_run() -> Result<i32, Refusal> {
    fd::ensure_standard_descriptors().map_err(|e| io_refusal("cannot open /dev/null", &e))?;
    exec::close_from(3).map_err(|e| io_refusal("cannot close descriptors", &e))?;
    let argv: Vec<BString> = std::env::args_os().map(|a| BString::from(a.into_vec())).collect();
    let program = argv.first().cloned().unwrap_or_else(|| "exim".into());
    if let Some(status) = utility(&program, argv.get(1..).unwrap_or_default()) {
        return Ok(status);
    }
    if let Some(status) = argv.get(1).and_then(|flag| foreign::helper(flag)) {
        return Ok(status);
    }
    let o = parse::parse(&program, argv.get(1..).unwrap_or_default())?;
    let nothing_to_do = o.modes() == 0 && !o.receives();
    if nothing_to_do && argv.len() < 2 {
        return Err(Refusal::Help);
    }
    // A mode that just prints ends quietly when nobody reads any more, as programs of its kind do.
    if o.modes() > 0 && o.daemon.is_none() && o.queue_runs.is_empty() && !o.receives() {
        sys::signal::default(sys::signal::SIGPIPE).map_err(|e| io_refusal("cannot set SIGPIPE", &e))?;
    }
    let mut run = facts(&o, argv)?;
    if run.debug & trace::ANY != 0 {
        trace::early(
            &run,
            format_args!(
                "Exim version {} uid={} gid={} pid={} D={:x}\n{}",
                crate::version::version(),
                run.real_uid,
                run.real_gid,
                std::process::id(),
                run.debug,
                version::facts(true)
            ),
        );
    }
    if o.version {
        print!("{}{}", version::heading(), version::facts(o.debug & trace::ANY != 0));
    }
    if let Some(what) = &o.info {
        return Ok(super::info::show(what));
    }
    let exim_uid = site::build_user(&run).map_err(Refusal::Message)?.map(|(uid, _)| uid);
    let files = config_files(&o, &run);
    let keeps = privilege::keeps_privilege(&o, &run, exim_uid)?;
    if !keeps {
        privilege::become_caller(&run)?;
        run.unprivileged = Some(run.real_uid) != exim_uid;
    }
    let logger = Arc::new(Logger::default());
    let config = load(&o, &heard_by_tester(&o, &run), &logger, &files);
    if config.main.mua_wrapper {
        logger.leave_stderr_alone();
    }
    if config.main.debug_store {
        sys::limits::perturb_memory();
    }
    privilege::classify(&mut run, &config);
    finish_run(&o, &mut run, &config);
    if o.version {
        print!("{}", version::files(&config, &files));
        return Ok(0);
    }
    if nothing_to_do {
        return Err(Refusal::Help);
    }
    let run = Arc::new(run);
    let services = Services { log: logger.clone(), ..services(&config, &run) };
    let mut ctx = Context::new(Arc::new(config), run, services);
    environment::clean(&mut ctx, o.show.is_none() && o.test.is_none()).map_err(parse::refuse)?;
    let (login, name) = originator::find(&mut ctx).map_err(parse::refuse)?;
    let charset = ctx.config.main.headers_charset.raw().unwrap_or_default().to_vec();
    if let Some(run) = Arc::get_mut(&mut ctx.run) {
        run.login = login;
        // In a form that may stand in a header line.
        run.full_name = crate::parse::fix_phrase(&o.full_name.clone().unwrap_or(name), &charset);
    }
    let (config, run) = (ctx.config.clone(), ctx.run.clone());
    privilege::check(&o, &run, &config)?;
    drop(run);
    if let Some(run) = Arc::get_mut(&mut ctx.run) {
        testing(&o, run);
    }
    if o.test.is_none() && o.show.is_none() {
        log_arguments(&ctx);
    }
    if o.perl_at_start.unwrap_or(ctx.config.main.perl_at_start) && ctx.config.main.perl_startup.is_set() {
        crate::expand::perl::start(&mut ctx).map_err(|e| parse::refuse(e.to_string()))?;
    }
    dispatch::dispatch(&mut ctx, o)
}

/// Programs that Exim installs beside itself are this one under another name.
fn utility(program: &[u8], arguments: &[BString]) -> Option<i32> {
    let words: Vec<String> =
        std::iter::once(program).chain(arguments.iter().map(|a| a.as_slice())).map(|a| a.to_str_lossy().into_owned()).collect();
    if crate::utils::is_named(&words) && give_up_setuid().is_err() {
        eprintln!("{}: cannot give up the privilege of the program", words[0]);
        return Some(1);
    }
    crate::utils::run(&words)
}

/// The program may be setuid root: a utility is its caller and no more.
fn give_up_setuid() -> std::io::Result<()> {
    let (uid, gid) = (ids::getuid(), ids::getgid());
    if ids::geteuid() == uid && ids::getegid() == gid {
        return Ok(());
    }
    ids::setresgid(gid, gid, gid)?;
    ids::setresuid(uid, uid, uid)
}

/// What is known of the process and its caller before anything has been read.
fn facts(o: &Options, argv: Vec<BString>) -> Result<Run, Refusal> {
    let cwd = sys::system::current_directory().unwrap_or_else(|| "?".into());
    if cwd.len() > 4096 {
        return Err(parse::refuse(format!("initial cwd is far too long ({})", cwd.len())));
    }
    let test_harness = crate::version::test_harness();
    let mut run = Run {
        test_harness,
        no_test_delays: o.no_delays || !test_harness,
        real_uid: ids::getuid(),
        real_gid: ids::getgid(),
        groups: ids::getgroups().map_err(|e| io_refusal("getgroups() failed", &e))?,
        argv,
        initial_cwd: cwd,
        debug: o.debug,
        verbose: o.verbose,
        dont_deliver: o.dont_deliver,
        fudged_queue_times: o.fudged_queue_times.clone(),
        macro_args: o.macros.iter().map(|(text, _)| BString::from([b"-D", text.as_slice()].concat())).collect(),
        ..Run::default()
    };
    // What -bP says of a broken configuration goes to the terminal too.
    if o.show.as_ref().is_some_and(|words| words.first().is_none_or(|w| *w != "config")) {
        run.debug |= trace::V;
        run.verbose = true;
    }
    Ok(run)
}

/// The list of configuration files, with absolute names: children may have another directory.
fn config_files(o: &Options, run: &Run) -> BString {
    let Some(given) = &o.config_files else { return build::CONFIGURE_FILE.into() };
    if given == crate::config::source::EMBEDDED {
        return given.clone();
    }
    let names: Vec<Vec<u8>> = crate::config::ids::items(given)
        .iter()
        .map(|n| if n.starts_with(b"/") { n.to_vec() } else { [run.initial_cwd.as_slice(), b"/", n].concat() })
        .map(|n| n.replace(b":", b"::"))
        .collect();
    bstr::join(b":", names).into()
}

/// Reads the configuration; one that cannot be used ends the program.
fn load(o: &Options, run: &Run, logger: &Logger, files: &BString) -> Config {
    let shared = Arc::new(run.clone());
    let request = Request {
        files,
        check_owner: o.config_files.is_none(),
        macros: o.macros.iter().map(|(_, m)| m.clone()).collect(),
        run: &shared,
        services: &services,
    };
    match read::load(request) {
        Ok(loaded) => {
            let mut config = loaded.config;
            for text in loaded.warnings {
                logger.entry(&config.site.log, run, None, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            }
            overrides(o, &mut config, run.test_harness);
            config
        }
        Err(failure) => {
            let text = failure.error.to_string();
            match text.strip_prefix("Exim configuration error") {
                Some(rest) if !failure.error.bare => {
                    // A check of the configuration tells the caller and nobody else.
                    if o.version {
                        eprintln!("{} Exim configuration error{rest}", log::stamp::log_time(sys::time::now(), false, false));
                        std::process::exit(1);
                    }
                    let panic = if failure.error.mild { Which::PANIC } else { Which::PANIC_DIE };
                    let which = panic.and(Which::CONFIG);
                    logger.entry(&failure.log, run, None, None, which, rest.as_bytes());
                }
                _ => logger.entry(&failure.log, run, None, None, Which::MAIN.and(Which::PANIC_DIE), text.as_bytes()),
            }
            std::process::exit(1)
        }
    }
}

/// Options of the command line that stand for options of the configuration.
fn overrides(o: &Options, config: &mut Config, test_harness: bool) {
    // The suite's expected EHLO answers are from before the option had a default.
    if test_harness
        && config.main.smtputf8_advertise_hosts.raw() == Some(b"*")
        && !config.places.contains_key("smtputf8_advertise_hosts")
    {
        config.main.smtputf8_advertise_hosts = Str::unset();
    }
    // What comes by SMTP must be allowed to use domain literals; what is written on this host may.
    let smtp =
        o.daemon.is_some() || matches!(o.test, Some(Test::Host { .. })) || matches!(o.input, InputMode::Smtp | InputMode::Batch);
    if !smtp && o.show.is_none() {
        config.main.allow_domain_literals = true;
    }
    if let Some(t) = o.receive_timeout {
        config.main.receive_timeout = Time(t);
    }
    if let Some(t) = o.smtp_timeout {
        config.main.smtp_receive_timeout = Str::fixed(&crate::config::values::show_time(t));
    }
    if let Some(tag) = &o.syslog_name {
        config.site.log.syslog_name.clone_from(tag);
        config.site.log.syslog = true;
        config.site.log.pattern = None;
    }
}

/// What the configuration adds to the facts about the process.
fn finish_run(o: &Options, run: &mut Run, config: &Config) {
    run.exim_path = config.main.exim_path.raw().unwrap_or_default().into();
    run.delivery = match o.delivery {
        None => Mode::Default,
        Some(Delivery::Background) => Mode::Background,
        Some(Delivery::Foreground) => Mode::Foreground,
        Some(Delivery::Queue) => Mode::Queue,
        Some(Delivery::QueueSmtp) => Mode::QueueSmtp,
    };
    if o.config_files.is_some() {
        run.config_file_arg = Some(config.file.clone());
    }
    // -d of somebody who may not debug is refused later; here it must not print anything secret.
    if !run.admin && !run.test_harness {
        run.debug &= trace::V;
    }
}

/// While the configuration is read: the testing modes tell the one who tests of its errors, and nobody else.
fn heard_by_tester(o: &Options, run: &Run) -> Run {
    let mut run = run.clone();
    match &o.test {
        Some(Test::Host { .. }) => run.host_checking = true,
        Some(Test::Retry | Test::Rewrite | Test::Malware(_)) | None => {}
        Some(_) => run.log_testing = true,
    }
    run
}

/// The testing modes: where log lines go, and what is shown.
fn testing(o: &Options, run: &mut Run) {
    if let Some(Test::Host { callouts, .. }) = &o.test {
        run.host_checking = true;
        run.host_checking_callout = *callouts;
        return;
    }
    run.log_testing = !matches!(o.test, None | Some(Test::Malware(_)));
    run.address_test = matches!(o.test, Some(Test::Address | Test::Verify { .. }));
    if matches!(o.test, Some(Test::Address | Test::Retry)) {
        run.debug |= trace::V;
        run.verbose = true;
    }
}

/// Makes what every thread of control needs, from a configuration whose main section is complete.
pub fn services(config: &Config, run: &Run) -> Services {
    let m = &config.main;
    let positive = |n: i64| u32::try_from(n).ok().filter(|n| *n > 0);
    let tri = |n: i64| (n >= 0).then_some(n > 0);
    let pattern = m.dns_check_names_pattern.raw().filter(|p| !p.is_empty());
    let settings = crate::dns::Settings {
        retrans: u64::try_from(m.dns_retrans.0).ok().filter(|t| *t > 0).map(Duration::from_secs),
        retry: positive(m.dns_retry.0),
        edns0: tri(m.dns_use_edns0.0),
        dnssec_ok: tri(m.dns_dnssec_ok.0),
        check_names: pattern.and_then(|p| sys::pcre::Regex::new(p, sys::pcre::Options::default()).ok()),
        cname_loops: u32::try_from(m.dns_cname_loops.0).unwrap_or(0),
        servers: None,
        validator: config.site.dns_validator.clone(),
        test: run.test_harness.then(|| crate::dns::TestMode { directory: directory_of(&config.file) }),
    };
    let spool = std::path::PathBuf::from(std::ffi::OsString::from_vec(config.site.spool_directory.to_vec()));
    Services {
        log: Arc::new(Logger::default()),
        dns: Arc::new(crate::dns::Resolver::new(settings)),
        hints: Arc::new(crate::hints::SqliteStore::new(&spool, config.site.exim_uid, config.site.exim_gid)),
        handoff: crate::daemon::Handoff::default(),
        threads: None,
        work: crate::daemon::Work::default(),
        tls: Arc::default(),
        spool: Arc::new(crate::spool::Spool::new(config)),
        interfaces: Arc::default(),
        lookups: crate::lookups::Cache::default(),
        lists: crate::matching::ListCache::default(),
        perl: crate::expand::perl::Perl::default(),
        random: crate::random::Random::new(run.test_harness),
    }
}

fn directory_of(file: &[u8]) -> BString {
    file.rfind_byte(b'/').map_or_else(|| ".".into(), |i| file.get(..i).unwrap_or_default().into())
}

/// `cwd=... n args: ...`, if `log_selector` wants it.
fn log_arguments(ctx: &Context) {
    if !log::selected(ctx, Selector::Arguments) {
        return;
    }
    let mut text = BString::from(format!("cwd={} {} args:", ctx.run.initial_cwd, ctx.run.argv.len()));
    for a in &ctx.run.argv {
        let shown = log::escape::printing(a, ctx.config.site.log.topbit);
        text.push(b' ');
        if shown.is_empty() || shown.iter().any(|c| matches!(c, b' ' | b'\\' | b'"' | b'\'')) {
            text.push(b'\'');
            text.extend_from_slice(&shown);
            text.push(b'\'');
        } else {
            text.extend_from_slice(&shown);
        }
    }
    log::write(ctx, Some(Selector::Arguments), Which::MAIN, &text);
}
