//! The process in which `local_scan()` runs: this program, called with [`FLAG`] and a socket as its standard input.

use std::io;
use std::os::fd::AsFd;

use bstr::ByteSlice;

use crate::foreign::{MAX_FRAME, enter};
use crate::sys::frames;
use crate::sys::local_scan::{Host, Message, Value, call};
use crate::sys::{fd, file};

/// How the program is called.
pub const FLAG: &[u8] = b"-YlocalScan";

/// Asks the process that started us.
struct Parent;

impl Parent {
    fn ask(&self, kind: u8, strings: &[&[u8]]) -> io::Result<(u8, Vec<u8>)> {
        frames::give(fd::stdin(), kind, &frames::pack(strings), None)?;
        frames::take(fd::stdin(), MAX_FRAME, None)
    }

    fn value(&self, kind: u8, strings: &[&[u8]]) -> Result<Vec<u8>, Vec<u8>> {
        match self.ask(kind, strings) {
            Ok((b'V', value)) => Ok(value),
            Ok((_, text)) => Err(text),
            Err(e) => Err(e.to_string().into_bytes()),
        }
    }
}

fn flag(on: bool) -> &'static [u8] {
    if on { b"1" } else { b"" }
}

impl Host for Parent {
    fn expand(&mut self, string: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
        self.value(b'X', &[string])
    }
    fn matches(&mut self, kind: u8, subject: &[u8], list: &[u8], caseless: bool) -> i32 {
        match self.value(b'M', &[&[kind], subject, list, flag(caseless)]) {
            Ok(v) => v.to_str().ok().and_then(|v| v.parse().ok()).unwrap_or(3),
            Err(_) => 3,
        }
    }
    fn decode(&mut self, string: &[u8], check_length: bool, target: Option<&[u8]>, zero: u8) -> Result<Vec<u8>, Vec<u8>> {
        self.value(b'Q', &[string, flag(check_length), target.unwrap_or_default(), &[zero]])
    }
    fn write(&mut self, place: u8, text: &[u8]) {
        // One that nobody hears ends with the function.
        let _ = frames::give(fd::stdin(), b'W', &frames::pack([&[place], text]), None);
    }
}

/// The whole life of the process.
pub fn main() -> i32 {
    if !enter() {
        return 1;
    }
    match run() {
        Ok(answer) => i32::from(frames::give(fd::stdin(), b'O', &answer, None).is_err()),
        Err(text) => {
            let _ = frames::give(fd::stdin(), b'E', text.as_bytes(), None);
            1
        }
    }
}

fn run() -> Result<Vec<u8>, String> {
    let failed = |e: io::Error| crate::sys::error_text(&e);
    let (_, request) = frames::take(fd::stdin(), MAX_FRAME, None).map_err(failed)?;
    let parts = frames::unpack(&request);
    let [library, data, start, variables, message] = parts.as_slice() else { return Err("bad request".into()) };
    let data = file::open(data, file::Flags::READ_WRITE, 0).map_err(failed)?;
    let mut body = std::fs::File::from(data);
    let start = start.to_str().ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    io::Seek::seek(&mut body, io::SeekFrom::Start(start)).map_err(failed)?;
    let variables = read_variables(variables);
    let outcome = call(library, &variables, &read_message(message), body.as_fd(), Box::new(Parent))?;
    let text = frames::pack(outcome.text);
    Ok(frames::pack([outcome.code.to_string().into_bytes(), text, write_message(&outcome.message)]))
}

/// Variables as strings: name, `i` and a number, or `t` and a text, or `n`.
pub(super) fn write_variables(variables: &[(String, Value)]) -> Vec<u8> {
    frames::pack(variables.iter().flat_map(|(name, value)| {
        let value = match value {
            Value::Int(n) => format!("i{n}").into_bytes(),
            Value::Text(Some(t)) => [b"t", &t[..]].concat(),
            Value::Text(None) => b"n".to_vec(),
        };
        [name.clone().into_bytes(), value]
    }))
}

fn read_variables(text: &[u8]) -> Vec<(String, Value)> {
    let strings = frames::unpack(text);
    let pairs = strings.chunks_exact(2).filter_map(|p| {
        let name = p.first()?.to_str().ok()?.to_string();
        let value = match p.get(1)?.split_first()? {
            (b'i', n) => Value::Int(n.to_str().ok()?.parse().ok()?),
            (b't', t) => Value::Text(Some(t.to_vec())),
            _ => Value::Text(None),
        };
        Some((name, value))
    });
    pairs.collect()
}

/// A message as two lists: header lines with their type before them; addresses, each with none or one `errors_to`.
pub(super) fn write_message(message: &Message) -> Vec<u8> {
    let headers = frames::pack(message.headers.iter().map(|(kind, text)| [&[*kind], &text[..]].concat()));
    let recipients =
        frames::pack(message.recipients.iter().map(|(a, e)| frames::pack(std::iter::once(a.as_slice()).chain(e.as_deref()))));
    frames::pack([headers, recipients])
}

/// See [`write_message`].
pub(super) fn read_message(text: &[u8]) -> Message {
    let parts = frames::unpack(text);
    let mut lists = parts.iter().map(|p| frames::unpack(p));
    let headers = lists.next().unwrap_or_default();
    let recipients = lists.next().unwrap_or_default();
    Message {
        headers: headers.iter().filter_map(|h| h.split_first().map(|(k, t)| (*k, t.to_vec()))).collect(),
        recipients: recipients
            .iter()
            .filter_map(|r| {
                let mut parts = frames::unpack(r).into_iter();
                Some((parts.next()?, parts.next()))
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let m = Message {
            headers: vec![(b'F', b"From: x\n".to_vec()), (b' ', b"X: y\n z\n".to_vec())],
            recipients: vec![(b"a@b".to_vec(), None), (b"c@d".to_vec(), Some(b"e@f".to_vec()))],
        };
        assert_eq!(read_message(&write_message(&m)), m);
        assert_eq!(read_message(b"junk"), Message::default());
        let v = vec![
            ("n".to_string(), Value::Int(-3)),
            ("t".into(), Value::Text(Some(b"x".to_vec()))),
            ("u".into(), Value::Text(None)),
        ];
        assert_eq!(read_variables(&write_variables(&v)), v);
    }
}
