//! `exiwhat`: what the Exim processes of this host are doing (manual section 54.1). They write it on SIGUSR1.

use std::os::unix::fs::MetadataExt;

use super::support::Exim;
use crate::sys::process;

/// See the module.
pub fn run(args: &[String]) -> i32 {
    if args.iter().any(|a| a == "--help" || a == "-h") {
        println!("Usage: exiwhat [-C config] [-D macro]\n\nLists what Exim processes are doing; to be run by root.");
        return 0;
    }
    let (exim, rest) = Exim::from_arguments(args);
    if !rest.is_empty() {
        eprintln!("exiwhat: unexpected argument {}", rest[0]);
        return 1;
    }
    let path = match exim.option("process_log_path") {
        Ok(p) if !p.is_empty() => p,
        Ok(_) => {
            eprintln!("exiwhat: cannot find out process_log_path from {}", exim.path);
            return 1;
        }
        Err(e) => {
            eprintln!("exiwhat: {e}");
            return 1;
        }
    };
    // The directory is the Exim user's: a link there must not lead us anywhere.
    if std::fs::symlink_metadata(&path).is_ok()
        && let Err(e) = std::fs::remove_file(&path)
    {
        eprintln!("exiwhat: cannot empty {path}: {}", crate::sys::error_text(&e));
        return 1;
    }
    for pid in processes(&exim.path) {
        let _ = process::kill(pid, libc::SIGUSR1);
    }
    std::thread::sleep(std::time::Duration::from_secs(1));
    match std::fs::read_to_string(&path) {
        Ok(text) if !text.is_empty() => {
            let mut lines: Vec<&str> = text.lines().collect();
            lines.sort_by_key(|l| l.split_whitespace().next().and_then(|p| p.parse::<u32>().ok()));
            lines.dedup();
            for line in lines {
                println!("{line}");
            }
        }
        _ => println!("No exim process data"),
    }
    0
}

/// Processes that run the same program file, by its place on the disk; a running process may have an older one.
fn processes(program: &str) -> Vec<i32> {
    let wanted = std::fs::canonicalize(program).ok();
    let id = wanted.as_ref().and_then(|p| std::fs::metadata(p).ok()).map(|m| (m.dev(), m.ino()));
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| *pid != own)
        .filter(|pid| {
            let link = format!("/proc/{pid}/exe");
            let same_file = std::fs::metadata(&link).is_ok_and(|m| Some((m.dev(), m.ino())) == id);
            let deleted = || {
                let target = std::fs::read_link(&link).ok()?;
                let target = target.to_str()?.strip_suffix(" (deleted)")?.to_string();
                Some(Some(std::path::PathBuf::from(target)) == wanted)
            };
            (same_file || deleted().unwrap_or(false)) && !is_utility(*pid)
        })
        .collect()
}

/// This program under a utility's name knows nothing of SIGUSR1, and would end.
fn is_utility(pid: i32) -> bool {
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let name = command.split(|c| *c == 0).next().unwrap_or_default();
    let name = name.rsplit(|c| *c == b'/').next().unwrap_or_default();
    super::names().any(|n| n.as_bytes() == name)
}
