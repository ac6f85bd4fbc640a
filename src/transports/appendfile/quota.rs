//! Quotas that Exim imposes itself (manual section 26.2: `quota`, `quota_filecount`, ...).

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bstr::ByteSlice;

use super::{AppendfileOptions, Failure, Format};
use crate::config::options::Str;
use crate::context::Context;
use crate::deliver::local::{DeliveryStatus, LocalJob};
use crate::expand::{self, ExpandError};
use crate::retry::errors;
use crate::sys::pcre::{Options, Regex};
use crate::sys::time;

/// The limits of one delivery.
#[derive(Debug, Default)]
pub struct Limits {
    /// Bytes; 0 is none.
    bytes: u64,
    /// Files; 0 is none.
    files: u64,
    /// Bytes that a warning is sent at; 0 is none.
    threshold: u64,
    /// The message is counted too.
    inclusive: bool,
    /// Bytes of the message.
    message: u64,
    /// Given sizes (`mailbox_size`, `mailbox_filecount`).
    given_size: Option<u64>,
    given_count: Option<u64>,
    /// Where the size stands in file names.
    size_regex: Option<Regex>,
    /// The directory that is measured.
    directory: Option<Vec<u8>>,
    /// Sub-directories of a maildir that count.
    maildir_regex: Option<Regex>,
    harness: bool,
}

/// What a directory holds.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    bytes: u64,
    files: u64,
}

/// Most levels of directories below a maildir.
const MAX_DEPTH: u32 = 16;

impl Limits {
    /// Expands the options.
    pub(super) fn of(ctx: &mut Context, o: &AppendfileOptions, job: &LocalJob<'_>) -> Result<Self, Failure> {
        let mut number = |name: &str, option: &Str| -> Result<Option<(u64, bool)>, Failure> {
            let Some(t) = option.get() else { return Ok(None) };
            let text = match expand::expand(ctx, t) {
                Ok(text) => text,
                Err(ExpandError::Forced(_)) => return Ok(None),
                Err(e) => {
                    return Err(Failure {
                        status: DeliveryStatus::Panic,
                        ..Failure::defer(
                            errors::UNKNOWN,
                            format!("Expansion of \"{}\" in {} transport failed: {e}", t.raw().as_bstr(), job.transport.name),
                        )
                    });
                }
            };
            let plain = text.trim();
            let plain = plain.strip_suffix(b"/no_check").unwrap_or(plain);
            if plain.is_empty() {
                return Ok(None);
            }
            let (plain, percent) = match plain.strip_suffix(b"%") {
                Some(n) if name == "quota_warn_threshold" => (n.trim(), true),
                _ => (plain, false),
            };
            match crate::config::values::read_size(name, plain) {
                Ok(n) => Ok(u64::try_from(n).ok().map(|n| (n, percent))),
                Err(_) => Err(Failure::defer(
                    errors::UNKNOWN,
                    format!(
                        "Malformed value \"{text}\" (expansion of \"{}\") in {} transport",
                        t.raw().as_bstr(),
                        job.transport.name
                    ),
                )),
            }
        };
        let bytes = number("quota", &o.quota)?.map_or(0, |n| n.0);
        let files = number("quota_filecount", &o.quota_filecount)?.map_or(0, |n| n.0);
        let (warn, percent) = number("quota_warn_threshold", &o.quota_warn_threshold)?.unwrap_or((0, false));
        // A part of nothing is no threshold.
        let threshold = if percent { (u128::from(bytes) * u128::from(warn) / 100) as u64 } else { warn };
        let given_size = number("mailbox_size", &o.mailbox_size)?.map(|n| n.0);
        let given_count = number("mailbox_filecount", &o.mailbox_filecount)?.map(|n| n.0);
        let compile = |name: &str, option: &Str| match option.raw() {
            None => Ok(None),
            Some(r) => Regex::new(r, Options::NONE).map(Some).map_err(|e| {
                Failure::defer(
                    errors::UNKNOWN,
                    format!("appendfile: regular expression error: {e:?} while compiling {name} \"{}\"", r.as_bstr()),
                )
            }),
        };
        let directory = match o.quota_directory.get() {
            None => None,
            Some(t) => Some(
                expand::expand(ctx, t)
                    .map_err(|e| {
                        Failure::defer(
                            errors::UNKNOWN,
                            format!(
                                "Expansion of \"{}\" (quota_directory for {} transport) failed: {e}",
                                t.raw().as_bstr(),
                                job.transport.name
                            ),
                        )
                    })?
                    .into_bytes(),
            ),
        };
        Ok(Limits {
            bytes,
            files,
            threshold,
            inclusive: o.quota_is_inclusive,
            message: ctx.message.size,
            given_size,
            given_count,
            size_regex: compile("quota_size_regex", &o.quota_size_regex)?,
            directory,
            maildir_regex: compile("maildir_quota_directory_regex", &o.maildir_quota_directory_regex)?,
            harness: ctx.run.test_harness,
        })
    }

    /// Is there a threshold for warnings?
    pub(super) fn warns(&self) -> bool {
        self.threshold > 0
    }

    /// Has the size gone past the threshold?
    pub(super) fn crossed(&self, before: u64, after: u64) -> bool {
        self.threshold > 0 && before <= self.threshold && after > self.threshold
    }

    /// The bytes of a mailbox by now.
    pub(super) fn used(&self, path: &[u8], format: Format) -> u64 {
        match format {
            Format::Mbox => crate::sys::file::stat(path).ok().and_then(|s| u64::try_from(s.size).ok()).unwrap_or(0),
            _ => self.measured(self.directory.as_deref().unwrap_or(path), format == Format::Maildir).bytes,
        }
    }

    fn any(&self) -> bool {
        self.bytes > 0 || self.files > 0
    }

    /// Without any delivery. A message of unknown size needs a mailbox that is not full yet.
    pub(super) fn check_now(&self, ctx: &Context, path: &[u8], format: Format) -> Result<(), Failure> {
        match format {
            Format::Mbox => {
                let size = crate::sys::file::stat(path).ok().and_then(|s| u64::try_from(s.size).ok()).unwrap_or(0);
                self.check_file(ctx, path, size)
            }
            Format::Maildir => self.check_maildir(ctx, path, path),
            _ => self.check_directory(ctx, path),
        }
    }

    /// Before appending to a file of `size` bytes.
    pub(super) fn check_file(&self, _: &Context, path: &[u8], size: u64) -> Result<(), Failure> {
        let unread = crate::sys::file::stat(path).map(|s| time::unix_time() - s.atime.0).unwrap_or(0);
        self.check(Usage { bytes: self.given_size.unwrap_or(size), files: self.given_count.unwrap_or(0) }, path, unread)
    }

    /// Before adding a file to a directory.
    pub(super) fn check_directory(&self, _: &Context, path: &[u8]) -> Result<(), Failure> {
        if !self.any() {
            return Ok(());
        }
        let usage = self.measured(self.directory.as_deref().unwrap_or(path), false);
        self.check(usage, path, 0)
    }

    /// Before adding a file to a maildir; `leaf` is what messages call it.
    pub(super) fn check_maildir(&self, _: &Context, path: &[u8], leaf: &[u8]) -> Result<(), Failure> {
        if !self.any() {
            return Ok(());
        }
        let usage = self.measured(self.directory.as_deref().unwrap_or(path), true);
        let unread = if self.harness {
            10
        } else {
            crate::sys::file::stat(&[path, b"/new"].concat()).map(|s| time::unix_time() - s.mtime.0).unwrap_or(0)
        };
        self.check(usage, leaf, unread)
    }

    fn check(&self, usage: Usage, path: &[u8], unread: i64) -> Result<(), Failure> {
        let extra = if self.inclusive { self.message } else { 0 };
        let over = |what: &str| {
            let mut f = Failure::defer(
                errors::QUOTA,
                format!("mailbox is full (MTA-imposed {what}quota exceeded while writing to {})", path.as_bstr()),
            );
            f.user_message = Some("mailbox is full".into());
            f.more = i32::try_from(unread).unwrap_or(i32::MAX);
            Err(f)
        };
        if self.bytes > 0 && usage.bytes.saturating_add(extra) > self.bytes {
            return over("");
        }
        if self.files > 0 && usage.files + u64::from(self.inclusive) > self.files {
            return over("filecount ");
        }
        Ok(())
    }

    fn measured(&self, path: &[u8], maildir: bool) -> Usage {
        let mut usage = Usage::default();
        if self.given_size.is_none() || self.given_count.is_none() {
            self.walk(Path::new(std::ffi::OsStr::from_bytes(path)), maildir, 0, &mut usage);
        }
        Usage { bytes: self.given_size.unwrap_or(usage.bytes), files: self.given_count.unwrap_or(usage.files) }
    }

    fn walk(&self, path: &Path, maildir: bool, depth: u32, usage: &mut Usage) {
        let Ok(entries) = std::fs::read_dir(path) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                let counts = !maildir || self.maildir_regex.as_ref().is_none_or(|r| r.is_match(name.as_bytes()));
                if counts && depth < MAX_DEPTH {
                    self.walk(&entry.path(), maildir, depth + 1, usage);
                }
            } else if kind.is_file() && (!maildir || depth > 0) {
                usage.files += 1;
                usage.bytes += self.size_of(name.as_bytes()).or_else(|| entry.metadata().ok().map(|m| m.len())).unwrap_or(0);
            }
        }
    }

    fn size_of(&self, name: &[u8]) -> Option<u64> {
        let captures = self.size_regex.as_ref()?.find(name).ok()??;
        captures.get(name, 1)?.to_str().ok()?.parse().ok()
    }

    /// The system's own quota errors get the text that users know.
    pub(super) fn explain(&self, mut failure: Failure, path: &[u8]) -> Failure {
        match failure.errno {
            libc::EDQUOT => {
                failure.message = format!("mailbox is full (error while writing to {})", path.as_bstr());
                failure.user_message = Some("mailbox is full".into());
            }
            libc::ENOSPC => failure.message = format!("error while writing to {}", path.as_bstr()),
            _ => {}
        }
        failure
    }
}
