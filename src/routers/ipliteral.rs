//! The `ipliteral` router: not written yet.

use crate::options;

options! {
    /// Private options of the `ipliteral` driver: it has none.
    pub struct IpliteralOptions {
    }
}
