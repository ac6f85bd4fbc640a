//! Quotas that Exim imposes itself (manual section 26.2: `quota`, `quota_filecount`, ...).
//!
//! [`Limits`] is what the options say, worked out before root's privilege is given up; [`Account`] is one mailbox
//! held against them.

use std::io;

use bstr::ByteSlice;

use super::maildirsize::SizeFile;
use super::usage::Usage;
use super::{AppendfileOptions, Failure, Format};
use crate::config::options::{ExpBool, Str};
use crate::context::Context;
use crate::deliver::local::DeliveryStatus;
use crate::expand::{self, ExpandError};
use crate::retry::errors;
use crate::sys::file;
use crate::sys::pcre::{Options, Regex};
use crate::sys::time;
use crate::transports::TransportInstance;

/// One limit; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Limit {
    value: u64,
    /// `/no_check`: going over it stops nothing.
    unchecked: bool,
}

/// The limits of one delivery.
#[derive(Debug)]
pub(super) struct Limits {
    bytes: Limit,
    files: Limit,
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
    /// A `maildirsize` file is kept; which sub-directories of a maildir count in it.
    size_file: Option<Regex>,
    harness: bool,
}

/// Expands the options of one transport.
struct Reader<'a> {
    ctx: &'a mut Context,
    transport: &'a TransportInstance,
}

impl Reader<'_> {
    fn expanded(&mut self, option: &Str) -> Result<Option<crate::text::Text>, Failure> {
        let Some(t) = option.get() else { return Ok(None) };
        match expand::expand(self.ctx, t) {
            Ok(text) => Ok(Some(text)),
            Err(ExpandError::Forced(_)) => Ok(None),
            Err(e) => Err(self.failed(t.raw(), &e)),
        }
    }

    fn failed(&self, raw: &[u8], e: &ExpandError) -> Failure {
        let text = format!("Expansion of \"{}\" in {} transport failed: {e}", raw.as_bstr(), self.transport.name);
        Failure { status: DeliveryStatus::Panic, ..Failure::defer(errors::UNKNOWN, text) }
    }

    fn number<T>(&mut self, option: &Str, parse: fn(&[u8]) -> Option<T>) -> Result<Option<T>, Failure> {
        let Some(text) = self.expanded(option)?.filter(|t| !t.trim().is_empty()) else { return Ok(None) };
        parse(text.trim()).map(Some).ok_or_else(|| {
            let raw = option.raw().unwrap_or_default().as_bstr();
            let text = format!("Malformed value \"{text}\" (expansion of \"{raw}\") in {} transport", self.transport.name);
            Failure { status: DeliveryStatus::Panic, ..Failure::defer(errors::UNKNOWN, text) }
        })
    }

    fn size_file(&mut self, o: &AppendfileOptions) -> Result<bool, Failure> {
        match &o.maildir_use_size_file {
            ExpBool::Fixed(b) => Ok(*b),
            ExpBool::Expanded(t) => {
                let text = expand::expand(self.ctx, t).map_err(|e| self.failed(t.raw(), &e))?;
                match text.trim().to_ascii_lowercase().as_slice() {
                    b"true" | b"yes" => Ok(true),
                    b"" | b"false" | b"no" => Ok(false),
                    _ => {
                        let text = format!("\"{text}\" is not a valid value for the \"maildir_use_size_file\" option");
                        Err(Failure::defer(errors::UNKNOWN, text))
                    }
                }
            }
        }
    }
}

/// The regular expression of an option.
pub(super) fn compile(option: &Str) -> Result<Option<Regex>, Failure> {
    let Some(r) = option.raw() else { return Ok(None) };
    Regex::new(r, Options::NONE).map(Some).map_err(|e| {
        Failure::defer(errors::UNKNOWN, format!("appendfile: regular expression error: {e} while compiling {}", r.as_bstr()))
    })
}

/// A number that may have decimals, then a letter, then `/no_check`: the value, and whether that modifier is there.
fn limit(text: &[u8]) -> Option<Limit> {
    let (number, unchecked) = match text.strip_suffix(b"/no_check") {
        Some(n) => (n, true),
        None => (text, false),
    };
    Some(Limit { value: number_with_letter(number)?, unchecked })
}

/// `1.5K`, `20M`. Less than nothing is no limit.
fn number_with_letter(text: &[u8]) -> Option<u64> {
    let text = text.to_str().ok()?.trim();
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).ok();
    }
    let (number, shift) = match text.strip_suffix(|c: char| c.is_ascii_alphabetic()) {
        None => (text, 0),
        Some(n) => match text.as_bytes().last().map(u8::to_ascii_uppercase) {
            Some(b'K') => (n, 10),
            Some(b'M') => (n, 20),
            Some(b'G') => (n, 30),
            _ => return None,
        },
    };
    let plain = number.strip_prefix('-').unwrap_or(number);
    if !plain.starts_with(|c: char| c.is_ascii_digit()) || plain.contains(|c: char| !c.is_ascii_digit() && c != '.') {
        return None;
    }
    let value = number.parse::<f64>().ok()? * f64::from(1u32 << shift);
    // A float turns into the nearest integer that there is, 0 for what is negative.
    Some(value as u64)
}

/// `quota_warn_threshold`: a number, or a part of the quota.
#[derive(Clone, Copy)]
enum Threshold {
    Bytes(u64),
    Percent(u64),
}

fn threshold(text: &[u8]) -> Option<Threshold> {
    match text.strip_suffix(b"%") {
        Some(n) => number_with_letter(n).map(Threshold::Percent),
        None => number_with_letter(text).map(Threshold::Bytes),
    }
}

impl Limits {
    /// Expands the options.
    pub(super) fn of(ctx: &mut Context, o: &AppendfileOptions, transport: &TransportInstance) -> Result<Self, Failure> {
        let (message, harness) = (ctx.message.size, ctx.run.test_harness);
        let mut r = Reader { ctx, transport };
        let bytes = r.number(&o.quota, limit)?.unwrap_or_default();
        let files = r.number(&o.quota_filecount, limit)?.unwrap_or_default();
        let threshold = match r.number(&o.quota_warn_threshold, threshold)? {
            None => 0,
            Some(Threshold::Bytes(n)) => n,
            // A part of nothing is no threshold.
            Some(Threshold::Percent(p)) => (u128::from(bytes.value) * u128::from(p) / 100) as u64,
        };
        let size_file = if r.size_file(o)? { compile(&o.maildir_quota_directory_regex)? } else { None };
        Ok(Limits {
            bytes,
            files,
            threshold,
            inclusive: o.quota_is_inclusive,
            message,
            given_size: r.number(&o.mailbox_size, number_with_letter)?,
            given_count: r.number(&o.mailbox_filecount, number_with_letter)?,
            size_regex: compile(&o.quota_size_regex)?,
            directory: r.expanded(&o.quota_directory)?.map(|t| t.into_bytes()),
            size_file,
            harness,
        })
    }

    /// Is there anything that a mailbox is to be measured for?
    fn measures(&self) -> bool {
        self.bytes.value > 0 || self.files.value > 0 || self.threshold > 0
    }

    fn given(&self, usage: Usage) -> Usage {
        Usage { bytes: self.given_size.unwrap_or(usage.bytes), files: self.given_count.unwrap_or(usage.files), ..usage }
    }

    /// There are none, and nobody is to count either.
    pub(super) fn none(&self) -> bool {
        !self.measures() && self.size_file.is_none()
    }

    /// A mailbox file of `size` bytes.
    pub(super) fn of_file(&self, size: u64) -> Account<'_> {
        Account { limits: self, usage: self.given(Usage { bytes: size, files: 0, newest: 0 }), size_file: None, exempt: false }
    }

    /// A directory that messages are put into.
    pub(super) fn of_directory(&self, path: &[u8], format: Format) -> Result<Account<'_>, Failure> {
        let top = self.top_of(path, format);
        let mut account = Account { limits: self, usage: Usage::default(), size_file: None, exempt: false };
        if let (Some(directories), Format::Maildir) = (&self.size_file, format) {
            // A message into a folder that does not count is none of the quota's business.
            let inside = path.strip_prefix(top.as_slice()).unwrap_or_default().trim_start_with(|c| c == '/');
            if !inside.is_empty() && !directories.is_match(inside) {
                account.exempt = true;
                return Ok(account);
            }
            let open = SizeFile::open(&top, (self.bytes.value, self.files.value), &|| self.count_maildir(&top, directories));
            let file = open.map_err(|e| size_file_error(&e, &top))?;
            account.usage = self.given(file.usage);
            account.size_file = Some((top, file));
        } else if self.measures() {
            let counted = self.given_size.is_some() && (self.given_count.is_some() || self.files.value == 0);
            let usage = if counted { Usage::default() } else { Usage::of_directory(&top, self.size_regex.as_ref()) };
            account.usage = self.given(usage);
        }
        Ok(account)
    }

    /// The directory that is measured. A maildir++ folder is part of the maildir above it.
    fn top_of(&self, path: &[u8], format: Format) -> Vec<u8> {
        if let Some(d) = &self.directory {
            return d.trim_end_with(|c| c == '/').to_vec();
        }
        let folder = format == Format::Maildir && file::stat(&[path, b"/maildirfolder"].concat()).is_ok();
        let end = if folder { path.rfind_byte(b'/').unwrap_or(path.len()) } else { path.len() };
        path[..end].to_vec()
    }

    fn count_maildir(&self, top: &[u8], directories: &Regex) -> Usage {
        Usage::of_maildir(top, directories, self.size_regex.as_ref())
    }

    /// The system's own quota errors get the text that users know.
    pub(super) fn explain(&self, mut failure: Failure, path: &[u8]) -> Failure {
        match failure.errno {
            libc::EDQUOT => {
                failure.message = format!("mailbox is full (error while writing to {})", path.as_bstr());
                failure.user_message = Some("mailbox is full".into());
            }
            libc::ENOSPC | libc::EIO | libc::EFBIG | libc::ETIMEDOUT => {
                failure.message = format!("error while writing to {}", path.as_bstr())
            }
            errors::HEADER_FAIL => {
                failure.status = DeliveryStatus::Panic;
                let why = std::mem::take(&mut failure.message);
                let path = path.as_bstr();
                failure.message = format!("failed to expand headers_add or headers_remove while writing to {path}: {why}");
            }
            errors::FILTER_FAIL => {
                failure.status = DeliveryStatus::Panic;
                let end = failure.message.find(": ").unwrap_or(failure.message.len());
                failure.message.insert_str(end, &format!(" while writing to {}", path.as_bstr()));
            }
            _ => {}
        }
        failure
    }
}

/// One mailbox held against the limits.
#[derive(Debug)]
pub(super) struct Account<'l> {
    limits: &'l Limits,
    usage: Usage,
    /// With the maildir that it is in.
    size_file: Option<(Vec<u8>, SizeFile)>,
    /// Nothing is checked, nothing is noted.
    exempt: bool,
}

impl Account<'_> {
    /// May the message go in? `path` is for the error message, `read` is what tells when the mailbox was last read.
    pub(super) fn check(&mut self, path: &[u8], read: LastRead<'_>) -> Result<(), Failure> {
        let Some(mut over) = self.exceeded() else { return Ok(()) };
        // Somebody may have taken messages away without noting it.
        let doubtful = self.size_file.as_ref().is_some_and(|(_, f)| !f.fresh);
        if doubtful && let (Some((top, _)), Some(directories)) = (self.size_file.take(), &self.limits.size_file) {
            let limits = self.limits;
            let quota = (limits.bytes.value, limits.files.value);
            let counted = SizeFile::remake(&top, quota, &|| limits.count_maildir(&top, directories));
            let file = counted.map_err(|e| size_file_error(&e, &top))?;
            self.usage = limits.given(file.usage);
            self.size_file = Some((top, file));
            match self.exceeded() {
                None => return Ok(()),
                Some(still) => over = still,
            }
        }
        let text = format!("mailbox is full (MTA-imposed {over}quota exceeded while writing to {})", path.as_bstr());
        let mut failure = Failure::defer(errors::QUOTA, text);
        failure.user_message = Some("mailbox is full".into());
        let unread = match read {
            _ if self.limits.harness && matches!(read, LastRead::ModificationOf(_)) => 10,
            LastRead::AccessOf(p) => file::stat(p).map(|s| time::unix_time() - s.atime.0).unwrap_or(0),
            LastRead::ModificationOf(p) => file::stat(p).map(|s| time::unix_time() - s.mtime.0).unwrap_or(0),
            LastRead::Unknown => 0,
        };
        failure.more = i32::try_from(unread).unwrap_or(i32::MAX);
        Err(failure)
    }

    /// What the limit is called that the message would go over.
    fn exceeded(&self) -> Option<&'static str> {
        let l = self.limits;
        if self.exempt {
            return None;
        }
        let over = |limit: Limit, used: u64, extra: u64| {
            let extra = if l.inclusive { extra } else { 0 };
            limit.value > 0 && !limit.unchecked && used.saturating_add(extra) > limit.value
        };
        match (over(l.bytes, self.usage.bytes, l.message), over(l.files, self.usage.files, 1)) {
            (true, _) => Some(""),
            (_, true) => Some("filecount "),
            _ => None,
        }
    }

    /// Notes that the message went in with so many bytes. True: that took the mailbox past the threshold for warnings.
    pub(super) fn add(&mut self, bytes: u64) -> bool {
        if let Some((_, file)) = &mut self.size_file {
            file.add(bytes);
        }
        let limit = self.limits.threshold;
        let before = self.usage.bytes;
        !self.exempt && limit > 0 && before <= limit && before.saturating_add(bytes) > limit
    }
}

/// What tells when a mailbox was last read, for retry rules such as `quota_7d`.
#[derive(Clone, Copy, Debug)]
pub(super) enum LastRead<'a> {
    /// The last access of this file.
    AccessOf(&'a [u8]),
    /// The last change of this directory.
    ModificationOf(&'a [u8]),
    /// Nothing.
    Unknown,
}

fn size_file_error(e: &io::Error, top: &[u8]) -> Failure {
    Failure::io(e, format!("while opening or reading {}/maildirsize", top.as_bstr()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        let l = |t: &str| limit(t.as_bytes()).map(|l| (l.value, l.unchecked));
        assert_eq!(l("1.5K"), Some((1536, false)));
        assert_eq!(l("30/no_check"), Some((30, true)));
        assert_eq!(l("-1"), Some((0, false)));
        assert_eq!(l("0x10"), Some((16, false)));
        assert_eq!(l("2G"), Some((2 << 30, false)));
        for bad in ["abc", "3x", "1T", "3/ no_check", "3/foo", "3/no_check/no_check", "", "1e3", "inf", "1.2.3", "--1", "K"] {
            assert_eq!(l(bad), None, "{bad:?}");
        }
    }
}
