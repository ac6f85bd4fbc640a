//! Users and groups of the configuration: names or numbers, alone and in lists (manual section 6.19).
//!
//! The reader and the option tables call it; nothing here is cached.

use bstr::{BString, ByteSlice};

use crate::sys::users::{self, User};

/// A user of the configuration: uid, and the gid of the data base if it knows the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundUser {
    /// The uid.
    pub uid: u32,
    /// Its group, unless the user was given by a number that the data base does not know.
    pub gid: Option<u32>,
    /// The entry of the data base, if there is one.
    pub entry: Option<User>,
}

/// Finds a user by name or number; `None` if there is none of that name.
pub fn user(name: &[u8]) -> Option<FoundUser> {
    if let Some(uid) = number(name) {
        let entry = users::user_by_id(uid).ok().flatten();
        return Some(FoundUser { uid, gid: entry.as_ref().map(|u| u.gid), entry });
    }
    let entry = users::user_by_name(name).ok().flatten()?;
    Some(FoundUser { uid: entry.uid, gid: Some(entry.gid), entry: Some(entry) })
}

/// Finds a group by name or number.
pub fn group(name: &[u8]) -> Option<u32> {
    number(name).or_else(|| users::group_by_name(name).ok().flatten().map(|g| g.gid))
}

fn number(name: &[u8]) -> Option<u32> {
    if name.is_empty() || !name.iter().all(u8::is_ascii_digit) {
        return None;
    }
    name.to_str().ok()?.parse().ok()
}

/// The ids of a list of users or groups.
pub fn list(text: &[u8], groups: bool) -> Result<Vec<u32>, String> {
    let mut out = Vec::new();
    for item in items(text) {
        out.push(if groups { need_group(&item)? } else { need_user(&item)?.uid });
    }
    Ok(out)
}

/// The user, or the reference's message.
pub fn need_user(name: &[u8]) -> Result<FoundUser, String> {
    user(name).ok_or_else(|| format!("user {} was not found", name.as_bstr()))
}

/// The group, or the reference's message.
pub fn need_group(name: &[u8]) -> Result<u32, String> {
    group(name).ok_or_else(|| format!("group {} was not found", name.as_bstr()))
}

/// The name that goes with an id, else the number.
pub fn name_of(id: u32, group: bool) -> BString {
    let name = if group {
        users::group_by_id(id).ok().flatten().map(|g| g.name)
    } else {
        users::user_by_id(id).ok().flatten().map(|u| u.name)
    };
    name.unwrap_or_else(|| id.to_string().into())
}

/// The items of a list that is not expanded any more: colon-separated, doubled colons, `<;` and so on.
pub fn items(text: &[u8]) -> Vec<BString> {
    let mut s = text.trim_start();
    let mut sep = b':';
    if let [b'<', c, rest @ ..] = s
        && (c.is_ascii_punctuation() || c.is_ascii_control())
    {
        sep = *c;
        s = rest;
    }
    let mut out: Vec<BString> = Vec::new();
    let mut item = BString::default();
    let mut bytes = s.iter().copied().peekable();
    let mut open = false;
    while let Some(c) = bytes.next() {
        if c == sep {
            if bytes.peek() == Some(&sep) && sep >= b' ' {
                bytes.next();
                item.push(c);
                continue;
            }
            out.push(item.trim().into());
            item.clear();
            open = false;
        } else {
            open = open || !c.is_ascii_whitespace();
            item.push(c);
        }
    }
    if open {
        out.push(item.trim().into());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        assert_eq!(items(b"a : b::c :"), vec!["a", "b:c"]);
        assert_eq!(items(b"<; a ; b"), vec!["a", "b"]);
        assert_eq!(list(b"root : 0", false), Ok(vec![0, 0]));
        assert_eq!(list(b"nosuchuser", false), Err("user nosuchuser was not found".into()));
    }
}
