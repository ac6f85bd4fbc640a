//! The error numbers that log lines show in parentheses and retry rules test: positive ones are errno values, the
//! reference's own are negative. They are kept in spool hints and read by log readers, so they never change.

/// Nothing more is known.
pub const UNKNOWN: i32 = -1;
/// A home directory ends the mailbox name: user name with a slash.
pub const USER_SLASH: i32 = -2;
/// The file came into existence between two looks.
pub const EXIST_RACE: i32 = -3;
/// Not a regular file.
pub const NOT_REGULAR: i32 = -4;
/// Not a directory.
pub const NOT_DIRECTORY: i32 = -5;
/// Wrong owner or group.
pub const BAD_OWNER: i32 = -6;
/// Wrong mode.
pub const BAD_MODE: i32 = -7;
/// The file was replaced while it was being opened.
pub const INODE_CHANGED: i32 = -8;
/// A mailbox lock could not be had.
pub const LOCK_FAILED: i32 = -9;
/// An address is bad.
pub const BAD_ADDRESS: i32 = -10;
/// Pipes are not allowed.
pub const FORBID_PIPE: i32 = -11;
/// Files are not allowed.
pub const FORBID_FILE: i32 = -12;
/// Replies are not allowed.
pub const FORBID_REPLY: i32 = -13;
/// No pipe transport.
pub const MISSING_PIPE: i32 = -14;
/// No file transport.
pub const MISSING_FILE: i32 = -15;
/// No reply transport.
pub const MISSING_REPLY: i32 = -16;
/// Redirection data are bad.
pub const BAD_REDIRECT: i32 = -17;
/// The connection was closed.
pub const SMTP_CLOSED: i32 = -18;
/// The answer was malformed.
pub const SMTP_FORMAT: i32 = -19;
/// A spool file is malformed.
pub const SPOOL_FORMAT: i32 = -20;
/// Not an absolute path.
pub const NOT_ABSOLUTE: i32 = -21;
/// Over a quota of ours (`quota` in retry rules).
pub const QUOTA: i32 = -22;
/// Held by hold_domains.
pub const HELD: i32 = -23;
/// A transport filter failed.
pub const FILTER_FAIL: i32 = -24;
/// Adding or removing headers failed.
pub const HEADER_FAIL: i32 = -25;
/// Not everything was written.
pub const WRITE_INCOMPLETE: i32 = -26;
/// An expansion failed.
pub const EXPAND_FAIL: i32 = -27;
/// No gid for a local delivery.
pub const GID_FAIL: i32 = -28;
/// No uid for a local delivery.
pub const UID_FAIL: i32 = -29;
/// No transport, or a bad one.
pub const BAD_TRANSPORT: i32 = -30;
/// An MBX file has a bad length.
pub const MBX_LENGTH: i32 = -31;
/// A host does not exist.
pub const UNKNOWN_HOST: i32 = -32;
/// A mailbox has an unknown format.
pub const FORMAT_UNKNOWN: i32 = -33;
/// File creation is not allowed there.
pub const BAD_CREATE: i32 = -34;
/// A list could not be tested.
pub const LIST_DEFER: i32 = -35;
/// A DNS lookup did not complete.
pub const DNS_DEFER: i32 = -36;
/// TLS could not be started.
pub const TLS_FAILURE: i32 = -37;
/// TLS was required and not to be had.
pub const TLS_REQUIRED: i32 = -38;
/// chown failed.
pub const CHOWN_FAIL: i32 = -39;
/// A pipe could not be made.
pub const PIPE_FAIL: i32 = -40;
/// A callout deferred.
pub const CALLOUT_DEFER: i32 = -41;
/// Authentication failed where it was required (`auth_failed` in retry rules).
pub const AUTH_FAIL: i32 = -42;
/// Connecting timed out (`timeout_connect`).
pub const CONNECT_TIMEOUT: i32 = -43;
/// 4xx to RCPT.
pub const RCPT_4XX: i32 = -44;
/// 4xx to MAIL.
pub const MAIL_4XX: i32 = -45;
/// 4xx to DATA.
pub const DATA_4XX: i32 = -46;
/// The proxy failed.
pub const PROXY_FAIL: i32 = -47;
/// An authenticator failed.
pub const AUTH_PROBLEM: i32 = -48;
/// The host cannot take SMTPUTF8.
pub const UTF8_FORWARD: i32 = -49;
/// The host is this one.
pub const HOST_IS_LOCAL: i32 = -50;
/// Tainted data where there may be none.
pub const TAINT: i32 = -51;
/// Not time for routing.
pub const RETRY_ROUTE: i32 = -52;
/// Not time for a local delivery.
pub const RETRY_LOCAL: i32 = -53;
/// Not time for any host.
pub const RETRY_HOSTS: i32 = -54;
/// Local deliveries only.
pub const LOCAL_ONLY: i32 = -55;
/// In queue_domains.
pub const QUEUE_DOMAIN: i32 = -56;
/// Too many deliveries of a transport at once.
pub const RETRY_TRANSPORT: i32 = -57;
/// An event action said so.
pub const EVENT: i32 = -58;

/// Numbers from this one down mean that nothing was tried: `retry_defer` says whether they are logged, and alone they
/// make no delay warning.
pub const RETRY_BASE: i32 = -51;

/// In `more_errno` of a timeout: it happened while connecting.
pub const CONNECT_BIT: i32 = 0x100;
