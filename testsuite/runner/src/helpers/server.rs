//! The scripted server: it waits for connections, says what the script says, and prints the
//! conversation.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use openssl::ssl::SslContext;

use super::conn::{Conn, Input};
use super::{tls, unescaped};
use crate::sys;

#[derive(Default)]
struct Options {
    limit: Duration,
    /// A timeout is no failure.
    patient: bool,
    pause: u64,
    no_ipv4: bool,
    no_ipv6: bool,
    pid_file: Option<String>,
    fast_open: bool,
    debug: bool,
    tls: Option<(String, String)>,
    place: String,
    count: usize,
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn fd(&self) -> RawFd {
        match self {
            Listener::Tcp(socket) => socket.as_raw_fd(),
            Listener::Unix(socket) => socket.as_raw_fd(),
        }
    }

    /// The connection, and the peer's address as it is printed.
    fn accept(&self) -> io::Result<(TcpStream, String)> {
        match self {
            Listener::Tcp(socket) => {
                let (stream, peer) = socket.accept()?;
                Ok((stream, format!(" from [{}]", peer.ip().to_canonical())))
            }
            // Only what sockets of all families can do is asked of the stream.
            Listener::Unix(socket) => {
                let (stream, _) = socket.accept()?;
                Ok((TcpStream::from(OwnedFd::from(stream)), String::new()))
            }
        }
    }
}

pub fn main(args: &[String]) -> ExitCode {
    let options = match options(args) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("server: {message}");
            return ExitCode::FAILURE;
        }
    };
    match serve(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) if options.patient => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(99),
        Err(e) => {
            eprintln!("server: {e}");
            ExitCode::FAILURE
        }
    }
}

fn options(args: &[String]) -> Result<Options, String> {
    let mut options = Options { limit: Duration::from_secs(5), count: 1, ..Options::default() };
    let mut args = args.iter();
    let mut positional = Vec::new();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "-t" => {
                let seconds: i64 = value()?.parse().map_err(|_| "bad time limit")?;
                options.patient = seconds < 0;
                options.limit = Duration::from_secs(seconds.unsigned_abs());
            }
            "-i" => options.pause = value()?.parse().map_err(|_| "bad pause")?,
            "-noipv4" => options.no_ipv4 = true,
            "-noipv6" => options.no_ipv6 = true,
            "-oP" => options.pid_file = Some(value()?.clone()),
            "-tfo" => options.fast_open = true,
            "-tls" => options.tls = Some((value()?.clone(), value()?.clone())),
            "-d" => options.debug = true,
            _ if arg.starts_with('-') => return Err(format!("unknown option {arg}")),
            _ => positional.push(arg.clone()),
        }
    }
    if options.no_ipv4 && options.no_ipv6 {
        return Err("-noipv4 and -noipv6 cannot both be given".into());
    }
    let mut positional = positional.into_iter();
    options.place = positional.next().ok_or("no port")?;
    if let Some(count) = positional.next() {
        options.count = count.parse().map_err(|_| "bad number of connections")?;
    }
    Ok(options)
}

fn listen(options: &Options) -> io::Result<Vec<Listener>> {
    if options.place.starts_with('/') {
        let _ = fs::remove_file(&options.place);
        let socket = UnixListener::bind(&options.place)?;
        fs::set_permissions(&options.place, fs::Permissions::from_mode(0o777))?;
        return Ok(vec![Listener::Unix(socket)]);
    }
    let port: u16 = options.place.parse().map_err(|_| io::Error::other("bad port"))?;
    let mut listeners = Vec::new();
    if !options.no_ipv6 {
        if options.debug {
            say(b"Creating IPv6 socket\n");
        }
        let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        // A host without IPv6 listens on the other family alone.
        listeners.extend(sys::listen(any, options.fast_open).map(Listener::Tcp));
    }
    if !options.no_ipv4 {
        if options.debug {
            say(b"Creating IPv4 socket\n");
        }
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        listeners.push(Listener::Tcp(sys::listen(any, options.fast_open)?));
    }
    Ok(listeners)
}

/// Serve all connections; false when the time was over.
fn serve(options: &Options) -> io::Result<bool> {
    if options.pause > 0 {
        say(format!("Inital pause of {} seconds\n", options.pause).as_bytes());
        thread::sleep(Duration::from_secs(options.pause));
    }
    let listeners = listen(options)?;
    if let Some(path) = &options.pid_file {
        fs::write(path, format!("{}\n", std::process::id()))?;
    }
    let tls = match &options.tls {
        Some((certificate, key)) => {
            Some(tls::server_context(certificate, key).map_err(|_| io::Error::other("unusable certificate or key"))?)
        }
        None => None,
    };
    let mut session = Session::new(read_script(&mut io::stdin().lock())?);
    session.debug = options.debug;
    let result = connections(options, &listeners, tls.as_ref(), &mut session);
    if options.place.starts_with('/') {
        let _ = fs::remove_file(&options.place);
    }
    if matches!(result, Ok(true)) && session.at >= session.script.len() {
        say(b"End of script\n");
    }
    result
}

fn connections(options: &Options, listeners: &[Listener], tls: Option<&SslContext>, session: &mut Session) -> io::Result<bool> {
    let fds: Vec<RawFd> = listeners.iter().map(Listener::fd).collect();
    let unix = options.place.starts_with('/');
    let what = if unix { options.place.clone() } else { format!("port {}", options.place) };
    for _ in 0..options.count {
        say(format!("Listening on {what} ... ").as_bytes());
        let Some(ready) = sys::wait_readable(&fds, options.limit)? else {
            say(b"\nServer timed out\n");
            return Ok(false);
        };
        let (stream, peer) = listeners[ready].accept()?;
        say(format!("\nConnection request{peer}\n").as_bytes());
        let mut conn = Conn::new(stream, options.limit)?;
        if !session.converse(&mut conn, tls) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Read up to the line `++++`, without trailing blanks.
fn read_script(input: &mut impl Read) -> io::Result<Vec<Vec<u8>>> {
    let mut script = Vec::new();
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        let count = input.read(&mut byte)?;
        if count > 0 && byte[0] != b'\n' {
            line.push(byte[0]);
            continue;
        }
        if count == 0 && line.is_empty() || line.starts_with(b"++++") {
            return Ok(script);
        }
        script.push(unescaped(line.trim_ascii_end(), false));
        line.clear();
    }
}

fn say(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(bytes);
    let _ = out.flush();
}

/// Non-printing bytes as `\xhh`, a backslash doubled.
fn printable(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for &byte in bytes {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    out
}

/// How a conversation goes on after a script line.
#[derive(PartialEq, Debug)]
enum Next {
    Line,
    /// This conversation is over; the line has been used up.
    Close,
    /// It is over, and the next one starts with the same line.
    Stay,
    Timeout,
}

/// The script, and the place reached in it by all the conversations so far.
struct Session {
    script: Vec<Vec<u8>>,
    at: usize,
    /// Every byte is sent at once, and expectations are for bytes instead of lines.
    unbuffered: bool,
    /// What has been said and not yet sent.
    output: Vec<u8>,
    /// Input to be consumed before the receiving side is shut down.
    content: Option<usize>,
    debug: bool,
}

impl Session {
    fn new(script: Vec<Vec<u8>>) -> Session {
        let unbuffered = script.iter().any(|line| line.starts_with(b">>"));
        Session { script, at: 0, unbuffered, output: Vec::new(), content: None, debug: false }
    }

    /// One connection; false when the time was over.
    fn converse(&mut self, conn: &mut Conn, tls: Option<&SslContext>) -> bool {
        self.content = None;
        while let Some(line) = self.script.get(self.at).cloned() {
            let next = self.line(&line, conn, tls);
            if next != Next::Stay {
                self.at += 1;
            }
            match next {
                Next::Line => {}
                Next::Timeout => return false,
                Next::Close | Next::Stay => break,
            }
        }
        self.flush(conn);
        true
    }

    fn flush(&mut self, conn: &mut Conn) {
        // A client that has gone away is noticed at the next expectation.
        let _ = conn.write(&std::mem::take(&mut self.output));
    }

    fn send(&mut self, conn: &mut Conn, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
        if self.unbuffered {
            self.flush(conn);
        }
    }

    fn line(&mut self, line: &[u8], conn: &mut Conn, tls: Option<&SslContext>) -> Next {
        if line.first().is_some_and(u8::is_ascii_digit) {
            say(&[line, b"\n"].concat());
            self.send(conn, &[line, b"\r\n"].concat());
            return Next::Line;
        }
        if line == b">*eof" {
            say(&[line, b"\n"].concat());
            return Next::Close;
        }
        if let Some(text) = line.strip_prefix(b">") {
            say(&[&printable(line)[..], b"\n"].concat());
            let (text, end): (&[u8], &[u8]) = match text {
                [b'>', text @ ..] => (text, b""),
                [b'C', b'R', b'>', text @ ..] => (text, b"\r"),
                [b'L', b'F', b'>', text @ ..] => (text, b"\n"),
                _ => (text, b"\r\n"),
            };
            self.send(conn, &[text, end].concat());
            return Next::Line;
        }
        self.flush(conn);
        if let Some(seconds) = line.strip_prefix(b"*sleep ") {
            say(&[line, b"\n"].concat());
            thread::sleep(Duration::from_secs(number(seconds) as u64));
            return Next::Line;
        }
        if let Some(count) = line.strip_prefix(b"*data ") {
            return self.discard(number(count), conn);
        }
        if line == b"*starttls" {
            if let (Some(tls), Ok(socket)) = (tls, conn.socket()) {
                match tls::accept(tls, socket) {
                    Ok(stream) => {
                        if let Some(cipher) = stream.ssl().current_cipher().filter(|_| self.debug) {
                            say(format!("SSL connection using {}\n", cipher.name()).as_bytes());
                        }
                        conn.set_tls(stream);
                    }
                    Err(errors) => say(format!("{}\n", errors.join("\n")).as_bytes()),
                }
            }
            return Next::Line;
        }
        match line {
            b"*eof" => self.expect_end(conn),
            b"." => self.message(conn),
            _ if self.unbuffered => self.expect_bytes(line, conn),
            [b'<', b'<', text @ ..] => self.expect_line(text, b"<<", conn),
            [b'<', text @ ..] => self.expect_line(text, b"<", conn),
            _ => self.expect_line(line, b"", conn),
        }
    }

    /// A line, or why there is none (which has been said).
    fn read_line(&mut self, conn: &mut Conn) -> Result<Vec<u8>, Next> {
        match conn.line() {
            Input::Line(line) => {
                self.consumed(line.len(), conn);
                Ok(line)
            }
            other => Err(no_line(&other)),
        }
    }

    fn consumed(&mut self, count: usize, conn: &Conn) {
        if let Some(left) = &mut self.content {
            *left = left.saturating_sub(count);
            if *left == 0 {
                self.content = None;
                conn.shutdown(Shutdown::Read);
            }
        }
    }

    fn expect_line(&mut self, text: &[u8], mark: &[u8], conn: &mut Conn) -> Next {
        let line = match self.read_line(conn) {
            Ok(line) => line,
            Err(next) => return next,
        };
        let line = line.trim_ascii_end();
        say(&[mark, line, b"\n"].concat());
        if let Some(length) = line.strip_prefix(b"Content-length: ").filter(|_| !mark.is_empty()) {
            self.content = Some(number(length));
        }
        compared(line, text)
    }

    /// Exactly as many bytes as are expected; after them the rest of the line is discarded,
    /// except for an expectation that begins with `<<`.
    fn expect_bytes(&mut self, line: &[u8], conn: &mut Conn) -> Next {
        let (text, mark): (&[u8], &[u8]) = match line {
            [b'<', b'<', text @ ..] => (text, b"<<"),
            [b'<', text @ ..] => (text, b"<"),
            _ => (line, b""),
        };
        while conn.buffer.len() < text.len() {
            match conn.fill() {
                None => {}
                Some(Input::End) if !conn.buffer.is_empty() => break,
                Some(other) => return no_line(&other),
            }
        }
        let count = text.len().min(conn.buffer.len());
        let got: Vec<u8> = conn.buffer.drain(..count).collect();
        self.consumed(count, conn);
        say(&[mark, &printable(&got), b"\n"].concat());
        if mark != b"<<"
            && let Err(next) = self.read_line(conn)
        {
            return next;
        }
        compared(&got, text)
    }

    fn message(&mut self, conn: &mut Conn) -> Next {
        let mut first = true;
        loop {
            let line = match self.read_line(conn) {
                Ok(line) => line,
                Err(next) => return next,
            };
            if self.unbuffered {
                if first {
                    say(&[&line[..1], b"\n"].concat());
                } else if line.starts_with(b".") {
                    return Next::Line;
                }
                first = false;
                continue;
            }
            let line = line.trim_ascii_end();
            say(&[line, b"\n"].concat());
            if line == b"." {
                return Next::Line;
            }
        }
    }

    fn expect_end(&mut self, conn: &mut Conn) -> Next {
        match conn.line() {
            Input::Line(line) => {
                say(&[line.trim_ascii_end(), b"\n"].concat());
                compared(line.trim_ascii_end(), b"*eof")
            }
            Input::Timeout => no_line(&Input::Timeout),
            _ => {
                say(b"Expected EOF read from client\n");
                Next::Close
            }
        }
    }

    fn discard(&mut self, count: usize, conn: &mut Conn) -> Next {
        while conn.buffer.len() < count {
            match conn.fill() {
                None => {}
                Some(other) => return no_line(&other),
            }
        }
        conn.buffer.drain(..count);
        self.consumed(count, conn);
        Next::Line
    }
}

fn number(text: &[u8]) -> usize {
    String::from_utf8_lossy(text).trim().parse().unwrap_or(0)
}

fn no_line(input: &Input) -> Next {
    if let Input::Timeout = input {
        say(b"\nServer timed out\n");
        return Next::Timeout;
    }
    say(b"Unexpected EOF read from client\n");
    Next::Close
}

fn compared(got: &[u8], expected: &[u8]) -> Next {
    if got.starts_with(expected) {
        return Next::Line;
    }
    say(b"Comparison failed - bailing out\n");
    say(&[b"Expected: ", expected, b"\n"].concat());
    Next::Stay
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(script: &str) -> Session {
        Session::new(read_script(&mut script.as_bytes()).unwrap())
    }

    /// Our end of a connection whose peer has said `text` and closed.
    fn conn(text: &str) -> (Conn, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        peer.write_all(text.as_bytes()).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let (stream, _) = listener.accept().unwrap();
        (Conn::new(stream, Duration::from_secs(5)).unwrap(), peer)
    }

    fn converse(session: &mut Session, text: &str) -> String {
        let (mut conn, mut peer) = conn(text);
        assert!(session.converse(&mut conn, None));
        drop(conn);
        let mut answer = String::new();
        peer.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_script_ends_at_its_mark() {
        let script = session("220 a  \nx\\x41\\\\\n\n++++\nmore\n").script;
        assert_eq!(script, [b"220 a".to_vec(), b"xA\\".to_vec(), Vec::new()]);
    }

    #[test]
    fn a_conversation() {
        let mut session = session("220 hi\nEHLO\n250 ok\n.\n>bye\n*eof\n");
        assert_eq!(converse(&mut session, "EHLO x\r\na\r\n.\r\n"), "220 hi\r\n250 ok\r\nbye\r\n");
        assert_eq!(session.at, 6);
    }

    #[test]
    fn after_a_mismatch_the_line_is_tried_again() {
        let mut session = session("220 hi\nEHLO\n250 ok\n");
        assert_eq!(converse(&mut session, "HELO x\r\n"), "220 hi\r\n");
        assert_eq!(session.at, 1);
        assert_eq!(converse(&mut session, "EHLO x\r\n"), "250 ok\r\n");
    }

    #[test]
    fn an_early_end_uses_the_line_up() {
        let mut session = session("EHLO\nMAIL\n250 ok\n");
        converse(&mut session, "");
        assert_eq!(session.at, 1);
        assert_eq!(converse(&mut session, "MAIL\r\n"), "250 ok\r\n");
    }

    #[test]
    fn unbuffered_expectations_are_for_bytes() {
        let mut session = session("<<\\x05\\x01\n>>\\x05\\x00\nGET\n<<a\n>LF>z\n");
        assert!(session.unbuffered);
        assert_eq!(converse(&mut session, "\x05\x01GET rest\na"), "\x05\0z\n");
        assert_eq!(session.at, 5);
        assert_eq!(printable(b"\x05a\\"), b"\\x05a\\\\");
    }
}
