//! OpenLDAP's client library (`libldap-2.5.so.0`, `libldap.so.2`), loaded when a lookup uses it. A site's ldap.conf is read as
//! always.

mod limit;
mod search;
mod url;

use std::ffi::{CStr, CString};
use std::ptr::{NonNull, null, null_mut};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use libc::{c_char, c_int, c_ulong, c_void, timeval};

use super::cstr;
use super::dl::{Library, functions};
use limit::Limit;
pub use search::Entry;
pub use url::Url;

const NAMES: [&[u8]; 3] = [b"libldap.so.2", b"libldap-2.5.so.0", b"libldap_r-2.4.so.2"];

type Handle = *mut c_void;

/// `struct berval`
#[repr(C)]
struct Value {
    length: c_ulong,
    data: *mut c_char,
}

functions! {
    /// See ldap.h.
    Functions {
        ldap_url_parse(*const c_char, *mut *mut url::UrlDescription) -> c_int;
        ldap_free_urldesc(*mut url::UrlDescription);
        ldap_initialize(*mut Handle, *const c_char) -> c_int;
        ldap_set_option(Handle, c_int, *const c_void) -> c_int;
        ldap_get_option(Handle, c_int, *mut c_void) -> c_int;
        ldap_start_tls_s(Handle, Handle, Handle) -> c_int;
        ldap_sasl_bind(Handle, *const c_char, *const c_char, *const Value, Handle, Handle, *mut c_int) -> c_int;
        ldap_search_ext(
            Handle, *const c_char, c_int, *const c_char, *mut *mut c_char, c_int, Handle, Handle, *const timeval, c_int, *mut c_int,
        ) -> c_int;
        ldap_result(Handle, c_int, c_int, *const timeval, *mut Handle) -> c_int;
        ldap_parse_result(
            Handle, Handle, *mut c_int, *mut *mut c_char, *mut *mut c_char, *mut *mut *mut c_char, Handle, c_int,
        ) -> c_int;
        ldap_abandon_ext(Handle, c_int, Handle, Handle) -> c_int;
        ldap_get_dn(Handle, Handle) -> *mut c_char;
        ldap_first_attribute(Handle, Handle, *mut Handle) -> *mut c_char;
        ldap_next_attribute(Handle, Handle, Handle) -> *mut c_char;
        ldap_get_values_len(Handle, Handle, *const c_char) -> *mut *mut Value;
        ldap_value_free_len(*mut *mut Value);
        ldap_msgfree(Handle) -> c_int;
        ldap_memfree(Handle);
        ldap_err2string(c_int) -> *const c_char;
        ldap_unbind_ext(Handle, Handle, Handle) -> c_int;
        ber_sockbuf_ctrl(Handle, c_int, Handle) -> c_int;
    }
}

/// Options, by ldap.h's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Setting {
    Deref = 0x0002,
    TimeLimit = 0x0004,
    Referrals = 0x0008,
    ProtocolVersion = 0x0011,
    TlsCaCertFile = 0x6002,
    TlsCaCertDir = 0x6003,
    TlsCertFile = 0x6004,
    TlsKeyFile = 0x6005,
    TlsRequireCert = 0x6006,
    TlsCipherSuite = 0x6008,
}

const RESTART: c_int = 0x0009;
const RESULT_CODE: c_int = 0x0031;
const NETWORK_TIMEOUT: c_int = 0x5005;
const CONNECT_CALLBACK: c_int = 0x5011;
const NEW_TLS_CONTEXT: c_int = 0x600f;
/// More attributes or values are not followed.
const MAX_ITEMS: usize = 100_000;

static LOADED: OnceLock<Result<Functions, String>> = OnceLock::new();

fn loaded() -> Result<&'static Functions, String> {
    let load = || {
        let mut last = String::new();
        for name in NAMES {
            match Library::open(name, false) {
                Ok(library) => return Functions::load(&library),
                Err(e) => last = e,
            }
        }
        Err(last)
    };
    LOADED.get_or_init(load).as_ref().map_err(Clone::clone)
}

/// Is a library there?
pub fn available() -> Result<(), String> {
    loaded().map(drop)
}

/// # Safety
/// `p` is null or a C string.
unsafe fn text(p: *const c_char) -> Option<Vec<u8>> {
    // SAFETY: the caller's promise.
    (!p.is_null()).then(|| unsafe { CStr::from_ptr(p) }.to_bytes().to_vec())
}

fn message(f: &Functions, code: c_int) -> String {
    // SAFETY: any number is taken; the text is static.
    unsafe { text((f.ldap_err2string)(code)) }.map_or_else(String::new, |t| String::from_utf8_lossy(&t).into_owned())
}

/// A failure: the protocol's number and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub code: i32,
    pub text: String,
}

/// The protocol's "invalid credentials".
pub const INVALID_CREDENTIALS: i32 = 0x31;
/// "No such object".
pub const NO_SUCH_OBJECT: i32 = 0x20;
/// "Size limit exceeded": there is more than was asked for.
pub const SIZE_LIMIT: i32 = 0x04;

/// A connection, of the process that made it.
pub struct Connection {
    handle: NonNull<c_void>,
    f: &'static Functions,
    process: u32,
    /// The library has its address.
    _limit: Box<Limit>,
}

// SAFETY: a connection may be used by any thread, one at a time.
unsafe impl Send for Connection {}

fn time(t: Duration) -> timeval {
    timeval { tv_sec: t.as_secs().try_into().unwrap_or(i64::MAX), tv_usec: i64::from(t.subsec_micros()) }
}

impl Connection {
    /// Prepares one; the connection itself is made when it is first used. `patience` holds for each wait for the network.
    pub fn open(uri: &[u8], patience: Duration) -> Result<Self, String> {
        let f = loaded()?;
        let uri = cstr(uri).map_err(|e| e.to_string())?;
        let (mut handle, limit, on) = (null_mut(), time(patience), 1 as c_int);
        // SAFETY: a C string and a place for the handle; options are copied.
        unsafe {
            let code = (f.ldap_initialize)(&mut handle, uri.as_ptr());
            let handle = NonNull::new(handle).filter(|_| code == 0).ok_or_else(|| message(f, code))?;
            (f.ldap_set_option)(handle.as_ptr(), NETWORK_TIMEOUT, (&raw const limit).cast());
            (f.ldap_set_option)(handle.as_ptr(), RESTART, (&raw const on).cast());
            let limit = Limit::new(patience);
            (f.ldap_set_option)(handle.as_ptr(), CONNECT_CALLBACK, (&raw const *limit).cast());
            Ok(Connection { handle, f, process: std::process::id(), _limit: limit })
        }
    }

    /// Is it of this process?
    fn is_own(&self) -> bool {
        self.process == std::process::id()
    }

    fn done(&self, code: c_int) -> Result<(), Error> {
        if code == 0 { Ok(()) } else { Err(Error { code, text: message(self.f, code) }) }
    }

    /// Sets a number.
    pub fn set(&self, setting: Setting, value: i32) -> Result<(), Error> {
        // "Referrals" is off as a null pointer, on as any other; the rest are pointers to numbers.
        let pointer: *const c_void = match (setting, value) {
            (Setting::Referrals, 0) => null(),
            _ => (&raw const value).cast(),
        };
        // SAFETY: a live handle; the number is copied.
        self.done(unsafe { (self.f.ldap_set_option)(self.handle.as_ptr(), setting as c_int, pointer) })
    }

    /// Sets a text.
    pub fn set_text(&self, setting: Setting, value: &[u8]) -> Result<(), Error> {
        let value = self.c(value)?;
        // SAFETY: a live handle; the text is copied.
        self.done(unsafe { (self.f.ldap_set_option)(self.handle.as_ptr(), setting as c_int, value.as_ptr().cast()) })
    }

    /// TLS settings hold from now on.
    pub fn new_tls_context(&self) -> Result<(), Error> {
        let client: c_int = 0;
        // SAFETY: a live handle; the number is copied.
        self.done(unsafe { (self.f.ldap_set_option)(self.handle.as_ptr(), NEW_TLS_CONTEXT, (&raw const client).cast()) })
    }

    fn c(&self, text: &[u8]) -> Result<CString, Error> {
        cstr(text).map_err(|e| Error { code: -9, text: e.to_string() })
    }

    /// Begins TLS.
    pub fn start_tls(&self) -> Result<(), Error> {
        // SAFETY: a live handle, no controls.
        self.done(unsafe { (self.f.ldap_start_tls_s)(self.handle.as_ptr(), null_mut(), null_mut()) })
    }

    fn last(&self) -> Error {
        let mut code: c_int = 0;
        // SAFETY: a live handle and a place for the number.
        unsafe { (self.f.ldap_get_option)(self.handle.as_ptr(), RESULT_CODE, (&raw mut code).cast()) };
        Error { code, text: message(self.f, code) }
    }

    /// The next message about an operation: its kind, and the message, which must be freed.
    fn next(&self, id: c_int, deadline: Instant) -> Result<(c_int, Handle), Error> {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut result = null_mut();
        // SAFETY: a live handle, a time, a place for the message.
        match unsafe { (self.f.ldap_result)(self.handle.as_ptr(), id, 0, &time(left), &mut result) } {
            0 => {
                // SAFETY: a live handle.
                unsafe { (self.f.ldap_abandon_ext)(self.handle.as_ptr(), id, null_mut(), null_mut()) };
                Err(Error { code: -5, text: "ldap_result timed out".into() })
            }
            -1 => Err(self.last()),
            kind => Ok((kind, result)),
        }
    }

    /// What a final message says; frees it.
    fn outcome(&self, result: Handle) -> Result<(), Error> {
        let (mut code, mut diagnosis) = (0, null_mut());
        // SAFETY: a message of this connection, freed by the call; the text is ours to free.
        unsafe {
            let parsed = (self.f.ldap_parse_result)(
                self.handle.as_ptr(),
                result,
                &mut code,
                null_mut(),
                &mut diagnosis,
                null_mut(),
                null_mut(),
                1,
            );
            let more = text(diagnosis).unwrap_or_default();
            if !diagnosis.is_null() {
                (self.f.ldap_memfree)(diagnosis.cast());
            }
            self.done(parsed)?;
            self.done(code).map_err(|mut e| {
                if !more.is_empty() {
                    e.text = format!("{}: {}", e.text, String::from_utf8_lossy(&more));
                }
                e
            })
        }
    }

    /// A simple bind; without a name, nobody's.
    pub fn bind(&self, dn: &[u8], password: &[u8], patience: Duration) -> Result<(), Error> {
        let dn = self.c(dn)?;
        let value = Value { length: password.len() as c_ulong, data: password.as_ptr().cast_mut().cast() };
        let mut id = 0;
        // SAFETY: a live handle; the name and password live as long as the call.
        self.done(unsafe {
            (self.f.ldap_sasl_bind)(self.handle.as_ptr(), dn.as_ptr(), null(), &value, null_mut(), null_mut(), &mut id)
        })?;
        let (_, result) = self.next(id, Instant::now() + patience)?;
        self.outcome(result)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // To close it would end the session of the process that made it.
        if self.is_own() {
            // SAFETY: it is ours and is not used any more.
            unsafe { (self.f.ldap_unbind_ext)(self.handle.as_ptr(), null_mut(), null_mut()) };
        }
    }
}
