//! The text of an SPF record as terms (RFC 7208 4.6, 5, 6, 12). Any mistake spoils the record.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bstr::{BString, ByteSlice};

use super::Verdict;
use super::macros;

/// A record longer than this is not looked at.
const MAX_RECORD: usize = 16 * 1024;

/// What a mechanism looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Mechanism {
    All,
    Include(BString),
    A(Option<BString>, Lengths),
    Mx(Option<BString>, Lengths),
    Ptr(Option<BString>),
    Ip4(Ipv4Addr, u8),
    Ip6(Ipv6Addr, u8),
    Exists(BString),
}

/// Prefix lengths for the two families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// IPv4.
    pub four: u8,
    /// IPv6.
    pub six: u8,
}

impl Lengths {
    /// Is `ip` in the network of `net`?
    pub fn covers(self, net: IpAddr, ip: IpAddr) -> bool {
        match (net, ip) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let shift = 32 - u32::from(self.four.min(32));
                u64::from(a.to_bits()) >> shift == u64::from(b.to_bits()) >> shift
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let shift = 128 - u32::from(self.six.min(128));
                shift == 128 || a.to_bits() >> shift == b.to_bits() >> shift
            }
            _ => false,
        }
    }
}

/// A whole record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Mechanisms, each with what it says when it matches.
    pub directives: Vec<(Verdict, Mechanism)>,
    /// `redirect=`
    pub redirect: Option<BString>,
    /// `exp=`
    pub explanation: Option<BString>,
}

/// Is it an SPF record at all?
pub fn is_record(text: &[u8]) -> bool {
    text.get(..6).is_some_and(|v| v.eq_ignore_ascii_case(b"v=spf1")) && matches!(text.get(6), None | Some(b' '))
}

/// Parses a record. The error is what is wrong with it.
pub fn parse(text: &[u8]) -> Result<Record, String> {
    if text.len() > MAX_RECORD {
        return Err("record too long".into());
    }
    let mut record = Record::default();
    for term in text.get(6..).unwrap_or_default().split(|c| *c == b' ').filter(|t| !t.is_empty()) {
        parse_term(term, &mut record).ok_or_else(|| format!("invalid term \"{}\"", term.escape_ascii()))?;
    }
    Ok(record)
}

fn parse_term(term: &[u8], record: &mut Record) -> Option<()> {
    let name_end = term.iter().position(|c| !(c.is_ascii_alphanumeric() || b"-_.".contains(c))).unwrap_or(term.len());
    if term.get(name_end) == Some(&b'=') && term.first()?.is_ascii_alphabetic() {
        return modifier(&term[..name_end], &term[name_end + 1..], record);
    }
    let (verdict, rest) = match term.first()? {
        b'+' => (Verdict::Pass, &term[1..]),
        b'-' => (Verdict::Fail, &term[1..]),
        b'~' => (Verdict::SoftFail, &term[1..]),
        b'?' => (Verdict::Neutral, &term[1..]),
        _ => (Verdict::Pass, term),
    };
    record.directives.push((verdict, mechanism(rest)?));
    Some(())
}

fn modifier(name: &[u8], value: &[u8], record: &mut Record) -> Option<()> {
    let slot = match name.to_ascii_lowercase().as_slice() {
        b"redirect" => &mut record.redirect,
        b"exp" => &mut record.explanation,
        // An unknown one must have a correct value all the same.
        _ => return macros::is_macro_string(value).then_some(()),
    };
    if slot.is_some() || !is_domain_spec(value) {
        return None;
    }
    *slot = Some(value.into());
    Some(())
}

fn mechanism(text: &[u8]) -> Option<Mechanism> {
    let end = text.iter().position(|c| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let domain = |rest: &[u8]| rest.strip_prefix(b":").filter(|d| is_domain_spec(d)).map(BString::from);
    let optional = |rest: &[u8]| if rest.is_empty() { Some(None) } else { domain(rest).map(Some) };
    Some(match name.to_ascii_lowercase().as_slice() {
        b"all" if rest.is_empty() => Mechanism::All,
        b"include" => Mechanism::Include(domain(rest)?),
        b"exists" => Mechanism::Exists(domain(rest)?),
        b"ptr" => Mechanism::Ptr(optional(rest)?),
        b"a" => {
            let (rest, lengths) = dual_length(rest)?;
            Mechanism::A(optional(rest)?, lengths)
        }
        b"mx" => {
            let (rest, lengths) = dual_length(rest)?;
            Mechanism::Mx(optional(rest)?, lengths)
        }
        b"ip4" => {
            let (address, bits) = network(rest.strip_prefix(b":")?, 32)?;
            Mechanism::Ip4(address.parse().ok()?, bits)
        }
        b"ip6" => {
            let (address, bits) = network(rest.strip_prefix(b":")?, 128)?;
            Mechanism::Ip6(address.parse().ok()?, bits)
        }
        _ => return None,
    })
}

fn network(text: &[u8], most: u8) -> Option<(&str, u8)> {
    let text = text.to_str().ok()?;
    match text.split_once('/') {
        None => Some((text, most)),
        Some((address, bits)) => Some((address, length(bits.as_bytes(), most)?)),
    }
}

/// A prefix length without superfluous zeros.
fn length(digits: &[u8], most: u8) -> Option<u8> {
    if digits.is_empty() || digits.len() > 3 || !digits.iter().all(u8::is_ascii_digit) || (digits[0] == b'0' && digits.len() > 1)
    {
        return None;
    }
    digits.to_str().ok()?.parse().ok().filter(|n| *n <= most)
}

/// Takes `/n`, `//n` or `/n//m` off the end.
fn dual_length(text: &[u8]) -> Option<(&[u8], Lengths)> {
    let mut lengths = Lengths { four: 32, six: 128 };
    let tail = |t: &[u8]| t.iter().rposition(|c| !c.is_ascii_digit());
    let mut rest = text;
    if let Some(at) = tail(rest).filter(|at| rest[*at] == b'/' && *at > 0 && rest[at - 1] == b'/') {
        lengths.six = length(&rest[at + 1..], 128)?;
        rest = &rest[..at - 1];
    }
    if let Some(at) = tail(rest).filter(|at| rest[*at] == b'/') {
        lengths.four = length(&rest[at + 1..], 32)?;
        rest = &rest[..at];
    }
    Some((rest, lengths))
}

/// A macro string that ends in a macro, or in a label that may be a top-level domain.
fn is_domain_spec(text: &[u8]) -> bool {
    if !macros::is_macro_string(text) || text.is_empty() {
        return false;
    }
    if text.ends_with(b"}") && text.contains_str("%{") {
        return true;
    }
    let text = text.strip_suffix(b".").unwrap_or(text);
    let Some(dot) = text.rfind_byte(b'.') else { return false };
    let top = &text[dot + 1..];
    let ends = |c: Option<&u8>| c.is_some_and(u8::is_ascii_alphanumeric);
    ends(top.first())
        && ends(top.last())
        && top.iter().all(|c| c.is_ascii_alphanumeric() || *c == b'-')
        && !top.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let r = parse(b"v=spf1 a:x.ex/24//64 -ip4:1.2.3.0/24  ~all redirect=y.ex foo=%{d}").unwrap();
        assert_eq!(r.directives.len(), 3);
        assert_eq!(r.directives[0].1, Mechanism::A(Some("x.ex".into()), Lengths { four: 24, six: 64 }));
        assert_eq!(r.directives[1].0, Verdict::Fail);
        assert_eq!(r.redirect.unwrap(), "y.ex");
        assert_eq!(parse(b"v=spf1 mx//0").unwrap().directives[0].1, Mechanism::Mx(None, Lengths { four: 32, six: 0 }));
    }

    #[test]
    fn bad_records() {
        for bad in [
            "all:x",
            "foo",
            "ip4:1.2.3",
            "ip4:1.2.3.4/33",
            "ip4:1.2.3.4/032",
            "ip6:::1/129",
            "a:",
            "a:x.ex:80",
            "include",
            "a/33",
            "a//129",
            "mx/",
            "redirect=",
            "redirect=a.ex redirect=b.ex",
            "exists:%{x}",
            "a:example.111",
            "-",
            "=x",
            "a:%{d",
            "moo=%",
            "ptr/24",
            "\u{e9}all",
        ] {
            assert!(parse(format!("v=spf1 {bad}").as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(&[b"v=spf1 ".to_vec(), vec![b'a'; 70_000]].concat()).is_err());
        assert!(is_record(b"V=spf1") && !is_record(b"v=spf10 all") && !is_record(b"v=spf"));
    }

    #[test]
    fn networks() {
        let four = |s: &str| IpAddr::V4(s.parse().unwrap());
        let l = |four, six| Lengths { four, six };
        assert!(l(24, 0).covers(four("1.2.3.4"), four("1.2.3.99")));
        assert!(!l(32, 0).covers(four("1.2.3.4"), four("1.2.3.5")));
        assert!(l(0, 0).covers(four("1.2.3.4"), four("9.9.9.9")));
        assert!(!l(0, 0).covers(four("1.2.3.4"), "::1".parse().unwrap()));
    }
}
