//! Unified differences, for people.

use std::fmt::Write;

const CONTEXT: usize = 3;
/// Beyond this many pairs of lines, the common part is not looked for.
const MOST: usize = 25_000_000;

#[derive(Clone, Copy, PartialEq)]
enum Op {
    Same,
    Delete,
    Insert,
}

pub fn unified(name: &str, expected: &[Vec<u8>], got: &[Vec<u8>]) -> String {
    let ops = operations(expected, got);
    let mut out = format!("--- expected/{name}\n+++ got/{name}\n");
    let (mut a, mut b) = (0, 0);
    // The place of each operation in both files.
    let mut places = Vec::with_capacity(ops.len());
    for op in &ops {
        places.push((*op, a, b));
        a += usize::from(*op != Op::Insert);
        b += usize::from(*op != Op::Delete);
    }
    let mut at = 0;
    while let Some(first) = (at..places.len()).find(|&i| places[i].0 != Op::Same) {
        let start = first.saturating_sub(CONTEXT).max(at);
        let mut last = first;
        for (i, place) in places.iter().enumerate().skip(first) {
            if place.0 != Op::Same {
                last = i;
            } else if i > last + 2 * CONTEXT {
                break;
            }
        }
        let end = (last + CONTEXT + 1).min(places.len());
        hunk(&mut out, &places[start..end], expected, got);
        at = end;
    }
    out
}

fn hunk(out: &mut String, places: &[(Op, usize, usize)], expected: &[Vec<u8>], got: &[Vec<u8>]) {
    let count = |without: Op| places.iter().filter(|(op, ..)| *op != without).count();
    let (a, b) = (places[0].1 + 1, places[0].2 + 1);
    let _ = writeln!(out, "@@ -{a},{} +{b},{} @@", count(Op::Insert), count(Op::Delete));
    for (op, a, b) in places {
        let (mark, line) = match op {
            Op::Same => (' ', &expected[*a]),
            Op::Delete => ('-', &expected[*a]),
            Op::Insert => ('+', &got[*b]),
        };
        let _ = writeln!(out, "{mark}{}", String::from_utf8_lossy(line));
    }
}

/// The way from one file to the other, by their longest common subsequence.
fn operations(a: &[Vec<u8>], b: &[Vec<u8>]) -> Vec<Op> {
    let head = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (rest_a, rest_b) = (&a[head..], &b[head..]);
    let tail = rest_a.iter().rev().zip(rest_b.iter().rev()).take_while(|(x, y)| x == y).count();
    let (a, b) = (&rest_a[..rest_a.len() - tail], &rest_b[..rest_b.len() - tail]);
    let mut ops = vec![Op::Same; head];
    if a.len() * b.len() > MOST {
        ops.extend(vec![Op::Delete; a.len()]);
        ops.extend(vec![Op::Insert; b.len()]);
    } else {
        middle(a, b, &mut ops);
    }
    ops.extend(vec![Op::Same; tail]);
    ops
}

fn middle(a: &[Vec<u8>], b: &[Vec<u8>], ops: &mut Vec<Op>) {
    let width = b.len() + 1;
    // common[i * width + j]: what a[i..] and b[j..] have in common.
    let mut common = vec![0u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i * width + j] = if a[i] == b[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            ops.push(Op::Same);
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || i < a.len() && common[(i + 1) * width + j] >= common[i * width + j + 1] {
            ops.push(Op::Delete);
            i += 1;
        } else {
            ops.push(Op::Insert);
            j += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::split_lines;
    use super::*;

    #[test]
    fn a_unified_difference() {
        let expected = split_lines(b"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n");
        let got = split_lines(b"1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n12\n13\n");
        assert_eq!(
            unified("log/1", &expected, &got),
            "--- expected/log/1\n+++ got/log/1\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n \
             8\n@@ -10,3 +10,4 @@\n 10\n 11\n 12\n+13\n"
        );
    }
}
