//! The directory in which a test runs, made once for a run and copied for each test.
//!
//! ROOT/template holds `test` (what the tests see as their directory), `etc` (the accounts),
//! `bin` (our `sudo`) and `home`.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

use crate::facts::{self, Facts};
use crate::subst::Substitution;
use crate::{accounts, helpers, patch, world};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// The programs that come with the MTA.
const UTILITIES: [&str; 11] = [
    "exim_dumpdb",
    "exim_lock",
    "exinext",
    "exigrep",
    "eximstats",
    "exiqgrep",
    "exim_msgdate",
    "exim_id_update",
    "exim_dbmbuild",
    "exim_tidydb",
    "exim_fixdb",
];

/// Data base programs that some tests start.
const SYSTEM: [&str; 8] = ["mysqld", "mysql", "postgres", "pg_ctl", "initdb", "psql", "nmhd", "nmhctl"];

/// Programs that tests call and that a corpus, being data only, does not have.
const AUX_PROGRAMS: [(&str, &str); 8] = [
    ("brightmail.h", include_str!("../../../src/brightmail.h")),
    ("local_scan.h", include_str!("../../../src/local_scan.h")),
    ("0002.runfile", include_str!("../../aux-programs/0002.runfile")),
    ("0194.ret", include_str!("../../aux-programs/0194.ret")),
    ("4008.script", include_str!("../../aux-programs/4008.script")),
    ("5101.filter", include_str!("../../aux-programs/5101.filter")),
    ("5101.script", include_str!("../../aux-programs/5101.script")),
    ("showenv", include_str!("../../aux-programs/showenv")),
];

pub struct Template {
    pub path: PathBuf,
}

impl Template {
    pub fn test(&self) -> PathBuf {
        self.path.join("test")
    }

    /// Everything that does not depend on the binary.
    pub fn make(root: &Path, corpus: &Path) -> io::Result<Template> {
        let template = Template { path: root.join("template") };
        let test = template.test();
        fs::create_dir_all(&test)?;
        give_to_caller(&test)?;
        accounts::write(&template.path.join("etc"), &root.join("home"))?;
        fs::create_dir_all(template.path.join("home"))?;
        give_to_caller(&template.path.join("home"))?;
        for name in ["confs", "aux-fixed"] {
            copy_tree(&corpus.join(name), &test.join(name), &give_to_caller)?;
        }
        template.aux_programs()?;
        template.helpers()?;
        template.system_programs()?;
        Ok(template)
    }

    fn aux_programs(&self) -> io::Result<()> {
        let directory = self.test().join("aux-fixed");
        fs::create_dir_all(&directory)?;
        for (name, content) in AUX_PROGRAMS {
            let path = directory.join(name);
            if !path.exists() {
                fs::write(&path, content)?;
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
                give_to_caller(&path)?;
            }
        }
        Ok(())
    }

    /// One file with many names.
    fn helpers(&self) -> io::Result<()> {
        let bin = self.test().join("bin");
        fs::create_dir_all(&bin)?;
        fs::create_dir_all(self.path.join("bin"))?;
        let sudo = self.path.join("bin/sudo");
        fs::copy("/proc/self/exe", &sudo)?;
        fs::set_permissions(&sudo, fs::Permissions::from_mode(0o4755))?;
        let first = bin.join(helpers::NAMES[0]);
        fs::copy("/proc/self/exe", &first)?;
        fs::set_permissions(&first, fs::Permissions::from_mode(0o755))?;
        for name in &helpers::NAMES[1..] {
            fs::hard_link(&first, bin.join(name))?;
        }
        self.loadable_function(&bin.join("loaded"))
    }

    /// The shared object for `${dlfunc`; without a compiler there is none.
    fn loadable_function(&self, target: &Path) -> io::Result<()> {
        let source = self.path.join("loaded.c");
        fs::write(&source, include_str!("../loaded.c"))?;
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-o"]).arg(target).arg(&source);
        // A failure shows as the missing file.
        let _ = cc.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        Ok(())
    }

    fn system_programs(&self) -> io::Result<()> {
        let directory = self.test().join("bin.sys");
        fs::create_dir_all(&directory)?;
        for name in SYSTEM {
            if let Some(path) = find_program(name) {
                symlink(path, directory.join(name))?;
            }
        }
        Ok(())
    }

    /// Ask the binary about itself.
    pub fn probe(&self, binary: &Path, macros: &[String], facts: &mut Facts) -> io::Result<()> {
        let place = self.path.join("probe");
        fs::create_dir_all(&place)?;
        fs::copy(binary, place.join("exim"))?;
        fs::set_permissions(place.join("exim"), fs::Permissions::from_mode(0o755))?;
        fs::write(place.join("macros"), macros.join("\n"))?;
        world::run(&facts.root, &self.path, "@probe", Duration::from_secs(120))?;
        crate::probe::read(&place, facts);
        for name in ["test-config", "spool"] {
            remove(&self.test().join(name))?;
        }
        self.services(facts);
        remove(&place)
    }

    /// What the binary cannot know: what the host provides.
    fn services(&self, facts: &mut Facts) {
        let mut running = vec!["IPv4".to_string()];
        if Path::new("/proc/net/if_inet6").exists() {
            running.push("IPv6".into());
        } else if let Some(support) = facts.features.get_mut("support") {
            support.retain(|word| word != "IPv6");
        }
        for (name, program, option) in [("redis", "redis-server", "-v"), ("dovecot", "dovecot", "--version")] {
            let works = Command::new(program).arg(option).output();
            if works.is_ok_and(|output| output.status.success()) {
                running.push(name.into());
            }
        }
        facts.features.insert("running".into(), running);
        let loadable = self.test().join("bin/loaded").exists();
        if let Some(support) = facts.features.get_mut("support") {
            support.retain(|word| loadable || word != "Expand_dlfunc");
        }
    }

    /// What depends on the binary and its user. A warning is returned if it cannot be a proper
    /// one for tests.
    pub fn complete(&self, binary: &Path, corpus: &Path, facts: &Facts) -> io::Result<Option<String>> {
        let (uid, gid) = (Some(facts.exim_uid), Some(facts.exim_gid));
        let test = self.test();
        let eximdir = test.join("eximdir");
        fs::create_dir_all(&eximdir)?;
        chown(&eximdir, Some(facts::CALLER_ID), gid)?;
        fs::set_permissions(&eximdir, fs::Permissions::from_mode(0o750))?;
        let mut content = fs::read(binary)?;
        let (marker, version) = patch::patch(&mut content);
        let install = |name: &str, owner: Option<u32>, group: Option<u32>, mode: u32| {
            let path = eximdir.join(name);
            fs::write(&path, &content)?;
            chown(&path, owner, group)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(mode))
        };
        install("exim", Some(0), Some(0), 0o4755)?;
        install("exim_exim", uid, gid, 0o6755)?;
        install(UTILITIES[0], Some(0), Some(0), 0o755)?;
        for name in &UTILITIES[1..] {
            fs::hard_link(eximdir.join(UTILITIES[0]), eximdir.join(name))?;
        }
        // Utilities that are programs of their own lie beside the binary.
        for name in UTILITIES {
            let beside = binary.with_file_name(name);
            if beside.is_file() {
                fs::remove_file(eximdir.join(name))?;
                fs::copy(beside, eximdir.join(name))?;
            }
        }
        self.zones_and_templates(corpus, facts)?;
        let missing = |what: &str| format!("the binary has no {what} string to patch");
        Ok(match (marker, version) {
            (true, true) => None,
            (false, _) => Some(missing("test-mode marker")),
            (true, false) => Some(missing("version")),
        })
    }

    fn zones_and_templates(&self, corpus: &Path, facts: &Facts) -> io::Result<()> {
        for (source, target) in [("aux-var-src", "aux-var"), ("dnszones-src", "dnszones")] {
            let target = self.test().join(target);
            fs::create_dir_all(&target)?;
            give_to_caller(&target)?;
            for entry in fs::read_dir(corpus.join(source)).into_iter().flatten() {
                let entry = entry?;
                if !entry.file_type()?.is_file() {
                    continue;
                }
                let name = entry.file_name().to_string_lossy().into_owned();
                let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
                let number = if digits.is_empty() { "0" } else { &digits };
                let content = Substitution::new(facts, number, None).apply(&fs::read(entry.path())?);
                let path = target.join(match name.as_str() {
                    "db.ip4.V4NET" => "db.ip4.224",
                    "db.ip6.V6NET" => "db.ip6.0.0.f.f",
                    name => name,
                });
                fs::write(&path, content)?;
                give_to_caller(&path)?;
            }
        }
        symlink("/bin/sh", self.test().join("aux-var/sh"))?;
        for (name, content) in own_zones() {
            let path = self.test().join("dnszones").join(name);
            let mut text = fs::read_to_string(&path).unwrap_or_default();
            text += &content;
            fs::write(&path, text)?;
            give_to_caller(&path)?;
        }
        Ok(())
    }

    /// A fresh directory for one test. What tests may write to is copied, the rest is shared.
    pub fn copy_to(&self, target: &Path) -> io::Result<()> {
        remove(target)?;
        let (uid, gid) = (facts::CALLER_ID, facts::CALLER_ID);
        for name in ["etc", "bin", "home"] {
            link_tree(&self.path.join(name), &target.join(name))?;
        }
        fs::create_dir_all(target.join("test"))?;
        chown(target.join("test"), Some(uid), Some(gid))?;
        chown(target.join("home"), Some(uid), Some(gid))?;
        for name in ["bin", "bin.sys", "eximdir", "confs"] {
            link_tree(&self.test().join(name), &target.join("test").join(name))?;
        }
        for name in ["aux-fixed", "aux-var", "dnszones"] {
            let target = target.join("test").join(name);
            copy_tree(&self.test().join(name), &target, &give_to_caller)?;
        }
        Ok(())
    }
}

/// The zones of the host itself.
fn own_zones() -> [(String, String); 3] {
    let (v4, v6) = (facts::IPV4, facts::IPV6);
    let octets = v4.parse::<Ipv4Addr>().expect("a constant").octets();
    let first = octets[0];
    let (host, fqdn) = (facts::HOST, facts::fqdn());
    let v6: Ipv6Addr = v6.parse().expect("a constant");
    let nibbles: Vec<String> = v6.octets().iter().flat_map(|b| [b >> 4, b & 15]).map(|n| format!("{n:x}")).collect();
    let reversed = |part: &[String]| part.iter().rev().cloned().collect::<Vec<_>>().join(".");
    let (net, rest) = (reversed(&nibbles[..4]), reversed(&nibbles[4..]));
    [
        (format!("db.{}", facts::DOMAIN), format!("PASS ON NOT FOUND\n{host} A {v4}\n{host} AAAA {v6}\n")),
        (format!("db.ip4.{first}"), format!("{}.{}.{} PTR {fqdn}.\n", octets[3], octets[2], octets[1])),
        (format!("db.ip6.{net}"), format!("{rest} PTR {fqdn}.\n")),
    ]
}

fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut places: Vec<PathBuf> = env::split_paths(&path).collect();
    places.extend(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    places.extend(versions.map(|entry| entry.path().join("bin")));
    places.into_iter().map(|place| place.join(name)).find(|path| path.is_file())
}

fn give_to_caller(path: &Path) -> io::Result<()> {
    chown(path, Some(facts::CALLER_ID), Some(facts::CALLER_ID))
}

type Then = dyn Fn(&Path) -> io::Result<()>;

/// Copy files and directories (nothing else), not writable for group and others.
pub fn copy_tree(from: &Path, to: &Path, then: &Then) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(from) else {
        return Ok(());
    };
    fs::create_dir_all(to)?;
    let mode = |path: &Path| Ok::<u32, io::Error>(fs::metadata(path)?.permissions().mode() & 0o755);
    fs::set_permissions(to, fs::Permissions::from_mode(mode(from)? | 0o700))?;
    then(to)?;
    for entry in entries {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&source, &target, then)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else if kind.is_file() {
            fs::copy(&source, &target)?;
            fs::set_permissions(&target, fs::Permissions::from_mode(mode(&source)?))?;
            then(&target)?;
        }
    }
    Ok(())
}

/// The same directories, holding the same files.
fn link_tree(from: &Path, to: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let Ok(entries) = fs::read_dir(from) else {
        return Ok(());
    };
    fs::create_dir_all(to)?;
    let status = fs::metadata(from)?;
    chown(to, Some(status.uid()), Some(status.gid()))?;
    fs::set_permissions(to, status.permissions())?;
    for entry in entries {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            link_tree(&source, &target)?;
        } else {
            fs::hard_link(&source, &target)?;
        }
    }
    Ok(())
}

pub fn remove(path: &Path) -> io::Result<()> {
    let result = match fs::symlink_metadata(path) {
        Ok(status) if status.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) => Err(e),
    };
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
