//! The guarded dialect, as Mail::SRS has it: hashes of HMAC-SHA1 in base64, `SRS1` for senders that were rewritten before.
//! Whole local parts in, whole local parts out; hostile input is everything that [`Scheme::decode`] gets.

use bstr::{BString, ByteSlice};
use data_encoding::BASE64;

use super::{age, stamp};
use crate::config::main_options::MainOptions;
use crate::expand::digest::{Algorithm, keyed_digest};
use crate::parse::list;

/// What the main options `srs_...` say.
#[derive(Clone, Debug)]
pub struct Scheme {
    /// The first signs, all verify.
    secrets: Vec<BString>,
    max_age: i64,
    hash_length: usize,
    hash_min: usize,
    use_stamp: bool,
    use_hash: bool,
}

/// What a rewritten local part holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// The address before.
    Address {
        /// Its local part.
        local: Vec<u8>,
        /// Its domain.
        domain: Vec<u8>,
    },
    /// The key under which it was put into a data base.
    Key(Vec<u8>),
}

/// Why a local part does not lead back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is not a rewritten one.
    NotRewritten,
    /// It begins like one.
    Form,
    /// We have not made it.
    Hash,
    /// It is too old.
    Expired,
}

impl Refused {
    /// As `$srs_status` has it.
    pub fn text(self) -> &'static str {
        match self {
            Refused::NotRewritten => "not an SRS address",
            Refused::Form => "malformed SRS address",
            Refused::Hash => "hash of SRS address is invalid",
            Refused::Expired => "timestamp of SRS address is invalid or expired",
        }
    }
}

impl Scheme {
    /// Reads the options. The error is what is wrong with them.
    pub fn read(main: &MainOptions) -> Result<Scheme, String> {
        let mut s = Scheme {
            secrets: main.srs_secrets.raw().map(|raw| list::items(raw).collect()).unwrap_or_default(),
            max_age: main.srs_maxage.0,
            hash_length: 0,
            hash_min: 0,
            use_stamp: main.srs_usetimestamp,
            use_hash: main.srs_usehash,
        };
        let (mut length, mut least) = (main.srs_hashlength.0, main.srs_hashmin.0);
        if let Some(raw) = main.srs_config.raw().filter(|c| !c.is_empty()) {
            let fields: Vec<&[u8]> = raw.splitn_str(5, ":").collect();
            let [secret, rest @ ..] = fields.as_slice() else { return Err("srs_config is empty".into()) };
            s.secrets = vec![BString::from(*secret)];
            let number = |n: usize, default: i64| match rest.get(n).map(|f| f.trim()) {
                None | Some(b"") => Ok(default),
                Some(f) => f.to_str().ok().and_then(|f| f.parse().ok()).ok_or(format!("\"{}\" in srs_config", f.as_bstr())),
            };
            s.max_age = number(0, 31)?;
            (length, least) = (number(1, 6)?, -1);
            let yes = |n: usize| match rest.get(n).map(|f| f.trim().to_ascii_lowercase()).as_deref() {
                None | Some(b"" | b"1" | b"true" | b"yes") => Ok(true),
                Some(b"0" | b"false" | b"no") => Ok(false),
                Some(f) => Err(format!("\"{}\" in srs_config is neither true nor false", f.as_bstr())),
            };
            (s.use_stamp, s.use_hash) = (yes(2)?, yes(3)?);
        }
        s.secrets.retain(|s| !s.is_empty());
        if s.secrets.is_empty() {
            return Err("no secret was given".into());
        }
        if !(0..=365).contains(&s.max_age) {
            return Err(format!("maximum age {} is not between 0 and 365", s.max_age));
        }
        let in_range = |n: i64| usize::try_from(n).ok().filter(|n| (1..=20).contains(n));
        s.hash_length = in_range(length).ok_or(format!("hash length {length} is not between 1 and 20"))?;
        s.hash_min = match least {
            -1 => s.hash_length,
            n => in_range(n).ok_or(format!("minimum hash length {n} is not between 1 and 20"))?,
        };
        Ok(s)
    }

    fn digest(secret: &[u8], parts: &[&[u8]]) -> Option<Vec<u8>> {
        let text = bstr::concat(parts).to_ascii_lowercase();
        keyed_digest(Algorithm::Sha1, secret, &text).ok().map(|d| BASE64.encode(&d).into_bytes())
    }

    /// `hash=`, unless there are to be none.
    fn hash(&self, parts: &[&[u8]]) -> Vec<u8> {
        let digest = self.secrets.first().filter(|_| self.use_hash).and_then(|s| Self::digest(s, parts));
        digest.map(|d| [d.get(..self.hash_length).unwrap_or(&d), b"="].concat()).unwrap_or_default()
    }

    fn hash_is_ours(&self, hash: &[u8], parts: &[&[u8]]) -> bool {
        // Mail hosts on the way may change the case of a local part.
        let ours = |secret: &BString| {
            let digest = Self::digest(secret, parts)?.to_ascii_lowercase();
            Some(openssl::memcmp::eq(digest.get(..hash.len())?, &hash.to_ascii_lowercase()))
        };
        hash.len() >= self.hash_min && self.secrets.iter().any(|s| ours(s) == Some(true))
    }

    fn stamp(&self, day: i64) -> Vec<u8> {
        if self.use_stamp { stamp(day).to_ascii_uppercase() } else { Vec::new() }
    }

    /// A local part that leads back to a sender.
    pub fn encode(&self, today: i64, local: &[u8], domain: &[u8]) -> Vec<u8> {
        match rewritten(local) {
            Some((b'0', rest)) => [b"SRS1=", self.hash(&[domain, rest]).as_slice(), domain, b"=", rest].concat(),
            // Only the last of several forwarders is remembered: it knows where the first one is.
            Some((_, rest)) if self.split_srs1(rest).is_some() => {
                let (_, host, user) = self.split_srs1(rest).unwrap_or_default();
                [b"SRS1=", self.hash(&[host, user]).as_slice(), host, b"=", user].concat()
            }
            _ => self.first(today, &[domain, local]),
        }
    }

    /// A local part with the key of a data base in place of an address.
    pub fn encode_key(&self, today: i64, key: &[u8]) -> Vec<u8> {
        self.first(today, &[key])
    }

    fn first(&self, today: i64, what: &[&[u8]]) -> Vec<u8> {
        let stamp = self.stamp(today);
        let signed: Vec<&[u8]> = std::iter::once(stamp.as_slice()).chain(what.iter().copied()).collect();
        let gap: &[u8] = if self.use_stamp { b"=" } else { b"" };
        [b"SRS0=", self.hash(&signed).as_slice(), &stamp, gap, &bstr::join("=", what)].concat()
    }

    /// Takes the hash from the front, if there are any.
    fn split_hash<'a>(&self, rest: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        if self.use_hash { rest.split_once_str(b"=") } else { Some((b"", rest)) }
    }

    fn split_srs1<'a>(&self, rest: &'a [u8]) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
        let (hash, rest) = self.split_hash(rest.get(1..)?)?;
        let (host, user) = rest.split_once_str(b"=")?;
        (!host.is_empty() && user.len() > 1 && is_gap(user)).then_some((hash, host, user))
    }

    /// What a local part leads back to.
    pub fn decode(&self, today: i64, local: &[u8]) -> Result<Decoded, Refused> {
        let (kind, rest) = rewritten(local).ok_or(Refused::NotRewritten)?;
        if kind == b'1' {
            let (hash, host, user) = self.split_srs1(rest).ok_or(Refused::Form)?;
            if self.use_hash && !self.hash_is_ours(hash, &[host, user]) {
                return Err(Refused::Hash);
            }
            return Ok(Decoded::Address { local: [b"SRS0", user].concat(), domain: host.to_vec() });
        }
        let (hash, rest) = self.split_hash(rest.get(1..).unwrap_or_default()).ok_or(Refused::Form)?;
        let (stamp, rest) = if self.use_stamp { rest.split_once_str(b"=").ok_or(Refused::Form)? } else { (&rest[..0], rest) };
        let (decoded, parts) = match rest.split_once_str(b"=") {
            Some((b"", _) | (_, b"")) => return Err(Refused::Form),
            None if rest.is_empty() => return Err(Refused::Form),
            Some((domain, local)) => {
                (Decoded::Address { local: local.to_vec(), domain: domain.to_vec() }, vec![stamp, domain, local])
            }
            None => (Decoded::Key(rest.to_vec()), vec![stamp, rest]),
        };
        if self.use_hash && !self.hash_is_ours(hash, &parts) {
            return Err(Refused::Hash);
        }
        if self.use_stamp && !age(&stamp.to_ascii_lowercase(), today).is_some_and(|a| a <= self.max_age) {
            return Err(Refused::Expired);
        }
        Ok(decoded)
    }
}

fn is_gap(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'=' | b'+' | b'-'))
}

/// `0` or `1` of `SRS0` and `SRS1`, and what follows with the separator before it.
fn rewritten(local: &[u8]) -> Option<(u8, &[u8])> {
    let (tag, rest) = local.split_at_checked(4)?;
    let kind = *tag.get(3)?;
    (tag[..3].eq_ignore_ascii_case(b"SRS") && matches!(kind, b'0' | b'1') && is_gap(rest)).then_some((kind, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scheme(stamp: bool, hash: bool) -> Scheme {
        let secrets = vec!["new".into(), "old".into()];
        Scheme { secrets, max_age: 21, hash_length: 4, hash_min: 4, use_stamp: stamp, use_hash: hash }
    }

    #[test]
    fn there_and_back() {
        for (stamp, hash) in [(true, true), (true, false), (false, true), (false, false)] {
            let s = scheme(stamp, hash);
            let first = s.encode(7, b"a=b", b"x.example");
            let back = Decoded::Address { local: b"a=b".to_vec(), domain: b"x.example".to_vec() };
            assert_eq!(s.decode(9, &first), Ok(back), "{}", first.as_bstr());
            // A second forwarder, and a third.
            let second = s.encode(7, &first, b"one.example");
            assert_eq!(second, s.encode(8, &second, b"two.example"));
            assert_eq!(s.decode(9, &second), Ok(Decoded::Address { local: first, domain: b"one.example".to_vec() }));
            assert_eq!(s.decode(9, &s.encode_key(9, b"k1")), Ok(Decoded::Key(b"k1".to_vec())));
        }
    }

    #[test]
    fn like_mail_srs() {
        // perl -MMail::SRS -e '... Mail::SRS->new(Secret => "new", HashLength => 4)->forward("a@x.example", "f.example")'
        let s = scheme(true, true);
        assert_eq!(s.encode(0, b"a", b"x.example").as_bstr(), "SRS0=bpHr=AA=x.example=a");
    }

    #[test]
    fn refused() {
        let s = scheme(true, true);
        let good = s.encode(7, b"a", b"x.example");
        assert!(s.decode(28, &good.to_ascii_lowercase()).is_ok());
        assert_eq!(s.decode(29, &good), Err(Refused::Expired));
        assert_eq!(s.decode(6, &good), Err(Refused::Expired));
        assert_eq!(s.decode(7, &good.replace("x.ex", "y.ex")), Err(Refused::Hash));
        let old = Scheme { secrets: vec!["old".into()], ..scheme(true, true) };
        assert!(s.decode(7, &old.encode(7, b"a", b"x.example")).is_ok());
        assert_eq!(old.decode(7, &good), Err(Refused::Hash));
        for text in ["", "a", "SRS0", "SRS2=a=b=c", "srs=x"] {
            assert_eq!(s.decode(7, text.as_bytes()), Err(Refused::NotRewritten), "{text}");
        }
        for text in ["SRS0=", "SRS0==", "SRS1=h", "SRS1=h=host=user", "SRS0=h=AA", "SRS0=h=AA=", "SRS0=h=AA==x", "SRS0=h=AA=x="] {
            assert_eq!(s.decode(7, text.as_bytes()), Err(Refused::Form), "{text}");
        }
        assert_eq!(s.decode(7, b"SRS0==AA=x=y"), Err(Refused::Hash));
    }
}
