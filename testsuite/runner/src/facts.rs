//! What is known about a run: names, addresses, places and the binary's features. The runner
//! writes it to a small file, so that the process inside a test's namespace knows the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

pub const CALLER: &str = "oximtest";
pub const CALLER_GROUP: &str = "oximcallers";
pub const CALLER_ID: u32 = 1042;
pub const CALLER_GECOS: &str = "Oxim Test Caller";
pub const HOST: &str = "runner";
pub const DOMAIN: &str = "oxim.internal";
pub const IPV4: &str = "172.23.91.7";
/// Without zero groups, so that its shortest and its longest form are the same.
pub const IPV6: &str = "fd4f:8a16:1f2e:3d4c:5b6a:7988:a796:b5c4";
pub const MAIL_GROUP: &str = "mail";

pub const PORT_N: u16 = 1223;
/// Token names and ports, in the order in which they are looked for.
pub const PORTS: [(&str, u16); 6] = [
    ("PORT_D", PORT_N + 2),
    ("PORT_D2", PORT_N + 3),
    ("PORT_D3", PORT_N + 4),
    ("PORT_D4", PORT_N + 5),
    ("PORT_N", PORT_N),
    ("PORT_S", PORT_N + 1),
];

pub fn fqdn() -> String {
    format!("{HOST}.{DOMAIN}")
}

#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The directory over which a test's own directory is mounted.
    pub root: PathBuf,
    pub exim_user: String,
    pub exim_group: String,
    pub exim_uid: u32,
    pub exim_gid: u32,
    /// What the binary says of itself: words by heading, e.g. `support` -> `IPv6 TLS`.
    pub features: BTreeMap<String, Vec<String>>,
    /// The size of `off_t` in bytes.
    pub offset_size: u32,
}

impl Facts {
    /// The test directory as the tests see it.
    pub fn top(&self) -> PathBuf {
        self.root.join("test")
    }

    pub fn top_str(&self) -> String {
        self.top().display().to_string()
    }

    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    pub fn has(&self, heading: &str, word: &str) -> bool {
        self.features.get(heading).is_some_and(|words| words.iter().any(|w| w == word))
    }

    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = format!(
            "root {}\nuser {} {}\ngroup {} {}\noff_t {}\n",
            self.root.display(),
            self.exim_user,
            self.exim_uid,
            self.exim_group,
            self.exim_gid,
            self.offset_size,
        );
        for (heading, words) in &self.features {
            text += &format!("has {heading} {}\n", words.join(" "));
        }
        fs::write(path, text)
    }

    pub fn read(path: &Path) -> io::Result<Facts> {
        let mut facts = Facts::default();
        for line in fs::read_to_string(path)?.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["root", root] => facts.root = root.into(),
                ["user", name, id] => {
                    facts.exim_user = name.into();
                    facts.exim_uid = id.parse().unwrap_or(0);
                }
                ["group", name, id] => {
                    facts.exim_group = name.into();
                    facts.exim_gid = id.parse().unwrap_or(0);
                }
                ["off_t", size] => facts.offset_size = size.parse().unwrap_or(0),
                ["has", heading, ref words @ ..] => {
                    let words = words.iter().map(|w| w.to_string()).collect();
                    facts.features.insert(heading.to_string(), words);
                }
                _ => {}
            }
        }
        Ok(facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_survive_writing_and_reading() {
        let path = std::env::temp_dir().join(format!("facts-{}", std::process::id()));
        let mut facts = Facts { root: "/srv".into(), exim_uid: 400, ..Facts::default() };
        facts.exim_user = "exim".into();
        facts.features.insert("support".into(), vec!["IPv6".into(), "OpenSSL".into()]);
        facts.write(&path).unwrap();
        let read = Facts::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(read.root, facts.root);
        assert_eq!(read.exim_uid, 400);
        assert!(read.has("support", "OpenSSL") && !read.has("support", "GnuTLS"));
    }
}
