//! crypt(3) of libcrypt.

use super::cstr;
use std::ffi::CStr;

/// libxcrypt's `struct crypt_data` is 32768 bytes; room to spare for older libraries.
#[repr(C, align(16))]
struct CryptData([u8; 131_232]);

#[link(name = "crypt")]
unsafe extern "C" {
    fn crypt_r(key: *const libc::c_char, salt: *const libc::c_char, data: *mut CryptData) -> *mut libc::c_char;
}

/// The encrypted form of `key` under `salt` (or under a whole encrypted password, to compare with it).
/// `None`: the salt is not of a form that the library knows, or a NUL is in one of them.
pub fn crypt(key: &[u8], salt: &[u8]) -> Option<Vec<u8>> {
    let (key, salt) = (cstr(key).ok()?, cstr(salt).ok()?);
    let mut data: Box<[u8]> = vec![0u8; size_of::<CryptData>() + 16].into_boxed_slice();
    let shift = data.as_ptr().align_offset(16);
    // SAFETY: the place is zeroed, aligned and large enough; the result is null or points into it.
    unsafe {
        let place = data.as_mut_ptr().add(shift.min(16)).cast::<CryptData>();
        let r = crypt_r(key.as_ptr(), salt.as_ptr(), place);
        if r.is_null() {
            return None;
        }
        let out = CStr::from_ptr(r).to_bytes().to_vec();
        (!out.starts_with(b"*")).then_some(out)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn known_hashes() {
        assert_eq!(super::crypt(b"secret", b"xx").unwrap().len(), 13);
        let h = super::crypt(b"secret", b"$1$abcdefgh$").unwrap();
        assert!(h.starts_with(b"$1$abcdefgh$"));
        assert_eq!(super::crypt(b"secret", &h).unwrap(), h);
    }
}
