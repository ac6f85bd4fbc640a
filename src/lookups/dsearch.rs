//! `dsearch`: does a directory have an entry of that name (manual section 9.3)? The result is not tainted.

use bstr::ByteSlice;

use super::check::open_failed;
use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use crate::context::Context;
use crate::sys::file::{Dir, FileType, lstat};

/// The type.
pub struct Dsearch;

impl Driver for Dsearch {
    fn name(&self) -> &'static str {
        "dsearch"
    }
    fn style(&self) -> Style {
        Style::Key
    }
    fn open(&self, _: &mut Context, file: &[u8]) -> Result<Box<dyn Handle>, String> {
        let shown = file.as_bstr();
        if !file.starts_with(b"/") {
            return Err(format!("dirname '{shown}' for dsearch is not absolute"));
        }
        Dir::open(file).map_err(|e| open_failed(&format!("{shown} for directory search"), &e))?;
        Ok(Box::new(Open))
    }
}

// The directory is opened to see that it can be; it is read by name, since it may be replaced.
struct Open;

impl Handle for Open {
    fn find(&mut self, _: &mut Context, ask: &Ask<'_>) -> Answer {
        let key = ask.key;
        if key.contains(&b'/') && !ask.has("key=path") {
            return Answer::Defer(format!("key for dsearch lookup contains a slash: {key}"));
        }
        // A path may not climb out of the directory.
        if key.split(|c| *c == b'/').any(|p| p == b"..") && key.contains(&b'/') {
            return Answer::NotFound(Keep::Always);
        }
        let path = [ask.file, b"/", key].concat();
        let stat = match lstat(&path) {
            Ok(s) => s,
            Err(e) if e.raw_os_error() == Some(libc::ENOENT) => return Answer::NotFound(Keep::Always),
            Err(e) => return Answer::Defer(format!("{}: lstat: {}", path.as_bstr(), crate::sys::error_text(&e))),
        };
        let good = match ask.value("filter") {
            Some(b"file") => stat.file_type() == FileType::Regular,
            Some(b"dir") => stat.is_dir(),
            Some(b"subdir") => stat.is_dir() && !matches!(&key[..], b"." | b".."),
            _ => true,
        };
        match good {
            true if ask.has("ret=full") => Answer::Found(path, Keep::Always),
            true => Answer::Found(key.to_vec(), Keep::Always),
            false => Answer::NotFound(Keep::Always),
        }
    }
}
