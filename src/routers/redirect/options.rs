//! The private options of the `redirect` router (manual chapter 22).

use crate::config::options::*;
use crate::options;

options! {
    /// Private options of the `redirect` driver.
    pub struct RedirectOptions {
        /// Permit :defer: and filter defer.
        allow_defer: bool = false,
        /// Permit :fail: and filter fail.
        allow_fail: bool = false,
        /// Interpret Exim or Sieve filter data.
        allow_filter: bool = false,
        /// Permit filter freeze.
        allow_freeze: bool = false,
        /// Replace child equalling an ancestor by current address.
        check_ancestor: bool = false,
        /// Verify file group ownership.
        check_group: bool = true,
        /// Verify file ownership.
        check_owner: bool = true,
        /// Redirection data as expanded string.
        data: Str = Str::unset(),
        /// Transport for paths ending with slash.
        directory_transport: Str = Str::unset(),
        /// File containing redirection data.
        file: Str = Str::unset(),
        /// Transport for file paths.
        file_transport: Str = Str::unset(),
        /// Prefix relative save paths with $home.
        filter_prepend_home: bool = true,
        /// Disallow :blackhole:.
        forbid_blackhole: bool = false,
        /// Only Sieve filters allowed.
        forbid_exim_filter: bool = false,
        /// Disallow file/directory deliveries.
        forbid_file: bool = false,
        /// Disallow ${dlfunc} in filters.
        forbid_filter_dlfunc: bool = false,
        /// Disallow exists and stat in filters.
        forbid_filter_existstest: bool = false,
        /// Disallow logging in filters.
        forbid_filter_logwrite: bool = false,
        /// Disallow lookups in filters.
        forbid_filter_lookup: bool = false,
        /// Disallow ${perl} in filters.
        forbid_filter_perl: bool = false,
        /// Disallow ${readfile} in filters.
        forbid_filter_readfile: bool = false,
        /// Disallow ${readsocket} in filters.
        forbid_filter_readsocket: bool = false,
        /// Disallow mail/vacation in filters.
        forbid_filter_reply: bool = false,
        /// Disallow ${run} in filters.
        forbid_filter_run: bool = false,
        /// Disallow :include:.
        forbid_include: bool = false,
        /// Disallow pipe deliveries.
        forbid_pipe: bool = false,
        /// Only Exim filters allowed.
        forbid_sieve_filter: bool = false,
        /// Ignore SMTP codes in :fail:/:defer: text.
        forbid_smtp_code: bool = false,
        /// Do not reveal child address in notices.
        hide_child_in_errmsg: bool = false,
        /// EACCES on file means decline.
        ignore_eacces: bool = false,
        /// ENOTDIR on file means decline.
        ignore_enotdir: bool = false,
        /// Required prefix of :include: paths.
        include_directory: Str = Str::unset(),
        /// Mode bits that file must not have.
        modemask: Octal = Octal(0o22),
        /// Expand aliases once; children become recipients.
        one_time: bool = false,
        /// Additional allowed file owners.
        owners: IdList = IdList::users(),
        /// Additional allowed file groups.
        owngroups: IdList = IdList::groups(),
        /// Transport for pipe commands.
        pipe_transport: Str = Str::unset(),
        /// Domain qualifying generated addresses.
        qualify_domain: Str = Str::unset(),
        /// Qualify with parent's domain.
        qualify_preserve_domain: bool = false,
        /// False: skip if ancestor already used router.
        repeat_use: bool = true,
        /// Transport for filter replies.
        reply_transport: Str = Str::unset(),
        /// Apply rewriting to generated addresses.
        rewrite: bool = true,
        /// From address of Sieve enotify mailto messages (undocumented).
        sieve_enotify_mailto_owner: Str = Str::unset(),
        /// Mailbox for Sieve keep.
        sieve_inbox: Str = Str::fixed("inbox"),
        /// Value for Sieve :subaddress part.
        sieve_subaddress: Str = Str::unset(),
        /// Value for Sieve :user part.
        sieve_useraddress: Str = Str::unset(),
        /// Database directory; enables Sieve vacation.
        sieve_vacation_directory: Str = Str::unset(),
        /// Log and skip malformed addresses.
        skip_syntax_errors: bool = false,
        /// Sender rewriting: forward, reverse or reverseandforward.
        srs: Str = Str::unset(),
        /// Domain of the rewritten sender.
        srs_alias: Str = Str::unset(),
        /// Truth value: rewrite at all?
        srs_condition: Str = Str::unset(),
        /// Puts an address into a data base under a key.
        srs_dbinsert: Str = Str::unset(),
        /// Gets it back.
        srs_dbselect: Str = Str::unset(),
        /// Text for syntax error notice.
        syntax_errors_text: Str = Str::unset(),
        /// Recipient of syntax error notice.
        syntax_errors_to: Str = Str::unset(),
    }
}
