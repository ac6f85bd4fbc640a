//! Facts about the machine: load, host name, processors.

use super::check;
use bstr::BString;
use std::io;

/// The one-minute load average times 1000, as the load options count; `None` if it cannot be had.
pub fn load_average_thousandths() -> Option<i32> {
    let mut l = [0f64; 1];
    // SAFETY: room for one number.
    let n = unsafe { libc::getloadavg(l.as_mut_ptr(), 1) };
    (n == 1 && l[0].is_finite()).then(|| (l[0] * 1000.0).clamp(0.0, f64::from(i32::MAX)) as i32)
}

/// What uname(2) tells: node name, system, release, machine.
#[derive(Debug, Clone)]
pub struct Uname {
    pub node: BString,
    pub system: BString,
    pub release: BString,
    pub machine: BString,
}

/// uname(2).
pub fn uname() -> io::Result<Uname> {
    // SAFETY: utsname is byte arrays; zero is valid.
    let mut u: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: a valid place.
    check(unsafe { libc::uname(&mut u) })?;
    let text =
        |a: &[libc::c_char]| -> BString { a.iter().take_while(|c| **c != 0).map(|c| *c as u8).collect::<Vec<u8>>().into() };
    Ok(Uname { node: text(&u.nodename), system: text(&u.sysname), release: text(&u.release), machine: text(&u.machine) })
}

/// Processors online.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The current directory, `None` if it has none any more.
pub fn current_directory() -> Option<BString> {
    use std::os::unix::ffi::OsStringExt;
    std::env::current_dir().ok().map(|p| p.into_os_string().into_vec().into())
}
