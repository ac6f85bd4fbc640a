//! Connections to servers that a process keeps for its next lookup: at most one for each place. Used by the types of lookup
//! that talk to servers.
//!
//! None is ever used by another process than the one that made it: a child forgets what it has inherited.

use crate::sys::process;

/// Connections `C`, each with its place `P`.
pub struct Kept<P, C> {
    process: u32,
    connections: Vec<(P, C)>,
}

impl<P: PartialEq, C> Kept<P, C> {
    /// None yet.
    pub fn new() -> Self {
        Kept { process: process::generation(), connections: Vec::new() }
    }

    /// Takes out the one to that place: whoever finds it good puts it back.
    pub fn take(&mut self, place: &P) -> Option<C> {
        if self.process != process::generation() {
            self.connections.clear();
            self.process = process::generation();
        }
        let at = self.connections.iter().position(|(p, _)| p == place)?;
        Some(self.connections.swap_remove(at).1)
    }

    /// Keeps it for the next time.
    pub fn put(&mut self, place: P, connection: C) {
        self.connections.push((place, connection));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_out_until_it_is_put_back_and_stays_with_its_process() {
        let mut kept = Kept::new();
        kept.put("a", 1);
        kept.put("b", 2);
        assert_eq!((kept.take(&"a"), kept.take(&"a"), kept.take(&"c")), (Some(1), None, None));
        kept.process += 1;
        assert_eq!(kept.take(&"b"), None);
        kept.put("b", 3);
        assert_eq!(kept.take(&"b"), Some(3));
    }
}
