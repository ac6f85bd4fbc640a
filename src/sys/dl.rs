//! Shared libraries at run time (dlopen): modules, client libraries, `${dlfunc}`.
//!
//! A foreign function cannot be called safely without knowing its C type. Each library that the program
//! uses gets its own wrapper beside this file, built on [`Library::symbol`]; the one general wrapper
//! here is the one the manual defines, [`call_dlfunc`].

use super::cstr;
use std::ffi::CStr;
use std::ptr::NonNull;

/// An open library. It stays loaded for the life of the process, as its functions may be anywhere.
#[derive(Debug, Clone, Copy)]
pub struct Library(NonNull<libc::c_void>);

// SAFETY: a handle is an opaque value; dlsym may be called from any thread.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

fn last_error() -> String {
    // SAFETY: dlerror returns null or a C string valid until this thread's next dl call.
    unsafe {
        let e = libc::dlerror();
        if e.is_null() { "unknown dl error".into() } else { CStr::from_ptr(e).to_string_lossy().into_owned() }
    }
}

impl Library {
    /// Opens it, all symbols resolved now; `global` makes its symbols visible to later libraries.
    /// The error is the dynamic linker's text.
    pub fn open(path: &[u8], global: bool) -> Result<Self, String> {
        let path = cstr(path).map_err(|e| e.to_string())?;
        let flags = libc::RTLD_NOW | if global { libc::RTLD_GLOBAL } else { libc::RTLD_LOCAL };
        // SAFETY: a valid C string. Running a library's initialisers is what the administrator asked for.
        NonNull::new(unsafe { libc::dlopen(path.as_ptr(), flags) }).map(Self).ok_or_else(last_error)
    }

    /// The address of a symbol.
    pub fn symbol(&self, name: &[u8]) -> Result<Symbol, String> {
        let name = cstr(name).map_err(|e| e.to_string())?;
        // SAFETY: an open handle and a valid C string.
        NonNull::new(unsafe { libc::dlsym(self.0.as_ptr(), name.as_ptr()) }).map(Symbol).ok_or_else(last_error)
    }
}

/// The address of something in a library.
#[derive(Debug, Clone, Copy)]
pub struct Symbol(pub(super) NonNull<libc::c_void>);

// SAFETY: an address.
unsafe impl Send for Symbol {}
// SAFETY: an address.
unsafe impl Sync for Symbol {}

/// The functions of a client library as a struct, all looked up at once: `load(&Library)`. The types are those of the
/// library's header.
macro_rules! functions {
    ($(#[$m:meta])* $name:ident { $($f:ident($($a:ty),* $(,)?) $(-> $r:ty)?;)* }) => {
        $(#[$m])*
        #[allow(non_snake_case)]
        #[derive(Clone, Copy)]
        struct $name { $($f: unsafe extern "C" fn($($a),*) $(-> $r)?,)* }
        impl $name {
            fn load(library: &$crate::sys::dl::Library) -> Result<Self, String> {
                Ok(Self {
                    $($f: {
                        let symbol = library.symbol(stringify!($f).as_bytes())?;
                        // SAFETY: the function of that name, whose type the library's header gives.
                        unsafe {
                            std::mem::transmute::<*mut libc::c_void, unsafe extern "C" fn($($a),*) $(-> $r)?>(symbol.0.as_ptr())
                        }
                    },)*
                })
            }
        }
    };
}
pub(super) use functions;

/// What a `${dlfunc}` function returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DlfuncResult {
    /// 0 OK, 1 DEFER, 2 FAIL, 3 ERROR, 4 FAIL_FORCED
    pub status: i32,
    pub text: Option<Vec<u8>>,
}

/// Calls `int f(uschar **yield, int argc, uschar *argv[])`, the type that the manual (11.5) prescribes.
/// `None` if an argument has a NUL byte.
pub fn call_dlfunc(function: Symbol, args: &[&[u8]]) -> Option<DlfuncResult> {
    type Dlfunc = unsafe extern "C" fn(*mut *mut libc::c_char, libc::c_int, *mut *mut libc::c_char) -> libc::c_int;
    let owned: Vec<_> = args.iter().map(|a| cstr(a)).collect::<std::io::Result<_>>().ok()?;
    let mut argv: Vec<*mut libc::c_char> = owned.iter().map(|a| a.as_ptr().cast_mut()).collect();
    argv.push(std::ptr::null_mut());
    let mut text = std::ptr::null_mut();
    // SAFETY: the configuration vouches for the function's type; a yielded text is a C string.
    unsafe {
        let f = std::mem::transmute::<*mut libc::c_void, Dlfunc>(function.0.as_ptr());
        let status = f(&mut text, owned.len() as libc::c_int, argv.as_mut_ptr());
        let text = (!text.is_null()).then(|| CStr::from_ptr(text).to_bytes().to_vec());
        Some(DlfuncResult { status, text })
    }
}
