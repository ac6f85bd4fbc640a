//! A `DKIM-Signature:` header line (RFC 6376 3.5), and what a signature covers.

use std::collections::HashMap;

use bstr::{BString, ByteSlice};

use crate::mail_auth::canon::Canon;
use crate::mail_auth::key::{Algorithm, Hash};
use crate::mail_auth::tags::{self, Tags};

/// What is wrong with a signature as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// `v=` is not 1.
    Version,
    /// A tag is missing or not valid.
    Tags,
}

/// One signature.
#[derive(Clone, Debug)]
pub struct Signature {
    /// The header line with the value of `b=` taken out.
    pub without_b: BString,
    /// `a=`
    pub algorithm: Algorithm,
    /// `c=`, its first half.
    pub canon_header: Canon,
    /// `c=`, its second half.
    pub canon_body: Canon,
    /// `d=`, in lower case.
    pub domain: Option<BString>,
    /// `s=`
    pub selector: Option<BString>,
    /// `i=`, its domain in lower case.
    pub identity: Option<BString>,
    /// `l=`
    pub body_length: Option<u64>,
    /// `t=`
    pub created: Option<u64>,
    /// `x=`
    pub expires: Option<u64>,
    /// `h=`, without white space.
    pub headers: BString,
    /// `bh=`
    pub body_hash: Vec<u8>,
    /// `b=`
    pub signature: Vec<u8>,
    /// `z=`, decoded.
    pub copied_headers: Option<BString>,
    /// It cannot be used, and why.
    pub problem: Option<Problem>,
}

impl Signature {
    /// Reads a header line. `None`: it names no algorithm that is known here.
    pub fn parse(line: &[u8]) -> Option<Signature> {
        let value = value_of(line);
        let parsed = Tags::parse(value);
        let mut bad = parsed.is_err();
        // For the log even of a bad list as much as possible is told.
        let tags = parsed.unwrap_or_else(|_| Tags::parse(first_tags(value)).unwrap_or_default());
        let algorithm = Algorithm::parse(tags.get("a")?)?;
        let mut number = |name: &str| match tags.number(name) {
            Some(Ok(n)) => Some(n),
            Some(Err(_)) => {
                bad = true;
                None
            }
            None => None,
        };
        let (body_length, created, expires) = (number("l"), number("t"), number("x"));
        let (canon_header, canon_body) = canon(tags.get("c"));
        let data = |name: &str| tags.get(name).and_then(tags::base64).unwrap_or_default();
        let name = |name: &str| tags.compact(name).filter(|v| !v.is_empty()).map(BString::from);
        let mut s = Signature {
            without_b: without_b(line).into(),
            algorithm,
            canon_header,
            canon_body,
            domain: name("d").map(|d| d.to_ascii_lowercase().into()),
            selector: name("s"),
            identity: name("i").map(|i| lower_domain(&i)),
            body_length,
            created,
            expires,
            headers: name("h").unwrap_or_default(),
            body_hash: data("bh"),
            signature: data("b"),
            copied_headers: tags.compact("z").map(|z| tags::quoted_printable(&z).into()),
            problem: None,
        };
        let missing = s.domain.is_none()
            || s.selector.is_none()
            || s.headers.is_empty()
            || s.signature.is_empty()
            || tags.get("bh").is_none()
            || !identity_fits(s.identity.as_ref(), s.domain.as_ref())
            || tags.get("v").is_none();
        s.problem = if tags.get("v").is_some_and(|v| v != b"1") {
            Some(Problem::Version)
        } else if bad || missing {
            Some(Problem::Tags)
        } else {
            None
        };
        Some(s)
    }

    /// The name of the key record.
    pub fn key_name(&self) -> BString {
        let part = |p: &Option<BString>| p.clone().unwrap_or_default();
        format!("{}._domainkey.{}", part(&self.selector), part(&self.domain)).into()
    }
}

/// `i=` must be in the domain of `d=` (RFC 6376 3.5).
fn identity_fits(identity: Option<&BString>, domain: Option<&BString>) -> bool {
    let (Some(i), Some(d)) = (identity, domain) else { return true };
    let Some(at) = i.rfind_byte(b'@') else { return false };
    i[at + 1..].strip_suffix(d.as_slice()).is_some_and(|rest| rest.is_empty() || rest.ends_with(b"."))
}

/// As far as the list of tags is one.
fn first_tags(value: &[u8]) -> &[u8] {
    let mut end = 0;
    for at in value.find_iter(b";") {
        if Tags::parse(&value[..at]).is_err() {
            break;
        }
        end = at;
    }
    &value[..end]
}

fn canon(value: Option<&[u8]>) -> (Canon, Canon) {
    let value = value.unwrap_or(b"simple/simple");
    let (header, body) = value.split_once_str(b"/").unwrap_or((value, b"simple"));
    let form = |name: &[u8]| Canon::from_name(name).unwrap_or(Canon::Simple);
    (form(header), form(body))
}

fn lower_domain(identity: &[u8]) -> BString {
    let at = identity.rfind_byte(b'@').unwrap_or(0);
    [&identity[..at], &identity[at..].to_ascii_lowercase()].concat().into()
}

/// What follows the colon of a header line.
pub fn value_of(line: &[u8]) -> &[u8] {
    line.find_byte(b':').map_or(b"", |i| &line[i + 1..])
}

/// The header line with the value of its `b=` tag taken out.
pub fn without_b(line: &[u8]) -> Vec<u8> {
    let start = line.find_byte(b':').map_or(0, |i| i + 1);
    let mut out = line[..start].to_vec();
    for (n, part) in line[start..].split(|c| *c == b';').enumerate() {
        if n > 0 {
            out.push(b';');
        }
        match part.find_byte(b'=') {
            Some(i) if part[..i].trim_with(|c| c.is_ascii_whitespace()) == b"b" => out.extend_from_slice(&part[..=i]),
            _ => out.extend_from_slice(part),
        }
    }
    out
}

/// The lines of a message that `names` (with colons between) stand for: of several with one name the last first, each
/// once (RFC 6376 5.4.2).
pub fn covered<'a>(names: &[u8], lines: &'a [BString]) -> Vec<&'a [u8]> {
    // Hostile messages have many lines and many names: no pass over the lines for each name.
    let mut by_name: HashMap<Vec<u8>, Vec<&[u8]>> = HashMap::new();
    for line in lines {
        by_name.entry(name_of(line).to_ascii_lowercase()).or_default().push(line);
    }
    let names = names.split(|c| *c == b':').map(|n| n.trim().to_ascii_lowercase()).filter(|n| !n.is_empty());
    names.filter_map(|n| by_name.get_mut(&n)?.pop()).collect()
}

/// The name of a header line.
pub fn name_of(line: &[u8]) -> &[u8] {
    line[..line.find_byte(b':').unwrap_or(0)].trim_end()
}

/// Has the line that name?
pub fn has_name(line: &[u8], name: &[u8]) -> bool {
    !name.is_empty() && name_of(line).eq_ignore_ascii_case(name.trim())
}

/// What is signed: the lines, and the line of the signature itself.
pub fn signed_data(canon: Canon, lines: &[&[u8]], own: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    for l in lines {
        data.extend_from_slice(&canon.header(l, true));
    }
    data.extend_from_slice(&canon.header(own, false));
    data
}

/// The hashes that the option `dkim_verify_hashes` may name, in its order; and likewise the key types.
pub fn rank(hashes: &[Hash], a: Algorithm, kinds: &[crate::mail_auth::key::KeyKind]) -> Option<(usize, usize)> {
    let kind = kinds.iter().position(|k| *k == a.key)?;
    Some((kind, hashes.iter().position(|h| *h == a.hash)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail_auth::key::KeyKind;

    const LINE: &[u8] = b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed; d=Test.EX;\n\ts=sel; h=From : To; i=Joe@Sub.Test.EX;\n\tbh=AAAA; b= BB\n\tBB ; z=From:a=20b\n";

    #[test]
    fn fields() {
        let s = Signature::parse(LINE).unwrap();
        assert_eq!((s.canon_header, s.canon_body), (Canon::Relaxed, Canon::Simple));
        assert_eq!(s.domain.as_ref().unwrap(), "test.ex");
        assert_eq!(s.identity.as_ref().unwrap(), "Joe@sub.test.ex");
        assert_eq!(s.headers, "From:To");
        assert_eq!(s.signature.len(), 3);
        assert_eq!(s.copied_headers.as_ref().unwrap(), "From:a b");
        assert_eq!(s.problem, None);
        assert!(s.without_b.contains_str("bh=AAAA; b=; z="), "{}", s.without_b);
    }

    #[test]
    fn bad_ones() {
        let change = |a: &str, b: &str| Signature::parse(&LINE.replace(a, b));
        assert_eq!(change("v=1", "v=2").unwrap().problem, Some(Problem::Version));
        assert_eq!(change("v=1; ", "").unwrap().problem, Some(Problem::Tags));
        assert_eq!(change("v=1; ", "v=1; l=x; ").unwrap().problem, Some(Problem::Tags));
        assert_eq!(change("s=sel; ", "s=sel; s=sel; ").unwrap().problem, Some(Problem::Tags));
        assert_eq!(change("@Sub.Test.EX", "@other.ex").unwrap().problem, Some(Problem::Tags));
        assert_eq!(change("@Sub.Test.EX", "@eviltest.ex").unwrap().problem, Some(Problem::Tags));
        assert_eq!(change("@Sub.Test.EX", "@Test.EX").unwrap().problem, None);
        assert_eq!(change("bh=AAAA; ", "").unwrap().problem, Some(Problem::Tags));
        assert!(change("rsa-sha256", "rsa-md5").is_none());
        assert!(change("a=rsa-sha256;", "").is_none());
        let many: Vec<u8> = (0..1000).flat_map(|i| format!("; t{i}=1").into_bytes()).collect();
        assert_eq!(Signature::parse(&[LINE, &many].concat()).unwrap().problem, Some(Problem::Tags));
    }

    /// The message that the RFCs have for an example, its signature `mine`, further lines before it, its body, and the key record:
    /// both hashes are right, and of nothing else.
    fn verifies(mine: &str, further: &[&str], body: &[u8], record: &[u8]) {
        let lines: Vec<BString> = [mine]
            .iter()
            .chain(further)
            .chain(&[
                "From: Joe SixPack <joe@football.example.com>\n",
                "To: Suzie Q <suzie@shopping.example.net>\n",
                "Subject: Is dinner ready?\n",
                "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\n",
                "Message-ID: <20030712040037.46341.5F8J@football.example.com>\n",
            ])
            .map(|l| BString::from(*l))
            .collect();
        let s = Signature::parse(mine.as_bytes()).unwrap();
        let mut watch = crate::mail_auth::BodyWatch::default();
        watch.want(s.canon_body, s.algorithm.hash, None);
        watch.feed(body);
        assert_eq!(watch.finish().unwrap()[0].as_ref().unwrap().0, s.body_hash);
        let key = crate::mail_auth::key::KeyRecord::parse(record).unwrap().public_key(s.algorithm.key).unwrap();
        let data = signed_data(s.canon_header, &covered(&s.headers, &lines), &s.without_b);
        assert!(key.verify(s.algorithm.hash, &data, &s.signature));
        assert!(!key.verify(s.algorithm.hash, &[&data[..], b"x"].concat(), &s.signature));
    }

    /// The example of RFC 8463, appendix A.
    #[test]
    fn rfc_8463() {
        let mine = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\n d=football.example.com; i=@football.example.com;\n \
                    q=dns/txt; s=brisbane; t=1528637909; h=from : to :\n subject : date : message-id : from : subject : date;\n \
                    bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n \
                    b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\n Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\n";
        let record = b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        verifies(mine, &[], b"Hi.\n\nWe lost the game.  Are you hungry yet?\n\nJoe.\n", record);
    }

    /// The example of RFC 6376, appendix A.2, with the key of appendix C.
    #[test]
    fn rfc_6376() {
        let mine = "DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;\n      c=simple/simple; q=dns/txt; i=joe@football.example.com;\n      \
                    h=Received : From : To : Subject : Date : Message-ID;\n      \
                    bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\n      \
                    b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB\n      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut\n      \
                    KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV\n      4bmp/YzhwvcubU4=;\n";
        let received = "Received: from client1.football.example.com  [192.0.2.1]\n      by submitserver.example.com with SUBMISSION;\n      \
             Fri, 11 Jul 2003 21:01:54 -0700 (PDT)\n";
        let record = b"v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ\
                       DwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt\
                       IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7\
                       od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfV\
                       jH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB";
        verifies(mine, &[received], b"Hi.\n\nWe lost the game. Are you hungry yet?\n\nJoe.\n", record);
    }

    #[test]
    fn the_last_line_first() {
        let lines = [BString::from("A: 1\n"), "B: 2\n".into(), "a : 3\n".into()];
        let names: Vec<&[u8]> = covered(b"a:x:A:a:b", &lines);
        assert_eq!(names, [&b"a : 3\n"[..], b"A: 1\n", b"B: 2\n"]);
    }

    #[test]
    fn ranks() {
        let a = Algorithm { key: KeyKind::Rsa, hash: Hash::Sha256 };
        assert_eq!(rank(&[Hash::Sha256], a, &[KeyKind::Ed25519, KeyKind::Rsa]), Some((1, 0)));
        assert_eq!(rank(&[Hash::Sha512], a, &[KeyKind::Rsa]), None);
    }
}
