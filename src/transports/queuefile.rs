//! The `queuefile` transport: not written yet beyond its table of options.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `queuefile` driver.
    pub struct QueuefileOptions {
        /// Destination for copied spool files.
        directory: Str = Str::unset(),
    }
}
