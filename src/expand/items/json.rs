//! JSON as `extract json` and `forany_json` see it: objects and arrays cut into their members as text.
//!
//! Numbers, escapes and white space within a value stay as they are written. It never panics, and a member that is
//! not well-formed is text like any other; brackets and quotes are followed only to find where it ends.

use crate::expand::{ExpandError, failed};
use crate::parse::Space as _;
use crate::parse::is_space;
use crate::text::Text;

/// Takes off a pair of wrapping characters and the white space around them.
fn unwrap<'a>(s: &'a [u8], open: u8, close: u8, what: &str) -> Result<&'a [u8], ExpandError> {
    let missing = |c: u8| failed(format!("missing '{}' wrapping {what}", char::from(c)));
    let s = s.trim_space();
    let Some(inner) = s.strip_prefix(&[open]) else { return missing(open) };
    match inner.strip_suffix(&[close]) {
        Some(inner) => Ok(inner),
        None => missing(close),
    }
}

/// The next member: up to a comma that is in no string, object or array. The rest is `None` after the last.
fn member(s: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut depth = 0usize;
    let mut in_string = false;
    let mut escaped = false;
    for (i, c) in s.iter().enumerate() {
        if in_string {
            match c {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => (),
            }
            continue;
        }
        match c {
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => return (s.get(..i).unwrap_or_default(), s.get(i + 1..)),
            _ => (),
        }
    }
    (s, None)
}

fn skip_space(s: &[u8]) -> &[u8] {
    let n = s.iter().take_while(|c| is_space(**c)).count();
    s.get(n..).unwrap_or_default()
}

/// All members of the inner text of an object or array.
fn members(inner: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    let mut rest = Some(inner);
    while let Some(r) = rest {
        let r = skip_space(r);
        if r.is_empty() {
            break;
        }
        let (one, tail) = member(r);
        out.push(one);
        rest = tail;
    }
    out
}

fn result(subject: &Text, value: &[u8], strings: bool) -> Result<Text, ExpandError> {
    let value = if strings { unwrap(value, b'"', b'"', "string result for extract jsons")? } else { value };
    Ok(subject.piece(value))
}

/// `${extract json{key}{subject}}`: element `number` of an array, or the member `key` of an object.
pub fn extract(subject: &Text, number: Option<i64>, key: &[u8], strings: bool) -> Result<Option<Text>, ExpandError> {
    if let Some(n) = number {
        let inner = unwrap(subject, b'[', b']', "array for extract json")?;
        let index = usize::try_from(n).ok().and_then(|n| n.checked_sub(1));
        return match index.and_then(|i| members(inner).into_iter().nth(i)) {
            Some(v) => result(subject, v, strings).map(Some),
            None => Ok(None),
        };
    }
    let mut rest = unwrap(subject, b'{', b'}', "object for extract json")?;
    loop {
        rest = skip_space(rest);
        if rest.is_empty() {
            return Ok(None);
        }
        let (one, tail) = member(rest);
        // The name ends at the first colon that is not in a string.
        let colon = colon_of(one);
        let name = one.get(..colon.unwrap_or(one.len())).unwrap_or_default();
        let Some(colon) = colon else {
            let quoted = name.starts_with(b"\"") && name.get(1..).is_some_and(|n| n.contains(&b'"'));
            return failed(if quoted {
                "missing object value-separator for extract json"
            } else {
                "missing '\"' wrapping string key for extract json"
            });
        };
        let name = unwrap(name, b'"', b'"', "string key for extract json")?;
        if name == key {
            let value = skip_space(one.get(colon + 1..).unwrap_or_default());
            return result(subject, value, strings).map(Some);
        }
        match tail {
            Some(t) => rest = t,
            None => return Ok(None),
        }
    }
}

fn colon_of(s: &[u8]) -> Option<usize> {
    let mut in_string = false;
    let mut escaped = false;
    for (i, c) in s.iter().enumerate() {
        match c {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b':' if !in_string => return Some(i),
            _ => (),
        }
    }
    None
}

/// The elements of an array, for `forany_json` and such.
pub fn array(subject: &Text, strings: bool) -> Result<Vec<Text>, ExpandError> {
    let inner = unwrap(subject, b'[', b']', "array for extract json")?;
    members(inner).into_iter().map(|v| result(subject, v, strings)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_elements() {
        let get = |s: &str, key: &str, strings| {
            extract(&Text::clean(s), None, key.as_bytes(), strings).map(|o| o.map(|t| t.to_string()))
        };
        assert_eq!(get(r#"{"a":1,"b":{"x":[1,2]},"c":"p,q"}"#, "b", false), Ok(Some(r#"{"x":[1,2]}"#.into())));
        assert_eq!(get(r#"{"a":1,"c":"p,q"}"#, "c", true), Ok(Some("p,q".into())));
        assert_eq!(get(r#"{"a":1}"#, "z", true), Ok(None));
        assert!(get(r#"{"a":1"#, "a", false).is_err());
        assert_eq!(array(&Text::clean(r#"["a\"]", "b"]"#), true).unwrap().len(), 2);
    }
}
