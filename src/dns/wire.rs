//! One question to the name servers: UDP, then TCP for what does not fit.
//!
//! Each question uses a new socket (a port chosen by the kernel) and an id from OpenSSL's generator,
//! which notices a fork. Replies that do not belong to the question are passed over.

use super::parse::{Reply, parse};
use super::types::RecordType;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query};
use hickory_proto::rr::{DNSClass, Name, RecordType as WireType};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
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
    pub tcp_only: bool,
    /// Begin with this one of the servers.
    pub first: usize,
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
                let (id, wire) = question(name, rtype, edns, how.dnssec).ok_or(Failure::Fail)?;
                let Ok(reply) = exchange(*server, &wire, id, name, rtype, wait, how.tcp_only) else { break };
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

fn question(name: &Name, rtype: RecordType, edns: bool, dnssec: bool) -> Option<(u16, Vec<u8>)> {
    let mut id = [0u8; 2];
    openssl::rand::rand_bytes(&mut id).ok()?;
    let id = u16::from_ne_bytes(id);
    let mut m = Message::new(id, MessageType::Query, OpCode::Query);
    m.metadata.recursion_desired = true;
    m.metadata.authentic_data = dnssec; // RFC 6840, 5.7: "tell me AD"
    let mut q = Query::query(name.clone(), WireType::from(rtype.code()));
    q.set_query_class(DNSClass::IN);
    m.add_query(q);
    if edns {
        let mut e = Edns::new();
        e.set_max_payload(PAYLOAD).set_dnssec_ok(dnssec);
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
    tcp_only: bool,
) -> io::Result<Reply> {
    let deadline = Instant::now() + wait;
    if tcp_only {
        return tcp(server, wire, id, name, rtype, deadline);
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
        let Some(reply) = buf.get(..n).and_then(parse) else { continue };
        if !belongs(&reply, id, name, rtype) {
            continue;
        }
        if reply.truncated {
            return tcp(server, wire, id, name, rtype, Instant::now() + wait);
        }
        return Ok(reply);
    }
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn tcp(server: SocketAddr, wire: &[u8], id: u16, name: &Name, rtype: RecordType, deadline: Instant) -> io::Result<Reply> {
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
    parse(&buf).filter(|r| belongs(r, id, name, rtype)).ok_or_else(|| io::ErrorKind::InvalidData.into())
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
