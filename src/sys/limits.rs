//! Resource limits, priority, resource use, memory checks and core files of this process. (The load average is in [`super::system`].)

use super::check;
use std::io;
use std::time::Duration;

/// Which limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Open files.
    Files,
    /// Processes of the user.
    Processes,
    /// Core dump size.
    Core,
    /// CPU seconds.
    Cpu,
    /// Size of a written file.
    FileSize,
    /// Address space.
    Memory,
}

impl Limit {
    fn raw(self) -> libc::__rlimit_resource_t {
        match self {
            Self::Files => libc::RLIMIT_NOFILE,
            Self::Processes => libc::RLIMIT_NPROC,
            Self::Core => libc::RLIMIT_CORE,
            Self::Cpu => libc::RLIMIT_CPU,
            Self::FileSize => libc::RLIMIT_FSIZE,
            Self::Memory => libc::RLIMIT_AS,
        }
    }
}

/// "No limit".
pub const INFINITY: u64 = libc::RLIM_INFINITY;

/// Soft and hard limit.
pub fn get(limit: Limit) -> io::Result<(u64, u64)> {
    let mut l = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: l is a valid place for the result.
    check(unsafe { libc::getrlimit(limit.raw(), &mut l) })?;
    Ok((l.rlim_cur, l.rlim_max))
}

/// Sets soft and hard limit.
pub fn set(limit: Limit, soft: u64, hard: u64) -> io::Result<()> {
    let l = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: l is valid for reading.
    check(unsafe { libc::setrlimit(limit.raw(), &l) }).map(drop)
}

/// Ends the process so that it leaves a core file, as far as the hard limit and the system's administrator allow one.
pub fn dump_core() -> ! {
    if let Ok((_, hard)) = get(Limit::Core) {
        let _ = set(Limit::Core, hard, hard);
    }
    // SAFETY: integers only. A process that was started set-user-id is not dumped unless it says that it may be.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) };
    std::process::abort()
}

/// Makes mistakes in the use of memory show: from now on, memory that is given out or given back is filled with nonsense.
pub fn perturb_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a number of the allocator; it fills only memory that nobody may read.
    unsafe {
        libc::mallopt(libc::M_PERTURB, 0xa5);
    }
}

/// Adds to the nice value.
pub fn nice(increment: i32) -> io::Result<()> {
    // SAFETY: priority calls take integers; errno tells -1 the value from -1 the error.
    unsafe {
        *libc::__errno_location() = 0;
        let r = libc::nice(increment);
        if r == -1 && *libc::__errno_location() != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The nice value of this process (the `priority` option of routers and transports).
pub fn priority() -> io::Result<i32> {
    // SAFETY: as in nice().
    unsafe {
        *libc::__errno_location() = 0;
        let r = libc::getpriority(libc::PRIO_PROCESS, 0);
        if r == -1 && *libc::__errno_location() != 0 { Err(io::Error::last_os_error()) } else { Ok(r) }
    }
}

/// Resources used by this process and by its ended children.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub user: Duration,
    pub system: Duration,
    /// Largest resident size, kilobytes.
    pub max_rss: u64,
}

/// getrusage(2) of this process (`children` false) or of its ended children.
pub fn usage(children: bool) -> io::Result<Usage> {
    // SAFETY: rusage is plain integers, zero is a valid value.
    let mut u: libc::rusage = unsafe { std::mem::zeroed() };
    let who = if children { libc::RUSAGE_CHILDREN } else { libc::RUSAGE_SELF };
    // SAFETY: u is a valid place for the result.
    check(unsafe { libc::getrusage(who, &mut u) })?;
    let dur = |t: libc::timeval| Duration::new(t.tv_sec.max(0) as u64, (t.tv_usec.clamp(0, 999_999) as u32) * 1000);
    Ok(Usage { user: dur(u.ru_utime), system: dur(u.ru_stime), max_rss: u.ru_maxrss.max(0) as u64 })
}
