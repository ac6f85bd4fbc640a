//! One address out of a text: `local@domain`, `phrase <local@domain>`, source routes, group syntax.
//!
//! Error texts are those that appear in SMTP responses, logs and bounces.

use bstr::{BString, ByteSlice};

use super::is_space;
use super::lexer::Lexer;
use crate::config::main_options::MainOptions;

/// No address is longer than this (RFC 5321 section 4.5.3.1.3: a path without its brackets).
pub const ADDRESS_MAX: usize = 256;

/// How an address is to be read.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// `<>` is an address (envelope senders).
    pub allow_null: bool,
    /// `name: a, b;` is allowed (header lines). The parser clears it inside a group and sets it again after.
    pub allow_group: bool,
    /// We are inside a group: kept from one call to the next over a header line.
    pub found_group: bool,
    /// `[10.0.0.1]` is a domain.
    pub allow_domain_literals: bool,
    /// Bytes above 0x7f are allowed in domains, if they are UTF-8.
    pub allow_utf8_domains: bool,
    /// One dot at the end of a domain is dropped.
    pub strip_trailing_dot: bool,
    /// `<<a@b>>` is read as `<a@b>`.
    pub strip_excess_angle_brackets: bool,
}

impl Rules {
    /// What the configuration allows.
    pub fn new(main: &MainOptions) -> Self {
        Rules {
            allow_domain_literals: main.allow_domain_literals,
            allow_utf8_domains: main.allow_utf8_domains,
            strip_trailing_dot: main.strip_trailing_dot,
            strip_excess_angle_brackets: main.strip_excess_angle_brackets,
            ..Rules::default()
        }
    }

    /// As [`new`](Self::new), for the addresses of a header line.
    pub fn header(main: &MainOptions) -> Self {
        Rules { allow_group: true, ..Rules::new(main) }
    }

    /// The same, domains in UTF-8 allowed: a message that is handed in locally needs no SMTPUTF8 for them.
    #[must_use]
    pub fn with_utf8(mut self) -> Self {
        self.allow_utf8_domains = true;
        self
    }

    /// The same, `<>` allowed.
    #[must_use]
    pub fn with_null(mut self) -> Self {
        self.allow_null = true;
        self
    }

    // After a failure, or a success, at the `;` of a group: the group is over.
    fn end_group(&mut self, next: u8) -> bool {
        if self.found_group && next == b';' {
            self.found_group = false;
            self.allow_group = true;
            return true;
        }
        false
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extracted {
    /// The address without comments and phrase, case as given.
    pub address: BString,
    /// Where the working part begins in the text.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Where the domain begins in `address`; 0 if there is none.
    pub domain_offset: usize,
    /// Where the item begins after the name of a group and its colon; 0 if no group begins here.
    pub group_end: usize,
}

impl Extracted {
    /// The local part (all of it for an unqualified address).
    pub fn local_part(&self) -> &[u8] {
        if self.domain_offset == 0 { &self.address } else { self.address.get(..self.domain_offset - 1).unwrap_or_default() }
    }

    /// The domain; empty for an unqualified address and for `<>`.
    pub fn domain(&self) -> &[u8] {
        if self.domain_offset == 0 { b"" } else { self.address.get(self.domain_offset..).unwrap_or_default() }
    }

    /// Has it a domain?
    pub fn is_qualified(&self) -> bool {
        self.domain_offset != 0
    }
}

/// Reads one address. The text must hold nothing else but comments and white space (but, in a group, `;`).
pub fn extract_address(rules: &mut Rules, text: &[u8]) -> Result<Extracted, String> {
    let mut lex = Lexer::new(text);
    let result = parse(rules, &mut lex);
    let next = lex.peek();
    match result {
        Err(e) => {
            rules.end_group(next);
            Err(e)
        }
        Ok(_) if next != 0 && !rules.end_group(next) => Err(may_not_follow(&lex, lex.at)),
        Ok(mut found) => {
            while found.end > found.start && text.get(found.end - 1).is_some_and(|c| is_space(*c)) {
                found.end -= 1;
            }
            if found.address.len() > ADDRESS_MAX {
                let shown = found.address.get(..64).unwrap_or(&found.address).as_bstr();
                return Err(format!("address is ridiculously long: {shown}..."));
            }
            Ok(found)
        }
    }
}

// `at` is the place of the first byte that may not be there.
fn may_not_follow(lex: &Lexer<'_>, at: usize) -> String {
    let mut here = lex.clone();
    here.at = at;
    let rest = here.rest();
    let shown = rest.get(..32).unwrap_or(rest).as_bstr();
    format!("malformed address: {shown} may not follow {}", here.passed().as_bstr())
}

fn parse(rules: &mut Rules, lex: &mut Lexer<'_>) -> Result<Extracted, String> {
    let mut out = Vec::new();
    let mut start;
    let mut group_end = 0;
    // A second time round after the name of a group.
    loop {
        lex.skip_comment();
        start = lex.at;
        out.clear();
        lex.local_part(&mut out, true)?;
        match lex.peek() {
            b'@' | b'<' => break,
            0 | b';' if out.is_empty() => return Err("empty address".into()),
            0 | b';' => return Ok(Extracted { address: out.into(), start, end: lex.word_end, domain_offset: 0, group_end }),
            _ => {}
        }
        // More words: a phrase before `<`, or the name of a group.
        while lex.peek() != b'<' && !(rules.allow_group && lex.peek() == b':') {
            lex.local_part(&mut Vec::new(), false).map_err(|e| format!("{e} (expected word or \"<\")"))?;
        }
        if lex.peek() == b'<' {
            break;
        }
        rules.found_group = true;
        rules.allow_group = false;
        lex.bump();
        group_end = lex.at;
    }

    if lex.peek() == b'<' {
        return parse_angle(rules, lex, group_end);
    }
    if out.is_empty() {
        // A source route without brackets.
        lex.source_route(rules)?;
        let (address, domain_offset) = addr_spec(rules, lex, 0)?;
        if domain_offset == 0 {
            return Err("domain missing in source-routed address".into());
        }
        return Ok(Extracted { address, start, end: lex.word_end, domain_offset, group_end });
    }
    out.push(lex.bump());
    let domain_offset = out.len();
    lex.domain(rules, &mut out)?;
    Ok(Extracted { address: out.into(), start, end: lex.word_end, domain_offset, group_end })
}

fn parse_angle(rules: &Rules, lex: &mut Lexer<'_>, group_end: usize) -> Result<Extracted, String> {
    let mut brackets = 1;
    lex.bump();
    while rules.strip_excess_angle_brackets && lex.peek() == b'<' {
        if brackets >= 5 {
            return Err("angle-brackets nested too deep".into());
        }
        brackets += 1;
        lex.bump();
    }
    let start = lex.at;
    lex.skip_comment();
    let source_routed = lex.peek() == b'@';
    if source_routed {
        lex.source_route(rules)?;
    }
    let (address, domain_offset) = if rules.allow_null && !source_routed && lex.peek() == b'>' {
        (BString::default(), 0)
    } else {
        addr_spec(rules, lex, b'>')?
    };
    if source_routed && domain_offset == 0 {
        return Err("domain missing in source-routed address".into());
    }
    let end = lex.at;
    for _ in 0..brackets {
        match lex.peek() {
            b'>' => lex.bump(),
            0 => return Err("'>' missing at end of address".into()),
            _ => return Err(may_not_follow(lex, lex.at)),
        };
    }
    lex.skip_comment();
    Ok(Extracted { address, start, end, domain_offset, group_end })
}

// `local` or `local@domain`, ended by `term` (0 is the end of the text).
fn addr_spec(rules: &Rules, lex: &mut Lexer<'_>, term: u8) -> Result<(BString, usize), String> {
    let mut out = Vec::new();
    lex.local_part(&mut out, false)?;
    let mut domain = 0;
    if lex.peek() != term {
        if lex.peek() != b'@' {
            return Err(format!("\"@\" or \".\" expected after \"{}\"", out.as_bstr()));
        }
        out.push(lex.bump());
        domain = out.len();
        lex.domain(rules, &mut out)?;
    }
    Ok((out.into(), domain))
}
