//! The process in which the client library is called, and what the two processes say to each other.

use std::fs::File;
use std::io::{Seek, SeekFrom};

use bstr::ByteSlice;

use crate::foreign;
use crate::sys::brightmail::{Client, Destination, Facts, Message};
use crate::sys::{error_text, fd, file, frames};

/// How the program is called.
pub const FLAG: &[u8] = b"-Ybrightmail";
/// The questions: is the library there; what of this message; what do these verdicts say?
pub(super) const CHECK: u8 = b'C';
pub(super) const SCAN: u8 = b'S';
pub(super) const READ: u8 = b'R';

/// The whole life of the process.
pub fn main() -> i32 {
    foreign::answer(|kind, request| {
        let parts = frames::unpack(request);
        let (library, rest) = parts.split_first().ok_or("bad request")?;
        let client = Client::load(library)?;
        match (kind, rest) {
            (CHECK, []) => Ok(Vec::new()),
            (SCAN, [message, data, start]) => scan(&client, message, data, start),
            (READ, [rules, verdicts]) => {
                let rules: Vec<i32> = numbers(rules);
                let facts = frames::unpack(verdicts).iter().map(|v| client.read(v, &rules)).collect::<Result<Vec<_>, _>>()?;
                Ok(frames::pack(facts.iter().map(write_facts)))
            }
            _ => Err("bad request".into()),
        }
    })
}

fn scan(client: &Client, message: &[u8], data: &[u8], start: &[u8]) -> Result<Vec<u8>, String> {
    let failed = |e: std::io::Error| format!("cannot read the message: {}", error_text(&e));
    let mut body = File::from(file::open(data, file::Flags::READ, 0).map_err(failed)?);
    let start = numbers(start).first().and_then(|n| u64::try_from(*n).ok()).unwrap_or(0);
    body.seek(SeekFrom::Start(start)).map_err(failed)?;
    let mut warn = |text: String| {
        // If nobody hears it, nobody waits for the answer either.
        let _ = frames::give(fd::stdin(), b'W', text.as_bytes(), None);
    };
    Ok(frames::pack(client.scan(&read_message(message).ok_or("bad request")?, &mut body, &mut warn)?))
}

fn numbers(text: &[u8]) -> Vec<i32> {
    text.fields().filter_map(|n| n.to_str().ok()?.parse().ok()).collect()
}

/// Numbers, as a request has them.
pub(super) fn write_numbers(numbers: &[i32]) -> Vec<u8> {
    numbers.iter().map(i32::to_string).collect::<Vec<_>>().join(" ").into_bytes()
}

/// A message, as a request has it.
pub(super) fn write_message(m: &Message) -> Vec<u8> {
    let recipients = frames::pack(m.recipients.iter().map(|(a, o)| frames::pack(std::iter::once(a).chain(o))));
    frames::pack([m.config_file.clone(), m.client_address.clone(), m.sender.clone(), recipients, frames::pack(&m.headers)])
}

fn read_message(text: &[u8]) -> Option<Message> {
    let parts = frames::unpack(text);
    let [config_file, client_address, sender, recipients, headers] = parts.try_into().ok()?;
    let recipients = frames::unpack(&recipients).into_iter().filter_map(|r| {
        let mut parts = frames::unpack(&r).into_iter();
        Some((parts.next()?, parts.next()))
    });
    let (recipients, headers) = (recipients.collect(), frames::unpack(&headers));
    Some(Message { config_file, client_address, sender, recipients, headers })
}

fn write_facts(f: &Facts) -> Vec<u8> {
    let destination = match &f.destination {
        Destination::Default => b"d".to_vec(),
        Destination::Alternate(place) => [b"a", &place[..]].concat(),
        Destination::None => b"n".to_vec(),
    };
    frames::pack([frames::pack(&f.recipients), destination, write_numbers(&f.fired), f.tracker.clone()])
}

/// What verdicts say, from the answer.
pub(super) fn read_facts(text: &[u8]) -> Vec<Facts> {
    let one = |text: &Vec<u8>| {
        let parts = frames::unpack(text);
        let [recipients, destination, fired, tracker] = parts.try_into().ok()?;
        let destination = match destination.split_first() {
            Some((b'a', place)) => Destination::Alternate(place.to_vec()),
            Some((b'n', _)) => Destination::None,
            _ => Destination::Default,
        };
        Some(Facts { recipients: frames::unpack(&recipients), destination, fired: numbers(&fired), tracker })
    };
    frames::unpack(text).iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let m = Message {
            config_file: b"/etc/x".to_vec(),
            client_address: b"::1".to_vec(),
            sender: Vec::new(),
            recipients: vec![(b"a@b".to_vec(), None), (b"c@d".to_vec(), Some(b"x:y".to_vec()))],
            headers: vec![b"A: b\n".to_vec()],
        };
        assert_eq!(read_message(&write_message(&m)), Some(m));
        assert_eq!(read_message(b"junk"), None);
        let all = [
            Facts::default(),
            Facts {
                recipients: vec![b"a@b".to_vec()],
                destination: Destination::None,
                fired: vec![1, 20],
                tracker: b"t".to_vec(),
            },
            Facts { destination: Destination::Alternate(b"X: y".to_vec()), ..Facts::default() },
        ];
        assert_eq!(read_facts(&frames::pack(all.iter().map(write_facts))), all);
        assert_eq!(read_facts(b"\0\0\0\x01x"), []);
    }
}
