//! The negative numbers that log lines and retry records use for errors that are not the system's.
//!
//! They are part of what other programs see (`defer (-44)`), so they have the reference's values.

/// Anything without a number of its own.
pub const UNKNOWN: i32 = -1;
/// A user's name holds a slash.
pub const USER_SLASH: i32 = -2;
/// The file came to be while it was being made.
pub const EXIST_RACE: i32 = -3;
/// Not a regular file.
pub const NOT_REGULAR: i32 = -4;
/// Not a directory.
pub const NOT_DIRECTORY: i32 = -5;
/// Wrong owner or group.
pub const BAD_UGID: i32 = -6;
/// Wrong mode.
pub const BAD_MODE: i32 = -7;
/// Another file has taken the name.
pub const INODE_CHANGED: i32 = -8;
/// Locking failed.
pub const LOCK_FAILED: i32 = -9;
/// A malformed address.
pub const BAD_ADDRESS: i32 = -10;
/// Pipes are forbidden.
pub const FORBID_PIPE: i32 = -11;
/// Files are forbidden.
pub const FORBID_FILE: i32 = -12;
/// Replies are forbidden.
pub const FORBID_REPLY: i32 = -13;
/// No transport for a pipe.
pub const MISSING_PIPE: i32 = -14;
/// No transport for a file.
pub const MISSING_FILE: i32 = -15;
/// No transport for a reply.
pub const MISSING_REPLY: i32 = -16;
/// Bad redirection data.
pub const BAD_REDIRECT: i32 = -17;
/// The server closed the connection.
pub const SMTP_CLOSED: i32 = -18;
/// The server sent nonsense.
pub const SMTP_FORMAT: i32 = -19;
/// A malformed spool file.
pub const SPOOL_FORMAT: i32 = -20;
/// A file name is not absolute.
pub const NOT_ABSOLUTE: i32 = -21;
/// The transport's quota is used up.
pub const QUOTA: i32 = -22;
/// The domain is held.
pub const HELD: i32 = -23;
/// The transport filter failed.
pub const FILTER_FAILED: i32 = -24;
/// chown failed.
pub const CHOWN_FAILED: i32 = -25;
/// A pipe could not be set up.
pub const PIPE_FAILED: i32 = -26;
/// A callout could not decide.
pub const CALLOUT_DEFER: i32 = -27;
/// Becoming another user failed.
pub const SETUID_FAILED: i32 = -28;
/// never_users, or no such user.
pub const UID_FORBIDDEN: i32 = -29;
/// No such transport.
pub const BAD_TRANSPORT: i32 = -30;
/// The local host is among the hosts.
pub const HOST_LOCAL: i32 = -31;
/// No such host.
pub const UNKNOWN_HOST: i32 = -32;
/// The mailbox has another format.
pub const UNKNOWN_FORMAT: i32 = -33;
/// A file may not be made there.
pub const BAD_CREATE: i32 = -34;
/// A lookup in a list was deferred.
pub const LIST_DEFER: i32 = -35;
/// DNS trouble.
pub const DNS_DEFER: i32 = -36;
/// TLS could not be started.
pub const TLS_FAILURE: i32 = -37;
/// TLS is required and there is none.
pub const TLS_REQUIRED: i32 = -38;
/// Host lookup timed out during routing.
pub const HOST_LOOKUP_TIMEOUT: i32 = -36;
/// Authentication is required and did not work.
pub const AUTH_FAILED: i32 = -42;
/// Connecting timed out.
pub const CONNECT_TIMEOUT: i32 = -43;
/// 4xx to RCPT; the code is in the second number.
pub const RCPT_4XX: i32 = -44;
/// 4xx to MAIL.
pub const MAIL_4XX: i32 = -45;
/// 4xx to DATA or the end of the message.
pub const DATA_4XX: i32 = -46;
/// A proxy failed.
pub const PROXY_FAILED: i32 = -47;
/// Authentication had trouble.
pub const AUTH_PROBLEM: i32 = -48;
/// The next hop lacks SMTPUTF8.
pub const UTF8_FORWARD: i32 = -49;
/// Retry time of routing, first step.
pub const ROUTE_RETRY: i32 = -51;
/// Retry time of an address.
pub const ADDRESS_RETRY: i32 = -52;
/// Retry time of a local delivery.
pub const LOCAL_RETRY: i32 = -53;
/// Retry time of all hosts.
pub const HOST_RETRY: i32 = -54;
/// Only local deliveries now.
pub const LOCAL_ONLY: i32 = -55;
/// queue_domains.
pub const QUEUE_DOMAIN: i32 = -56;
/// The transport's limit of parallel runs.
pub const TRANSPORT_LIMIT: i32 = -57;
/// An event's action.
pub const EVENT: i32 = -58;

/// Bit of the second number: the timeout came while connecting. The low byte is `A` or `M` for the host's origin.
pub const MORE_CONNECT: i32 = 0x100;
