//! The report as an HTML page. Charts are SVG within it: no script, no other file.

use super::report::{Body, Report};

/// What the title of a section begins with.
pub const SECTION: &str = "<h2";

const STYLE: &str = "body{font-family:sans-serif;margin:2em;color:#222;background:#fff}table{border-collapse:collapse}\
td,th{border:1px solid #bbb;padding:.2em .6em;text-align:right}td:last-child,th:last-child,td:first-child{text-align:left}\
th{background:#eee}svg{margin:1em 0}rect{fill:#3a6ea5}text{font:11px sans-serif;fill:#222}";

/// Bars of a chart of a table.
const MAX_BARS: usize = 15;

pub fn show(report: &Report) -> String {
    let title = escape(&report.title);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<ul>\n"
    );
    for (i, s) in report.sections.iter().enumerate() {
        out.push_str(&format!("<li><a href=\"#s{i}\">{}</a></li>\n", escape(&s.title)));
    }
    out.push_str("</ul>\n");
    for (i, s) in report.sections.iter().enumerate() {
        out.push_str(&format!("<hr>\n{SECTION} id=\"s{i}\">{}</h2>\n", escape(&s.title)));
        match &s.body {
            Body::Table(columns, rows) => {
                table(&mut out, columns, rows);
                chart_of_table(&mut out, &s.title, columns, rows);
            }
            Body::Histogram(bars, _) => columns_chart(&mut out, &s.title, bars),
            Body::Lines(lines, end) | Body::Blocks(lines, end) => {
                let text: String = lines.iter().map(|l| escape(l) + "\n").collect();
                out.push_str(&format!("<pre>\n{text}\n{}\n</pre>\n", escape(end)));
            }
        }
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            // Nothing that could confuse a reader of the page.
            c if c.is_control() && c != '\n' && c != '\t' => out.push('\u{fffd}'),
            c => out.push(c),
        }
        out
    })
}

fn table(out: &mut String, columns: &[(String, usize)], rows: &[Vec<String>]) {
    out.push_str("<table>\n<tr>");
    for (name, _) in columns {
        out.push_str(&format!("<th>{}</th>", escape(name.trim())));
    }
    out.push_str("</tr>\n");
    for row in rows {
        out.push_str("<tr>");
        for cell in row {
            out.push_str(&format!("<td>{}</td>", escape(cell.trim())));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n");
}

/// A chart of the numbers of messages by the names in the last column.
fn chart_of_table(out: &mut String, title: &str, columns: &[(String, usize)], rows: &[Vec<String>]) {
    if columns.last().is_none_or(|c| c.1 != 0) || rows.len() < 2 {
        return;
    }
    let bars: Vec<(&str, u64)> =
        rows.iter().take(MAX_BARS).filter_map(|r| Some((r.last()?.trim(), r.first()?.trim().parse().ok()?))).collect();
    let most = bars.iter().map(|b| b.1).max().unwrap_or(0).max(1);
    let height = bars.len() * 20;
    out.push_str(&format!("<svg width=\"700\" height=\"{height}\" role=\"img\" aria-label=\"{}\">\n", escape(title)));
    for (i, (name, n)) in bars.iter().enumerate() {
        let (y, width) = (i * 20, n * 350 / most);
        let short: String = name.chars().take(40).collect();
        out.push_str(&format!(
            "<text x=\"260\" y=\"{}\" text-anchor=\"end\">{}</text><rect x=\"270\" y=\"{}\" width=\"{width}\" height=\"14\">\
             <title>{}: {n}</title></rect><text x=\"{}\" y=\"{}\">{n}</text>\n",
            y + 14,
            escape(&short),
            y + 3,
            escape(name),
            275 + width,
            y + 14
        ));
    }
    out.push_str("</svg>\n");
}

/// Columns over the hours of the day, with the numbers in a table for those who cannot see them.
fn columns_chart(out: &mut String, title: &str, bars: &[(String, u64)]) {
    let most = bars.iter().map(|b| b.1).max().unwrap_or(0).max(1);
    let step = (960 / bars.len().max(1)).max(2);
    let width = step * bars.len() + 60;
    out.push_str(&format!("<svg width=\"{width}\" height=\"240\" role=\"img\" aria-label=\"{}\">\n", escape(title)));
    out.push_str(&format!(
        "<text x=\"45\" y=\"20\" text-anchor=\"end\">{most}</text><text x=\"45\" y=\"204\" text-anchor=\"end\">0</text>\n"
    ));
    let every = (bars.len() / 24).max(1);
    for (i, (label, n)) in bars.iter().enumerate() {
        let (x, height) = (50 + i * step, n * 190 / most);
        out.push_str(&format!(
            "<rect x=\"{x}\" y=\"{}\" width=\"{}\" height=\"{height}\"><title>{}: {n}</title></rect>",
            200 - height,
            step - 1,
            escape(label)
        ));
        if i % every == 0 {
            let hour = label.get(..2).unwrap_or_default();
            out.push_str(&format!("<text x=\"{x}\" y=\"216\">{}</text>", escape(hour)));
        }
        out.push('\n');
    }
    out.push_str("</svg>\n<details><summary>Numbers</summary>\n<table>\n");
    for (label, n) in bars {
        out.push_str(&format!("<tr><td>{}</td><td>{n}</td></tr>\n", escape(label)));
    }
    out.push_str("</table>\n</details>\n");
}
