//! The tests of a corpus, and what is known of each.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::facts::Facts;
use crate::subst::Substitution;

#[derive(Debug, Clone)]
pub struct Test {
    pub number: String,
    pub directory: String,
    pub script: PathBuf,
    /// The reference passes it on a machine like ours, so it counts.
    pub counts: bool,
    /// Its standard error is no debugging output, which is free in form.
    pub compare_stderr: bool,
}

pub struct Corpus {
    pub path: PathBuf,
    pub tests: Vec<Test>,
    /// The lines of each directory's REQUIRES.
    pub requires: HashMap<String, Vec<String>>,
}

impl Corpus {
    pub fn read(path: &Path) -> io::Result<Corpus> {
        let known = table(path);
        let mut corpus = Corpus { path: path.to_path_buf(), tests: Vec::new(), requires: HashMap::new() };
        for directory in sorted_names(&path.join("scripts"))? {
            let place = path.join("scripts").join(&directory);
            if !place.is_dir() || !directory.starts_with(|c: char| c.is_ascii_digit()) {
                continue;
            }
            let requires = fs::read_to_string(place.join("REQUIRES")).unwrap_or_default();
            let lines = requires.lines().map(|line| line.trim_end().to_string());
            corpus.requires.insert(directory.clone(), lines.filter(|l| !l.is_empty()).collect());
            for number in sorted_names(&place)? {
                if number.len() != 4 || !number.bytes().all(|b| b.is_ascii_digit()) {
                    continue;
                }
                let columns = known.get(&number);
                let column = |n: usize| columns.and_then(|columns| columns.get(n));
                corpus.tests.push(Test {
                    script: place.join(&number),
                    directory: directory.clone(),
                    counts: column(4).is_none_or(|reference| reference == "pass"),
                    compare_stderr: column(3).is_none_or(|class| !class.starts_with("debug")),
                    number,
                });
            }
        }
        Ok(corpus)
    }

    /// The macros that some directory wants to be, or not to be, predefined.
    pub fn macros(&self) -> Vec<String> {
        let lines = self.requires.values().flatten();
        let name = |line: &String| {
            let line = line.strip_prefix("not ").unwrap_or(line);
            line.strip_prefix("feature ").map(|name| name.trim().to_string())
        };
        let mut names: Vec<String> = lines.filter_map(name).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The requirement of a directory that is not met, if any. `template` is the test directory
    /// as it is now, for files that are to be there.
    pub fn unmet(&self, directory: &str, facts: &Facts, template: &Path) -> Result<Option<String>, String> {
        let substitution = Substitution::new(facts, "0", None);
        for line in self.requires.get(directory).into_iter().flatten() {
            let line = substitution.apply_str(line);
            match met(&line, facts, template) {
                Some(true) => {}
                Some(false) => return Ok(Some(line)),
                None => return Err(format!("{directory}/REQUIRES: unknown line: {line}")),
            }
        }
        Ok(None)
    }
}

fn met(line: &str, facts: &Facts, template: &Path) -> Option<bool> {
    let (what, name) = line.split_once(' ').unwrap_or((line, ""));
    let name = name.trim();
    Some(match what {
        "support" | "running" | "lookup" | "router" | "transport" | "malware" => facts.has(what, name),
        "authenticator" | "authenticators" => facts.has("authenticator", name),
        "feature" => facts.has("macro", name),
        "not" => !facts.has("macro", name.strip_prefix("feature ")?.trim()),
        "file" => match Path::new(name).strip_prefix(facts.top()) {
            Ok(inside) => template.join(inside).exists(),
            Err(_) => Path::new(name).exists(),
        },
        "ipv6-non-linklocal" => facts.has("running", "IPv6"),
        _ => return None,
    })
}

/// TESTS.tsv by test number.
fn table(path: &Path) -> HashMap<String, Vec<String>> {
    let text = fs::read_to_string(path.join("TESTS.tsv")).unwrap_or_default();
    let rows = text.lines().map(|line| line.split('\t').map(String::from).collect());
    rows.map(|row: Vec<String>| (row[0].clone(), row)).collect()
}

fn sorted_names(path: &Path) -> io::Result<Vec<String>> {
    let names = fs::read_dir(path)?.map(|e| Ok(e?.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect::<io::Result<_>>()?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements() {
        let mut facts = Facts { root: "/srv".into(), ..Facts::default() };
        facts.features.insert("support".into(), vec!["IPv6".into()]);
        facts.features.insert("macro".into(), vec!["_HAVE_TLS".into()]);
        let met = |line| met(line, &facts, Path::new("/"));
        assert_eq!(met("support IPv6"), Some(true));
        assert_eq!(met("lookup cdb"), Some(false));
        assert_eq!(met("feature _HAVE_TLS"), Some(true));
        assert_eq!(met("not feature _HAVE_TLS"), Some(false));
        assert_eq!(met("file /srv/test/etc"), Some(true));
        assert_eq!(met("file /srv/test/no/such/file"), Some(false));
        assert_eq!(met("whatever x"), None);
    }
}
