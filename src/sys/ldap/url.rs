//! URLs, taken apart by the library.

use std::ptr::null_mut;

use libc::{c_char, c_int};

use super::{loaded, text};
use crate::sys::cstr;

/// `LDAPURLDesc`
#[repr(C)]
pub(super) struct UrlDescription {
    next: *mut UrlDescription,
    scheme: *mut c_char,
    host: *mut c_char,
    port: c_int,
    dn: *mut c_char,
    attributes: *mut *mut c_char,
    scope: c_int,
    filter: *mut c_char,
    extensions: *mut *mut c_char,
    critical: c_int,
}

/// A URL, taken apart by the library.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Url {
    pub host: Vec<u8>,
    /// 0: not given.
    pub port: u16,
    pub dn: Vec<u8>,
    pub attributes: Vec<Vec<u8>>,
    pub scope: i32,
    pub filter: Vec<u8>,
}

impl Url {
    /// Reads one. The error is the library's number.
    pub fn parse(url: &[u8]) -> Result<Self, String> {
        let f = loaded()?;
        let url = cstr(url).map_err(|e| e.to_string())?;
        let mut d = null_mut();
        // SAFETY: a C string and a place for the description, which is ours to free; its lists end with null.
        unsafe {
            let code = (f.ldap_url_parse)(url.as_ptr(), &mut d);
            let Some(u) = d.as_ref().filter(|_| code == 0) else { return Err(format!("ldap_url_parse: (error {code})")) };
            let mut attributes = Vec::new();
            while !u.attributes.is_null() && !(*u.attributes.add(attributes.len())).is_null() && attributes.len() < 1000 {
                attributes.push(text(*u.attributes.add(attributes.len())).unwrap_or_default());
            }
            let out = Url {
                host: text(u.host).unwrap_or_default(),
                port: u16::try_from(u.port).unwrap_or(0),
                dn: text(u.dn).unwrap_or_default(),
                attributes,
                scope: u.scope.max(0),
                filter: text(u.filter).unwrap_or_default(),
            };
            (f.ldap_free_urldesc)(d);
            Ok(out)
        }
    }
}
