//! The test harness' name server: the program `fakens`, run once for each question.
//!
//! `fakens DIRECTORY NAME TYPE` writes a reply in wire form (no question section, rcode 0, id 0) to its
//! standard output; its exit status is the result (testsuite-format.md, 10.1).

use super::parse::{Reply, parse};
use super::types::{Outcome, RecordType};
use crate::sys::fd::read_to_end_deadline;
use crate::sys::process::{WaitStatus, wait};
use crate::sys::spawn::{Spawn, Stdio};
use std::os::fd::AsFd;

/// As large as an answer can be.
const ANSWER_SIZE: usize = 65_535;

/// What came of it.
pub(super) enum Fake {
    Answered(Outcome, Reply),
    /// "Ask the real resolver": exit status 5, or there is no such program.
    PassOn,
}

/// Asks. `directory` is that of the main configuration file. The program is `bin/fakens` below it.
pub(super) fn ask(directory: &[u8], name: &[u8], rtype: RecordType) -> Fake {
    let program = [directory, b"/bin/fakens"].concat();
    if crate::sys::file::stat(&program).is_err() {
        return Fake::PassOn;
    }
    let name = name.strip_suffix(b".").unwrap_or(name);
    let argv = [program.clone(), directory.to_vec(), name.to_vec(), fakens_type(rtype).as_bytes().to_vec()];
    let environment = crate::sys::exec::current_environment();
    let mut spawn = Spawn::new(&program, &argv, &environment);
    spawn.stdout = Stdio::Pipe;
    // What it says of its trouble is nobody's business.
    spawn.stderr = Stdio::Null;
    let failed = || Fake::Answered(Outcome::Fail, Reply::default());
    let Ok(child) = spawn.start() else { return failed() };
    let Some(output) = child.stdout else { return failed() };
    // All of it is read, so that the program does not die of SIGPIPE; then it is cut.
    let mut wire = read_to_end_deadline(output.as_fd(), 1 << 20, None).map(|(data, _)| data).unwrap_or_default();
    wire.truncate(ANSWER_SIZE);
    drop(output);
    let outcome = match wait(child.pid) {
        Ok(WaitStatus::Exited(0)) => Outcome::Found,
        Ok(WaitStatus::Exited(1)) => Outcome::NoMatch,
        Ok(WaitStatus::Exited(2)) => Outcome::Again,
        Ok(WaitStatus::Exited(4)) => Outcome::NoData,
        Ok(WaitStatus::Exited(5)) => return Fake::PassOn,
        _ => Outcome::Fail,
    };
    Fake::Answered(outcome, parse(&wire).unwrap_or_default())
}

fn fakens_type(rtype: RecordType) -> &'static str {
    match rtype {
        RecordType::Other(38) => "A6",
        RecordType::Caa | RecordType::Any => "?",
        known => known.name(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Outcome, Query, RData, RecordType, Resolver, Settings, TestMode};
    use bstr::ByteSlice;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn statuses_and_answers() {
        let dir = std::env::temp_dir().join(format!("oxim-fakens-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("bin")).unwrap();
        let program = dir.join("bin/fakens");
        let script = r#"#!/bin/sh
[ "$1" = "${0%/bin/fakens}" ] || exit 3
case "$2/$3" in
alias.ex/A) printf '\0\0\200\0\0\0\0\1\0\0\0\0\5Alias\2ex\0\0\5\0\1\0\0\0\5\0\6\1t\2ex\0';;
t.ex/A) printf '\0\0\200\40\0\0\0\1\0\0\0\0\1t\2ex\0\0\1\0\1\0\0\0\5\0\4\177\0\0\1';;
loop.ex/A) printf '\0\0\200\0\0\0\0\1\0\0\0\0\4loop\2ex\0\0\5\0\1\0\0\0\5\0\11\4loop\2ex\0';;
none.ex/*) exit 1;; again.ex/*) exit 2;; empty.ex/*) exit 4;; *) exit 3;;
esac
"#;
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let directory = std::os::unix::ffi::OsStrExt::as_bytes(dir.as_os_str()).into();
        let settings = |cname_loops| Settings {
            cname_loops,
            test: Some(TestMode { directory: Clone::clone(&directory) }),
            ..Settings::default()
        };
        let r = Resolver::new(settings(1));
        let ask = |n: &[u8]| r.lookup(&Query::new(n, RecordType::A));
        let a = ask(b"t.ex.");
        assert_eq!((a.outcome, a.ad, a.name.as_bstr()), (Outcome::Found, true, "t.ex".into()));
        assert_eq!(a.records[0].data, RData::Address([127, 0, 0, 1].into()));
        let a = ask(b"alias.ex");
        assert_eq!((a.outcome, a.name.as_bstr(), a.asked.as_bstr()), (Outcome::Found, "Alias.ex".into(), "t.ex".into()));
        assert_eq!(Resolver::new(settings(0)).lookup(&Query::new(b"alias.ex", RecordType::A)).outcome, Outcome::Fail);
        assert!(ask(b"loop.ex").cname_loop);
        assert_eq!(ask(b"none.ex").outcome, Outcome::NoMatch);
        assert!(ask(b"none.ex").cached);
        assert_eq!(ask(b"again.ex").outcome, Outcome::Again);
        assert_eq!(ask(b"empty.ex").outcome, Outcome::NoData);
        assert_eq!(ask(b"other.ex").outcome, Outcome::Fail);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
