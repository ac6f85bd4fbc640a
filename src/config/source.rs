//! Which file is the configuration, and may it be trusted? (manual sections 6.1 and 5.3 under -C)
//!
//! Only the start of the program and the reader call it. Reads files; decides nothing about privilege itself.

use std::io::{self, Read as _};
use std::os::fd::AsFd as _;

use bstr::{BString, ByteSlice};

use super::error::ConfigError;
use super::ids;
use crate::build_options as build;
use crate::sys::file::{self, Flags};

/// Largest configuration file.
const MAX_SIZE: u64 = 64 << 20;

/// `-C builtin`: the configuration that is embedded in the program.
pub const EMBEDDED: &[u8] = b"builtin";

/// Reads a whole file.
fn read_all(fd: std::os::fd::OwnedFd) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    std::fs::File::from(fd).take(MAX_SIZE).read_to_end(&mut text)?;
    Ok(text)
}

/// An included file.
pub fn read_included(path: &[u8]) -> io::Result<Vec<u8>> {
    read_all(file::open(path, Flags::READ, 0)?)
}

/// The file names to try, in order.
pub fn candidates(list: &[u8]) -> Vec<BString> {
    let mut out = Vec::new();
    let node = crate::sys::system::uname().map(|u| u.node).unwrap_or_default();
    for name in ids::items(list) {
        if build::CONFIGURE_FILE_USE_EUID {
            let mut with = name.clone();
            with.extend_from_slice(format!(".{}", crate::sys::ids::geteuid()).as_bytes());
            if build::CONFIGURE_FILE_USE_NODE {
                let mut both = with.clone();
                both.push(b'.');
                both.extend_from_slice(&node);
                out.push(both);
            }
            out.push(with);
        }
        if build::CONFIGURE_FILE_USE_NODE {
            let mut with = name.clone();
            with.push(b'.');
            with.extend_from_slice(&node);
            out.push(with);
        }
        out.push(name);
    }
    out
}

/// Opens and reads the first file of a colon-separated list that exists. `check_owner`: it must belong to root, the
/// exim user or CONFIGURE_OWNER, and others must not be able to write it.
pub fn read_main(list: &[u8], check_owner: bool, exim: (u32, u32)) -> Result<(BString, Vec<u8>), ConfigError> {
    if list == EMBEDDED {
        return Ok((EMBEDDED.into(), include_bytes!("default.conf").to_vec()));
    }
    let names = candidates(list);
    for name in &names {
        match file::open(name, Flags::READ, 0) {
            Ok(fd) => {
                if check_owner {
                    owned_well(&fd, name, exim)?;
                }
                let text = read_all(fd)
                    .map_err(|e| ConfigError::bare(format!("failed to read {name}: {}", crate::sys::error_text(&e))))?;
                return Ok((name.clone(), text));
            }
            // A missing one lets the next have its turn, as does a missing directory.
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(e) => {
                return Err(ConfigError::bare(format!(
                    "failed to open configuration file {name}: {}",
                    crate::sys::error_text(&e)
                )));
            }
        }
    }
    Err(match names.as_slice() {
        [one] => ConfigError::bare(format!("non-existent configuration file: {one}")),
        _ => ConfigError::bare(format!("non-existent configuration file(s): {}", list.as_bstr())),
    })
}

fn owned_well(fd: &std::os::fd::OwnedFd, name: &BString, exim: (u32, u32)) -> Result<(), ConfigError> {
    let stat = file::fstat(fd.as_fd())
        .map_err(|e| ConfigError::bare(format!("failed to stat configuration file {name}: {}", crate::sys::error_text(&e))))?;
    let (owner, group) = configure_owner();
    let good_owner = stat.uid == 0 || stat.uid == exim.0 || owner == Some(stat.uid);
    let good_group = stat.gid == 0 || stat.gid == exim.1 || group == Some(stat.gid) || stat.mode & 0o020 == 0;
    if !good_owner || !good_group || stat.mode & 0o002 != 0 {
        return Err(ConfigError::bare(format!("Exim configuration file {name} has the wrong owner, group, or mode")));
    }
    Ok(())
}

/// CONFIGURE_OWNER and CONFIGURE_GROUP, as ids.
pub fn configure_owner() -> (Option<u32>, Option<u32>) {
    let plain = |s: &'static str| s.strip_prefix("ref:").unwrap_or(s).as_bytes();
    (ids::user(plain(build::CONFIGURE_OWNER)).map(|u| u.uid), ids::group(plain(build::CONFIGURE_GROUP)))
}

/// Is a file of `-C` one that TRUSTED_CONFIG_LIST names, so that privilege is kept?
pub fn trusted_config(name: &[u8]) -> bool {
    let list = build::TRUSTED_CONFIG_LIST;
    if list.is_empty() || !name.starts_with(b"/") {
        return false;
    }
    let Ok(fd) = file::open(list.as_bytes(), Flags::READ, 0) else { return false };
    let Ok(stat) = file::fstat(fd.as_fd()) else { return false };
    let (owner, group) = configure_owner();
    let good_owner = stat.uid == 0 || owner == Some(stat.uid);
    let good_group = stat.gid == 0 || group == Some(stat.gid) || stat.mode & 0o020 == 0;
    if !good_owner || !good_group || stat.mode & 0o002 != 0 {
        return false;
    }
    let Ok(text) = read_all(fd) else { return false };
    text.lines().map(ByteSlice::trim).any(|line| {
        if line.is_empty() || line.starts_with(b"#") || !line.starts_with(b"/") {
            return false;
        }
        // A directory (with its slash) trusts all files below it that stay below it.
        line == name || (line.ends_with(b"/") && name.starts_with(line) && !name.contains_str("/../"))
    })
}
