//! Commands of a script that the runner carries out by itself: files and hints dumps.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::ExitStatus;

use super::{Execution, Result};
use crate::facts;
use crate::script::{Block, Lines};

impl Execution {
    pub(super) fn make_directory(&self, path: &Path, uid: u32, gid: u32) -> Result<()> {
        fs::create_dir_all(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        chown(path, Some(uid), Some(gid))?;
        Ok(())
    }

    /// The text goes to all four outputs, so that parts of a long test can be told apart.
    pub(super) fn marker(&self, text: &[u8]) -> Result<()> {
        for name in ["test-stdout", "test-stderr", "test-stdout-server", "test-stderr-server"] {
            self.append(name, &[text, b"\n"].concat())?;
        }
        Ok(())
    }

    pub(super) fn write(&self, show: bool, file: &str, sizes: &[Block], head: &Lines, tail: &Lines) -> Result<()> {
        let content = content(sizes, head, tail);
        let path = self.top.join(file);
        fs::write(&path, &content).map_err(|e| super::Stop::Fail(format!("write {file}: {e}")))?;
        chown(&path, Some(self.caller.uid), Some(self.caller.gid))?;
        if show {
            let bar = b"==========\n".as_slice();
            self.append("test-stdout", &[bar, &content, bar].concat())?;
        }
        Ok(())
    }

    pub(super) fn copy_gnutls_parameters(&self) -> Result<()> {
        let target = self.top.join("spool/gnutls-params-2236");
        fs::copy(self.top.join("aux-fixed/gnutls-params"), &target)?;
        fs::set_permissions(&target, fs::Permissions::from_mode(0o400))?;
        chown(&target, Some(self.facts.exim_uid), Some(self.facts.exim_gid))?;
        Ok(())
    }

    pub(super) fn dump(&self, name: &str) -> Result<ExitStatus> {
        self.append("test-stdout", format!("{}\n", "+".repeat(27)).as_bytes())?;
        let top = self.facts.top_str();
        let line = format!("{top}/eximdir/exim_dumpdb {top}/spool {name} 2>>test-stderr");
        let (output, status) = self.output_of(&line)?;
        let text = String::from_utf8_lossy(&output);
        let sorted = match name {
            "retry" => sorted_retry(&text),
            "callout" => sorted_by(&text, |line| line.get(21..).unwrap_or("").to_string()),
            "seen" => sorted_by(&text, |line| line.replace(facts::IPV4, "ip4.ip4.ip4.ip4")),
            _ => text.into_owned(),
        };
        self.append("test-stdout", sorted.as_bytes())?;
        Ok(status)
    }
}

fn content(sizes: &[Block], head: &Lines, tail: &Lines) -> Vec<u8> {
    let mut content = Vec::new();
    for line in head {
        content.extend_from_slice(line);
        content.push(b'\n');
    }
    for block in sizes {
        let fill = (block.length.max(1) - 1).saturating_sub(block.text.len());
        let line = format!("{}{}\n", block.text, "a".repeat(fill));
        content.extend_from_slice(line.repeat(block.count).as_bytes());
    }
    for line in tail {
        content.extend_from_slice(line);
        content.push(b'\n');
    }
    content
}

fn sorted_by(text: &str, key: impl Fn(&str) -> String) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_by_key(|line| key(line));
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// A retry record is two lines, the first of which is indented and begins with its key.
fn sorted_retry(text: &str) -> String {
    let Some(text) = text.strip_prefix("  ") else {
        return text.to_string();
    };
    let mut records: Vec<&str> = text.trim_end_matches('\n').split("\n  ").collect();
    let port = facts::PORT_N.to_string();
    records.sort_by_key(|record| {
        let key = record.split_ascii_whitespace().next().unwrap_or("");
        key.replace(facts::IPV4, "ip4.ip4.ip4.ip4").replace(&port, "PORT_N")
    });
    let lines = records.iter().map(|record| format!("  {record}\n"));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_lines_have_their_length() {
        let blocks = [Block { count: 2, length: 10, text: "ab ".into() }, Block { count: 1, length: 5, text: String::new() }];
        let content = content(&blocks, &vec![b"first".to_vec()], &vec![b"last".to_vec()]);
        assert_eq!(content, b"first\nab aaaaaa\nab aaaaaa\naaaa\nlast\n");
    }

    #[test]
    fn retry_records_are_sorted_by_key() {
        let text = "  T:b 1 x\nt1  t2  t3 *\n  R:c 2 y\nt4  t5  t6\n  R:a 2 y\nt7  t8  t9 \n";
        assert_eq!(sorted_retry(text), "  R:a 2 y\nt7  t8  t9 \n  R:c 2 y\nt4  t5  t6\n  T:b 1 x\nt1  t2  t3 *\n");
        assert_eq!(sorted_retry(""), "");
    }
}
