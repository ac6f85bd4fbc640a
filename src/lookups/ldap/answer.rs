//! Entries as a lookup's data. No I/O.

use super::Ldap;
use crate::lookups::server_list::MAX_ANSWER;
use crate::sys::ldap::Entry;

/// The data, and the name of the last entry.
pub(super) type Found = (Option<Vec<u8>>, Option<Vec<u8>>);

/// Entries as a lookup's data.
pub(super) struct Collected {
    kind: Ldap,
    /// One attribute was asked for: its values stand alone.
    single: bool,
    data: Vec<u8>,
    entries: usize,
    attributes: bool,
    dn: Option<Vec<u8>>,
}

impl Collected {
    /// Nothing yet.
    pub(super) fn new(kind: Ldap, single: bool) -> Self {
        Collected { kind, single, data: Vec::new(), entries: 0, attributes: false, dn: None }
    }

    /// Another one; false if no more are wanted.
    pub(super) fn add(&mut self, entry: Entry) -> bool {
        self.entries += 1;
        if self.kind != Ldap::Many && self.entries > 1 {
            // All are counted for the message.
            return self.entries < 1000;
        }
        if self.entries > 1 {
            self.data.push(b'\n');
        }
        if self.kind == Ldap::Name {
            self.data.extend_from_slice(&entry.dn);
            self.attributes = true;
        } else {
            self.add_attributes(&entry);
        }
        self.dn = Some(entry.dn);
        self.data.len() <= MAX_ANSWER
    }

    fn add_attributes(&mut self, entry: &Entry) {
        let mut first = true;
        for (name, values) in entry.attributes.iter().filter(|(_, v)| !v.is_empty()) {
            self.attributes = true;
            if !std::mem::take(&mut first) {
                self.data.push(if self.single { b',' } else { b' ' });
            }
            if !self.single {
                self.data.extend_from_slice(name);
                self.data.extend_from_slice(b"=\"");
            }
            for (n, value) in values.iter().enumerate() {
                if n > 0 {
                    self.data.push(b',');
                }
                for c in value {
                    match c {
                        b',' => self.data.extend_from_slice(b",,"),
                        b'\n' if !self.single => self.data.extend_from_slice(b"\\n"),
                        b'"' | b'\\' if !self.single => self.data.extend_from_slice(&[b'\\', *c]),
                        c => self.data.push(*c),
                    }
                }
            }
            if !self.single {
                self.data.push(b'"');
            }
        }
    }

    pub(super) fn finish(self) -> Result<Found, String> {
        if self.kind != Ldap::Many && self.entries > 1 {
            return Err(format!(
                "LDAP search: more than one entry ({}) was returned (filter not specific enough?)",
                self.entries
            ));
        }
        if self.data.len() > MAX_ANSWER {
            return Err("LDAP search: the answer is too long".into());
        }
        if self.entries == 0 || !self.attributes {
            return Ok((None, self.dn));
        }
        Ok((Some(self.data), self.dn))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bstr::BString;

    #[test]
    fn formats() {
        let entry = |n: &str| Entry {
            dn: n.into(),
            attributes: vec![
                (b"attr1".to_vec(), vec![b"value1.1".to_vec(), b"value1,2".to_vec()]),
                (b"attr2".to_vec(), vec![b"value \"two\"\n\\".to_vec()]),
            ],
        };
        let show = |kind, single, n: usize| {
            let mut c = Collected::new(kind, single);
            for i in 0..n {
                let _ = c.add(entry(&format!("cn={i}")));
            }
            c.finish().map(|(d, _)| BString::from(d.unwrap_or_default()).to_string())
        };
        assert_eq!(show(Ldap::One, true, 1).unwrap(), "value1.1,value1,,2,value \"two\"\n\\");
        assert_eq!(show(Ldap::One, false, 1).unwrap(), "attr1=\"value1.1,value1,,2\" attr2=\"value \\\"two\\\"\\n\\\\\"");
        assert_eq!(show(Ldap::Name, false, 1).unwrap(), "cn=0");
        assert_eq!(show(Ldap::Many, true, 2).unwrap().matches("value1.1").count(), 2);
        assert!(show(Ldap::One, true, 2).unwrap_err().contains("more than one entry (2)"));
        assert_eq!(show(Ldap::One, true, 0).unwrap(), "");
    }
}
