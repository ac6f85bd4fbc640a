//! Where one address of a list ends: at a comma that is not quoted, commented, or within a source route.
//!
//! For header lines (`nl_ends` false) and forward lists (`nl_ends` true: a newline separates too).

/// The place of the comma (or newline) that ends the first address of the text, or the text's length.
pub fn find_address_end(text: &[u8], nl_ends: bool) -> usize {
    let get = |i: usize| text.get(i).copied().unwrap_or(0);
    let over = |i: usize| i >= text.len() || (nl_ends && get(i) == b'\n');
    // How many terminators must pass before a comma counts: `:` of a source route, `>`.
    let mut source_routing = get(0) == b'@';
    let mut no_term = i32::from(source_routing);
    let mut i = 0;
    while !over(i) && (get(i) != b',' || no_term > 0) {
        match get(i) {
            b'\\' if i + 1 < text.len() => i += 2,
            b'"' => {
                i += 1;
                let mut open = true;
                while open && !over(i) {
                    match get(i) {
                        b'\\' => i += 1,
                        b'"' => open = false,
                        _ => {}
                    }
                    i += 1;
                }
            }
            b'(' => {
                let mut level = 1;
                i += 1;
                while !over(i) && level > 0 {
                    match get(i) {
                        b'\\' => i += 1,
                        b'(' => level += 1,
                        b')' => level -= 1,
                        _ => {}
                    }
                    i += 1;
                }
            }
            c => {
                match c {
                    b'<' => {
                        source_routing = get(i + 1) == b'@';
                        no_term = if source_routing { 2 } else { 1 };
                    }
                    b'>' => no_term -= 1,
                    b':' if source_routing => no_term -= 1,
                    _ => {}
                }
                i += 1;
            }
        }
    }
    i.min(text.len())
}
