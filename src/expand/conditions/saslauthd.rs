//! `saslauthd`: Cyrus' daemon is asked over its socket: four strings, each with a length of two bytes; the answer is one.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use bstr::ByteSlice;

use super::Call;
use crate::build_options::CYRUS_SASLAUTHD_SOCKET as SOCKET;
use crate::context::Context;
use crate::expand::{ExpandError, failed};
use crate::sys::{error_text, fd, unix};

/// For all of it.
const PATIENCE: Duration = Duration::from_secs(30);
/// No answer is longer.
const MAX_ANSWER: usize = 1024;

/// `saslauthd`: user, password, service, realm.
pub fn saslauthd(ctx: &mut Context, call: Call<'_>) -> Result<bool, ExpandError> {
    if SOCKET.is_empty() {
        return super::auth::not_compiled(ctx, call);
    }
    let mut request = Vec::new();
    for n in 0..4 {
        let part = call.arg(n);
        let Ok(length) = u16::try_from(part.len()) else { return failed("saslauthd argument is too long") };
        request.extend(length.to_be_bytes());
        request.extend_from_slice(part);
    }
    let why = |what: &str, e: &std::io::Error| format!("{what} saslauthd daemon at {SOCKET}: {}", error_text(e));
    let socket =
        unix::connect(unix::Kind::Stream, SOCKET.as_bytes(), Some(PATIENCE)).or_else(|e| failed(why("cannot connect to", &e)))?;
    let deadline = Instant::now() + PATIENCE;
    fd::write_all_deadline(socket.as_fd(), &request, Some(deadline)).or_else(|e| failed(why("write to", &e)))?;
    let mut answer = Vec::new();
    loop {
        if let Some(result) = read(&answer) {
            return result;
        }
        let mut block = [0; MAX_ANSWER];
        match fd::read_deadline(socket.as_fd(), &mut block, Some(deadline)) {
            Ok(0) => return failed(format!("bad answer from saslauthd at {SOCKET}")),
            Ok(n) => answer.extend_from_slice(block.get(..n).unwrap_or_default()),
            Err(e) => return failed(why("read from", &e)),
        }
    }
}

/// The answer, once it is whole: `OK` or `NO`, and perhaps a text after it.
fn read(answer: &[u8]) -> Option<Result<bool, ExpandError>> {
    let (length, text) = answer.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length > MAX_ANSWER {
        return Some(failed(format!("bad answer from saslauthd at {SOCKET}")));
    }
    let text = text.get(..length)?;
    Some(match text.get(..2) {
        Some(b"OK") => Ok(true),
        Some(b"NO") => Ok(false),
        _ => failed(format!("bad answer from saslauthd at {SOCKET}: {}", text.as_bstr())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        assert!(matches!(read(b"\0\x02OK"), Some(Ok(true))));
        assert!(matches!(read(b"\0\x05NO no"), Some(Ok(false))));
        assert!(matches!(read(b"\0\x02XX"), Some(Err(_))));
        assert!(matches!(read(b"\0\0"), Some(Err(_))));
        assert!(matches!(read(b"\xff\xff"), Some(Err(_))));
        for half in [&b""[..], b"\0", b"\0\x02", b"\0\x02O"] {
            assert!(read(half).is_none());
        }
    }
}
