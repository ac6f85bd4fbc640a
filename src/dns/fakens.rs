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
    spawn.stderr = Stdio::Inherit;
    let failed = || Fake::Answered(Outcome::Fail, Reply::default());
    let Ok(child) = spawn.start() else { return failed() };
    let Some(output) = child.stdout else { return failed() };
    let wire = read_to_end_deadline(output.as_fd(), ANSWER_SIZE, None).map(|(data, _)| data).unwrap_or_default();
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
