//! The private options of the `pipe` driver (manual section 29.5). Only the table is here.

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `pipe` driver.
    pub struct PipeOptions {
        /// Permitted commands list.
        allow_commands: Str = Str::unset(),
        /// Expanded key grouping batched addresses.
        batch_id: Str = Str::unset(),
        /// Address ceiling per run.
        batch_max: Int = Int(1),
        /// Line-start text needing escaping.
        check_string: Str = Str::unset(),
        /// Program and arguments.
        command: Str = Str::unset(),
        /// Extra name=value environment items.
        environment: Str = Str::unset(),
        /// Replacement for matched check_string.
        escape_string: Str = Str::unset(),
        /// Use command even for redirected pipe addresses.
        force_command: bool = false,
        /// Freeze when exec fails.
        freeze_exec_fail: bool = false,
        /// Freeze when killed by signal.
        freeze_signal: bool = false,
        /// Treat any exit status as success.
        ignore_status: bool = false,
        /// Log first output line on deferral.
        log_defer_output: bool = false,
        /// Log first output line on failure.
        log_fail_output: bool = false,
        /// Log first output line always.
        log_output: bool = false,
        /// Output byte ceiling; exceeding kills process.
        max_output: Size = Size(20480),
        /// Text written ahead of message.
        message_prefix: Str = Str::unset(),
        /// Text written behind message.
        message_suffix: Str = Str::unset(),
        /// PATH for command.
        path: Str = Str::fixed("/bin:/usr/bin"),
        /// Allow core dumps.
        permit_coredump: bool = false,
        /// Run as uid that submitted message.
        pipe_as_creator: bool = false,
        /// Command names may not contain slashes.
        restrict_to_path: bool = false,
        /// Bounce output upon failure status.
        return_fail_output: bool = false,
        /// Any output makes delivery fail and is bounced.
        return_output: bool = false,
        /// Exit codes (or *) meaning temporary failure.
        temp_errors: Str = Str::fixed("75:73"),
        /// Run time limit.
        timeout: Time = Time(3600),
        /// Timeout defers rather than fails.
        timeout_defer: bool = false,
        /// umask of command.
        umask: Octal = Octal(0o22),
        /// Write batched SMTP form.
        use_bsmtp: bool = false,
        /// Apply login class limits (BSD).
        use_classresources: bool = false,
        /// Write CRLF line ends.
        use_crlf: bool = false,
        /// Run through /bin/sh.
        use_shell: bool = false,
    }
}
