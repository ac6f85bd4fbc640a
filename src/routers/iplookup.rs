//! The `iplookup` router (manual chapter 19): asks a host of ours, by UDP or TCP, for the address that one stands for.
//!
//! Only in builds with ROUTER_IPLOOKUP. The answer is data from the network: it is tainted, and short.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use bstr::{BString, ByteSlice};

use super::options::RouterOptions;
use super::redirect::{self, RedirectOptions};
use super::{Router, RouterInstance};
use crate::config::Config;
use crate::config::options::*;
use crate::context::Context;
use crate::dns::dial;
use crate::expand::conditions::captured;
use crate::expand::{self, ExpandError, Template};
use crate::filter::{Generated, What};
use crate::log::hdebug;
use crate::options;
use crate::parse::list::items;
use crate::route::{Address, RoutePurpose, Routed, common};
use crate::sys::pcre::{Options, Regex};
use crate::text::Text;

/// Longer answers are cut.
const MAX_ANSWER: usize = 1024;

options! {
    /// Private options of the `iplookup` driver.
    pub struct IplookupOptions {
        /// Servers to query.
        hosts: Str = Str::unset(),
        /// No reply passes to next router rather than deferring.
        optional: bool = false,
        /// Server port, mandatory.
        port: Int = Int(0),
        /// udp or tcp.
        protocol: Str = Str::fixed("udp"),
        /// Text sent to server.
        query: Str = Str::unset(),
        /// Expansion building new address from response.
        reroute: Str = Str::unset(),
        /// Regex required of response; captures numbered variables.
        response_pattern: Str = Str::unset(),
        /// Wait for response.
        timeout: Time = Time(5),
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Protocol {
    #[default]
    Udp,
    Tcp,
}

/// The driver.
#[derive(Debug, Default)]
pub struct Iplookup {
    options: IplookupOptions,
    protocol: Protocol,
    pattern: Option<Regex>,
}

impl Router for Iplookup {
    fn options(&self) -> &dyn OptionSet {
        &self.options
    }
    fn options_mut(&mut self) -> &mut dyn OptionSet {
        &mut self.options
    }

    fn init(&mut self, _: &BString, generic: &mut RouterOptions, _: &[String], _: &Config) -> Result<(), String> {
        let o = &self.options;
        if generic.transport.is_set() {
            return Err("a transport must not be specified: this router only makes other addresses".into());
        }
        if u16::try_from(o.port.0).ok().is_none_or(|p| p == 0) {
            return Err("port must be specified".into());
        }
        if o.hosts.raw().is_none_or(|h| h.trim().is_empty()) {
            return Err("hosts must be specified".into());
        }
        self.protocol = match o.protocol.raw() {
            Some(b"udp") => Protocol::Udp,
            Some(b"tcp") => Protocol::Tcp,
            _ => return Err("protocol must be \"udp\" or \"tcp\"".into()),
        };
        self.pattern = match o.response_pattern.raw() {
            None => None,
            Some(p) => Some(
                Regex::new(p, Options::NONE)
                    .map_err(|e| format!("response_pattern \"{}\" does not compile: {e}", p.as_bstr()))?,
            ),
        };
        Ok(())
    }

    fn route(&self, ctx: &mut Context, router: &RouterInstance, addr: &mut Address, purpose: RoutePurpose) -> Routed {
        let original = [addr.local_part.as_bytes(), b"@", addr.domain.as_bytes()].concat();
        let query = match self.options.query.get() {
            None => [&original[..], b" ", &original[..]].concat(),
            Some(t) => match expand::expand(ctx, t) {
                Ok(q) => q.into_bytes(),
                Err(e) => return common::defer(addr, not_expanded(router, t, &e)),
            },
        };
        hdebug!(ctx, ROUTE, "query is \"{}\"", query.as_bstr());
        let Some(answer) = self.ask(ctx, &query) else {
            hdebug!(ctx, ROUTE, "{} router failed to get anything", router.name);
            if self.options.optional {
                return Routed::Pass;
            }
            return common::defer(addr, format!("{} router: failed to communicate with any host", router.name));
        };
        let answer = Text::tainted(answer);
        hdebug!(ctx, ROUTE, "{} router received \"{answer}\"", router.name);
        let numeric = match self.captures(&answer, &original) {
            Some(n) => n,
            None => return Routed::Decline,
        };
        let before = std::mem::replace(&mut ctx.scratch.numeric, numeric);
        let new = self.options.reroute.get().map(|t| expand::expand(ctx, t).map_err(|e| not_expanded(router, t, &e)));
        ctx.scratch.numeric = before;
        let new = match new {
            None => answer.piece(first_word(&answer).0),
            Some(Ok(new)) => new,
            Some(Err(message)) => return common::defer(addr, message),
        };
        match new.rsplit_once_str(b"@") {
            Some((local, domain)) if !local.is_empty() && !domain.is_empty() => {}
            _ => return common::defer(addr, format!("{} router produced a bad address: {new}", router.name)),
        }
        let child = Generated { what: What::Address { address: new.to_vec().into(), qualified: true }, ..Generated::default() };
        // The options of redirect as they are by default, but for rewriting: that is only for its own lists.
        let as_it_is = RedirectOptions { rewrite: false, ..RedirectOptions::default() };
        redirect::children::make(ctx, router, &as_it_is, addr, purpose, &[child]).map_or_else(|end| end, Routed::Children)
    }
}

impl Iplookup {
    /// The numeric variables for `reroute`; `None` if it is no answer to the question.
    fn captures(&self, answer: &Text, original: &[u8]) -> Option<Vec<Option<Text>>> {
        match &self.pattern {
            Some(p) => {
                let mut found = captured(answer, &p.find(answer).ok()??);
                // $0 is the whole of it, whatever the pattern took.
                if let Some(all) = found.first_mut() {
                    *all = Some(answer.clone());
                }
                Some(found)
            }
            None if !self.options.query.is_set() && !first_word(answer).1.eq_ignore_ascii_case(original) => None,
            None => Some(vec![Some(answer.clone())]),
        }
    }

    /// The answer of the first host that gives one, without white space at its end.
    fn ask(&self, ctx: &mut Context, query: &[u8]) -> Option<Vec<u8>> {
        let port = u16::try_from(self.options.port.0).ok()?;
        let wait = Duration::from_secs(u64::try_from(self.options.timeout.0).unwrap_or(0).max(1));
        for host in items(self.options.hosts.raw().unwrap_or_default()) {
            for ip in dial::addresses(&ctx.services.dns, &host) {
                let to = SocketAddr::new(ip, port);
                let answer = match self.protocol {
                    Protocol::Udp => ask_udp(to, query, wait),
                    Protocol::Tcp => ask_tcp(to, query, wait),
                };
                match answer {
                    Ok(a) if !a.trim_end().is_empty() => return Some(a.trim_end().to_vec()),
                    Ok(_) => hdebug!(ctx, ROUTE, "{host} [{ip}] says nothing"),
                    Err(e) => hdebug!(ctx, ROUTE, "no answer from {host} [{ip}]: {}", crate::sys::error_text(&e)),
                }
            }
        }
        None
    }
}

fn not_expanded(router: &RouterInstance, template: &Template, e: &ExpandError) -> String {
    format!("{} router: failed to expand {}: {e}", router.name, template.raw().as_bstr())
}

/// The first word, and what comes after the white space behind it.
fn first_word(answer: &[u8]) -> (&[u8], &[u8]) {
    let end = answer.find_byteset(b" \t\r\n").unwrap_or(answer.len());
    (&answer[..end], answer[end..].trim_start())
}

fn ask_udp(to: SocketAddr, query: &[u8], wait: Duration) -> io::Result<Vec<u8>> {
    let any = if to.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    let socket = UdpSocket::bind((any, 0))?;
    // Connected, so that nobody else can answer, and that we are told if nobody listens.
    socket.connect(to)?;
    socket.set_read_timeout(Some(wait))?;
    socket.send(query)?;
    let mut answer = vec![0; MAX_ANSWER];
    let n = socket.recv(&mut answer)?;
    answer.truncate(n);
    Ok(answer)
}

/// An answer ends with its line, with the connection, or with the time.
fn ask_tcp(to: SocketAddr, query: &[u8], wait: Duration) -> io::Result<Vec<u8>> {
    let mut socket = TcpStream::connect_timeout(&to, wait)?;
    socket.set_write_timeout(Some(wait))?;
    socket.write_all(query)?;
    let deadline = Instant::now() + wait;
    let mut answer = Vec::new();
    let mut part = [0; MAX_ANSWER];
    while !answer.contains(&b'\n') && answer.len() < MAX_ANSWER {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        socket.set_read_timeout(Some(left))?;
        match socket.read(&mut part) {
            Ok(0) => break,
            Ok(n) => answer.extend_from_slice(&part[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) if !answer.is_empty() => break,
            Err(e) => return Err(e),
        }
    }
    answer.truncate(MAX_ANSWER);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        assert_eq!(first_word(b"a@b  c@d"), (&b"a@b"[..], &b"c@d"[..]));
        assert_eq!(first_word(b"a@b"), (&b"a@b"[..], &b""[..]));
        assert_eq!(first_word(b""), (&b""[..], &b""[..]));
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        let mut r = Iplookup::default();
        assert!(r.captures(&Text::tainted("new@x a@b"), b"a@b").is_some());
        assert!(r.captures(&Text::tainted("new@x other@b"), b"a@b").is_none());
        assert!(r.captures(&Text::tainted("new@x"), b"a@b").is_none());
        r.pattern = Some(Regex::new(b"^([^@]+)$", Options::NONE).unwrap());
        assert_eq!(r.captures(&Text::tainted("x.example"), b"a@b").unwrap()[1].as_deref(), Some(&b"x.example"[..]));
        assert!(r.captures(&Text::tainted("u@x.example"), b"a@b").is_none());
    }
}
