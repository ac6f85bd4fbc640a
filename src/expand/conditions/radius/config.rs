//! The configuration file of a RADIUS client, in the form of the radiusclient library: a word and its value on each line, and a
//! second file with the servers' secrets. Only what a password check needs is looked at. No I/O but the reading of these files.

use std::time::Duration;

use bstr::{BString, ByteSlice};

/// What the files say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Servers to ask in turn: host, port, secret.
    pub servers: Vec<Server>,
    /// For one answer.
    pub wait: Duration,
    /// How often the same server is asked again.
    pub retries: u32,
    /// What we call ourselves; the host's name if it is not given.
    pub nas: Option<BString>,
}

/// One server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    pub host: BString,
    pub port: u16,
    pub secret: BString,
}

const PORT: u16 = 1812;
/// More servers, a longer wait, more attempts than anybody wants.
const MAX_SERVERS: usize = 8;
const MAX_WAIT: u64 = 60;
const MAX_RETRIES: u32 = 10;
const MAX_FILE: usize = 1 << 20;

/// Reads the file, and the one with the secrets.
pub fn read(name: &[u8]) -> Result<Config, String> {
    let text = file(name)?;
    let secrets = match value(&text, b"servers") {
        Some(name) => file(name)?,
        None => BString::default(),
    };
    parse(&text, &secrets)
}

fn file(name: &[u8]) -> Result<BString, String> {
    let failed = |e: &std::io::Error| format!("cannot read {}: {}", name.as_bstr(), crate::sys::error_text(e));
    let path = name.to_path().map_err(|_| format!("bad file name {}", name.as_bstr()))?;
    let text = std::fs::read(path).map_err(|e| failed(&e))?;
    if text.len() > MAX_FILE { Err(format!("{} is too long", name.as_bstr())) } else { Ok(text.into()) }
}

/// Lines with a word and a value; `#` begins a comment.
fn lines(text: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    text.lines().filter_map(|line| {
        let line = line.trim();
        let end = line.find_byteset(b" \t").filter(|_| !line.starts_with(b"#"))?;
        let (word, value) = line.split_at_checked(end)?;
        Some((word, value.trim()))
    })
}

fn value<'a>(text: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    lines(text).filter(|(word, _)| *word == wanted).map(|(_, v)| v).last()
}

fn parse(text: &[u8], secrets: &[u8]) -> Result<Config, String> {
    let number = |name: &str, default: u64| match value(text, name.as_bytes()) {
        None => Ok(default),
        Some(v) => v.to_str().ok().and_then(|v| v.parse().ok()).ok_or_else(|| format!("bad {name}: {}", v.as_bstr())),
    };
    let mut out = Config {
        servers: Vec::new(),
        wait: Duration::from_secs(number("radius_timeout", 10)?.clamp(1, MAX_WAIT)),
        retries: u32::try_from(number("radius_retries", 3)?).unwrap_or(MAX_RETRIES).min(MAX_RETRIES),
        nas: value(text, b"nas-identifier").or(value(text, b"nas_identifier")).map(BString::from),
    };
    for (_, list) in lines(text).filter(|(word, _)| *word == b"authserver") {
        for item in list.fields() {
            out.servers.push(server(item.trim_end_with(|c| c == ','), secrets)?);
        }
    }
    match out.servers.len() {
        0 => Err("no authserver is set".into()),
        n if n > MAX_SERVERS => Err("there are too many of authserver".into()),
        _ => Ok(out),
    }
}

/// `host`, `host:port`, `host:port:secret`; an IPv6 address stands in brackets.
fn server(item: &[u8], secrets: &[u8]) -> Result<Server, String> {
    let bad = || format!("bad authserver: {}", item.as_bstr());
    let (host, rest) = match item.strip_prefix(b"[") {
        Some(inner) => inner.split_once_str(b"]").ok_or_else(bad)?,
        None => item.split_at_checked(item.find_byte(b':').unwrap_or(item.len())).ok_or_else(bad)?,
    };
    let mut parts = rest.splitn_str(3, b":").skip(1);
    let port = match parts.next() {
        None | Some(b"") => PORT,
        Some(p) => p.to_str().ok().and_then(|p| p.parse().ok()).ok_or_else(bad)?,
    };
    let secret = match parts.next() {
        Some(s) => Some(s),
        // A line may name two hosts, `us/them`.
        None => lines(secrets).find(|(word, _)| word.split_str(b"/").any(|w| w == host)).map(|(_, s)| s),
    };
    let secret = secret.filter(|s| !s.is_empty()).ok_or_else(|| format!("no secret for the server {}", host.as_bstr()))?;
    if host.is_empty() { Err(bad()) } else { Ok(Server { host: host.into(), port, secret: secret.into() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files() {
        let text =
            b"# x\nauth_order\tradius\nauthserver  one.ex:1812\nauthserver [::1]:99:s:x\n radius_timeout 4\nradius_retries 1\n";
        let c = parse(text, b"# c\none.ex   s1\n127.0.0.1/two.ex\ts2\n").unwrap();
        let server = |host: &str, port, secret: &str| Server { host: host.into(), port, secret: secret.into() };
        assert_eq!(c.servers, [server("one.ex", 1812, "s1"), server("::1", 99, "s:x")]);
        assert_eq!((c.wait, c.retries, c.nas), (Duration::from_secs(4), 1, None));
        let c = parse(b"authserver two.ex\nnas-identifier me\n", b"127.0.0.1/two.ex\ts2\n").unwrap();
        assert_eq!((c.servers[0].secret.to_string(), c.nas), ("s2".into(), Some("me".into())));
    }

    #[test]
    fn hostile() {
        for text in [
            "",
            "authserver h",
            "authserver h:x:s",
            "authserver :1:s",
            "authserver [::1:1:s",
            "authserver h:70000:s",
            "authserver h:1:s\nradius_timeout x\n",
            "authserver h:1:\n",
        ] {
            assert!(parse(text.as_bytes(), b"").is_err(), "{text}");
        }
        assert!(parse("authserver h:1:s\n".repeat(9).as_bytes(), b"").is_err());
    }
}
