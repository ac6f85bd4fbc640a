//! `exicyclog`: gives the main, reject and panic log new names, and compresses older ones (manual section 54.6).

use std::path::{Path, PathBuf};
use std::process::Command;

use super::support::Exim;
use crate::build_options as build;

/// See the module.
pub fn run(args: &[String]) -> i32 {
    let (exim, args) = Exim::from_arguments(args);
    let mut o = getopts::Options::new();
    o.optopt("k", "", "how many old logs are kept", "COUNT").optopt("l", "", "the path of the logs, with %s", "PATH");
    o.optflag("h", "help", "this text");
    let usage = o.usage("Usage: exicyclog [-k <count>] [-l <log file path>]");
    let m = match o.parse(&args) {
        Ok(m) if m.opt_present("h") => {
            print!("{usage}");
            return 0;
        }
        Ok(m) if m.free.is_empty() => m,
        Ok(_) => {
            eprint!("{usage}");
            return 1;
        }
        Err(e) => {
            eprint!("exicyclog: {e}\n{usage}");
            return 1;
        }
    };
    let keep = match m.opt_str("k").map(|k| k.parse::<usize>()) {
        None => usize::try_from(build::EXICYCLOG_MAX).unwrap_or(10),
        Some(Ok(n)) if (1..=999).contains(&n) => n,
        Some(_) => {
            eprintln!("exicyclog: -k needs a number from 1 to 999");
            return 1;
        }
    };
    let pattern = match m.opt_str("l").map_or_else(|| configured(&exim), Ok) {
        Ok(p) => p,
        Err(e) => {
            eprintln!("exicyclog: {e}");
            return 1;
        }
    };
    if !pattern.contains("%s") {
        eprintln!("exicyclog: the log file path \"{pattern}\" has no %s");
        return 1;
    }
    if pattern.contains("%D") || pattern.contains("%M") {
        eprintln!("exicyclog: logs with dates in their names need no cycling");
        return 1;
    }
    let mut status = 0;
    for kind in ["main", "reject", "panic"] {
        let log = PathBuf::from(pattern.replace("%s", kind));
        let empty = std::fs::metadata(&log).map_or(true, |m| kind == "panic" && m.len() == 0);
        if !empty && let Err(e) = cycle(&log, keep) {
            eprintln!("exicyclog: {}: {e}", log.display());
            status = 1;
        }
    }
    status
}

/// The path that the configuration gives; syslog in the list does not matter here.
fn configured(exim: &Exim) -> Result<String, String> {
    let list = exim.option("log_file_path")?;
    let path = list.split(':').map(str::trim).find(|p| p.starts_with('/')).map(str::to_string);
    match path {
        Some(p) => Ok(p),
        None if list.trim() == "syslog" => Err("there are no log files: logging is to syslog only".into()),
        None => Ok(format!("{}/log/%slog", exim.option("spool_directory")?)),
    }
}

/// `log` becomes `log.01`, that `log.02.gz` and so on.
fn cycle(log: &Path, keep: usize) -> std::io::Result<()> {
    let suffix = format!(".{}", build::COMPRESS_SUFFIX);
    let width = if keep > 99 { 3 } else { 2 };
    let numbered = |n: usize, end: &str| PathBuf::from(format!("{}.{n:0width$}{end}", log.display()));
    for end in ["", suffix.as_str()] {
        match std::fs::remove_file(numbered(keep, end)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        for n in (1..keep).rev() {
            match std::fs::rename(numbered(n, end), numbered(n + 1, end)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
    }
    std::fs::rename(log, numbered(1, ""))?;
    for n in 2..=keep {
        let old = numbered(n, "");
        if old.exists() {
            let done = Command::new(build::COMPRESS_COMMAND).arg(&old).status()?;
            if !done.success() {
                eprintln!("exicyclog: {} {} failed", build::COMPRESS_COMMAND, old.display());
            }
        }
    }
    Ok(())
}
