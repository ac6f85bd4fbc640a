//! Writes the `DKIM-Signature:` line, folded as the reference folds it.

/// Lines are no longer than this, CRLF not counted.
const WIDTH: usize = 78;

/// A header line in the making, with CRLF line ends.
#[derive(Clone, Debug)]
pub struct Folded {
    text: Vec<u8>,
    column: usize,
}

impl Folded {
    /// Begins with the field name and the first tag.
    pub fn new(start: &str) -> Self {
        Folded { text: start.as_bytes().to_vec(), column: start.len() }
    }

    fn new_line(&mut self) {
        self.text.extend_from_slice(b"\r\n\t");
        self.column = 1;
    }

    fn put(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
        self.column += bytes.len();
    }

    fn separator(&mut self, c: u8) {
        if self.column >= WIDTH {
            self.new_line();
        }
        self.put(&[c]);
    }

    /// Adds a tag: in the line if it fits there, else in a new one; a value too long for any line is cut.
    pub fn tag(&mut self, intro: &str, value: &[u8]) {
        self.separator(b';');
        if 1 + intro.len() + value.len() < WIDTH {
            if self.column + 1 + intro.len() + value.len() > WIDTH {
                self.new_line();
            } else {
                self.put(b" ");
            }
            self.put(intro.as_bytes());
            self.put(value);
            return;
        }
        self.begin_long(intro);
        self.cut(value);
    }

    fn begin_long(&mut self, intro: &str) {
        if self.column < WIDTH {
            self.put(b" ");
        }
        if self.column + intro.len() > WIDTH {
            self.new_line();
        }
        self.put(intro.as_bytes());
    }

    /// Adds the last tag, which is the signature of all: `sign` gives it, for the text with an empty value.
    pub fn signed(mut self, intro: &str, sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, String>) -> Result<Vec<u8>, String> {
        self.separator(b';');
        self.begin_long(intro);
        let unsigned = [self.text.as_slice(), b";"].concat();
        let value = sign(&unsigned)?;
        self.cut(&value);
        // Not in a line of its own: dkimpy takes only the value out of the line when it verifies, not white space after it.
        self.put(b";");
        Ok(self.text)
    }

    fn cut(&mut self, mut value: &[u8]) {
        while !value.is_empty() {
            if self.column >= WIDTH {
                self.new_line();
            }
            let (head, rest) = value.split_at((WIDTH - self.column).min(value.len()));
            self.put(head);
            value = rest;
        }
    }

    /// Adds one more word to a list with colons.
    pub fn word(&mut self, word: &[u8]) {
        self.separator(b':');
        if self.column + word.len() > WIDTH && word.len() < WIDTH {
            self.new_line();
        }
        self.cut(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds() {
        let mut f = Folded::new("X-Line: v=1");
        f.tag("d=", &[b'd'; 60]);
        f.tag("s=", b"selector");
        f.tag("h=", b"From");
        for _ in 0..8 {
            f.word(b"Resent-Date");
        }
        let sign = |unsigned: &[u8]| {
            assert!(unsigned.ends_with(b"b=;"));
            Ok(vec![b'B'; 100])
        };
        let text = f.signed("b=", sign).unwrap();
        assert!(text.split(|c| *c == b'\n').all(|l| l.len() <= WIDTH + 2));
        let unfolded: Vec<u8> = text.iter().copied().filter(|c| !b" \r\n\t".contains(c)).collect();
        assert!(unfolded.ends_with(&[&[b'B'; 100][..], b";"].concat()));
    }
}
