//! Searches, and the entries that they find.

use std::ffi::CString;
use std::ptr::{null, null_mut};
use std::time::{Duration, Instant};

use libc::{c_char, timeval};

use super::{Connection, Error, Handle, MAX_ITEMS, Url, text, time};

const SEARCH_ENTRY: i32 = 0x64;
const SEARCH_RESULT: i32 = 0x65;

/// One entry: its name, and its attributes with their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub dn: Vec<u8>,
    pub attributes: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
}

impl Connection {
    /// Searches. Entries go to `each`, which may say "enough". `size` of 0 is no limit, `seconds` of 0 likewise.
    pub fn search(
        &self,
        url: &Url,
        size: i32,
        seconds: u32,
        patience: Duration,
        each: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), Error> {
        let (base, filter) = (self.c(&url.dn)?, self.c(&url.filter)?);
        let names: Vec<CString> = url.attributes.iter().map(|a| self.c(a)).collect::<Result<_, _>>()?;
        let mut list: Vec<*mut c_char> = names.iter().map(|n| n.as_ptr().cast_mut()).chain([null_mut()]).collect();
        let attributes = if names.is_empty() { null_mut() } else { list.as_mut_ptr() };
        let filter = if url.filter.is_empty() { null() } else { filter.as_ptr() };
        let limit = time(Duration::from_secs(u64::from(seconds)));
        let limit: *const timeval = if seconds == 0 { null() } else { &limit };
        let deadline = Instant::now() + patience;
        let mut id = 0;
        // SAFETY: a live handle; strings and lists live as long as the call.
        self.done(unsafe {
            (self.f.ldap_search_ext)(
                self.handle.as_ptr(),
                base.as_ptr(),
                url.scope,
                filter,
                attributes,
                0,
                null_mut(),
                null_mut(),
                limit,
                size,
                &mut id,
            )
        })?;
        loop {
            let (kind, result) = self.next(id, deadline)?;
            match kind {
                SEARCH_ENTRY => {
                    // SAFETY: an entry of this connection, freed once.
                    let entry = unsafe {
                        let entry = self.entry(result);
                        (self.f.ldap_msgfree)(result);
                        entry
                    };
                    if !each(entry) {
                        // SAFETY: a live handle.
                        unsafe { (self.f.ldap_abandon_ext)(self.handle.as_ptr(), id, null_mut(), null_mut()) };
                        return Ok(());
                    }
                }
                SEARCH_RESULT => return self.outcome(result),
                // References, which were not followed, and what later versions may bring.
                // SAFETY: a message of this connection, freed once.
                _ => unsafe {
                    (self.f.ldap_msgfree)(result);
                },
            }
        }
    }

    /// # Safety
    /// `result` is an entry of this connection.
    unsafe fn entry(&self, result: Handle) -> Entry {
        let (f, handle) = (self.f, self.handle.as_ptr());
        let mut out = Entry::default();
        // SAFETY: names are ours to free; a list of values ends with null, and values have the lengths that they say.
        unsafe {
            let dn = (f.ldap_get_dn)(handle, result);
            out.dn = text(dn).unwrap_or_default();
            (f.ldap_memfree)(dn.cast());
            let mut position = null_mut();
            let mut name = (f.ldap_first_attribute)(handle, result, &mut position);
            while !name.is_null() && out.attributes.len() < MAX_ITEMS {
                let mut values = Vec::new();
                let list = (f.ldap_get_values_len)(handle, result, name);
                while !list.is_null() && !(*list.add(values.len())).is_null() && values.len() < MAX_ITEMS {
                    let v = *list.add(values.len());
                    let (data, length) = ((*v).data.cast::<u8>(), (*v).length as usize);
                    values.push(if data.is_null() { Vec::new() } else { std::slice::from_raw_parts(data, length).to_vec() });
                }
                (f.ldap_value_free_len)(list);
                out.attributes.push((text(name).unwrap_or_default(), values));
                (f.ldap_memfree)(name.cast());
                name = (f.ldap_next_attribute)(handle, result, position);
            }
            if !name.is_null() {
                (f.ldap_memfree)(name.cast());
            }
        }
        out
    }
}
