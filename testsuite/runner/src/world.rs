//! A world for one test: namespaces of its own, its directory mounted at the fixed place, its own
//! users and host names, a name server that knows nothing, and five-digit process ids.
//!
//! It takes three processes. `@world` makes the namespaces and mounts; its child `@init` is
//! process 1 in them, reaps what is left behind, and takes everything along when it ends; its
//! child does the work (`exec` or `probe`).

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;
use std::{fs, io, thread};

use crate::{accounts, facts, sys};

/// Process ids start here, so that all have five digits.
const FIRST_PID: u32 = 10_000;

/// Do `work` (the name of a sub-program) in a world of its own, whose directory is `dir`, seen as
/// `root`. False when the time was over, and everything in it was killed.
pub fn run(root: &Path, dir: &Path, work: &str, limit: Duration) -> io::Result<bool> {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("runtest").arg("@world").arg(root).arg(dir).arg(work).stdin(Stdio::null());
    sys::die_with_parent(&mut command);
    let mut child = command.spawn()?;
    let finished = sys::wait_for(&mut child, limit)?.is_some();
    if !finished {
        child.kill()?;
        child.wait()?;
    }
    Ok(finished)
}

fn named<T>(what: &str, result: io::Result<T>) -> Result<T, String> {
    result.map_err(|e| format!("{what}: {e}"))
}

/// `@world ROOT DIR WORK`
pub fn world(args: &[String]) -> ExitCode {
    let [root, dir, work] = args else {
        return ExitCode::from(2);
    };
    match make_world(Path::new(root), Path::new(dir), work) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("runtest: {message}");
            ExitCode::from(3)
        }
    }
}

/// The kernel then knows how talking to 127.0.0.1 goes (`ip tcp_metrics`), as on any machine in use.
fn talk_to_oneself() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (mut server, _) = listener.accept()?;
    let mut byte = [0];
    client.write_all(b"x")?;
    server.read_exact(&mut byte)?;
    server.write_all(&byte)?;
    client.read_exact(&mut byte)
}

fn make_world(root: &Path, dir: &Path, work: &str) -> Result<ExitCode, String> {
    sys::umask(0o022);
    named("descriptors", sys::close_inherited_on_exec())?;
    named("mount namespace", sys::unshare_mounts())?;
    named("namespaces", sys::unshare_world())?;
    named("host name", sys::set_host_name(&facts::fqdn()))?;
    named("loopback interface", sys::loopback_up())?;
    named("loopback connection", talk_to_oneself())?;
    named("IPv4 address", sys::add_ipv4(facts::IPV4.parse().expect("a constant")))?;
    // A kernel without IPv6 must do; the tests that need it will say so.
    if let Err(e) = sys::add_ipv6(facts::IPV6.parse().expect("a constant")) {
        eprintln!("runtest: no IPv6 address: {e}");
    }
    named("mounting the test's directory", sys::bind_mount(dir, root))?;
    // Process ids are the test's own, and so must be what programs name by them (libfaketime's semaphores). A configuration
    // without a spool directory has the build's, which an installation would have made.
    for shared in ["/dev/shm", "/var/spool"].map(Path::new) {
        if shared.is_dir() {
            named("mounting a directory of the world's own", sys::mount_tmpfs(shared, "1777"))?;
        }
    }
    // A bare machine may lack some of the files.
    if accounts::FILES.iter().any(|n| !Path::new("/etc").join(n).exists()) {
        let (upper, work) = (root.join("etc.new"), root.join("etc.work"));
        named("directories for /etc", fs::create_dir_all(&upper).and_then(|()| fs::create_dir_all(&work)))?;
        named("mounting over /etc", sys::mount_overlay("/etc", &upper, &work))?;
        for name in accounts::FILES {
            let path = Path::new("/etc").join(name);
            if !path.exists() {
                named("a file of /etc", fs::write(path, ""))?;
            }
        }
    }
    for name in accounts::FILES {
        let target = fs::canonicalize(Path::new("/etc").join(name));
        let target = named(&format!("/etc/{name}"), target)?;
        named("mounting over /etc", sys::bind_mount(root.join("etc").join(name), target))?;
    }
    named("mounting /tmp", sys::mount_tmpfs("/tmp", "1777"))?;
    let mut init = Command::new("/proc/self/exe");
    init.arg0("runtest").arg("@init").arg(root).arg(work);
    init.env("PATH", path(root));
    sys::die_with_parent(&mut init);
    let status = named("first process", init.status())?;
    Ok(ExitCode::from(status.code().unwrap_or(4) as u8))
}

/// The search path: our `sudo` first, and an sbin before each bin.
fn path(root: &Path) -> String {
    let system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    format!("{}:{system}", root.join("bin").display())
}

/// `@init ROOT WORK`: process 1.
pub fn init(args: &[String]) -> ExitCode {
    let [root, work] = args else {
        return ExitCode::from(2);
    };
    let prepare = || -> io::Result<()> {
        let pid_file = "/proc/sys/kernel/ns_last_pid";
        sys::mount_proc()?;
        fs::write(pid_file, FIRST_PID.to_string())?;
        let _ = fs::write("/proc/sys/net/ipv4/tcp_fastopen", "3");
        std::env::set_current_dir(PathBuf::from(root).join("test"))
    };
    if let Err(e) = prepare() {
        eprintln!("runtest: process 1: {e}");
        return ExitCode::from(3);
    }
    let worker = Command::new("/proc/self/exe").arg0("runtest").arg(work).arg(root).spawn();
    let worker = match worker {
        Ok(child) => child.id() as i32,
        Err(e) => {
            eprintln!("runtest: {work}: {e}");
            return ExitCode::from(3);
        }
    };
    while let Some((pid, status)) = sys::wait_any() {
        if pid == worker {
            return ExitCode::from(status.code().unwrap_or(4) as u8);
        }
    }
    ExitCode::from(4)
}

/// Answer every query on 127.0.0.1:53 with "no such name", in the background.
pub fn start_name_server() -> io::Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:53")?;
    thread::spawn(move || {
        let mut packet = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut packet) {
            if let Some(answer) = no_such_name(&packet[..length]) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    Ok(())
}

/// The answer NXDOMAIN to a query: its header and question, no records.
fn no_such_name(query: &[u8]) -> Option<Vec<u8>> {
    let mut end = 12;
    while *query.get(end)? != 0 {
        end += usize::from(query[end]) + 1;
    }
    let mut answer = query.get(..end + 5)?.to_vec();
    answer[2] = 0x80 | (query[2] & 0x79); // response, opcode and RD as asked
    answer[3] = 0x83; // recursion available, NXDOMAIN
    answer[4..12].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_unknown() {
        let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\x01\x01a\x02ex\0\0\x01\0\x01\0\0\x29";
        let answer = no_such_name(query).unwrap();
        assert_eq!(answer, b"\x12\x34\x81\x83\0\x01\0\0\0\0\0\0\x01a\x02ex\0\0\x01\0\x01");
        assert!(no_such_name(b"short").is_none());
    }
}
