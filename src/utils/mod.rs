//! The utilities that come with Exim (manual chapter 54): sub-programs of one binary, by the name they are called by.

pub mod checkaccess;
pub mod dbmbuild;
pub mod dmarc_report;
pub mod dumpdb;
pub mod exicyclog;
pub mod exigrep;
pub mod eximstats;
pub mod exinext;
pub mod exipick;
pub mod exiqgrep;
pub mod exiqsumm;
pub mod exiwhat;
pub mod fixdb;
pub mod id_update;
pub mod lock;
mod log_line;
pub mod msgdate;
mod support;
pub mod tidydb;

/// One of them: its name, and what runs it with its arguments; the value is the exit status.
type Utility = (&'static str, fn(&[String]) -> i32);

/// All of them.
static UTILITIES: &[Utility] = &[
    ("exicyclog", exicyclog::run),
    ("exigrep", exigrep::run),
    ("exim_checkaccess", checkaccess::run),
    ("exim_dbmbuild", dbmbuild::run),
    ("exim_dmarc_report", dmarc_report::run),
    ("exim_dumpdb", dumpdb::run),
    ("exim_fixdb", fixdb::run),
    ("exim_id_update", id_update::run),
    ("exim_lock", lock::run),
    ("exim_msgdate", msgdate::run),
    ("exim_tidydb", tidydb::run),
    ("eximstats", eximstats::run),
    ("exinext", exinext::run),
    ("exipick", exipick::run),
    ("exiqgrep", exiqgrep::run),
    ("exiqsumm", exiqsumm::run),
    ("exiwhat", exiwhat::run),
];

/// The utility that the program was called as.
fn find(argv: &[String]) -> Option<&'static Utility> {
    let name = argv.first()?.rsplit('/').next()?;
    UTILITIES.iter().find(|(n, _)| *n == name)
}

/// Was the program called as one of them?
pub fn is_named(argv: &[String]) -> bool {
    find(argv).is_some()
}

/// Runs the utility that the program was called as, if it is one. `argv` has the name first.
pub fn run(argv: &[String]) -> Option<i32> {
    let (name, main) = find(argv)?;
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

#[cfg(test)]
mod tests {
    /// `scripts/install` makes a link for each manual page.
    #[test]
    fn each_has_a_manual_page() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/doc/man");
        let mut pages: Vec<String> = std::fs::read_dir(directory)
            .unwrap()
            .filter_map(|e| e.unwrap().file_name().to_str()?.strip_suffix(".8").map(str::to_string))
            .filter(|name| name != "exim")
            .collect();
        pages.sort();
        assert_eq!(pages, super::names().collect::<Vec<_>>());
    }
}
