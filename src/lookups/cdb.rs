//! `cdb`: D. J. Bernstein's constant data base (cr.yp.to/cdb/cdb.txt), with a reader of our own.

use std::os::unix::fs::FileExt;

use bstr::ByteSlice;

use super::check::{MAX_VALUE, open_file};
use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use crate::context::Context;

/// The type.
pub struct Cdb;

impl Driver for Cdb {
    fn name(&self) -> &'static str {
        "cdb"
    }
    fn style(&self) -> Style {
        Style::File
    }
    fn open(&self, _: &mut Context, name: &[u8]) -> Result<Box<dyn Handle>, String> {
        let shown = name.as_bstr();
        let file = std::fs::File::from(open_file(name, "cdb lookup", "cdb")?);
        let size = file.metadata().map_err(|_| format!("fstat({shown}) failed - cannot do cdb lookup"))?.len();
        if size < HEADER {
            return Err(format!("{shown} too short for cdb lookup"));
        }
        Ok(Box::new(Open { reader: Reader { file, size } }))
    }
}

struct Open {
    reader: Reader<std::fs::File>,
}

impl Handle for Open {
    fn find(&mut self, _: &mut Context, ask: &Ask<'_>) -> Answer {
        match self.reader.get(ask.key) {
            Ok(Some(data)) => Answer::Found(data, Keep::Always),
            Ok(None) => Answer::NotFound(Keep::Always),
            Err(Corrupt) => Answer::Defer(format!("cdb: corrupt cdb file {} (too short)", ask.file.as_bstr())),
        }
    }
}

/// 256 pairs of table position and length.
const HEADER: u64 = 2048;

#[derive(Debug)]
pub(super) struct Corrupt;

pub(super) struct Reader<F> {
    pub(super) file: F,
    pub(super) size: u64,
}

impl<F: FileExt> Reader<F> {
    fn pair(&self, at: u64) -> Result<(u32, u32), Corrupt> {
        let mut b = [0u8; 8];
        self.file.read_exact_at(&mut b, at).map_err(|_| Corrupt)?;
        let [a0, a1, a2, a3, b0, b1, b2, b3] = b;
        Ok((u32::from_le_bytes([a0, a1, a2, a3]), u32::from_le_bytes([b0, b1, b2, b3])))
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Corrupt> {
        let hash = key.iter().fold(5381u32, |h, c| (h << 5).wrapping_add(h) ^ u32::from(*c));
        let (table, slots) = self.pair(u64::from(hash & 255) * 8)?;
        if slots == 0 {
            return Ok(None);
        }
        if u64::from(table) + u64::from(slots) * 8 > self.size {
            return Err(Corrupt);
        }
        let first = (hash >> 8) % slots;
        for i in 0..slots {
            let slot = (u64::from(first) + u64::from(i)) % u64::from(slots);
            let (its_hash, at) = self.pair(u64::from(table) + slot * 8)?;
            if at == 0 {
                return Ok(None);
            }
            if its_hash != hash {
                continue;
            }
            let at = u64::from(at);
            let (key_len, data_len) = self.pair(at)?;
            if usize::try_from(key_len) != Ok(key.len()) {
                continue;
            }
            if at + 8 + u64::from(key_len) + u64::from(data_len) > self.size || data_len as usize > MAX_VALUE {
                return Err(Corrupt);
            }
            if self.bytes(at + 8, key_len)? == key {
                return self.bytes(at + 8 + u64::from(key_len), data_len).map(Some);
            }
        }
        Ok(None)
    }

    fn bytes(&self, at: u64, len: u32) -> Result<Vec<u8>, Corrupt> {
        let mut b = vec![0; usize::try_from(len).map_err(|_| Corrupt)?];
        self.file.read_exact_at(&mut b, at).map_err(|_| Corrupt)?;
        Ok(b)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A writer, so that the reader can be tested.
    fn write(entries: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut out = vec![0u8; 2048];
        let mut tables = vec![Vec::new(); 256];
        for (k, d) in entries {
            let hash = k.iter().fold(5381u32, |h, c| (h << 5).wrapping_add(h) ^ u32::from(*c));
            tables[(hash & 255) as usize].push((hash, out.len() as u32));
            out.extend((k.len() as u32).to_le_bytes());
            out.extend((d.len() as u32).to_le_bytes());
            out.extend(*k);
            out.extend(*d);
        }
        for (i, t) in tables.iter().enumerate() {
            let slots = t.len() * 2;
            let at = out.len() as u32;
            out[i * 8..i * 8 + 4].copy_from_slice(&at.to_le_bytes());
            out[i * 8 + 4..i * 8 + 8].copy_from_slice(&(slots as u32).to_le_bytes());
            let mut table = vec![(0u32, 0u32); slots];
            for (hash, pos) in t {
                let mut s = (hash >> 8) as usize % slots;
                while table[s].1 != 0 {
                    s = (s + 1) % slots;
                }
                table[s] = (*hash, *pos);
            }
            for (h, p) in table {
                out.extend(h.to_le_bytes());
                out.extend(p.to_le_bytes());
            }
        }
        out
    }

    #[test]
    fn reads() {
        let keys: Vec<Vec<u8>> = (0..600).map(|i| format!("key{i}").into_bytes()).collect();
        let entries: Vec<(&[u8], &[u8])> = keys.iter().map(|k| (&k[..], &k[3..])).collect();
        let data = write(&entries);
        let fd = crate::sys::file::temporary(b"/tmp").unwrap();
        let file = std::fs::File::from(fd);
        file.write_all_at(&data, 0).unwrap();
        let mut r = Reader { file, size: data.len() as u64 };
        assert_eq!(r.get(b"key599").unwrap(), Some(b"599".to_vec()));
        assert_eq!(r.get(b"key0").unwrap(), Some(b"0".to_vec()));
        assert_eq!(r.get(b"nokey").unwrap(), None);
        r.size = 2050;
        assert!(r.get(b"key0").is_err());
    }
}
