//! `exim_dmarc_report`: tells domains what became of mail that claims to be theirs (aggregate reports, RFC 7489 7.2).
//!
//! The history that `dmarc_history_file` gathers is moved aside, read (`history.rs`), summed up for each domain
//! (`xml.rs`), and sent by mail (`mail.rs`) to those of the domain's addresses that want it (`target.rs`). What could not
//! be sent now goes back into the history. Everything in the history came from strangers: all of it is checked again.

mod history;
mod mail;
mod target;
mod xml;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use super::support::Exim;
use crate::sys;
use history::Block;
use target::Target;

/// Longest report that is sent where nobody set a limit (RFC 7489 leaves it to us).
const MAX_REPORT: usize = 10 * 1024 * 1024;
/// Reports for more domains than this wait for the next run.
const MAX_DOMAINS: usize = 100_000;

/// What the fuzz target of the history calls: what is read is written back as it was, and reports can be made of it.
#[cfg(feature = "fuzzing")]
pub fn fuzz(data: &[u8]) {
    let Ok((blocks, _)) = history::read(data) else { return };
    let text: String = blocks.iter().map(Block::text).collect();
    assert_eq!(history::read(text.as_bytes()).map(|(b, bad)| (b.len(), bad)).ok(), Some((blocks.len(), 0)));
    let header = xml::Header { organisation: "o", email: "a@b.ex", id: "1" };
    let report = xml::report(&header, "a.ex", &blocks);
    assert!(report.records <= blocks.len() && report.text.is_ascii());
    blocks.iter().flat_map(|b| &b.rua).for_each(|u| drop(target::parse(u)));
}

/// What the caller wants.
struct Wanted {
    exim: Exim,
    history: String,
    organisation: String,
    email: String,
    /// Reports are written into this directory, and nothing is sent or forgotten.
    dry_run: Option<String>,
}

/// See the module.
pub fn run(args: &[String]) -> i32 {
    match wanted(args).and_then(|w| w.map_or(Ok(()), |w| work(&w))) {
        Ok(()) => 0,
        Err(e) => {
            eprintln!("exim_dmarc_report: {e}");
            1
        }
    }
}

fn wanted(args: &[String]) -> Result<Option<Wanted>, String> {
    let mut o = getopts::Options::new();
    o.optopt("C", "", "Exim's configuration", "FILE")
        .optopt("f", "history", "the history (default: dmarc_history_file)", "FILE")
        .optopt("o", "org", "who reports (default: primary_hostname)", "NAME")
        .optopt("e", "email", "sender of the reports (default: postmaster at that host)", "ADDRESS")
        .optopt("n", "dry-run", "write the reports into DIR, send nothing, keep the history", "DIR")
        .optflag("h", "help", "this text");
    let usage = o.usage("Usage: exim_dmarc_report [options]\n\nSends aggregate reports (DMARC) of the history to domains.");
    let (mut exim, rest) = Exim::from_arguments(args);
    let m = o.parse(&rest).map_err(|e| format!("{e}\n{usage}"))?;
    if m.opt_present("h") {
        print!("{usage}");
        return Ok(None);
    }
    if !m.free.is_empty() {
        return Err(format!("unknown argument {}\n{usage}", m.free[0]));
    }
    if let Some(file) = m.opt_str("C") {
        exim.options.extend(["-C".to_string(), file]);
    }
    let host = exim.option("primary_hostname")?;
    let history = match m.opt_str("history") {
        Some(h) => h,
        None => exim.ask(&["-be", &exim.option("dmarc_history_file")?])?.trim_end().to_string(),
    };
    if !history.starts_with('/') {
        return Err("there is no dmarc_history_file".into());
    }
    let organisation = m.opt_str("org").unwrap_or_else(|| host.clone());
    let email = m.opt_str("email").unwrap_or_else(|| format!("postmaster@{host}"));
    if !target::is_address(&email) {
        return Err(format!("\"{email}\" is not an address"));
    }
    if !organisation.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return Err("the name of the organisation has odd characters".into());
    }
    Ok(Some(Wanted { exim, history, organisation, email, dry_run: m.opt_str("dry-run") }))
}

fn work(w: &Wanted) -> Result<(), String> {
    // One run at a time; the lock goes with the process.
    let lock_name = format!("{}.lock", w.history);
    let lock = File::options().write(true).create(true).truncate(false).mode(0o640).open(&lock_name);
    let lock = lock.map_err(|e| format!("cannot open {lock_name}: {e}"))?;
    let tried = sys::lock::flock(lock.as_fd(), sys::lock::Kind::Exclusive, sys::lock::Wait::No);
    tried.map_err(|e| format!("{lock_name}: another run is at work ({e})"))?;
    let aside = format!("{}.work", w.history);
    if w.dry_run.is_some() {
        return report_all(w, &w.history).map(|_| ());
    }
    if !fs::exists(&aside).unwrap_or(false) {
        match fs::rename(&w.history, &aside) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(format!("cannot rename {}: {e}", w.history)),
        }
        // Who had opened it before writes at once, but perhaps not yet.
        std::thread::sleep(Duration::from_secs(1));
    }
    // Else an earlier run came to a sudden end: its history first. What is new waits for the next run.
    let left = report_all(w, &aside)?;
    if !left.is_empty() {
        let text: String = left.iter().map(Block::text).collect();
        let file = File::options().append(true).create(true).mode(0o640).open(&w.history);
        file.and_then(|mut f| f.write_all(text.as_bytes())).map_err(|e| format!("cannot write {}: {e}", w.history))?;
    }
    fs::remove_file(&aside).map_err(|e| format!("cannot remove {aside}: {e}"))
}

/// Reports on everything in the file; gives what is to be kept for later.
fn report_all(w: &Wanted, file: &str) -> Result<Vec<Block>, String> {
    let open = File::options().read(true).custom_flags(libc::O_NOFOLLOW).open(file);
    let open = open.map_err(|e| format!("cannot read {file}: {e}"))?;
    let (blocks, skipped) = history::read(BufReader::new(open)).map_err(|e| format!("cannot read {file}: {e}"))?;
    if skipped > 0 {
        eprintln!("exim_dmarc_report: {skipped} malformed entries of the history are skipped");
    }
    let mut domains: BTreeMap<String, Vec<Block>> = BTreeMap::new();
    let mut left = Vec::new();
    for b in blocks.into_iter().filter(Block::is_wanted) {
        if domains.len() >= MAX_DOMAINS && !domains.contains_key(&b.policy_domain) {
            left.push(b);
        } else {
            domains.entry(b.policy_domain.clone()).or_default().push(b);
        }
    }
    for (n, (domain, blocks)) in domains.into_iter().enumerate() {
        match report(w, &domain, &blocks, n) {
            Ok(()) => {}
            Err(e) => {
                eprintln!("exim_dmarc_report: {domain}: {e}");
                left.extend(blocks);
            }
        }
    }
    Ok(left)
}

/// Reports to one domain. An error is a reason to try again later.
fn report(w: &Wanted, domain: &str, blocks: &[Block], n: usize) -> Result<(), String> {
    let Some(last) = blocks.iter().max_by_key(|b| b.received) else { return Ok(()) };
    let mut targets: Vec<Target> = Vec::new();
    for t in last.rua.iter().filter_map(|u| target::parse(u)) {
        targets.extend(target::that_want_it(&w.exim, domain, t)?);
    }
    targets.dedup();
    if targets.is_empty() {
        println!("{domain}: nobody wants reports");
        return Ok(());
    }
    let id = format!("{}.{}.{n}@{}", last.received, std::process::id(), w.organisation.replace(' ', "-"));
    let header = xml::Header { organisation: &w.organisation, email: &w.email, id: &id };
    let report = xml::report(&header, domain, blocks);
    let name = format!("{}!{domain}!{}!{}", w.organisation.replace(' ', "-"), report.begin, report.end);
    if let Some(directory) = &w.dry_run {
        let path = format!("{directory}/{name}.xml");
        println!("{domain}: {path} for {}", targets.iter().map(|t| t.address.as_str()).collect::<Vec<_>>().join(", "));
        return fs::write(&path, &report.text).map_err(|e| format!("cannot write {path}: {e}"));
    }
    let packed = mail::gzip(report.text.as_bytes())?;
    let fits = |t: &&Target| packed.len() <= t.limit.map_or(MAX_REPORT, |l| usize::try_from(l).unwrap_or(MAX_REPORT));
    let able: Vec<&Target> = targets.iter().filter(fits).collect();
    let letter = mail::Letter { domain, organisation: &w.organisation, from: &w.email, id: &id };
    for t in &able {
        mail::send(&w.exim, &w.email, &t.address, &letter.with_report(&t.address, &name, &packed))?;
        println!("{domain}: {} records to {}", report.records, t.address);
    }
    if able.is_empty() {
        for t in &targets {
            mail::send(&w.exim, &w.email, &t.address, &letter.too_large(&t.address, packed.len()))?;
            println!("{domain}: {} bytes are too much for {}", packed.len(), t.address);
        }
    }
    Ok(())
}
