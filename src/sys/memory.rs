//! Memory that the allocator keeps.

/// Gives free memory back to the system. A fork copies the tables of all that a process has, free or not: call it after something
/// large was dropped, before many forks.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes no pointer, and may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}
