//! The command line of the runner.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

pub const HELP: &str = "\
usage: runtest [option]...

  --corpus DIR      the tests to run (default: the project's own, in testsuite/)
  --binary EXIM     the binary under test (default: target/release/exim or target/debug/exim)
  --jobs N          how many tests run at the same time (default: 4)
  --tests LIST      only these: 0001,0300-0350
  --dirs LIST       only the tests in these directories: 0000-Basic,2100-OpenSSL
  --report FILE     write test, result, seconds and reason of each test (tab-separated)
  --keep DIR        keep outputs and differences of each failing test in DIR/NNNN
  --rerun           run the failing tests again alone at the end, twice at most
  --timeout SECS    how long a test may take (default: 180)
  --help            show this

Tests from 9000 on need special set-ups, and run only if they are in a --tests list.
It must be run by root: each test gets network, mount, process and host names of its own.
";

#[derive(Debug, PartialEq)]
pub struct Options {
    pub corpus: Option<PathBuf>,
    pub binary: Option<PathBuf>,
    pub jobs: usize,
    /// Inclusive ranges; none means all.
    pub tests: Vec<(u32, u32)>,
    pub dirs: BTreeSet<String>,
    pub report: Option<PathBuf>,
    pub keep: Option<PathBuf>,
    pub rerun: bool,
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            corpus: None,
            binary: None,
            jobs: 4,
            tests: Vec::new(),
            dirs: BTreeSet::new(),
            report: None,
            keep: None,
            rerun: false,
            timeout: Duration::from_secs(180),
        }
    }
}

impl Options {
    /// Nothing is returned when help is asked for.
    pub fn parse(args: &[String]) -> Result<Option<Options>, String> {
        let mut options = Options::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let (name, attached) = match arg.split_once('=') {
                Some((name, value)) => (name, Some(value.to_string())),
                None => (arg.as_str(), None),
            };
            let mut value = || {
                let next = attached.clone().or_else(|| args.next().cloned());
                next.ok_or(format!("{name} needs a value"))
            };
            match name {
                "--help" | "-h" => return Ok(None),
                "--corpus" => options.corpus = Some(value()?.into()),
                "--binary" => options.binary = Some(value()?.into()),
                "--report" => options.report = Some(value()?.into()),
                "--keep" => options.keep = Some(value()?.into()),
                "--jobs" => options.jobs = number(name, &value()?)?.max(1) as usize,
                "--timeout" => {
                    options.timeout = Duration::from_secs(number(name, &value()?)?.into());
                }
                "--tests" => options.tests.extend(ranges(&value()?)?),
                "--dirs" => options.dirs.extend(value()?.split(',').map(String::from)),
                "--rerun" => options.rerun = true,
                _ => return Err(format!("unknown option {arg} (try --help)")),
            }
        }
        Ok(Some(options))
    }

    pub fn selects(&self, number: &str, directory: &str) -> bool {
        (self.tests.is_empty() || self.names(number)) && (self.dirs.is_empty() || self.dirs.contains(directory))
    }

    /// Was this test asked for by its number?
    pub fn names(&self, number: &str) -> bool {
        let Ok(number) = number.parse::<u32>() else {
            return false;
        };
        self.tests.iter().any(|(from, to)| (*from..=*to).contains(&number))
    }
}

fn number(name: &str, value: &str) -> Result<u32, String> {
    value.parse().map_err(|_| format!("{name}: not a number: {value}"))
}

fn ranges(list: &str) -> Result<Vec<(u32, u32)>, String> {
    let range = |item: &str| {
        let (from, to) = item.split_once('-').unwrap_or((item, item));
        Ok((number("--tests", from)?, number("--tests", to)?))
    };
    list.split([',', ' ']).filter(|item| !item.is_empty()).map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Options>, String> {
        Options::parse(&text.split(' ').map(String::from).collect::<Vec<_>>())
    }

    #[test]
    fn lists_select_tests() {
        let options = parse("--tests 0001,0300-0350 --jobs=6").unwrap().unwrap();
        assert_eq!(options.jobs, 6);
        assert!(options.selects("0001", "x") && options.selects("0320", "x"));
        assert!(!options.selects("0002", "x") && !options.selects("word", "x"));
        let options = parse("--dirs a,b").unwrap().unwrap();
        assert!(options.selects("0001", "b") && !options.selects("0001", "c"));
    }

    #[test]
    fn mistakes_are_told() {
        assert!(parse("--jobs x").is_err() && parse("--tests 1-x").is_err());
        assert!(parse("--corpus").is_err() && parse("--other").is_err());
        assert_eq!(parse("--help"), Ok(None));
    }
}
