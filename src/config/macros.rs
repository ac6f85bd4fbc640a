//! Macros: those of the file, those of `-D`, and the ones built into the program (manual sections 6.4 to 6.9).
//!
//! The line reader calls it for every line; `-bP macros` lists the table.

use crate::parse::Space as _;
use bstr::{BString, ByteSlice};

use super::Macro;

/// Longest line that macros may make.
const MAX_LINE: usize = 1 << 20;

/// All macros, in the order in which they are tried.
#[derive(Clone, Debug, Default)]
pub struct Macros {
    list: Vec<Macro>,
    builtin: usize,
    /// Replacements so far, of macros that are not built in: `-be` shows them when debugging.
    uses: Vec<(BString, BString)>,
}

impl Macros {
    /// The built-in ones, then those of the command line.
    pub fn new(command_line: Vec<Macro>) -> Self {
        let mut list = super::builtin::macros();
        let builtin = list.len();
        list.extend(command_line);
        Macros { list, builtin, uses: Vec::new() }
    }

    /// The table of a finished configuration again, for lines of `-be`.
    pub fn of(list: &[Macro]) -> Self {
        let builtin = list.iter().take_while(|m| m.builtin).count();
        Macros { list: list.to_vec(), builtin, uses: Vec::new() }
    }

    /// What was replaced, in order.
    pub fn take_uses(&mut self) -> Vec<(BString, BString)> {
        std::mem::take(&mut self.uses)
    }

    /// The table, for the finished configuration.
    pub fn into_list(self) -> Vec<Macro> {
        self.list
    }

    /// Replaces macros in a line from `from` on; says whether there was any. Each is searched for in turn; what
    /// replaces it is not searched again for the same one.
    pub fn expand(&mut self, line: &mut BString, from: usize) -> Result<bool, String> {
        let mut found = false;
        // All names begin with an upper case letter, those of built-in ones with an underscore before it.
        let rest = line.get(from..).unwrap_or_default();
        // Without a way out of the loop it takes many bytes at a time.
        if !rest.iter().fold(false, |found, c| found | c.is_ascii_uppercase()) {
            return Ok(false);
        }
        let may_have_builtin = rest.windows(2).any(|w| w[0] == b'_' && w[1].is_ascii_uppercase());
        let start = if may_have_builtin { 0 } else { self.builtin };
        for m in self.list.get(start..).unwrap_or_default() {
            let mut at = from;
            while let Some(i) = line.get(at..).and_then(|rest| rest.find(&m.name)) {
                let begin = at + i;
                let end = begin + m.name.len();
                line.replace_range_bytes(begin, end, &m.value);
                at = begin + m.value.len();
                found = true;
                if !m.builtin {
                    self.uses.push((m.name.clone(), m.value.clone()));
                }
                if line.len() > MAX_LINE {
                    return Err("line is too long after macro expansion".into());
                }
            }
        }
        Ok(found)
    }

    /// Takes a definition line, `NAME = value` or `NAME == value`. The error's flag says that it has no line number.
    pub fn define(&mut self, line: &[u8]) -> Result<(), (bool, String)> {
        let Some((name, again, value)) = split_definition(line) else {
            return Err((true, "malformed macro definition".into()));
        };
        let shown = name.as_bstr();
        if let Some(m) = self.list.iter_mut().find(|m| m.name == name) {
            if m.command_line {
                return Ok(());
            }
            if !again {
                return Err((false, format!("macro \"{shown}\" is already defined (use \"==\" if you want to redefine it)")));
            }
            m.value = value.into();
            return Ok(());
        }
        if again {
            return Err((false, format!("can't redefine an undefined macro \"{shown}\"")));
        }
        if let Some(m) = self.list.iter().find(|m| name.contains_str(&m.name)) {
            return Err((
                false,
                format!(
                    "\"{shown}\" cannot be defined as a macro because previously defined macro \"{}\" is a substring",
                    m.name
                ),
            ));
        }
        self.list.push(Macro { name: name.into(), value: value.into(), command_line: false, builtin: false });
        Ok(())
    }
}

/// Name, "it is ==", and value of a definition line.
pub fn split_definition(line: &[u8]) -> Option<(&[u8], bool, &[u8])> {
    let end = definition_name(line)?;
    let (name, rest) = line.split_at(end);
    let rest = rest.skip_space().strip_prefix(b"=")?;
    let (again, value) = match rest.strip_prefix(b"=") {
        Some(v) => (true, v),
        None => (false, rest),
    };
    Some((name, again, value.trim_space()))
}

/// Length of the macro name that the line begins with.
fn definition_name(line: &[u8]) -> Option<usize> {
    if !line.first().is_some_and(u8::is_ascii_uppercase) {
        return None;
    }
    Some(line.iter().position(|c| !(c.is_ascii_alphanumeric() || *c == b'_')).unwrap_or(line.len()))
}

/// Where macros may be replaced in a line: after the name that it defines, if it is a definition.
pub fn replace_from(line: &[u8]) -> usize {
    let lead = line.len() - line.skip_space().len();
    let body = line.get(lead..).unwrap_or_default();
    match definition_name(body) {
        Some(end) if body.get(end..).is_some_and(|r| r.skip_space().starts_with(b"=")) => lead + end,
        _ => 0,
    }
}

/// A `-D` argument: `NAME`, `NAME=value`. The errors are the reference's, after `exim: `.
pub fn command_line(argument: &[u8]) -> Result<Macro, String> {
    let s = argument.skip_space();
    if !s.first().is_some_and(u8::is_ascii_uppercase) {
        return Err("macro name set by -D must start with an upper case letter".into());
    }
    let end = s.iter().position(|c| !(c.is_ascii_alphanumeric() || *c == b'_')).unwrap_or(s.len());
    let (name, rest) = s.split_at(end);
    let rest = rest.skip_space();
    let value = match rest.strip_prefix(b"=") {
        Some(v) => v.skip_space(),
        None if rest.is_empty() => rest,
        None => return Err(format!("malformed -D macro definition: {}", argument.as_bstr())),
    };
    Ok(Macro { name: name.into(), value: value.trim_space_end().into(), command_line: true, builtin: false })
}

/// Replacing a range of bytes of a `BString`.
trait ReplaceRange {
    fn replace_range_bytes(&mut self, begin: usize, end: usize, with: &[u8]);
}

impl ReplaceRange for BString {
    fn replace_range_bytes(&mut self, begin: usize, end: usize, with: &[u8]) {
        let bytes: &mut Vec<u8> = self;
        bytes.splice(begin..end, with.iter().copied());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(m: &mut Macros, s: &str) -> String {
        let mut line = BString::from(s);
        m.expand(&mut line, replace_from(s.as_bytes())).unwrap();
        line.to_string()
    }

    #[test]
    fn definitions() {
        let mut m = Macros::new(Vec::new());
        m.define(b"AB = 1").unwrap();
        m.define(b"A=2").unwrap();
        assert_eq!(expand(&mut m, "AB A ABA"), "1 2 12");
        assert_eq!(expand(&mut m, "A == A3"), "A == 23");
        m.define(b"A == 23").unwrap();
        assert_eq!(expand(&mut m, "A"), "23");
        assert!(m.define(b"XAB = 1").unwrap_err().1.contains("is a substring"));
        assert!(m.define(b"A = 1").unwrap_err().1.contains("already defined"));
        assert!(m.define(b"Z == 1").unwrap_err().1.contains("can't redefine"));
        assert_eq!(m.define(b"X").unwrap_err().1, "malformed macro definition");
    }

    #[test]
    fn on_the_command_line() {
        assert_eq!(command_line(b"X=a b ").unwrap().value, "a b");
        assert_eq!(command_line(b" OPTION = receive_timeout = 4s ").unwrap().value, "receive_timeout = 4s");
        assert!(command_line(b"9=").is_err());
    }
}
