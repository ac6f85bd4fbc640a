//! `lmdb`: Symas' memory-mapped data base in one file (`mdb_load -n`), with a reader of our own for its format.
//!
//! Pages are read as they are needed; nothing is mapped, locked or written. A writer never touches the pages of the
//! newest snapshot while it prepares the next, so an answer holds when the snapshot is still the newest after the walk;
//! else the walk is made again.

use std::os::unix::fs::FileExt;

use bstr::ByteSlice;

use super::check::{MAX_VALUE, open_file};
use super::driver::{Answer, Ask, Driver, Handle, Keep, Style};
use crate::context::Context;

/// The type.
pub struct Lmdb;

impl Driver for Lmdb {
    fn name(&self) -> &'static str {
        "lmdb"
    }
    fn style(&self) -> Style {
        Style::File
    }
    fn open(&self, _: &mut Context, name: &[u8]) -> Result<Box<dyn Handle>, String> {
        let reader = Reader { file: std::fs::File::from(open_file(name, "lmdb lookup", "lmdb")?) };
        reader.snapshot().map_err(|e| format!("LMDB: Unable to open {}: {e}", name.as_bstr()))?;
        Ok(Box::new(Open { reader }))
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
            Err(e) => Answer::Defer(format!("LMDB: lookup error: {e}")),
        }
    }
}

const MAGIC: u32 = 0xBEEF_C0DE;
const VERSION: u32 = 1;
/// Bytes before a page's contents.
const PAGE_HEADER: usize = 16;
/// Bytes before a node's key.
const NODE_HEADER: usize = 8;
const BRANCH: u16 = 1;
const LEAF: u16 = 2;
const OVERFLOW: u16 = 4;
/// The value is on pages of its own.
const BIG: u16 = 1;
/// "There is no tree."
const NO_PAGE: u64 = u64::MAX;
/// Deeper than any tree can be.
const MAX_DEPTH: usize = 32;
const MAX_TRIES: usize = 20;

pub(super) type Read<T> = Result<T, &'static str>;
const SHORT: &str = "file is damaged or too short";

/// What one commit left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Snapshot {
    transaction: u64,
    page_size: usize,
    root: u64,
}

fn u16_at(b: &[u8], at: usize) -> Read<u16> {
    b.get(at..).and_then(|b| b.first_chunk()).map(|b| u16::from_ne_bytes(*b)).ok_or(SHORT)
}

fn u32_at(b: &[u8], at: usize) -> Read<u32> {
    b.get(at..).and_then(|b| b.first_chunk()).map(|b| u32::from_ne_bytes(*b)).ok_or(SHORT)
}

fn u64_at(b: &[u8], at: usize) -> Read<u64> {
    b.get(at..).and_then(|b| b.first_chunk()).map(|b| u64::from_ne_bytes(*b)).ok_or(SHORT)
}

/// One meta page: the head of the file's two snapshots.
fn meta(b: &[u8]) -> Read<Snapshot> {
    let b = b.get(PAGE_HEADER..).ok_or(SHORT)?;
    if u32_at(b, 0)? != MAGIC {
        return Err("not an LMDB file of this machine's byte order");
    }
    if u32_at(b, 4)? != VERSION {
        return Err("unknown version of the LMDB format");
    }
    // The two trees (free pages, then the data): each is pad, flags, depth, three counts of pages, entries, root.
    let (free, main) = (24, 24 + 48);
    let page_size = usize::try_from(u32_at(b, free)?).map_err(|_| SHORT)?;
    if !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) {
        return Err(SHORT);
    }
    if u16_at(b, main + 4)? & (REVERSE_KEY | INTEGER_KEY) != 0 {
        return Err("keys that are reversed or integers are not supported");
    }
    Ok(Snapshot { transaction: u64_at(b, main + 48 + 8)?, page_size, root: u64_at(b, main + 40)? })
}

const REVERSE_KEY: u16 = 2;
const INTEGER_KEY: u16 = 8;

/// A key of a page with what stands beside it.
struct Node<'a> {
    key: &'a [u8],
    flags: u16,
    /// Low 32 bits of a child's page, or the size of the value.
    number: u32,
    rest: &'a [u8],
}

/// A tree's page.
struct Page {
    bytes: Vec<u8>,
    nodes: usize,
}

impl Page {
    fn is(&self, flag: u16) -> bool {
        u16_at(&self.bytes, 10).is_ok_and(|f| f & flag != 0)
    }

    fn node(&self, i: usize) -> Read<Node<'_>> {
        let b = self.bytes.get(usize::from(u16_at(&self.bytes, PAGE_HEADER + 2 * i)?)..).ok_or(SHORT)?;
        let (low, high) = (u16_at(b, 0)?, u16_at(b, 2)?);
        let key_end = NODE_HEADER + usize::from(u16_at(b, 6)?);
        Ok(Node {
            key: b.get(NODE_HEADER..key_end).ok_or(SHORT)?,
            flags: u16_at(b, 4)?,
            number: u32::from(low) | u32::from(high) << 16,
            rest: b.get(key_end..).ok_or(SHORT)?,
        })
    }

    /// The first node from `from` on whose key is not less, and whether it is the same.
    fn search(&self, from: usize, key: &[u8]) -> Read<(usize, bool)> {
        let (mut low, mut high) = (from, self.nodes);
        while low < high {
            let mid = low + (high - low) / 2;
            match self.node(mid)?.key.cmp(key) {
                std::cmp::Ordering::Less => low = mid + 1,
                std::cmp::Ordering::Equal => return Ok((mid, true)),
                std::cmp::Ordering::Greater => high = mid,
            }
        }
        Ok((low, false))
    }
}

pub(super) struct Reader<F> {
    pub(super) file: F,
}

impl<F: FileExt> Reader<F> {
    fn bytes(&self, at: u64, len: usize) -> Read<Vec<u8>> {
        let mut b = vec![0; len];
        self.file.read_exact_at(&mut b, at).map_err(|_| SHORT)?;
        Ok(b)
    }

    fn snapshot(&self) -> Read<Snapshot> {
        const META: usize = PAGE_HEADER + 24 + 2 * 48 + 16;
        let first = meta(&self.bytes(0, META)?)?;
        let second = meta(&self.bytes(first.page_size as u64, META)?)?;
        Ok(if second.transaction > first.transaction { second } else { first })
    }

    pub(super) fn get(&self, key: &[u8]) -> Read<Option<Vec<u8>>> {
        let mut now = self.snapshot()?;
        for _ in 0..MAX_TRIES {
            let answer = self.walk(now, key);
            let after = self.snapshot()?;
            if after == now {
                return answer;
            }
            now = after;
        }
        Err("the file changes all the time")
    }

    fn page(&self, s: Snapshot, number: u64) -> Read<Page> {
        let at = number.checked_mul(s.page_size as u64).ok_or(SHORT)?;
        let bytes = self.bytes(at, s.page_size)?;
        if u64_at(&bytes, 0)? != number {
            return Err(SHORT);
        }
        let lower = usize::from(u16_at(&bytes, 12)?);
        Ok(Page { nodes: lower.saturating_sub(PAGE_HEADER) / 2, bytes })
    }

    fn walk(&self, s: Snapshot, key: &[u8]) -> Read<Option<Vec<u8>>> {
        if s.root == NO_PAGE || key.is_empty() {
            return Ok(None);
        }
        let mut number = s.root;
        for _ in 0..MAX_DEPTH {
            let page = self.page(s, number)?;
            if page.is(BRANCH) {
                // A child has the keys from its own on; the first child's stands for all that are less.
                let (i, same) = page.search(1, key)?;
                let child = page.node(if same { i } else { i.saturating_sub(1) })?;
                number = u64::from(child.number) | u64::from(child.flags) << 32;
            } else if page.is(LEAF) {
                let (i, same) = page.search(0, key)?;
                return if same { self.value(s, &page.node(i)?).map(Some) } else { Ok(None) };
            } else {
                return Err(SHORT);
            }
        }
        Err(SHORT)
    }

    fn value(&self, s: Snapshot, node: &Node<'_>) -> Read<Vec<u8>> {
        let len = usize::try_from(node.number).map_err(|_| SHORT)?;
        match node.flags {
            0 => node.rest.get(..len).map(<[u8]>::to_vec).ok_or(SHORT),
            BIG if len > MAX_VALUE => Err("value is too long"),
            BIG => {
                let number = u64_at(node.rest, 0)?;
                if !self.page(s, number)?.is(OVERFLOW) {
                    return Err(SHORT);
                }
                self.bytes(number * s.page_size as u64 + PAGE_HEADER as u64, len)
            }
            _ => Err("keys with several values and data bases inside data bases are not supported"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 512;

    fn meta_page(number: u64, transaction: u64, root: u64) -> Vec<u8> {
        let mut p = number.to_ne_bytes().to_vec();
        p.extend([0; 8]);
        p.extend(MAGIC.to_ne_bytes());
        p.extend(VERSION.to_ne_bytes());
        p.extend([0; 16]);
        p.extend((SIZE as u32).to_ne_bytes());
        p.extend([0; 44 + 40]);
        p.extend(root.to_ne_bytes());
        p.extend([0; 8]);
        p.extend(transaction.to_ne_bytes());
        p.resize(SIZE, 0);
        p
    }

    /// Nodes: number, flags, key, what follows the key.
    fn tree_page(number: u64, kind: u16, nodes: &[(u32, u16, &[u8], &[u8])]) -> Vec<u8> {
        let mut p = vec![0; SIZE];
        p[..8].copy_from_slice(&number.to_ne_bytes());
        p[10..12].copy_from_slice(&kind.to_ne_bytes());
        p[12..14].copy_from_slice(&((PAGE_HEADER + 2 * nodes.len()) as u16).to_ne_bytes());
        let mut top = SIZE;
        for (i, (number, flags, key, rest)) in nodes.iter().enumerate() {
            top -= NODE_HEADER + key.len() + rest.len();
            p[PAGE_HEADER + 2 * i..][..2].copy_from_slice(&(top as u16).to_ne_bytes());
            p[top..][..2].copy_from_slice(&(*number as u16).to_ne_bytes());
            p[top + 2..][..2].copy_from_slice(&((*number >> 16) as u16).to_ne_bytes());
            p[top + 4..][..2].copy_from_slice(&flags.to_ne_bytes());
            p[top + 6..][..2].copy_from_slice(&(key.len() as u16).to_ne_bytes());
            p[top + NODE_HEADER..][..key.len()].copy_from_slice(key);
            p[top + NODE_HEADER + key.len()..][..rest.len()].copy_from_slice(rest);
        }
        p
    }

    fn file() -> Vec<u8> {
        let big = 5u64.to_ne_bytes();
        let mut overflow = tree_page(5, OVERFLOW, &[]);
        overflow[PAGE_HEADER..][..300].fill(b'x');
        [
            meta_page(0, 6, 99),
            meta_page(1, 7, 2),
            tree_page(2, BRANCH, &[(3, 0, b"", b""), (4, 0, b"m", b"")]),
            tree_page(3, LEAF, &[(1, 0, b"a", b"A"), (2, 0, b"ab", b"AB"), (48, 2, b"b", b"")]),
            tree_page(4, LEAF, &[(1, 0, b"m", b"M"), (300, BIG, b"z", &big)]),
            overflow,
        ]
        .concat()
    }

    fn reader(data: &[u8]) -> Reader<std::fs::File> {
        let file = std::fs::File::from(crate::sys::file::temporary(b"/tmp").unwrap());
        file.write_all_at(data, 0).unwrap();
        Reader { file }
    }

    #[test]
    fn reads() {
        let r = reader(&file());
        assert_eq!(r.get(b"a").unwrap().unwrap(), b"A");
        assert_eq!(r.get(b"ab").unwrap().unwrap(), b"AB");
        assert_eq!(r.get(b"m").unwrap().unwrap(), b"M");
        assert_eq!(r.get(b"z").unwrap().unwrap(), [b'x'; 300]);
        for none in ["", "0", "aa", "l", "mm", "zz"] {
            assert_eq!(r.get(none.as_bytes()).unwrap(), None);
        }
        assert!(r.get(b"b").is_err());
    }

    #[test]
    fn damage_is_an_error_or_an_answer() {
        let whole = file();
        for cut in [0, 100, 511, 700, 1100, 2000] {
            assert!(reader(whole.get(..cut).unwrap()).get(b"z").is_err());
        }
        for at in (0..whole.len()).step_by(3) {
            let mut bad = whole.clone();
            bad[at] ^= 0xff;
            for key in ["a", "m", "z"] {
                let _ = reader(&bad).get(key.as_bytes());
            }
        }
    }
}
