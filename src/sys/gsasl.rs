//! GNU SASL's library (`libgsasl.so.18`, version 2), loaded when a configuration uses it.
//!
//! A session is one side of one authentication. What the library wants to know in the middle of a step it asks through the
//! function that the step is given.

use std::ffi::CStr;
use std::ptr::{NonNull, null, null_mut};
use std::sync::OnceLock;

use libc::{c_char, c_int, c_void, size_t};

use super::cstr;
use super::dl::{Library, functions};

const NAME: &[u8] = b"libgsasl.so.18";

type Handle = *mut c_void;
type Callback = unsafe extern "C" fn(Handle, Handle, c_int) -> c_int;

functions! {
    /// See gsasl.h.
    Functions {
        gsasl_init(*mut Handle) -> c_int;
        gsasl_callback_set(Handle, Callback);
        gsasl_server_support_p(Handle, *const c_char) -> c_int;
        gsasl_client_support_p(Handle, *const c_char) -> c_int;
        gsasl_server_mechlist(Handle, *mut *mut c_char) -> c_int;
        gsasl_server_start(Handle, *const c_char, *mut Handle) -> c_int;
        gsasl_client_start(Handle, *const c_char, *mut Handle) -> c_int;
        gsasl_session_hook_set(Handle, Handle);
        gsasl_session_hook_get(Handle) -> Handle;
        gsasl_property_set(Handle, c_int, *const c_char) -> c_int;
        gsasl_property_fast(Handle, c_int) -> *const c_char;
        gsasl_step(Handle, *const c_char, size_t, *mut *mut c_char, *mut size_t) -> c_int;
        gsasl_finish(Handle);
        gsasl_free(Handle);
        gsasl_strerror(c_int) -> *const c_char;
    }
}

/// What the library and we tell each other, by the numbers of gsasl.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Property {
    Authid = 1,
    Authzid = 2,
    Password = 3,
    AnonymousToken = 4,
    Service = 5,
    Hostname = 6,
    GssapiDisplayName = 7,
    Realm = 11,
    ScramIter = 15,
    ScramSalt = 16,
    ScramSaltedPassword = 17,
    CbTlsUnique = 18,
    ScramServerKey = 23,
    ScramStoredKey = 24,
    CbTlsExporter = 25,
    ValidateSimple = 500,
    ValidateExternal = 501,
    ValidateAnonymous = 502,
    ValidateGssapi = 503,
}

const PROPERTIES: [Property; 19] = [
    Property::Authid,
    Property::Authzid,
    Property::Password,
    Property::AnonymousToken,
    Property::Service,
    Property::Hostname,
    Property::GssapiDisplayName,
    Property::Realm,
    Property::ScramIter,
    Property::ScramSalt,
    Property::ScramSaltedPassword,
    Property::CbTlsUnique,
    Property::ScramServerKey,
    Property::ScramStoredKey,
    Property::CbTlsExporter,
    Property::ValidateSimple,
    Property::ValidateExternal,
    Property::ValidateAnonymous,
    Property::ValidateGssapi,
];

const OK: c_int = 0;
const NEEDS_MORE: c_int = 1;
const AUTHENTICATION_ERROR: c_int = 31;
const NO_CALLBACK: c_int = 51;

/// What the library gets to hear when it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The property has been set; or, of a `Validate...`: yes.
    Yes,
    /// There is nothing to tell.
    Nothing,
    /// This is no good.
    Refused,
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub text: String,
    /// The peer's fault: wrong credentials or nonsense. Else ours, or a lack of data here.
    pub by_peer: bool,
}

/// The library, initialised.
struct Loaded {
    f: Functions,
    handle: usize,
}

static LOADED: OnceLock<Result<Loaded, String>> = OnceLock::new();

fn loaded() -> Result<&'static Loaded, String> {
    LOADED.get_or_init(load).as_ref().map_err(Clone::clone)
}

fn load() -> Result<Loaded, String> {
    let f = Functions::load(&Library::open(NAME, false)?)?;
    let mut handle = null_mut();
    // SAFETY: a place for the handle; our callback has the type that the library wants.
    let result = unsafe { (f.gsasl_init)(&mut handle) };
    if result != OK || handle.is_null() {
        return Err(format!("gsasl_init: {}", message(&f, result)));
    }
    // SAFETY: as above.
    unsafe { (f.gsasl_callback_set)(handle, callback) };
    Ok(Loaded { f, handle: handle as usize })
}

impl Loaded {
    fn handle(&self) -> Handle {
        self.handle as Handle
    }
}

fn message(f: &Functions, code: c_int) -> String {
    // SAFETY: any number is taken; the text is static.
    unsafe { text((f.gsasl_strerror)(code)) }
        .map_or_else(|| format!("error {code}"), |t| String::from_utf8_lossy(&t).into_owned())
}

/// # Safety
/// `p` is null or a C string.
unsafe fn text(p: *const c_char) -> Option<Vec<u8>> {
    // SAFETY: the caller's promise.
    (!p.is_null()).then(|| unsafe { CStr::from_ptr(p) }.to_bytes().to_vec())
}

/// Is the library there?
pub fn available() -> Result<(), String> {
    loaded().map(drop)
}

/// Does it have the mechanism, as server (or client)?
pub fn supports(mechanism: &[u8], server: bool) -> Result<bool, String> {
    let l = loaded()?;
    let name = cstr(mechanism).map_err(|e| e.to_string())?;
    let ask = if server { l.f.gsasl_server_support_p } else { l.f.gsasl_client_support_p };
    // SAFETY: a live handle and a C string.
    Ok(unsafe { ask(l.handle(), name.as_ptr()) } != 0)
}

/// The mechanisms that it has as a server.
pub fn mechanisms() -> Option<Vec<u8>> {
    let l = loaded().ok()?;
    let mut list = null_mut();
    // SAFETY: a live handle and a place for the text, which is ours to free.
    unsafe {
        let done = (l.f.gsasl_server_mechlist)(l.handle(), &mut list) == OK;
        let out = text(list).filter(|_| done);
        (l.f.gsasl_free)(list.cast());
        out
    }
}

/// A session's properties.
pub struct Session {
    session: NonNull<c_void>,
    l: &'static Loaded,
}

/// Answers the library's questions.
pub type Ask<'a> = &'a mut dyn FnMut(&Session, Property) -> Told;

/// What the library gets back to us with.
struct Call<'a> {
    session: *const Session,
    ask: Ask<'a>,
}

unsafe extern "C" fn callback(_: Handle, session: Handle, property: c_int) -> c_int {
    let Ok(l) = loaded() else { return NO_CALLBACK };
    let Some(property) = PROPERTIES.into_iter().find(|p| *p as c_int == property) else { return NO_CALLBACK };
    // SAFETY: the hook is null, or points to the Call of the step that is running.
    unsafe {
        let call = (l.f.gsasl_session_hook_get)(session).cast::<Call<'_>>();
        let Some(call) = call.as_mut() else { return NO_CALLBACK };
        match (call.ask)(&*call.session, property) {
            Told::Yes => OK,
            Told::Nothing => NO_CALLBACK,
            Told::Refused => AUTHENTICATION_ERROR,
        }
    }
}

impl Session {
    /// Begins one.
    pub fn start(mechanism: &[u8], server: bool) -> Result<Self, String> {
        let l = loaded()?;
        let name = cstr(mechanism).map_err(|e| e.to_string())?;
        let start = if server { l.f.gsasl_server_start } else { l.f.gsasl_client_start };
        let mut session = null_mut();
        // SAFETY: a live handle, a C string, a place for the result.
        let result = unsafe { start(l.handle(), name.as_ptr(), &mut session) };
        match NonNull::new(session).filter(|_| result == OK) {
            Some(session) => Ok(Session { session, l }),
            None => Err(message(&l.f, result)),
        }
    }

    /// Sets a property. What has a NUL in it cannot be one.
    pub fn set(&self, property: Property, value: &[u8]) -> Told {
        let Ok(value) = cstr(value) else { return Told::Refused };
        // SAFETY: a live session and a C string, which is copied.
        unsafe { (self.l.f.gsasl_property_set)(self.session.as_ptr(), property as c_int, value.as_ptr()) };
        Told::Yes
    }

    /// What is known of a property.
    pub fn get(&self, property: Property) -> Option<Vec<u8>> {
        // SAFETY: a live session; the text lives until the property changes.
        unsafe { text((self.l.f.gsasl_property_fast)(self.session.as_ptr(), property as c_int)) }
    }

    /// One step: what the peer said (`None`: nothing yet), and what it is to hear; true when the mechanism is through.
    pub fn step(&mut self, input: Option<&[u8]>, ask: Ask<'_>) -> Result<(Vec<u8>, bool), Error> {
        let f = &self.l.f;
        let session = self.session.as_ptr();
        let mut call = Call { session: self, ask };
        let (mut out, mut length) = (null_mut(), 0);
        let (data, size) = input.map_or((null(), 0), |i| (i.as_ptr(), i.len()));
        // SAFETY: the call lives as long as the hook points to it; the output is as long as the library says, and ours to
        // free.
        unsafe {
            (f.gsasl_session_hook_set)(session, (&raw mut call).cast());
            let result = (f.gsasl_step)(session, data.cast(), size, &mut out, &mut length);
            (f.gsasl_session_hook_set)(session, null_mut());
            let good = matches!(result, OK | NEEDS_MORE);
            let bytes = if good && !out.is_null() { std::slice::from_raw_parts(out.cast(), length).to_vec() } else { Vec::new() };
            if good {
                (f.gsasl_free)(out.cast());
                return Ok((bytes, result == OK));
            }
            // Malformed messages, wrong proofs, strings that may not be.
            let by_peer = matches!(result, 3 | 8 | 29 | 30 | AUTHENTICATION_ERROR | 33 | 40);
            Err(Error { text: message(f, result), by_peer })
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: it is ours and is not used any more.
        unsafe { (self.l.f.gsasl_finish)(self.session.as_ptr()) };
    }
}
