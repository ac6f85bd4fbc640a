//! Looking up: which file and key, taint, caches, partial matching, defaults.

use bstr::ByteSlice;

use super::cache::{HandleKey, Remembered, ResultKey, now};
use super::driver::{Answer, Ask, Keep, Style};
use super::spec::{Spec, Star};
use crate::context::Context;
use crate::log::{self, Which};
use crate::parse::Space as _;
use crate::text::{Taint, Text};

/// Data that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The data, or the key for `ret=key`.
    pub value: Text,
    /// After partial matching or a default: the parts of the key that were wild and fixed (`$1`, `$2`).
    pub parts: Option<(Text, Text)>,
}

/// Why it is not known whether there is data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupError {
    /// The file or server could not be opened, or its name is tainted. The message; an expansion fails with it.
    Open(String),
    /// Temporary. The message follows `lookup of "key" gave DEFER: `.
    Defer(String),
}

impl LookupError {
    /// The message.
    pub fn message(&self) -> &str {
        match self {
            LookupError::Open(m) | LookupError::Defer(m) => m,
        }
    }
}

/// Looks up `key` in the file, or asks the query, that `file_or_query` is. `None`: not found.
pub fn find(ctx: &mut Context, spec: &Spec, key: &Text, file_or_query: &Text) -> Result<Option<Found>, LookupError> {
    let driver = spec.driver();
    let mut query = file_or_query.clone();
    if let Some(n) = query.iter().position(|c| !crate::parse::is_space(*c)) {
        query = query.piece(&query[n..]);
    }
    match driver.style() {
        Style::Query => search(ctx, spec, &Text::new(), &query),
        Style::FileQuery => {
            let option = spec.options.iter().find_map(|o| o.strip_prefix(b"file="));
            let (file, query) = match option {
                Some(file) => (Text::clean(file), query),
                None if query.starts_with(b"/") => {
                    let end = query.iter().position(|c| crate::parse::is_space(*c)).unwrap_or(query.len());
                    let rest = query.get(end..).unwrap_or_default();
                    (query.piece(&query[..end]), query.piece(rest.skip_space()))
                }
                None => (Text::new(), query),
            };
            search(ctx, spec, &file, &query)
        }
        Style::File | Style::Key => search(ctx, spec, &query, key),
    }
}

/// One key, without partial matching or defaults, whatever the type says: for host lists.
pub fn find_single(ctx: &mut Context, spec: &Spec, key: &Text, file_or_query: &Text) -> Result<Option<Found>, LookupError> {
    find(ctx, &Spec { partial: None, star: Star::None, ..spec.clone() }, key, file_or_query)
}

fn search(ctx: &mut Context, spec: &Spec, file: &Text, key: &Text) -> Result<Option<Found>, LookupError> {
    if file.is_tainted() {
        let text = format!("Tainted filename for search: '{file}'");
        log::write(ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
        return Err(LookupError::Open("NULL".into()));
    }
    let mut run = Run { ctx, spec, file, return_key: false, read: true, write: true, options: Vec::new() };
    run.take_options();
    run.whole(key)
}

/// What partial matching found: the data, and the wild and fixed parts of the key.
type Partial = (Option<Text>, Option<(Text, Text)>);

struct Run<'a> {
    ctx: &'a mut Context,
    spec: &'a Spec,
    file: &'a Text,
    return_key: bool,
    read: bool,
    write: bool,
    options: Vec<Vec<u8>>,
}

impl Run<'_> {
    fn take_options(&mut self) {
        for o in &self.spec.options {
            match o.as_slice() {
                b"ret=key" => self.return_key = true,
                b"cache=no_rd" => self.read = false,
                b"cache=no_wr" => self.write = false,
                b"cache=no" => (self.read, self.write) = (false, false),
                _ => self.options.push(o.clone()),
            }
        }
    }

    fn whole(&mut self, key: &Text) -> Result<Option<Found>, LookupError> {
        let mut parts = None;
        let mut value = self.one(key)?;
        if value.is_some() {
            parts = self.spec.partial.map(|_| (key.piece(""), key.clone()));
        } else if let Some(least) = self.spec.partial {
            (value, parts) = self.partial(key, least)?;
        }
        if value.is_none()
            && self.spec.star == Star::StarAt
            && let Some(at) = key.rfind_byte(b'@')
            && at > 0
        {
            value = self.one(&key.piece([b"*", key.get(at..).unwrap_or_default()].concat()))?;
            if value.is_some() {
                parts = Some((key.piece(key.get(..at).unwrap_or_default()), key.piece("")));
            }
        }
        if value.is_none() && self.spec.star != Star::None {
            value = self.one(&key.piece("*"))?;
            if value.is_some() {
                parts = Some((key.clone(), key.piece("")));
            }
        }
        let Some(value) = value else { return Ok(None) };
        // The lookup has validated the key, so it may be trusted.
        let value = if self.return_key { Text::clean(&key[..]) } else { value };
        Ok(Some(Found { value, parts }))
    }

    // With the affix before the whole key, then before ever less of it, down to `least` components, then the affix alone.
    fn partial(&mut self, key: &Text, least: usize) -> Result<Partial, LookupError> {
        let affix = self.spec.affix.clone();
        let with_affix = |rest: &[u8]| key.piece([&affix[..], rest].concat());
        if !affix.is_empty()
            && let Some(v) = self.one(&with_affix(key))?
        {
            return Ok((Some(v), Some((key.piece(""), key.clone()))));
        }
        let mut rest: &[u8] = key;
        let mut components = key.iter().filter(|c| **c == b'.').count();
        loop {
            // `components` is the number left when one more is taken off.
            if components < least {
                return Ok((None, None));
            }
            let Some(dot) = rest.find_byte(b'.') else { break };
            rest = rest.get(dot + 1..).unwrap_or_default();
            if let Some(v) = self.one(&with_affix(rest))? {
                let wild = key.len().saturating_sub(rest.len() + 1);
                return Ok((Some(v), Some((key.piece(key.get(..wild).unwrap_or_default()), key.piece(rest)))));
            }
            match components.checked_sub(1) {
                Some(n) => components = n,
                None => return Ok((None, None)),
            }
        }
        if affix.is_empty() {
            return Ok((None, None));
        }
        // The affix alone, without its dot: everything is wild.
        let alone = if affix.len() > 1 { affix.strip_suffix(b".").unwrap_or(&affix) } else { &affix };
        let value = self.one(&key.piece(alone))?;
        let parts = value.is_some().then(|| (key.clone(), key.piece("")));
        Ok((value, parts))
    }

    // One key as it is.
    fn one(&mut self, key: &Text) -> Result<Option<Text>, LookupError> {
        if key.is_empty() && !self.spec.driver().style().is_query() {
            return Ok(None);
        }
        self.check_taint(key);
        let handle_key: HandleKey = (self.spec.index, self.file.to_vec());
        let result_key: ResultKey = (key.to_vec(), self.options.clone());
        if self.read
            && let Some(found) = self.ctx.services.lookups.remembered(&handle_key, &result_key)
        {
            return Ok(found.value);
        }
        let driver = self.spec.driver();
        let mut handle = match self.ctx.services.lookups.take(&handle_key) {
            Some(h) => h,
            None if driver.built_in() => driver.open(self.ctx, self.file).map_err(LookupError::Open)?,
            None => return Err(LookupError::Open(format!("lookup type \"{}\" is not implemented", driver.name()))),
        };
        let answer = handle.find(self.ctx, &Ask { file: self.file, key, options: &self.options });
        let max = usize::try_from(self.ctx.config.main.lookup_open_max.0).unwrap_or(25);
        self.ctx.services.lookups.put(&handle_key, handle, max);
        let (value, keep) = match answer {
            Answer::Defer(message) => return Err(LookupError::Defer(message)),
            Answer::Found(data, keep) => (Some(Text::with_taint(data, driver.taint())), keep),
            Answer::NotFound(keep) => (None, keep),
        };
        let until = match keep {
            Keep::ForgetAll => {
                self.ctx.services.lookups.forget(&handle_key);
                return Ok(value);
            }
            Keep::Always => None,
            Keep::Seconds(s) => Some(now().saturating_add(u64::from(s))),
        };
        if self.write {
            let remembered = Remembered { value: value.clone(), until };
            self.ctx.services.lookups.remember(&handle_key, result_key, remembered);
        }
        Ok(value)
    }

    // A tainted query must have been quoted by the quoting operator of its own type. As in the reference this is
    // logged and not enforced.
    fn check_taint(&self, key: &Text) {
        let driver = self.spec.driver();
        let quoted_here = matches!(key.taint(), Taint::Quoted(i) if usize::from(i) == self.spec.index);
        if !key.is_tainted() || !driver.style().is_query() || quoted_here || driver.quote(b"", None).is_none() {
            return;
        }
        let place = crate::lookups::check::place(self.ctx);
        let text = format!("tainted search query is not properly quoted{place}: {key}");
        log::write(self.ctx, None, Which::MAIN.and(Which::PANIC), text.as_bytes());
    }
}
