//! Asking the binary what it is: its user, and its features.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::{fs, io};

use crate::accounts;
use crate::facts::Facts;

/// For a corpus that brings no configuration of its own for this.
const CONFIGURATION: &str = "\
.ifndef SERVER
SERVER =
.endif
exim_path = /usr/sbin/exim
spool_directory = DIR/spool
log_file_path = DIR/spool/log/SERVER%slog
begin acl
begin routers
begin transports
";

/// `@probe ROOT`: run ROOT/probe/exim in the test's world, leaving answers beside it.
pub fn main(args: &[String]) -> ExitCode {
    let Some(root) = args.first().map(Path::new) else {
        return ExitCode::from(2);
    };
    match ask(root) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("runtest: probing the binary: {e}");
            ExitCode::FAILURE
        }
    }
}

fn ask(root: &Path) -> io::Result<()> {
    let (place, top) = (root.join("probe"), root.join("test"));
    let template = fs::read_to_string(top.join("confs/0000")).ok();
    fs::write(top.join("test-config"), template.as_deref().unwrap_or(CONFIGURATION))?;
    fs::create_dir_all(top.join("spool/log"))?;
    let run = |args: &[&str]| {
        let mut command = Command::new(place.join("exim"));
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("USER", "root");
        command.arg("-C").arg(top.join("test-config")).arg(format!("-DDIR={}", top.display()));
        command.args(args).stdin(Stdio::null()).output()
    };
    let user = run(&["-d", "-bP", "exim_user", "exim_group"])?;
    fs::write(place.join("user"), [user.stdout, user.stderr].concat())?;
    fs::write(place.join("version"), run(&["-d-all+transport", "-bV"])?.stdout)?;
    let mut there = String::new();
    for name in fs::read_to_string(place.join("macros"))?.lines() {
        if run(&["-bP", "macro", name])?.status.success() {
            there += name;
            there += "\n";
        }
    }
    fs::write(place.join("macros-found"), there)
}

/// The answers as facts.
pub fn read(place: &Path, facts: &mut Facts) {
    let text = |name: &str| fs::read(place.join(name)).unwrap_or_default();
    let user = String::from_utf8_lossy(&text("user")).into_owned();
    let named = |option: &str| {
        let value = user.lines().find_map(|line| line.strip_prefix(option)?.strip_prefix(" = "));
        value.filter(|v| accounts::exim_id(v).is_some()).unwrap_or("exim").to_string()
    };
    let (user, group) = (named("exim_user"), named("exim_group"));
    facts.exim_uid = accounts::exim_id(&user).unwrap_or(0);
    facts.exim_gid = accounts::exim_id(&group).unwrap_or(0);
    facts.exim_user = accounts::exim_name(&user);
    facts.exim_group = accounts::exim_name(&group);
    let version = String::from_utf8_lossy(&text("version")).into_owned();
    (facts.features, facts.offset_size) = features(&version);
    let macros = String::from_utf8_lossy(&text("macros-found")).into_owned();
    facts.features.insert("macro".into(), macros.lines().map(String::from).collect());
}

/// The words under each heading of `-bV`, and the size of `off_t`.
fn features(version: &str) -> (BTreeMap<String, Vec<String>>, u32) {
    const HEADINGS: [(&str, &str); 6] = [
        ("Support for", "support"),
        ("Lookups", "lookup"),
        ("Authenticators", "authenticator"),
        ("Routers", "router"),
        ("Transports", "transport"),
        ("Malware", "malware"),
    ];
    let mut features: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut offset_size = 0;
    for line in version.lines() {
        let Some((heading, words)) = line.split_once(':') else {
            continue;
        };
        if heading == "Size of off_t" {
            offset_size = words.trim().parse().unwrap_or(0);
        }
        let heading = heading.split(" (").next().unwrap_or(heading);
        let Some((_, name)) = HEADINGS.iter().find(|(known, _)| *known == heading) else {
            continue;
        };
        let known = features.entry(name.to_string()).or_default();
        for word in words.split_ascii_whitespace() {
            // `appendfile/maildir/mbx` is three: with each of its formats, and without.
            let mut parts = word.split('/');
            let first = parts.next().unwrap_or(word);
            known.push(first.to_string());
            known.extend(parts.map(|format| format!("{first}/{format}")));
        }
    }
    (features, offset_size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_of_the_version() {
        let (features, size) = features(
            "Exim version 4.99 #1 built 01-Jan-2026 00:00:00\nSupport for: IPv6 OpenSSL iconv()\n\
             Lookups (built-in): lsearch cdb\nLookups (dynamic): sqlite\n\
             Transports (built-in):  appendfile/maildir/mbx smtp\nSize of off_t: 8\n",
        );
        assert_eq!(features["support"], ["IPv6", "OpenSSL", "iconv()"]);
        assert_eq!(features["lookup"], ["lsearch", "cdb", "sqlite"]);
        let transports = ["appendfile", "appendfile/maildir", "appendfile/mbx", "smtp"];
        assert_eq!(features["transport"], transports);
        assert_eq!(size, 8);
    }
}
