//! Adjustments of munged files before they are compared.

use std::sync::LazyLock;

use regex::bytes::Regex;

static DELIVERY: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?-u)^\S{10}\s\d\d:\d\d:\d\d(?:\.\d{3})?\s[-\w]{23}\s(?:=>|->|\*>)";
    Regex::new(pattern).expect("a pattern")
});

const TRUNCATED: &[u8] = b"*** truncated ***";

/// Sort each run of delivery lines, and say so at the top.
pub fn sorted_deliveries(lines: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let note = b"**NOTE: The delivery lines in this file have been sorted.".to_vec();
    let mut out = vec![note];
    let mut run: Vec<Vec<u8>> = Vec::new();
    for line in lines {
        if DELIVERY.is_match(&line) {
            run.push(line);
            continue;
        }
        run.sort();
        out.append(&mut run);
        out.push(line);
    }
    run.sort();
    out.append(&mut run);
    out
}

/// Text is cut where it happens to be: for each mark of that, delete the lines before it back to
/// the one that comes before the mark in the expected file.
pub fn without_truncated(mut got: Vec<Vec<u8>>, expected: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let is_mark = |line: &Vec<u8>| line.windows(TRUNCATED.len()).any(|part| part == TRUNCATED);
    let marks: Vec<usize> = (0..expected.len()).filter(|&i| is_mark(&expected[i])).collect();
    let mut from = 0;
    for mark in marks {
        let Some(at) = (from..got.len()).find(|&i| is_mark(&got[i])) else {
            break;
        };
        from = at + 1;
        let Some(before) = mark.checked_sub(1).map(|i| &expected[i]) else {
            continue;
        };
        if let Some(same) = (0..at).rev().find(|&i| got[i] == *before) {
            got.drain(same + 1..at);
            from = same + 2;
        }
    }
    got
}

#[cfg(test)]
mod tests {
    use super::super::split_lines;
    use super::*;

    #[test]
    fn deliveries_are_sorted_in_runs() {
        let id = "1999-03-02 09:44:33 10HmaX-000000005vi-0000";
        let text = format!("{id} => b\n{id} -> a\n{id} Completed\n{id} => c\n");
        let sorted = sorted_deliveries(split_lines(text.as_bytes()));
        let text = format!(
            "**NOTE: The delivery lines in this file have been sorted.\n\
             {id} -> a\n{id} => b\n{id} Completed\n{id} => c\n"
        );
        assert_eq!(sorted, split_lines(text.as_bytes()));
    }

    #[test]
    fn what_was_cut_differently_is_deleted() {
        let expected = split_lines(b"a\nb\n*** truncated ***\nz");
        let got = split_lines(b"a\nb\nc\nd\n*** truncated ***\nz");
        assert_eq!(without_truncated(got, &expected), expected);
    }
}
