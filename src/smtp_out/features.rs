//! What a server offers in its answer to EHLO (or LHLO).

use bstr::{BString, ByteSlice};

use super::reply::Reply;

/// The extensions that this client can use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// STARTTLS
    pub starttls: bool,
    /// PIPELINING
    pub pipelining: bool,
    /// CHUNKING
    pub chunking: bool,
    /// PRDR
    pub prdr: bool,
    /// DSN
    pub dsn: bool,
    /// REQUIRETLS
    pub requiretls: bool,
    /// SMTPUTF8
    pub smtputf8: bool,
    /// 8BITMIME
    pub eightbitmime: bool,
    /// IGNOREQUOTA (LMTP)
    pub ignore_quota: bool,
    /// PIPECONNECT or X_PIPE_CONNECT
    pub pipe_connect: bool,
    /// SIZE, with its value; 0 if it has none.
    pub size: Option<u64>,
    /// AUTH: the mechanisms. `None`: not offered.
    pub auth: Option<Vec<BString>>,
    /// LIMITS: MAILMAX, 0 if not given.
    pub mail_max: u32,
    /// LIMITS: RCPTMAX.
    pub rcpt_max: u32,
    /// LIMITS: RCPTDOMAINMAX.
    pub rcpt_domain_max: u32,
    /// All lines were looked at, LIMITS may be heeded.
    pub esmtp: bool,
}

impl Features {
    /// Reads an answer to EHLO.
    pub fn parse(reply: &Reply) -> Self {
        let mut f = Features { esmtp: true, ..Features::default() };
        for line in reply.keywords() {
            let mut words = line.fields();
            let Some(keyword) = words.next() else { continue };
            match keyword.to_ascii_uppercase().as_slice() {
                b"STARTTLS" => f.starttls = true,
                b"PIPELINING" => f.pipelining = true,
                b"CHUNKING" => f.chunking = true,
                b"PRDR" => f.prdr = true,
                b"DSN" => f.dsn = true,
                b"REQUIRETLS" => f.requiretls = true,
                b"SMTPUTF8" => f.smtputf8 = true,
                b"8BITMIME" => f.eightbitmime = true,
                b"IGNOREQUOTA" => f.ignore_quota = true,
                b"PIPECONNECT" | b"PIPE_CONNECT" | b"X_PIPE_CONNECT" => f.pipe_connect = true,
                b"SIZE" => f.size = Some(words.next().and_then(number).unwrap_or(0)),
                b"AUTH" => f.auth.get_or_insert_default().extend(words.map(BString::from)),
                b"LIMITS" => {
                    for word in words {
                        let Some((name, value)) = word.split_once_str("=") else { continue };
                        let n = number(value).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
                        match name.to_ascii_uppercase().as_slice() {
                            b"MAILMAX" => f.mail_max = n,
                            b"RCPTMAX" => f.rcpt_max = n,
                            b"RCPTDOMAINMAX" => f.rcpt_domain_max = n,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        f
    }
}

fn number(s: &[u8]) -> Option<u64> {
    if s.len() > 18 || !s.iter().all(u8::is_ascii_digit) {
        return None;
    }
    s.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer() {
        let text = "250-host Hello\n250-SIZE 52428800\n250-8BITMIME\n250-AUTH PLAIN LOGIN\n250-LIMITS RCPTMAX=5 MAILMAX=x\n250-STARTTLS\n250 HELP";
        let f = Features::parse(&Reply { text: text.into() });
        assert!(f.starttls && f.eightbitmime && !f.pipelining);
        assert_eq!(f.size, Some(52_428_800));
        assert_eq!(f.auth.unwrap(), ["PLAIN", "LOGIN"]);
        assert_eq!((f.rcpt_max, f.mail_max), (5, 0));
        // The first line is a greeting, whatever it says.
        assert!(!Features::parse(&Reply { text: "250 STARTTLS".into() }).starttls);
    }
}
