//! Running the MTA: its configuration, its command line, and the ways of waiting for it.

use std::fs;
use std::os::fd::OwnedFd;
use std::process::{ExitStatus, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use regex::Regex;

use super::shell::{Piece, pieces};
use super::{Execution, Result, Stop, fail};
use crate::script::Mta;

/// A line of a queue listing: age, size, id.
static QUEUED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\s*\d+[smhdw]\s+\S+\s+(\S+)").expect("a pattern"));
static QUEUE_NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"-qG\S+").expect("a pattern"));
static MESSAGE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\$msg(\d+)").expect("a pattern"));
static PID_FILE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r" -oP\s+(\S+)").expect("a pattern"));

impl Execution {
    /// Nothing is returned for what goes on running.
    pub(super) fn mta(&mut self, mta: &Mta, variable: Option<&str>) -> Result<Option<ExitStatus>> {
        self.write_configuration()?;
        let top = self.facts.top_str();
        let mut args = self.with_message_ids(&mta.args)?;
        let program = format!("{top}/eximdir/exim{}", mta.suffix);
        let mut pid_file = None;
        if mta.is_daemon() {
            args = format!(" {args} ").replace(" -bd ", " -bdf ");
            let given = PID_FILE.captures(&args).map(|found| found[1].to_string());
            let path = given.clone().unwrap_or_else(|| format!("{top}/spool/exim-daemon.pid"));
            if given.is_none() {
                args = format!("-oP {path} {args}");
            }
            pid_file = Some(self.top.join(path));
        }
        let errors = if mta.is_server() || mta.is_inetd_wait() { "-server" } else { "" };
        let line = format!(
            "{}{}{}{program} -DEXIM_PATH={program} -C {top}/test-config {} \
             >>test-stdout 2>>test-stderr{errors}",
            mta.assignments,
            // What is killed by its pid must not be behind a shell.
            if mta.is_inetd_wait() { "exec " } else { "" },
            mta.sudo,
            args.trim(),
        );
        if mta.is_inetd_wait() {
            return self.start_inetd_wait(&line, variable).map(|()| None);
        }
        if let Some(pid_file) = pid_file {
            self.make_log_directory()?;
            self.daemons.push(self.shell_command(&line, variable).spawn()?);
            self.await_pid_file(&pid_file, Duration::from_secs(9));
            return Ok(None);
        }
        let mut data = pieces(&mta.data)?;
        if mta.wait > 0 {
            data.push(Piece::Pause(Duration::from_secs(mta.wait)));
        }
        self.fed(variable, &line, &data).map(Some)
    }

    fn write_configuration(&self) -> Result<()> {
        let source = self.top.join("confs").join(&self.test);
        let Ok(template) = fs::read(&source) else {
            return fail(format!("confs/{} is missing", self.test));
        };
        fs::write(self.top.join("test-config"), self.substitution.apply(&template))?;
        Ok(())
    }

    fn make_log_directory(&self) -> Result<()> {
        let (uid, gid) = (self.facts.exim_uid, self.facts.exim_gid);
        self.make_directory(&self.top.join("spool/log"), uid, gid)
    }

    /// A daemon whose standard input is the listening socket.
    fn start_inetd_wait(&mut self, line: &str, variable: Option<&str>) -> Result<()> {
        self.make_log_directory()?;
        let Some(socket) = &self.dynamic else {
            return fail("an inetd-wait daemon needs PORT_DYNAMIC");
        };
        let socket = OwnedFd::from(socket.try_clone()?);
        let mut command = self.shell_command(line, variable);
        self.background = Some(command.stdin(Stdio::from(socket)).spawn()?);
        thread::sleep(Duration::from_millis(300));
        Ok(())
    }

    /// Replace `$msg1` and so on by the ids of the messages on the queue.
    fn with_message_ids(&self, args: &str) -> Result<String> {
        if !args.contains("$msg") {
            return Ok(args.to_string());
        }
        let top = self.facts.top_str();
        let queue = QUEUE_NAME.find(args).map_or("", |name| name.as_str());
        let exim = format!("{top}/eximdir/exim");
        let line = format!("{exim} -bp {queue} -DEXIM_PATH={exim} -C {top}/test-config");
        let (listing, _) = self.output_of(&line)?;
        let ids = message_ids(&String::from_utf8_lossy(&listing));
        let mut missing = None;
        let replaced = MESSAGE.replace_all(args, |found: &regex::Captures| {
            let number: usize = found[1].parse().unwrap_or(0);
            match number.checked_sub(1).and_then(|index| ids.get(index)) {
                Some(id) => id.clone(),
                None => {
                    missing = Some(format!("there is no message {number} on the queue"));
                    String::new()
                }
            }
        });
        match missing {
            Some(why) => Err(Stop::Fail(why)),
            None => Ok(replaced.into_owned()),
        }
    }
}

/// The ids in a queue listing, in the order of their times.
fn message_ids(listing: &str) -> Vec<String> {
    let ids = listing.lines().filter_map(|line| Some(QUEUED.captures(line)?[1].to_string()));
    let mut ids: Vec<String> = ids.collect();
    ids.sort_by_key(|id| {
        let fields: Vec<&str> = id.split('-').collect();
        format!("{}.{}", fields[0], fields.get(2).unwrap_or(&""))
    });
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_sorted_by_time_and_not_by_process() {
        let listing = " 1m   300 1aaaaa-00000000002-0001 <a@b>\n        \
            x@y\n\n 0m   1.2K 1aaaaa-00000000009-0000 <>\n 3d  10 1aaaZZ-00000000005-0000 <>\n";
        let ids = message_ids(listing);
        assert_eq!(ids, ["1aaaZZ-00000000005-0000", "1aaaaa-00000000009-0000", "1aaaaa-00000000002-0001"]);
    }
}
