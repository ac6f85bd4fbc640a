//! Errors of TLS, worded as the reference logs them.
//!
//! `Display` gives what follows `TLS error on connection from <host> ` on a server and
//! `TLS session: ` on a client.

use std::fmt;
use std::io;

use openssl::error::ErrorStack;

/// Why TLS could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsError {
    /// A call to the library failed: the call, and the library's text.
    Library { step: String, detail: String },
    /// A whole sentence without a step (`Unknown curve name in tls_eccurve 'x'`).
    Message(String),
    /// The peer's certificate status was refused: step and reason, no colon between.
    Status { reason: String },
    /// The handshake took longer than allowed.
    TimedOut { step: &'static str },
    /// The peer closed the TCP connection in the handshake.
    ClosedByPeer { step: &'static str },
    /// ALPN rules were broken.
    Alpn(String),
    /// DANE was demanded and cannot be done or failed before the handshake.
    Dane(String),
    /// The caller's SNI hook said no.
    SniRefused(String),
    /// A file that must be looked at is not there; also for the panic log.
    Stat(String),
}

impl TlsError {
    /// A failed set-up call, with the oldest error of the library's queue.
    pub(super) fn library(step: impl Into<String>, stack: &ErrorStack) -> TlsError {
        TlsError::Library { step: step.into(), detail: stack_text(stack) }
    }

    /// True when the text belongs in the panic log too.
    pub fn for_paniclog(&self) -> bool {
        matches!(self, TlsError::Stat(_))
    }

    /// The peers have met, and one of them did not take the other: not a matter of the network, nor of our own files.
    pub fn is_judgement(&self) -> bool {
        match self {
            TlsError::Library { .. } | TlsError::Status { .. } | TlsError::Alpn(_) | TlsError::Dane(_) => true,
            TlsError::Message(_) | TlsError::Stat(_) | TlsError::SniRefused(_) => false,
            TlsError::TimedOut { .. } | TlsError::ClosedByPeer { .. } => false,
        }
    }

    /// The `$event_data` of `tls:fail:connect`.
    pub fn event_data(&self) -> String {
        let text = self.to_string();
        match text.strip_prefix('(').and_then(|t| t.split_once(')')) {
            Some((step, rest)) => format!("{step}{rest}"),
            None => text,
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::Library { step, detail } => write!(f, "({step}): {detail}"),
            TlsError::Message(m) | TlsError::Stat(m) => f.write_str(m),
            TlsError::Status { reason } => write!(f, "(SSL_connect) {reason}"),
            TlsError::TimedOut { step } => write!(f, "({step}): timed out"),
            TlsError::ClosedByPeer { step } => write!(f, "({step}): TCP connection closed by peer"),
            TlsError::Alpn(m) => write!(f, "(handshake): {m}"),
            TlsError::Dane(m) => write!(f, "DANE error: {m}"),
            TlsError::SniRefused(m) => write!(f, "(handshake): {m}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// Why reading or writing an encrypted stream failed.
#[derive(Debug)]
pub enum StreamError {
    /// The time allowed ran out. A read may be tried again, a write may not.
    TimedOut,
    /// The stream was ended before (close_notify, shutdown or an earlier error).
    Closed,
    /// The peer closed TCP without close_notify.
    Truncated,
    /// The library's complaint, e.g. a fatal alert: call and text.
    Tls { step: &'static str, detail: String },
    /// The socket's error.
    Io(io::Error),
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StreamError::TimedOut => f.write_str("timed out"),
            StreamError::Closed => f.write_str("TLS connection closed"),
            StreamError::Truncated => f.write_str("TCP connection closed by peer"),
            StreamError::Tls { step, detail } => write!(f, "({step}): {detail}"),
            StreamError::Io(e) => f.write_str(&crate::sys::error_text(e)),
        }
    }
}

impl std::error::Error for StreamError {}

impl From<StreamError> for io::Error {
    fn from(e: StreamError) -> io::Error {
        match e {
            StreamError::Io(e) => e,
            StreamError::TimedOut => io::Error::new(io::ErrorKind::TimedOut, e),
            StreamError::Closed => io::Error::new(io::ErrorKind::NotConnected, e),
            StreamError::Truncated => io::Error::new(io::ErrorKind::UnexpectedEof, e),
            StreamError::Tls { .. } => io::Error::other(e),
        }
    }
}

/// The oldest error in the form of `ERR_error_string`: `error:0A000086:SSL routines::reason`.
pub(super) fn stack_text(stack: &ErrorStack) -> String {
    let Some(e) = stack.errors().first() else {
        return "unknown error".to_string();
    };
    let lib = match e.library() {
        Some(l) => l.to_string(),
        None => format!("lib({})", e.library_code()),
    };
    let reason = match e.reason() {
        Some(r) => r.to_string(),
        // Library 2 is the system: its reasons are errno values.
        None if e.library_code() == 2 => {
            let text = io::Error::from_raw_os_error(e.reason_code()).to_string();
            text.split(" (os error").next().unwrap_or(&text).to_string()
        }
        None => format!("reason({})", e.reason_code()),
    };
    format!("error:{:08X}:{lib}::{reason}", e.code())
}
