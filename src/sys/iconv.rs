//! Character set conversion with the C library's iconv.

use super::cstr;
use std::io;

/// A conversion from one character set to another.
#[derive(Debug)]
pub struct Iconv(libc::iconv_t);

// SAFETY: a descriptor may be used by any one thread at a time; all methods that use it take &mut.
unsafe impl Send for Iconv {}

impl Iconv {
    /// `InvalidInput` if the C library does not know one of the sets.
    pub fn open(to: &[u8], from: &[u8]) -> io::Result<Self> {
        let (to, from) = (cstr(to)?, cstr(from)?);
        // SAFETY: valid C strings; the result is checked.
        let cd = unsafe { libc::iconv_open(to.as_ptr(), from.as_ptr()) };
        if cd as isize == -1 { Err(io::Error::last_os_error()) } else { Ok(Self(cd)) }
    }

    /// Converts all of it. A sequence that is invalid or cannot be converted becomes `?` for each byte
    /// when `replace` is set, else it is an error (EILSEQ, or EINVAL for one that is cut off).
    pub fn convert(&mut self, input: &[u8], replace: bool) -> io::Result<Vec<u8>> {
        self.run(input, |_| replace.then_some(b'?'))
    }

    /// The same; what is invalid or cannot be converted is copied as it is.
    pub fn convert_keeping(&mut self, input: &[u8]) -> io::Result<Vec<u8>> {
        self.run(input, Some)
    }

    fn run(&mut self, mut input: &[u8], replace: impl Fn(u8) -> Option<u8>) -> io::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(input.len() + 16);
        let mut buf = [0u8; 1024];
        // SAFETY: null input resets the shift state.
        unsafe { libc::iconv(self.0, std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut()) };
        loop {
            let flush = input.is_empty();
            let mut in_ptr = input.as_ptr().cast_mut().cast::<libc::c_char>();
            let mut in_left = input.len();
            let mut out_ptr = buf.as_mut_ptr().cast::<libc::c_char>();
            let mut out_left = buf.len();
            let in_arg = if flush { std::ptr::null_mut() } else { &raw mut in_ptr };
            // SAFETY: buffers with their lengths; iconv moves within them. It does not write the input.
            let r = unsafe { libc::iconv(self.0, in_arg, &mut in_left, &mut out_ptr, &mut out_left) };
            let errno = if r == usize::MAX { io::Error::last_os_error().raw_os_error() } else { None };
            out.extend_from_slice(&buf[..buf.len() - out_left]);
            if !flush {
                input = &input[input.len() - in_left.min(input.len())..];
            }
            match errno {
                None if flush => return Ok(out),
                None | Some(libc::E2BIG) => {}
                Some(e) if matches!(e, libc::EILSEQ | libc::EINVAL) && !flush => {
                    match input.first().and_then(|c| replace(*c)) {
                        Some(c) => out.push(c),
                        None => return Err(io::Error::from_raw_os_error(e)),
                    }
                    input = input.get(1..).unwrap_or_default();
                }
                Some(e) => return Err(io::Error::from_raw_os_error(e)),
            }
        }
    }
}

impl Drop for Iconv {
    fn drop(&mut self) {
        // SAFETY: opened by us, closed once.
        unsafe { libc::iconv_close(self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin1() {
        let mut c = Iconv::open(b"UTF-8", b"ISO-8859-1").unwrap();
        assert_eq!(c.convert(b"caf\xe9", false).unwrap(), "café".as_bytes());
        let mut c = Iconv::open(b"ISO-8859-1", b"UTF-8").unwrap();
        assert!(c.convert(b"a\xff", false).is_err());
        assert_eq!(c.convert(b"a\xffb", true).unwrap(), b"a?b");
        assert!(Iconv::open(b"UTF-8", b"no-such-charset").is_err());
    }
}
