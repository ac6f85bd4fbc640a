//! One rewriting rule, and how it is written.

use bstr::{BString, ByteSlice};

use crate::expand::Template;
use crate::parse::is_space;

/// Where a rule applies: bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses(pub u16);

impl Uses {
    /// `Sender:`
    pub const SENDER: Uses = Uses(1);
    /// `From:`
    pub const FROM: Uses = Uses(2);
    /// `To:`
    pub const TO: Uses = Uses(4);
    /// `Cc:`
    pub const CC: Uses = Uses(8);
    /// `Bcc:`
    pub const BCC: Uses = Uses(16);
    /// `Reply-To:`
    pub const REPLY_TO: Uses = Uses(32);
    /// The envelope's sender.
    pub const ENV_FROM: Uses = Uses(64);
    /// Envelope recipients.
    pub const ENV_TO: Uses = Uses(128);
    /// Arguments of SMTP commands.
    pub const SMTP: Uses = Uses(256);
    /// All header lines.
    pub const HEADERS: Uses = Uses(63);
    /// The envelope.
    pub const ENVELOPE: Uses = Uses(192);

    /// Do they have something in common?
    pub fn has(self, other: Uses) -> bool {
        self.0 & other.0 != 0
    }
}

/// One rewriting rule.
#[derive(Clone, Debug)]
pub struct RewriteRule {
    /// Pattern: one item of an address list, to be expanded.
    pub pattern: Template,
    /// Replacement; `*` alone means none.
    pub replacement: Template,
    /// Flag letters as written.
    pub flags: BString,
    /// Where it applies.
    pub uses: Uses,
    /// `Q`: the result may be unqualified.
    pub qualify: bool,
    /// `q`: no rules after it.
    pub quit: bool,
    /// `R`: again and again.
    pub repeat: bool,
    /// `w`: the phrase and comments of a header address too.
    pub whole: bool,
}

/// Parses one line of the rewrite section; the error text follows file and line.
pub fn parse_rule(line: &BString) -> Result<RewriteRule, String> {
    parse(line, true)
}

/// Parses one item of `headers_rewrite`: flags for the envelope are refused.
pub fn parse_transport_rule(item: &BString) -> Result<RewriteRule, String> {
    parse(item, false)
}

fn parse(line: &[u8], global: bool) -> Result<RewriteRule, String> {
    let (pattern, rest) = word(line);
    let (replacement, rest) = word(rest);
    if replacement.is_empty() && rest.is_empty() && !line.contains(&b'"') {
        return Err("missing rewrite replacement string".into());
    }
    let mut rule = RewriteRule {
        pattern: Template::new(&pattern),
        replacement: Template::new(&replacement),
        flags: rest.trim().into(),
        uses: Uses(0),
        qualify: false,
        quit: false,
        repeat: false,
        whole: false,
    };
    for c in rest.iter().filter(|c| !is_space(**c)) {
        rule.flag(*c, global)?;
    }
    if rule.uses.has(Uses::SMTP) && !pattern.starts_with(b"^") && !pattern.starts_with(b"\\N^") {
        return Err("rewrite rule has the S flag but is not a regular expression".into());
    }
    if rule.uses.0 == 0 {
        rule.uses = if global { Uses(Uses::HEADERS.0 | Uses::ENVELOPE.0) } else { Uses::HEADERS };
    }
    Ok(rule)
}

impl RewriteRule {
    fn flag(&mut self, c: u8, global: bool) -> Result<(), String> {
        let bits = match c {
            b'h' => Uses::HEADERS,
            b's' => Uses::SENDER,
            b'f' => Uses::FROM,
            b't' => Uses::TO,
            b'c' => Uses::CC,
            b'b' => Uses::BCC,
            b'r' => Uses::REPLY_TO,
            b'E' if global => Uses::ENVELOPE,
            b'F' if global => Uses::ENV_FROM,
            b'T' if global => Uses::ENV_TO,
            b'S' if global => Uses::SMTP,
            b'Q' => {
                self.qualify = true;
                Uses(0)
            }
            b'q' => {
                self.quit = true;
                Uses(0)
            }
            b'R' => {
                self.repeat = true;
                Uses(0)
            }
            b'w' => {
                self.whole = true;
                Uses(0)
            }
            _ => {
                return Err(format!(
                    "unknown rewrite flag character '{}' (could be missing quotes round replacement item)",
                    c as char
                ));
            }
        };
        self.uses.0 |= bits.0;
        Ok(())
    }
}

// A word, or a string in double quotes; and what follows.
fn word(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let text = text.trim_start();
    if text.starts_with(b"\"") {
        let (word, rest) = crate::config::lines::quoted(text);
        return (word.into(), rest.trim_start());
    }
    let end = text.iter().position(|c| is_space(*c)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    (word.to_vec(), rest.trim_start())
}
