//! The fake name server: one query for each call, the packet on standard output, the result as
//! the exit status.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use std::{fs, io, thread};

use super::answers::{self, FOUND, NO_RECOVERY, PASS_ON, Reply, TRY_AGAIN};
use super::zone::{self, type_number};

pub fn main(args: &[String]) -> ExitCode {
    let [directory, name, kind] = args else {
        eprintln!("fakens: three arguments are needed: directory, name, type");
        return ExitCode::from(NO_RECOVERY);
    };
    match look_up(Path::new(directory), name, kind) {
        Ok(reply) => {
            thread::sleep(Duration::from_millis(reply.delay));
            let _ = io::stdout().write_all(&reply.packet);
            ExitCode::from(reply.status)
        }
        Err(e) => {
            eprintln!("fakens: {e}");
            ExitCode::from(NO_RECOVERY)
        }
    }
}

fn look_up(directory: &Path, name: &str, kind: &str) -> io::Result<Reply> {
    let (zones, suffix) = zone::zones(directory)?;
    let mut name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let kind = kind.to_ascii_uppercase();
    if let Some(reply) = special(&name, &kind) {
        return Ok(reply);
    }
    if let Some(suffix) = suffix.filter(|_| !name.contains('.') && name != "dontqualify") {
        name = format!("{name}.{suffix}");
    }
    let Some(zone) = zones.iter().find(|zone| zone::serves(&zone.domain, &name)) else {
        return Ok(Reply { status: PASS_ON, packet: Vec::new(), delay: 0 });
    };
    let Some(kind) = type_number(&kind) else {
        eprintln!("fakens: unknown type {kind}");
        let packet = answers::header(false, false, 0, 0).to_vec();
        return Ok(Reply { status: NO_RECOVERY, packet, delay: 0 });
    };
    let content = zone::parse(&fs::read(&zone.file)?, &zone.domain);
    Ok(answers::answer(&content, &zone.domain, &name, kind))
}

/// Names that are in no zone.
fn special(name: &str, kind: &str) -> Option<Reply> {
    let silent = |status, delay| Some(Reply { status, packet: Vec::new(), delay });
    if name.ends_with("test.again.dns") {
        let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
        return silent(TRY_AGAIN, digits.parse().unwrap_or(0) * 1000);
    }
    if name.ends_with("test.fail.dns") {
        return silent(NO_RECOVERY, 0);
    }
    (name == "manyhome.test.ex" && kind == "A").then(|| Reply { status: FOUND, packet: many_homes(), delay: 0 })
}

/// A host with 2048 addresses, 10.250.104.0 to 10.250.111.255.
fn many_homes() -> Vec<u8> {
    let mut packet = vec![0; 12];
    packet[6..8].copy_from_slice(&2048u16.to_be_bytes());
    for number in 0..2048u16 {
        packet.extend_from_slice(b"\x08manyhome\x04test\x02ex\0\0\x01\0\x01\0\0\x0e\x10\0\x04");
        packet.extend_from_slice(&[10, 250, 104 + (number >> 8) as u8, number as u8]);
    }
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_outside_all_zones() {
        assert_eq!(special("2.test.again.dns", "A").map(|r| (r.status, r.delay)), Some((2, 2000)));
        assert_eq!(special("test.fail.dns", "MX").map(|r| r.status), Some(NO_RECOVERY));
        let many = special("manyhome.test.ex", "A").map(|r| r.packet).unwrap_or_default();
        assert_eq!(many.len(), 12 + 2048 * 32);
        assert!(many.ends_with(&[10, 250, 111, 255]));
        assert!(special("manyhome.test.ex", "MX").is_none());
    }

    #[test]
    fn a_look_up_in_files() {
        let dir = std::env::temp_dir().join(format!("fakens-{}", std::process::id()));
        fs::create_dir_all(dir.join("dnszones")).unwrap();
        fs::write(dir.join("dnszones/db.test.ex"), "a A 1.2.3.4\n").unwrap();
        fs::write(dir.join("dnszones/qualify.test.ex"), "").unwrap();
        let status = |name, kind| look_up(&dir, name, kind).unwrap().status;
        assert_eq!(status("A.Test.EX.", "a"), FOUND);
        assert_eq!(status("a", "A"), FOUND);
        assert_eq!(status("a.test.ex", "WKS"), NO_RECOVERY);
        assert_eq!(status("other.example", "A"), PASS_ON);
        assert_eq!(status("dontqualify", "A"), PASS_ON);
        fs::remove_dir_all(&dir).unwrap();
    }
}
