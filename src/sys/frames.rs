//! Frames over a socket, for co-processes: a letter, a length of four bytes (the high one first), and that many bytes; and
//! lists of strings within them, each with its length.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use super::fd;

/// Sends a frame.
pub fn give(socket: BorrowedFd<'_>, kind: u8, text: &[u8], deadline: Option<Instant>) -> io::Result<()> {
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    let head = [&[kind][..], &length.to_be_bytes()].concat();
    fd::write_all_deadline(socket, &head, deadline)?;
    fd::write_all_deadline(socket, text, deadline)
}

/// Receives a frame of at most `max` bytes.
pub fn take(socket: BorrowedFd<'_>, max: usize, deadline: Option<Instant>) -> io::Result<(u8, Vec<u8>)> {
    let head = exact(socket, 5, deadline)?;
    let length = head.iter().skip(1).fold(0usize, |n, b| n << 8 | usize::from(*b));
    if length > max {
        return Err(io::Error::other("text is too long"));
    }
    Ok((head.first().copied().unwrap_or_default(), exact(socket, length, deadline)?))
}

fn exact(socket: BorrowedFd<'_>, n: usize, deadline: Option<Instant>) -> io::Result<Vec<u8>> {
    let mut out = vec![0; n];
    let mut got = 0;
    while got < n {
        match fd::read_deadline(socket, out.get_mut(got..).unwrap_or_default(), deadline)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => got += more,
        }
    }
    Ok(out)
}

/// Strings as one text.
pub fn pack<T: AsRef<[u8]>>(strings: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut out = Vec::new();
    for s in strings {
        let s = s.as_ref();
        out.extend_from_slice(&u32::try_from(s.len()).unwrap_or(0).to_be_bytes());
        out.extend_from_slice(s);
    }
    out
}

/// The strings again; what is cut short is left out.
pub fn unpack(mut text: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    while let Some((head, rest)) = text.split_at_checked(4) {
        let length = head.iter().fold(0usize, |n, b| n << 8 | usize::from(*b));
        let Some((s, rest)) = rest.split_at_checked(length) else { break };
        out.push(s.to_vec());
        text = rest;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings() {
        assert_eq!(unpack(&pack(["a", "", "bc"])), [b"a".to_vec(), b"".to_vec(), b"bc".to_vec()]);
        assert_eq!(unpack(b"\0\0\0\x05ab"), Vec::<Vec<u8>>::new());
        assert_eq!(unpack(b"\xff\xff\xff\xff"), Vec::<Vec<u8>>::new());
        assert_eq!(unpack(b"\0\0"), Vec::<Vec<u8>>::new());
    }
}
