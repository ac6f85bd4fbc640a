//! GSS-API, acceptor side (RFC 2744): MIT's library or Heimdal's, whichever is there, loaded when a configuration uses it.

use std::ffi::CString;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;

use libc::{c_char, c_int, c_void, size_t};

use super::cstr;
use super::dl::{Library, functions};

const NAMES: [&[u8]; 2] = [b"libgssapi_krb5.so.2", b"libgssapi.so.3"];

type Handle = *mut c_void;

/// `gss_buffer_desc`
#[repr(C)]
struct Buffer {
    length: size_t,
    value: *mut c_void,
}

/// `gss_OID_desc`
#[repr(C)]
struct Oid {
    length: u32,
    elements: *const c_void,
}

functions! {
    /// See gssapi/gssapi.h and gssapi/gssapi_krb5.h.
    Functions {
        gss_import_name(*mut u32, *const Buffer, *const Oid, *mut Handle) -> u32;
        gss_acquire_cred(*mut u32, Handle, u32, *const c_void, c_int, *mut Handle, *mut Handle, *mut u32) -> u32;
        gss_accept_sec_context(
            *mut u32, *mut Handle, Handle, *const Buffer, *const c_void, *mut Handle, *mut Handle, *mut Buffer, *mut u32, *mut u32,
            *mut Handle,
        ) -> u32;
        gss_display_name(*mut u32, Handle, *mut Buffer, *mut Handle) -> u32;
        gss_wrap(*mut u32, Handle, c_int, u32, *const Buffer, *mut c_int, *mut Buffer) -> u32;
        gss_unwrap(*mut u32, Handle, *const Buffer, *mut Buffer, *mut c_int, *mut u32) -> u32;
        gss_display_status(*mut u32, u32, c_int, Handle, *mut u32, *mut Buffer) -> u32;
        gss_release_buffer(*mut u32, *mut Buffer) -> u32;
        gss_release_name(*mut u32, *mut Handle) -> u32;
        gss_release_cred(*mut u32, *mut Handle) -> u32;
        gss_delete_sec_context(*mut u32, *mut Handle, *mut Buffer) -> u32;
    }
}

functions! {
    /// How Heimdal calls it.
    HeimdalKeytab {
        gsskrb5_register_acceptor_identity(*const c_char) -> u32;
    }
}

functions! {
    /// How MIT calls it.
    MitKeytab {
        krb5_gss_register_acceptor_identity(*const c_char) -> u32;
    }
}

struct Loaded {
    f: Functions,
    keytab: unsafe extern "C" fn(*const c_char) -> u32,
}

/// 1.2.840.113554.1.2.1.4, the names `service@host`.
const HOSTBASED_SERVICE: [u8; 10] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x01, 0x04];
const ACCEPT: c_int = 2;
const CONTINUE_NEEDED: u32 = 1;
const INDEFINITE: u32 = u32::MAX;
/// The upper half of a status has errors.
const ERRORS: u32 = 0xffff_0000;
/// Messages for one status.
const MAX_MESSAGES: usize = 5;

static LOADED: OnceLock<Result<Loaded, String>> = OnceLock::new();

fn loaded() -> Result<&'static Loaded, String> {
    let load = || {
        let opened = NAMES.iter().find_map(|n| Library::open(n, false).ok());
        let library = opened.ok_or("neither libgssapi_krb5.so.2 nor libgssapi.so.3 can be loaded")?;
        let keytab = match MitKeytab::load(&library) {
            Ok(mit) => mit.krb5_gss_register_acceptor_identity,
            Err(_) => HeimdalKeytab::load(&library)?.gsskrb5_register_acceptor_identity,
        };
        Ok(Loaded { f: Functions::load(&library)?, keytab })
    };
    LOADED.get_or_init(load).as_ref().map_err(Clone::clone)
}

/// Is a library there?
pub fn available() -> Result<(), String> {
    loaded().map(drop)
}

/// The key table for all that follows in this process.
pub fn use_keytab(path: &[u8]) -> Result<(), String> {
    let keytab = loaded()?.keytab;
    let path: CString = cstr(path).map_err(|e| e.to_string())?;
    // SAFETY: a C string, which is copied.
    match unsafe { keytab(path.as_ptr()) } {
        0 => Ok(()),
        code => Err(format!("key table {} cannot be used: error {code:#x}", path.to_string_lossy())),
    }
}

impl Buffer {
    const fn none() -> Self {
        Buffer { length: 0, value: null_mut() }
    }

    /// It is only read.
    fn of(data: &[u8]) -> Self {
        Buffer { length: data.len(), value: data.as_ptr().cast_mut().cast() }
    }
}

/// A server's side of one connection.
pub struct Acceptor {
    f: &'static Functions,
    credentials: Handle,
    context: Handle,
    name: Handle,
}

impl Acceptor {
    /// With the keys of `service@host`.
    pub fn new(service: &[u8], host: &[u8]) -> Result<Self, String> {
        let mut a = Acceptor { f: &loaded()?.f, credentials: null_mut(), context: null_mut(), name: null_mut() };
        let wanted = [service, b"@", host].concat();
        let kind = Oid { length: HOSTBASED_SERVICE.len() as u32, elements: HOSTBASED_SERVICE.as_ptr().cast() };
        let (mut minor, mut name) = (0, null_mut());
        // SAFETY: the buffer and the kind live as long as the call; handles are the library's own.
        unsafe {
            let major = (a.f.gss_import_name)(&mut minor, &Buffer::of(&wanted), &kind, &mut name);
            a.check(major, minor, "gss_import_name")?;
            let f = a.f;
            let mut other = 0;
            let major =
                (f.gss_acquire_cred)(&mut minor, name, INDEFINITE, null(), ACCEPT, &mut a.credentials, null_mut(), null_mut());
            (f.gss_release_name)(&mut other, &mut name);
            a.check(major, minor, "gss_acquire_cred")?;
        }
        Ok(a)
    }

    fn check(&self, major: u32, minor: u32, what: &str) -> Result<(), String> {
        if major & ERRORS == 0 {
            return Ok(());
        }
        let mut text = format!("{what}():");
        for (code, kind) in [(major, 1), (minor, 2)] {
            let mut more = 0;
            for _ in 0..MAX_MESSAGES {
                let (mut ignored, mut out) = (0, Buffer::none());
                // SAFETY: places for the results; the buffer is released by `take`.
                let result = unsafe { (self.f.gss_display_status)(&mut ignored, code, kind, null_mut(), &mut more, &mut out) };
                let line = self.take(out);
                if result & ERRORS != 0 || code == 0 {
                    break;
                }
                text.push(' ');
                text.push_str(&String::from_utf8_lossy(&line));
                if more == 0 {
                    break;
                }
            }
        }
        Err(text)
    }

    /// The bytes of a buffer that the library has made.
    fn take(&self, mut buffer: Buffer) -> Vec<u8> {
        if buffer.value.is_null() {
            return Vec::new();
        }
        let mut minor = 0;
        // SAFETY: the library's buffer of that length, released once.
        unsafe {
            let out = std::slice::from_raw_parts(buffer.value.cast::<u8>(), buffer.length).to_vec();
            (self.f.gss_release_buffer)(&mut minor, &mut buffer);
            out
        }
    }

    /// Takes a token of the client's: what to send, and whether the context is made.
    pub fn accept(&mut self, token: &[u8]) -> Result<(Vec<u8>, bool), String> {
        let (mut minor, mut out) = (0, Buffer::none());
        if !self.name.is_null() {
            // SAFETY: it is ours.
            unsafe { (self.f.gss_release_name)(&mut minor, &mut self.name) };
        }
        // SAFETY: the token lives as long as the call; handles and places are ours.
        let major = unsafe {
            (self.f.gss_accept_sec_context)(
                &mut minor,
                &mut self.context,
                self.credentials,
                &Buffer::of(token),
                null(),
                &mut self.name,
                null_mut(),
                &mut out,
                null_mut(),
                null_mut(),
                null_mut(),
            )
        };
        let out = self.take(out);
        self.check(major, minor, "gss_accept_sec_context")?;
        Ok((out, major & CONTINUE_NEEDED == 0))
    }

    /// The client's name.
    pub fn display_name(&self) -> Result<Vec<u8>, String> {
        let (mut minor, mut out) = (0, Buffer::none());
        // SAFETY: a name of the library's, a place for the text.
        let major = unsafe { (self.f.gss_display_name)(&mut minor, self.name, &mut out, null_mut()) };
        let out = self.take(out);
        self.check(major, minor, "gss_display_name")?;
        Ok(out)
    }

    /// Protects a text, without hiding it.
    pub fn wrap(&self, text: &[u8]) -> Result<Vec<u8>, String> {
        let (mut minor, mut out) = (0, Buffer::none());
        // SAFETY: a context that is made, the text, a place for the result.
        let major = unsafe { (self.f.gss_wrap)(&mut minor, self.context, 0, 0, &Buffer::of(text), null_mut(), &mut out) };
        let out = self.take(out);
        self.check(major, minor, "gss_wrap")?;
        Ok(out)
    }

    /// The text of what the client has protected.
    pub fn unwrap(&self, token: &[u8]) -> Result<Vec<u8>, String> {
        let (mut minor, mut out) = (0, Buffer::none());
        // SAFETY: as above.
        let major =
            unsafe { (self.f.gss_unwrap)(&mut minor, self.context, &Buffer::of(token), &mut out, null_mut(), null_mut()) };
        let out = self.take(out);
        self.check(major, minor, "gss_unwrap")?;
        Ok(out)
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: the handles are ours; the library takes null ones as nothing.
        unsafe {
            (self.f.gss_delete_sec_context)(&mut minor, &mut self.context, null_mut());
            (self.f.gss_release_name)(&mut minor, &mut self.name);
            (self.f.gss_release_cred)(&mut minor, &mut self.credentials);
        }
    }
}
