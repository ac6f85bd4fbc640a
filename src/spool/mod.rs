//! The spool: -H, -D and -J files, message ids, locks, and the list of the queue.
