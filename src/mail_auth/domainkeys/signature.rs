//! A `DomainKey-Signature:` header line (RFC 4870 3.3), what it covers, and who is answerable for a message.

use std::collections::HashSet;

use bstr::BString;

use crate::mail_auth::canon::Canon;
use crate::mail_auth::dkim::signature::{has_name, name_of, value_of};
use crate::mail_auth::tags::{self, Tags};
use crate::parse::{Rules, extract_with, find_address_end};
use crate::text::Text;

/// The field's name.
pub const NAME: &[u8] = b"DomainKey-Signature";

/// The header line that names the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Source {
    Sender,
    From,
}

impl Source {
    /// As `$dk_sender_source` has it.
    pub fn name(self) -> &'static str {
        match self {
            Source::Sender => "sender",
            Source::From => "from",
        }
    }
}

/// Who is answerable for a message: the first address in Sender:, or else in From:.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The address.
    pub address: Text,
    /// Its local part.
    pub local_part: Text,
    /// Its domain in lower case.
    pub domain: Text,
    /// Where it stands.
    pub source: Source,
}

impl Sender {
    /// Looks for it in header lines.
    pub fn find(rules: &mut Rules, lines: &[BString]) -> Option<Sender> {
        for source in [Source::Sender, Source::From] {
            let Some(line) = lines.iter().find(|l| has_name(l, source.name().as_bytes())) else { continue };
            let value = value_of(line);
            let end = find_address_end(value, false).min(value.len());
            let found = extract_with(rules, &value[..end]).ok().filter(|a| a.is_qualified())?;
            return Some(Sender {
                local_part: Text::tainted(found.local_part()),
                domain: Text::tainted(found.domain().to_ascii_lowercase()),
                address: Text::tainted(found.address),
                source,
            });
        }
        None
    }
}

/// One signature.
#[derive(Clone, Debug)]
pub struct Signature {
    /// `c=`
    pub canon: Canon,
    /// `d=`, in lower case.
    pub domain: BString,
    /// `s=`
    pub selector: BString,
    /// The names in `h=`, in lower case.
    headers: Option<HashSet<Vec<u8>>>,
    /// `b=`
    pub signature: Vec<u8>,
}

impl Signature {
    /// Reads a header line. `None`: it is not a signature that can be verified.
    pub fn parse(line: &[u8]) -> Option<Signature> {
        let tags = Tags::parse(value_of(line)).ok()?;
        let is = |name: &str, wanted: &[u8]| tags.get(name).is_none_or(|v| v.eq_ignore_ascii_case(wanted));
        if !is("a", b"rsa-sha1") || !is("q", b"dns") {
            return None;
        }
        let canon = match tags.get("c") {
            None => Canon::Simple,
            Some(c) => [Canon::Simple, Canon::NoFws].into_iter().find(|f| f.name().as_bytes().eq_ignore_ascii_case(c))?,
        };
        let word = |name: &str| tags.compact(name).filter(|v| !v.is_empty());
        Some(Signature {
            canon,
            domain: word("d")?.to_ascii_lowercase().into(),
            selector: word("s")?.into(),
            headers: word("h").map(|h| h.to_ascii_lowercase().split(|c| *c == b':').map(<[u8]>::to_vec).collect()),
            signature: tags::base64(tags.get("b")?).filter(|b| !b.is_empty())?,
        })
    }

    /// Does it cover lines of that name?
    pub fn covers(&self, name: &[u8]) -> bool {
        self.headers.as_ref().is_none_or(|h| h.contains(&name.to_ascii_lowercase()))
    }

    /// May it speak for that domain: its own, or one below it?
    pub fn answers_for(&self, domain: &[u8]) -> bool {
        domain.strip_suffix(self.domain.as_slice()).is_some_and(|rest| rest.is_empty() || rest.ends_with(b"."))
    }

    /// The name of the key record.
    pub fn key_name(&self) -> BString {
        format!("{}._domainkey.{}", self.selector, self.domain).into()
    }
}

/// The canonical form of those lines that `covers` wants: all that is signed of a header section.
pub fn signed_header(canon: Canon, lines: &[BString], covers: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    lines.iter().filter(|l| covers(name_of(l))).flat_map(|l| canon.header(l, true)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bstr::ByteSlice;

    use crate::config::main_options::MainOptions;

    const LINE: &str =
        "DomainKey-Signature: a=rsa-sha1; q=dns; c=nofws;\n\ts=sel; d=Test.EX; h=From:\n\t To;\n\tb=AAAA\n\tBBBB;\n";

    #[test]
    fn fields() {
        let s = Signature::parse(LINE.as_bytes()).unwrap();
        assert_eq!((s.canon, s.domain.as_bstr(), s.signature.len()), (Canon::NoFws, b"test.ex".as_bstr(), 6));
        assert!(s.covers(b"to") && s.covers(b"FROM") && !s.covers(b"Subject"));
        assert!(s.answers_for(b"test.ex") && s.answers_for(b"a.test.ex"));
        assert!(!s.answers_for(b"atest.ex") && !s.answers_for(b"ex") && !s.answers_for(b""));
        assert_eq!(s.key_name(), "sel._domainkey.test.ex");
    }

    #[test]
    fn bad_ones() {
        for (from, to) in [
            ("rsa-sha1", "rsa-sha256"),
            ("q=dns", "q=dns/txt"),
            ("nofws", "relaxed"),
            ("s=sel; ", ""),
            ("d=Test.EX; ", ""),
            ("d=Test.EX", "d="),
            ("b=AAAA", "b=%"),
            ("b=AAAA\n\tBBBB", "b="),
            ("c=nofws", "c=nofws; c=nofws"),
            ("c=nofws", "nofws"),
        ] {
            assert!(Signature::parse(LINE.replace(from, to).as_bytes()).is_none(), "{to}");
        }
        let many: String = (0..1000).map(|i| format!("t{i}=1; ")).collect();
        assert!(Signature::parse(LINE.replace("q=dns", &many).as_bytes()).is_none());
        assert!(Signature::parse(b"").is_none());
    }

    #[test]
    fn senders() {
        let main = MainOptions::default();
        let find = |lines: &[&str]| {
            let lines: Vec<BString> = lines.iter().map(|l| BString::from(*l)).collect();
            Sender::find(&mut Rules::header(&main), &lines).map(|s| format!("{} {}", s.source.name(), s.address))
        };
        assert_eq!(find(&["To: x@y\n", "From: A <a@B.ex>, c@d.ex\n"]).unwrap(), "from a@B.ex");
        assert_eq!(find(&["From: a@b.ex\n", "Sender: s@t.ex\n"]).unwrap(), "sender s@t.ex");
        assert_eq!(find(&["From: \n"]), None);
        assert_eq!(find(&["From: a@b.ex\n", "Sender: <<<\n"]), None);
        assert_eq!(find(&[]), None);
    }

    #[test]
    fn header_forms() {
        let lines = [BString::from("From: a\n\t b \n"), "X: y\n".into(), "from : c\n".into()];
        let from = |n: &[u8]| n.eq_ignore_ascii_case(b"from");
        assert_eq!(signed_header(Canon::NoFws, &lines, from).as_bstr(), "From:ab\r\nfrom:c\r\n");
        assert_eq!(signed_header(Canon::Simple, &lines, |_| true).as_bstr(), "From: a\r\n\t b \r\nX: y\r\nfrom : c\r\n");
    }
}
