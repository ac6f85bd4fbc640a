//! Operators on plain text: case, length, wrapping of header lines.

use crate::context::Context;
use crate::expand::{ExpandError, failed};
use crate::text::Text;

/// `${lc:}`
pub fn lc(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    Ok(s.to_lower())
}

/// `${uc:}`
pub fn uc(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    Ok(s.to_upper())
}

/// `${strlen:}`
pub fn strlen(_: &mut Context, _: &str, _: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    Ok(Text::clean(s.len().to_string()))
}

/// `${headerwrap_cols_limit:}`: lines of at most `cols` columns (a tab counts as eight), broken at white space if that
/// is possible; the whole is cut at `limit` bytes.
pub fn headerwrap(_: &mut Context, name: &str, arg: Option<&[u8]>, s: Text) -> Result<Text, ExpandError> {
    let (mut cols, mut limit) = (80usize, 998usize);
    if let Some(arg) = arg {
        let mut parts = arg.split(|c| *c == b'_');
        for place in [&mut cols, &mut limit] {
            let Some(part) = parts.next() else { break };
            match std::str::from_utf8(part).ok().and_then(|p| p.parse().ok()) {
                Some(n) => *place = n,
                None => {
                    let arg = String::from_utf8_lossy(arg);
                    return failed(format!("non-digit after underscore in \"{name}_{arg}\""));
                }
            }
        }
    }
    Ok(s.piece(wrap(&s, cols, limit)))
}

/// What a tab at the start of a line takes.
const TAB: usize = 8;

fn wrap(s: &[u8], cols: usize, limit: usize) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    let mut rest = s;
    let mut room = cols;
    while !rest.is_empty() && out.len() < limit {
        let left = limit - out.len();
        if rest.len() <= room {
            out.extend(rest.iter().take(left));
            break;
        }
        let window = rest.get(..(room + 1).min(rest.len())).unwrap_or_default();
        let space = window.iter().rposition(|c| matches!(c, b' ' | b'\t'));
        let (line, next) = match space {
            Some(n) if n > 0 => {
                let end = window.get(..n).unwrap_or_default().iter().rposition(|c| !matches!(c, b' ' | b'\t'));
                (rest.get(..end.map_or(n, |e| e + 1)).unwrap_or_default(), rest.get(n + 1..).unwrap_or_default())
            }
            _ => rest.split_at(room.min(rest.len())),
        };
        out.extend(line.iter().take(left));
        rest = next;
        while let [b' ' | b'\t', tail @ ..] = rest {
            rest = tail;
        }
        if rest.is_empty() || out.len() >= limit {
            break;
        }
        if out.len() + 2 > limit {
            break;
        }
        out.extend_from_slice(b"\n\t");
        room = cols.saturating_sub(TAB).max(1);
    }
    out
}
