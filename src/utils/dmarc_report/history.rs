//! Reads the history of `dmarc_history_file`: lines of a name and a value, `job` begins a block.

use std::fmt::Write as _;
use std::io::BufRead;
use std::net::IpAddr;

/// A longer line spoils its block.
const MAX_LINE: u64 = 4096;
/// More blocks than this are left for another day: the rest is dropped, and counted as malformed.
const MAX_BLOCKS: usize = 2_000_000;
/// More signatures and addresses than this are not looked at.
const MAX_LIST: usize = 20;

/// What the history says of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Unix time.
    pub received: i64,
    /// The client.
    pub ip: IpAddr,
    /// The domain in From:.
    pub from: String,
    /// The domain that SPF looked at.
    pub mail_from: String,
    /// opendmarc's number of the SPF result.
    pub spf: i32,
    /// Domain, selector and number of each DKIM result.
    pub dkim: Vec<(String, String, i32)>,
    /// The domain whose policy was used.
    pub policy_domain: String,
    /// opendmarc's number of what the policy says.
    pub policy: i32,
    /// Addresses as the record has them.
    pub rua: Vec<String>,
    /// `pct=`
    pub percent: u32,
    /// `adkim=`, `aspf=`: s or r.
    pub modes: (char, char),
    /// `p=`, `sp=`: n, q or r.
    pub policies: (Option<char>, Option<char>),
    /// `fo=`
    pub failure: String,
    /// DKIM and SPF vouch for the domain.
    pub aligned: (bool, bool),
    /// opendmarc's number of what was done.
    pub action: i32,
    /// The lines as they were, to be written back.
    lines: Vec<String>,
}

impl Block {
    /// Is there somebody who may want to know?
    pub fn is_wanted(&self) -> bool {
        const RECORD_WAS_USED: std::ops::RangeInclusive<i32> = 15..=18;
        RECORD_WAS_USED.contains(&self.policy) && !self.rua.is_empty()
    }

    /// As it stood in the history.
    pub fn text(&self) -> String {
        self.lines.iter().fold(String::new(), |mut t, l| {
            // A String takes everything.
            let _ = writeln!(t, "{l}");
            t
        })
    }
}

/// A domain that can stand in names of files and in questions to the DNS.
pub fn is_domain(s: &str) -> bool {
    let label = |l: &str| (1..=63).contains(&l.len()) && l.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c));
    (1..=253).contains(&s.len()) && s.split('.').all(label) && !s.starts_with('-')
}

/// All blocks that make sense, and how many do not.
pub fn read(mut input: impl BufRead) -> std::io::Result<(Vec<Block>, usize)> {
    let (mut blocks, mut bad) = (Vec::new(), 0);
    let mut lines: Vec<String> = Vec::new();
    let mut spoilt = false;
    loop {
        let mut line = Vec::new();
        let n = std::io::Read::take(&mut input, MAX_LINE).read_until(b'\n', &mut line)?;
        let whole = line.last() == Some(&b'\n');
        let text = String::from_utf8_lossy(&line).trim_end().to_string();
        if n == 0 || text.starts_with("job ") {
            match parse(std::mem::take(&mut lines)).filter(|_| !spoilt && blocks.len() < MAX_BLOCKS) {
                Some(Some(b)) => blocks.push(b),
                Some(None) => {}
                None => bad += 1,
            }
            spoilt = false;
        }
        if n == 0 {
            return Ok((blocks, bad));
        }
        // The end of a line that is too long would look like a line.
        spoilt |= !whole || lines.len() > 100;
        if !spoilt {
            lines.push(text);
        }
    }
}

/// `Some(None)`: there is nothing. `None`: it makes no sense.
fn parse(lines: Vec<String>) -> Option<Option<Block>> {
    if lines.is_empty() {
        return Some(None);
    }
    let get = |name: &str| lines.iter().find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
    let all = |name: &'static str| lines.iter().filter_map(move |l| l.strip_prefix(name)?.strip_prefix(' ')).take(MAX_LIST);
    let number = |name: &str| get(name)?.parse::<i32>().ok();
    let letter = |name: &str| number(name).and_then(|n| u8::try_from(n).ok()).map(char::from);
    let policy = |name: &str| letter(name).filter(|c| "nqr".contains(*c));
    let domain = |name: &str| Some(get(name)?.to_ascii_lowercase()).filter(|d| is_domain(d));
    let from = match get("from") {
        // A message without a domain in From: has no policy either.
        None | Some("") => String::new(),
        Some(_) => domain("from")?,
    };
    let signature = |line: &str| {
        let mut words = line.split(' ');
        let (d, s, code) = (words.next()?, words.next()?, words.next()?);
        Some((d.to_string(), s.to_string(), code.parse().ok()?))
    };
    Some(Some(Block {
        received: get("received")?.parse().ok().filter(|t| *t > 0)?,
        ip: get("ipaddr")?.parse().ok()?,
        mail_from: domain("mfrom").unwrap_or_default(),
        spf: number("spf")?,
        dkim: all("dkim").filter_map(signature).collect(),
        policy_domain: if from.is_empty() { String::new() } else { domain("pdomain")? },
        policy: if from.is_empty() { 0 } else { number("policy")? },
        rua: all("rua").filter(|u| *u != "-").map(str::to_string).collect(),
        percent: number("pct").and_then(|n| u32::try_from(n).ok()).filter(|n| *n <= 100)?,
        modes: (letter("adkim").filter(|c| *c == 's').unwrap_or('r'), letter("aspf").filter(|c| *c == 's').unwrap_or('r')),
        policies: (policy("p"), policy("sp")),
        failure: get("fo").filter(|f| f.len() < 8 && f.bytes().all(|c| b"01ds:".contains(&c))).unwrap_or("0").to_string(),
        aligned: (number("align_dkim") == Some(4), number("align_spf") == Some(4)),
        action: number("action")?,
        from,
        lines,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "job 1\nreporter h\nreceived 1700000000\nipaddr 10.0.0.1\nfrom a.ex\nmfrom b.ex\nspf 0\ndkim a.ex sel 7\n\
                        pdomain a.ex\npolicy 16\nrua mailto:r@a.ex\nrua mailto:s@a.ex!1m\npct 100\nadkim 115\naspf 114\np 114\n\
                        sp 0\nalign_dkim 5\nalign_spf 5\naction 0\n";

    fn blocks(text: &str) -> (Vec<Block>, usize) {
        read(text.as_bytes()).unwrap()
    }

    #[test]
    fn good_ones() {
        let (found, bad) = blocks(&[GOOD, GOOD].concat());
        assert_eq!((found.len(), bad), (2, 0));
        let b = &found[0];
        assert_eq!((b.policies, b.modes, b.aligned), ((Some('r'), None), ('s', 'r'), (false, false)));
        assert_eq!(b.rua.len(), 2);
        assert!(b.is_wanted());
        assert_eq!((b.text().as_str(), b.failure.as_str()), (GOOD, "0"));
        let with = |fo: &str| blocks(&GOOD.replace("sp 0\n", &format!("sp 0\nfo {fo}\n"))).0[0].failure.clone();
        assert_eq!((with("1:d").as_str(), with("<x>").as_str()), ("1:d", "0"));
    }

    #[test]
    fn bad_ones() {
        let long = format!("from {}", "a".repeat(10_000));
        for (from, to) in [
            ("received 1700000000", "received x"),
            ("ipaddr 10.0.0.1", "ipaddr localhost"),
            ("from a.ex", "from a/../ex"),
            ("from a.ex", "from a..ex"),
            ("pdomain a.ex", "pdomain ${run{x}}"),
            ("pct 100", "pct 101"),
            ("spf 0", "spf"),
            ("action 0\n", ""),
            ("from a.ex", &long),
        ] {
            let (found, bad) = blocks(&[&GOOD.replace(from, to), GOOD].concat());
            assert_eq!((found.len(), bad), (1, 1), "{}", &to[..to.len().min(40)]);
        }
        assert!(!blocks(&GOOD.replace("policy 16", "policy 14")).0[0].is_wanted());
        assert_eq!(blocks("").0.len(), 0);
        assert_eq!(blocks("\u{0}\n\n\n").1, 1);
    }
}
