//! The client library of MariaDB and MySQL (`libmariadb.so.3`, `libmysqlclient.so.21`), loaded when a lookup uses it. A site's
//! option files are read as always.

use std::ffi::{CStr, CString};
use std::ptr::{NonNull, null, null_mut};
use std::sync::OnceLock;
use std::time::Duration;

use libc::{c_char, c_int, c_uint, c_ulong, c_void};

use super::cstr;
use super::dl::{Library, functions};

const NAMES: [&[u8]; 3] = [b"libmariadb.so.3", b"libmysqlclient.so.21", b"libmysqlclient.so.24"];

type Handle = *mut c_void;

functions! {
    /// See mysql.h.
    Functions {
        mysql_init(Handle) -> Handle;
        mysql_options(Handle, c_int, *const c_void) -> c_int;
        mysql_real_connect(
            Handle, *const c_char, *const c_char, *const c_char, *const c_char, c_uint, *const c_char, c_ulong,
        ) -> Handle;
        mysql_real_query(Handle, *const c_char, c_ulong) -> c_int;
        mysql_use_result(Handle) -> Handle;
        mysql_field_count(Handle) -> c_uint;
        mysql_fetch_field_direct(Handle, c_uint) -> *const *const c_char;
        mysql_fetch_row(Handle) -> *const *const c_char;
        mysql_fetch_lengths(Handle) -> *const c_ulong;
        mysql_free_result(Handle);
        mysql_affected_rows(Handle) -> u64;
        mysql_next_result(Handle) -> c_int;
        mysql_errno(Handle) -> c_uint;
        mysql_error(Handle) -> *const c_char;
        mysql_close(Handle);
    }
}

/// Options of `mysql_options`.
const CONNECT_TIMEOUT: c_int = 0;
const READ_DEFAULT_GROUP: c_int = 5;
const READ_TIMEOUT: c_int = 11;
const WRITE_TIMEOUT: c_int = 12;
/// "Gone away" and "lost": the connection is of no use any more.
const LOST: [c_uint; 2] = [2006, 2013];

static LOADED: OnceLock<Result<Functions, String>> = OnceLock::new();

fn loaded() -> Result<&'static Functions, String> {
    let load = || {
        let mut first = None;
        for name in NAMES {
            match Library::open(name, false) {
                Ok(library) => return Functions::load(&library),
                Err(e) => first = first.or(Some(e)),
            }
        }
        Err(first.unwrap_or_default())
    };
    LOADED.get_or_init(load).as_ref().map_err(Clone::clone)
}

/// Is a library there?
pub fn available() -> Result<(), String> {
    loaded().map(drop)
}

/// Whom to connect to, and as whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub host: Vec<u8>,
    /// 0: the library's default.
    pub port: u16,
    pub socket: Option<Vec<u8>>,
    /// Group of option files.
    pub group: Vec<u8>,
    pub base: Option<Vec<u8>>,
    pub user: Vec<u8>,
    pub password: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub struct Error {
    pub text: String,
    /// The connection is of no use any more.
    pub lost: bool,
}

/// What a statement gave: names of columns and rows, or how many rows it changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Rows { names: Vec<Vec<u8>>, rows: Vec<Vec<Option<Vec<u8>>>> },
    Changed(u64),
}

/// A connection, of the process that made it.
pub struct Connection {
    handle: NonNull<c_void>,
    f: &'static Functions,
    process: u32,
}

// SAFETY: a connection may be used by any thread, one at a time; the library has no state of threads that matters here.
unsafe impl Send for Connection {}

impl Connection {
    /// Connects. `patience` holds for connecting, and for each wait of the queries after it.
    pub fn open(place: &Place, patience: Duration) -> Result<Self, String> {
        let f = loaded()?;
        let c = |t: &[u8]| cstr(t).map_err(|e| e.to_string());
        let (host, user, password, group) = (c(&place.host)?, c(&place.user)?, c(&place.password)?, c(&place.group)?);
        let optional = |t: &Option<Vec<u8>>| t.as_deref().map(c).transpose();
        let (base, socket) = (optional(&place.base)?, optional(&place.socket)?);
        let pointer = |t: &Option<CString>| t.as_ref().map_or(null(), |t| t.as_ptr());
        // SAFETY: the library makes the handle; options and strings live as long as each call.
        unsafe {
            let handle = NonNull::new((f.mysql_init)(null_mut())).ok_or("no memory for a connection")?;
            let connection = Connection { handle, f, process: std::process::id() };
            let seconds = c_uint::try_from(patience.as_secs()).unwrap_or(c_uint::MAX);
            (f.mysql_options)(handle.as_ptr(), READ_DEFAULT_GROUP, group.as_ptr().cast());
            for option in [CONNECT_TIMEOUT, READ_TIMEOUT, WRITE_TIMEOUT] {
                (f.mysql_options)(handle.as_ptr(), option, (&raw const seconds).cast());
            }
            let host = if place.host.is_empty() { null() } else { host.as_ptr() };
            let done = (f.mysql_real_connect)(
                handle.as_ptr(),
                host,
                user.as_ptr(),
                password.as_ptr(),
                pointer(&base),
                c_uint::from(place.port),
                pointer(&socket),
                0,
            );
            if done.is_null() { Err(connection.error().text) } else { Ok(connection) }
        }
    }

    /// Is it of this process?
    fn is_own(&self) -> bool {
        self.process == std::process::id()
    }

    fn error(&self) -> Error {
        // SAFETY: a live handle; the text lives until the next call.
        unsafe {
            let text = CStr::from_ptr((self.f.mysql_error)(self.handle.as_ptr())).to_string_lossy().into_owned();
            Error { text, lost: LOST.contains(&(self.f.mysql_errno)(self.handle.as_ptr())) }
        }
    }

    /// Runs a statement. An answer of more than `limit` bytes is an error, after which the connection is of no use.
    pub fn query(&mut self, query: &[u8], limit: usize) -> Result<Answer, Error> {
        let (f, handle) = (self.f, self.handle.as_ptr());
        // SAFETY: a live handle, the query with its length; the result is freed below.
        unsafe {
            if (f.mysql_real_query)(handle, query.as_ptr().cast(), query.len() as c_ulong) != 0 {
                return Err(self.error());
            }
            let result = (f.mysql_use_result)(handle);
            if result.is_null() {
                if (f.mysql_field_count)(handle) != 0 {
                    return Err(self.error());
                }
                let changed = (f.mysql_affected_rows)(handle);
                self.skip_others();
                return Ok(Answer::Changed(changed));
            }
            let answer = self.rows(result, limit);
            if answer.is_ok() {
                (f.mysql_free_result)(result);
                self.skip_others();
            }
            // Otherwise the rest would still be read: the connection goes, and the result with it.
            answer
        }
    }

    /// # Safety
    /// `result` is a result of this connection.
    unsafe fn rows(&self, result: Handle, limit: usize) -> Result<Answer, Error> {
        let f = self.f;
        let text = |p: *const c_char, n: usize| {
            // SAFETY: a value of the row in hand, with its length.
            (!p.is_null()).then(|| unsafe { std::slice::from_raw_parts(p.cast::<u8>(), n) }.to_vec())
        };
        let (mut names, mut rows, mut size) = (Vec::new(), Vec::new(), 0usize);
        // SAFETY: columns and rows are as many as the library says; a column's description begins with its name.
        unsafe {
            let columns = (f.mysql_field_count)(self.handle.as_ptr());
            for n in 0..columns {
                let name = (f.mysql_fetch_field_direct)(result, n);
                names.push(if name.is_null() { Vec::new() } else { CStr::from_ptr(*name).to_bytes().to_vec() });
            }
            loop {
                let row = (f.mysql_fetch_row)(result);
                if row.is_null() {
                    break;
                }
                let lengths = (f.mysql_fetch_lengths)(result);
                let values: Vec<Option<Vec<u8>>> =
                    (0..columns as usize).map(|n| text(*row.add(n), *lengths.add(n) as usize)).collect();
                size += values.iter().flatten().map(Vec::len).sum::<usize>() + values.len();
                if size > limit {
                    return Err(Error { text: "the answer is too long".into(), lost: true });
                }
                rows.push(values);
            }
            if (f.mysql_errno)(self.handle.as_ptr()) != 0 { Err(self.error()) } else { Ok(Answer::Rows { names, rows }) }
        }
    }

    /// A procedure may give more results; only the first counts.
    fn skip_others(&mut self) {
        let (f, handle) = (self.f, self.handle.as_ptr());
        // SAFETY: a live handle; results are freed as they come.
        unsafe {
            while (f.mysql_next_result)(handle) == 0 {
                let result = (f.mysql_use_result)(handle);
                if !result.is_null() {
                    (f.mysql_free_result)(result);
                }
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // To close it would end the session of the process that made it.
        if self.is_own() {
            // SAFETY: it is ours and is not used any more.
            unsafe { (self.f.mysql_close)(self.handle.as_ptr()) };
        }
    }
}
