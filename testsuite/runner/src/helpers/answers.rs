//! Answers of the fake name server, as DNS packets.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::zone::{self, Content, Record, word};

/// Exit statuses, by which the MTA knows the result.
pub const FOUND: u8 = 0;
pub const NOT_FOUND: u8 = 1;
pub const TRY_AGAIN: u8 = 2;
pub const NO_RECOVERY: u8 = 3;
pub const NO_DATA: u8 = 4;
pub const PASS_ON: u8 = 5;

const NS: u16 = 2;
const CNAME: u16 = 5;
const SOA: u16 = 6;

pub struct Reply {
    pub status: u8,
    pub packet: Vec<u8>,
    /// Milliseconds to wait before answering.
    pub delay: u64,
}

/// What a zone has for a name (lower case, absolute) and a type.
pub fn answer(content: &Content, domain: &str, name: &str, kind: u16) -> Reply {
    let mut status = NOT_FOUND;
    let (mut secure, mut authoritative, mut delay, mut count) = (true, true, 0, 0);
    let mut body = Vec::new();
    for record in content.records.iter().filter(|record| matches(&record.name, name)) {
        if status == NOT_FOUND {
            status = NO_DATA;
        }
        if record.kind != kind && record.kind != CNAME {
            continue;
        }
        secure &= record.secure;
        authoritative &= record.authoritative;
        delay += record.delay;
        if record.hidden {
            continue;
        }
        status = FOUND;
        count += 1;
        let wildcard = record.name.starts_with(b"*");
        let shown = if wildcard { name.as_bytes() } else { &record.name };
        append_record(&mut body, shown, record, domain);
    }
    let mut authorities = 0;
    if kind != SOA && kind != NS {
        let wanted = if count > 0 { NS } else { SOA };
        let apex = |record: &&Record| record.kind == wanted && record.name.eq_ignore_ascii_case(domain.as_bytes());
        for record in content.records.iter().filter(apex) {
            authorities += 1;
            append_record(&mut body, &record.name, record, domain);
        }
    }
    let named = status != NOT_FOUND;
    let mut packet = header(named && authoritative, named && secure, count, authorities).to_vec();
    packet.extend_from_slice(&body);
    if status == NOT_FOUND && content.pass_on {
        status = PASS_ON;
    }
    Reply { status, packet, delay }
}

pub fn header(authoritative: bool, secure: bool, answers: u16, authorities: u16) -> [u8; 12] {
    let mut header = [0; 12];
    header[2] = 0x80 | if authoritative { 0x04 } else { 0 };
    header[3] = if secure { 0x20 } else { 0 };
    header[6..8].copy_from_slice(&answers.to_be_bytes());
    header[8..10].copy_from_slice(&authorities.to_be_bytes());
    header
}

/// A wildcard also matches any query not longer than the text after its star.
fn matches(name: &[u8], query: &str) -> bool {
    match name.strip_prefix(b"*") {
        Some(end) if query.len() <= end.len() => true,
        Some(end) => query.as_bytes()[query.len() - end.len()..].eq_ignore_ascii_case(end),
        None => name.eq_ignore_ascii_case(query.as_bytes()),
    }
}

fn append_record(body: &mut Vec<u8>, name: &[u8], record: &Record, domain: &str) {
    append_name(body, name);
    body.extend_from_slice(&record.kind.to_be_bytes());
    body.extend_from_slice(&1u16.to_be_bytes());
    body.extend_from_slice(&record.ttl.to_be_bytes());
    let data = data(record, domain);
    body.extend_from_slice(&(data.len() as u16).to_be_bytes());
    body.extend_from_slice(&data);
}

/// Uncompressed; the root as a target is an empty label and the root again.
fn append_name(to: &mut Vec<u8>, name: &[u8]) {
    for label in name.split(|&b| b == b'.') {
        to.push(label.len().min(63) as u8);
        to.extend_from_slice(&label[..label.len().min(63)]);
    }
    to.push(0);
}

fn data(record: &Record, domain: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = &record.data[..];
    let mut next = || {
        let (text, after) = word(rest.trim_ascii_start());
        rest = after;
        text
    };
    let number = |text: &[u8]| String::from_utf8_lossy(text).parse::<u32>().unwrap_or(0);
    match record.kind {
        1 => {
            let address: Option<Ipv4Addr> = String::from_utf8_lossy(next()).parse().ok();
            out.extend(address.into_iter().flat_map(|a| a.octets()));
        }
        28 => {
            let address: Option<Ipv6Addr> = String::from_utf8_lossy(next()).parse().ok();
            out.extend(address.into_iter().flat_map(|a| a.octets()));
        }
        15 | 33 => {
            for _ in 0..(if record.kind == 15 { 1 } else { 3 }) {
                out.extend((number(next()) as u16).to_be_bytes());
            }
            append_name(&mut out, &zone::absolute(next(), domain));
        }
        NS | CNAME | 12 => append_name(&mut out, &zone::absolute(next(), domain)),
        SOA => {
            for _ in 0..2 {
                let name = next();
                append_name(&mut out, name.strip_suffix(b".").unwrap_or(name));
            }
            for _ in 0..5 {
                out.extend(number(next()).to_be_bytes());
            }
        }
        52 => {
            for _ in 0..3 {
                out.push(number(next()) as u8);
            }
            let hex: Vec<u8> = rest.iter().copied().filter(u8::is_ascii_hexdigit).collect();
            let byte = |pair: &[u8]| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).unwrap_or(0);
            out.extend(hex.chunks(2).map(byte));
        }
        _ => strings(&record.data, &mut out),
    }
    out
}

/// Strings, quoted or not; a backslash is an ordinary byte.
fn strings(data: &[u8], out: &mut Vec<u8>) {
    let mut rest = data;
    while !rest.is_empty() {
        let text = rest.strip_prefix(b"\"").unwrap_or(rest);
        let end = text.iter().position(|&b| b == b'"').unwrap_or(text.len());
        out.push(end.min(255) as u8);
        out.extend_from_slice(&text[..end.min(255)]);
        rest = text[end..].strip_prefix(b"\"").unwrap_or(b"").trim_ascii_start();
    }
}

#[cfg(test)]
mod tests {
    use super::super::zone::parse;
    use super::*;

    fn reply(zone: &str, name: &str, kind: u16) -> Reply {
        answer(&parse(zone.as_bytes(), "zz.ex"), "zz.ex", name, kind)
    }

    #[test]
    fn the_bytes_of_an_answer() {
        let reply = reply("zz.ex. NS ns\nplain A 10.1.2.3\n", "plain.zz.ex", 1);
        let expected = b"\0\0\x80\0\0\0\0\x01\0\x01\0\0\
            \x05plain\x02zz\x02ex\0\0\x01\0\x01\0\0\x0e\x10\0\x04\x0a\x01\x02\x03\
            \x02zz\x02ex\0\0\x02\0\x01\0\0\x0e\x10\0\x0a\x02ns\x02zz\x02ex\0";
        assert_eq!((reply.status, &reply.packet[..]), (FOUND, &expected[..]));
    }

    #[test]
    fn statuses_and_flags() {
        let zone = "zz.ex. SOA ns.zz.ex. m.zz.ex 1 2 3 4 5\nDNSSEC a A 1.1.1.1\na MX 1 b\n\
            DNSSEC NXDOMAIN no A 1.1.1.1\nc CNAME a\n";
        let flags = |reply: Reply| (reply.status, reply.packet[2] & 4, reply.packet[3] & 0x20);
        assert_eq!(flags(reply(zone, "a.zz.ex", 1)), (FOUND, 0, 0x20));
        assert_eq!(flags(reply(zone, "a.zz.ex", 15)), (FOUND, 0, 0));
        assert_eq!(flags(reply(zone, "a.zz.ex", 16)), (NO_DATA, 4, 0x20));
        assert_eq!(flags(reply(zone, "no.zz.ex", 1)), (NO_DATA, 0, 0x20));
        assert_eq!(flags(reply(zone, "x.zz.ex", 1)), (NOT_FOUND, 0, 0));
        assert_eq!(flags(reply(zone, "c.zz.ex", 28)).0, FOUND, "aliases come for every type");
        assert_eq!(reply(zone, "x.zz.ex", 1).packet[9], 1, "a SOA for what is not there");
        assert_eq!(reply("PASS ON NOT FOUND\n", "x.zz.ex", 1).status, PASS_ON);
    }

    #[test]
    fn wildcards() {
        assert!(matches(b"*.a.ex", "x.a.ex") && matches(b"*.a.ex", "a.ex"));
        assert!(!matches(b"*.a.ex", "x.b.example"));
    }

    #[test]
    fn record_data() {
        let first = |zone: &str| data(&parse(zone.as_bytes(), "zz.ex").records[0], "zz.ex");
        assert_eq!(first("a TXT \"one\" \"t\\o\"\n"), b"\x03one\x03t\\o");
        assert_eq!(first("a TXT plain text\n"), b"\x0aplain text");
        assert_eq!(first("a TLSA 3 1 1 0aFF10\n"), [3, 1, 1, 0x0a, 0xff, 0x10]);
        assert_eq!(first("a MX 10 .\n"), [0, 10, 0, 0]);
        assert_eq!(first("a SRV 1 2 3 b.\n"), b"\0\x01\0\x02\0\x03\x01b\0");
    }
}
