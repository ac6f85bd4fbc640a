//! What the fuzz targets of data base files call: the bytes are a file, and the key is what they begin with, up to the first newline.

use std::io;
use std::os::unix::fs::FileExt;

use bstr::ByteSlice;

use super::{berkeley, cdb, lmdb};

/// A file in memory.
pub(super) struct Bytes<'a>(pub &'a [u8]);

impl FileExt for Bytes<'_> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.0.get(at..)).unwrap_or_default();
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}

fn cut(data: &[u8]) -> Option<(&[u8], Bytes<'_>)> {
    let at = data.find_byte(b'\n')?;
    Some((&data[..at], Bytes(&data[at + 1..])))
}

/// `cdb`
pub fn cdb(data: &[u8]) {
    if let Some((key, file)) = cut(data) {
        let size = file.0.len() as u64;
        let _ = cdb::Reader { file, size }.get(key);
    }
}

/// `lmdb`
pub fn lmdb(data: &[u8]) {
    if let Some((key, file)) = cut(data) {
        let _ = lmdb::Reader { file }.get(key);
    }
}

/// `dbm`, where the file is of Berkeley DB.
pub fn berkeley(data: &[u8]) {
    if let Some((key, file)) = cut(data)
        && let Ok(reader) = berkeley::Reader::new(file)
    {
        let _ = reader.get(key);
    }
}
