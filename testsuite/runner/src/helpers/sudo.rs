//! The `sudo` of the tests. It is setuid root only in the file system of a test's own mount
//! namespace, so that nobody outside can use it.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use crate::accounts;
use crate::sys;

/// `sudo [-u USER] COMMAND ARGUMENT...`
pub fn main(args: &[String]) -> ExitCode {
    let (user, command) = match args {
        [option, user, rest @ ..] if option == "-u" => (user.as_str(), rest),
        _ => ("root", args),
    };
    let Some((program, args)) = command.split_first() else {
        eprintln!("sudo: no command");
        return ExitCode::FAILURE;
    };
    let Some(who) = accounts::look_up(user) else {
        eprintln!("sudo: unknown user: {user}");
        return ExitCode::FAILURE;
    };
    if let Err(refused) = sys::become_user(&who) {
        eprintln!("sudo: {}", std::io::Error::from(refused));
        return ExitCode::FAILURE;
    }
    let mut command = Command::new(program);
    command.args(args).env("USER", user).env("LOGNAME", user);
    let error = command.exec();
    eprintln!("sudo: {program}: {error}");
    ExitCode::from(127)
}
