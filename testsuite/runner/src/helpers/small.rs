//! Helpers of a few lines: `fd`, `showids`, `checkaccess`.

use std::fs::{self, File};
use std::io;
use std::process::ExitCode;

use crate::accounts;
use crate::sys::{self, Identity, Refused};

/// `fd [-q] [-f] [-s]`: show the open descriptors.
pub fn fd(args: &[String]) -> ExitCode {
    let has = |option: &str| args.iter().any(|arg| arg == option);
    if has("-f") {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::stdout().lock());
    }
    let most = limit();
    let lines = (0..most.min(1024)).filter_map(|fd| describe(fd as i32, has("-s")));
    let lines: Vec<String> = lines.collect();
    if has("-q") {
        println!("ACCEPT DATA=\"max fd = {most} {} \"", lines.join(" "));
    } else {
        println!("max fd = {most}");
        for line in lines {
            println!("{line}");
        }
    }
    ExitCode::SUCCESS
}

/// How many descriptors a process may have.
fn limit() -> u64 {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files"));
    line.and_then(|l| l.split_whitespace().nth(3)?.parse().ok()).unwrap_or(1024)
}

fn describe(fd: i32, with_status: bool) -> Option<String> {
    let (options, status) = sys::descriptor(fd)?;
    let mode = match status & libc::O_ACCMODE {
        libc::O_RDONLY => "RDONLY",
        libc::O_WRONLY => "WRONLY",
        _ => "RDWR",
    };
    let mut line = format!("{fd:3} opt={options} status={status:X} {mode}");
    if sys::is_terminal(fd) {
        line += " TTY";
    }
    if status & libc::O_APPEND != 0 {
        line += " APPEND";
    }
    if with_status {
        let (mode, uid, gid, size) = sys::file_status(fd)?;
        line += &format!(" mode={mode:o} uid={uid} gid={gid} size={size}");
    }
    Some(line)
}

pub fn showids() -> ExitCode {
    let (uid, gid, euid, egid) = sys::ids();
    println!("uid={uid} gid={gid} euid={euid} egid={egid}");
    ExitCode::SUCCESS
}

/// `checkaccess FILE USER GROUP`: may this user read this file?
pub fn checkaccess(args: &[String]) -> ExitCode {
    let [file, user, group] = args else {
        return ExitCode::from(1);
    };
    let Some(user) = accounts::look_up(user) else {
        return ExitCode::from(1);
    };
    let Some(gid) = accounts::look_up_group(group) else {
        return ExitCode::from(2);
    };
    let who = Identity { uid: user.uid, gid, groups: Vec::new() };
    ExitCode::from(match sys::become_user(&who) {
        Err(Refused::Groups(_)) => 4,
        Err(Refused::Group(_)) => 5,
        Err(Refused::User(_)) => 6,
        Ok(()) if File::open(file).is_err() => 7,
        Ok(()) => 0,
    })
}
