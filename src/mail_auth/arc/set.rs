//! The header lines of ARC sets (RFC 8617 4.1), by their instance numbers.

use bstr::{BString, ByteSlice};

use crate::mail_auth::body_watch::BodyWatch;
use crate::mail_auth::canon::Canon;
use crate::mail_auth::dkim::signature::{has_name, value_of, without_b};
use crate::mail_auth::key::Algorithm;
use crate::mail_auth::tags::{self, TagError, Tags};

/// The highest instance (RFC 8617 4.2.1).
pub const MAX_INSTANCE: u32 = 50;

/// The three names.
pub const NAMES: [&[u8]; 3] = [b"ARC-Authentication-Results", b"ARC-Message-Signature", b"ARC-Seal"];

/// A seal or a message signature.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The header line.
    pub line: BString,
    /// The same without the value of `b=`.
    pub without_b: BString,
    /// `a=`, if it is one that is known.
    pub algorithm: Option<Algorithm>,
    /// `d=`
    pub domain: BString,
    /// `s=`
    pub selector: BString,
    /// `cv=`
    pub cv: BString,
    /// `h=`, without white space.
    pub headers: BString,
    /// `c=`, its first half.
    pub canon_header: Canon,
    /// `bh=`
    pub body_hash: Vec<u8>,
    /// `b=`
    pub signature: Vec<u8>,
    /// The number of the body hash.
    pub body: usize,
}

/// One set.
#[derive(Clone, Debug, Default)]
pub struct Set {
    /// ARC-Authentication-Results.
    pub results: Option<BString>,
    /// ARC-Message-Signature.
    pub message: Option<Signed>,
    /// ARC-Seal.
    pub seal: Option<Signed>,
}

/// The sets of an arriving message.
#[derive(Clone, Debug, Default)]
pub struct Incoming {
    /// The header section as it came.
    pub lines: Vec<BString>,
    /// Sets from instance 1 on; missing ones are empty.
    pub sets: Vec<Set>,
    /// What is wrong with the header lines.
    pub problem: Option<String>,
}

/// The instance number in a line's value.
pub fn instance(value: &[u8]) -> Option<u32> {
    let first = value.split(|c| *c == b';').find_map(|part| {
        let (name, n) = part.split_once_str(b"=")?;
        (name.trim() == b"i").then(|| n.trim().to_vec())
    })?;
    let n: u32 = first.to_str().ok().filter(|s| s.bytes().all(|c| c.is_ascii_digit()))?.parse().ok()?;
    (1..=MAX_INSTANCE).contains(&n).then_some(n)
}

/// Collects them; `None` if there is no such line.
pub fn collect(lines: &[BString], watch: &mut BodyWatch) -> Option<Incoming> {
    let mut out = Incoming::default();
    for line in lines {
        let Some(which) = NAMES.iter().position(|n| has_name(line, n)) else { continue };
        if out.lines.is_empty() {
            out.lines = lines.to_vec();
        }
        if let Err(why) = add(&mut out.sets, which, line, watch) {
            out.problem.get_or_insert_with(|| format!("collecting headers: {why}"));
        }
    }
    (!out.lines.is_empty()).then_some(out)
}

fn add(sets: &mut Vec<Set>, which: usize, line: &BString, watch: &mut BodyWatch) -> Result<(), String> {
    let value = value_of(line);
    let n = instance(value).ok_or("instance find")?;
    let index = usize::try_from(n).unwrap_or(1) - 1;
    if sets.len() <= index {
        sets.resize(index + 1, Set::default());
    }
    let set = sets.get_mut(index).ok_or("overlarge instance number")?;
    match which {
        0 => {
            if set.results.replace(line.clone()).is_some() {
                return Err("dup hdr".into());
            }
        }
        1 => {
            let s = signed(line, true, watch)?;
            if set.message.replace(s).is_some() {
                return Err("dup hdr".into());
            }
        }
        _ => {
            let s = signed(line, false, watch)?;
            if set.seal.replace(s).is_some() {
                return Err("dup hdr".into());
            }
        }
    }
    Ok(())
}

fn signed(line: &BString, of_message: bool, watch: &mut BodyWatch) -> Result<Signed, String> {
    let tags = Tags::parse(value_of(line)).map_err(|e| match e {
        TagError::Duplicate => "tag duplicates",
        TagError::TooMany => "too many tags",
        TagError::Syntax => "tag syntax",
    })?;
    let word = |name: &str| BString::from(tags.compact(name).unwrap_or_default());
    let algorithm = Algorithm::parse(&word("a"));
    let canon = word("c");
    let (header, body) = canon.split_once_str(b"/").unwrap_or((canon.as_slice(), b"simple"));
    let form = |name: &[u8]| Canon::from_name(name).unwrap_or(Canon::Simple);
    let number = match (of_message, algorithm, tags.number("l")) {
        (true, Some(a), l) => watch.want(form(body), a.hash, l.and_then(Result::ok)),
        _ => usize::MAX,
    };
    if of_message && tags.get("bh").is_none() {
        return Err("missing bh".into());
    }
    Ok(Signed {
        line: line.clone(),
        without_b: without_b(line).into(),
        algorithm,
        domain: word("d").to_ascii_lowercase().into(),
        selector: word("s"),
        cv: word("cv").to_ascii_lowercase().into(),
        headers: word("h"),
        canon_header: form(header),
        body_hash: tags.get("bh").and_then(tags::base64).unwrap_or_default(),
        signature: tags.get("b").and_then(tags::base64).ok_or("missing b")?,
        body: number,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(lines: &[&str]) -> Option<String> {
        let lines: Vec<BString> = lines.iter().map(|l| BString::from(*l)).collect();
        collect(&lines, &mut BodyWatch::default()).unwrap().problem
    }

    #[test]
    fn hostile_headers() {
        assert!(collect(&["From: x\n".into()], &mut BodyWatch::default()).is_none());
        assert_eq!(problem(&["ARC-Authentication-Results: i=2; x\n"]), None);
        for bad in ["i=0; x", "i=51; x", "i=99999999999; x", "i=-1; x", "x", "i=1x; x"] {
            assert!(problem(&[&format!("ARC-Authentication-Results: {bad}\n")]).is_some(), "{bad}");
        }
        assert!(problem(&["ARC-Seal: i=1; a=rsa-sha256; d=x; d=y; b=aa\n"]).unwrap().ends_with("tag duplicates"));
        assert!(problem(&["ARC-Seal: i=1; b=AA==\n", "ARC-Seal: i=1; b=AA==\n"]).unwrap().ends_with("dup hdr"));
        assert!(problem(&["ARC-Message-Signature: i=1; a=rsa-sha256; b=AA==\n"]).unwrap().ends_with("missing bh"));
    }
}
