//! The private options of the `queuefile` driver. Only the table is here.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `queuefile` driver.
    pub struct QueuefileOptions {
        /// Destination for copied spool files.
        directory: Str = Str::unset(),
    }
}
