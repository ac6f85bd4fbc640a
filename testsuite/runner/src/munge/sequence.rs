//! Consistent replacement: the same old text always becomes the same new text.

use std::collections::HashMap;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    MessageId,
    OldMessageId,
    Pid,
    Port,
    Connection,
}

/// The cache of one test. Its key is only the old text, whatever rule found it.
pub struct Cache {
    known: HashMap<Vec<u8>, Vec<u8>>,
    message_id: (u8, u8, usize),
    old_message_id: (u8, u8, usize),
    pid: u32,
    port: u32,
    connection: u32,
    /// The port that was open for the test.
    pub dynamic_port: Option<u16>,
}

impl Default for Cache {
    fn default() -> Cache {
        let first = (b'a', b'X', 1);
        Cache {
            known: HashMap::new(),
            message_id: first,
            old_message_id: first,
            pid: 1234,
            port: 10001,
            connection: 1111,
            dynamic_port: None,
        }
    }
}

impl Cache {
    /// The replacement of `old`: known, or made from `base` with the counter for its `%`.
    pub fn replace(&mut self, old: &[u8], base: &str, counter: Counter) -> Vec<u8> {
        if let Some(new) = self.known.get(old) {
            return new.clone();
        }
        let number = |value: &mut u32| {
            *value += 1;
            (*value - 1).to_string()
        };
        let value = match counter {
            Counter::MessageId => letters(&mut self.message_id),
            Counter::OldMessageId => letters(&mut self.old_message_id),
            Counter::Pid => number(&mut self.pid),
            Counter::Port => number(&mut self.port),
            Counter::Connection => number(&mut self.connection),
        };
        let new = base.replacen('%', &value, 1).into_bytes();
        self.known.insert(old.to_vec(), new.clone());
        new
    }

    pub fn known(&self, old: &[u8]) -> Option<&Vec<u8>> {
        self.known.get(old)
    }
}

/// aX aY aZ bA ... zZ aaA
fn letters(state: &mut (u8, u8, usize)) -> String {
    let (small, capital, repeat) = *state;
    *state = match (small, capital) {
        (b'z', b'Z') => (b'a', b'A', repeat + 1),
        (small, b'Z') => (small + 1, b'A', repeat),
        (small, capital) => (small, capital + 1, repeat),
    };
    // After zZ the string grows at its front.
    let front = "a".repeat(repeat - 1);
    format!("{front}{}{}", small as char, capital as char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_text_alone_is_the_key() {
        let mut cache = Cache::default();
        assert_eq!(cache.replace(b"77", "p%", Counter::Pid), b"p1234");
        assert_eq!(cache.replace(b"78", "%", Counter::Port), b"10001");
        assert_eq!(cache.replace(b"77", "%", Counter::Port), b"p1234");
        assert_eq!(cache.replace(b" [77]", " [%]", Counter::Pid), b" [1235]");
        assert_eq!(cache.known(b"78").unwrap(), b"10001");
    }

    #[test]
    fn letters_are_counted_as_strings() {
        let mut cache = Cache::default();
        let mut next = |n: u32| cache.replace(&n.to_be_bytes(), "%", Counter::MessageId);
        let all: Vec<Vec<u8>> = (0..656).map(&mut next).collect();
        assert_eq!(all[..4], [b"aX", b"aY", b"aZ", b"bA"]);
        assert_eq!(all[652], b"zZ");
        assert_eq!(all[653], b"aaA");
    }
}
