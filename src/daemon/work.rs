//! Work that a process must finish before it ends: sessions of a reception worker, commands that hold a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How much is going on; shared by the threads of a process.
#[derive(Clone, Debug, Default)]
pub struct Work(Arc<AtomicUsize>);

/// One piece of it, as long as this value lives.
#[derive(Debug)]
pub struct Piece(Work);

impl Work {
    /// A piece begins.
    pub fn begin(&self) -> Piece {
        self.0.fetch_add(1, Ordering::SeqCst);
        Piece(self.clone())
    }

    /// Waits until nothing is going on, or for so long.
    pub fn wait(&self, most: Duration) {
        let start = Instant::now();
        while self.0.load(Ordering::SeqCst) > 0 && start.elapsed() < most {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}
