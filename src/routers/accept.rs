//! The `accept` router: not written yet.

use crate::options;

options! {
    /// Private options of the `accept` driver: it has none.
    pub struct AcceptOptions {
    }
}
