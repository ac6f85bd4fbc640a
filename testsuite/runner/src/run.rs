//! A run: all the selected tests, several at a time, and the report of it.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::check::{Check, Compared};
use crate::corpus::{Corpus, Test};
use crate::exec::Outcome;
use crate::facts::Facts;
use crate::munge::{Cache, Munger};
use crate::options::Options;
use crate::template::{Template, remove};
use crate::{keep, script, sys, world};

/// Directories over which the tests' own can be mounted, on any Linux host.
const PLACES: [&str; 4] = ["/srv", "/mnt", "/media", "/opt"];

/// How often a failing test is run again, alone.
const RERUNS: usize = 2;

#[derive(Clone, Debug, PartialEq)]
enum Verdict {
    Pass,
    Fail(String),
    Skip(String),
}

struct Done {
    verdict: Verdict,
    time: Duration,
}

struct Run<'a> {
    options: &'a Options,
    corpus: &'a Corpus,
    template: &'a Template,
    facts: &'a Facts,
    munger: Munger,
    total: usize,
    done: AtomicUsize,
}

pub fn run(options: &Options) -> Result<ExitCode, String> {
    if sys::effective_uid() != 0 {
        return Err("it must be run by root".into());
    }
    let absolute = |path: &Path, what: &str| fs::canonicalize(path).map_err(|e| format!("{what} {}: {e}", path.display()));
    let corpus = options.corpus.clone().unwrap_or_else(|| PathBuf::from("testsuite"));
    let corpus = absolute(&corpus, "corpus")?;
    let binary = absolute(&binary(options), "binary")?;
    if let Some(keep) = &options.keep {
        fs::create_dir_all(keep).map_err(|e| format!("{}: {e}", keep.display()))?;
    }
    let here = std::env::current_dir().map_err(|e| e.to_string())?;
    let root = place(&[&corpus, &binary, &here])?;

    let io = |what: &'static str| move |e: io::Error| format!("{what}: {e}");
    sys::umask(0o022);
    sys::unshare_mounts().map_err(io("mount namespace"))?;
    sys::mount_tmpfs(&root, "755").map_err(io("mounting a tmpfs"))?;
    let tests = Corpus::read(&corpus).map_err(io("reading the corpus"))?;
    let template = Template::make(&root, &corpus).map_err(io("preparing the tests"))?;
    let mut facts = Facts { root, ..Facts::default() };
    template.probe(&binary, &tests.macros(), &mut facts).map_err(io("probing the binary"))?;
    let warning = template.complete(&binary, &corpus, &facts).map_err(io("preparing the tests"))?;
    if let Some(text) = warning {
        eprintln!("runtest: {text}");
    }
    if !facts.features.contains_key("support") {
        eprintln!("runtest: the binary names no features with -bV");
    }
    let chosen = tests.tests.iter().filter(|t| options.selects(&t.number, &t.directory));
    let chosen: Vec<&Test> = chosen.collect();
    let run = Run {
        options,
        corpus: &tests,
        template: &template,
        munger: Munger::new(&facts),
        facts: &facts,
        total: chosen.len(),
        done: AtomicUsize::new(0),
    };
    run.all(chosen)
}

fn binary(options: &Options) -> PathBuf {
    let places = ["target/release/exim", "target/debug/exim"].map(PathBuf::from);
    let found = places.iter().find(|path| path.is_file()).unwrap_or(&places[0]);
    options.binary.clone().unwrap_or_else(|| found.clone())
}

/// A place for the tests that hides nothing that is needed.
fn place(needed: &[&Path]) -> Result<PathBuf, String> {
    let free = |place: &&&str| Path::new(place).is_dir() && !needed.iter().any(|path| path.starts_with(place));
    let place = PLACES.iter().find(free);
    place.map(PathBuf::from).ok_or(format!("none of {} can be used", PLACES.join(" ")))
}

impl Run<'_> {
    fn all(&self, chosen: Vec<&Test>) -> Result<ExitCode, String> {
        let mut results: BTreeMap<String, (&Test, Done)> = BTreeMap::new();
        let mut queue = VecDeque::new();
        for test in chosen {
            match self.unmet(test)? {
                Some(reason) => {
                    let done = Done { verdict: Verdict::Skip(reason), time: Duration::ZERO };
                    self.done.fetch_add(1, Ordering::Relaxed);
                    results.insert(test.number.clone(), (test, done));
                }
                None => queue.push_back(test),
            }
        }
        for (test, done) in self.parallel(queue, self.options.jobs) {
            results.insert(test.number.clone(), (test, done));
        }
        for _ in 0..if self.options.rerun { RERUNS } else { 0 } {
            let failed = results.values().filter(|(_, d)| matches!(d.verdict, Verdict::Fail(_)));
            let again: Vec<&Test> = failed.map(|(test, _)| *test).collect();
            if again.is_empty() {
                break;
            }
            println!("running {} failed tests again, alone", again.len());
            self.done.fetch_sub(again.len(), Ordering::Relaxed);
            for (test, done) in self.parallel(again.into(), 1) {
                results.insert(test.number.clone(), (test, done));
            }
        }
        self.report(&results)
    }

    fn unmet(&self, test: &Test) -> Result<Option<String>, String> {
        if test.number.as_str() >= "9000" && !self.options.names(&test.number) {
            return Ok(Some("needs a special set-up".into()));
        }
        let unmet = self.corpus.unmet(&test.directory, self.facts, &self.template.test())?;
        Ok(unmet.map(|line| format!("requires {line}")))
    }

    fn parallel<'t>(&self, queue: VecDeque<&'t Test>, jobs: usize) -> Vec<(&'t Test, Done)> {
        let queue = Mutex::new(queue);
        let results = Mutex::new(Vec::new());
        let next = || queue.lock().ok()?.pop_front();
        thread::scope(|scope| {
            for slot in 0..jobs {
                let (next, results) = (&next, &results);
                scope.spawn(move || {
                    while let Some(test) = next() {
                        let done = self.one(test, slot);
                        self.show(test, &done);
                        if let Ok(mut results) = results.lock() {
                            results.push((test, done));
                        }
                    }
                });
            }
        });
        results.into_inner().unwrap_or_default()
    }

    fn show(&self, test: &Test, done: &Done) {
        let count = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        let mut out = io::stdout().lock();
        let terminal = out.is_terminal();
        let clear = if terminal { "\r\x1b[K" } else { "" };
        if let Verdict::Fail(reason) = &done.verdict {
            let reason = reason.replace(['\n', '\r', '\x1b'], " ");
            let _ = writeln!(out, "{clear}{} {}: {reason}", test.number, test.directory);
        }
        if terminal {
            let _ = write!(out, "{clear}{count}/{} {}", self.total, test.number);
        }
        let _ = out.flush();
    }

    fn one(&self, test: &Test, slot: usize) -> Done {
        let start = Instant::now();
        let directory = self.facts.root.join(format!("jobs/{slot}"));
        let verdict = match self.execute(test, &directory) {
            Ok(Verdict::Fail(_)) if !test.counts => Verdict::Skip("reference fails here".to_string()),
            Ok(verdict) => verdict,
            Err(e) => Verdict::Fail(format!("the runner itself: {e}")),
        };
        Done { verdict, time: start.elapsed() }
    }

    fn execute(&self, test: &Test, directory: &Path) -> io::Result<Verdict> {
        self.template.copy_to(directory)?;
        let text = fs::read(&test.script)?;
        self.facts.write(&directory.join("facts"))?;
        fs::write(directory.join("number"), &test.number)?;
        fs::write(directory.join("script"), &text)?;
        let limit = self.options.timeout;
        let finished = world::run(&self.facts.root, directory, "@script", limit)?;
        let outcome = Outcome::read(&directory.join("outcome"));
        let mut reason = match outcome {
            Some(Outcome::Done) => None,
            Some(Outcome::Skip(why)) => return Ok(Verdict::Skip(why)),
            Some(Outcome::Fail(why)) => Some(why),
            None if !finished => Some(format!("timed out after {} s", limit.as_secs())),
            None => Some("its process ended without a result".to_string()),
        };
        let mut cache = Cache::default();
        let port = fs::read_to_string(directory.join("port")).ok();
        cache.dynamic_port = port.and_then(|port| port.parse().ok());
        let mut check = Check {
            corpus: &self.corpus.path,
            number: &test.number,
            top: &directory.join("test"),
            flags: &script::flags(&text),
            munger: &self.munger,
            cache,
            compare_stderr: test.compare_stderr,
            results: Vec::new(),
        };
        check.all()?;
        let results = check.results;
        let first = results.iter().find(|compared| !compared.equal());
        if reason.is_none() {
            reason = first.map(Compared::first_difference);
        }
        let Some(reason) = reason else {
            if let Some(keep) = &self.options.keep {
                remove(&keep.join(&test.number))?;
            }
            return Ok(Verdict::Pass);
        };
        if let Some(keep) = &self.options.keep {
            let place = keep.join(&test.number);
            keep::keep(&place, &directory.join("test"), &results, &reason)?;
        }
        Ok(Verdict::Fail(reason))
    }

    fn report(&self, results: &BTreeMap<String, (&Test, Done)>) -> Result<ExitCode, String> {
        let (mut passed, mut failed, mut skipped) = (0, 0, 0);
        let mut text = String::new();
        for (number, (_, done)) in results {
            let (word, reason) = match &done.verdict {
                Verdict::Pass => ("pass", ""),
                Verdict::Fail(reason) => ("fail", reason.as_str()),
                Verdict::Skip(reason) => ("skip", reason.as_str()),
            };
            match word {
                "pass" => passed += 1,
                "fail" => failed += 1,
                _ => skipped += 1,
            }
            let reason = reason.replace(['\n', '\t', '\r'], " ");
            let seconds = done.time.as_secs_f32();
            text += &format!("{number}\t{word}\t{seconds:.1}\t{reason}\n");
        }
        if let Some(path) = &self.options.report {
            let text = format!("test\tresult\tseconds\treason\n{text}");
            fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        let clear = if io::stdout().is_terminal() { "\r\x1b[K" } else { "" };
        println!("{clear}{passed} passed, {failed} failed, {skipped} skipped");
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
