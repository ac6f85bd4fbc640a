//! The negative error numbers of deliveries, as they stand in log lines (`defer (-44)`) and retry records.
//!
//! Positive numbers are the system's. The values are part of the interface: log readers know them.

/// No number fits.
pub const UNKNOWN: i32 = -1;
/// A user name contains a slash.
pub const USER_SLASH: i32 = -2;
/// A file came into being while it was created.
pub const EXISTENCE_RACE: i32 = -3;
/// Not a regular file.
pub const NOT_REGULAR: i32 = -4;
/// Not a directory.
pub const NOT_DIRECTORY: i32 = -5;
/// Wrong owner or group.
pub const BAD_OWNER: i32 = -6;
/// Wrong mode.
pub const BAD_MODE: i32 = -7;
/// The inode changed while it was being opened.
pub const INODE_CHANGED: i32 = -8;
/// A lock could not be had.
pub const LOCK_FAILED: i32 = -9;
/// A malformed address.
pub const BAD_ADDRESS: i32 = -10;
/// Delivery to a pipe is forbidden.
pub const FORBID_PIPE: i32 = -11;
/// Delivery to a file is forbidden.
pub const FORBID_FILE: i32 = -12;
/// An autoreply is forbidden.
pub const FORBID_REPLY: i32 = -13;
/// No pipe transport.
pub const MISSING_PIPE: i32 = -14;
/// No file transport.
pub const MISSING_FILE: i32 = -15;
/// No reply transport.
pub const MISSING_REPLY: i32 = -16;
/// An error in redirection data.
pub const BAD_REDIRECT: i32 = -17;
/// The server closed the connection.
pub const SMTP_CLOSED: i32 = -18;
/// The server's answer was malformed.
pub const SMTP_FORMAT: i32 = -19;
/// A spool file is malformed.
pub const SPOOL_FORMAT: i32 = -20;
/// A path is not absolute.
pub const NOT_ABSOLUTE: i32 = -21;
/// A quota of ours is exceeded.
pub const QUOTA: i32 = -22;
/// The domain is held.
pub const HELD: i32 = -23;
/// A transport filter failed.
pub const FILTER_FAIL: i32 = -24;
/// Adding or removing header lines failed.
pub const HEADER_FAIL: i32 = -25;
/// A write was incomplete.
pub const WRITE_INCOMPLETE: i32 = -26;
/// An expansion failed.
pub const EXPAND_FAIL: i32 = -27;
/// The group could not be found or set.
pub const GID_FAIL: i32 = -28;
/// The user could not be found or set.
pub const UID_FAIL: i32 = -29;
/// The transport is missing or bad.
pub const BAD_TRANSPORT: i32 = -30;
/// An MBX file's length is wrong.
pub const MBX_LENGTH: i32 = -31;
/// A host is not known.
pub const UNKNOWN_HOST: i32 = -32;
/// The mailbox format is not known.
pub const FORMAT_UNKNOWN: i32 = -33;
/// A file may not be created there.
pub const BAD_CREATE: i32 = -34;
/// A list could not be checked.
pub const LIST_DEFER: i32 = -35;
/// DNS gave a temporary error.
pub const DNS_DEFER: i32 = -36;
/// A TLS session could not be started.
pub const TLS_FAILURE: i32 = -37;
/// TLS is required but not offered.
pub const TLS_REQUIRED: i32 = -38;
/// A file's owner could not be changed.
pub const CHOWN_FAIL: i32 = -39;
/// A pipe could not be made.
pub const PIPE_FAIL: i32 = -40;
/// A callout was deferred.
pub const CALLOUT_DEFER: i32 = -41;
/// Required authentication failed.
pub const AUTH_FAIL: i32 = -42;
/// Connecting timed out.
pub const CONNECT_TIMEOUT: i32 = -43;
/// 4xx to RCPT.
pub const RCPT_4XX: i32 = -44;
/// 4xx to MAIL.
pub const MAIL_4XX: i32 = -45;
/// 4xx to DATA or to the message.
pub const DATA_4XX: i32 = -46;
/// The proxy failed.
pub const PROXY_FAIL: i32 = -47;
/// Trouble in authenticating.
pub const AUTH_PROBLEM: i32 = -48;
/// The server does not take SMTPUTF8.
pub const UTF8_FORWARD: i32 = -49;
/// The host is this one.
pub const HOST_IS_LOCAL: i32 = -50;
/// Numbers up to this one mean that nothing was tried: `retry_defer` says whether they are logged, and they alone send no delay warning.
pub const RETRY_BASE: i32 = -51;
/// The routing retry time has not come.
pub const ROUTING_RETRY: i32 = -52;
/// The local delivery retry time has not come.
pub const LOCAL_RETRY: i32 = -53;
/// No host's retry time has come.
pub const HOST_RETRY: i32 = -54;
/// Remote deliveries are suppressed.
pub const LOCAL_ONLY: i32 = -55;
/// The domain is in queue_domains.
pub const QUEUE_DOMAIN: i32 = -56;
/// max_parallel of the transport is reached.
pub const TRANSPORT_LIMIT: i32 = -57;
/// An event action forbids it.
pub const EVENT: i32 = -58;

/// A router's host lookup timed out (`pass_on_timeout`).
pub const HOST_LOOKUP_TIMEOUT: i32 = DNS_DEFER;

/// In `more_errno` of a timeout: it happened while connecting.
pub const CONNECT_BIT: i32 = 0x100;
