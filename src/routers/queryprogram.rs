//! The `queryprogram` router: not written yet beyond its table of options.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `queryprogram` driver.
    pub struct QueryprogramOptions {
        /// Program to run.
        command: Str = Str::unset(),
        /// Gid for program.
        command_group: Str = Str::unset(),
        /// Uid for program; required.
        command_user: Str = Str::unset(),
        /// Working directory for program.
        current_directory: Str = Str::fixed("/"),
        /// Time limit; zero unlimited.
        timeout: Time = Time(3600),
    }
}
