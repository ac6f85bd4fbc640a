//! The parser of ACLs: from lines of the configuration, or from text (an inline ACL, a file).

use bstr::{BString, ByteSlice};

use super::ast::{Acl, Item, Kind, Statement, Variable, Verb};
use super::table;
use crate::expand::Template;

/// One logical line and where it stands.
pub struct Line {
    /// The text, without surrounding white space and continuation marks.
    pub text: BString,
    /// File and line, if it is in the configuration.
    pub source: Option<String>,
}

/// Parses logical lines. An error comes with the index of its line.
pub fn parse_lines(name: &[u8], lines: impl IntoIterator<Item = Line>) -> Result<Acl, (usize, String)> {
    let mut acl = Acl { name: name.into(), statements: Vec::new() };
    for (i, line) in lines.into_iter().enumerate() {
        parse_line(&mut acl, &line).map_err(|e| (i, e))?;
    }
    Ok(acl)
}

/// Parses text: the lines of a file or of an inline ACL.
pub fn parse_text(name: &[u8], text: &[u8]) -> Result<Acl, String> {
    parse_lines(name, logical_lines(text).into_iter().map(|text| Line { text, source: None })).map_err(|(_, e)| e)
}

fn parse_line(acl: &mut Acl, line: &Line) -> Result<(), String> {
    let whole = line.text.as_bstr();
    let malformed = || format!("malformed ACL line \"{whole}\"");
    let mut rest = line.text.trim_start();
    let mut negated = strip_not(&mut rest);
    let mut name = read_name(&mut rest);
    if rest.first() == Some(&b':') || name.is_empty() {
        return Err(malformed());
    }
    if let Some(verb) = Verb::from_name(name) {
        if negated {
            return Err(malformed());
        }
        acl.statements.push(Statement { verb, items: Vec::new(), source: line.source.clone() });
        if rest.is_empty() {
            return Ok(());
        }
        negated = strip_not(&mut rest);
        name = read_name(&mut rest);
    }
    let Some(statement) = acl.statements.last_mut() else {
        return Err(format!("unknown ACL verb \"{}\" in \"{whole}\"", name.as_bstr()));
    };
    let info = table::by_name(name).ok_or_else(|| format!("unknown ACL condition/modifier in \"{whole}\""))?;
    if info.kind == Kind::BmiOptin && !crate::build_options::EXPERIMENTAL_BRIGHTMAIL {
        return Err(format!("unknown ACL condition/modifier in \"{whole}\""));
    }
    if info.kind == Kind::Missing {
        return Err(format!("ACL condition \"{}\" is not implemented", info.name));
    }
    if negated && info.modifier {
        return Err(format!("ACL error: negation is not allowed with \"{}\"", info.name));
    }
    if info.kind == Kind::Endpass && !matches!(statement.verb, Verb::Accept | Verb::Discard) {
        return Err(format!("ACL error: \"{}\" is not allowed with \"{}\"", info.name, statement.verb.name()));
    }
    let variable = if info.kind == Kind::Set { Some(set_variable(&mut rest)?) } else { None };
    let mut arg = rest;
    if info.kind != Kind::Endpass {
        let what = if info.modifier { "modifier" } else { "condition" };
        arg =
            rest.strip_prefix(b"=").ok_or_else(|| format!("\"=\" missing after ACL \"{}\" {what}", name.as_bstr()))?.trim_start();
    }
    statement.items.push(Item { kind: info.kind, negated, arg: Template::new(arg), variable });
    Ok(())
}

fn strip_not(rest: &mut &[u8]) -> bool {
    match rest.strip_prefix(b"!") {
        Some(r) => {
            *rest = r.trim_start();
            true
        }
        None => false,
    }
}

/// A name: a letter, then letters, digits and underscores; white space after it goes too.
fn read_name<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let s = *rest;
    let n = match s.first() {
        Some(c) if c.is_ascii_alphabetic() => s.iter().take_while(|c| c.is_ascii_alphanumeric() || **c == b'_').count(),
        _ => 0,
    };
    let (name, after) = s.split_at_checked(n).unwrap_or((s, b""));
    *rest = after.trim_start();
    name
}

/// The variable of `set`; `rest` is left at the `=`.
fn set_variable(rest: &mut &[u8]) -> Result<Variable, String> {
    let s = *rest;
    let shown = s.as_bstr();
    let bad = |why: &str| format!("invalid variable name after \"set\" in ACL modifier \"set {shown}\" ({why})");
    for (name, v) in [("dkim_verify_status", Variable::DkimStatus), ("dkim_verify_reason", Variable::DkimReason)] {
        if let Some(after) = s.strip_prefix(name.as_bytes()).filter(|a| !a.first().is_some_and(u8::is_ascii_alphanumeric)) {
            *rest = after.trim_start();
            return Ok(v);
        }
    }
    let (connection, tail) = match s.get(..5) {
        Some(b"acl_c") => (true, &s[5..]),
        Some(b"acl_m") => (false, &s[5..]),
        _ => return Err(bad("must start \"acl_c\" or \"acl_m\"")),
    };
    if !tail.first().is_some_and(|c| c.is_ascii_digit() || *c == b'_') {
        return Err(bad("digit or underscore must follow acl_c or acl_m"));
    }
    let n = tail.iter().take_while(|c| **c != b'=' && !c.is_ascii_whitespace()).count();
    let (name, after) = tail.split_at_checked(n).unwrap_or((tail, b""));
    if let Some(c) = name.iter().find(|c| !c.is_ascii_alphanumeric() && **c != b'_') {
        return Err(format!("invalid character \"{}\" in variable name in ACL modifier \"set {shown}\"", char::from(*c)));
    }
    *rest = after.trim_start();
    Ok(if connection { Variable::Connection(name.into()) } else { Variable::Message(name.into()) })
}

/// Splits text into logical lines: comments go, a line that ends with a backslash goes on in the next one.
fn logical_lines(text: &[u8]) -> Vec<BString> {
    let mut out: Vec<BString> = Vec::new();
    let mut open: Option<Vec<u8>> = None;
    for physical in text.split(|c| *c == b'\n') {
        let line = physical.trim_start();
        if line.first() == Some(&b'#') {
            continue;
        }
        let trimmed = line.trim_end();
        let continues = trimmed.last() == Some(&b'\\');
        if open.is_none() && trimmed.is_empty() {
            continue;
        }
        let piece = if continues { trimmed.get(..trimmed.len() - 1).unwrap_or_default() } else { line };
        let mut whole = open.take().unwrap_or_default();
        whole.extend_from_slice(piece);
        if continues {
            open = Some(whole);
        } else {
            out.push(whole.into());
        }
    }
    out.extend(open.map(BString::from));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(s: &str) -> String {
        parse_text(b"", s.as_bytes()).map(|_| String::new()).unwrap_or_else(|e| e)
    }

    #[test]
    fn statements() {
        let a = parse_text(b"x", b"accept hosts = : \\\n  a\n # c\n !verify=sender\n\nwarn set acl_m_a = 1\nDENY").unwrap();
        assert_eq!(a.statements.len(), 3);
        assert_eq!(a.statements[0].items[0].arg.raw(), b": a");
        assert!(a.statements[0].items[1].negated);
        assert_eq!(a.statements[1].items[0].variable.as_ref().unwrap().name(), "acl_m_a");
        assert_eq!(a.statements[2].verb, Verb::Deny);
    }

    #[test]
    fn errors() {
        assert_eq!(error("hosts = x"), "unknown ACL verb \"hosts\" in \"hosts = x\"");
        assert_eq!(error("accept foo = x"), "unknown ACL condition/modifier in \"accept foo = x\"");
        assert_eq!(error("deny endpass"), "ACL error: \"endpass\" is not allowed with \"deny\"");
        assert_eq!(error("deny !message = x"), "ACL error: negation is not allowed with \"message\"");
        assert_eq!(error("deny hosts x"), "\"=\" missing after ACL \"hosts\" condition");
        assert_eq!(error("!deny"), "malformed ACL line \"!deny\"");
        assert!(error("warn set acl_x = 1").contains("must start"));
        assert!(error("accept atrn_domains = x").contains("not implemented"));
    }
}
