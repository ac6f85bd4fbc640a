//! Brightmail's client library, by the calls of `src/brightmail.h`. Only the helper process comes here
//! (`scan::brightmail::helper`), so nothing is freed: it ends with the answer.

use std::ffi::CStr;
use std::io::Read;
use std::ptr::null_mut;

use libc::{c_char, c_int, c_void};

use super::dl::{Library, functions};
use super::{cstr, error_text};

/// The version that we ask for.
const VERSION: &CStr = c"6.0";
/// More verdicts of a message, or recipients of a verdict, are not followed.
const MAX_ITEMS: usize = 50_000;

type Handle = *mut c_void;

functions! {
    /// See the header file.
    Functions {
        bmiErrorIsFatal(c_int) -> c_int;
        bmiErrorGetLocation(c_int) -> c_int;
        bmiErrorGetType(c_int) -> c_int;
        bmiInitSystem(*const c_char, *const c_char, *mut Handle) -> c_int;
        bmiInitMessage(Handle, *mut Handle) -> c_int;
        bmiProcessConnection(*const c_char, Handle) -> c_int;
        bmiProcessFROM(*const c_char, Handle) -> c_int;
        bmiOptinInit(*mut Handle) -> c_int;
        bmiOptinMset(Handle, *const c_char, c_int) -> c_int;
        bmiAccumulateTO(*const c_char, Handle, Handle) -> c_int;
        bmiEndTO(Handle) -> c_int;
        bmiAccumulateHeaders(*const c_char, c_int, Handle) -> c_int;
        bmiEndHeaders(Handle) -> c_int;
        bmiAccumulateBody(*const c_char, c_int, Handle) -> c_int;
        bmiEndBody(Handle) -> c_int;
        bmiEndMessage(Handle) -> c_int;
        bmiAccessFirstVerdict(Handle) -> Handle;
        bmiAccessNextVerdict(Handle, Handle) -> Handle;
        bmiCreateStrFromVerdict(Handle, *mut *mut c_char) -> c_int;
        bmiCreateOldStrFromVerdict(Handle, *mut *mut c_char) -> c_int;
        bmiCreateVerdictFromStr(*const c_char, *mut Handle) -> c_int;
        bmiVerdictAccessFirstRecipient(Handle) -> Handle;
        bmiVerdictAccessNextRecipient(Handle, Handle) -> Handle;
        bmiRecipientAccessAddress(Handle) -> *const c_char;
        bmiVerdictError(Handle) -> c_int;
        bmiVerdictDestinationIsDefault(Handle) -> c_int;
        bmiVerdictAccessDestination(Handle) -> *const c_char;
        bmiVerdictRuleFired(Handle, c_int) -> c_int;
    }
}

/// The library.
pub struct Client(Functions);

/// A message, without its body.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub config_file: Vec<u8>,
    pub client_address: Vec<u8>,
    pub sender: Vec<u8>,
    /// With their opt-in strings.
    pub recipients: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub headers: Vec<Vec<u8>>,
}

/// Where mail goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Destination {
    /// As usual.
    #[default]
    Default,
    /// Elsewhere: what the server says of it.
    Alternate(Vec<u8>),
    /// Nowhere.
    None,
}

/// What a verdict says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub recipients: Vec<Vec<u8>>,
    pub destination: Destination,
    /// Those of the rules asked for that fired.
    pub fired: Vec<i32>,
    pub tracker: Vec<u8>,
}

/// # Safety
/// `p` is null or a C string.
unsafe fn text(p: *const c_char) -> Option<Vec<u8>> {
    // SAFETY: the caller's promise.
    (!p.is_null()).then(|| unsafe { CStr::from_ptr(p) }.to_bytes().to_vec())
}

impl Client {
    /// Loads it, with all its functions.
    pub fn load(path: &[u8]) -> Result<Self, String> {
        Functions::load(&Library::open(path, false)?).map(Self)
    }

    /// An error's text; the other side of the result is whether it is fatal.
    fn judge(&self, error: c_int) -> Result<(), (bool, String)> {
        if error == 0 {
            return Ok(());
        }
        // SAFETY: functions of a number.
        let (fatal, location, kind) = unsafe {
            ((self.0.bmiErrorIsFatal)(error) != 0, (self.0.bmiErrorGetLocation)(error), (self.0.bmiErrorGetType)(error))
        };
        Err((fatal, format!("bmi error [loc {location} type {kind}]")))
    }

    fn fatal(&self, error: c_int, doing: &str) -> Result<(), String> {
        match self.judge(error) {
            Err((true, text)) => Err(format!("{text}: could not {doing}")),
            _ => Ok(()),
        }
    }

    /// Has a message judged: the verdicts as text. `warn` hears of opt-in strings that are not understood.
    pub fn scan(&self, m: &Message, body: &mut impl Read, warn: &mut dyn FnMut(String)) -> Result<Vec<Vec<u8>>, String> {
        let f = &self.0;
        let c = |s: &[u8]| cstr(s).map_err(|e| e.to_string());
        let length = |s: &[u8]| c_int::try_from(s.len()).map_err(|_| "a header line is too long".to_string());
        let (mut system, mut message) = (null_mut(), null_mut());
        // SAFETY: the types are the header's; handles are the library's own, strings live as long as each call.
        unsafe {
            self.fatal((f.bmiInitSystem)(VERSION.as_ptr(), c(&m.config_file)?.as_ptr(), &mut system), "initialise the system")?;
            self.fatal((f.bmiInitMessage)(system, &mut message), "initialise the message")?;
            self.fatal((f.bmiProcessConnection)(c(&m.client_address)?.as_ptr(), message), "pass on the client's address")?;
            self.fatal((f.bmiProcessFROM)(c(&m.sender)?.as_ptr(), message), "pass on the sender")?;
            for (address, optin) in &m.recipients {
                let mut profiles = null_mut();
                if let Some(optin) = optin {
                    let made = self.judge((f.bmiOptinInit)(&mut profiles)).and_then(|()| match cstr(optin) {
                        Ok(s) => self.judge((f.bmiOptinMset)(profiles, s.as_ptr(), c_int::from(b':'))),
                        Err(e) => Err((false, e.to_string())),
                    });
                    if let Err((_, text)) = made {
                        warn(format!("{text}: bad opt-in string for a recipient, ignored"));
                        profiles = null_mut();
                    }
                }
                self.fatal((f.bmiAccumulateTO)(c(address)?.as_ptr(), profiles, message), "pass on a recipient")?;
            }
            self.fatal((f.bmiEndTO)(message), "end the recipients")?;
            for line in &m.headers {
                self.fatal((f.bmiAccumulateHeaders)(line.as_ptr().cast(), length(line)?, message), "pass on a header line")?;
            }
            self.fatal((f.bmiEndHeaders)(message), "end the header")?;
            let mut block = [0; 4096];
            loop {
                let n = body.read(&mut block).map_err(|e| format!("cannot read the message: {}", error_text(&e)))?;
                let Some(data) = block.get(..n).filter(|d| !d.is_empty()) else { break };
                self.fatal((f.bmiAccumulateBody)(data.as_ptr().cast(), length(data)?, message), "pass on the body")?;
            }
            self.fatal((f.bmiEndBody)(message), "end the body")?;
            self.fatal((f.bmiEndMessage)(message), "end the message")?;
            let mut out = Vec::new();
            let mut verdict = (f.bmiAccessFirstVerdict)(message);
            while !verdict.is_null() && out.len() < MAX_ITEMS {
                let mut string = null_mut();
                self.fatal((f.bmiCreateStrFromVerdict)(verdict, &mut string), "get a verdict")?;
                out.extend(text(string));
                verdict = (f.bmiAccessNextVerdict)(message, verdict);
            }
            Ok(out)
        }
    }

    /// What a verdict's text says.
    pub fn read(&self, verdict: &[u8], rules: &[i32]) -> Result<Facts, String> {
        let f = &self.0;
        let string = cstr(verdict).map_err(|e| e.to_string())?;
        let mut out = Facts::default();
        // SAFETY: as above.
        unsafe {
            let mut verdict = null_mut();
            self.fatal((f.bmiCreateVerdictFromStr)(string.as_ptr(), &mut verdict), "read a verdict")?;
            if verdict.is_null() {
                return Err("the client library does not know its own verdict".into());
            }
            let mut recipient = (f.bmiVerdictAccessFirstRecipient)(verdict);
            while !recipient.is_null() && out.recipients.len() < MAX_ITEMS {
                out.recipients.extend(text((f.bmiRecipientAccessAddress)(recipient)));
                recipient = (f.bmiVerdictAccessNextRecipient)(verdict, recipient);
            }
            let mut tracker = null_mut();
            if (f.bmiCreateOldStrFromVerdict)(verdict, &mut tracker) == 0 {
                out.tracker = text(tracker).unwrap_or_default();
            }
            // One that has an error in it decides nothing.
            if (f.bmiVerdictError)(verdict) != 0 {
                return Ok(out);
            }
            out.fired.extend(rules.iter().filter(|r| (f.bmiVerdictRuleFired)(verdict, **r) == 1));
            out.destination = match text((f.bmiVerdictAccessDestination)(verdict)) {
                None => Destination::None,
                Some(_) if (f.bmiVerdictDestinationIsDefault)(verdict) == 1 => Destination::Default,
                Some(place) => Destination::Alternate(place),
            };
        }
        Ok(out)
    }
}
