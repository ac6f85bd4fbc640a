//! What a directory of messages holds: bytes and files, for quotas (manual sections 26.2 and 26.7).

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::sys::pcre::Regex;

/// Most levels of directories that are looked into.
const MAX_DEPTH: u32 = 16;

/// What a mailbox holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) bytes: u64,
    pub(super) files: u64,
    /// The latest change of any of the directories, seconds: one after the count makes the count doubtful.
    pub(super) newest: i64,
}

impl Usage {
    /// Everything below a directory. `size_regex` finds sizes in file names, which saves looking at each file.
    pub(super) fn of_directory(path: &[u8], size_regex: Option<&Regex>) -> Self {
        let mut usage = Usage::default();
        usage.add_tree(as_path(path), size_regex, 0);
        usage
    }

    /// What counts in a maildir by the maildir++ rules: the directories at its top that fit the pattern, and of those
    /// that are folders `cur` and `new`.
    pub(super) fn of_maildir(path: &[u8], directories: &Regex, size_regex: Option<&Regex>) -> Self {
        let mut usage = Usage::default();
        for (name, sub) in sub_directories(as_path(path)).filter(|(name, _)| directories.is_match(name)) {
            if matches!(name.as_slice(), b"cur" | b"new") {
                usage.add_tree(&sub, size_regex, 0);
            } else {
                for leaf in ["cur", "new"] {
                    usage.add_tree(&sub.join(leaf), size_regex, 0);
                }
            }
        }
        usage
    }

    fn add_tree(&mut self, path: &Path, size_regex: Option<&Regex>, depth: u32) {
        let Ok(entries) = std::fs::read_dir(path) else { return };
        self.newest = self.newest.max(std::fs::symlink_metadata(path).map(|m| m.mtime()).unwrap_or(0));
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                if depth < MAX_DEPTH {
                    self.add_tree(&entry.path(), size_regex, depth + 1);
                }
                continue;
            }
            self.files = self.files.saturating_add(1);
            // A message that another name stands for, too, is shared between the names.
            let looked_at = || entry.metadata().map(|m| m.len() / m.nlink().max(1)).unwrap_or(0);
            let bytes = size_regex.and_then(|r| size_in_name(r, entry.file_name().as_bytes())).unwrap_or_else(looked_at);
            self.bytes = self.bytes.saturating_add(bytes);
        }
    }
}

/// The size that `quota_size_regex` captures.
fn size_in_name(regex: &Regex, name: &[u8]) -> Option<u64> {
    let captures = regex.find(name).ok()??;
    std::str::from_utf8(captures.get(name, 1)?).ok()?.parse().ok()
}

fn sub_directories(path: &Path) -> impl Iterator<Item = (Vec<u8>, std::path::PathBuf)> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())).map(|e| (e.file_name().as_bytes().to_vec(), e.path()))
}

fn as_path(path: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::pcre::Options;

    #[test]
    fn sizes_in_names() {
        let r = Regex::new(br",S=(\d+)", Options::NONE).unwrap();
        assert_eq!(size_in_name(&r, b"1.H2P3.x,S=231:2,S"), Some(231));
        assert_eq!(size_in_name(&r, b"1.H2P3.x"), None);
        assert_eq!(size_in_name(&r, b"1.x,S=99999999999999999999999"), None);
    }
}
