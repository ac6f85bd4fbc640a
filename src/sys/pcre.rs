//! Regular expressions: a safe face for the system's PCRE2 (8-bit).
//!
//! Limits are always set, so that a pattern with much backtracking ends with an error instead of
//! eating the processor. A [`Regex`] may be used by many threads at once. [`Regex::clone`] is cheap.

use pcre2_sys as p;
use smallvec::SmallVec;
use std::sync::{Arc, Mutex};

/// Options of the pattern; combine with `|`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Options(u32);

impl Options {
    pub const NONE: Self = Self(0);
    pub const CASELESS: Self = Self(p::PCRE2_CASELESS);
    pub const MULTILINE: Self = Self(p::PCRE2_MULTILINE);
    pub const DOTALL: Self = Self(p::PCRE2_DOTALL);
    pub const EXTENDED: Self = Self(p::PCRE2_EXTENDED);
    pub const ANCHORED: Self = Self(p::PCRE2_ANCHORED);
    pub const UTF: Self = Self(p::PCRE2_UTF);
    /// Not for PCRE2: also compile to machine code. Worth it for a pattern that is used many times.
    pub const JIT: Self = Self(1 << 31);

    const ALLOWED: u32 =
        p::PCRE2_CASELESS | p::PCRE2_MULTILINE | p::PCRE2_DOTALL | p::PCRE2_EXTENDED | p::PCRE2_ANCHORED | p::PCRE2_UTF;
}

impl std::ops::BitOr for Options {
    type Output = Self;
    fn bitor(self, o: Self) -> Self {
        Self(self.0 | o.0)
    }
}

/// Options of one match; combine with `|`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MatchOptions(u32);

impl MatchOptions {
    pub const NONE: Self = Self(0);
    /// Only at the start offset.
    pub const ANCHORED: Self = Self(p::PCRE2_ANCHORED);
    /// An empty match does not count.
    pub const NOTEMPTY: Self = Self(p::PCRE2_NOTEMPTY);
    /// The subject's start is not the start of a line.
    pub const NOTBOL: Self = Self(p::PCRE2_NOTBOL);
    /// The subject's end is not the end of a line.
    pub const NOTEOL: Self = Self(p::PCRE2_NOTEOL);
}

impl std::ops::BitOr for MatchOptions {
    type Output = Self;
    fn bitor(self, o: Self) -> Self {
        Self(self.0 | o.0)
    }
}

/// A pattern that does not compile: PCRE2's text and the byte offset in the pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompileError {
    pub message: String,
    pub offset: usize,
}

impl std::fmt::Display for CompileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at offset {}", self.message, self.offset)
    }
}
impl std::error::Error for CompileError {}

/// A match that could not be carried out (limits, invalid UTF-8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchError {
    /// PCRE2's code, such as -47 for the match limit.
    pub code: i32,
    pub message: String,
}

impl std::fmt::Display for MatchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for MatchError {}

fn message(code: i32) -> String {
    let mut buf = [0u8; 256];
    // SAFETY: buffer with its length; the result is the text's length or negative.
    let n = unsafe { p::pcre2_get_error_message_8(code, buf.as_mut_ptr(), buf.len()) };
    match usize::try_from(n) {
        Ok(n) if n <= buf.len() => String::from_utf8_lossy(&buf[..n]).into_owned(),
        _ => format!("PCRE2 error {code}"),
    }
}

struct Code {
    code: *mut p::pcre2_code_8,
    context: *mut p::pcre2_match_context_8,
    captures: usize,
    names: Vec<(Vec<u8>, usize)>,
}

// SAFETY: compiled code and the match context are read-only after compilation (pcre2api, "Multithreading").
unsafe impl Send for Code {}
// SAFETY: as above; match data are made per match.
unsafe impl Sync for Code {}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: both ours, freed once; null is allowed.
        unsafe {
            p::pcre2_match_context_free_8(self.context);
            p::pcre2_code_free_8(self.code);
        }
    }
}

/// The most internal match() calls for one match (PCRE2's own default).
const MATCH_LIMIT: u32 = 10_000_000;
/// The deepest backtracking.
const DEPTH_LIMIT: u32 = 10_000_000;

/// A compiled pattern.
#[derive(Clone)]
pub struct Regex(Arc<Code>);

impl std::fmt::Debug for Regex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Regex({} captures)", self.0.captures)
    }
}

impl Regex {
    /// Compiles with the usual limits.
    pub fn new(pattern: &[u8], options: Options) -> Result<Self, CompileError> {
        Self::with_limits(pattern, options, MATCH_LIMIT, DEPTH_LIMIT)
    }

    /// Compiles; the limits apply to each match.
    pub fn with_limits(pattern: &[u8], options: Options, match_limit: u32, depth_limit: u32) -> Result<Self, CompileError> {
        let (mut error, mut offset) = (0, 0);
        // SAFETY: pattern with its length; results in the two places. The contexts may be null.
        unsafe {
            let code = p::pcre2_compile_8(
                pattern.as_ptr(),
                pattern.len(),
                options.0 & Options::ALLOWED,
                &mut error,
                &mut offset,
                std::ptr::null_mut(),
            );
            if code.is_null() {
                return Err(CompileError { message: message(error), offset });
            }
            let mut c =
                Code { code, context: p::pcre2_match_context_create_8(std::ptr::null_mut()), captures: 0, names: Vec::new() };
            if c.context.is_null() {
                return Err(CompileError { message: "failed to get memory".into(), offset: 0 });
            }
            p::pcre2_set_match_limit_8(c.context, match_limit);
            p::pcre2_set_depth_limit_8(c.context, depth_limit);
            if options.0 & Options::JIT.0 != 0 {
                // Failing means "not available": the interpreter is used then.
                p::pcre2_jit_compile_8(code, p::PCRE2_JIT_COMPLETE);
            }
            let mut count: u32 = 0;
            p::pcre2_pattern_info_8(code, p::PCRE2_INFO_CAPTURECOUNT, (&raw mut count).cast());
            c.captures = count as usize;
            c.names = names(code);
            Ok(Self(Arc::new(c)))
        }
    }

    /// The number of capturing groups in the pattern.
    pub fn capture_count(&self) -> usize {
        self.0.captures
    }

    /// Named groups: name and group number.
    pub fn names(&self) -> impl Iterator<Item = (&[u8], usize)> {
        self.0.names.iter().map(|(n, i)| (n.as_slice(), *i))
    }

    /// Does it match anywhere? Errors count as "no".
    pub fn is_match(&self, subject: &[u8]) -> bool {
        self.find(subject).is_ok_and(|m| m.is_some())
    }

    /// The first match.
    pub fn find(&self, subject: &[u8]) -> Result<Option<Captures>, MatchError> {
        self.find_at(subject, 0, MatchOptions::NONE)
    }

    /// The first match from `start` on (what is before it still counts for lookbehind and `^`).
    pub fn find_at(&self, subject: &[u8], start: usize, options: MatchOptions) -> Result<Option<Captures>, MatchError> {
        if start > subject.len() {
            return Ok(None);
        }
        let Some(data) = MatchData::of(self.0.captures + 1) else {
            return Err(MatchError { code: p::PCRE2_ERROR_NOMEMORY, message: message(p::PCRE2_ERROR_NOMEMORY) });
        };
        // SAFETY: code and context are alive; the match data are only ours and have room for the pattern's groups; subject
        // with its length and an offset within it; the vector has `count` pairs.
        let result = unsafe {
            let run = |extra: u32| {
                p::pcre2_match_8(self.0.code, subject.as_ptr(), subject.len(), start, options.0 | extra, data.0, self.0.context)
            };
            let mut rc = run(0);
            if rc == p::PCRE2_ERROR_JIT_STACKLIMIT {
                rc = run(p::PCRE2_NO_JIT); // machine code has a small stack, the interpreter has not
            }
            if rc > 0 {
                let vector = p::pcre2_get_ovector_pointer_8(data.0);
                let pairs = (rc as usize).min(p::pcre2_get_ovector_count_8(data.0) as usize);
                let groups = (0..pairs).map(|i| {
                    let (from, to) = (*vector.add(2 * i), *vector.add(2 * i + 1));
                    // \K can make the end come before the start; such a group is taken as unset
                    (from <= to && to <= subject.len()).then_some((from, to))
                });
                Ok(Some(Captures { groups: groups.collect() }))
            } else if rc == p::PCRE2_ERROR_NOMATCH {
                Ok(None)
            } else {
                Err(MatchError { code: rc, message: message(rc) })
            }
        };
        if subject.len() <= SHORT {
            data.keep(self.0.captures + 1);
        }
        result
    }
}

/// What a match needs: its groups, and 20 KiB of the library's own that cost more to get than a short match takes.
struct MatchData(*mut p::pcre2_match_data_8);

// SAFETY: match data belong to no thread, only to one match at a time.
unsafe impl Send for MatchData {}

/// Groups that kept match data have room for.
const KEPT_GROUPS: usize = 20;
/// Match data are kept after a match on a subject of this length at most: a long one may have made them large.
const SHORT: usize = 1024;
/// Match data of earlier matches. Never waited for: a thread that another one is in the way of makes its own.
static KEPT: Mutex<[Option<MatchData>; 2]> = Mutex::new([None, None]);

impl MatchData {
    /// For a pattern with this many groups, the whole match among them.
    fn of(groups: usize) -> Option<Self> {
        if groups <= KEPT_GROUPS
            && let Ok(mut kept) = KEPT.try_lock()
            && let Some(data) = kept.iter_mut().find_map(Option::take)
        {
            return Some(data);
        }
        let room = u32::try_from(groups.max(KEPT_GROUPS)).ok()?;
        // SAFETY: no pointers go in; the result is checked.
        let data = unsafe { p::pcre2_match_data_create_8(room, std::ptr::null_mut()) };
        (!data.is_null()).then_some(MatchData(data))
    }

    /// Keeps them for a later match, if there is a place.
    fn keep(self, groups: usize) {
        if groups <= KEPT_GROUPS
            && let Ok(mut kept) = KEPT.try_lock()
            && let Some(place) = kept.iter_mut().find(|place| place.is_none())
        {
            *place = Some(self);
        }
    }
}

impl Drop for MatchData {
    fn drop(&mut self) {
        // SAFETY: ours, freed once.
        unsafe { p::pcre2_match_data_free_8(self.0) }
    }
}

/// # Safety
/// `code` is a compiled pattern.
unsafe fn names(code: *const p::pcre2_code_8) -> Vec<(Vec<u8>, usize)> {
    let (mut count, mut size): (u32, u32) = (0, 0);
    let mut table: *const u8 = std::ptr::null();
    // SAFETY: info calls write the types that they document; the table has count entries of size bytes:
    // two bytes of group number, then a NUL-terminated name.
    unsafe {
        p::pcre2_pattern_info_8(code, p::PCRE2_INFO_NAMECOUNT, (&raw mut count).cast());
        p::pcre2_pattern_info_8(code, p::PCRE2_INFO_NAMEENTRYSIZE, (&raw mut size).cast());
        p::pcre2_pattern_info_8(code, p::PCRE2_INFO_NAMETABLE, (&raw mut table).cast());
        if count == 0 || table.is_null() || size < 3 {
            return Vec::new();
        }
        std::slice::from_raw_parts(table, count as usize * size as usize)
            .chunks_exact(size as usize)
            .map(|e| {
                let name = e[2..].iter().take_while(|b| **b != 0).copied().collect();
                (name, usize::from(u16::from_be_bytes([e[0], e[1]])))
            })
            .collect()
    }
}

/// Where a match and its groups are. Group 0 is the whole match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captures {
    groups: SmallVec<[Option<(usize, usize)>; 4]>,
}

impl Captures {
    /// One more than the highest group that took part in the match.
    pub fn len(&self) -> usize {
        self.groups.len()
    }
    /// Never: a match has group 0.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
    /// Start and end of a group; `None` if it did not take part.
    pub fn range(&self, group: usize) -> Option<(usize, usize)> {
        self.groups.get(group).copied().flatten()
    }
    /// The text of a group within the subject that was matched.
    pub fn get<'s>(&self, subject: &'s [u8], group: usize) -> Option<&'s [u8]> {
        let (from, to) = self.range(group)?;
        subject.get(from..to)
    }
    /// Start of the whole match.
    pub fn start(&self) -> usize {
        self.range(0).map_or(0, |r| r.0)
    }
    /// End of the whole match.
    pub fn end(&self) -> usize {
        self.range(0).map_or(0, |r| r.1)
    }
}

/// The library's version text ("10.42 2022-12-11"), for `-bV`.
pub fn version() -> String {
    let mut buf = [0u8; 64];
    // SAFETY: the text and its NUL take at most 24 bytes.
    let n = unsafe { p::pcre2_config_8(p::PCRE2_CONFIG_VERSION, buf.as_mut_ptr().cast()) };
    match usize::try_from(n) {
        Ok(n) if n > 0 && n <= buf.len() => String::from_utf8_lossy(&buf[..n - 1]).into_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_and_names() {
        let r = Regex::new(b"^(?<user>[^@]+)@(x)?(.+)$", Options::CASELESS | Options::JIT).unwrap();
        assert_eq!(r.capture_count(), 3);
        assert_eq!(r.names().collect::<Vec<_>>(), [(&b"user"[..], 1)]);
        let s = b"joe@example.com";
        let m = r.find(s).unwrap().unwrap();
        assert_eq!(m.get(s, 1), Some(&b"joe"[..]));
        assert_eq!(m.get(s, 2), None);
        assert_eq!(m.get(s, 3), Some(&b"example.com"[..]));
        assert_eq!(m.len(), 4);
        assert!(!r.is_match(b"no at"));
    }

    #[test]
    fn errors_and_limits() {
        let e = Regex::new(b"a(b", Options::NONE).unwrap_err();
        assert_eq!(e, CompileError { message: "missing closing parenthesis".into(), offset: 3 });
        let r = Regex::with_limits(b"(a+)+$", Options::NONE, 1000, 1000).unwrap();
        assert_eq!(r.find(b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab").unwrap_err().code, -47);
        let r = Regex::new(b"x*", Options::NONE).unwrap();
        assert!(r.find_at(b"ab", 0, MatchOptions::NOTEMPTY).unwrap().is_none());
        assert_eq!(r.find_at(b"ab", 2, MatchOptions::NONE).unwrap().unwrap().range(0), Some((2, 2)));
        assert!(r.find_at(b"ab", 3, MatchOptions::NONE).unwrap().is_none());
    }
}
