//! NIS, by the client functions of `libnsl` (yp_match(3)), loaded in the process that asks.

use std::ptr::null_mut;

use libc::{c_char, c_int};

use super::cstr;
use super::dl::{Library, functions};

/// The library by the names that it has had.
const NAMES: [&[u8]; 4] = [b"libnsl.so.3", b"libnsl.so.2", b"libnsl.so.1", b"libnsl.so"];

functions! {
    /// See rpcsvc/ypclnt.h.
    Functions {
        yp_get_default_domain(*mut *mut c_char) -> c_int;
        yp_match(*const c_char, *const c_char, *const c_char, c_int, *mut *mut c_char, *mut c_int) -> c_int;
        yperr_string(c_int) -> *const c_char;
    }
}

/// YPERR_MAP, YPERR_KEY: there is no such map or key.
const ABSENT: [c_int; 2] = [4, 5];
/// No value is longer (YPMAXRECORD).
const MAX_VALUE: usize = 16 << 20;

fn load() -> Result<Functions, String> {
    let mut first = None;
    for name in NAMES {
        match Library::open(name, false).and_then(|l| Functions::load(&l)) {
            Ok(f) => return Ok(f),
            Err(e) => drop(first.get_or_insert(e)),
        }
    }
    Err(first.unwrap_or_default())
}

/// Is the library there?
pub fn available() -> Result<(), String> {
    load().map(drop)
}

/// The value of a key in a map of the default domain.
pub fn find(map: &[u8], key: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let f = load()?;
    let map = cstr(map).map_err(|e| e.to_string())?;
    let length = c_int::try_from(key.len()).map_err(|_| "the key is too long")?;
    // SAFETY: C strings, the key with its length, places for what is returned; the value is ours to free.
    unsafe {
        let message = |code| {
            let text = (f.yperr_string)(code);
            if text.is_null() { format!("error {code}") } else { std::ffi::CStr::from_ptr(text).to_string_lossy().into_owned() }
        };
        let mut domain = null_mut();
        let code = (f.yp_get_default_domain)(&mut domain);
        if code != 0 || domain.is_null() {
            return Err(format!("failed to get default domain: {}", message(code)));
        }
        let (mut value, mut size) = (null_mut(), 0);
        match (f.yp_match)(domain, map.as_ptr(), key.as_ptr().cast(), length, &mut value, &mut size) {
            0 if !value.is_null() => {
                let n = usize::try_from(size).unwrap_or(0).min(MAX_VALUE);
                let out = std::slice::from_raw_parts(value.cast::<u8>(), n).to_vec();
                libc::free(value.cast());
                Ok(Some(out))
            }
            code if ABSENT.contains(&code) => Ok(None),
            code => Err(message(code)),
        }
    }
}
