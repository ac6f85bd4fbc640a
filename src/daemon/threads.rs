//! Threads that outlive their work: the next connection takes one that waits, or gets a new one if none does. A new thread
//! costs as much as a short session: its stack, its part of the heap, and OpenSSL's random generators.
//!
//! For the reception workers: their sessions, and what a session does at the same time as something else. A thread that has
//! waited for [`PATIENCE`] ends, and so does one too many.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Stack of a thread, bytes: only what is touched costs memory.
const STACK: usize = 2 << 20;
/// How long a thread waits for more work.
const PATIENCE: Duration = Duration::from_secs(5);
/// Threads that wait at a time.
const MOST_WAITING: usize = 32;

type Work = Box<dyn FnOnce() + Send>;

/// See the module.
#[derive(Clone, Debug)]
pub struct Threads(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most_waiting: usize,
    state: Mutex<State>,
    more: Condvar,
}

/// Never more work than waiting threads.
#[derive(Default)]
struct State {
    work: VecDeque<Work>,
    waiting: usize,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} waiting", self.waiting)
    }
}

impl Threads {
    /// None yet. If not to be kept, each piece of work has a thread (and so a number in the log) of its own.
    pub fn new(keep: bool) -> Self {
        let most_waiting = if keep { MOST_WAITING } else { 0 };
        Threads(Arc::new(Shared { most_waiting, state: Mutex::default(), more: Condvar::new() }))
    }

    /// Has the work done by a thread. A panic in it ends the thread, and nothing else.
    pub fn run(&self, work: Work) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.waiting > state.work.len() {
            state.work.push_back(work);
            self.0.more.notify_one();
            return Ok(());
        }
        drop(state);
        let shared = Arc::clone(&self.0);
        let thread = std::thread::Builder::new().stack_size(STACK);
        thread.spawn(move || {
            work();
            while let Some(next) = shared.next() {
                next();
            }
        })?;
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for work; `None`: the thread is not needed any longer.
    fn next(&self) -> Option<Work> {
        let mut state = self.lock();
        if state.waiting >= self.most_waiting {
            return None;
        }
        state.waiting += 1;
        let end = Instant::now() + PATIENCE;
        let work = loop {
            let work = state.work.pop_front();
            let left = end.saturating_duration_since(Instant::now());
            if work.is_some() || left.is_zero() {
                break work;
            }
            state = self.more.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        state.waiting -= 1;
        work
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread::ThreadId;

    fn id(threads: &Threads) -> ThreadId {
        let (tell, told) = mpsc::channel();
        threads.run(Box::new(move || tell.send(std::thread::current().id()).unwrap())).unwrap();
        told.recv().unwrap()
    }

    fn until_waiting(threads: &Threads, n: usize) {
        while threads.0.lock().waiting != n {
            std::thread::yield_now();
        }
    }

    #[test]
    fn one_that_waits_is_taken() {
        let threads = Threads::new(true);
        let first = id(&threads);
        until_waiting(&threads, 1);
        assert_eq!(id(&threads), first);
    }

    #[test]
    fn nobody_waits_for_a_busy_one() {
        let threads = Threads::new(true);
        let (go, gone) = mpsc::channel::<()>();
        threads.run(Box::new(move || gone.recv().unwrap_or_default())).unwrap();
        let other = id(&threads);
        until_waiting(&threads, 1);
        assert_eq!(id(&threads), other);
        drop(go);
        until_waiting(&threads, 2);
    }

    #[test]
    fn none_is_kept() {
        let threads = Threads::new(false);
        assert_ne!(id(&threads), id(&threads));
    }

    #[test]
    fn a_panic_costs_one_thread() {
        let threads = Threads::new(true);
        threads.run(Box::new(|| panic!("as wanted"))).unwrap();
        id(&threads);
        until_waiting(&threads, 1);
    }
}
