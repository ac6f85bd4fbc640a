//! Where reports go: `rua=` addresses, and whether those outside of the domain want them (RFC 7489 7.1). The DNS is asked
//! through `exim -be`; nothing but letters, digits, dots and the like gets into what is expanded.

use super::history::is_domain;
use crate::utils::support::Exim;

/// An address for reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The address.
    pub address: String,
    /// Most bytes that it takes.
    pub limit: Option<u64>,
}

impl Target {
    fn domain(&self) -> &str {
        self.address.rsplit_once('@').map_or("", |(_, d)| d)
    }
}

/// Is it an address that can be used without thinking?
pub fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&c);
    (1..=64).contains(&local.len()) && local.bytes().all(plain) && !local.starts_with(['-', '|', '/', '.']) && is_domain(domain)
}

/// Reads `mailto:address!limit`. Other ways to report are not known here.
pub fn parse(uri: &str) -> Option<Target> {
    let rest = uri.get(..7).filter(|s| s.eq_ignore_ascii_case("mailto:")).and_then(|_| uri.get(7..))?;
    let (address, limit) = match rest.split_once('!') {
        Some((a, l)) => (a, Some(size(l)?)),
        None => (rest, None),
    };
    let address = address.replace("%21", "!").replace("%2C", ",");
    // A question mark begins further header fields, or was something else before it came into the history.
    (is_address(&address) && !address.contains('?')).then_some(Target { address, limit })
}

/// `10m`: bytes.
fn size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.to_ascii_lowercase().strip_suffix(['k', 'm', 'g', 't']) {
        Some(d) => (d.to_string(), ["k", "m", "g", "t"].iter().position(|u| text.to_ascii_lowercase().ends_with(u))? + 1),
        None => (text.to_string(), 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1024u64.checked_pow(u32::try_from(shift).ok()?)?)
}

/// The address, or those that its domain names in its place; nothing if it does not want reports about `domain`.
/// An error: the DNS does not answer now.
pub fn that_want_it(exim: &Exim, domain: &str, target: Target) -> Result<Vec<Target>, String> {
    let there = target.domain().to_ascii_lowercase();
    if there == domain || organisational(exim, &there)? == organisational(exim, domain)? {
        return Ok(vec![target]);
    }
    let name = format!("{domain}._report._dmarc.{there}");
    let answer = exim.ask(&["-be", &format!("${{lookup dnsdb{{defer_strict,txt={name}}}{{found:$value}}{{none:}}}}")])?;
    let Some(text) = answer.strip_prefix("found:") else {
        return if answer.starts_with("none:") { Ok(Vec::new()) } else { Err(format!("the DNS has no answer for {name}")) };
    };
    let Some(record) = text.lines().map(|l| l.replace(' ', "")).find(|l| l.starts_with("v=DMARC1")) else {
        return Ok(Vec::new());
    };
    // Other addresses may be given, but only of the same domain.
    let instead: Vec<Target> = record
        .split(';')
        .find_map(|t| t.strip_prefix("rua="))
        .map(|list| list.split(',').filter_map(parse).filter(|t| t.domain().eq_ignore_ascii_case(&there)).collect())
        .unwrap_or_default();
    Ok(if instead.is_empty() { vec![target] } else { instead })
}

/// The domain that was registered; the same as the program's own without dmarc_tld_file: two labels.
fn organisational(exim: &Exim, domain: &str) -> Result<String, String> {
    if !is_domain(domain) {
        return Err("bad domain".into());
    }
    let list = exim.option("dmarc_tld_file")?;
    if !list.is_empty() {
        let found = exim.ask(&["-be", &format!("${{lookup{{{domain}}}regdom{{{list}}}}}")])?;
        if is_domain(found.trim_end()) {
            return Ok(found.trim_end().to_string());
        }
    }
    let labels: Vec<&str> = domain.split('.').collect();
    Ok(labels.get(labels.len().saturating_sub(2)..).unwrap_or_default().join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let t = |uri: &str| parse(uri).map(|t| (t.address, t.limit));
        assert_eq!(t("mailto:a@b.ex"), Some(("a@b.ex".into(), None)));
        assert_eq!(t("MAILTO:a@b.ex!10k"), Some(("a@b.ex".into(), Some(10_240))));
        assert_eq!(t("mailto:a@b.ex!2"), Some(("a@b.ex".into(), Some(2))));
        for bad in [
            "a@b.ex",
            "https://b.ex/",
            "mailto:a@b.ex!x",
            "mailto:a@b.ex!99999999999999999999g",
            "mailto:a@b.ex!9999999999999999t",
            "mailto:-a@b.ex",
            "mailto:|cat@b.ex",
            "mailto:a b@b.ex",
            "mailto:a?b@b.ex",
            "mailto:a@b..ex",
            "mailto:a@${x}",
            "mailto:@b.ex",
            "mailto:",
            "ma\u{e9}lto:",
        ] {
            assert_eq!(t(bad), None, "{bad}");
        }
    }
}
