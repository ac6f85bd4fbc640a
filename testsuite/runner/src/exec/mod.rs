//! Executing a test's script, inside the test's world.

mod files;
mod mta;
mod shell;

use std::fmt;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ExitCode, ExitStatus};
use std::time::Duration;
use std::{fs, io, thread};

use crate::facts::Facts;
use crate::script::{self, Command, Expect, Item};
use crate::subst::Substitution;
use crate::sys::Identity;
use crate::{accounts, world};

/// A command that takes longer fails the test.
const COMMAND_LIMIT: Duration = Duration::from_secs(120);
/// What has been told to end should do so in this time.
const END_LIMIT: Duration = Duration::from_secs(20);

/// Why a script was not executed to its end.
pub enum Stop {
    Fail(String),
    Skip(String),
}

impl From<io::Error> for Stop {
    fn from(e: io::Error) -> Stop {
        Stop::Fail(format!("the runner itself: {e}"))
    }
}

pub type Result<T> = std::result::Result<T, Stop>;

fn fail<T>(message: impl fmt::Display) -> Result<T> {
    Err(Stop::Fail(message.to_string()))
}

/// How a script ended, as written down for the runner outside.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    Done,
    Fail(String),
    Skip(String),
}

impl Outcome {
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let text = match self {
            Outcome::Done => "done".to_string(),
            Outcome::Fail(why) => format!("fail {why}"),
            Outcome::Skip(why) => format!("skip {why}"),
        };
        fs::write(path, text)
    }

    pub fn read(path: &Path) -> Option<Outcome> {
        let text = fs::read_to_string(path).ok()?;
        let (word, why) = text.split_once(' ').unwrap_or((&text, ""));
        match word {
            "done" => Some(Outcome::Done),
            "fail" => Some(Outcome::Fail(why.into())),
            "skip" => Some(Outcome::Skip(why.into())),
            _ => None,
        }
    }
}

/// A program that runs beside the script until its input is closed.
struct Piped {
    child: Child,
    input: Option<ChildStdin>,
}

pub struct Execution {
    facts: Facts,
    top: PathBuf,
    test: String,
    substitution: Substitution,
    caller: Identity,
    /// The open socket of `PORT_DYNAMIC`.
    dynamic: Option<TcpListener>,
    /// The scripted server or `exim_lock`.
    server: Option<Piped>,
    daemons: Vec<Child>,
    /// What `background` or an inetd-wait daemon started.
    background: Option<Child>,
}

/// `@script ROOT`: execute ROOT/script, and write ROOT/outcome.
pub fn main(args: &[String]) -> ExitCode {
    let Some(root) = args.first().map(Path::new) else {
        return ExitCode::from(2);
    };
    let outcome = match execute(root) {
        Ok(()) => Outcome::Done,
        Err(Stop::Fail(why)) => Outcome::Fail(why),
        Err(Stop::Skip(why)) => Outcome::Skip(why),
    };
    match outcome.write(&root.join("outcome")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn execute(root: &Path) -> Result<()> {
    let facts = Facts::read(&root.join("facts"))?;
    let test = fs::read_to_string(root.join("number"))?;
    let text = fs::read(root.join("script"))?;
    let dynamic = match script::mentions(&text, "PORT_DYNAMIC") {
        true => (1024..5000).find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok()),
        false => None,
    };
    let port = dynamic.as_ref().and_then(|socket| socket.local_addr().ok()).map(|a| a.port());
    if let Some(port) = port {
        fs::write(root.join("port"), port.to_string())?;
    }
    let substitution = Substitution::new(&facts, &test, port);
    let items = script::parse(&text, &substitution).map_err(Stop::Fail)?;
    world::start_name_server()?;
    Execution {
        top: facts.top(),
        caller: accounts::caller(&facts),
        facts,
        test,
        substitution,
        dynamic,
        server: None,
        daemons: Vec::new(),
        background: None,
    }
    .run(&items)
}

impl Execution {
    fn run(&mut self, items: &[Item]) -> Result<()> {
        self.make_directory(&self.top.join("test-mail"), self.caller.uid, self.caller.gid)?;
        self.make_directory(&self.top.join("spool"), self.facts.exim_uid, self.facts.exim_gid)?;
        for item in items {
            let variable = item.variable.as_deref();
            self.command(item, variable).map_err(|stop| match stop {
                Stop::Fail(why) => Stop::Fail(format!("script line {}: {why}", item.line)),
                skip => skip,
            })?;
        }
        Ok(())
    }

    fn command(&mut self, item: &Item, variable: Option<&str>) -> Result<()> {
        let eximdir = self.top.join("eximdir").display().to_string();
        let top = self.facts.top_str();
        let expected = |status: ExitStatus| expected(status, item.expect);
        match &item.command {
            Command::Echo => Ok(()),
            Command::Marker(text) => self.marker(text),
            Command::Sleep(ms) => {
                thread::sleep(Duration::from_millis(*ms));
                Ok(())
            }
            Command::Need(what) => self.need(what),
            Command::DbmBuild(from, to) => expected(self.shell(
                variable,
                &format!(
                    "({eximdir}/exim_dbmbuild {top}/{from} {top}/{to}; \
                     echo exim_dbmbuild exit code = $?) >>test-stdout"
                ),
            )?),
            Command::Dump(name) => expected(self.dump(name)?),
            Command::Lock(args) => self.start_lock(args),
            Command::Utility(name, args) => expected(self.utility(name, args, variable)?),
            Command::Gnutls => self.copy_gnutls_parameters(),
            Command::KillDaemon => self.kill_daemon(),
            Command::Shell(line) => expected(self.shell(variable, &format!("{line} >>test-stdout 2>>test-stderr"))?),
            Command::Cat2(args) => expected(self.shell(variable, &format!("cat {args} >test-stderr"))?),
            Command::Write { show, file, sizes, head, tail } => self.write(*show, file, sizes, head, tail),
            Command::Fed(line, data) => {
                let line = format!("{line} >>test-stdout 2>>test-stderr");
                expected(self.fed(variable, &line, &shell::pieces(data)?)?)
            }
            Command::Server(args, data) => self.start_server(args, data),
            Command::Background(line) => self.start_background(line),
            Command::Mta(mta) => match self.mta(mta, variable)? {
                Some(status) => {
                    expected(status)?;
                    self.end_server()
                }
                None => Ok(()),
            },
        }
    }

    fn need(&self, what: &str) -> Result<()> {
        let there = match what {
            "ipv4" => true,
            "ipv6" => self.facts.has("support", "IPv6"),
            "largefiles" => self.facts.offset_size > 4,
            _ => self.facts.has("support", what),
        };
        if there { Ok(()) } else { Err(Stop::Skip(format!("needs {what}"))) }
    }

    fn utility(&self, name: &str, args: &str, variable: Option<&str>) -> Result<ExitStatus> {
        let top = self.facts.top_str();
        let program = format!("{top}/eximdir/{name}");
        let command = match name {
            "exinext" => {
                format!("{program} -DEXIM_PATH={top}/eximdir/exim -C {top}/test-config {args}")
            }
            "exiqgrep" => format!("{program} -E ./eximdir/exim -C {top}/test-config {args}"),
            "exim_id_update" => format!("sudo {program} {args} {top}/spool/input 2>>test-stderr"),
            _ => format!("{program} {args} {top}/spool/log/mainlog"),
        };
        self.shell(variable, &format!("({command}; echo {name} exit code = $?) >>test-stdout"))
    }
}

/// Compare an exit status with what the script expects.
fn expected(status: ExitStatus, expect: Expect) -> Result<()> {
    let matches = status.code() == Some(expect.status);
    if matches != expect.other {
        return Ok(());
    }
    let but = if expect.other { "anything but " } else { "" };
    fail(format!("{status}, expected {but}{}", expect.status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn expected_statuses() {
        let status = |code: i32| ExitStatus::from_raw(code << 8);
        let one = Expect { status: 1, other: false };
        let not_one = Expect { status: 1, other: true };
        assert!(expected(status(1), one).is_ok() && expected(status(0), one).is_err());
        assert!(expected(status(0), not_one).is_ok() && expected(status(1), not_one).is_err());
        assert!(expected(ExitStatus::from_raw(1), one).is_err(), "death by a signal");
    }
}
