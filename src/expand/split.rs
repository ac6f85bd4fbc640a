//! Splitting of command lines into arguments, as for `${run}` and the pipe transport (manual 29.3): an argument is
//! a run of non-spaces, or a string in single or double quotes; only the latter have escapes.

use super::parser::escape;
use crate::parse::is_space;

/// The arguments of a command line.
pub fn arguments(command: &[u8]) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = command;
    loop {
        let skip = rest.iter().take_while(|c| is_space(**c)).count();
        rest = rest.get(skip..).unwrap_or_default();
        let Some(first) = rest.first() else { return out };
        let (arg, tail) = match first {
            b'\'' => single(rest.get(1..).unwrap_or_default()),
            b'"' => dequote(rest),
            _ => {
                let len = rest.iter().take_while(|c| !is_space(**c)).count();
                let (a, t) = rest.split_at(len);
                (a.to_vec(), t)
            }
        };
        out.push(arg);
        rest = tail;
    }
}

fn single(s: &[u8]) -> (Vec<u8>, &[u8]) {
    let len = s.iter().take_while(|c| **c != b'\'').count();
    let (a, t) = s.split_at(len);
    (a.to_vec(), t.get(1..).unwrap_or_default())
}

/// Takes a word that may be in double quotes (with escapes), as `${extract}` values and command arguments are:
/// the word, and what follows it. A word without quotes ends at white space.
pub fn dequote(s: &[u8]) -> (Vec<u8>, &[u8]) {
    let skip = s.iter().take_while(|c| is_space(**c)).count();
    let s = s.get(skip..).unwrap_or_default();
    let Some(mut rest) = s.strip_prefix(b"\"") else {
        let len = s.iter().take_while(|c| !is_space(**c)).count();
        let (word, tail) = s.split_at(len);
        return (word.to_vec(), tail);
    };
    let mut out = Vec::new();
    while let Some((c, tail)) = rest.split_first() {
        match c {
            b'"' => return (out, tail),
            b'\\' if !tail.is_empty() => {
                let (c, used) = escape(tail);
                out.push(c);
                rest = tail.get(used..).unwrap_or_default();
            }
            c => {
                out.push(*c);
                rest = tail;
            }
        }
    }
    (out, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let args = arguments(b"/bin/echo a  \"b\\tc\" 'd\\te' f\"g\" \"a\"b");
        assert_eq!(args, [&b"/bin/echo"[..], b"a", b"b\tc", b"d\\te", b"f\"g\"", b"a", b"b"]);
    }
}
