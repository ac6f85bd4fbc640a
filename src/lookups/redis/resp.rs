//! Redis' protocol, version 2 (redis.io/docs/reference/protocol-spec): a command out, one reply in, both bounded.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};

/// For one command and its reply.
const PATIENCE: Duration = Duration::from_secs(30);
const MAX_REPLY: usize = 16 << 20;
const MAX_DEPTH: usize = 8;

/// A socket whose waits are bounded.
pub trait Stream: Read + Write + Send {
    /// For each read and write from now on.
    fn limit(&self, time: Duration) -> std::io::Result<()>;
    /// Nothing to read, and not closed either.
    fn is_idle(&self) -> bool;
}

macro_rules! stream {
    ($type:ty) => {
        impl Stream for $type {
            fn limit(&self, time: Duration) -> std::io::Result<()> {
                self.set_read_timeout(Some(time))?;
                self.set_write_timeout(Some(time))
            }
            fn is_idle(&self) -> bool {
                let waits = |r: std::io::Result<usize>| r.is_err_and(|e| e.kind() == ErrorKind::WouldBlock);
                let mut reader = self;
                self.set_nonblocking(true).is_ok() && waits(reader.read(&mut [0])) && self.set_nonblocking(false).is_ok()
            }
        }
    };
}
stream!(UnixStream);
stream!(TcpStream);

/// A reply.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// `+`
    Status(BString),
    /// `-`
    Error(BString),
    /// `:`
    Integer(i64),
    /// `$`
    Bulk(BString),
    /// `*`
    Array(Vec<Reply>),
    /// No value.
    Nil,
}

impl Reply {
    /// As a lookup's data: the items of arrays on lines of their own.
    pub fn text(&self) -> Vec<u8> {
        match self {
            Reply::Status(t) | Reply::Error(t) | Reply::Bulk(t) => t.to_vec(),
            Reply::Integer(n) => n.to_string().into_bytes(),
            Reply::Array(items) => items.iter().map(Reply::text).collect::<Vec<_>>().join(&b'\n'),
            Reply::Nil => Vec::new(),
        }
    }
}

/// A connection to a server.
pub struct Connection {
    stream: Box<dyn Stream>,
    input: Vec<u8>,
    taken: usize,
    deadline: Instant,
}

impl Connection {
    /// Over a connected socket.
    pub fn new(stream: Box<dyn Stream>) -> Self {
        Connection { stream, input: Vec::new(), taken: 0, deadline: Instant::now() }
    }

    /// Can it be used for another command?
    pub fn is_idle(&self) -> bool {
        self.taken == self.input.len() && self.stream.is_idle()
    }

    /// Sends a command and reads the reply. After an error the connection is of no use.
    pub fn command(&mut self, words: &[Vec<u8>]) -> Result<Reply, String> {
        let mut out = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            out.extend(format!("${}\r\n", word.len()).into_bytes());
            out.extend_from_slice(word);
            out.extend_from_slice(b"\r\n");
        }
        self.deadline = Instant::now() + PATIENCE;
        let sent = self.stream.limit(PATIENCE).and_then(|()| self.stream.write_all(&out));
        sent.map_err(|e| format!("write failed: {}", crate::sys::error_text(&e)))?;
        self.input.clear();
        self.taken = 0;
        self.reply(0)
    }

    fn reply(&mut self, depth: usize) -> Result<Reply, String> {
        let line = self.line()?;
        let (kind, rest) = line.split_first().ok_or(BAD)?;
        let number = || rest.to_str().ok().and_then(|t| t.parse::<i64>().ok()).ok_or(BAD);
        Ok(match kind {
            b'+' => Reply::Status(rest.into()),
            b'-' => Reply::Error(rest.into()),
            b':' => Reply::Integer(number()?),
            b'$' | b'*' if number()? == -1 => Reply::Nil,
            b'$' => {
                let len = usize::try_from(number()?).ok().filter(|n| *n <= MAX_REPLY).ok_or(BAD)?;
                let data = self.take(len)?;
                if self.take(2)? != b"\r\n" {
                    return Err(BAD.into());
                }
                Reply::Bulk(data.into())
            }
            b'*' if depth < MAX_DEPTH => {
                let count = usize::try_from(number()?).map_err(|_| BAD)?;
                // Each item has come in before there is room for it.
                let mut items = Vec::new();
                for _ in 0..count {
                    items.push(self.reply(depth + 1)?);
                }
                Reply::Array(items)
            }
            _ => return Err(BAD.into()),
        })
    }

    fn line(&mut self) -> Result<Vec<u8>, String> {
        let mut searched = self.taken;
        loop {
            if let Some(at) = self.input.get(searched..).and_then(|b| b.find_byte(b'\n')) {
                let line = self.take(searched + at + 1 - self.taken)?;
                return line.strip_suffix(b"\r\n").map(<[u8]>::to_vec).ok_or_else(|| BAD.into());
            }
            searched = self.input.len();
            self.more()?;
        }
    }

    fn take(&mut self, len: usize) -> Result<Vec<u8>, String> {
        loop {
            if let Some(data) = self.input.get(self.taken..self.taken + len) {
                self.taken += len;
                return Ok(data.to_vec());
            }
            self.more()?;
        }
    }

    fn more(&mut self) -> Result<(), String> {
        if self.input.len() > MAX_REPLY {
            return Err("reply is too long".into());
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err("no reply in time".into());
        }
        let mut buf = [0; 8192];
        match self.stream.limit(left).and_then(|()| self.stream.read(&mut buf)) {
            Ok(0) => Err("connection closed".into()),
            Ok(n) => {
                self.input.extend_from_slice(buf.get(..n).unwrap_or_default());
                Ok(())
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => Ok(()),
            Err(e) if e.kind() == ErrorKind::WouldBlock => Err("no reply in time".into()),
            Err(e) => Err(format!("read failed: {}", crate::sys::error_text(&e))),
        }
    }
}

const BAD: &str = "reply is not in Redis' protocol";

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &[u8]) -> Result<Reply, String> {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(text).unwrap();
        let mut connection = Connection::new(Box::new(ours));
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        connection.command(&[b"X".to_vec()])
    }

    #[test]
    fn replies() {
        assert_eq!(reply(b"+OK\r\n").unwrap().text(), b"OK");
        assert_eq!(reply(b":-12\r\n").unwrap().text(), b"-12");
        assert_eq!(reply(b"$3\r\na\nb\r\n").unwrap().text(), b"a\nb");
        assert_eq!(reply(b"$-1\r\n").unwrap(), Reply::Nil);
        assert_eq!(reply(b"*3\r\n$1\r\na\r\n$-1\r\n*1\r\n:1\r\n").unwrap().text(), b"a\n\n1");
        assert_eq!(reply(b"-ERR no\r\n").unwrap(), Reply::Error("ERR no".into()));
    }

    #[test]
    fn hostile() {
        for bad in [
            "",
            "\r\n",
            "+OK\n",
            "+OK",
            "$5\r\nabc\r\n",
            "$-2\r\n",
            "$99999999999\r\n",
            "$1\r\nabc",
            "?\r\n",
            "*2\r\n:1\r\n",
            ":x\r\n",
        ] {
            assert!(reply(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(reply(&b"*1\r\n".repeat(100)).is_err());
        assert!(reply(b"*9223372036854775807\r\n:1\r\n").is_err());
    }
}
