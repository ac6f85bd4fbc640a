//! What the fuzz targets of this room call: one function for each kind of record and header line.

use std::net::{IpAddr, Ipv4Addr};

use bstr::{BString, ByteSlice};

use super::body_watch::{BodyWatch, Ends};
use super::canon::Canon;
use super::dkim::signature::{Signature, covered, signed_data};
use super::key::{Algorithm, Hash, KeyKind, KeyRecord};
use super::{arc, dmarc, domainkeys, spf, srs};
use crate::config::main_options::MainOptions;
use crate::config::options::Str;
use crate::deliver::transport_write::header_lines;
use crate::parse::Rules;

/// Signatures of DKIM, in a header section.
pub fn dkim_header(data: &[u8]) {
    let lines = header_lines(data);
    for line in &lines {
        if let Some(s) = Signature::parse(line) {
            let chosen = covered(&s.headers, &lines);
            assert!(chosen.len() <= lines.len());
            for canon in [Canon::Simple, Canon::Relaxed] {
                let signed = signed_data(canon, &chosen, &s.without_b);
                assert!(signed.len() <= 3 * (data.len() + s.without_b.len()) + 2);
            }
        }
    }
}

/// Signatures of DomainKeys, in a header section, and whom they answer for.
pub fn domainkeys_header(data: &[u8]) {
    let lines = header_lines(data);
    for line in &lines {
        if let Some(s) = domainkeys::signature::Signature::parse(line) {
            let signed = domainkeys::signature::signed_header(s.canon, &lines, |n| s.covers(n));
            assert!(signed.len() <= 3 * data.len() + 2);
        }
    }
    if let Some(s) = domainkeys::Sender::find(&mut Rules::header(&MainOptions::default()), &lines) {
        assert!(!s.domain.is_empty() && s.address.len() > s.domain.len());
    }
}

/// Authentication-Results: what `arc_sign` takes from them.
pub fn auth_results(data: &[u8]) {
    let lines = header_lines(data);
    if let Some(found) = arc::sign::own_results(&lines, b"me.ex") {
        assert!(lines.iter().any(|l| l.contains_str(found)) && ["none", "pass", "fail"].contains(&arc::sign::cv(found)));
    }
}

/// Key records.
pub fn dkim_key(data: &[u8]) {
    if let Some(r) = KeyRecord::parse(data) {
        for kind in [KeyKind::Rsa, KeyKind::Ed25519] {
            if let Some(key) = r.public_key(kind) {
                assert!(!key.verify(Hash::Sha256, b"x", b"y"));
                assert!(!key.verify_digest(Hash::Sha1, &[0; 20], b"y"));
            }
        }
    }
    let _ = Algorithm::parse(data);
}

/// A body in canonical form as the RFC's words have it, without any thought of speed.
fn plainly(canon: Canon, ends: Ends, body: &[u8]) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = body.split(|c| *c == b'\n').map(<[u8]>::to_vec).collect();
    let last = lines.len() - 1;
    for line in lines.iter_mut().take(last).filter(|l| ends == Ends::Crlf && l.ends_with(b"\r")) {
        line.pop();
    }
    for line in lines.iter_mut().filter(|_| canon == Canon::Relaxed) {
        line.iter_mut().filter(|c| **c == b'\t').for_each(|c| *c = b' ');
        line.dedup_by(|a, b| (*a, *b) == (b' ', b' '));
        line.pop_if(|c| *c == b' ');
    }
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    let ended = lines.iter().flat_map(|l| [l, &b"\r\n"[..]]).flatten().copied().collect();
    if lines.is_empty() && canon == Canon::Simple { b"\r\n".to_vec() } else { ended }
}

/// Bodies in all canonical forms, cut anywhere: the hash is the same, and the one of the form made plainly.
pub fn mail_body(data: &[u8]) {
    let Some((&cut, body)) = data.split_first() else { return };
    let hashes = |pieces: &[&[u8]], ends: Ends| {
        let mut w = BodyWatch::default();
        w.set_ends(ends);
        for canon in [Canon::Simple, Canon::Relaxed] {
            w.want(canon, Hash::Sha256, None);
            w.want(canon, Hash::Sha256, Some(u64::from(cut)));
        }
        for canon in [Canon::Simple, Canon::NoFws] {
            w.want_after(canon, Hash::Sha1, b"A: b\r\n");
        }
        pieces.iter().for_each(|p| w.feed(p));
        w.finish()
    };
    for ends in [Ends::Lf, Ends::Crlf] {
        let (a, b) = body.split_at(usize::from(cut).min(body.len()));
        let single: Vec<&[u8]> = body.chunks(1).collect();
        let whole = hashes(&[body], ends);
        for (n, canon) in [Canon::Simple, Canon::Relaxed].into_iter().enumerate() {
            let form = plainly(canon, ends, body);
            let hash = |f: &[u8]| Some((openssl::sha::sha256(f).to_vec(), form.len() as u64));
            let found = whole.as_ref().map(|w| [w[2 * n].clone(), w[2 * n + 1].clone()]);
            let limited = form.get(..usize::from(cut)).unwrap_or(&form);
            assert!(found.is_none_or(|f| f == [hash(&form), hash(limited)]));
        }
        assert_eq!(whole, hashes(&[a, b], ends));
        assert_eq!(whole, hashes(&single, ends));
    }
}

/// ARC sets in a header section.
pub fn arc_header(data: &[u8]) {
    let mut watch = BodyWatch::default();
    if let Some(sets) = arc::set::collect(&header_lines(data), &mut watch) {
        assert!(sets.sets.len() <= 50);
    }
}

/// DMARC records.
pub fn dmarc_record(data: &[u8]) {
    if let Some(r) = dmarc::record::parse(data) {
        assert!(r.percent <= 100 && r.aggregate.len() <= r.rua.len());
    }
}

/// A name server that has the same for every question.
struct Same<'a>(&'a [u8], u32);

impl spf::eval::Dns for Same<'_> {
    fn txt(&mut self, _: &[u8]) -> spf::eval::Answer<Vec<u8>> {
        self.1 += 1;
        assert!(self.1 < 100);
        spf::eval::Answer::Found(vec![self.0.to_vec()])
    }
    fn addresses(&mut self, _: &[u8], _: bool) -> spf::eval::Answer<IpAddr> {
        spf::eval::Answer::Found(vec![IpAddr::V4(Ipv4Addr::new(10, 9, 8, 7))])
    }
    fn mx(&mut self, name: &[u8]) -> spf::eval::Answer<BString> {
        spf::eval::Answer::Found(vec![name.into(); 3])
    }
    fn ptr(&mut self, _: IpAddr) -> spf::eval::Answer<BString> {
        spf::eval::Answer::Found(vec!["p.example".into(); 12])
    }
}

/// SPF records, evaluated; the first line is the sender.
pub fn spf_record(data: &[u8]) {
    let (sender, record) = data.split_once_str(b"\n").unwrap_or((b"l@d.example", data));
    let sender = if sender.contains(&b'@') { sender } else { b"l@d.example" };
    let ip = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    let who = spf::eval::Identity { ip, sender, helo: b"helo.example", receiver: b"r.example", now: 1_700_000_000 };
    let domain = sender.rsplit_once_str(b"@").map_or(sender, |(_, d)| d);
    let _ = spf::eval::check(&mut Same(record, 0), who, domain, None);
    let _ = spf::record::parse(record);
}

/// Macro strings of SPF, expanded for the sender in the first line.
pub fn spf_macro(data: &[u8]) {
    let (sender, text) = data.split_once_str(b"\n").unwrap_or((b"l@d.example", data));
    for ip in [IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), "2001:db8::cb01".parse().unwrap_or(Ipv4Addr::LOCALHOST.into())] {
        let v = spf::macros::Values { sender, domain: b"d.example", ip, helo: b"h", receiver: b"r", now: 7 };
        let expanded = spf::macros::expand(text, &v, &mut || "p.example".into());
        if spf::macros::is_macro_string(text) {
            assert!(expanded.is_some() || !sender.contains(&b'@'));
        }
        if let Some(e) = expanded {
            let fitting = spf::macros::fit(e);
            assert!(fitting.len() <= 253 || !fitting.contains(&b'.'));
        }
    }
}

/// Local parts that look like rewritten ones: what is decoded encodes again to what decodes the same.
pub fn srs_address(data: &[u8]) {
    for config in ["s:9:4:0:0", "s:9:4:1:0", "s:9:4:0:1", "s:9:4:1:1"] {
        let main = MainOptions { srs_config: Str::from_bytes(config.as_bytes()), ..MainOptions::default() };
        let Ok(scheme) = srs::guarded::Scheme::read(&main) else { continue };
        if let Ok(srs::guarded::Decoded::Address { local, domain }) = scheme.decode(0, data) {
            let again = scheme.encode(0, &local, &domain);
            assert!(scheme.decode(0, &again).is_ok() || domain.contains(&b'='));
        }
    }
}
