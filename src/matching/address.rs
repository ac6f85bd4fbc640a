//! Items of address lists (manual section 10.19).

use bstr::ByteSlice;

use super::scan::{Answer, Quoted, Scan, Tester};
use super::string::{self, StringTest, Wanted};
use super::{Match, Subject};
use crate::config::ListKind;
use crate::context::Context;
use crate::log::{self, Which};
use crate::parse::Space as _;
use crate::parse::list::items;
use crate::text::Text;

/// `@@` lookups that lead to each other, at most.
const MAX_CHAIN: usize = 50;

/// One address, compared with items.
pub(super) struct AddressTest<'a> {
    original: &'a Text,
    subject: Text,
    caseless: bool,
    captures: bool,
}

impl<'a> AddressTest<'a> {
    pub fn new(address: &'a Text, caseless: bool, captures: bool) -> Self {
        let mut test = AddressTest { original: address, subject: address.to_lower(), caseless, captures };
        if !caseless {
            test.caseful();
        }
        test
    }

    pub fn subject(&self) -> &Text {
        &self.subject
    }

    /// From here on the case of the local part matters.
    pub fn caseful(&mut self) {
        self.caseless = false;
        let at = self.original.rfind_byte(b'@').unwrap_or(self.original.len());
        let mut bytes = self.original.to_vec();
        if let Some(domain) = bytes.get_mut(at..) {
            domain.make_ascii_lowercase();
        }
        self.subject = self.original.piece(bytes);
    }

    fn wanted(&self, partial: bool) -> Wanted {
        Wanted { caseless: self.caseless, partial, at_is_special: false }
    }

    pub fn test(&mut self, ctx: &mut Context, item: &Text) -> Answer {
        let at = self.subject.rfind_byte(b'@');
        if at.is_none() && !self.subject.is_empty() {
            let text =
                format!("no @ found in the subject of an address list match: subject=\"{}\" pattern=\"{item}\"", self.subject);
            log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            return Answer::No;
        }
        let mut first = 0;
        if self.captures {
            ctx.scratch.numeric = vec![Some(self.original.clone())];
            first = 1;
        }
        let captures = self.captures.then_some(&mut first);
        if item.starts_with(b"^") {
            return string::check(ctx, &self.subject, item, self.wanted(true), captures);
        }
        if is_lookup(item) {
            if item.starts_with(b"partial-") {
                let text =
                    format!("partial matching is not applicable to whole-address lookups: ignored \"partial-\" in \"{item}\"");
                log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
            }
            return string::check(ctx, &self.subject, item, self.wanted(false), None);
        }
        let Some(at) = at else {
            return if item.is_empty() { Answer::Yes(None) } else { Answer::No };
        };
        let local = self.subject.piece(self.subject.get(..at).unwrap_or_default());
        let domain = self.subject.piece(self.subject.get(at + 1..).unwrap_or_default());
        if let Some(lookup) = item.strip_prefix(b"@@") {
            return self.by_domain(ctx, &local, &domain, &item.piece(lookup), first);
        }
        self.parts(ctx, &local, &domain, item, first)
    }

    // `@@lookup`: the domain gives a list of local parts; `>name` in it leads to another one.
    fn by_domain(&self, ctx: &mut Context, local: &Text, domain: &Text, lookup: &Text, first: usize) -> Answer {
        // `*@domain` (a retry rule that is looked for without a local part) is in no list of local parts, not even one with `*`.
        if &local[..] == b"*" {
            return Answer::No;
        }
        let mut key = domain.clone();
        for _ in 0..MAX_CHAIN {
            let list = match string::check(ctx, &key, lookup, self.wanted(true), None) {
                Answer::Yes(found) => found.unwrap_or_default(),
                other => return other,
            };
            let mut next = None;
            for entry in items(&list) {
                if let Some(name) = entry.strip_prefix(b">") {
                    next = Some(list.piece(name.trim_space()));
                    break;
                }
                let (pattern, negated) = match entry.strip_prefix(b"!") {
                    Some(rest) => (list.piece(rest.skip_space()), true),
                    None => (list.piece(Vec::from(entry)), false),
                };
                let mut number = first;
                let captures = self.captures.then_some(&mut number);
                match string::check(ctx, local, &pattern, self.wanted(true), captures) {
                    Answer::Yes(_) if negated => return Answer::No,
                    Answer::No => {}
                    found => return found,
                }
            }
            match next {
                Some(name) => key = name,
                None => return Answer::No,
            }
        }
        let text = format!("Loop detected in lookup of local part of {} in @@{lookup}", self.subject);
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
        Answer::Defer(Some(text))
    }

    // `local@domain`, `*tail@domain`, or a domain alone, which may be anything that a domain list can hold.
    fn parts(&self, ctx: &mut Context, local: &Text, domain: &Text, item: &Text, mut first: usize) -> Answer {
        let mut value = None;
        let pattern = match item.rfind_byte(b'@') {
            None => item.clone(),
            Some(mut at) => {
                let after = item.get(at + 1..).unwrap_or_default();
                let magic = matches!(after, b"" | b"[]" | b"mx_any" | b"mx_primary" | b"mx_secondary");
                // `name@@`, `name@@[]`, `name@@mx_any`: the domain begins with the second @.
                let mut begin = at + 1;
                if magic && at > 0 && item.get(at - 1) == Some(&b'@') {
                    begin = at;
                    at -= 1;
                }
                let wanted = item.get(..at).unwrap_or_default();
                let same = |a: &[u8], b: &[u8]| if self.caseless { a.eq_ignore_ascii_case(b) } else { a == b };
                if let Some(tail) = wanted.strip_prefix(b"*") {
                    let Some(cut) = local.len().checked_sub(tail.len()) else { return Answer::No };
                    let (head, end) = local.split_at(cut);
                    if !same(end, tail) {
                        return Answer::No;
                    }
                    if self.captures {
                        ctx.scratch.numeric.truncate(first);
                        ctx.scratch.numeric.push(Some(local.piece(head)));
                        first += 1;
                    }
                    value = Some(item.piece(tail));
                } else if !same(wanted, local) {
                    return Answer::No;
                } else {
                    value = Some(item.piece(wanted));
                }
                item.piece(item.get(begin..).unwrap_or_default())
            }
        };
        // `+caseful` makes the pattern's domain caseful too; the subject's is in lower case.
        let wanted = Wanted { caseless: self.caseless, partial: true, at_is_special: true };
        let mut test = StringTest::new(domain, wanted, self.captures);
        test.capture_from(first);
        if pattern.is_empty() {
            log::hdebug!(ctx, LISTS, "{domain} in \"\"?");
            log::hdebug!(ctx, LISTS, "{domain} in \"\"? no (end of list)");
            return Answer::No;
        }
        let mut scan = Scan::new(Some(ListKind::Domain), Tester::String(test), Subject::Domain(domain));
        let mut found = None;
        match scan.text(ctx, &pattern, &Quoted(&pattern), true, &mut found, &mut true) {
            Match::Yes => {
                let mut data = value.unwrap_or_default();
                data.push_bytes(b"@");
                if let Some(f) = &found {
                    data.push(f);
                }
                Answer::Yes(Some(data))
            }
            Match::No => Answer::No,
            Match::Defer(m) => Answer::Defer(Some(m)),
        }
    }
}

// A type's name, perhaps with a default, then a semicolon: the whole address is the key.
fn is_lookup(item: &[u8]) -> bool {
    let name = item.iter().take_while(|c| c.is_ascii_alphanumeric() || **c == b'-').count();
    let mut rest = item.get(name..).unwrap_or_default();
    rest = rest.strip_prefix(b"*").unwrap_or(rest);
    rest = rest.strip_prefix(b"@").unwrap_or(rest);
    if let Some(options) = rest.strip_prefix(b",") {
        let end = options.iter().take_while(|c| c.is_ascii_alphanumeric() || b"=_,".contains(c)).count();
        rest = options.get(end..).unwrap_or_default();
    }
    rest.starts_with(b";")
}
