//! Lookups (manual chapter 9): the registry of types, open handles, cached results. One file per type.

/// Open handles and cached results of one thread of control. Never shared between processes.
#[derive(Clone, Debug, Default)]
pub struct Cache {}
