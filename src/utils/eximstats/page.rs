//! Takes reports apart for `merge`: titles and lines, of text and of HTML pages alike.

use super::html::SECTION;

/// What a report consists of.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// A report begins: `FIRST to LAST`.
    Report(String),
    Section(String),
    /// Cells of an HTML table are separated by tabs.
    Line(String),
}

const TITLE: &str = "Exim statistics";

/// Lines that come one by one.
#[derive(Default)]
pub struct Items {
    /// A line of text that is a title if it is underlined.
    held: Option<String>,
    html: bool,
    /// Up to where a page is passed over.
    skip: Option<&'static str>,
}

impl Items {
    /// What is known with this line, or at the end.
    pub fn next(&mut self, line: Option<&str>) -> Vec<Item> {
        let Some(line) = line else { return self.release() };
        let start = line.trim_start().as_bytes();
        let tag = |t: &str| start.get(..t.len()).is_some_and(|s| s.eq_ignore_ascii_case(t.as_bytes()));
        if tag("<!DOCTYPE html") || tag("<html") {
            self.html = true;
        }
        if self.html { self.page(line) } else { self.text(line) }
    }

    fn release(&mut self) -> Vec<Item> {
        self.held.take().filter(|l| !l.trim().is_empty()).map(Item::Line).into_iter().collect()
    }

    fn text(&mut self, line: &str) -> Vec<Item> {
        if let Some(title) = self.held.take_if(|held| {
            !held.is_empty() && line.bytes().all(|b| b == b'-') && [held.len(), held.chars().count()].contains(&line.len())
        }) {
            return vec![Item::Section(title)];
        }
        let mut items = self.release();
        match line.strip_prefix(TITLE) {
            Some(span) => items.push(Item::Report(span.trim_start_matches(" from ").to_string())),
            None => self.held = Some(line.to_string()),
        }
        items
    }

    fn page(&mut self, line: &str) -> Vec<Item> {
        let bare = line.trim();
        if let Some(end) = self.skip {
            if bare.contains(end) {
                self.skip = None;
            }
            return Vec::new();
        }
        // What is drawn, and the list of contents.
        for (begin, end) in [("<svg", "</svg>"), ("<style", "</style>"), ("<title", "</title>"), ("<li>", "")] {
            if bare.starts_with(begin) {
                self.skip = (!bare.contains(end)).then_some(end);
                return Vec::new();
            }
        }
        if bare.starts_with("</html") {
            self.html = false;
        }
        if let Some((_, title)) = bare.split_once("<h1>") {
            return vec![Item::Report(plain(title).trim_start_matches(TITLE).trim_start_matches(" from ").to_string())];
        }
        if let Some((_, title)) = bare.split_once(SECTION).and_then(|(_, rest)| rest.split_once('>')) {
            return vec![Item::Section(plain(title).trim().to_string())];
        }
        let text = plain(line);
        if text.trim().is_empty() { Vec::new() } else { vec![Item::Line(text)] }
    }
}

/// Text without tags; the ends of cells become tabs. The reference's pages have addresses in angle brackets: they are no tags.
fn plain(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((text, after)) = rest.split_once('<') {
        out.push_str(text);
        let tag = after.split_once('>').map(|(tag, after)| (tag.split(' ').next().unwrap_or(tag), after));
        match tag {
            Some(("/td" | "/th", _)) => out.push('\t'),
            Some(("br", _)) => out.push(' '),
            Some((t, _)) if is_tag(t) => {}
            _ => {
                out.push('<');
                rest = after;
                continue;
            }
        }
        rest = tag.map_or("", |t| t.1);
    }
    out.push_str(rest);
    let entities = [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
    entities.iter().fold(out, |out, (entity, c)| out.replace(entity, c))
}

fn is_tag(name: &str) -> bool {
    let name = name.trim_start_matches(['/', '!']);
    !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(lines: &str) -> Vec<Item> {
        let mut items = Items::default();
        let mut all: Vec<Item> = lines.lines().flat_map(|l| items.next(Some(l))).collect();
        all.extend(items.next(None));
        all
    }

    #[test]
    fn both_forms() {
        let wanted = |line: &str| vec![Item::Report("a to b".into()), Item::Section("Top <5>".into()), Item::Line(line.into())];
        assert_eq!(items("\nExim statistics from a to b\n\nTop <5>\n-------\n  x  1\n"), wanted("  x  1"));
        let page = "<!DOCTYPE html>\n<title>Exim statistics from a to b</title>\n<h1>Exim statistics from a to b</h1>\n\
                    <li><a href=x>y</a>\n<hr><h2 id=\"s0\">Top &lt;5&gt;</h2>\n<svg>\n<text>9</text>\n</svg>\n<tr><td>x</td><td>1</td></tr>\n";
        assert_eq!(items(page), wanted("x\t1\t"));
        assert_eq!(
            items("<html>\n<td>\n<h1>\n<h2>x<\n\u{e9}<"),
            [Item::Report(String::new()), Item::Section("x<".into()), Item::Line("\u{e9}<".into())]
        );
        assert_eq!(plain("<td>a <> <b@c.ex></td>"), "a <> <b@c.ex>\t");
        assert_eq!(items("-\n--\n\n---"), [Item::Line("-".into()), Item::Line("--".into()), Item::Line("---".into())]);
    }
}
