//! PAM's library (`libpam.so.0`), loaded in the process that asks it.

use std::ffi::CStr;
use std::ptr::null_mut;

use libc::{c_char, c_int, c_void};

use super::cstr;
use super::dl::{Library, functions};

const NAME: &[u8] = b"libpam.so.0";

type Handle = *mut c_void;

functions! {
    /// See security/pam_appl.h.
    Functions {
        pam_start(*const c_char, *const c_char, *const Conversation, *mut Handle) -> c_int;
        pam_authenticate(Handle, c_int) -> c_int;
        pam_acct_mgmt(Handle, c_int) -> c_int;
        pam_end(Handle, c_int) -> c_int;
        pam_strerror(Handle, c_int) -> *const c_char;
    }
}

/// `struct pam_message`
#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

/// `struct pam_response`
#[repr(C)]
struct Response {
    text: *mut c_char,
    code: c_int,
}

type Converse = unsafe extern "C" fn(c_int, *const *const Message, *mut *mut Response, *mut c_void) -> c_int;

/// `struct pam_conv`
#[repr(C)]
struct Conversation {
    converse: Converse,
    data: *mut c_void,
}

const SUCCESS: c_int = 0;
const BUFFER_ERROR: c_int = 5;
const CONVERSATION_ERROR: c_int = 19;
const SILENT: c_int = 0x8000;
/// PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON; the others want no answer.
const PROMPTS: [c_int; 2] = [1, 2];
/// PAM_MAX_NUM_MSG
const MAX_MESSAGES: c_int = 32;
/// PAM_AUTH_ERR, PAM_USER_UNKNOWN, PAM_MAXTRIES, PAM_ACCT_EXPIRED: the answer is no, and nothing is wrong.
const REFUSALS: [c_int; 4] = [7, 10, 11, 13];

/// What is still to be said when a module asks.
struct Said {
    strings: std::vec::IntoIter<Vec<u8>>,
    /// A module asked once more than there are strings.
    ended: bool,
}

/// Is the library there?
pub fn available() -> Result<(), String> {
    Functions::load(&Library::open(NAME, false)?).map(drop)
}

/// Asks the service's modules about a user; `strings` answer their questions in turn. The error is why there is no answer.
pub fn authenticate(service: &[u8], user: &[u8], strings: Vec<Vec<u8>>) -> Result<bool, String> {
    // Modules are shared objects that want the library's symbols.
    let f = Functions::load(&Library::open(NAME, true)?)?;
    let (service, user) = (cstr(service).map_err(|e| e.to_string())?, cstr(user).map_err(|e| e.to_string())?);
    let mut said = Said { strings: strings.into_iter(), ended: false };
    let conversation = Conversation { converse, data: (&raw mut said).cast() };
    let mut handle = null_mut();
    // SAFETY: C strings, a conversation and its data that live until the end, a place for the handle.
    unsafe {
        let mut code = (f.pam_start)(service.as_ptr(), user.as_ptr(), &conversation, &mut handle);
        if code == SUCCESS {
            code = (f.pam_authenticate)(handle, SILENT);
        }
        if code == SUCCESS {
            code = (f.pam_acct_mgmt)(handle, SILENT);
        }
        let text = (f.pam_strerror)(handle, code);
        let text = if text.is_null() { String::new() } else { CStr::from_ptr(text).to_string_lossy().into_owned() };
        if !handle.is_null() {
            (f.pam_end)(handle, code);
        }
        match code {
            SUCCESS => Ok(true),
            // Too few strings are wrong ones.
            _ if REFUSALS.contains(&code) || said.ended => Ok(false),
            _ => Err(text),
        }
    }
}

/// Answers a module's questions.
unsafe extern "C" fn converse(
    count: c_int,
    messages: *const *const Message,
    responses: *mut *mut Response,
    data: *mut c_void,
) -> c_int {
    let Some(n) = usize::try_from(count).ok().filter(|_| (1..=MAX_MESSAGES).contains(&count)) else { return CONVERSATION_ERROR };
    // SAFETY: `data` is the Said of the call that is running; the library gives as many messages as it says, and takes an
    // array from malloc() with strings from malloc(), which it frees.
    unsafe {
        let said = &mut *data.cast::<Said>();
        let out = libc::calloc(n, size_of::<Response>()).cast::<Response>();
        if out.is_null() {
            return BUFFER_ERROR;
        }
        for i in 0..n {
            let message = *messages.add(i);
            let answer =
                if !message.is_null() && PROMPTS.contains(&(*message).style) { said.strings.next() } else { Some(Vec::new()) };
            let text = match answer.as_deref().map(cstr) {
                Some(Ok(text)) => libc::strdup(text.as_ptr()),
                _ => null_mut(),
            };
            if text.is_null() {
                said.ended |= answer.is_none();
                (0..i).for_each(|j| libc::free((*out.add(j)).text.cast()));
                libc::free(out.cast());
                *responses = null_mut();
                return CONVERSATION_ERROR;
            }
            (*out.add(i)).text = text;
        }
        *responses = out;
    }
    SUCCESS
}
