//! The users, groups and host names that the tests see: a passwd, group, hosts, resolv.conf and
//! nsswitch.conf of their own.

use std::path::Path;
use std::{fs, io};

use crate::facts::{self, Facts};
use crate::sys::Identity;

/// Users of a plain Debian system that the tests use, with uid = gid.
const SYSTEM: [(&str, u32, &str); 12] = [
    ("root", 0, "/root"),
    ("daemon", 1, "/usr/sbin"),
    ("bin", 2, "/bin"),
    ("sys", 3, "/dev"),
    ("games", 5, "/usr/games"),
    ("man", 6, "/var/cache/man"),
    ("lp", 7, "/var/spool/lpd"),
    ("mail", 8, "/var/mail"),
    ("news", 9, "/var/spool/news"),
    ("uucp", 10, "/var/spool/uucp"),
    ("www-data", 33, "/var/www"),
    ("backup", 34, "/var/backups"),
];

/// Names under which a binary may have been built to run.
const EXIM_USERS: [(&str, u32); 2] = [("exim", 400), ("Debian-exim", 401)];

pub const FILES: [&str; 5] = ["passwd", "group", "hosts", "resolv.conf", "nsswitch.conf"];

/// Write the files into `dir`, for the files of the same names in `/etc`.
pub fn write(dir: &Path, home: &Path) -> io::Result<()> {
    let mut passwd = String::new();
    let mut group = String::new();
    for (name, id, home) in SYSTEM {
        passwd += &format!("{name}:x:{id}:{id}:{name}:{home}:/bin/sh\n");
        group += &format!("{name}:x:{id}:\n");
    }
    for (name, id) in EXIM_USERS {
        passwd += &format!("{name}:x:{id}:{id}::/var/spool/exim:/usr/sbin/nologin\n");
        group += &format!("{name}:x:{id}:{}\n", facts::CALLER);
    }
    passwd += "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
    group += "nogroup:x:65534:\nadm:x:4:\ntty:x:100:\n";
    passwd +=
        &format!("{}:x:{id}:{id}:{}:{}:/bin/sh\n", facts::CALLER, facts::CALLER_GECOS, home.display(), id = facts::CALLER_ID,);
    group += &format!("{}:x:{}:\n", facts::CALLER_GROUP, facts::CALLER_ID);

    let (fqdn, host) = (facts::fqdn(), facts::HOST);
    let hosts = format!(
        "127.0.0.1 localhost\n::1 localhost ip6-localhost\n{} {fqdn} {host}\n{} {fqdn} {host}\n",
        facts::IPV4,
        facts::IPV6,
    );
    let switch = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n\
        networks: files\nprotocols: files\nservices: files\n";

    fs::create_dir_all(dir)?;
    fs::write(dir.join("passwd"), passwd)?;
    fs::write(dir.join("group"), group)?;
    fs::write(dir.join("hosts"), hosts)?;
    fs::write(dir.join("resolv.conf"), "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")?;
    fs::write(dir.join("nsswitch.conf"), switch)
}

/// The id of the exim user or group that the binary names, by name or by number.
pub fn exim_id(name: &str) -> Option<u32> {
    let known = EXIM_USERS.iter().find(|(known, _)| *known == name).map(|(_, id)| *id);
    known.or_else(|| name.parse().ok())
}

pub fn exim_name(name: &str) -> String {
    let id = name.parse().ok();
    let known = EXIM_USERS.iter().find(|(_, known)| Some(*known) == id);
    known.map_or(name, |(known, _)| known).to_string()
}

/// The unprivileged user that runs the tests, a member of the exim group.
pub fn caller(facts: &Facts) -> Identity {
    let id = facts::CALLER_ID;
    Identity { uid: id, gid: id, groups: vec![id, facts.exim_gid] }
}

/// A user by name, from the passwd and group files in force.
pub fn look_up(name: &str) -> Option<Identity> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let entry = passwd.lines().map(|l| l.split(':').collect::<Vec<_>>());
    let entry = entry.into_iter().find(|e| e.len() > 3 && (e[0] == name || e[2] == name))?;
    let (uid, gid) = (entry[2].parse().ok()?, entry[3].parse().ok()?);
    let mut groups = vec![gid];
    for line in fs::read_to_string("/etc/group").ok()?.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        if fields.len() > 3 && fields[3].split(',').any(|member| member == entry[0]) {
            groups.extend(fields[2].parse::<u32>());
        }
    }
    Some(Identity { uid, gid, groups })
}

/// A group's number by name.
pub fn look_up_group(name: &str) -> Option<u32> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    let entry = groups.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":x:"));
    entry?.split(':').next()?.parse().ok()
}
