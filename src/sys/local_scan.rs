//! A `local_scan()` function in a shared object (`src/local_scan.h`): its variables set, called, and read again.
//!
//! Only the helper process comes here (`receive::local_scan::helper`): what the foreign function does with its memory
//! is nobody else's affair.

use std::cell::RefCell;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{NonNull, null_mut};

use libc::{c_char, c_int};

use super::dl::{Library, Symbol};

/// Longer chains and lists than these are not followed.
const MAX_ITEMS: usize = 100_000;

/// What the function may ask for.
pub trait Host {
    /// `expand_string()`
    fn expand(&mut self, string: &[u8]) -> Result<Vec<u8>, Vec<u8>>;
    /// `lss_match_...()`: the kind's letter; 0 OK, 1 DEFER, 2 FAIL, 3 ERROR.
    fn matches(&mut self, kind: u8, subject: &[u8], list: &[u8], caseless: bool) -> i32;
    /// `rfc2047_decode()`
    fn decode(&mut self, string: &[u8], check_length: bool, target: Option<&[u8]>, zero: u8) -> Result<Vec<u8>, Vec<u8>>;
    /// `log_write()`, `debug_printf()`, `smtp_printf()`
    fn write(&mut self, place: u8, text: &[u8]);
}

/// A variable's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Int(i32),
    /// `None` is NULL.
    Text(Option<Vec<u8>>),
}

/// A message, as the function sees and leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Type letter and text.
    pub headers: Vec<(u8, Vec<u8>)>,
    /// Address and `errors_to`.
    pub recipients: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// What it returned.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub text: Option<Vec<u8>>,
    pub message: Message,
}

#[repr(C)]
struct HeaderLine {
    next: *mut HeaderLine,
    kind: c_int,
    slen: c_int,
    text: *mut c_char,
}

#[repr(C)]
struct RecipientItem {
    address: *mut c_char,
    pno: c_int,
    errors_to: *mut c_char,
}

#[repr(C)]
struct HostTable {
    expand: unsafe extern "C" fn(*const c_char, *mut *mut c_char) -> *mut c_char,
    matches: unsafe extern "C" fn(c_int, *const c_char, *const c_char, c_int) -> c_int,
    decode: unsafe extern "C" fn(*const c_char, c_int, *const c_char, c_int, *mut c_int, *mut *mut c_char) -> *mut c_char,
    write: unsafe extern "C" fn(c_int, *const c_char),
}

thread_local! {
    static HOST: RefCell<Option<Box<dyn Host>>> = const { RefCell::new(None) };
}

/// A copy for the function, which may keep it. What follows a NUL is lost, as in all C strings.
fn give(text: &[u8]) -> *mut c_char {
    let end = text.iter().position(|c| *c == 0).unwrap_or(text.len());
    // SAFETY: a block of end + 1 bytes, if there is one; both copies stay inside.
    unsafe {
        let p = libc::malloc(end + 1).cast::<u8>();
        if p.is_null() {
            super::process::exit_now(1);
        }
        std::ptr::copy_nonoverlapping(text.as_ptr(), p, end);
        p.add(end).write(0);
        p.cast()
    }
}

fn give_opt(text: Option<&[u8]>) -> *mut c_char {
    text.map_or(null_mut(), give)
}

/// # Safety
/// `p` is null or a C string.
unsafe fn taken<'a>(p: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!p.is_null()).then(|| unsafe { CStr::from_ptr(p) }.to_bytes())
}

fn with_host<T>(absent: T, work: impl FnOnce(&mut dyn Host) -> T) -> T {
    HOST.with_borrow_mut(|h| match h {
        Some(h) => work(h.as_mut()),
        None => absent,
    })
}

unsafe extern "C" fn expand(string: *const c_char, error: *mut *mut c_char) -> *mut c_char {
    // SAFETY: the interface: a C string, and a place for the message.
    unsafe {
        let string = taken(string).unwrap_or_default();
        match with_host(Err(Vec::new()), |h| h.expand(string)) {
            Ok(value) => give(&value),
            Err(text) => {
                error.write(give(&text));
                null_mut()
            }
        }
    }
}

unsafe extern "C" fn matches(kind: c_int, subject: *const c_char, list: *const c_char, caseless: c_int) -> c_int {
    // SAFETY: the interface: C strings.
    let (subject, list) = unsafe { (taken(subject).unwrap_or_default(), taken(list).unwrap_or_default()) };
    with_host(3, |h| h.matches(kind as u8, subject, list, caseless != 0))
}

unsafe extern "C" fn decode(
    string: *const c_char,
    check: c_int,
    target: *const c_char,
    zero: c_int,
    length: *mut c_int,
    error: *mut *mut c_char,
) -> *mut c_char {
    // SAFETY: the interface: C strings or null, places for the results or null.
    unsafe {
        let (string, target) = (taken(string).unwrap_or_default(), taken(target));
        let result = with_host(Err(Vec::new()), |h| h.decode(string, check != 0, target, zero as u8));
        let (value, problem) = match result {
            Ok(v) => (Some(v), None),
            Err(e) => (None, Some(e)),
        };
        if !error.is_null() {
            error.write(give_opt(problem.as_deref()));
        }
        if !length.is_null() {
            length.write(value.as_ref().map_or(0, |v| c_int::try_from(v.len()).unwrap_or(0)));
        }
        give_opt(value.as_deref())
    }
}

unsafe extern "C" fn write(place: c_int, text: *const c_char) {
    // SAFETY: the interface: a C string.
    let text = unsafe { taken(text).unwrap_or_default() };
    with_host((), |h| h.write(place as u8, text));
}

/// The address of a variable of the object, as a pointer to its type.
fn variable<T>(library: &Library, name: &str) -> Result<NonNull<T>, String> {
    library.symbol(name.as_bytes()).map(|Symbol(p)| p.cast())
}

/// Calls the function. `fd` is the data file, where the body begins.
pub fn call(
    path: &[u8],
    variables: &[(String, Value)],
    message: &Message,
    fd: BorrowedFd<'_>,
    host: Box<dyn Host>,
) -> Result<Outcome, String> {
    let library = Library::open(path, false)?;
    let function = library.symbol(b"local_scan")?;
    HOST.set(Some(host));
    // SAFETY: the object was compiled with our header (it has the table), which gives all these their types; what is
    // written lives as long as the process.
    unsafe {
        variable::<HostTable>(&library, "local_scan_host")?.write(HostTable { expand, matches, decode, write });
        for (name, value) in variables {
            match value {
                Value::Int(n) => variable::<c_int>(&library, name)?.write(*n),
                Value::Text(t) => variable::<*mut c_char>(&library, name)?.write(give_opt(t.as_deref())),
            }
        }
        let (mut first, mut last) = (null_mut(), null_mut::<HeaderLine>());
        for (kind, text) in &message.headers {
            let slen = c_int::try_from(text.len()).unwrap_or(c_int::MAX);
            let line = HeaderLine { next: null_mut(), kind: c_int::from(*kind), slen, text: give(text) };
            let line = Box::into_raw(Box::new(line));
            if last.is_null() {
                first = line
            } else {
                (*last).next = line
            }
            last = line;
        }
        variable::<*mut HeaderLine>(&library, "header_list")?.write(first);
        variable::<*mut HeaderLine>(&library, "header_last")?.write(last);
        let items: Vec<RecipientItem> = message
            .recipients
            .iter()
            .map(|(address, errors)| RecipientItem { address: give(address), pno: -1, errors_to: give_opt(errors.as_deref()) })
            .collect();
        let count = c_int::try_from(items.len()).unwrap_or(0);
        let recipients = variable::<*mut RecipientItem>(&library, "recipients_list")?;
        recipients.write(Box::leak(items.into_boxed_slice()).as_mut_ptr());
        let recipients_count = variable::<c_int>(&library, "recipients_count")?;
        recipients_count.write(count);
        variable::<c_int>(&library, "local_scan_recipients_max")?.write(count);

        type LocalScan = unsafe extern "C" fn(c_int, *mut *mut c_char) -> c_int;
        let f = std::mem::transmute::<*mut libc::c_void, LocalScan>(function.0.as_ptr());
        let mut text = null_mut();
        let code = f(fd.as_raw_fd(), &mut text);
        let text = taken(text).map(<[u8]>::to_vec);
        let mut out = Message::default();
        let mut line = variable::<*mut HeaderLine>(&library, "header_list")?.read();
        while !line.is_null() && out.headers.len() < MAX_ITEMS {
            out.headers.push(((*line).kind as u8, taken((*line).text).unwrap_or_default().to_vec()));
            line = (*line).next;
        }
        let count = usize::try_from(recipients_count.read()).unwrap_or(0).min(MAX_ITEMS);
        let list = recipients.read();
        for n in 0..count {
            let item = list.add(n);
            let address = taken((*item).address).unwrap_or_default().to_vec();
            out.recipients.push((address, taken((*item).errors_to).map(<[u8]>::to_vec)));
        }
        Ok(Outcome { code, text, message: out })
    }
}
