//! What rules for single lines cannot say.

use super::State;

/// Is the line a continuation of a header that has been dropped?
pub fn continues_header(line: &[u8], state: &mut State) -> bool {
    let indented = line.first().is_some_and(u8::is_ascii_whitespace);
    state.in_header &= indented;
    state.in_header
}

/// Lines that come in no fixed order are held back and sorted; a note is put before a line that
/// speaks of addresses, and repeated notes collapse.
pub fn arrange_stderr(line: Vec<u8>, state: &mut State) -> Vec<Vec<u8>> {
    if line.starts_with(b"check_dir_size:") || line.starts_with(b"skipping TESTSUITE/test-mail/") {
        state.held.push(line);
        return Vec::new();
    }
    let mut out = Vec::new();
    if !state.held.is_empty() {
        let note = "MUNGED: the check_dir_size lines have been sorted to ensure consistency";
        out.push(note.as_bytes().to_vec());
        state.held.sort();
        out.append(&mut state.held);
    }
    if super::contains(&line, b"looked up these IP addresses") {
        out.push(b"MUNGED: ::1 will be omitted in what follows".to_vec());
    }
    let note = b"notify triggered queue run";
    if super::contains(&line, note) && super::contains(&state.last, note) && out.is_empty() {
        return out;
    }
    out.push(line);
    out
}

/// Is the line a date and a time, and nothing else?
pub fn is_time_alone(line: &[u8]) -> bool {
    let form = b"####-##-## ##:##:##";
    line.len() == form.len() && line.iter().zip(form).all(|(c, f)| if *f == b'#' { c.is_ascii_digit() } else { c == f })
}
