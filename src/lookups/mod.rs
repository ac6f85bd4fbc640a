//! Lookups (manual chapter 9): the registry of types, open handles, cached results. One file per type.

/// Open handles and cached results of one thread of control. Never shared between processes.
#[derive(Clone, Debug, Default)]
pub struct Cache {}

/// The name of the lookup type with this index (for spool files and messages).
pub fn type_name(index: u8) -> &'static str {
    let _ = index;
    "none"
}

/// The index of the lookup type of this name.
pub fn type_index(name: &[u8]) -> Option<u8> {
    let _ = name;
    None
}
