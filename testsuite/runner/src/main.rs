//! The runner of Oxim's scripted tests, and the small programs that the tests use.
//!
//! One binary: by the name it is called by it is a helper (`client`, `server`, `fakens` ...), by
//! a first argument with `@` one of the runner's own processes, and otherwise the runner.

#![deny(unsafe_code)]

mod accounts;
mod check;
mod corpus;
mod exec;
mod facts;
mod helpers;
mod keep;
mod munge;
mod options;
mod patch;
mod probe;
mod run;
mod script;
mod subst;
mod sys;
mod template;
mod world;

use std::env;
use std::path::Path;
use std::process::ExitCode;

use options::Options;

fn main() -> ExitCode {
    let mut args = env::args_os().map(|arg| arg.to_string_lossy().into_owned());
    let called = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    let name = Path::new(&called).file_name().unwrap_or_default().to_string_lossy().into_owned();
    if let Some(status) = helpers::run(&name, &args) {
        return status;
    }
    let rest = args.get(1..).unwrap_or_default();
    match args.first().map(String::as_str) {
        Some("@world") => return world::world(rest),
        Some("@init") => return world::init(rest),
        Some("@script") => return exec::main(rest),
        Some("@probe") => return probe::main(rest),
        Some(helper) => {
            if let Some(status) = helpers::run(helper, rest) {
                return status;
            }
        }
        None => {}
    }
    let result = match Options::parse(&args) {
        Ok(None) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(Some(options)) => run::run(&options),
        Err(message) => Err(message),
    };
    match result {
        Ok(status) => status,
        Err(message) => {
            eprintln!("runtest: {message}");
            ExitCode::from(2)
        }
    }
}
