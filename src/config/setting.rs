//! One option setting: `[hide] [no_]name [= value]`, put into an option table (manual sections 6.11 to 6.19).
//!
//! The section readers call it for main options and for drivers' options.

use bstr::{BString, ByteSlice};

use super::ids;
use super::lines::read_quoted;
use super::options::{Given, OptionSet, OptionValue};

/// What a setting was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The option's name.
    pub name: String,
    /// `hide` stood before it.
    pub hidden: bool,
}

/// A line taken apart, not yet looked up.
#[derive(Debug)]
pub struct Parts<'a> {
    /// `hide` stood before it.
    pub hidden: bool,
    /// The word.
    pub word: &'a [u8],
    /// What follows it, without leading white space.
    pub rest: &'a [u8],
}

/// Splits a line into `hide`, word and rest.
pub fn split(line: &[u8]) -> Parts<'_> {
    let mut rest = line.trim_start();
    let mut hidden = false;
    while let Some(after) = rest.strip_prefix(b"hide").filter(|r| r.first().is_none_or(u8::is_ascii_whitespace)) {
        hidden = true;
        rest = after.trim_start();
    }
    let end = rest.iter().position(|c| !(c.is_ascii_alphanumeric() || *c == b'_')).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    Parts { hidden, word, rest: after.trim_start() }
}

/// Routers' options that stand for two others, and set both.
const PAIRS: [(&str, [&str; 2]); 2] =
    [("fail_verify", ["fail_verify_sender", "fail_verify_recipient"]), ("verify", ["verify_sender", "verify_recipient"])];

/// Finds the option that a word names, with its negation.
fn find<'a>(word: &str, sets: &'a mut [&mut dyn OptionSet]) -> Option<(String, bool, &'a mut dyn OptionValue)> {
    let stripped = word.strip_prefix("no_").or(word.strip_prefix("not_"));
    for (name, negated) in [(Some(word), false), (stripped, true)] {
        let Some(name) = name else { continue };
        if let Some(i) = sets.iter().position(|s| s.option(name).is_some()) {
            let set = sets.get_mut(i)?;
            return set.option_mut(name).map(|o| (name.to_string(), negated, o));
        }
    }
    None
}

/// Sets an option in the first of the tables that has it. `Ok(None)`: no table knows the word. `done` holds the names
/// set so far, and gets the new one.
pub fn apply(parts: &Parts<'_>, sets: &mut [&mut dyn OptionSet], done: &mut Vec<String>) -> Result<Option<Setting>, String> {
    let Ok(word) = parts.word.to_str() else { return Ok(None) };
    let Some((name, negated, option)) = find(word, sets) else { return Ok(None) };
    if done.contains(&name) && !option.repeatable() {
        return Err(format!("\"{name}\" option set for the second time"));
    }
    if negated && !option.is_bool() {
        return Err("negation prefix applied to a non-boolean option".into());
    }
    let value;
    let given = if option.is_bool() && (negated || !parts.rest.starts_with(b"=")) {
        if !parts.rest.is_empty() {
            return Err(format!("extra characters follow boolean option {word}"));
        }
        Given::Bare(!negated)
    } else {
        if parts.rest.is_empty() {
            return Err(format!("unexpected end of line (data missing) after {name}"));
        }
        let Some(text) = parts.rest.strip_prefix(b"=") else {
            return Err(format!("missing \"=\" after {name}"));
        };
        let text = text.trim_start();
        value = if option.is_string() { string(&name, text)? } else { text.into() };
        check_ids(&name, &value)?;
        Given::Value(&value)
    };
    option.set(&name, &given)?;
    for other in PAIRS.iter().filter(|(pair, _)| *pair == name).flat_map(|(_, both)| both) {
        if let Some((_, _, option)) = find(other, sets) {
            option.set(&name, &given)?;
        }
    }
    done.push(name.clone());
    Ok(Some(Setting { name, hidden: parts.hidden }))
}

/// A string value, quoted or not.
pub fn string(name: &str, text: &[u8]) -> Result<BString, String> {
    if text.first() != Some(&b'"') {
        return Ok(text.trim_end().into());
    }
    match read_quoted(text) {
        None => Err(format!("missing quote at end of string value for {name}")),
        Some((_, rest)) if !rest.trim().is_empty() => Err(format!("extra characters follow string value for {name}")),
        Some((value, _)) => Ok(value),
    }
}

/// Options that name one user or group are looked up at once, unless they are to be expanded.
fn check_ids(name: &str, value: &BString) -> Result<(), String> {
    if value.is_empty() || value.contains(&b'$') {
        return Ok(());
    }
    match name {
        "exim_user" | "system_filter_user" | "user" | "command_user" => ids::need_user(value).map(drop),
        "exim_group" | "system_filter_group" | "group" | "command_group" => ids::need_group(value).map(drop),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::main_options::MainOptions;

    fn err(line: &str) -> String {
        let mut m = MainOptions::default();
        apply(&split(line.as_bytes()), &mut [&mut m], &mut Vec::new()).unwrap_err()
    }

    #[test]
    fn errors() {
        assert_eq!(err("finduser_retries"), "unexpected end of line (data missing) after finduser_retries");
        assert_eq!(err("finduser_retries 3"), "missing \"=\" after finduser_retries");
        assert_eq!(err("queue_only = maybe"), "\"maybe\" is not a valid value for the \"queue_only\" option");
        assert_eq!(err("queue_only = true x"), "extra characters follow \"true\" for boolean option queue_only");
        assert_eq!(err("queue_only x"), "extra characters follow boolean option queue_only");
        assert_eq!(err("no_queue_only = false"), "extra characters follow boolean option no_queue_only");
        assert_eq!(err("no_finduser_retries"), "negation prefix applied to a non-boolean option");
        assert_eq!(err("primary_hostname = \"abc"), "missing quote at end of string value for primary_hostname");
        assert_eq!(err("queue_only_load = x"), "fixed-point number expected for queue_only_load");
        assert_eq!(err("delay_warning = 2h:1h"), "time value out of order for delay_warning");
    }

    #[test]
    fn values() {
        let mut m = MainOptions::default();
        let mut done = Vec::new();
        let s = apply(&split(b"hide not_queue_only"), &mut [&mut m], &mut done).unwrap().unwrap();
        assert!(s.hidden && s.name == "queue_only" && !m.queue_only);
        apply(&split(b"hold_domains=\"a\""), &mut [&mut m], &mut done).unwrap();
        assert_eq!(m.hold_domains.raw(), Some(&b"a"[..]));
        assert!(apply(&split(b"hold_domains = b"), &mut [&mut m], &mut done).is_err());
        assert!(apply(&split(b"foo = b"), &mut [&mut m], &mut done).unwrap().is_none());
    }
}
