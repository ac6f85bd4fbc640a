//! Being written.

/// The resolver.
#[derive(Debug, Default)]
pub struct Resolver {}
