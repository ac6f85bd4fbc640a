//! `exim_lock`: holds a mailbox locked, as the appendfile transport locks it, while a command runs (manual section 54.15).

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::process::Command;
use std::time::Duration;

use bstr::{BString, ByteSlice};

use crate::sys::file::{self, Dir, Flags, Stat, fchmod, fstat, futimes};
use crate::sys::lock::{self, Kind, Region, Wait};
use crate::sys::time;

const USAGE: &str = "usage: exim_lock [-v] [-q] [-lockfile] [-fcntl] [-flock] [-mbx]\n       \
    [-retries <n>] [-interval <n>] [-timeout <n>] [-restore-times]\n       <file name> [command]";

#[derive(Default)]
struct Options {
    verbose: bool,
    quiet: bool,
    lockfile: bool,
    fcntl: bool,
    flock: bool,
    mbx: bool,
    restore_times: bool,
    retries: u64,
    interval: u64,
    timeout: u64,
}

/// See the module.
pub fn run(args: &[String]) -> i32 {
    let Some((o, mailbox, command)) = parse(args) else {
        println!("{USAGE}");
        return i32::from(args.first().is_none_or(|a| a != "--help"));
    };
    match hold(&o, &mailbox, command.as_deref()) {
        Ok(()) => 0,
        Err(message) => {
            println!("exim_lock: {message}");
            1
        }
    }
}

fn parse(args: &[String]) -> Option<(Options, BString, Option<String>)> {
    let mut o = Options { retries: 10, interval: 3, ..Options::default() };
    let mut it = args.iter();
    let mailbox = loop {
        let word = it.next()?;
        let mut number = || it.next().and_then(|n| n.parse::<u64>().ok());
        match word.as_str() {
            "-v" => o.verbose = true,
            "-q" => o.quiet = true,
            "-lockfile" => o.lockfile = true,
            "-fcntl" => o.fcntl = true,
            "-flock" => o.flock = true,
            "-mbx" => o.mbx = true,
            "-restore-times" | "-restore_times" | "-restore_time" => o.restore_times = true,
            "-retries" => o.retries = number()?.max(1),
            "-interval" => o.interval = number()?,
            "-timeout" => o.timeout = number()?,
            other if other.starts_with('-') => return None,
            _ => break word,
        }
    };
    if !(o.lockfile || o.fcntl || o.flock || o.mbx) {
        o.lockfile = true;
        o.fcntl = true;
    }
    o.fcntl |= o.mbx && !o.flock;
    o.verbose &= !o.quiet;
    let command = it.next().cloned();
    it.next().is_none().then(|| (o, mailbox.as_str().into(), command))
}

/// What is held; dropping it unlocks.
struct Held<'a> {
    o: &'a Options,
    lock_file: Option<LockFile>,
    mailbox: Option<(File, Stat)>,
    mbx: Option<(File, BString)>,
}

struct LockFile {
    dir: Dir,
    name: BString,
}

fn hold(o: &Options, path: &BString, command: Option<&str>) -> Result<(), String> {
    for _ in 0..o.retries {
        let mut held = Held { o, lock_file: None, mailbox: None, mbx: None };
        match held.take(path) {
            Ok(()) => {
                run_command(o, path, command);
                held.release(path);
                return Ok(());
            }
            Err(Trouble::Fatal(message)) => {
                held.release(path);
                return Err(message);
            }
            Err(Trouble::Busy(message)) => {
                println!("exim_lock: {message}");
                if held.mailbox.take().is_some() {
                    println!("exim_lock: file closed");
                }
                held.release(path);
                println!(" ... waiting");
                std::thread::sleep(Duration::from_secs(o.interval));
            }
        }
    }
    Err("locking failed too many times".into())
}

enum Trouble {
    /// Somebody else has it: try again.
    Busy(String),
    /// Trying again does not help.
    Fatal(String),
}

impl Held<'_> {
    fn say(&self, text: &str) {
        if !self.o.quiet {
            println!("exim_lock: {text}");
        }
    }

    fn take(&mut self, path: &BString) -> Result<(), Trouble> {
        if self.o.lockfile {
            self.make_lock_file(path)?;
        }
        if !(self.o.fcntl || self.o.flock) {
            return Ok(());
        }
        let opened = file::open(path, Flags::READ_WRITE | Flags::APPEND, 0)
            .and_then(|fd| fstat(fd.as_fd()).map(|stat| (File::from(fd), stat)))
            .map_err(|e| Trouble::Fatal(format!("failed to open {path} for writing: {}", crate::sys::error_text(&e))))?;
        let stat = opened.1;
        self.mailbox = Some(opened);
        let Some((mailbox, _)) = &self.mailbox else { return Ok(()) };
        if self.o.mbx {
            self.lock(mailbox, Kind::Shared, " read", "")?;
            let mbx = BString::from(format!("/tmp/.{:x}.{:x}", stat.dev, stat.ino));
            let fd = file::open(&mbx, Flags::READ_WRITE | Flags::CREATE | Flags::NOFOLLOW, 0o600)
                .map_err(|e| Trouble::Fatal(format!("failed to open mbx lock file {mbx}: {}", crate::sys::error_text(&e))))?;
            let plain = fstat(fd.as_fd()).is_ok_and(|s| s.is_file() && s.nlink == 1);
            if !plain {
                return Err(Trouble::Fatal(format!("mbx lock file {mbx} is not a plain file")));
            }
            let lock_file = File::from(fd);
            self.lock(&lock_file, Kind::Exclusive, "", &format!(" to mbx lock file {mbx}"))?;
            self.mbx = Some((lock_file, mbx));
        } else {
            self.lock(mailbox, Kind::Exclusive, "", "")?;
        }
        Ok(())
    }

    fn lock(&self, file: &File, kind: Kind, what: &str, to: &str) -> Result<(), Trouble> {
        let wait = Wait::for_duration(Duration::from_secs(self.o.timeout));
        for (wanted, name) in [(self.o.fcntl, "fcntl"), (self.o.flock, "flock")] {
            if !wanted {
                continue;
            }
            let done = match name {
                "fcntl" => lock::fcntl(file.as_fd(), kind, Region::WHOLE, wait),
                _ => lock::flock(file.as_fd(), kind, wait),
            };
            done.map_err(|e| Trouble::Busy(format!("{name}() failed: {}", crate::sys::error_text(&e))))?;
            self.say(&format!("{name}(){what} lock successfully applied{to}"));
        }
        Ok(())
    }

    fn make_lock_file(&mut self, path: &BString) -> Result<(), Trouble> {
        let host = crate::sys::system::uname().map(|u| u.node.to_string()).unwrap_or_else(|_| "localhost".into());
        let lock = format!("{path}.lock");
        let post = format!("{lock}.{host}.{:08x}.{:08x}", time::unix_time() as u32, std::process::id());
        if self.o.verbose {
            println!("exim_lock: lockname =  {lock}\n           hitchname = {post}");
        }
        let (directory, _) = path.rsplit_once_str("/").unwrap_or((b".", path));
        let directory = if directory.is_empty() { b"/" } else { directory };
        let leaf = |full: &str| BString::from(full.rsplit('/').next().unwrap_or_default());
        let fatal =
            |e: io::Error| Trouble::Fatal(format!("failed to create hitching post {post}: {}", crate::sys::error_text(&e)));
        if self.o.verbose {
            println!("exim_lock: creating lock file");
        }
        let dir = Dir::open(directory).map_err(fatal)?;
        let (lock_name, post_name) = (leaf(&lock), leaf(&post));
        let fd = dir.open_at(&post_name, Flags::WRITE | Flags::CREATE | Flags::EXCLUSIVE, 0o600).map_err(fatal)?;
        let _ = fchmod(fd.as_fd(), 0o440);
        let linked = dir.link(&post_name, &dir, &lock_name);
        // Over NFS the link may be made although the call fails.
        let links = fstat(fd.as_fd()).map(|s| s.nlink).unwrap_or(0);
        let _ = dir.unlink(&post_name);
        if linked.is_err() && links != 2 {
            return Err(Trouble::Busy("failed to link hitching post to lock file".into()));
        }
        self.say("lock file successfully created");
        self.lock_file = Some(LockFile { dir, name: lock_name });
        Ok(())
    }

    fn release(&mut self, path: &BString) {
        if let (Some((lock_file, name)), Some((mailbox, _))) = (self.mbx.take(), &self.mailbox) {
            let quick = Options { fcntl: self.o.fcntl, flock: self.o.flock, quiet: true, ..Options::default() };
            let alone =
                Held { o: &quick, lock_file: None, mailbox: None, mbx: None }.lock(mailbox, Kind::Exclusive, "", "").is_ok();
            if alone && std::fs::remove_file(std::path::Path::new(&name.to_string())).is_ok() {
                self.say(&format!("{name} unlinked - no sharers"));
            } else {
                self.say(&format!("{name} not unlinked - unable to get exclusive mailbox lock"));
            }
            drop(lock_file);
            self.say(&format!("{name} closed"));
        }
        if let Some((mailbox, before)) = self.mailbox.take() {
            if self.o.restore_times {
                let _ = futimes(mailbox.as_fd(), before.atime, before.mtime);
            }
            drop(mailbox);
            self.say(&format!("{path} closed"));
        }
        if let Some(lock) = self.lock_file.take() {
            let _ = lock.dir.unlink(&lock.name);
            self.say("lock file removed");
        }
    }
}

/// Runs the command by the shell, or a shell if there is none.
fn run_command(o: &Options, path: &BString, command: Option<&str>) {
    let shell = std::env::var("SHELL").ok().filter(|s| !s.is_empty()).unwrap_or_else(|| "/bin/sh".into());
    let what = command.map_or_else(|| format!("{shell} ..."), |_| "the command ...".into());
    if !o.quiet {
        println!("exim_lock: locking {path} succeeded: running {what}");
    }
    let status = match command {
        Some(c) => Command::new("/bin/sh").args(["-c", c]).status(),
        None => Command::new(shell).status(),
    };
    if let Err(e) = status {
        println!("exim_lock: cannot run it: {}", crate::sys::error_text(&e));
    }
}
