//! RFC 2047 encoded words in header lines: making them, and reading them into another character set.

use bstr::{BString, ByteSlice};

use super::is_space;
use crate::sys::iconv::Iconv;

/// Encodes a text as `=?charset?Q?...?=` words, if it has characters that need it; else gives it unchanged.
/// `fold` puts each word on a line of its own. A word is not longer than 75 and does not end within two bytes
/// of one character.
pub fn quote_2047(text: &[u8], charset: &[u8], fold: bool) -> BString {
    let charset: &[u8] = if charset.is_empty() { b"iso-8859-1" } else { charset };
    let head = [b"=?", charset, b"?Q?"].concat();
    let mut out = head.clone();
    let mut line = head.len();
    let mut coded = false;
    let mut odd = false;
    for &c in text {
        if line > 67 && !odd {
            out.extend_from_slice(if fold { b"?=\n " } else { b"?= " });
            out.extend_from_slice(&head);
            line = head.len();
        }
        let before = out.len();
        if c == b' ' {
            out.push(b'_');
            odd = false;
        } else if !(33..=126).contains(&c) || b"?=()<>@,;:\\\".[]_".contains(&c) {
            out.extend_from_slice(format!("={c:02X}").as_bytes());
            coded = true;
            odd = !odd;
        } else {
            out.push(c);
            odd = false;
        }
        line += out.len() - before;
    }
    if !coded {
        return text.into();
    }
    out.extend_from_slice(b"?=");
    out.into()
}

struct Word<'a> {
    begin: usize,
    end: usize,
    charset: &'a [u8],
    data: Vec<u8>,
}

/// Decodes all encoded words. `check_length` leaves words of more than 75 characters alone; `target` is the
/// character set wanted (`None`: no conversion); zero bytes become `zero` if it is given. White space between two words goes.
/// The error is a character set that the C library does not know.
pub fn decode_2047(text: &[u8], check_length: bool, target: Option<&[u8]>, zero: Option<u8>) -> Result<BString, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut done = 0;
    let mut next = find_word(text, 0, check_length);
    while let Some(word) = next {
        out.extend_from_slice(text.get(done..word.begin).unwrap_or_default());
        done = word.end;
        let mut data = word.data;
        if let Some(target) = target
            && !same_set(word.charset, target)
        {
            data = convert(&data, word.charset, target)?;
        }
        if let Some(zero) = zero {
            data.iter_mut().filter(|c| **c == 0).for_each(|c| *c = zero);
        }
        out.extend_from_slice(&data);
        next = find_word(text, done, check_length);
        if let Some(following) = &next {
            let between = text.get(done..following.begin).unwrap_or_default();
            if between.iter().all(|c| is_space(*c)) {
                done = following.begin;
            }
        }
    }
    out.extend_from_slice(text.get(done..).unwrap_or_default());
    Ok(out.into())
}

fn same_set(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// Converts between character sets; what cannot be converted is copied as it is.
pub fn convert(data: &[u8], from: &[u8], to: &[u8]) -> Result<Vec<u8>, String> {
    let failed = |e: &std::io::Error| {
        let maybe = if e.raw_os_error() == Some(libc::EINVAL) { " (maybe unsupported conversion)" } else { "" };
        let (to, from) = (to.as_bstr(), from.as_bstr());
        format!("iconv_open(\"{to}\", \"{from}\") failed: {}{maybe}", crate::sys::error_text(e))
    };
    let mut iconv = Iconv::open(to, from).map_err(|e| failed(&e))?;
    iconv.convert_keeping(data).map_err(|e| failed(&e))
}

// The next word that can be decoded, from `from` on.
fn find_word(text: &[u8], from: usize, check_length: bool) -> Option<Word<'_>> {
    let mut at = from;
    loop {
        let begin = at + text.get(at..)?.find(b"=?")?;
        if let Some(word) = read_word(text, begin, check_length) {
            return Some(word);
        }
        at = begin + 2;
    }
}

fn read_word(text: &[u8], begin: usize, check_length: bool) -> Option<Word<'_>> {
    let body = text.get(begin + 2..)?;
    let q1 = body.find_byte(b'?')?;
    let encoding = body.get(q1 + 1)?.to_ascii_uppercase();
    let rest = body.get(q1 + 2..)?.strip_prefix(b"?")?;
    let len = rest.find(b"?=")?;
    let end = begin + 2 + q1 + 3 + len + 2;
    if check_length && end - begin > 75 {
        return None;
    }
    let payload = rest.get(..len)?;
    let charset = body.get(..q1)?;
    if charset.iter().chain(payload).any(|c| *c == b'\n') {
        return None;
    }
    let data = match encoding {
        b'Q' => decode_q(payload)?,
        b'B' => decode_b(payload)?,
        _ => return None,
    };
    Some(Word { begin, end, charset, data })
}

fn decode_q(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&c) = rest.next() {
        match c {
            b'_' => out.push(b' '),
            b'=' => {
                let hex = |c: u8| (c as char).to_digit(16);
                let (a, b) = (hex(*rest.next()?)?, hex(*rest.next()?)?);
                out.push((a * 16 + b) as u8);
            }
            b'\t' => out.push(c),
            0..=32 | 127.. => return None,
            _ => out.push(c),
        }
    }
    Some(out)
}

// Left-over bits of the last character are ignored; padding must be there.
fn decode_b(text: &[u8]) -> Option<Vec<u8>> {
    let stripped: Vec<u8> = text.iter().copied().filter(|c| !is_space(*c)).collect();
    let mut spec = data_encoding::BASE64.specification();
    spec.check_trailing_bits = false;
    spec.encoding().ok()?.decode(&stripped).ok()
}
