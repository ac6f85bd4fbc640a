//! Locks of an open mailbox: fcntl, flock or both, as the options say, and how often they are tried (section 26.3).

use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::AppendfileOptions;
use crate::sys::lock::{self, Kind, Region, Wait};

/// What is taken, and for how long one attempt waits; zero: not at all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Locks {
    fcntl: Option<Duration>,
    flock: Option<Duration>,
    interval: Duration,
    tries: u64,
}

impl Locks {
    pub(super) fn of(o: &AppendfileOptions) -> Self {
        let seconds = |t: i64| Duration::from_secs(u64::try_from(t).unwrap_or(0));
        let tries = u64::try_from(o.lock_retries.0).unwrap_or(0).max(1);
        let interval = seconds(o.lock_interval.0);
        let timeout = seconds(o.lock_fcntl_timeout.0).max(seconds(o.lock_flock_timeout.0)).as_secs();
        // An attempt that waits stands for several that do not.
        let tries = if timeout > 0 { tries.saturating_mul(interval.as_secs()).div_ceil(timeout).max(1) } else { tries };
        Locks {
            fcntl: o.use_fcntl_lock.then(|| seconds(o.lock_fcntl_timeout.0)),
            flock: o.use_flock_lock.then(|| seconds(o.lock_flock_timeout.0)),
            interval,
            tries,
        }
    }

    pub(super) fn without_waiting(self) -> Self {
        let none = |d: Option<Duration>| d.map(|_| Duration::ZERO);
        Locks { fcntl: none(self.fcntl), flock: none(self.flock), ..self }
    }

    /// Takes them all; false if one is somebody else's.
    pub(super) fn take(&self, fd: BorrowedFd<'_>, kind: Kind) -> bool {
        let fcntl = |d: Duration| lock::fcntl(fd, kind, Region::WHOLE, Wait::for_duration(d)).is_ok();
        let flock = |d: Duration| lock::flock(fd, kind, Wait::for_duration(d)).is_ok();
        self.fcntl.is_none_or(fcntl) && self.flock.is_none_or(flock)
    }

    /// Calls `attempt` until it gives something, as often as the options say.
    pub(super) fn retry<T, E>(&self, mut attempt: impl FnMut() -> Result<Option<T>, E>) -> Result<Option<T>, E> {
        let waits = [self.fcntl, self.flock].into_iter().flatten().any(|d| !d.is_zero());
        for n in 0..self.tries {
            if let Some(done) = attempt()? {
                return Ok(Some(done));
            }
            if !waits && n + 1 < self.tries {
                std::thread::sleep(self.interval);
            }
        }
        Ok(None)
    }
}
