//! Reading of -H. The file may have been written by the reference, of any age, or be broken: every field is
//! checked, and what is not understood is an error that names it.

use std::fs::File;
use std::io::Read;

use bstr::{BString, ByteSlice};

use super::header_line;
use super::queue::Place;
use super::read_var::variable;
use super::{SpoolError, id, tree};
use crate::context::{Context, Header, Recipient};
use crate::sys::file::Flags;
use crate::text::Text;

/// Largest -H file, bytes.
const MAX_FILE: u64 = 256 << 20;
/// Most of them are smaller.
const USUAL_FILE: usize = 8 << 10;
/// Most recipients of a message.
const MAX_RECIPIENTS: usize = 1_000_000;
/// Deepest tree of non-recipients; a balanced one of a million addresses has about 28 levels.
const MAX_DEPTH: usize = 64;

/// Reads -H of the message `id` into the context: `message`, `session` and the ACL variables.
pub fn read_header(ctx: &mut Context, place: &Place, id: &[u8]) -> Result<(), SpoolError> {
    let name = [id, b"-H"].concat();
    let fd = place.dir.open_at(&name, Flags::READ, 0).map_err(SpoolError::io("open spool header file"))?;
    let mut bytes = Vec::with_capacity(USUAL_FILE);
    File::from(fd).take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(SpoolError::io("read spool header file"))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(SpoolError::Envelope("it is too large"));
    }
    ctx.message = Default::default();
    ctx.message.subdir = place.letter;
    parse_header_file(ctx, id, &bytes)
}

/// The cursor over the file.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// The next line, without its newline.
    pub(super) fn line(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.find_byte(b'\n')?;
        let (line, rest) = (&self.rest[..end], &self.rest[end + 1..]);
        self.rest = rest;
        Some(line)
    }

    /// Exactly `n` bytes.
    pub(super) fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = (self.rest.get(..n)?, self.rest.get(n..)?);
        self.rest = rest;
        Some(taken)
    }
}

/// Parses the bytes of -H into the context.
pub fn parse_header_file(ctx: &mut Context, id: &[u8], bytes: &[u8]) -> Result<(), SpoolError> {
    let bad = SpoolError::Envelope;
    let mut c = Cursor { rest: bytes };
    let first = c.line().ok_or(bad("it is empty"))?;
    if id::of_file_name(first, b"-H") != Some(id) {
        return Err(bad("its first line is not its name"));
    }
    ctx.message.id = id.into();
    ctx.session.interface_settled = true;
    originator(ctx, c.line().ok_or(bad("no originator"))?).ok_or(bad("the originator is malformed"))?;
    let sender = c.line().ok_or(bad("no sender"))?;
    let sender = sender.strip_prefix(b"<").and_then(|s| s.strip_suffix(b">")).ok_or(bad("the sender is malformed"))?;
    ctx.message.sender = Some(Text::tainted(sender));
    let times = c.line().ok_or(bad("no times"))?;
    let (secs, warnings) = two_numbers(times).ok_or(bad("the times are malformed"))?;
    ctx.message.received_time = (secs, 0);
    ctx.message.warning_count = u32::try_from(warnings).map_err(|_| bad("the times are malformed"))?;
    let after = loop {
        let line = c.line().ok_or(bad("it ends among the variables"))?;
        if !line.starts_with(b"-") {
            break line;
        }
        variable(ctx, line, &mut c).map_err(bad)?;
    };
    ctx.message.nonrecipients = nonrecipients(after, &mut c)?;
    let count = c.line().and_then(number).ok_or(bad("no recipients count"))?;
    if count > MAX_RECIPIENTS {
        return Err(bad("too many recipients"));
    }
    ctx.message.recipients =
        (0..count).map(|_| c.line().and_then(recipient).ok_or(bad("a recipient is malformed"))).collect::<Result<_, _>>()?;
    if c.line() != Some(b"") {
        return Err(bad("no empty line after the recipients"));
    }
    ctx.message.headers = headers(&mut c)?;
    Ok(())
}

fn number(line: &[u8]) -> Option<usize> {
    line.to_str().ok()?.parse().ok()
}

fn two_numbers(line: &[u8]) -> Option<(i64, i64)> {
    let (a, b) = line.to_str().ok()?.split_once(' ')?;
    Some((a.parse().ok()?, b.trim().parse().ok()?))
}

/// `login uid gid`; the login may hold spaces, so it is read from the right.
fn originator(ctx: &mut Context, line: &[u8]) -> Option<()> {
    let mut parts = line.rsplitn(3, |c| *c == b' ');
    let gid: i64 = parts.next()?.to_str().ok()?.parse().ok()?;
    let uid: i64 = parts.next()?.to_str().ok()?.parse().ok()?;
    ctx.message.originator_login = parts.next()?.into();
    ctx.message.originator_uid = uid as u32;
    ctx.message.originator_gid = gid as u32;
    Some(())
}

fn nonrecipients(first: &[u8], c: &mut Cursor<'_>) -> Result<tree::Tree, SpoolError> {
    let bad = SpoolError::Envelope("the non-recipients are malformed");
    let mut tree = tree::Tree::default();
    if first == b"XX" {
        return Ok(tree);
    }
    // Each entry on the stack is a subtree that is still to come; its depth is checked, not recursed into.
    let mut pending = vec![0usize];
    let mut line = Some(first);
    while let Some(depth) = pending.pop() {
        let l = match line.take() {
            Some(l) => l,
            None => c.line().ok_or(SpoolError::Envelope("the non-recipients are malformed"))?,
        };
        let (flags, name) = match l {
            [a @ (b'Y' | b'N'), b @ (b'Y' | b'N'), b' ', name @ ..] => ((*a == b'Y', *b == b'Y'), name),
            _ => return Err(bad),
        };
        if depth > MAX_DEPTH {
            return Err(bad);
        }
        tree.insert(name);
        if flags.1 {
            pending.push(depth + 1);
        }
        if flags.0 {
            pending.push(depth + 1);
        }
    }
    Ok(tree)
}

/// One recipient line, in the present form or an older one.
fn recipient(line: &[u8]) -> Option<Recipient> {
    let Some(hash) = line.rfind_byte(b'#').filter(|h| extension(line, *h).is_some()) else {
        return Some(old_recipient(line));
    };
    let bits = extension(line, hash)?;
    let mut rest = &line[..hash];
    let mut r = Recipient { parent: -1, ..Recipient::default() };
    if bits & 1 != 0 {
        let (text, len, parent) = counted(rest)?;
        r.parent = i32::try_from(parent).ok()?;
        let (before, errors_to) = split_off(text, len)?;
        r.errors_to = (len > 0).then(|| Text::tainted(errors_to));
        rest = before;
    }
    if bits & 2 != 0 {
        let (text, len, flags) = counted(rest)?;
        r.dsn_flags = u32::try_from(flags).ok()?;
        let (before, orcpt) = split_off(text, len)?;
        r.orcpt = (len > 0).then(|| Text::tainted(orcpt));
        rest = before;
    }
    r.address = Text::tainted(rest);
    Some(r)
}

/// The digits after `#`.
fn extension(line: &[u8], hash: usize) -> Option<u32> {
    let digits = &line[hash + 1..];
    (!digits.is_empty() && digits.len() < 4 && digits.iter().all(u8::is_ascii_digit)).then(|| number(digits).map(|n| n as u32))?
}

/// `... TEXT LEN,N` from the right: what stands before the numbers, LEN, N.
fn counted(s: &[u8]) -> Option<(&[u8], usize, i64)> {
    let space = s.rfind_byte(b' ')?;
    let (len, n) = s[space + 1..].to_str().ok()?.split_once(',')?;
    Some((&s[..space], len.parse().ok()?, n.parse().ok()?))
}

/// Splits ` TEXT` of `len` bytes off the end: what stands before the space, and the text.
fn split_off(s: &[u8], len: usize) -> Option<(&[u8], &[u8])> {
    let at = s.len().checked_sub(len)?;
    let before = s.get(..at)?.strip_suffix(b" ")?;
    Some((before, &s[at..]))
}

/// Older forms: `address`, `address n`, `address n,n,n`.
fn old_recipient(line: &[u8]) -> Recipient {
    let plain = || Recipient::new(Text::tainted(line));
    let Some(space) = line.rfind_byte(b' ') else { return plain() };
    let tail = &line[space + 1..];
    if tail.is_empty() || line[..space].ends_with(b"\"") && tail.contains(&b'@') {
        return plain();
    }
    let numbers: Option<Vec<i32>> = tail.split_str(",").map(|n| n.to_str().ok()?.parse().ok()).collect();
    match numbers.as_deref() {
        Some([parent]) => Recipient { parent: *parent, ..Recipient::new(Text::tainted(&line[..space])) },
        Some([_, _, parent]) => Recipient { parent: *parent, ..Recipient::new(Text::tainted(&line[..space])) },
        _ => plain(),
    }
}

fn headers(c: &mut Cursor<'_>) -> Result<Vec<Header>, SpoolError> {
    let bad = SpoolError::Header;
    let mut out = Vec::new();
    while !c.rest.is_empty() {
        let digits = c.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if !(3..=9).contains(&digits) {
            return Err(bad("the length of a line is malformed"));
        }
        let len = c.take(digits).and_then(number).ok_or(bad("the length of a line is malformed"))?;
        let letter = match c.take(2) {
            Some([letter, b' ']) => *letter,
            _ => return Err(bad("the type of a line is malformed")),
        };
        let text = c.take(len).ok_or(bad("it ends within a line"))?;
        if !text.ends_with(b"\n") || text.contains(&0) {
            return Err(bad("a line has a NUL or no newline"));
        }
        out.push(Header { kind: header_line::kind(letter), text: BString::from(text) });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_of_every_age() {
        let r = recipient(b"a@b  0,0 postmaster@test.ex 18,0#3").unwrap();
        assert_eq!((r.address, r.errors_to, r.parent), (Text::tainted("a@b"), Some(Text::tainted("postmaster@test.ex")), 0));
        let r = recipient(b"a@b rfc822;x@y 10,6  0,-1#3").unwrap();
        assert_eq!((r.address, r.orcpt, r.dsn_flags, r.parent), (Text::tainted("a@b"), Some(Text::tainted("rfc822;x@y")), 6, -1));
        assert_eq!(recipient(b"\"a b\"@c").unwrap(), Recipient::new(Text::tainted("\"a b\"@c")));
        assert_eq!(recipient(b"a@b 3").unwrap().parent, 3);
        assert!(recipient(b"a@b 99,1#1").is_none());
    }

    #[test]
    fn trees() {
        let mut c = Cursor { rest: b"NN userx@test.ex\n" };
        let t = nonrecipients(b"NY a2-userx@test.ex", &mut c).unwrap();
        assert!(t.contains(b"userx@test.ex") && t.contains(b"a2-userx@test.ex"));
        assert!(nonrecipients(b"YY a", &mut Cursor { rest: b"" }).is_err());
    }
}
