//! Message ids in `Message-ID:`, `In-Reply-To:` and `References:`.

use bstr::BString;

use super::Rules;
use super::lexer::Lexer;

/// Reads one `<id@domain>`, comments skipped. Gives the id with its angle brackets, and what follows it.
pub fn read(text: &[u8]) -> Result<(BString, &[u8]), String> {
    let mut lex = Lexer::new(text);
    lex.skip_comment();
    if lex.peek() != b'<' {
        return Err("Missing '<' before message-id".into());
    }
    let mut out = vec![lex.bump()];
    // Historically a message id may have a domain literal and UTF-8 in its domain.
    let rules = Rules { allow_domain_literals: true, allow_utf8_domains: true, ..Rules::default() };
    lex.local_part(&mut out, false)?;
    if lex.peek() != b'@' {
        return Err(if lex.peek() == b'>' {
            "domain missing in message-id".into()
        } else {
            format!("\"@\" or \".\" expected after \"{}\"", bstr::BStr::new(out.get(1..).unwrap_or_default()))
        });
    }
    out.push(lex.bump());
    lex.domain(&rules, &mut out)?;
    if lex.peek() != b'>' {
        return Err("Missing '>' after message-id".into());
    }
    out.push(lex.bump());
    Ok((out.into(), lex.rest()))
}

/// The id of a `Message-ID:` line as a log line shows it, without brackets and comments. What is no address is shown as it is, if
/// it is one word: more might look like other fields of the line.
pub fn shown(value: &[u8]) -> Option<BString> {
    let mut rules = Rules { allow_domain_literals: true, ..Rules::default() };
    if let Ok(found) = super::extract_address(&mut rules, value) {
        return Some(found.address);
    }
    let value = value.trim_ascii();
    let word = value.strip_prefix(b"<").and_then(|v| v.strip_suffix(b">")).unwrap_or(value);
    (!word.is_empty() && !word.iter().any(u8::is_ascii_whitespace)).then(|| word.into())
}

/// All the ids that can be read at the start of a list of them.
pub fn read_all(mut text: &[u8]) -> Vec<BString> {
    let mut all = Vec::new();
    while let Ok((id, rest)) = read(text) {
        all.push(id);
        text = rest;
    }
    all
}
