//! Letters with reports (RFC 7489 7.2.1), handed to the local Exim.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use data_encoding::BASE64;

use crate::build_options::COMPRESS_COMMAND;
use crate::utils::support::Exim;

/// What all letters about a domain have.
pub struct Letter<'a> {
    pub domain: &'a str,
    pub organisation: &'a str,
    pub from: &'a str,
    pub id: &'a str,
}

impl Letter<'_> {
    fn head(&self, to: &str, what: &str) -> String {
        let Letter { domain, organisation, from, id } = self;
        format!(
            "From: {from}\nTo: {to}\nSubject: {what} {domain} Submitter: {organisation} Report-ID: <{id}>\n\
             Auto-Submitted: auto-generated\nMIME-Version: 1.0\n"
        )
    }

    /// The letter with the report.
    pub fn with_report(&self, to: &str, name: &str, packed: &[u8]) -> String {
        let boundary = format!("=_{}", self.id.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
        let mut t = self.head(to, "Report Domain:");
        t.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=\"{boundary}\"\n\n--{boundary}\nContent-Type: text/plain; charset=us-ascii\n\n\
             This is a DMARC aggregate report for {domain} from {organisation}.\n\n--{boundary}\nContent-Type: application/gzip\n\
             Content-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=\"{name}.xml.gz\"\n\n",
            domain = self.domain,
            organisation = self.organisation,
        ));
        for line in BASE64.encode(packed).as_bytes().chunks(76) {
            t.push_str(&String::from_utf8_lossy(line));
            t.push('\n');
        }
        t.push_str(&format!("\n--{boundary}--\n"));
        t
    }

    /// The letter that says that there is no report because it is too large (RFC 7489 7.2.2).
    pub fn too_large(&self, to: &str, size: usize) -> String {
        format!(
            "{}Content-Type: text/plain; charset=us-ascii\n\nReport-Date: {}\nReport-Domain: {}\nReport-ID: {}\nReport-Size: {size}\n\
             Submitter: {}\nSubmitting-URI: mailto:{to}\n\nThe report is larger than what you take.\n",
            self.head(to, "Report Domain:"),
            crate::log::stamp::full(crate::sys::time::unix_time()),
            self.domain,
            self.id,
            self.organisation,
        )
    }
}

/// Packs a text with the program that packs logs.
pub fn gzip(text: &[u8]) -> Result<Vec<u8>, String> {
    let fail = |e: &dyn std::fmt::Display| format!("{COMPRESS_COMMAND}: {e}");
    let mut child = Command::new(COMPRESS_COMMAND)
        .args(["-9", "-n", "-c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| fail(&e))?;
    let mut packed = Vec::new();
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let moved = std::thread::scope(|s| {
        // It writes before it has read everything.
        let writer = s.spawn(move || input.map_or(Ok(()), |mut i| i.write_all(text)));
        let read = output.map_or(Ok(0), |mut o| o.read_to_end(&mut packed)).map(|_| ());
        let written = writer.join().unwrap_or_else(|_| Err(std::io::Error::other("the writer died")));
        read.and(written)
    });
    finished(child, COMPRESS_COMMAND).and(moved.map_err(|e| fail(&e)))?;
    Ok(packed)
}

/// Hands a letter to Exim.
pub fn send(exim: &Exim, from: &str, to: &str, text: &str) -> Result<(), String> {
    let mut child = Command::new(&exim.path)
        .args(&exim.options)
        .args(["-f", from, "-oi", "-oee", "--", to])
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|e| format!("cannot run {}: {e}", exim.path))?;
    let written = child.stdin.take().map_or(Ok(()), |mut i| i.write_all(text.as_bytes()));
    finished(child, &exim.path).and(written.map_err(|e| format!("{}: {e}", exim.path)))
}

fn finished(mut child: Child, name: &str) -> Result<(), String> {
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{name}: {status}")),
        Err(e) => Err(format!("{name}: {e}")),
    }
}
