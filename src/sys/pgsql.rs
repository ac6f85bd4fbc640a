//! PostgreSQL's client library (`libpq.so.5`), loaded when a lookup uses it. Service and password files are read as always.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::BorrowedFd;
use std::ptr::{NonNull, null};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use libc::{c_char, c_int, c_void};

use super::cstr;
use super::dl::{Library, functions};
use super::poll;

const NAME: &[u8] = b"libpq.so.5";

type Handle = *mut c_void;
type Receiver = unsafe extern "C" fn(*mut c_void, Handle);

functions! {
    /// See libpq-fe.h.
    Functions {
        PQconnectStartParams(*const *const c_char, *const *const c_char, c_int) -> Handle;
        PQconnectPoll(Handle) -> c_int;
        PQstatus(Handle) -> c_int;
        PQsocket(Handle) -> c_int;
        PQerrorMessage(Handle) -> *const c_char;
        PQsetClientEncoding(Handle, *const c_char) -> c_int;
        PQsetNoticeReceiver(Handle, Receiver, *mut c_void) -> Handle;
        PQsetSingleRowMode(Handle) -> c_int;
        PQsendQuery(Handle, *const c_char) -> c_int;
        PQconsumeInput(Handle) -> c_int;
        PQisBusy(Handle) -> c_int;
        PQgetResult(Handle) -> Handle;
        PQresultStatus(Handle) -> c_int;
        PQresultErrorMessage(Handle) -> *const c_char;
        PQcmdTuples(Handle) -> *const c_char;
        PQntuples(Handle) -> c_int;
        PQnfields(Handle) -> c_int;
        PQfname(Handle, c_int) -> *const c_char;
        PQgetvalue(Handle, c_int, c_int) -> *const c_char;
        PQgetlength(Handle, c_int, c_int) -> c_int;
        PQclear(Handle);
        PQfinish(Handle);
    }
}

const CONNECTION_OK: c_int = 0;
const POLLING_READING: c_int = 1;
const POLLING_WRITING: c_int = 2;
const POLLING_OK: c_int = 3;
/// States of a result.
const EMPTY_QUERY: c_int = 0;
const COMMAND_OK: c_int = 1;
const TUPLES_OK: c_int = 2;
const SINGLE_TUPLE: c_int = 9;

static LOADED: OnceLock<Result<Functions, String>> = OnceLock::new();

fn loaded() -> Result<&'static Functions, String> {
    LOADED.get_or_init(|| Functions::load(&Library::open(NAME, false)?)).as_ref().map_err(Clone::clone)
}

/// Is the library there?
pub fn available() -> Result<(), String> {
    loaded().map(drop)
}

/// Notices of the server are nobody's business.
unsafe extern "C" fn silence(_: *mut c_void, _: Handle) {}

/// # Safety
/// `p` is null or a C string.
unsafe fn text(p: *const c_char) -> String {
    if p.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(p) }.to_string_lossy().trim_end().to_string()
}

/// Why there is no answer.
#[derive(Debug)]
pub struct Error {
    pub text: String,
    /// The connection is of no use any more.
    pub lost: bool,
}

/// What a query gave: names of columns and rows, or how many rows it changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Rows { names: Vec<Vec<u8>>, rows: Vec<Vec<Vec<u8>>> },
    Changed(Vec<u8>),
    Empty,
}

/// A connection, of the process that made it.
pub struct Connection {
    handle: NonNull<c_void>,
    f: &'static Functions,
    process: u32,
}

// SAFETY: a connection may be used by any thread, one at a time.
unsafe impl Send for Connection {}

impl Connection {
    /// Connects with the library's parameters, by their names.
    pub fn open(parameters: &[(&str, Vec<u8>)], patience: Duration) -> Result<Self, String> {
        let f = loaded()?;
        let deadline = Instant::now() + patience;
        let strings: Vec<(CString, CString)> = parameters
            .iter()
            .map(|(n, v)| Ok((cstr(n.as_bytes())?, cstr(v)?)))
            .collect::<io::Result<_>>()
            .map_err(|e| e.to_string())?;
        let names: Vec<_> = strings.iter().map(|(n, _)| n.as_ptr()).chain([null()]).collect();
        let values: Vec<_> = strings.iter().map(|(_, v)| v.as_ptr()).chain([null()]).collect();
        // SAFETY: two lists of C strings that end with null.
        let handle = unsafe { (f.PQconnectStartParams)(names.as_ptr(), values.as_ptr(), 0) };
        let handle = NonNull::new(handle).ok_or("no memory for a connection")?;
        let connection = Connection { handle, f, process: std::process::id() };
        let mut waits_for = POLLING_WRITING;
        loop {
            // SAFETY: a live handle.
            if unsafe { (f.PQstatus)(handle.as_ptr()) } == 1 {
                return Err(connection.message());
            }
            connection.wait(waits_for == POLLING_READING, deadline).map_err(|e| super::error_text(&e))?;
            // SAFETY: as above.
            match unsafe { (f.PQconnectPoll)(handle.as_ptr()) } {
                POLLING_OK => break,
                w @ (POLLING_READING | POLLING_WRITING) => waits_for = w,
                _ => return Err(connection.message()),
            }
        }
        // SAFETY: as above, and a callback of the right type. No encoding may hide a quote.
        unsafe {
            (f.PQsetNoticeReceiver)(handle.as_ptr(), silence, std::ptr::null_mut());
            if (f.PQsetClientEncoding)(handle.as_ptr(), c"SQL_ASCII".as_ptr()) != 0 {
                return Err(connection.message());
            }
        }
        Ok(connection)
    }

    /// Is it of this process?
    fn is_own(&self) -> bool {
        self.process == std::process::id()
    }

    fn message(&self) -> String {
        // SAFETY: a live handle; the text lives until the next call.
        unsafe { text((self.f.PQerrorMessage)(self.handle.as_ptr())) }
    }

    fn wait(&self, read: bool, deadline: Instant) -> io::Result<()> {
        // SAFETY: a live handle.
        let fd = unsafe { (self.f.PQsocket)(self.handle.as_ptr()) };
        if fd < 0 {
            return Ok(());
        }
        // SAFETY: the connection's socket is open as long as the handle lives.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let ready = if read { poll::wait_readable(fd, Some(deadline))? } else { poll::wait_writable(fd, Some(deadline))? };
        if ready { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
    }

    fn lost(&self, text: String) -> Error {
        Error { text, lost: true }
    }

    /// Runs a query. An answer of more than `limit` bytes, or that does not come in time, is an error, after which the
    /// connection is of no use.
    pub fn query(&mut self, query: &[u8], limit: usize, patience: Duration) -> Result<Answer, Error> {
        let (f, handle) = (self.f, self.handle.as_ptr());
        let deadline = Instant::now() + patience;
        let query = cstr(query).map_err(|e| Error { text: e.to_string(), lost: false })?;
        // SAFETY: a live handle and a C string.
        unsafe {
            if (f.PQsendQuery)(handle, query.as_ptr()) == 0 {
                return Err(self.lost(self.message()));
            }
            (f.PQsetSingleRowMode)(handle);
        }
        let (mut answer, mut error, mut size) = (Answer::Empty, None, 0);
        // All results must be taken before the next query.
        loop {
            // SAFETY: a live handle; the result is cleared at the end.
            let result = unsafe {
                while (f.PQisBusy)(handle) == 1 {
                    self.wait(true, deadline).map_err(|e| self.lost(super::error_text(&e)))?;
                    if (f.PQconsumeInput)(handle) == 0 {
                        return Err(self.lost(self.message()));
                    }
                }
                (f.PQgetResult)(handle)
            };
            if result.is_null() {
                break;
            }
            // SAFETY: a result of this connection, cleared once.
            let taken = unsafe {
                let taken = self.take(result, &mut answer, &mut size);
                (f.PQclear)(result);
                taken
            };
            error = error.or(taken.err());
            if size > limit {
                return Err(self.lost("the answer is too long".into()));
            }
        }
        match error {
            // SAFETY: a live handle.
            Some(text) => Err(Error { text, lost: unsafe { (f.PQstatus)(handle) } != CONNECTION_OK }),
            None => Ok(answer),
        }
    }

    /// # Safety
    /// `result` is a result of this connection.
    unsafe fn take(&self, result: Handle, answer: &mut Answer, size: &mut usize) -> Result<(), String> {
        let f = self.f;
        // SAFETY: rows and columns are as many as the library says; values have the lengths that it says.
        unsafe {
            match (f.PQresultStatus)(result) {
                EMPTY_QUERY => *answer = Answer::Empty,
                COMMAND_OK => *answer = Answer::Changed(text((f.PQcmdTuples)(result)).into_bytes()),
                TUPLES_OK | SINGLE_TUPLE => {
                    let columns = (f.PQnfields)(result);
                    if !matches!(answer, Answer::Rows { .. }) {
                        let names = (0..columns).map(|n| text((f.PQfname)(result, n)).into_bytes()).collect();
                        *answer = Answer::Rows { names, rows: Vec::new() };
                    }
                    let Answer::Rows { rows, .. } = answer else { return Ok(()) };
                    for row in 0..(f.PQntuples)(result) {
                        let value = |n| {
                            let length = usize::try_from((f.PQgetlength)(result, row, n)).unwrap_or(0);
                            std::slice::from_raw_parts((f.PQgetvalue)(result, row, n).cast::<u8>(), length).to_vec()
                        };
                        let values: Vec<Vec<u8>> = (0..columns).map(value).collect();
                        *size += values.iter().map(Vec::len).sum::<usize>() + values.len();
                        rows.push(values);
                    }
                }
                _ => return Err(text((f.PQresultErrorMessage)(result))),
            }
        }
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // To close it would end the session of the process that made it.
        if self.is_own() {
            // SAFETY: it is ours and is not used any more.
            unsafe { (self.f.PQfinish)(self.handle.as_ptr()) };
        }
    }
}
