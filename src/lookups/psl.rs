//! `psl` and `regdom`: the public suffix of a domain, and the domain that was registered under it.
//!
//! The file is a public suffix list (publicsuffix.org). There is no implied rule `*`: what the list does not know is
//! not found.

use std::collections::HashMap;

use bstr::ByteSlice;

use super::check::read_file;
use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use crate::context::Context;

/// One of the two types.
pub struct Psl {
    name: &'static str,
    more: usize,
}

/// The suffix.
pub static PSL: Psl = Psl { name: "psl", more: 0 };
/// The suffix and one label more.
pub static REGDOM: Psl = Psl { name: "regdom", more: 1 };

impl Driver for Psl {
    fn name(&self) -> &'static str {
        self.name
    }
    fn style(&self) -> Style {
        Style::File
    }
    fn open(&self, _: &mut Context, file: &[u8]) -> Result<Box<dyn Handle>, String> {
        let data = read_file(file, "PSL search", self.name)?;
        Ok(Box::new(Open { list: List::read(&data), more: self.more }))
    }
}

struct Open {
    list: List,
    more: usize,
}

impl Handle for Open {
    fn find(&mut self, _: &mut Context, ask: &Ask<'_>) -> Answer {
        let lower = ask.key.to_str_lossy().to_lowercase();
        match self.list.suffix_labels(&lower).and_then(|n| last_labels(&lower, n + self.more)) {
            Some(found) => Answer::Found(found.as_bytes().to_vec(), Keep::Always),
            None => Answer::NotFound(Keep::Always),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Plain,
    Wild,
    Exception,
}

#[derive(Debug, Default)]
struct List {
    rules: HashMap<String, Vec<Rule>>,
}

impl List {
    fn read(data: &[u8]) -> Self {
        let mut list = List::default();
        for line in data.lines() {
            let word = line.split(|c| c.is_ascii_whitespace()).next().unwrap_or_default();
            if word.is_empty() || word.starts_with(b"//") {
                continue;
            }
            let word = unicode(&word.to_str_lossy());
            let (name, rule) = if let Some(n) = word.strip_prefix("*.") {
                (n, Rule::Wild)
            } else if let Some(n) = word.strip_prefix('!') {
                (n, Rule::Exception)
            } else {
                (&*word, Rule::Plain)
            };
            list.rules.entry(name.to_string()).or_default().push(rule);
        }
        list
    }

    // How many labels the public suffix of the domain has.
    fn suffix_labels(&self, domain: &str) -> Option<usize> {
        let domain = unicode(domain);
        let labels: Vec<&str> = domain.split('.').collect();
        // The longest names first: the most specific rule wins.
        for n in (1..=labels.len()).rev() {
            let Some(rules) = self.rules.get(last_labels(&domain, n)?) else { continue };
            if rules.contains(&Rule::Exception) {
                return Some(n - 1);
            }
            if rules.contains(&Rule::Wild) && labels.len() > n {
                return Some(n + 1);
            }
            // A suffix on its own is not the domain of anybody.
            if rules.contains(&Rule::Plain) && labels.len() > n {
                return Some(n);
            }
        }
        None
    }
}

// Names are compared in their Unicode form.
fn unicode(domain: &str) -> String {
    idna::domain_to_unicode(domain).0
}

fn last_labels(domain: &str, n: usize) -> Option<&str> {
    if n == 0 {
        return None;
    }
    let total = domain.split('.').count();
    let skip = total.checked_sub(n)?;
    let mut rest = domain;
    for _ in 0..skip {
        rest = rest.split_once('.')?.1;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes() {
        let list =
            List::read("// x\naero\naerobatic.aero\n*.ck\n!www.ck\n*.wildcard.zabc.net\nzabc.net\n三重.jp\njp\n".as_bytes());
        let find = |d: &str, more| list.suffix_labels(d).and_then(|n| last_labels(d, n + more)).unwrap_or("").to_string();
        assert_eq!(find("spammer.k12.edu", 0), "");
        assert_eq!(find("aero", 0), "");
        assert_eq!(find("aerobatic.aero", 0), "aero");
        assert_eq!(find("bill.aerobatic.aero", 0), "aerobatic.aero");
        assert_eq!(find("foo.wildcard.zabc.net", 0), "foo.wildcard.zabc.net");
        assert_eq!(find("foo.wildcard.zabc.net", 1), "");
        assert_eq!(find("www.ck", 0), "ck");
        assert_eq!(find("foo.www.ck", 1), "www.ck");
        assert_eq!(find("w3.ck", 0), "w3.ck");
        assert_eq!(find("sub1.xn--ehqz56n.jp", 0), "xn--ehqz56n.jp");
        assert_eq!(find("sub2.sub1.三重.jp", 1), "sub1.三重.jp");
    }
}
