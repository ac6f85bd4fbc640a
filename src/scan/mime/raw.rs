//! Reading MIME text line by line between boundaries. Lines have no limit; they come in pieces of a bounded size.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};

use bstr::BString;

/// Longest piece of a line.
const MAX_PIECE: usize = 32 << 10;

/// A file that is being read.
pub(super) struct Reader {
    file: BufReader<File>,
    position: u64,
    /// The next piece begins a line.
    line_start: bool,
}

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text: a line with its end, or a piece of one.
    Text(Vec<u8>),
    /// A boundary line: the number of the boundary in the list, and whether it is the closing one.
    Boundary(usize, bool),
    /// No more.
    End,
}

impl Reader {
    /// From this place of the file, which begins a line.
    pub(super) fn new(file: File, position: u64) -> io::Result<Self> {
        let mut file = BufReader::new(file);
        file.seek(SeekFrom::Start(position))?;
        Ok(Reader { file, position, line_start: true })
    }

    /// Where the next piece begins.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next piece. `boundaries` are those of all multiparts around, the innermost last.
    pub(super) fn next(&mut self, boundaries: &[BString]) -> io::Result<Piece> {
        let mut text = Vec::new();
        while text.len() < MAX_PIECE {
            let buffer = self.file.fill_buf()?;
            let room = buffer.len().min(MAX_PIECE - text.len());
            let Some(buffer) = buffer.get(..room).filter(|b| !b.is_empty()) else { break };
            let end = buffer.iter().position(|c| *c == b'\n').map_or(buffer.len(), |n| n + 1);
            text.extend_from_slice(&buffer[..end]);
            self.file.consume(end);
            if text.ends_with(b"\n") {
                break;
            }
        }
        if text.is_empty() {
            return Ok(Piece::End);
        }
        self.position += text.len() as u64;
        let whole_start = std::mem::replace(&mut self.line_start, text.ends_with(b"\n"));
        if whole_start && let Some((n, closing)) = boundary(&text, boundaries) {
            return Ok(Piece::Boundary(n, closing));
        }
        Ok(Piece::Text(text))
    }
}

/// Which boundary a line is. As RFC 2046 says, the line need only begin with it; if it begins with several, the longest
/// counts.
fn boundary(line: &[u8], boundaries: &[BString]) -> Option<(usize, bool)> {
    let rest = line.strip_prefix(b"--")?;
    let (n, b) = boundaries.iter().enumerate().filter(|(_, b)| rest.starts_with(b)).max_by_key(|(_, b)| b.len())?;
    Some((n, rest.get(b.len()..)?.starts_with(b"--")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn reader(text: &[u8]) -> Reader {
        let fd = crate::sys::file::temporary(b"/tmp").unwrap();
        let mut f = File::from(fd);
        f.write_all(text).unwrap();
        Reader::new(f, 0).unwrap()
    }

    #[test]
    fn boundaries() {
        let b = ["B".into(), "B1".into()];
        assert_eq!(boundary(b"--B1\n", &b), Some((1, false)));
        assert_eq!(boundary(b"--B1--\n", &b), Some((1, true)));
        assert_eq!(boundary(b"--BX\n", &b), Some((0, false)));
        assert_eq!(boundary(b"--B--", &b), Some((0, true)));
        assert_eq!(boundary(b"-B\n", &b), None);
        assert_eq!(boundary(b"--", &b), None);
    }

    #[test]
    fn pieces() {
        let mut long = vec![b'x'; MAX_PIECE];
        long.extend_from_slice(b"--B\n--B\n");
        let mut r = reader(&long);
        let b = ["B".into()];
        assert_eq!(r.next(&b).unwrap(), Piece::Text(vec![b'x'; MAX_PIECE]));
        // In the middle of a line there is no boundary.
        assert_eq!(r.next(&b).unwrap(), Piece::Text(b"--B\n".to_vec()));
        assert_eq!(r.next(&b).unwrap(), Piece::Boundary(0, false));
        assert_eq!(r.position(), long.len() as u64);
        assert_eq!(r.next(&b).unwrap(), Piece::End);
    }
}
