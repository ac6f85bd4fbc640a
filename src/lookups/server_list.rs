//! The servers of a query (manual sections 9.22 and 9.23): those of a main option, of `servers=` after the type's name, or before
//! the query.

use bstr::{BString, ByteSlice};

use super::driver::Ask;
use crate::parse::list;

/// No answer is longer.
pub const MAX_ANSWER: usize = 16 << 20;

/// A type of servers, as messages name it.
#[derive(Clone, Copy)]
pub struct Kind {
    /// `MySQL`
    pub shown: &'static str,
    /// `mysql_servers`
    pub option: &'static str,
    /// `mysql`
    pub lookup: &'static str,
}

/// Items, each whole or the message for its turn.
pub type Items = Vec<Result<BString, String>>;

/// The items to try, in order, each whole or the message for its turn; and the query without the older way of naming them.
pub fn servers<'a>(kind: Kind, known: &[u8], ask: &Ask<'a>) -> Result<(Items, &'a [u8]), String> {
    let known: Vec<BString> = list::items(known).collect();
    let Kind { shown, option, lookup } = kind;
    if let Some(o) = ask.options.iter().find(|o| !o.starts_with(b"servers=")) {
        return Err(format!("bad option for {lookup}: {}", o.as_bstr()));
    }
    let key: &[u8] = ask.key;
    let (wanted, query) = match (ask.value("servers"), key.strip_prefix(b"servers=")) {
        (Some(w), _) => (w, key),
        (None, Some(_)) if ask.key.is_tainted() => return Err(format!("tainted server specification in a {lookup} lookup")),
        (None, Some(rest)) => rest.split_once_str(b";").ok_or(format!("missing ; after servers= in a {lookup} lookup"))?,
        (None, None) if known.is_empty() => return Err(format!("no {shown} servers defined ({option} option)")),
        (None, None) => return Ok((known.into_iter().map(Ok).collect(), key)),
    };
    let whole = |item: BString| {
        if item.contains(&b'/') {
            return Ok(item);
        }
        let of_same = known.iter().find(|k| host(k) == item);
        of_same.cloned().ok_or_else(|| format!("{shown} server \"{item}\" not found in {option}"))
    };
    Ok((list::items(wanted).map(whole).collect(), query))
}

/// What stands before the first slash that is not in parentheses.
pub fn host(item: &[u8]) -> &[u8] {
    let start = if item.starts_with(b"(") { item.find_byte(b')').unwrap_or(0) } else { 0 };
    let end = item.get(start..).and_then(|r| r.find_byte(b'/')).map_or(item.len(), |n| start + n);
    item.get(..end).unwrap_or(item)
}

/// A host with or without a port: `host:port`, or for IPv6 `address.port`. The port is 0 if there is none.
pub fn host_and_port(text: &[u8]) -> Option<(Vec<u8>, u16)> {
    let number = |p: &[u8]| p.to_str().ok().and_then(|p| p.parse::<u16>().ok());
    match text.iter().filter(|c| **c == b':').count() {
        0 => Some((text.to_vec(), 0)),
        1 => {
            let (host, port) = text.split_once_str(b":")?;
            Some((host.to_vec(), number(port)?))
        }
        _ => match text.rsplit_once_str(b".") {
            Some((host, port)) if !port.contains(&b':') => Some((host.to_vec(), number(port)?)),
            _ => Some((text.to_vec(), 0)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        let p = |t: &str| host_and_port(t.as_bytes()).map(|(h, p)| format!("{} {p}", h.as_bstr()));
        assert_eq!(p("h").as_deref(), Some("h 0"));
        assert_eq!(p("127.0.0.1:99").as_deref(), Some("127.0.0.1 99"));
        assert_eq!(p("::1.99").as_deref(), Some("::1 99"));
        assert_eq!(p("fe80::1").as_deref(), Some("fe80::1 0"));
        assert_eq!(p("h:x"), None);
        assert_eq!(p("::1.x"), None);
    }
}
