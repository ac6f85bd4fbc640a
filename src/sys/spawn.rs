//! Starting another program, also from a process with threads: everything is prepared before the
//! fork, and between fork and exec the child makes only async-signal-safe calls.
//!
//! The child gets descriptors 0, 1 and 2 and nothing else. Errors of the child before its exec come
//! back to the parent with the step that failed.

use super::exec::{ExecArgs, mark_close_on_exec, reset_signals};
use super::fd::{dev_null, pipe};
use super::process::Pid;
use super::{check, cstr};
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// What one of the child's standard descriptors is.
pub enum Stdio<'a> {
    /// /dev/null
    Null,
    /// A new pipe; the other end is in [`Child`].
    Pipe,
    /// This descriptor.
    Fd(BorrowedFd<'a>),
    /// The parent's own.
    Inherit,
    /// For stderr: the same as stdout.
    SameAsStdout,
}

/// As whom the child runs.
#[derive(Debug, Clone)]
pub struct RunAs {
    pub uid: u32,
    pub gid: u32,
    /// The supplementary groups; see [`super::users::group_list`]. Set only when we are root.
    pub groups: Vec<u32>,
}

/// The step at which a child failed before its program ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    Fork = 0,
    Descriptors = 1,
    Groups = 2,
    Gid = 3,
    Uid = 4,
    Directory = 5,
    Exec = 6,
}

/// Why there is no child.
#[derive(Debug)]
pub struct SpawnError {
    pub step: Step,
    pub error: io::Error,
}

impl std::fmt::Display for SpawnError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.step {
            Step::Fork => "fork",
            Step::Descriptors => "dup2",
            Step::Groups => "setgroups",
            Step::Gid => "setgid",
            Step::Uid => "setuid",
            Step::Directory => "chdir",
            Step::Exec => "exec",
        };
        write!(f, "{what} failed: {}", super::error_text(&self.error))
    }
}
impl std::error::Error for SpawnError {}

/// A running child, and our ends of its pipes. Dropping it neither waits nor kills.
#[derive(Debug)]
pub struct Child {
    pub pid: Pid,
    pub stdin: Option<OwnedFd>,
    pub stdout: Option<OwnedFd>,
    pub stderr: Option<OwnedFd>,
}

/// What to run, and how.
pub struct Spawn<'a> {
    /// The program's file.
    pub path: &'a [u8],
    /// Arguments, the name included.
    pub argv: &'a [Vec<u8>],
    /// The whole environment, as `NAME=value`.
    pub envp: &'a [Vec<u8>],
    pub stdin: Stdio<'a>,
    pub stdout: Stdio<'a>,
    pub stderr: Stdio<'a>,
    /// `None`: stay who we are.
    pub run_as: Option<RunAs>,
    pub umask: Option<u32>,
    pub directory: Option<&'a [u8]>,
    /// Put the child into a process group of its own, so that all of it can be killed.
    pub new_group: bool,
    /// Raised from the current one if given (nice increment).
    pub nice: Option<i32>,
}

impl<'a> Spawn<'a> {
    /// A child with /dev/null for all three descriptors, as ourselves.
    pub fn new(path: &'a [u8], argv: &'a [Vec<u8>], envp: &'a [Vec<u8>]) -> Self {
        Self {
            path,
            argv,
            envp,
            stdin: Stdio::Null,
            stdout: Stdio::Null,
            stderr: Stdio::Null,
            run_as: None,
            umask: None,
            directory: None,
            new_group: false,
            nice: None,
        }
    }

    /// Forks and execs. On success the program runs (its exec has succeeded).
    pub fn start(self) -> Result<Child, SpawnError> {
        let prep = |error| SpawnError { step: Step::Fork, error };
        let args = ExecArgs::new(self.path, self.argv, self.envp).map_err(prep)?;
        let directory = self.directory.map(cstr).transpose().map_err(prep)?;
        let null = dev_null().map_err(prep)?;
        let mut ends = Ends::default();
        let in_fd = ends.child_end(&self.stdin, 0, &null).map_err(prep)?;
        let out_fd = ends.child_end(&self.stdout, 1, &null).map_err(prep)?;
        let err_fd = match self.stderr {
            Stdio::SameAsStdout => out_fd,
            ref other => ends.child_end(other, 2, &null).map_err(prep)?,
        };
        let (report_in, report_out) = pipe().map_err(prep)?;
        let plan = Plan {
            fds: [in_fd, out_fd, err_fd],
            args: &args,
            directory: directory.as_ref(),
            run_as: self.run_as.as_ref(),
            umask: self.umask,
            new_group: self.new_group,
            nice: self.nice,
        };
        // All signals wait while we fork, so that no handler of ours runs in the child.
        let saved = super::signal::block_all();
        // SAFETY: the child runs only Plan::run_child, which makes async-signal-safe calls.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            plan.run_child(report_out.as_raw_fd());
        }
        let fork_error = io::Error::last_os_error();
        super::signal::restore(&saved);
        if pid < 0 {
            return Err(prep(fork_error));
        }
        drop(report_out);
        let mut report = [0u8; 5];
        let mut got = 0;
        while got < report.len() {
            match super::fd::read(report_in.as_fd(), &mut report[got..]) {
                Ok(0) | Err(_) => break,
                Ok(n) => got += n,
            }
        }
        if got == report.len() {
            let _ = super::process::wait(pid);
            let step = match report[0] {
                1 => Step::Descriptors,
                2 => Step::Groups,
                3 => Step::Gid,
                4 => Step::Uid,
                5 => Step::Directory,
                _ => Step::Exec,
            };
            let errno = i32::from_ne_bytes([report[1], report[2], report[3], report[4]]);
            return Err(SpawnError { step, error: io::Error::from_raw_os_error(errno) });
        }
        let [stdin, stdout, stderr] = ends.ours;
        Ok(Child { pid, stdin, stdout, stderr })
    }
}

/// The pipes' ends: `ours` for the parent, `theirs` kept open until the fork is done.
#[derive(Default)]
struct Ends {
    ours: [Option<OwnedFd>; 3],
    theirs: Vec<OwnedFd>,
}

impl Ends {
    fn child_end(&mut self, what: &Stdio<'_>, index: usize, null: &OwnedFd) -> io::Result<RawFd> {
        Ok(match what {
            Stdio::Null | Stdio::SameAsStdout => null.as_raw_fd(),
            Stdio::Inherit => index as RawFd,
            Stdio::Fd(fd) => fd.as_raw_fd(),
            Stdio::Pipe => {
                let (r, w) = pipe()?;
                let (ours, theirs) = if index == 0 { (w, r) } else { (r, w) };
                self.ours[index] = Some(ours);
                let raw = theirs.as_raw_fd();
                self.theirs.push(theirs);
                raw
            }
        })
    }
}

struct Plan<'a> {
    fds: [RawFd; 3],
    args: &'a ExecArgs,
    directory: Option<&'a CString>,
    run_as: Option<&'a RunAs>,
    umask: Option<u32>,
    new_group: bool,
    nice: Option<i32>,
}

impl Plan<'_> {
    /// The child's life up to exec. No allocation, no locks.
    fn run_child(&self, report: RawFd) -> ! {
        let (step, errno) = match self.prepare(report) {
            Ok(report) => {
                let e = self.args.exec();
                self.fail(report, Step::Exec, e.raw_os_error().unwrap_or(libc::EINVAL))
            }
            Err(x) => x,
        };
        self.fail(report, step, errno)
    }

    fn fail(&self, report: RawFd, step: Step, errno: i32) -> ! {
        let e = errno.to_ne_bytes();
        let msg = [step as u8, e[0], e[1], e[2], e[3]];
        // SAFETY: a five byte write to the report pipe, then the end of this process.
        unsafe {
            libc::write(report, msg.as_ptr().cast(), msg.len());
            libc::_exit(127)
        }
    }

    fn prepare(&self, report: RawFd) -> Result<RawFd, (Step, i32)> {
        let at = |step: Step| move |e: io::Error| (step, e.raw_os_error().unwrap_or(libc::EINVAL));
        reset_signals();
        // Move sources out of the way of 0..2 first: they may overlap with the targets.
        let up = |fd: RawFd| {
            // SAFETY: descriptor numbers only.
            check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) })
        };
        let report = if report < 3 { up(report).map_err(at(Step::Descriptors))? } else { report };
        let mut moved = [0; 3];
        for (to, from) in moved.iter_mut().zip(self.fds) {
            *to = up(from).map_err(at(Step::Descriptors))?;
        }
        for (target, from) in moved.into_iter().enumerate() {
            // SAFETY: descriptor numbers only.
            check(unsafe { libc::dup2(from, target as RawFd) }).map_err(at(Step::Descriptors))?;
        }
        mark_close_on_exec(3);
        if self.new_group {
            // SAFETY: integers only. It cannot fail for a new process.
            unsafe { libc::setpgid(0, 0) };
        }
        if let Some(mask) = self.umask {
            // SAFETY: cannot fail.
            unsafe { libc::umask(mask as libc::mode_t) };
        }
        if let Some(n) = self.nice {
            // SAFETY: integer only; failing to be nicer is no reason not to run.
            unsafe { libc::nice(n) };
        }
        // SAFETY: cannot fail.
        let (real, effective, group) = unsafe { (libc::getuid(), libc::geteuid(), libc::getegid()) };
        // Root that has made itself somebody else for a while (networking) must not leave the way back to the program.
        let lent = real == 0 && effective != 0;
        let who = match self.run_as {
            Some(u) => Some((u.uid, u.gid, u.groups.as_slice())),
            None => lent.then_some((effective, group, std::slice::from_ref(&group))),
        };
        if let Some((uid, gid, groups)) = who {
            // SAFETY: (all of this block) integers, and one pointer with its length. The process has
            // one thread now, so the plain calls change all of it.
            unsafe {
                if lent {
                    check(libc::seteuid(0)).map_err(at(Step::Uid))?;
                }
                if libc::geteuid() == 0 {
                    check(libc::setgroups(groups.len(), groups.as_ptr())).map_err(at(Step::Groups))?;
                }
                check(libc::setresgid(gid, gid, gid)).map_err(at(Step::Gid))?;
                check(libc::setresuid(uid, uid, uid)).map_err(at(Step::Uid))?;
                if uid != 0 && libc::setuid(0) == 0 {
                    return Err((Step::Uid, libc::EPERM));
                }
            }
        }
        if let Some(dir) = self.directory {
            // SAFETY: a valid C string.
            check(unsafe { libc::chdir(dir.as_ptr()) }).map_err(at(Step::Directory))?;
        }
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_reports() {
        let argv = [b"sh".to_vec(), b"-c".to_vec(), b"cat; ls /proc/self/fd >&2; exit 3".to_vec()];
        let mut s = Spawn::new(b"/bin/sh", &argv, &[]);
        s.stdin = Stdio::Pipe;
        s.stdout = Stdio::Pipe;
        s.stderr = Stdio::Pipe;
        let mut c = s.start().unwrap();
        let input = c.stdin.take().unwrap();
        super::super::fd::write(input.as_fd(), b"hello").unwrap();
        drop(input);
        let (out, _) = super::super::fd::read_to_end_deadline(c.stdout.as_ref().unwrap().as_fd(), 100, None).unwrap();
        assert_eq!(out, b"hello");
        let (fds, _) = super::super::fd::read_to_end_deadline(c.stderr.as_ref().unwrap().as_fd(), 100, None).unwrap();
        assert_eq!(fds, b"0\n1\n2\n3\n"); // 3 is the directory that ls itself reads
        assert_eq!(super::super::process::wait(c.pid).unwrap().to_raw(), 3 << 8);
        let e = Spawn::new(b"/nonexistent/program", &argv, &[]).start().unwrap_err();
        assert_eq!(e.step, Step::Exec);
        assert_eq!(e.error.raw_os_error(), Some(libc::ENOENT));
    }
}
