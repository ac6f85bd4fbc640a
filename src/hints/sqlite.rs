//! The embedded store: one SQLite file for each data base, `SPOOL/db/NAME`, in the form that the
//! reference uses with its USE_SQLITE (`tblblob(ky BLOB PRIMARY KEY, dat BLOB)`).
//!
//! WAL mode, synchronous NORMAL, writers wait for each other with short jittered sleeps. Files are made
//! and opened as the exim user: a process with root's effective id changes to it for the opening.
//! Connections are kept for the next user in the process, but never used after a fork in the child.

use super::{HintsDb, HintsError, HintsStore, Mode, Result};
use crate::sys::file::{Dir, Flags, Stat, fchmod, stat};
use crate::sys::ids::{EffectiveGuard, geteuid};
use crate::sys::process::{Pid, getpid};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Mode of the directory and of the files (the reference's EXIMDB_DIRECTORY_MODE and EXIMDB_MODE).
const DIRECTORY_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;
/// Idle connections kept for each data base.
const KEEP: usize = 4;
/// Waits of about 0.4 ms before giving up: some 60 seconds, as the reference waits for its lock file.
const BUSY_TRIES: i32 = 150_000;

/// The store of a spool directory.
#[derive(Debug)]
pub struct SqliteStore {
    spool: PathBuf,
    exim: (u32, u32),
    pool: Arc<Pool>,
}

impl SqliteStore {
    /// For the data bases in `spool/db`; `uid` and `gid` are the exim user's.
    pub fn new(spool: &Path, uid: u32, gid: u32) -> Self {
        Self { spool: spool.to_owned(), exim: (uid, gid), pool: Arc::default() }
    }

    /// Opens a file by its path, as who we are: the `once` file of an autoreply transport. Its directory
    /// must exist.
    pub fn open_path(path: &Path, mode: Mode, file_mode: u32) -> Result<Option<Box<dyn HintsDb>>> {
        let fail = |e: &dyn std::fmt::Display| HintsError::Open { path: path.display().to_string(), reason: e.to_string() };
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(fail(&"not a file name"));
        };
        let dir = Dir::open(parent.as_os_str().as_bytes()).map_err(|e| fail(&crate::sys::error_text(&e)))?;
        match prepare(&dir, name.as_bytes(), mode, file_mode).map_err(|e| fail(&crate::sys::error_text(&e)))? {
            None => Ok(None),
            Some(id) => {
                let (conn, id) = connect(&dir, path, id, mode, file_mode).map_err(|e| fail(&e))?;
                Ok(Some(Box::new(SqliteDb::new(conn, path.to_owned(), id, Arc::default()))))
            }
        }
    }

    fn open_in(&self, dir: &Dir, path: &Path, name: &str, mode: Mode) -> Result<Option<SqliteDb>> {
        let fail = |e: &dyn std::fmt::Display| HintsError::Open { path: path.display().to_string(), reason: e.to_string() };
        let Some(id) = prepare(dir, name.as_bytes(), mode, FILE_MODE).map_err(|e| fail(&open_reason(&e)))? else {
            return Ok(None);
        };
        let (conn, id) = connect(dir, path, id, mode, FILE_MODE).map_err(|e| fail(&e))?;
        Ok(Some(SqliteDb::new(conn, path.to_owned(), id, Arc::clone(&self.pool))))
    }
}

/// The reason as the reference words it: with the effective ids when it is a matter of permission.
fn open_reason(e: &io::Error) -> String {
    let text = crate::sys::error_text(e);
    if e.kind() == io::ErrorKind::PermissionDenied {
        return format!("{text} (euid={} egid={})", geteuid(), crate::sys::ids::getegid());
    }
    text
}

impl HintsStore for SqliteStore {
    fn open(&self, name: &str, mode: Mode) -> Result<Option<Box<dyn HintsDb>>> {
        let path = self.spool.join("db").join(name);
        let fail = |e: io::Error| HintsError::Open { path: path.display().to_string(), reason: open_reason(&e) };
        if name.is_empty() || name.contains(['/', '\0']) || name.starts_with('.') {
            return Err(fail(io::ErrorKind::InvalidInput.into()));
        }
        // One that is open already, and still the file of that name.
        if let Some((conn, id)) = self.pool.take(&path) {
            return Ok(Some(Box::new(SqliteDb::new(conn, path, id, Arc::clone(&self.pool)))));
        }
        let absent = || matches!(stat(path.as_os_str().as_bytes()), Err(e) if e.kind() == io::ErrorKind::NotFound);
        if mode == Mode::Read && absent() {
            return Ok(None);
        }
        let _as_exim = if geteuid() == 0 && self.exim.0 != 0 {
            Some(EffectiveGuard::become_effective(self.exim.0, self.exim.1).map_err(fail)?)
        } else {
            None
        };
        let spool = match Dir::open(self.spool.as_os_str().as_bytes()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && mode == Mode::Read => return Ok(None),
            other => other.map_err(fail)?,
        };
        let dir = match mode {
            Mode::Write => spool.open_or_make_dir(b"db", DIRECTORY_MODE).map_err(fail)?,
            Mode::Read => match spool.open_dir(b"db") {
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
                other => other.map_err(fail)?,
            },
        };
        Ok(self.open_in(&dir, &path, name, mode)?.map(|db| Box::new(db) as Box<dyn HintsDb>))
    }

    fn close_idle(&self) {
        self.pool.clear();
    }
}

/// Which file a connection is for, so that one that was deleted or replaced is not used any more.
type FileId = (u64, u64);

fn file_id(s: &Stat) -> FileId {
    (s.dev, s.ino)
}

/// Checks that the file is a plain one, making it when asked; `None`: absent.
///
/// An existing file is only looked at, not opened: closing a descriptor of it would drop the fcntl locks
/// that SQLite holds on it in this process.
fn prepare(dir: &Dir, name: &[u8], mode: Mode, file_mode: u32) -> io::Result<Option<FileId>> {
    let s = match dir.stat_at(name) {
        Ok(s) => s,
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Err(_) if mode == Mode::Read => return Ok(None),
        Err(_) => {
            match dir.open_at(name, Flags::READ_WRITE | Flags::CREATE | Flags::EXCLUSIVE, file_mode) {
                Ok(fd) => fchmod(fd.as_fd(), file_mode)?, // umask does not apply
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
            dir.stat_at(name)?
        }
    };
    if !s.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(Some(file_id(&s)))
}

/// Opens a connection; a file in a foreign format (another data base library's) is set aside as
/// `NAME.foreign` and begun anew.
fn connect(dir: &Dir, path: &Path, id: FileId, mode: Mode, file_mode: u32) -> std::result::Result<(Connection, FileId), String> {
    match open_connection(path) {
        Ok(conn) => Ok((conn, id)),
        Err(e) if e.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            let name = path.file_name().map(OsStrExt::as_bytes).unwrap_or_default();
            if mode == Mode::Read {
                return Err("it is in a foreign format".into());
            }
            dir.rename(name, dir, &[name, b".foreign"].concat()).map_err(|e| crate::sys::error_text(&e))?;
            let id = prepare(dir, name, mode, file_mode).map_err(|e| crate::sys::error_text(&e))?;
            let conn = open_connection(path).map_err(|e| e.to_string())?;
            Ok((conn, id.unwrap_or_default()))
        }
        Err(e) => Err(e.to_string()),
    }
}

fn open_connection(path: &Path) -> rusqlite::Result<Connection> {
    // Whoever turns a new file to WAL mode holds a lock that others cannot wait for in the busy handler (SQLite sees
    // a deadlock in it): they let go and come again.
    let mut tries = 0;
    loop {
        match open_to_write(path) {
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && wait_a_little(tries) => tries += 1,
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::ReadOnly) => return open_to_look(path),
            other => return other,
        }
    }
}

/// For those who may read the file but write nothing beside it (an administrator's `exim_dumpdb`): a look at it as it is
/// on the disk, without locks.
fn open_to_look(path: &Path) -> rusqlite::Result<Connection> {
    let mut uri = String::from("file:");
    for c in path.as_os_str().as_bytes() {
        match c {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*c)),
            c if c.is_ascii_alphanumeric() => uri.push(char::from(*c)),
            c => uri.push_str(&format!("%{c:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri, flags)
}

/// Sleeps for some 0.4 ms; `false` after `BUSY_TRIES` of them.
fn wait_a_little(tries: i32) -> bool {
    let jitter = crate::sys::time::monotonic_nanos() / 64 % 400;
    std::thread::sleep(Duration::from_micros(200 + jitter));
    tries < BUSY_TRIES
}

fn open_to_write(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_handler(Some(wait_a_little))?;
    // On file systems without shared memory (NFS) the journal mode stays what it was: still correct.
    let _: String = conn.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0))?;
    conn.execute_batch(
        "PRAGMA synchronous=NORMAL; PRAGMA trusted_schema=OFF;
         PRAGMA cache_size=-8000; -- KiB, where a data base is that large
         CREATE TABLE IF NOT EXISTS tblblob (ky BLOB PRIMARY KEY, dat BLOB);",
    )?;
    // Opens the -wal and -shm files now, under the right user.
    conn.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
    Ok(conn)
}

/// Idle connections of one process.
#[derive(Debug, Default)]
struct Pool(Mutex<PoolState>);

#[derive(Debug, Default)]
struct PoolState {
    pid: Pid,
    idle: Vec<(PathBuf, FileId, Connection)>,
}

impl Pool {
    fn state(&self) -> std::sync::MutexGuard<'_, PoolState> {
        let mut s = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if s.pid != getpid() {
            // Inherited from the parent: neither to be used nor to be closed here.
            for entry in s.idle.drain(..) {
                std::mem::forget(entry.2);
            }
            s.pid = getpid();
        }
        s
    }

    /// A connection to the file that has this name now; those to another one that had it before go.
    fn take(&self, path: &Path) -> Option<(Connection, FileId)> {
        let mut s = self.state();
        if !s.idle.iter().any(|(p, _, _)| p == path) {
            return None;
        }
        let now = stat(path.as_os_str().as_bytes()).ok().map(|s| file_id(&s));
        s.idle.retain(|(p, i, _)| p != path || Some(*i) == now);
        let at = s.idle.iter().position(|(p, _, _)| p == path)?;
        let (_, id, conn) = s.idle.swap_remove(at);
        Some((conn, id))
    }

    fn give(&self, path: PathBuf, id: FileId, conn: Connection) {
        let mut s = self.state();
        if s.idle.iter().filter(|(p, _, _)| *p == path).count() < KEEP {
            s.idle.push((path, id, conn));
        }
    }

    fn clear(&self) {
        self.state().idle.clear();
    }
}

/// An open data base.
struct SqliteDb {
    /// Always there until the value is dropped.
    conn: Option<Connection>,
    path: PathBuf,
    id: FileId,
    pid: Pid,
    pool: Arc<Pool>,
    in_transaction: bool,
}

impl SqliteDb {
    fn new(conn: Connection, path: PathBuf, id: FileId, pool: Arc<Pool>) -> Self {
        Self { conn: Some(conn), path, id, pid: getpid(), pool, in_transaction: false }
    }

    fn failed(&self, reason: String) -> HintsError {
        let name = self.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        HintsError::Access { name, reason }
    }

    /// Runs something on the connection, unless this is a child that inherited it.
    fn on<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        match &self.conn {
            Some(conn) if self.pid == getpid() => work(conn).map_err(|e| self.failed(e.to_string())),
            _ => Err(self.failed("opened before a fork".into())),
        }
    }
}

impl HintsDb for SqliteDb {
    fn read(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        // A value that another program wrote with a different type is passed over.
        let sql = "SELECT dat FROM tblblob WHERE ky = ?1";
        let row = self.on(|c| c.query_row(sql, params![key], |row| Ok(row.get::<_, Vec<u8>>(0).ok())).optional())?;
        Ok(row.flatten())
    }

    fn write(&mut self, key: &[u8], data: &[u8]) -> Result<()> {
        self.on(|c| c.execute("INSERT OR REPLACE INTO tblblob (ky, dat) VALUES (?1, ?2)", params![key, data])).map(drop)
    }

    fn delete(&mut self, key: &[u8]) -> Result<bool> {
        self.on(|c| c.execute("DELETE FROM tblblob WHERE ky = ?1", params![key])).map(|n| n > 0)
    }

    fn next(&mut self, after: Option<&[u8]>) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        const TYPED: &str = "typeof(ky) = 'blob' AND typeof(dat) = 'blob'";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        self.on(|c| match after {
            None => c.query_row(&format!("SELECT ky, dat FROM tblblob WHERE {TYPED} ORDER BY ky LIMIT 1"), [], read).optional(),
            Some(key) => {
                let sql = format!("SELECT ky, dat FROM tblblob WHERE ky > ?1 AND {TYPED} ORDER BY ky LIMIT 1");
                c.query_row(&sql, params![key], read).optional()
            }
        })
    }

    fn begin(&mut self) -> Result<()> {
        if !self.in_transaction {
            self.on(|c| c.execute_batch("BEGIN IMMEDIATE"))?;
            self.in_transaction = true;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        if self.in_transaction {
            self.on(|c| c.execute_batch("COMMIT"))?;
            self.in_transaction = false;
        }
        Ok(())
    }

    fn rollback(&mut self) -> Result<()> {
        if std::mem::take(&mut self.in_transaction) {
            self.on(|c| c.execute_batch("ROLLBACK"))?;
        }
        Ok(())
    }
}

impl Drop for SqliteDb {
    fn drop(&mut self) {
        let inherited = self.pid != getpid();
        let reusable = !inherited && self.rollback().is_ok();
        let Some(conn) = self.conn.take() else { return };
        if inherited {
            std::mem::forget(conn); // the parent's: closing it here would disturb its locks
            return;
        }
        if reusable {
            self.pool.give(std::mem::take(&mut self.path), self.id, conn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::records::{Retry, Seen};
    use super::super::{get, put, serialize, transaction, wait};
    use super::*;
    use bstr::ByteSlice;

    struct Spool(PathBuf);
    impl Spool {
        fn new(name: &str) -> (Self, SqliteStore) {
            let path = std::env::temp_dir().join(format!("oxim-hints-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            let store = SqliteStore::new(&path, geteuid(), crate::sys::ids::getegid());
            (Self(path), store)
        }
    }
    impl Drop for Spool {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn absent_then_present() {
        let (spool, store) = Spool::new("basic");
        assert!(store.open("retry", Mode::Read).unwrap().is_none());
        assert!(store.open("../retry", Mode::Write).is_err());
        {
            let mut db = store.open("retry", Mode::Write).unwrap().unwrap();
            put(&mut *db, b"T:a", &Retry { text: "x".into(), ..Retry::default() }).unwrap();
            db.write(b"junk", b"not a record").unwrap();
            let undone: Result<()> = transaction(&mut *db, |db| {
                db.write(b"zz", b"zz")?;
                Err(HintsError::Access { name: String::new(), reason: String::new() })
            });
            assert!(undone.is_err());
        }
        let s = stat(spool.0.join("db/retry").as_os_str().as_bytes()).unwrap();
        assert_eq!(s.permissions(), 0o640);
        let mut db = store.open("retry", Mode::Read).unwrap().unwrap();
        assert_eq!(get::<Retry>(&mut *db, b"T:a").unwrap().unwrap().record.text, "x");
        assert!(get::<Seen>(&mut *db, b"T:a").unwrap().is_none());
        assert!(get::<Retry>(&mut *db, b"junk").unwrap().is_none());
        let first = db.next(None).unwrap().unwrap();
        assert_eq!(first.0, b"T:a");
        assert_eq!(db.next(Some(b"T:a")).unwrap().unwrap().0, b"junk");
        assert!(db.next(Some(b"junk")).unwrap().is_none());
        drop(db);
        // a file deleted under us is noticed
        std::fs::remove_dir_all(spool.0.join("db")).unwrap();
        assert!(store.open("retry", Mode::Read).unwrap().is_none());
        // a foreign file is set aside
        std::fs::create_dir(spool.0.join("db")).unwrap();
        std::fs::write(spool.0.join("db/retry"), [7u8; 9000]).unwrap();
        let mut db = store.open("retry", Mode::Write).unwrap().unwrap();
        db.write(b"a", b"b").unwrap();
        assert!(spool.0.join("db/retry.foreign").exists());
    }

    /// The test program runs itself four times: SQLite may not be used after a fork with threads.
    #[test]
    fn many_processes_count_right() {
        const PLACE: &str = "OXIM_TEST_HINTS_SPOOL";
        let own_ids = (geteuid(), crate::sys::ids::getegid());
        if let Some(place) = std::env::var_os(PLACE) {
            let store = SqliteStore::new(Path::new(&place), own_ids.0, own_ids.1);
            for _ in 0..200 {
                let mut db = store.open("ratelimit", Mode::Write).unwrap().unwrap();
                transaction(&mut *db, |db| {
                    let n = db.read(b"n")?.map_or(0, |v| u32::from_le_bytes(v.try_into().unwrap()));
                    db.write(b"n", &(n + 1).to_le_bytes())
                })
                .unwrap();
            }
            return;
        }
        let (spool, store) = Spool::new("processes");
        let children: Vec<_> = (0..4)
            .map(|_| {
                std::process::Command::new(std::env::current_exe().unwrap())
                    .args(["--exact", "hints::sqlite::tests::many_processes_count_right"])
                    .env(PLACE, &spool.0)
                    .stdout(std::process::Stdio::null())
                    .spawn()
                    .unwrap()
            })
            .collect();
        assert!(children.into_iter().all(|mut c| c.wait().unwrap().success()));
        let mut db = store.open("ratelimit", Mode::Read).unwrap().unwrap();
        assert_eq!(db.read(b"n").unwrap().unwrap(), 800u32.to_le_bytes());
    }

    #[test]
    fn waiting_lists() {
        let (_spool, store) = Spool::new("wait");
        let mut db = store.open("wait-smtp", Mode::Write).unwrap().unwrap();
        for i in 0..120 {
            for host in [&b"Host.EX"[..], b"host.e", b"host.exe"] {
                wait::add(&mut *db, host, format!("1abcde-{i:06}-AB").as_bytes().as_bstr()).unwrap();
            }
        }
        db.write(b"host.ex ../../etc/passwd", b"").unwrap();
        assert_eq!(wait::list(&mut *db, b"host.ex").unwrap().len(), 120);
        let own = b"1abcde-000000-AB".as_bstr();
        let (id, more) = wait::take(&mut *db, b"host.ex", own, |id| {
            if id.ends_with(b"000101-AB") { wait::Choice::Take } else { wait::Choice::Drop }
        })
        .unwrap()
        .unwrap();
        assert_eq!((id.as_bstr(), more), ("1abcde-000101-AB".into(), true));
        let mut left = 18; // those after the one taken
        while let Some((_, more)) = wait::take(&mut *db, b"host.ex", own, |_| wait::Choice::Take).unwrap() {
            left -= 1;
            assert_eq!(more, left > 0);
        }
        assert_eq!(left, 0);
        assert!(wait::list(&mut *db, b"host.ex").unwrap().is_empty());
        assert_eq!(wait::take(&mut *db, b"host.e", own, |_| wait::Choice::Keep).unwrap(), None);
        assert_eq!(wait::forget(&mut *db, b"host.e").unwrap(), 119);
        assert_eq!(wait::list(&mut *db, b"host.exe").unwrap().len(), 120);
        assert!(serialize::start(&mut *db, b"host-serialize-x", 1).unwrap());
        assert!(!serialize::start(&mut *db, b"host-serialize-x", 1).unwrap());
        serialize::end(&mut *db, b"host-serialize-x").unwrap();
        assert!(serialize::start(&mut *db, b"host-serialize-x", 1).unwrap());
    }
}
