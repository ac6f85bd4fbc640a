//! The report as plain text.

use super::report::{Body, Report};

pub fn show(report: &Report) -> String {
    let mut out = format!("\n{}\n", report.title);
    for s in &report.sections {
        out.push_str(&format!("\n{}\n{}\n", s.title, "-".repeat(s.title.len())));
        match &s.body {
            Body::Table(columns, rows) => {
                if !s.above.is_empty() {
                    let width = columns.iter().map(|c| c.1).sum::<usize>() + 1;
                    out.push_str(&format!("{:>width$}\n", s.above));
                }
                let header: Vec<String> = columns.iter().map(|c| c.0.clone()).collect();
                // The times on the queue need no header.
                if header.iter().all(String::is_empty) {
                    out.push('\n');
                } else {
                    line(&mut out, columns, &header);
                }
                for row in rows {
                    line(&mut out, columns, row);
                }
            }
            Body::Histogram(bars, dot) => {
                out.push('\n');
                for (label, n) in bars {
                    let dots = usize::try_from(n / dot).unwrap_or(0);
                    out.push_str(&format!("{label} {n:6} {}\n", ".".repeat(dots)));
                }
            }
            Body::Lines(lines, _) if lines.is_empty() => {}
            Body::Lines(lines, end) => {
                out.push('\n');
                for l in lines {
                    out.push_str(l);
                    out.push('\n');
                }
                out.push_str(&format!("\n{end}\n"));
            }
            Body::Blocks(lines, end) => {
                out.push('\n');
                for l in lines {
                    out.push_str(&format!("{l}\n\n"));
                }
                out.push_str(&format!("{end}\n{}\n", "-".repeat(end.len())));
            }
        }
    }
    out
}

fn line(out: &mut String, columns: &[(String, usize)], cells: &[String]) {
    let mut text = String::new();
    for (i, (cell, (_, width))) in cells.iter().zip(columns).enumerate() {
        match (i, width) {
            (_, 0) => text.push_str(cell),
            (0, w) if cell.starts_with("  ") || cell.is_empty() => text.push_str(&format!("{cell:<w$}")),
            (_, w) => text.push_str(&format!("{cell:>w$}")),
        }
    }
    out.push_str(text.trim_end());
    out.push('\n');
}
