//! The quoting of strings within queries, `${quote_<type>:...}` (manual sections 9.8, 9.11 to 9.13).

/// SQL with backslash escapes: MySQL.
pub fn mysql(text: &[u8]) -> Vec<u8> {
    backslashed(text, false)
}

/// SQL for PostgreSQL: a quote is doubled (a backslash before it could be the end of a multi-byte character).
pub fn pgsql(text: &[u8]) -> Vec<u8> {
    backslashed(text, true)
}

/// Oracle takes what MySQL takes.
pub fn oracle(text: &[u8]) -> Vec<u8> {
    backslashed(text, false)
}

fn backslashed(text: &[u8], double_quotes: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    for &c in text {
        match c {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\r' => out.extend_from_slice(b"\\r"),
            8 => out.extend_from_slice(b"\\b"),
            b'\'' if double_quotes => out.extend_from_slice(b"''"),
            b'\'' | b'"' | b'\\' => out.extend_from_slice(&[b'\\', c]),
            _ => out.push(c),
        }
    }
    out
}

/// SQLite: single quotes are doubled.
pub fn sqlite(text: &[u8]) -> Vec<u8> {
    doubled(text, b'\'')
}

/// NIS+: double quotes are doubled.
pub fn nisplus(text: &[u8]) -> Vec<u8> {
    doubled(text, b'"')
}

fn doubled(text: &[u8], quote: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    for &c in text {
        out.push(c);
        if c == quote {
            out.push(c);
        }
    }
    out
}

/// Redis commands: white space and backslashes get a backslash.
pub fn redis(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    for &c in text {
        if crate::parse::is_space(c) || c == b'\\' {
            out.push(b'\\');
        }
        out.push(c);
    }
    out
}

/// LDAP: for filters, or with the option `dn` for names; both are then made fit for a URL.
pub fn ldap(text: &[u8], option: Option<&[u8]>) -> Option<Vec<u8>> {
    let dn = match option {
        None => false,
        Some(b"dn") => true,
        Some(_) => return None,
    };
    let mut out = Vec::with_capacity(text.len() * 2);
    let core_end = text.iter().rposition(|c| *c != b' ').map_or(0, |i| i + 1);
    let mut leading = true;
    for (i, &c) in text.iter().enumerate() {
        let outer_space = c == b' ' && (leading || i >= core_end);
        if c != b' ' {
            if dn && leading && i == 0 && c == b'#' {
                out.extend_from_slice(b"%5C");
            }
            leading = false;
        }
        if dn && (outer_space || b",+\"\\<>;".contains(&c)) {
            out.extend_from_slice(b"%5C");
        } else if !dn && b"*()\\".contains(&c) {
            out.extend_from_slice(format!("%5C{c:02X}").as_bytes());
            continue;
        }
        if c.is_ascii_alphanumeric() || b"!$'()*+-._".contains(&c) {
            out.push(c);
        } else {
            out.extend_from_slice(format!("%{c:02X}").as_bytes());
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        let l = |t: &str, o| String::from_utf8(ldap(t.as_bytes(), o).unwrap()).unwrap();
        assert_eq!(l("a(bc)*, a<yz>; ", None), "a%5C28bc%5C29%5C2A%2C%20a%3Cyz%3E%3B%20");
        assert_eq!(l(" !\"#,a b ", Some(b"dn")), "%5C%20!%5C%22%23%5C%2Ca%20b%5C%20");
        assert!(ldap(b"x", Some(b"y")).is_none());
        assert_eq!(mysql(b"it's\n\\"), b"it\\'s\\n\\\\");
        assert_eq!(pgsql(b"it's\"\n"), b"it''s\\\"\\n");
        assert_eq!(sqlite(b"it's"), b"it''s");
    }
}
