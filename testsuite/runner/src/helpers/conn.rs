//! A connection of the scripted client or server: plain or TLS, with a time limit for each read
//! and an input buffer whose state the scripts can see.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use openssl::ssl::SslStream;

pub struct Conn {
    /// The socket, of whatever family: only system calls common to all are used.
    plain: TcpStream,
    tls: Option<SslStream<TcpStream>>,
    /// What has been read and not yet consumed.
    pub buffer: Vec<u8>,
}

/// What came of waiting for a line.
pub enum Input {
    Line(Vec<u8>),
    End,
    Timeout,
    Error(io::Error),
    /// The TLS layer broke, with the library's errors; the connection goes on without it.
    TlsLost(Vec<String>),
}

impl Conn {
    pub fn new(plain: TcpStream, limit: Duration) -> io::Result<Conn> {
        // A time limit of zero means none at all to the socket.
        let limit = limit.max(Duration::from_millis(1));
        plain.set_read_timeout(Some(limit))?;
        plain.set_write_timeout(Some(limit))?;
        Ok(Conn { plain, tls: None, buffer: Vec::new() })
    }

    pub fn socket(&self) -> io::Result<TcpStream> {
        self.plain.try_clone()
    }

    pub fn set_tls(&mut self, tls: SslStream<TcpStream>) {
        self.tls = Some(tls);
    }

    pub fn tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Close the TLS layer, and go on in clear.
    pub fn end_tls(&mut self) {
        if let Some(mut tls) = self.tls.take() {
            let _ = tls.shutdown();
        }
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => tls.write_all(bytes),
            None => self.plain.write_all(bytes),
        }
    }

    /// One read into the buffer, which grows; nothing is returned then.
    pub fn fill(&mut self) -> Option<Input> {
        let mut chunk = [0; 8192];
        let result = match &mut self.tls {
            Some(tls) => match tls.ssl_read(&mut chunk) {
                Ok(count) => Ok(count),
                Err(e) if e.code() == openssl::ssl::ErrorCode::ZERO_RETURN => {
                    self.tls = None;
                    return Some(Input::TlsLost(Vec::new()));
                }
                Err(e) => match e.into_io_error() {
                    Ok(e) => Err(e),
                    Err(e) => {
                        self.tls = None;
                        return Some(Input::TlsLost(super::tls::short_errors(&e)));
                    }
                },
            },
            None => self.plain.read(&mut chunk),
        };
        match result {
            Ok(0) => Some(Input::End),
            Ok(count) => {
                self.buffer.extend_from_slice(&chunk[..count]);
                None
            }
            Err(e) => match e.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Some(Input::Timeout),
                ErrorKind::Interrupted => None,
                _ => Some(Input::Error(e)),
            },
        }
    }

    /// The next line, with its end; the last one before the end of input may lack it.
    pub fn line(&mut self) -> Input {
        loop {
            if let Some(end) = self.buffer.iter().position(|&b| b == b'\n') {
                return Input::Line(self.buffer.drain(..=end).collect());
            }
            match self.fill() {
                None => {}
                Some(Input::End) if !self.buffer.is_empty() => {
                    return Input::Line(std::mem::take(&mut self.buffer));
                }
                Some(other) => return other,
            }
        }
    }

    pub fn shutdown(&self, how: Shutdown) {
        let _ = self.plain.shutdown(how);
    }
}
