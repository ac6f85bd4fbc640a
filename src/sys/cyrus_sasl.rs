//! Cyrus SASL's library (`libsasl2.so.2`), server side, loaded when a configuration uses it.

use std::ffi::CStr;
use std::ptr::{NonNull, null, null_mut};
use std::sync::OnceLock;

use libc::{c_char, c_int, c_uint, c_ulong, c_void};

use super::cstr;
use super::dl::{Library, functions};

const NAME: &[u8] = b"libsasl2.so.2";
/// The library looks for its configuration under this name.
const APPLICATION: &CStr = c"exim";

type Handle = *mut c_void;

functions! {
    /// See sasl/sasl.h.
    Functions {
        sasl_server_init(*const CallbackEntry, *const c_char) -> c_int;
        sasl_server_new(
            *const c_char, *const c_char, *const c_char, *const c_char, *const c_char, *const CallbackEntry, c_uint, *mut Handle,
        ) -> c_int;
        sasl_listmech(
            Handle, *const c_char, *const c_char, *const c_char, *const c_char, *mut *const c_char, *mut c_uint, *mut c_int,
        ) -> c_int;
        sasl_setprop(Handle, c_int, *const c_void) -> c_int;
        sasl_getprop(Handle, c_int, *mut *const c_void) -> c_int;
        sasl_server_start(Handle, *const c_char, *const c_char, c_uint, *mut *const c_char, *mut c_uint) -> c_int;
        sasl_server_step(Handle, *const c_char, c_uint, *mut *const c_char, *mut c_uint) -> c_int;
        sasl_errstring(c_int, *const c_char, *mut *const c_char) -> *const c_char;
        sasl_dispose(*mut Handle);
    }
}

type LogCallback = unsafe extern "C" fn(*mut c_void, c_int, *const c_char) -> c_int;

/// `sasl_callback_t`
#[repr(C)]
struct CallbackEntry {
    id: c_ulong,
    function: Option<LogCallback>,
    context: *mut c_void,
}

// SAFETY: the entries below never change, and have no context.
unsafe impl Sync for CallbackEntry {}

/// What the library says comes with its results; it is not to write to the system's log by itself.
unsafe extern "C" fn silence(_: *mut c_void, _: c_int, _: *const c_char) -> c_int {
    OK
}

static CALLBACKS: [CallbackEntry; 2] = [
    CallbackEntry { id: CB_LOG, function: Some(silence), context: null_mut() },
    CallbackEntry { id: 0, function: None, context: null_mut() },
];

const CB_LOG: c_ulong = 2;
const OK: c_int = 0;
const CONTINUE: c_int = 1;
const USERNAME: c_int = 0;
const SSF_EXTERNAL: c_int = 100;
/// Results that may be others another time: no memory, transient failure, not initialised, no remote server, bad configuration.
const FOR_NOW: [c_int; 5] = [-2, -8, -12, -24, -100];

static LOADED: OnceLock<Result<Functions, String>> = OnceLock::new();

fn loaded() -> Result<&'static Functions, String> {
    LOADED.get_or_init(|| Functions::load(&Library::open(NAME, false)?)).as_ref().map_err(Clone::clone)
}

/// Is the library there?
pub fn available() -> Result<(), String> {
    loaded().map(drop)
}

/// The library, with its plug-ins.
fn ready() -> Result<&'static Functions, String> {
    static STARTED: OnceLock<c_int> = OnceLock::new();
    let f = loaded()?;
    // SAFETY: the callbacks and the name live for ever.
    match *STARTED.get_or_init(|| unsafe { (f.sasl_server_init)(CALLBACKS.as_ptr(), APPLICATION.as_ptr()) }) {
        OK => Ok(f),
        code => Err(format!("Cyrus SASL cannot be initialised: {}", error_string(f, code))),
    }
}

fn error_string(f: &Functions, code: c_int) -> String {
    // SAFETY: any number is taken; the text is static.
    let text = unsafe { text((f.sasl_errstring)(code, null(), null_mut())) };
    text.map_or_else(|| format!("error {code}"), |t| String::from_utf8_lossy(&t).into_owned())
}

/// # Safety
/// `p` is null or a C string.
unsafe fn text(p: *const c_char) -> Option<Vec<u8>> {
    // SAFETY: the caller's promise.
    (!p.is_null()).then(|| unsafe { CStr::from_ptr(p) }.to_bytes().to_vec())
}

/// Who talks to whom.
#[derive(Debug, Default)]
pub struct Parties<'a> {
    pub service: &'a [u8],
    pub host: &'a [u8],
    pub realm: Option<&'a [u8]>,
    /// `address;port`, as the library wants it.
    pub local: Option<Vec<u8>>,
    pub remote: Option<Vec<u8>>,
    /// Bits of the TLS connection; 0 for none.
    pub bits: u32,
}

/// A server's side of one authentication.
pub struct Server {
    handle: NonNull<c_void>,
    f: &'static Functions,
    started: bool,
}

/// What a step came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This goes to the client, whose answer is awaited.
    Continue(Vec<u8>),
    /// The client has proved itself; this goes to it still.
    Ok(Vec<u8>),
    /// It has not.
    Refused(String),
    /// Something else is wrong.
    Trouble(String),
}

impl Server {
    /// Begins one.
    pub fn new(p: &Parties<'_>) -> Result<Self, String> {
        let f = ready()?;
        let c = |t: &[u8]| cstr(t).map_err(|e| e.to_string());
        let o = |t: Option<&[u8]>| t.map(c).transpose();
        let (service, host, realm) = (c(p.service)?, c(p.host)?, o(p.realm)?);
        let (local, remote) = (o(p.local.as_deref())?, o(p.remote.as_deref())?);
        let p_or_null = |t: &Option<std::ffi::CString>| t.as_ref().map_or(null(), |t| t.as_ptr());
        let mut handle = null_mut();
        // SAFETY: C strings, copied by the library, and a place for the handle.
        let code = unsafe {
            (f.sasl_server_new)(
                service.as_ptr(),
                host.as_ptr(),
                p_or_null(&realm),
                p_or_null(&local),
                p_or_null(&remote),
                null(),
                0,
                &mut handle,
            )
        };
        let handle = NonNull::new(handle).filter(|_| code == OK).ok_or_else(|| error_string(f, code))?;
        let out = Server { handle, f, started: false };
        // SAFETY: a live handle; the number is copied.
        let code = unsafe { (f.sasl_setprop)(handle.as_ptr(), SSF_EXTERNAL, (&raw const p.bits).cast()) };
        if code == OK { Ok(out) } else { Err(error_string(f, code)) }
    }

    /// Does the library have the mechanism?
    pub fn has(&self, mechanism: &[u8]) -> bool {
        let mut list = null();
        // SAFETY: a live handle, C strings, a place for the list, which stays the library's.
        let list = unsafe {
            let (begin, between, end) = (c"", c" ", c"");
            let result = (self.f.sasl_listmech)(
                self.handle.as_ptr(),
                null(),
                begin.as_ptr(),
                between.as_ptr(),
                end.as_ptr(),
                &mut list,
                null_mut(),
                null_mut(),
            );
            text(list).filter(|_| result == OK)
        };
        list.unwrap_or_default().split(|c| *c == b' ').any(|m| m.eq_ignore_ascii_case(mechanism))
    }

    /// One step; the first with the mechanism's name, and perhaps without input.
    pub fn step(&mut self, mechanism: &[u8], input: Option<&[u8]>) -> Outcome {
        let Ok(mechanism) = cstr(mechanism) else { return Outcome::Trouble("bad name of a mechanism".into()) };
        let Ok(length) = c_uint::try_from(input.map_or(0, <[u8]>::len)) else { return Outcome::Refused("too long".into()) };
        // The library wants a NUL after the text.
        let input = input.map(|i| [i, b"\0"].concat());
        let data: *const c_char = input.as_ref().map_or(null(), |i| i.as_ptr().cast());
        let (mut out, mut size) = (null(), 0);
        let handle = self.handle.as_ptr();
        // SAFETY: a live handle, the input with its length; the output is as long as the library says, and stays its own.
        let (code, bytes) = unsafe {
            let code = if std::mem::replace(&mut self.started, true) {
                (self.f.sasl_server_step)(handle, data, length, &mut out, &mut size)
            } else {
                (self.f.sasl_server_start)(handle, mechanism.as_ptr(), data, length, &mut out, &mut size)
            };
            let good = matches!(code, OK | CONTINUE) && !out.is_null();
            (code, if good { std::slice::from_raw_parts(out.cast::<u8>(), size as usize).to_vec() } else { Vec::new() })
        };
        match code {
            CONTINUE => Outcome::Continue(bytes),
            OK => Outcome::Ok(bytes),
            _ => {
                let why = error_string(self.f, code);
                if FOR_NOW.contains(&code) { Outcome::Trouble(why) } else { Outcome::Refused(why) }
            }
        }
    }

    /// Who the client is, or says that it is.
    pub fn user(&self) -> Option<Vec<u8>> {
        let mut value = null();
        // SAFETY: a live handle, a place for the pointer, which is null or points to a C string.
        unsafe {
            let code = (self.f.sasl_getprop)(self.handle.as_ptr(), USERNAME, &mut value);
            text(value.cast()).filter(|_| code == OK)
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut handle = self.handle.as_ptr();
        // SAFETY: it is ours and is not used any more.
        unsafe { (self.f.sasl_dispose)(&mut handle) };
    }
}
