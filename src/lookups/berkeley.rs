//! Reads Berkeley DB files of the types hash and btree: what the reference's `exim_dbmbuild` makes where it is built with that
//! library (Debian's is), so that a system need not rebuild its `dbm` files on the day it changes over.
//!
//! Only [`super::dbm`] calls it. Versions 4.0 to 5.3 of the library wrote what is understood here (hash versions 8 and 9, btree
//! versions 8 and 9), in either byte order. Nothing is locked or written. What is encrypted, has checksums, holds several data bases
//! or several values of a key is refused with an error that says so. A damaged file is an error too: every number from the file is
//! checked, and no walk sees more pages than the file has.

use std::os::unix::fs::FileExt;

use super::check::MAX_VALUE;

/// Deeper than any tree can be.
const MAX_DEPTH: usize = 32;

const HASH_MAGIC: u32 = 0x0006_1561;
const BTREE_MAGIC: u32 = 0x0005_3162;

/// Bytes before a page's table of offsets.
const PAGE_HEADER: usize = 26;
/// Page types.
const HASH_UNSORTED: u8 = 2;
const BTREE_INTERNAL: u8 = 3;
const BTREE_LEAF: u8 = 5;
const OVERFLOW: u8 = 7;
const HASH_META: u8 = 8;
const BTREE_META: u8 = 9;
const HASH: u8 = 13;

type Read<T> = Result<T, &'static str>;
const DAMAGED: &str = "the Berkeley DB file is damaged or too short";
const SEVERAL: &str = "several values of a key in a Berkeley DB file are not supported";

/// Is it a file of that library? `start`: at least its first 16 bytes.
pub(super) fn is_ours(start: &[u8]) -> bool {
    byte_order(start).is_some()
}

/// The byte order is that of the machine that made the file: big, if true.
fn byte_order(start: &[u8]) -> Option<bool> {
    [false, true].into_iter().find(|big| matches!(u32_at(start, 12, *big), Ok(HASH_MAGIC | BTREE_MAGIC)))
}

fn u16_at(b: &[u8], at: usize, big: bool) -> Read<u16> {
    let b: [u8; 2] = *b.get(at..).and_then(|b| b.first_chunk()).ok_or(DAMAGED)?;
    Ok(if big { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) })
}

fn u32_at(b: &[u8], at: usize, big: bool) -> Read<u32> {
    let b: [u8; 4] = *b.get(at..).and_then(|b| b.first_chunk()).ok_or(DAMAGED)?;
    Ok(if big { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) })
}

/// How keys are found.
enum Method {
    Hash {
        max_bucket: u32,
        high_mask: u32,
        low_mask: u32,
        /// What is added to a bucket's number to find its page, for each doubling of the table.
        spares: [u32; 32],
    },
    Btree {
        root: u32,
    },
}

/// An open file.
pub(super) struct Reader<F> {
    file: F,
    big: bool,
    page_size: usize,
    last_page: u32,
    method: Method,
}

/// One page. An item is where its offset says.
struct Page {
    bytes: Vec<u8>,
    big: bool,
}

impl Page {
    fn kind(&self) -> u8 {
        self.bytes.get(25).copied().unwrap_or(0)
    }
    fn next(&self) -> Read<u32> {
        u32_at(&self.bytes, 16, self.big)
    }
    fn entries(&self) -> Read<usize> {
        u16_at(&self.bytes, 20, self.big).map(usize::from)
    }
    fn offset(&self, i: usize) -> Read<usize> {
        u16_at(&self.bytes, PAGE_HEADER + 2 * i, self.big).map(usize::from)
    }
    fn from(&self, i: usize) -> Read<&[u8]> {
        self.bytes.get(self.offset(i)?..).ok_or(DAMAGED)
    }
    /// An item of a hash page: it ends where the one before it begins.
    fn hash_item(&self, i: usize) -> Read<&[u8]> {
        let end = if i == 0 { self.bytes.len() } else { self.offset(i - 1)? };
        self.bytes.get(self.offset(i)?..end).ok_or(DAMAGED)
    }
}

/// Where an item of a tree stands.
#[derive(Clone, Copy)]
enum Place {
    Inner,
    Leaf,
}

/// A key or a value as a page has it.
enum Item<'a> {
    Here(&'a [u8]),
    /// On pages of its own.
    Away {
        page: u32,
        len: u32,
    },
}

impl<F: FileExt> Reader<F> {
    /// Reads the first page.
    pub(super) fn new(file: F) -> Read<Self> {
        let mut meta = [0u8; 224];
        file.read_exact_at(&mut meta, 0).map_err(|_| DAMAGED)?;
        let big = byte_order(&meta).ok_or(DAMAGED)?;
        let word = |at: usize| u32_at(&meta, at, big);
        if meta[24] != 0 {
            return Err("the Berkeley DB file is encrypted");
        }
        if meta[26] != 0 {
            return Err("Berkeley DB files with checksums or in several parts are not supported");
        }
        let page_size = usize::try_from(word(20)?).map_err(|_| DAMAGED)?;
        if !page_size.is_power_of_two() || !(512..=65536).contains(&page_size) {
            return Err(DAMAGED);
        }
        let (hash, version, flags) = (word(12)? == HASH_MAGIC, word(16)?, word(48)?);
        if !matches!(version, 8 | 9) {
            return Err("unknown version of the Berkeley DB format");
        }
        if meta[25] != if hash { HASH_META } else { BTREE_META } {
            return Err(DAMAGED);
        }
        // Flags of the two kinds: several values of a key, data base of names; of trees only: numbered records.
        let (names, numbered) = if hash { (2, 0) } else { (0x20, 2) };
        if flags & numbered != 0 {
            return Err("the Berkeley DB file has record numbers for keys");
        }
        if flags & names != 0 {
            return Err("several data bases in one Berkeley DB file are not supported");
        }
        if flags & 1 != 0 {
            return Err(SEVERAL);
        }
        let method = if hash {
            let mut spares = [0; 32];
            for (i, spare) in spares.iter_mut().enumerate() {
                *spare = word(96 + 4 * i)?;
            }
            // The function by which keys were spread is the application's; this is what the usual one gives for a text of its own.
            if word(92)? != spread(b"%$sniglet^&\0") {
                return Err("the Berkeley DB file was made with another hash function");
            }
            Method::Hash { max_bucket: word(72)?, high_mask: word(76)?, low_mask: word(80)?, spares }
        } else {
            Method::Btree { root: word(88)? }
        };
        Ok(Reader { file, big, page_size, last_page: word(32)?, method })
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &[u8]) -> Read<Option<Vec<u8>>> {
        match &self.method {
            Method::Hash { max_bucket, high_mask, low_mask, spares } => {
                let hash = spread(key);
                let bucket = Some(hash & high_mask).filter(|b| b <= max_bucket).unwrap_or(hash & low_mask);
                // The number of bits of the bucket's number.
                let doubling = usize::try_from(u32::BITS - bucket.leading_zeros()).map_err(|_| DAMAGED)?;
                let first = spares.get(doubling).and_then(|s| s.checked_add(bucket)).ok_or(DAMAGED)?;
                self.in_bucket(first, key)
            }
            Method::Btree { root } => self.in_tree(*root, key),
        }
    }

    fn page(&self, number: u32) -> Read<Page> {
        if number == 0 || number > self.last_page {
            return Err(DAMAGED);
        }
        let mut bytes = vec![0; self.page_size];
        self.file.read_exact_at(&mut bytes, u64::from(number) * self.page_size as u64).map_err(|_| DAMAGED)?;
        // A bucket that nothing came to yet may have a page that was never written.
        let its_number = u32_at(&bytes, 8, self.big)?;
        let page = Page { bytes, big: self.big };
        let unused = its_number == 0 && page.kind() == 0 && page.entries()? == 0;
        if its_number == number || unused { Ok(page) } else { Err(DAMAGED) }
    }

    fn in_bucket(&self, first: u32, key: &[u8]) -> Read<Option<Vec<u8>>> {
        let mut number = first;
        for _ in 0..=self.last_page {
            let page = self.page(number)?;
            if !matches!(page.kind(), HASH | HASH_UNSORTED | 0) {
                return Err(DAMAGED);
            }
            for i in (0..page.entries()?).step_by(2) {
                if self.is(key, &self.hash_item(&page, i)?)? {
                    return self.whole(&self.hash_item(&page, i + 1)?).map(Some);
                }
            }
            number = page.next()?;
            if number == 0 {
                return Ok(None);
            }
        }
        Err(DAMAGED)
    }

    fn hash_item<'p>(&self, page: &'p Page, i: usize) -> Read<Item<'p>> {
        match page.hash_item(i)? {
            [1, data @ ..] => Ok(Item::Here(data)),
            item @ [3, ..] => Ok(Item::Away { page: u32_at(item, 4, self.big)?, len: u32_at(item, 8, self.big)? }),
            [2 | 4, ..] => Err(SEVERAL),
            _ => Err(DAMAGED),
        }
    }

    fn in_tree(&self, root: u32, key: &[u8]) -> Read<Option<Vec<u8>>> {
        let mut number = root;
        for _ in 0..MAX_DEPTH {
            let page = self.page(number)?;
            let entries = page.entries()?;
            match page.kind() {
                BTREE_INTERNAL => number = self.child(&page, entries, key)?,
                BTREE_LEAF => {
                    for i in (0..entries).step_by(2) {
                        let Some(item) = self.tree_item(page.from(i)?, Place::Leaf)? else { continue };
                        if self.is(key, &item)? {
                            let value = self.tree_item(page.from(i + 1)?, Place::Leaf)?;
                            return value.map(|v| self.whole(&v)).transpose();
                        }
                    }
                    return Ok(None);
                }
                _ => return Err(DAMAGED),
            }
        }
        Err(DAMAGED)
    }

    /// The last child whose first key is not greater; the first one's key counts as the least of all.
    fn child(&self, page: &Page, entries: usize, key: &[u8]) -> Read<u32> {
        let number = |i: usize| u32_at(page.from(i)?, 4, self.big);
        let mut child = number(0)?;
        for i in 1..entries {
            let Some(item) = self.tree_item(page.from(i)?, Place::Inner)? else { return Err(DAMAGED) };
            let after = match &item {
                Item::Here(k) => *k > key,
                away => self.whole(away)?.as_slice() > key,
            };
            if after {
                break;
            }
            child = number(i)?;
        }
        Ok(child)
    }

    /// An item of a tree's page; none if it was deleted.
    fn tree_item<'p>(&self, item: &'p [u8], place: Place) -> Read<Option<Item<'p>>> {
        let kind = *item.get(2).ok_or(DAMAGED)?;
        // What is away has, in a leaf, its place in the item's own head.
        let (data, away) = match place {
            Place::Leaf => (3, 0),
            Place::Inner => (12, 12),
        };
        match kind {
            1 => {
                let len = usize::from(u16_at(item, 0, self.big)?);
                item.get(data..data + len).map(|data| Some(Item::Here(data))).ok_or(DAMAGED)
            }
            3 => Ok(Some(Item::Away { page: u32_at(item, away + 4, self.big)?, len: u32_at(item, away + 8, self.big)? })),
            2 => Err(SEVERAL),
            k if k & 0x80 != 0 => Ok(None),
            _ => Err(DAMAGED),
        }
    }

    fn is(&self, key: &[u8], item: &Item<'_>) -> Read<bool> {
        match item {
            Item::Here(data) => Ok(*data == key),
            Item::Away { len, .. } if usize::try_from(*len) != Ok(key.len()) => Ok(false),
            away => Ok(self.whole(away)? == key),
        }
    }

    /// All the bytes of an item.
    fn whole(&self, item: &Item<'_>) -> Read<Vec<u8>> {
        let (mut number, len) = match item {
            Item::Here(data) => return Ok(data.to_vec()),
            Item::Away { page, len } => (*page, usize::try_from(*len).map_err(|_| DAMAGED)?),
        };
        if len > MAX_VALUE {
            return Err("a value in the Berkeley DB file is too long");
        }
        let mut out = Vec::new();
        while out.len() < len {
            let page = self.page(number)?;
            let here = usize::from(u16_at(&page.bytes, 22, self.big)?);
            if page.kind() != OVERFLOW || here == 0 {
                return Err(DAMAGED);
            }
            out.extend_from_slice(page.bytes.get(PAGE_HEADER..PAGE_HEADER + here).ok_or(DAMAGED)?);
            number = page.next()?;
        }
        if out.len() == len { Ok(out) } else { Err(DAMAGED) }
    }
}

/// The library's own way to spread keys: FNV.
fn spread(key: &[u8]) -> u32 {
    key.iter().fold(0u32, |h, c| h.wrapping_mul(16_777_619) ^ u32::from(*c))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 512;

    fn put(page: &mut [u8], at: usize, n: u32) {
        page[at..at + 4].copy_from_slice(&n.to_le_bytes());
    }

    /// A meta page; what differs between the kinds is set by `more`.
    fn meta(magic: u32, kind: u8, last: u32, more: &[(usize, u32)]) -> Vec<u8> {
        let mut p = vec![0; SIZE];
        for (at, n) in [(12, magic), (16, 9), (20, SIZE as u32), (32, last)].iter().chain(more) {
            put(&mut p, *at, *n);
        }
        p[25] = kind;
        p
    }

    /// A page with items from its end on downwards.
    fn page(number: u32, kind: u8, next: u32, items: &[&[u8]]) -> Vec<u8> {
        let mut p = vec![0; SIZE];
        put(&mut p, 8, number);
        put(&mut p, 16, next);
        p[25] = kind;
        p[20..22].copy_from_slice(&(items.len() as u16).to_le_bytes());
        let mut top = SIZE;
        for (i, item) in items.iter().enumerate() {
            top -= item.len();
            p[PAGE_HEADER + 2 * i..][..2].copy_from_slice(&(top as u16).to_le_bytes());
            p[top..][..item.len()].copy_from_slice(item);
        }
        p
    }

    fn overflow(number: u32, next: u32, data: &[u8]) -> Vec<u8> {
        let mut p = page(number, OVERFLOW, next, &[]);
        p[22..24].copy_from_slice(&(data.len() as u16).to_le_bytes());
        p[PAGE_HEADER..][..data.len()].copy_from_slice(data);
        p
    }

    fn away(kind: u8, page: u32, len: u32) -> Vec<u8> {
        let mut b = if kind == 3 { vec![3, 0, 0, 0] } else { vec![0, 0, 3, 0] };
        b.extend(page.to_le_bytes());
        b.extend(len.to_le_bytes());
        b
    }

    fn hash_file() -> Vec<u8> {
        let usual = spread(b"%$sniglet^&\0");
        [
            meta(HASH_MAGIC, HASH_META, 4, &[(92, usual), (96, 1)]),
            page(1, HASH, 2, &[b"\x01a\0", b"\x01A\0", b"\x01big", &away(3, 3, 500)]),
            page(2, HASH, 0, &[b"\x01chained", b"\x01yes", b"\x01two", b"\x02x"]),
            overflow(3, 4, &[b'x'; 400]),
            overflow(4, 0, &[b'y'; 100]),
        ]
        .concat()
    }

    fn leaf(data: &[u8]) -> Vec<u8> {
        [&(data.len() as u16).to_le_bytes(), &b"\x01"[..], data].concat()
    }

    fn inner(child: u32, key: &[u8]) -> Vec<u8> {
        [&(key.len() as u16).to_le_bytes(), &b"\x01\0"[..], &child.to_le_bytes(), &[0; 4], key].concat()
    }

    fn tree_file() -> Vec<u8> {
        let mut deleted = leaf(b"gone");
        deleted[2] |= 0x80;
        [
            meta(BTREE_MAGIC, BTREE_META, 4, &[(88, 1)]),
            page(1, BTREE_INTERNAL, 0, &[&inner(2, b""), &inner(3, b"m")]),
            page(2, BTREE_LEAF, 3, &[&leaf(b"a"), &leaf(b"A"), &deleted, &leaf(b"G")]),
            page(
                3,
                BTREE_LEAF,
                0,
                &[&leaf(b"m"), &leaf(b"M"), &leaf(b"z"), &{
                    let mut b = away(0, 4, 7);
                    b[2] = 3;
                    b
                }],
            ),
            overflow(4, 0, b"seven77"),
        ]
        .concat()
    }

    fn reader(data: &[u8]) -> Read<Reader<std::fs::File>> {
        let file = std::fs::File::from(crate::sys::file::temporary(b"/tmp").unwrap());
        file.write_all_at(data, 0).unwrap();
        Reader::new(file)
    }

    #[test]
    fn hashes() {
        let r = reader(&hash_file()).unwrap();
        assert_eq!(r.get(b"a\0").unwrap().unwrap(), b"A\0");
        assert_eq!(r.get(b"big").unwrap().unwrap().len(), 500);
        assert_eq!(r.get(b"chained").unwrap().unwrap(), b"yes");
        assert_eq!(r.get(b"none").unwrap(), None);
        assert_eq!(r.get(b"two"), Err(SEVERAL));
    }

    #[test]
    fn trees() {
        let r = reader(&tree_file()).unwrap();
        assert_eq!(r.get(b"a").unwrap().unwrap(), b"A");
        assert_eq!(r.get(b"m").unwrap().unwrap(), b"M");
        assert_eq!(r.get(b"z").unwrap().unwrap(), b"seven77");
        for none in ["", "0", "gone", "l", "zz"] {
            assert_eq!(r.get(none.as_bytes()).unwrap(), None, "{none}");
        }
    }

    #[test]
    fn damage_is_an_error_or_an_answer() {
        for whole in [hash_file(), tree_file()] {
            for cut in [0, 16, 100, 511, 513] {
                assert!(reader(&whole[..cut]).is_err() || reader(&whole[..cut]).unwrap().get(b"a").is_err());
            }
            for at in 0..whole.len() {
                for with in [0xff, 0x01] {
                    let mut bad = whole.clone();
                    bad[at] ^= with;
                    if let Ok(r) = reader(&bad) {
                        for key in [&b"a\0"[..], b"big", b"chained", b"z"] {
                            let _ = r.get(key);
                        }
                    }
                }
            }
        }
        // A chain that comes back to itself ends.
        let mut bad = hash_file();
        put(&mut bad, 2 * SIZE + 16, 1);
        assert_eq!(reader(&bad).unwrap().get(b"none"), Err(DAMAGED));
    }
}
