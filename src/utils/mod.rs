//! The utilities that come with Exim (manual chapter 54): sub-programs of one binary, by the name they are called by.

pub mod dumpdb;
pub mod exinext;
pub mod exiqgrep;
pub mod msgdate;
mod support;

/// One of them: its name, and what runs it with its arguments; the value is the exit status.
type Utility = (&'static str, fn(&[String]) -> i32);

/// All of them.
static UTILITIES: &[Utility] =
    &[("exim_dumpdb", dumpdb::run), ("exim_msgdate", msgdate::run), ("exinext", exinext::run), ("exiqgrep", exiqgrep::run)];

/// Runs the utility that the program was called as, if it is one. `argv` has the name first.
pub fn run(argv: &[String]) -> Option<i32> {
    let name = argv.first()?.rsplit('/').next()?;
    let (_, main) = UTILITIES.iter().find(|(n, _)| *n == name)?;
    let rest = argv.get(1..).unwrap_or_default();
    if rest.first().is_some_and(|a| a == "--version") {
        println!("{name} of Oxim {}, compatible with Exim {}", crate::version::OXIM_VERSION, crate::version::version());
        return Some(0);
    }
    Some(main(rest))
}

/// The names of all utilities, for installation scripts.
pub fn names() -> impl Iterator<Item = &'static str> {
    UTILITIES.iter().map(|(n, _)| *n)
}
