//! The tests of Sieve's `if`. A pure function of the bytes; only `parse` calls it.

use bstr::{BString, ByteSlice};

use super::ast::{Comparator, Envelope, Match, MatchType, Part, Test};
use super::lex::Mistake;
use super::parse::{MAX_DEPTH, Parser, need};

/// Header lines that hold addresses.
const ADDRESS_HEADERS: [&str; 7] = ["from", "to", "cc", "bcc", "sender", "resent-from", "resent-to"];

/// Reads one test.
pub(super) fn test(p: &mut Parser<'_>, depth: usize) -> Result<Test, Mistake> {
    if depth > MAX_DEPTH {
        return Err("tests are nested too deeply".into());
    }
    p.lex.skip()?;
    if p.lex.word("true") {
        Ok(Test::Constant(true))
    } else if p.lex.word("false") {
        Ok(Test::Constant(false))
    } else if p.lex.word("not") {
        Ok(Test::Not(Box::new(test(p, depth + 1)?)))
    } else if p.lex.word("allof") {
        list(p, depth).map(Test::All)
    } else if p.lex.word("anyof") {
        list(p, depth).map(Test::Any)
    } else if p.lex.word("exists") {
        headers(p).map(Test::Exists)
    } else if p.lex.word("size") {
        size(p)
    } else if p.lex.word("header") {
        let (_, mut how) = tags(p, false)?;
        let names = headers(p)?;
        how.keys = keys(p)?;
        Ok(Test::Header(names, how))
    } else if p.lex.word("address") {
        let (part, mut how) = tags(p, true)?;
        let names = headers(p)?;
        let known = |n: &BString| ADDRESS_HEADERS.iter().any(|a| n.eq_ignore_ascii_case(a.as_bytes()));
        if !names.iter().all(known) {
            return Err("invalid header field".into());
        }
        how.keys = keys(p)?;
        Ok(Test::Address(part, names, how))
    } else if p.lex.word("envelope") {
        need(p.required.envelope, "envelope")?;
        let (part, mut how) = tags(p, true)?;
        p.lex.skip()?;
        let names = p.lex.strings()?.ok_or("envelope string list expected")?;
        let fields: Option<Vec<Envelope>> = names.iter().map(|n| envelope(n)).collect();
        let fields = fields.ok_or("invalid envelope string")?;
        how.keys = keys(p)?;
        Ok(Test::Envelope(part, fields, how))
    } else if p.lex.word("valid_notify_method") {
        need(p.required.enotify, "enotify")?;
        p.lex.skip()?;
        Ok(Test::ValidNotify(p.lex.strings()?.ok_or("URI string list expected")?))
    } else if p.lex.word("notify_method_capability") {
        need(p.required.enotify, "enotify")?;
        let (_, mut how) = tags(p, false)?;
        p.lex.skip()?;
        let uri = p.lex.string()?.ok_or("missing notification URI string")?;
        p.lex.skip()?;
        let capability = p.lex.string()?.ok_or("missing notification capability string")?;
        how.keys = keys(p)?;
        Ok(Test::NotifyCapability(uri, capability, how))
    } else {
        Err("missing test".into())
    }
}

fn list(p: &mut Parser<'_>, depth: usize) -> Result<Vec<Test>, Mistake> {
    p.lex.skip()?;
    if !p.lex.sign(b'(') {
        return Err("missing test list".into());
    }
    let mut all = Vec::new();
    loop {
        all.push(test(p, depth + 1)?);
        p.lex.skip()?;
        if p.lex.sign(b')') {
            return Ok(all);
        }
        if !p.lex.sign(b',') {
            return Err("missing closing paren".into());
        }
    }
}

fn size(p: &mut Parser<'_>) -> Result<Test, Mistake> {
    p.lex.skip()?;
    let over = p.lex.word(":over");
    if !over && !p.lex.word(":under") {
        return Err("missing :over or :under".into());
    }
    p.lex.skip()?;
    let number = p.lex.number()?.ok_or("missing number")?;
    Ok(Test::Size(over, number))
}

/// Names of header lines.
fn headers(p: &mut Parser<'_>) -> Result<Vec<BString>, Mistake> {
    p.lex.skip()?;
    let Some(names) = p.lex.strings()? else {
        // A list that is begun is a list with a mistake.
        return Err(if p.lex.sign(b'[') { "missing string list".into() } else { "header string list expected".into() });
    };
    // Eight-bit names are taken, as the rest of the program takes them.
    let valid = |n: &BString| n.iter().all(|c| (*c > b' ' && *c != b':' && *c != 0x7f) || *c >= 0x80);
    if names.iter().all(valid) { Ok(names) } else { Err("invalid header field".into()) }
}

fn keys(p: &mut Parser<'_>) -> Result<Vec<BString>, Mistake> {
    p.lex.skip()?;
    match p.lex.strings()? {
        Some(keys) => Ok(keys),
        None if p.lex.sign(b'[') => Err("missing string list".into()),
        None => Err("key string list expected".into()),
    }
}

fn envelope(name: &[u8]) -> Option<Envelope> {
    match name.to_ascii_lowercase().as_slice() {
        b"from" => Some(Envelope::From),
        b"to" => Some(Envelope::To),
        _ => None,
    }
}

/// `:comparator`, match type and address part, in any order.
fn tags(p: &mut Parser<'_>, parts: bool) -> Result<(Part, Match), Mistake> {
    let (mut comparator, mut kind, mut part) = (None, None, None);
    loop {
        p.lex.skip()?;
        if p.lex.word(":comparator") {
            if comparator.is_some() {
                return Err("comparator already specified".into());
            }
            p.lex.skip()?;
            let name = p.lex.string()?.ok_or("missing comparator")?;
            comparator = Some(match name.to_ascii_lowercase().as_bytes() {
                b"i;octet" => Comparator::Octet,
                b"i;ascii-casemap" | b"en;ascii-casemap" => Comparator::Casemap,
                b"i;ascii-numeric" => Comparator::Numeric,
                _ => return Err("invalid comparator".into()),
            });
            continue;
        }
        let types = [(":is", MatchType::Is), (":contains", MatchType::Contains), (":matches", MatchType::Matches)];
        if let Some((_, k)) = types.iter().find(|(w, _)| p.lex.word(w)) {
            if kind.replace(*k).is_some() {
                return Err("match type already specified".into());
            }
            continue;
        }
        let all = [
            (":all", Part::All),
            (":localpart", Part::Local),
            (":domain", Part::Domain),
            (":user", Part::User),
            (":detail", Part::Detail),
        ];
        match all.iter().find(|(w, _)| parts && p.lex.word(w)) {
            Some((_, found)) => {
                if matches!(found, Part::User | Part::Detail) {
                    need(p.required.subaddress, "subaddress")?;
                }
                if part.replace(*found).is_some() {
                    return Err("address part already specified".into());
                }
            }
            None => break,
        }
    }
    let how = Match { comparator: comparator.unwrap_or_default(), kind: kind.unwrap_or_default(), keys: Vec::new() };
    Ok((part.unwrap_or_default(), how))
}
