//! The scripted SMTP client: it sends lines, and compares the answers with the beginnings that
//! the script expects.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use openssl::ssl::SslContext;

use super::conn::{Conn, Input};
use super::{tls, unescaped};
use crate::sys::{self, Unconnected};

/// The exit status with which the client gives up; everything has been said then.
type Step = Result<(), u8>;

#[derive(Default)]
struct Options {
    limit: Duration,
    tls_on_connect: bool,
    quiet: bool,
    ocsp: Option<String>,
    positional: Vec<String>,
}

struct Client {
    conn: Conn,
    tls: Option<SslContext>,
    quiet: bool,
    ocsp: bool,
    /// STARTTLS has been sent; the next answer decides.
    tls_asked: bool,
}

fn say(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(bytes);
    let _ = out.flush();
}

macro_rules! say {
    ($($part:tt)*) => { say(format!($($part)*).as_bytes()) };
}

pub fn main(args: &[String], with_tls: bool) -> ExitCode {
    let result = options(args, with_tls).and_then(|options| run(&options, with_tls));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(status) => ExitCode::from(status),
    }
}

fn options(args: &[String], with_tls: bool) -> Result<Options, u8> {
    let mut options = Options { limit: Duration::from_secs(5), ..Options::default() };
    let mut args = args.iter();
    for arg in args.by_ref() {
        if let Some(seconds) = arg.strip_prefix("-t").filter(|s| !s.starts_with("ls-")) {
            match seconds.parse::<u64>() {
                Ok(seconds) if seconds <= 10_000 => options.limit = Duration::from_secs(seconds),
                _ => {
                    eprintln!("client: bad time limit: {arg}");
                    return Err(93);
                }
            }
        } else if with_tls && arg == "-tls-on-connect" {
            options.tls_on_connect = true;
        } else if with_tls && arg == "-tls-quiet" {
            options.quiet = true;
        } else if with_tls && arg == "-ocsp" {
            options.ocsp = Some(String::new());
            break;
        } else if arg.starts_with('-') {
            eprintln!("client: unknown option: {arg}");
            return Err(92);
        } else {
            options.positional.push(arg.clone());
            break;
        }
    }
    // What follows `-ocsp` is its file, and options may go on after it.
    if options.ocsp.is_some() {
        let Some(file) = args.next() else {
            return Err(96);
        };
        let rest: Vec<String> = args.cloned().collect();
        let more = self::options(&rest, with_tls)?;
        options.ocsp = Some(file.clone());
        options.positional = more.positional;
        options.tls_on_connect |= more.tls_on_connect;
        options.quiet |= more.quiet;
        return Ok(options);
    }
    options.positional.extend(args.cloned());
    Ok(options)
}

fn run(options: &Options, with_tls: bool) -> Step {
    let mut rest = options.positional.iter().map(String::as_str);
    let Some(address) = rest.next() else {
        return complain("no IP address", 91);
    };
    let Some(port) = rest.next() else {
        return complain("no port", 90);
    };
    let Ok(ip) = address.parse::<IpAddr>() else {
        return complain("bad IP address", 86);
    };
    let Ok(port) = port.parse::<u16>() else {
        return complain("bad port", 90);
    };
    let mut rest = rest.peekable();
    let is_address = |arg: &&str| arg.starts_with(|c: char| c.is_ascii_digit() || c == ':');
    let from = match rest.next_if(is_address) {
        Some(from) => match from.parse::<IpAddr>() {
            Ok(from) => Some(from),
            Err(_) => return complain("bad local address", 88),
        },
        None => None,
    };
    let certificate = rest.next();
    let key = rest.next().or(certificate);

    say!("Connecting to {address} port {port} ... ");
    let to = SocketAddr::new(ip, port);
    let stream = match sys::connect(to, from, options.limit) {
        Ok(stream) => stream,
        Err(Unconnected::Socket(e)) => return complain(&text_of(&e), 89),
        Err(Unconnected::Bind(e)) => return complain(&text_of(&e), 87),
        Err(Unconnected::Connect(e)) if e.kind() == io::ErrorKind::TimedOut => {
            return timed_out();
        }
        Err(Unconnected::Connect(e)) => {
            say!("connect failed: {}\n", text_of(&e));
            return Err(85);
        }
    };
    say!("connected\n");
    let mut context = None;
    if with_tls {
        if let Some(file) = certificate {
            say!("Certificate file = {file}\n");
        }
        if let Some(file) = key {
            say!("Key file = {file}\n");
        }
        match tls::client_context(certificate, key, options.ocsp.as_deref()) {
            Ok(made) => context = Some(made),
            Err(tls::Unusable::Key(e)) => return complain(&e.to_string(), 82),
            Err(tls::Unusable::Certificate(e)) => return complain(&e.to_string(), 83),
            Err(tls::Unusable::Context(e)) => return complain(&e.to_string(), 84),
        }
    }
    let Ok(conn) = Conn::new(stream, options.limit) else {
        return Err(89);
    };
    let (quiet, ocsp) = (options.quiet, options.ocsp.is_some());
    let mut client = Client { conn, tls: context, quiet, ocsp, tls_asked: false };
    if options.tls_on_connect {
        client.start_tls();
    }
    let mut script = Vec::new();
    let _ = io::stdin().read_to_end(&mut script);
    client.script(&script)?;
    say!("End of script\n");
    client.conn.shutdown(Shutdown::Write);
    Ok(())
}

fn complain(what: &str, status: u8) -> Step {
    eprintln!("client: {what}");
    Err(status)
}

fn timed_out() -> Step {
    say!("\nClient timed out\n");
    Err(99)
}

/// The system's text for an error, without Rust's addition.
fn text_of(e: &io::Error) -> String {
    let text = e.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_string()
}

fn trimmed(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

impl Client {
    fn script(&mut self, script: &[u8]) -> Step {
        let script = script.strip_suffix(b"\n").unwrap_or(script);
        if script.is_empty() {
            return Ok(());
        }
        script.split(|&b| b == b'\n').try_for_each(|line| self.line(line))
    }

    fn line(&mut self, line: &[u8]) -> Step {
        if let Some(text) = line.strip_prefix(b"??? ") {
            say(&[line, b"\n"].concat());
            return self.expect(&unescaped(text, true));
        }
        if line.starts_with(b"???*") {
            say(&[line, b"\n"].concat());
            return self.expect_end();
        }
        if let Some(text) = line.strip_prefix(b"????") {
            say(&[line, b"\n"].concat());
            return self.maybe_expect(&unescaped(text, true));
        }
        if let Some(seconds) = line.strip_prefix(b"+++ ") {
            say(&[line, b"\n"].concat());
            let seconds = String::from_utf8_lossy(seconds).trim().parse().unwrap_or(0);
            std::thread::sleep(Duration::from_secs(seconds));
            return Ok(());
        }
        if let Some(file) = line.strip_prefix(b"<<< ") {
            let file = String::from_utf8_lossy(file).trim().to_string();
            let Ok(nested) = fs::read(&file) else {
                return complain(&format!("cannot open {file}"), 74);
            };
            return self.script(&nested);
        }
        self.send(line)
    }

    /// The next line, the TLS layer lost or not.
    fn next(&mut self) -> Input {
        loop {
            match self.conn.line() {
                Input::TlsLost(errors) => {
                    for error in errors {
                        say!("{error}\n");
                    }
                    say!("TLS terminated\n");
                }
                other => return other,
            }
        }
    }

    fn expect(&mut self, expected: &[u8]) -> Step {
        let line = match self.next() {
            Input::Line(line) => line,
            Input::Timeout => return timed_out(),
            Input::Error(e) => {
                say!("Read error: {}\n", text_of(&e));
                return Err(81);
            }
            Input::End | Input::TlsLost(_) => {
                say!("Unexpected EOF read\n");
                return Err(80);
            }
        };
        let line = trimmed(&line);
        say(&[b"<<< ", line, b"\n"].concat());
        if !line.starts_with(expected) {
            say!("\n******** Input mismatch ********\n");
            return Err(79);
        }
        if std::mem::take(&mut self.tls_asked) {
            if line.starts_with(b"2") {
                self.start_tls();
            } else {
                say!("Abandoning TLS start attempt\n");
            }
        }
        Ok(())
    }

    fn expect_end(&mut self) -> Step {
        if self.conn.buffer.is_empty() {
            match self.conn.fill() {
                None => {
                    say!("Expected EOF not read\n");
                    return Err(74);
                }
                Some(Input::Timeout) => return timed_out(),
                Some(_) => say!("Expected EOF read\n"),
            }
        } else if let Input::Line(line) = self.conn.line() {
            say(&[b"<<< ", trimmed(&line), b"\n"].concat());
        }
        Ok(())
    }

    /// Consume what matches, quietly; the first line that does not stays, but nothing behind it.
    fn maybe_expect(&mut self, expected: &[u8]) -> Step {
        loop {
            match self.next() {
                Input::Line(line) if trimmed(&line).starts_with(expected) => {
                    if self.conn.buffer.is_empty() {
                        return Ok(());
                    }
                }
                Input::Line(line) => {
                    self.conn.buffer = line;
                    return Ok(());
                }
                Input::Timeout => return timed_out(),
                _ => return Ok(()),
            }
        }
    }

    fn send(&mut self, line: &[u8]) -> Step {
        match line {
            b"stoptls" | b"STOPTLS" => {
                if !self.conn.tls() {
                    say!("STOPTLS read when TLS not active\n");
                    return Err(77);
                }
                say!("Shutting down TLS encryption\n");
                self.conn.end_tls();
                return Ok(());
            }
            _ => {}
        }
        let (shown, raw) = match line.strip_prefix(b">>> ") {
            Some(text) => (text, text.to_vec()),
            None if line == b"starttls_wait" && self.tls.is_some() => (&b"starttls"[..], b"starttls\r\n".to_vec()),
            None => (line, [line, b"\r\n"].concat()),
        };
        if !self.conn.buffer.is_empty() {
            let left = trimmed(&self.conn.buffer);
            say(&[b"Unconsumed input: ", left, b"\n   About to send: ", shown, b"\n"].concat());
            return Err(78);
        }
        say(&[b">>> ", shown, b"\n"].concat());
        if self.tls.is_some() && (line == b"starttls" || line == b"STARTTLS") {
            self.tls_asked = true;
        }
        match self.conn.write(&unescaped(&raw, true)) {
            Ok(()) => Ok(()),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock) => timed_out(),
            Err(e) => {
                say!("Write error: {}\n", text_of(&e));
                Err(75)
            }
        }
    }

    fn start_tls(&mut self) {
        let Some(context) = &self.tls else { return };
        say!("Attempting to start TLS\n");
        let result = match self.conn.socket() {
            Ok(socket) => tls::connect(context, socket, self.ocsp),
            Err(e) => Err(vec![text_of(&e)]),
        };
        match result {
            Ok(stream) => {
                self.conn.set_tls(stream);
                let ocsp = if self.ocsp { " (with OCSP)" } else { "" };
                if !self.quiet {
                    say!("Succeeded in starting TLS{ocsp}\n");
                }
            }
            Err(errors) => {
                for error in errors {
                    say!("{error}\n");
                }
                if !self.quiet {
                    say!("Failed to start TLS\n");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// The client's end of a conversation with a peer that says `sent` and then stops.
    fn client(sent: &'static [u8]) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            peer.write_all(sent).unwrap();
            peer.shutdown(Shutdown::Write).unwrap();
            let _ = peer.read_to_end(&mut Vec::new());
        });
        let limit = Duration::from_secs(5);
        let stream = sys::connect(address, None, limit).unwrap_or_else(|_| panic!());
        let conn = Conn::new(stream, limit).unwrap();
        Client { conn, tls: None, quiet: false, ocsp: false, tls_asked: false }
    }

    #[test]
    fn expectations_are_beginnings() {
        let mut client = client(b"220 hi there\r\n250 ok\r\n");
        assert_eq!(client.line(b"??? 220 h\\x69"), Ok(()));
        assert_eq!(client.line(b"??? 251"), Err(79));
        assert_eq!(client.line(b"??? 2"), Err(80));
    }

    #[test]
    fn optional_lines_are_consumed_while_they_match() {
        let mut client = client(b"250-a\r\n250-b\r\n250 c\r\n250 lost\r\n");
        while client.conn.fill().is_none() {}
        assert_eq!(client.line(b"????250-"), Ok(()));
        assert_eq!(client.line(b"??? 250 c"), Ok(()));
        assert_eq!(client.line(b"???*"), Ok(()), "what was behind the odd line is lost");
    }

    #[test]
    fn unread_input_forbids_sending() {
        let mut client = client(b"220 a\r\n220 b\r\n");
        while client.conn.fill().is_none() {}
        assert_eq!(client.line(b"??? 220"), Ok(()));
        assert_eq!(client.line(b"quit"), Err(78));
        assert_eq!(client.line(b"???*"), Ok(()), "a line in the buffer passes for the end");
        assert_eq!(client.line(b"quit"), Ok(()));
        assert_eq!(client.line(b"stoptls"), Err(77));
    }

    #[test]
    fn options_of_the_command_line() {
        let args = |text: &str| text.split(' ').map(String::from).collect::<Vec<_>>();
        let made = options(&args("-t3 -tls-on-connect -ocsp f 127.0.0.1 25 c"), true);
        let made = made.unwrap_or_default();
        assert_eq!((made.limit.as_secs(), made.tls_on_connect), (3, true));
        assert_eq!(made.ocsp.as_deref(), Some("f"));
        assert_eq!(made.positional, ["127.0.0.1", "25", "c"]);
        assert_eq!(options(&args("-ocsp f ::1 25"), false).err(), Some(92));
        assert_eq!(options(&args("-t99999 ::1 25"), false).err(), Some(93));
    }
}
