//! The policy record of a domain (RFC 7489 6.3, and RFC 9091 for `np=`).

use bstr::{BString, ByteSlice};

use crate::mail_auth::tags::Tags;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Policy {
    None,
    Quarantine,
    Reject,
}

impl Policy {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Policy::None => "none",
            Policy::Quarantine => "quarantine",
            Policy::Reject => "reject",
        }
    }

    fn from_name(name: &[u8]) -> Option<Policy> {
        [Policy::None, Policy::Quarantine, Policy::Reject].into_iter().find(|p| p.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// What those get whom `pct` spares.
    pub fn milder(self) -> Policy {
        match self {
            Policy::Reject => Policy::Quarantine,
            Policy::Quarantine | Policy::None => Policy::None,
        }
    }
}

/// When the domain wants forensic reports (`fo=`): each that holds is a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureOptions {
    /// `0`: nothing vouches for the domain.
    pub all: bool,
    /// `1`: SPF or DKIM does not vouch for it.
    pub any: bool,
    /// `d`: a DKIM signature is not right, whoever made it.
    pub dkim: bool,
    /// `s`: SPF fails, whatever the domain.
    pub spf: bool,
}

impl FailureOptions {
    /// What holds without the tag.
    pub const DEFAULT: FailureOptions = FailureOptions { all: true, any: false, dkim: false, spf: false };

    /// Reads a list with colons; words that nobody knows do not matter.
    fn parse(text: &[u8]) -> FailureOptions {
        let has = |word: &[u8]| text.split(|c| *c == b':').any(|w| w.trim().eq_ignore_ascii_case(word));
        let found = FailureOptions { all: has(b"0"), any: has(b"1"), dkim: has(b"d"), spf: has(b"s") };
        if found.words().is_empty() { FailureOptions::DEFAULT } else { found }
    }

    /// As it is written.
    pub fn words(self) -> String {
        let all = [(self.all, "0"), (self.any, "1"), (self.dkim, "d"), (self.spf, "s")];
        all.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect::<Vec<_>>().join(":")
    }
}

/// A policy record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `p=`
    pub policy: Policy,
    /// `sp=`
    pub subdomains: Option<Policy>,
    /// `np=`: for subdomains that do not exist.
    pub nonexistent: Option<Policy>,
    /// `fo=`
    pub failure: FailureOptions,
    /// `adkim=s`
    pub strict_dkim: bool,
    /// `aspf=s`
    pub strict_spf: bool,
    /// `pct=`
    pub percent: u32,
    /// `rua=`, `mailto:` addresses without that word and without `!size`.
    pub aggregate: Vec<BString>,
    /// `ruf=`, the same.
    pub forensic: Vec<BString>,
    /// `rua=` as it was written.
    pub rua: Vec<BString>,
}

/// More addresses than this are not written to.
const MAX_ADDRESSES: usize = 10;

/// Reads a record; `None` if it is none, or cannot be used.
pub fn parse(text: &[u8]) -> Option<Record> {
    let tags = Tags::parse(text).ok()?;
    let start = text.trim_start();
    if tags.get("v") != Some(b"DMARC1") || !start.starts_with(b"v") {
        return None;
    }
    let uris = |name: &str| -> Vec<BString> {
        let list = tags.get(name).unwrap_or_default().split(|c| *c == b',');
        list.map(|u| BString::from(u.trim())).filter(|u| !u.is_empty()).take(MAX_ADDRESSES).collect()
    };
    let rua = uris("rua");
    let aggregate = mail_addresses(&rua);
    let policy = |name: &str| tags.get(name).map(Policy::from_name);
    // A bad policy with an address for reports is one that asks for nothing (RFC 7489 6.6.3).
    let (policy, subdomains) = match (policy("p"), policy("sp")) {
        (Some(Some(p)), None) => (p, None),
        (Some(Some(p)), Some(Some(sp))) => (p, Some(sp)),
        _ if !aggregate.is_empty() => (Policy::None, None),
        _ => return None,
    };
    let strict = |name: &str| tags.get(name).is_some_and(|v| v.eq_ignore_ascii_case(b"s"));
    let percent = match tags.number("pct") {
        Some(Ok(n)) if n <= 100 => u32::try_from(n).unwrap_or(100),
        _ => 100,
    };
    let forensic = mail_addresses(&uris("ruf"));
    Some(Record {
        policy,
        subdomains,
        // A word that is none is as if it were not there.
        nonexistent: tags.get("np").and_then(Policy::from_name),
        failure: tags.get("fo").map_or(FailureOptions::DEFAULT, FailureOptions::parse),
        strict_dkim: strict("adkim"),
        strict_spf: strict("aspf"),
        percent,
        aggregate,
        forensic,
        rua,
    })
}

fn mail_addresses(uris: &[BString]) -> Vec<BString> {
    uris.iter()
        .filter(|u| u.get(..7).is_some_and(|s| s.eq_ignore_ascii_case(b"mailto:")))
        .map(|u| BString::from(u[7..].split(|c| *c == b'!').next().unwrap_or_default()))
        .filter(|a| a.contains(&b'@') && a.iter().all(u8::is_ascii_graphic) && !a.contains(&b','))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records() {
        let r = parse(b"v=DMARC1; p=reject; sp=none; pct=50; adkim=s; rua=mailto:a@b.ex!5m, mailto:c@d.ex,http://x").unwrap();
        assert_eq!(
            (r.policy, r.subdomains, r.percent, r.strict_dkim, r.strict_spf),
            (Policy::Reject, Some(Policy::None), 50, true, false)
        );
        assert_eq!(r.aggregate, ["a@b.ex", "c@d.ex"]);
        assert_eq!(parse(b"v=DMARC1; p=foo; rua=mailto:a@b").unwrap().policy, Policy::None);
        for bad in [
            "",
            "v=DMARC2; p=none",
            "p=none; v=DMARC1",
            "v=DMARC1",
            "v=DMARC1; p=foo",
            "v=DMARC1; p=none; p=reject",
            "v=DMARC1 p=none",
        ] {
            assert!(parse(bad.as_bytes()).is_none(), "{bad}");
        }
        assert_eq!(parse(b"v=DMARC1;p=none;pct=9999").unwrap().percent, 100);
    }

    #[test]
    fn policy_of_what_does_not_exist() {
        let np = |text: &str| parse(text.as_bytes()).unwrap().nonexistent;
        assert_eq!(np("v=DMARC1; p=none; np=reject"), Some(Policy::Reject));
        assert_eq!(np("v=DMARC1; p=none; np=ruin"), None);
        assert_eq!(np("v=DMARC1; p=none"), None);
    }

    #[test]
    fn failure_options() {
        let fo = |text: &str| parse(format!("v=DMARC1; p=none; {text}").as_bytes()).unwrap().failure.words();
        for (text, words) in [
            ("", "0"),
            ("fo=1", "1"),
            ("fo=D : s", "d:s"),
            ("fo=s:1:0:d", "0:1:d:s"),
            ("fo=x:d", "d"),
            ("fo=x", "0"),
            ("fo=", "0"),
            ("fo=1:1:1", "1"),
        ] {
            assert_eq!(fo(text), words, "{text}");
        }
    }
}
