//! xtext (RFC 3461, section 4): ORCPT, ENVID, and AUTH= of MAIL.

use bstr::BString;

/// Encodes: everything outside `!`..`~`, and `+` and `=`, becomes `+XX`.
pub fn encode(text: &[u8]) -> BString {
    let mut out = Vec::with_capacity(text.len());
    for &c in text {
        if !(33..=126).contains(&c) || c == b'+' || c == b'=' {
            out.extend_from_slice(format!("+{c:02X}").as_bytes());
        } else {
            out.push(c);
        }
    }
    out.into()
}

/// Decodes. `None` if it is not xtext.
pub fn decode(text: &[u8]) -> Option<BString> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&c) = rest.next() {
        match c {
            b'+' => {
                let hex = |c: u8| (c as char).to_digit(16);
                let (a, b) = (hex(*rest.next()?)?, hex(*rest.next()?)?);
                out.push((a * 16 + b) as u8);
            }
            b'=' | 0..=32 | 127.. => return None,
            _ => out.push(c),
        }
    }
    Some(out.into())
}
