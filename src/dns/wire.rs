//! One question to the name servers: UDP, then TCP for what does not fit.
//!
//! Each question uses a new socket (a port chosen by the kernel) and an id from OpenSSL's generator,
//! which notices a fork. Replies that do not belong to the question are passed over.

use super::parse::{Reply, parse};
use super::types::RecordType;
use crate::context::Run;
use crate::log::trace;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::{DNSClass, Name, RecordType as WireType};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The largest UDP reply we ask for (DNS flag day 2020).
const PAYLOAD: u16 = 1232;

/// How to ask.
#[derive(Debug, Clone)]
pub(super) struct Asking<'a> {
    pub servers: &'a [SocketAddr],
    pub timeout: Duration,
    pub attempts: u32,
    pub edns: bool,
    /// Ask for DNSSEC: DO and AD bits.
    pub dnssec: bool,
    /// Whatever the server thinks of it (CD bit); the reply is wanted as it came.
    pub unvalidated: bool,
    pub tcp_only: bool,
    /// Begin with this one of the servers.
    pub first: usize,
    /// For debug output.
    pub run: Option<Arc<Run>>,
}

impl Asking<'_> {
    /// A line of `-d+resolver`.
    fn show(&self, text: std::fmt::Arguments<'_>) {
        if let Some(run) = self.run.as_ref().filter(|r| r.debug & trace::RESOLVER != 0) {
            trace::early(run, text);
        }
    }
}

/// Why no server gave a usable reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// None answered, or only with server failure.
    Again,
    /// They refuse or cannot understand us, or there was no question to send.
    Fail,
}

const FORMERR: u16 = 1;
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;
const NOTIMP: u16 = 4;
const BADVERS: u16 = 16;

/// Asks the servers in turn. A reply returned has rcode 0 or NXDOMAIN.
pub(super) fn ask(name: &Name, rtype: RecordType, how: &Asking<'_>) -> Result<Reply, Failure> {
    let mut last = Failure::Again;
    let mut edns = how.edns || how.dnssec;
    let count = how.servers.len().max(1) as u32;
    for attempt in 0..how.attempts {
        // As in the C library: the wait doubles each round, shared by the servers after the first.
        let wait = how.timeout.saturating_mul(1 << attempt.min(6)) / if attempt == 0 { 1 } else { count };
        let wait = wait.max(Duration::from_secs(1).min(how.timeout));
        for i in 0..how.servers.len() {
            let Some(server) = how.servers.get((i + how.first) % how.servers.len()) else { continue };
            loop {
                let (id, wire) = question(name, rtype, edns, how).ok_or(Failure::Fail)?;
                how.show(format_args!("DNS query to {server}: {name} ({})", rtype.name()));
                let reply = match exchange(*server, &wire, id, name, rtype, wait, how) {
                    Ok(reply) => reply,
                    Err(e) => {
                        how.show(format_args!("no DNS answer from {server}: {}", crate::sys::error_text(&e)));
                        break;
                    }
                };
                how.show(format_args!("DNS answer from {server}: rcode {}, {} answers", reply.rcode, reply.answers.len()));
                match reply.rcode {
                    0 | NXDOMAIN => return Ok(reply),
                    FORMERR | NOTIMP | BADVERS if edns => edns = false,
                    SERVFAIL => {
                        last = Failure::Again;
                        break;
                    }
                    _ => {
                        last = Failure::Fail;
                        break;
                    }
                }
            }
        }
        if last == Failure::Fail {
            break;
        }
    }
    Err(last)
}

fn question(name: &Name, rtype: RecordType, edns: bool, how: &Asking<'_>) -> Option<(u16, Vec<u8>)> {
    let mut id = [0u8; 2];
    openssl::rand::rand_bytes(&mut id).ok()?;
    let id = u16::from_ne_bytes(id);
    let mut m = Message::new(id, MessageType::Query, OpCode::Query);
    m.metadata.recursion_desired = true;
    m.metadata.authentic_data = how.dnssec; // RFC 6840, 5.7: "tell me AD"
    m.metadata.checking_disabled = how.unvalidated;
    let mut q = Query::query(name.clone(), WireType::from(rtype.code()));
    q.set_query_class(DNSClass::IN);
    m.add_query(q);
    if edns {
        let mut e = Edns::new();
        e.set_max_payload(PAYLOAD).set_dnssec_ok(how.dnssec);
        m.set_edns(e);
    }
    Some((id, m.to_vec().ok()?))
}

/// The reply must repeat the id and the question.
fn belongs(reply: &Reply, id: u16, name: &Name, rtype: RecordType) -> bool {
    reply.response
        && reply.id == id
        && reply.question.as_ref().is_some_and(|(n, t, c)| *c == 1 && *t == rtype.code() && n == name)
}

fn exchange(
    server: SocketAddr,
    wire: &[u8],
    id: u16,
    name: &Name,
    rtype: RecordType,
    wait: Duration,
    how: &Asking<'_>,
) -> io::Result<Reply> {
    let deadline = Instant::now() + wait;
    if how.tcp_only {
        return tcp(server, wire, id, name, rtype, deadline, how);
    }
    let local: SocketAddr = if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(local)?;
    socket.connect(server)?; // the kernel drops what comes from elsewhere, and tells us of refusals
    socket.send(wire)?;
    let mut buf = [0u8; 4096];
    loop {
        socket.set_read_timeout(Some(left(deadline)?))?;
        let n = match socket.recv(&mut buf) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let Some(mut reply) = buf.get(..n).and_then(parse) else { continue };
        if !belongs(&reply, id, name, rtype) {
            continue;
        }
        if how.unvalidated {
            reply.wire = buf.get(..n).unwrap_or_default().to_vec();
        }
        if reply.truncated {
            return tcp(server, wire, id, name, rtype, Instant::now() + wait, how);
        }
        return Ok(reply);
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn tcp(
    server: SocketAddr,
    wire: &[u8],
    id: u16,
    name: &Name,
    rtype: RecordType,
    deadline: Instant,
    how: &Asking<'_>,
) -> io::Result<Reply> {
    let mut s = TcpStream::connect_timeout(&server, left(deadline)?)?;
    let length = u16::try_from(wire.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut out = length.to_be_bytes().to_vec();
    out.extend_from_slice(wire);
    s.set_write_timeout(Some(left(deadline)?))?;
    s.write_all(&out)?;
    let mut length = [0u8; 2];
    read_full(&mut s, &mut length, deadline)?;
    let mut buf = vec![0; usize::from(u16::from_be_bytes(length))];
    read_full(&mut s, &mut buf, deadline)?;
    let mut reply = parse(&buf).filter(|r| belongs(r, id, name, rtype)).ok_or(io::ErrorKind::InvalidData)?;
    if how.unvalidated {
        reply.wire = buf;
    }
    Ok(reply)
}

/// read_exact under one deadline for all of it.
fn read_full(s: &mut TcpStream, mut buf: &mut [u8], deadline: Instant) -> io::Result<()> {
    while !buf.is_empty() {
        s.set_read_timeout(Some(left(deadline)?))?;
        match s.read(buf) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => buf = buf.get_mut(n..).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn reply_to(question: &[u8], flags: [u8; 2], answer: bool) -> Vec<u8> {
        let end = 12 + question[12..].iter().position(|b| *b == 0).unwrap() + 5;
        let mut r = question[..end].to_vec();
        r[2..12].copy_from_slice(&[0x80 | flags[0], flags[1], 0, 1, 0, u8::from(answer), 0, 0, 0, 0]);
        if answer {
            r.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04\x0a\x01\x02\x03");
        }
        r
    }

    /// A server that refuses EDNS, sends a stray reply, then says "truncated"; TCP has the answer.
    #[test]
    fn falls_back() {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = udp.local_addr().unwrap();
        let tcp = TcpListener::bind(addr).unwrap();
        let server = std::thread::spawn(move || {
            let mut buf = [0u8; 600];
            let (n, peer) = udp.recv_from(&mut buf).unwrap();
            assert_eq!(buf[11], 1, "an OPT record");
            udp.send_to(&reply_to(&buf[..n], [0, 1], false), peer).unwrap();
            let (n, peer) = udp.recv_from(&mut buf).unwrap();
            assert_eq!(buf[11], 0, "none now");
            let mut stray = reply_to(&buf[..n], [0, 3], false);
            stray[0] ^= 0x55;
            udp.send_to(&stray, peer).unwrap();
            udp.send_to(&reply_to(&buf[..n], [2, 0], false), peer).unwrap();
            let (mut s, _) = tcp.accept().unwrap();
            let n = s.read(&mut buf).unwrap();
            let reply = reply_to(&buf[2..n], [0, 0x20], true);
            s.write_all(&[0, reply.len() as u8]).unwrap();
            s.write_all(&reply).unwrap();
        });
        let how = Asking {
            servers: &[addr],
            timeout: Duration::from_secs(5),
            attempts: 1,
            edns: true,
            dnssec: true,
            unvalidated: false,
            tcp_only: false,
            first: 0,
            run: None,
        };
        let reply = ask(&super::super::name::from_text(b"a.ex").unwrap(), RecordType::A, &how).unwrap();
        assert_eq!((reply.answers.len(), reply.ad), (1, true));
        server.join().unwrap();
    }

    #[test]
    fn nobody_there() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let how = Asking {
            servers: &[silent.local_addr().unwrap()],
            timeout: Duration::from_millis(40),
            attempts: 2,
            edns: false,
            dnssec: false,
            unvalidated: false,
            tcp_only: false,
            first: 0,
            run: None,
        };
        let name = super::super::name::from_text(b"a.ex").unwrap();
        let start = Instant::now();
        assert_eq!(ask(&name, RecordType::Mx, &how).unwrap_err(), Failure::Again);
        assert!(start.elapsed() >= Duration::from_millis(120));
    }
}
