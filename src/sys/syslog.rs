//! The system's log.

use std::ffi::CString;
use std::io;

pub use libc::{LOG_ALERT, LOG_CRIT, LOG_DEBUG, LOG_ERR, LOG_INFO, LOG_NOTICE, LOG_WARNING};

/// An open connection to syslog. The C library keeps the name, so this value owns it.
#[derive(Debug)]
pub struct Syslog {
    name: &'static std::ffi::CStr,
}

impl Syslog {
    /// `facility` as a number of syslog.h (`LOG_MAIL`), see [`facility`]; `with_pid` adds the pid.
    /// openlog keeps the pointer for ever, so the name is leaked: open once per process.
    pub fn open(name: &[u8], facility: i32, with_pid: bool) -> io::Result<Self> {
        let owned: CString = super::cstr(name)?;
        let name: &'static std::ffi::CStr = Box::leak(owned.into_boxed_c_str());
        // SAFETY: the name lives for ever.
        unsafe { libc::openlog(name.as_ptr(), if with_pid { libc::LOG_PID } else { 0 } | libc::LOG_CONS, facility) };
        Ok(Self { name })
    }

    /// One line. NUL bytes are shown as spaces.
    pub fn write(&self, priority: i32, line: &[u8]) {
        let clean: Vec<u8> = line.iter().map(|b| if *b == 0 { b' ' } else { *b }).collect();
        if let Ok(text) = super::cstr(&clean) {
            // SAFETY: a constant format and one valid C string.
            unsafe { libc::syslog(priority, c"%s".as_ptr(), text.as_ptr()) };
        }
    }

    /// The name lines carry.
    pub fn name(&self) -> &[u8] {
        self.name.to_bytes()
    }
}

impl Drop for Syslog {
    fn drop(&mut self) {
        // SAFETY: closing is always allowed.
        unsafe { libc::closelog() };
    }
}

/// The number of a facility name as `syslog_facility` takes it.
pub fn facility(name: &[u8]) -> Option<i32> {
    Some(match name {
        b"auth" => libc::LOG_AUTH,
        b"authpriv" => libc::LOG_AUTHPRIV,
        b"cron" => libc::LOG_CRON,
        b"daemon" => libc::LOG_DAEMON,
        b"kern" => libc::LOG_KERN,
        b"lpr" => libc::LOG_LPR,
        b"mail" => libc::LOG_MAIL,
        b"news" => libc::LOG_NEWS,
        b"user" => libc::LOG_USER,
        b"uucp" => libc::LOG_UUCP,
        b"local0" => libc::LOG_LOCAL0,
        b"local1" => libc::LOG_LOCAL1,
        b"local2" => libc::LOG_LOCAL2,
        b"local3" => libc::LOG_LOCAL3,
        b"local4" => libc::LOG_LOCAL4,
        b"local5" => libc::LOG_LOCAL5,
        b"local6" => libc::LOG_LOCAL6,
        b"local7" => libc::LOG_LOCAL7,
        _ => return None,
    })
}
