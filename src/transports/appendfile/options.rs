//! The private options of the `appendfile` transport (manual chapter 26).

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `appendfile` driver.
    pub struct AppendfileOptions {
        /// Permit writing to a named pipe.
        allow_fifo: bool = false,
        /// Permit mailbox to be a symlink.
        allow_symlink: bool = false,
        /// Expanded key grouping batched addresses.
        batch_id: Str = Str::unset(),
        /// Address ceiling per run.
        batch_max: Int = Int(1),
        /// Insist on matching file group.
        check_group: bool = false,
        /// Insist on matching file owner.
        check_owner: bool = true,
        /// Line-start text needing escaping.
        check_string: Str = Str::unset(),
        /// Make missing parent directories.
        create_directory: bool = true,
        /// Where creation is allowed: anywhere/inhome/belowhome/abs path.
        create_file: Str = Str::fixed("anywhere"),
        /// Target directory; one file per message.
        directory: Str = Str::unset(),
        /// Expanded file name in plain directory deliveries.
        directory_file: Str = Str::fixed("q${base62:$tod_epoch}-$inode"),
        /// Mode of directories created.
        directory_mode: Octal = Octal(0o700),
        /// Replacement for matched check_string.
        escape_string: Str = Str::unset(),
        /// Target mailbox file.
        file: Str = Str::unset(),
        /// String/transport pairs choosing transport by existing content.
        file_format: Str = Str::unset(),
        /// Defer when mailbox is absent.
        file_must_exist: bool = false,
        /// Blocking fcntl lock timeout; 0 non-blocking.
        lock_fcntl_timeout: Time = Time(0),
        /// Blocking flock timeout; 0 non-blocking.
        lock_flock_timeout: Time = Time(0),
        /// Sleep between lock tries.
        lock_interval: Time = Time(3),
        /// Lock try count.
        lock_retries: Int = Int(10),
        /// Mode of lock file.
        lockfile_mode: Octal = Octal(0o600),
        /// Age making a lock file stale.
        lockfile_timeout: Time = Time(1800),
        /// Expanded current file count for quota.
        mailbox_filecount: Str = Str::unset(),
        /// Expanded current size for quota.
        mailbox_size: Str = Str::unset(),
        /// Deliver in maildir style.
        maildir_format: bool = false,
        /// Subdirectories counted in maildir quota.
        maildir_quota_directory_regex: Str = Str::fixed(r#"^(?:cur|new|\..*)$"#),
        /// Retries creating maildir file.
        maildir_retries: Int = Int(10),
        /// Suffix appended to maildir file names.
        maildir_tag: Str = Str::unset(),
        /// Maintain maildirsize quota file.
        maildir_use_size_file: ExpBool = ExpBool::fixed(false),
        /// Directories in which maildirfolder marker is created.
        maildirfolder_create_regex: Str = Str::unset(),
        /// Deliver as .env/.msg pairs.
        mailstore_format: bool = false,
        /// First lines of envelope file.
        mailstore_prefix: Str = Str::unset(),
        /// Last lines of envelope file.
        mailstore_suffix: Str = Str::unset(),
        /// Use c-client MBX format.
        mbx_format: bool = false,
        /// Text written ahead of message.
        message_prefix: Str = Str::unset(),
        /// Text written behind message.
        message_suffix: Str = Str::unset(),
        /// Mailbox file mode.
        mode: Octal = Octal(0o600),
        /// Defer when existing mode is tighter.
        mode_fail_narrower: bool = true,
        /// Signal biff daemon.
        notify_comsat: bool = false,
        /// Space limit; mailbox full error.
        quota: Str = Str::unset(),
        /// Directory measured for quota.
        quota_directory: Str = Str::unset(),
        /// File number limit.
        quota_filecount: Str = Str::unset(),
        /// Count new message against quota.
        quota_is_inclusive: bool = true,
        /// Regex extracting size from file name.
        quota_size_regex: Str = Str::unset(),
        /// Text (with headers) of quota warning.
        quota_warn_message: Str = Str::unset(),
        /// Size or percentage triggering warning.
        quota_warn_threshold: Str = Str::unset(),
        /// Write batched SMTP form.
        use_bsmtp: bool = false,
        /// Write CRLF line ends.
        use_crlf: bool = false,
        /// Lock using fcntl.
        use_fcntl_lock: bool = true,
        /// Lock using flock.
        use_flock_lock: bool = false,
        /// Create .lock file.
        use_lockfile: bool = true,
        /// Use MBX locking convention.
        use_mbx_lock: bool = true,
    }
}
