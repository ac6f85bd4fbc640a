//! An LDAP query: settings, then a URL (manual section 9.18). No I/O.

use crate::parse::Space as _;
use bstr::{BString, ByteSlice};

/// A query, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pub user: Option<BString>,
    pub password: Option<BString>,
    pub servers: Option<BString>,
    /// 0: no limit.
    pub size: i32,
    /// Seconds for the server; 0: no limit.
    pub time: u32,
    /// Seconds for the network; 0: ours.
    pub net_time: u64,
    /// The library's number.
    pub dereference: Option<i32>,
    pub no_referrals: bool,
    pub scheme: Scheme,
    /// The whole URL.
    pub url: BString,
}

/// How the URL begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    #[default]
    Ldap,
    Ldaps,
    Ldapi,
}

impl Scheme {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Ldap => "ldap",
            Scheme::Ldaps => "ldaps",
            Scheme::Ldapi => "ldapi",
        }
    }
}

impl Query {
    /// Reads one. The errors are those of log lines.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let mut q = Query::default();
        let mut rest = text.skip_space();
        while !rest.get(..4).is_some_and(|s| s.eq_ignore_ascii_case(b"ldap")) {
            let malformed = || "malformed parameter setting precedes LDAP URL".to_string();
            let (name, after) = rest.split_once_str(b"=").ok_or_else(malformed)?;
            if name.is_empty() || name.iter().any(|c| c.is_ascii_whitespace() || *c == b'/') {
                return Err(malformed());
            }
            let (value, after) = value(after).ok_or_else(malformed)?;
            q.set(name, value)?;
            rest = after.skip_space();
        }
        let scheme = [Scheme::Ldap, Scheme::Ldaps, Scheme::Ldapi].into_iter().find(|s| {
            let head = format!("{}://", s.name());
            rest.get(..head.len()).is_some_and(|r| r.eq_ignore_ascii_case(head.as_bytes()))
        });
        q.scheme = scheme.ok_or_else(|| {
            let shown = rest.get(..16).unwrap_or(rest).as_bstr();
            format!("LDAP URL does not start with \"ldap://\", \"ldaps://\", or \"ldapi://\" (it starts with \"{shown}...\")")
        })?;
        q.url = rest.trim_space_end().into();
        Ok(q)
    }

    fn set(&mut self, name: &[u8], value: BString) -> Result<(), String> {
        let number = || value.to_str().ok().and_then(|v| v.parse::<u32>().ok()).unwrap_or(0);
        match name.to_ascii_uppercase().as_slice() {
            b"USER" => self.user = Some(unquoted(&value).into()),
            b"PASS" => self.password = Some(value),
            b"SIZE" => self.size = i32::try_from(number()).unwrap_or(i32::MAX),
            b"TIME" => self.time = number(),
            b"CONNECT" | b"NETTIME" => self.net_time = u64::from(number()),
            b"SERVERS" => self.servers = Some(value),
            b"DEREFERENCE" => {
                self.dereference = match value.to_ascii_lowercase().as_slice() {
                    b"never" => Some(0),
                    b"searching" => Some(1),
                    b"finding" => Some(2),
                    b"always" => Some(3),
                    _ => return Err(format!("LDAP option DEREFERENCE is not known: \"{value}\"")),
                }
            }
            b"REFERRALS" => {
                self.no_referrals = match value.to_ascii_lowercase().as_slice() {
                    b"follow" => false,
                    b"nofollow" => true,
                    _ => return Err("LDAP option REFERRALS is not \"follow\" or \"nofollow\"".into()),
                }
            }
            _ => return Err(format!("unknown parameter \"{}=\" precedes LDAP URL", name.as_bstr())),
        }
        Ok(())
    }
}

/// A value, quoted or up to white space, and what follows. `None`: the quotes do not end.
fn value(text: &[u8]) -> Option<(BString, &[u8])> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
        let (value, rest) = text.split_at_checked(end)?;
        return Some((value.into(), rest));
    };
    let mut out = Vec::new();
    let mut at = 0;
    loop {
        let c = *quoted.get(at)?;
        at += 1;
        match c {
            b'"' => return Some((out.into(), quoted.get(at..)?)),
            b'\\' => {
                let c = *quoted.get(at)?;
                at += 1;
                out.push(match c {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    c => c,
                });
            }
            c => out.push(c),
        }
    }
}

/// Without the quoting of URLs.
fn unquoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&c, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|h| h.to_str().ok()).and_then(|h| u8::from_str_radix(h, 16).ok());
        match (c, hex) {
            (b'%', Some(b)) => {
                out.push(b);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(c);
                rest = tail;
            }
        }
    }
    out
}

/// For fuzzing: what is read stays within the text.
#[cfg(feature = "fuzzing")]
pub fn fuzz(data: &[u8]) {
    if let Ok(q) = Query::parse(data) {
        assert!(q.url.len() <= data.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let q =
            Query::parse(b" user=\"cn=a%20b,o=x y\" PASS=\"p\\\"\\\\w\" size=5 nettime=3 referrals=nofollow ldapi://%2Fs/x?y ")
                .unwrap();
        assert_eq!((q.user.unwrap(), q.password.unwrap()), ("cn=a b,o=x y".into(), "p\"\\w".into()));
        assert_eq!((q.size, q.net_time, q.no_referrals, q.scheme), (5, 3, true, Scheme::Ldapi));
        assert_eq!(q.url, "ldapi://%2Fs/x?y");
        for bad in [
            "",
            "x",
            "user=x foo",
            "foo=x ldap:///x",
            "user=\"x ldap:///",
            "referrals=x ldap:///",
            "ldapx://",
            "ldap:/",
            "http:///x",
        ] {
            assert!(Query::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
