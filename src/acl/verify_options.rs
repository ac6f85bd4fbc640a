//! The options of `verify = sender`, `recipient` and `header_sender`.

use bstr::{BString, ByteSlice};

use crate::config::values::parse_interval;
use crate::parse::list;
use crate::text::Text;
use crate::verify::{CalloutOptions, QuotaOptions, VerifyOptions};

/// What the options say.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// For the verification itself.
    pub options: VerifyOptions,
    /// `defer_ok`
    pub defer_ok: bool,
    /// `callout=defer_ok`
    pub callout_defer_ok: bool,
    /// `no_details`
    pub no_details: bool,
}

impl Parsed {
    /// Options that a recipient cannot have.
    pub fn check_for_recipient(&self) -> Result<(), String> {
        match &self.options.callout {
            Some(c) if c.use_sender && c.use_postmaster => {
                Err("only one of use_sender and use_postmaster can be set for a recipient callout".into())
            }
            _ => Ok(()),
        }
    }

    /// Options that a sender cannot have.
    pub fn check_for_sender(&self) -> Result<(), String> {
        self.check_for_recipient()?;
        if self.options.quota.is_some() {
            return Err("can only verify quota of recipient".into());
        }
        match &self.options.callout {
            Some(c) if c.use_sender || c.use_postmaster => {
                Err("use_sender or use_postmaster cannot be used for a sender verify callout".into())
            }
            _ => Ok(()),
        }
    }
}

/// Reads the options. `header_sender` may say where callouts come from.
pub fn parse(arg: &Text, options: &[BString], header_sender: bool) -> Result<Parsed, String> {
    let mut p = Parsed::default();
    for option in options {
        let lower = option.to_ascii_lowercase();
        match lower.as_slice() {
            b"defer_ok" => p.defer_ok = true,
            b"no_details" => p.no_details = true,
            b"success_on_redirect" => p.options.success_on_redirect = true,
            b"callout_defer_ok" => {
                p.callout_defer_ok = true;
                p.options.callout.get_or_insert_with(CalloutOptions::default);
            }
            b"check_postmaster" => {
                p.options.callout.get_or_insert_with(CalloutOptions::default).postmaster_mailfrom = Some(Text::new());
            }
            l if l.starts_with(b"callout") => {
                let mut callout = p.options.callout.take().unwrap_or_default();
                let rest = option.get(7..).unwrap_or_default();
                if !rest.is_empty() {
                    let sub = rest
                        .trim_start()
                        .strip_prefix(b"=")
                        .ok_or_else(|| format!("'=' expected after \"callout\" in ACL condition \"{arg}\""))?;
                    callout_options(arg, sub, header_sender, &mut callout, &mut p.callout_defer_ok)?;
                }
                p.options.callout = Some(callout);
            }
            l if l.starts_with(b"quota") => {
                p.options.quota = Some(quota_options(arg, option.get(5..).unwrap_or_default())?);
            }
            _ => return Err(format!("unknown option \"{option}\" in ACL condition \"verify {arg}\"")),
        }
    }
    Ok(p)
}

/// What follows `quota`.
fn quota_options(arg: &Text, rest: &[u8]) -> Result<QuotaOptions, String> {
    let mut q = QuotaOptions::default();
    if rest.is_empty() {
        return Ok(q);
    }
    let list =
        rest.trim_start().strip_prefix(b"=").ok_or_else(|| format!("'=' expected after \"quota\" in ACL condition \"{arg}\""))?;
    for item in list::items_with(list, b',') {
        let (name, value) = item.split_once_str("=").map_or((item.as_slice(), None), |(n, v)| (n.trim(), Some(v.trim())));
        let time = || {
            value
                .and_then(parse_interval)
                .ok_or_else(|| format!("bad time value for {} in ACL condition \"verify {arg}\"", name.as_bstr()))
        };
        match name.to_ascii_lowercase().as_slice() {
            b"cachepos" => q.positive = time()?,
            b"cacheneg" => q.negative = time()?,
            b"no_cache" if value.is_none() => q = QuotaOptions { positive: 0, negative: 0 },
            _ => return Err(format!("unknown quota option \"{item}\" in ACL condition \"verify {arg}\"")),
        }
    }
    Ok(q)
}

fn callout_options(
    arg: &Text,
    text: &[u8],
    header_sender: bool,
    c: &mut CalloutOptions,
    defer_ok: &mut bool,
) -> Result<(), String> {
    for item in list::items_with(text, b',') {
        let lower = item.to_ascii_lowercase();
        // The first name that the item begins with counts.
        let flag = [
            "defer_ok",
            "no_cache",
            "random",
            "use_sender",
            "use_postmaster",
            "use_tptsender",
            "postmaster_mailfrom",
            "postmaster",
            "fullpostmaster",
            "mailfrom",
            "maxwait",
            "connect",
            "hold",
        ]
        .into_iter()
        .find(|n| lower.starts_with(n.as_bytes()));
        let value = |name: &str| {
            item.get(name.len()..)
                .unwrap_or_default()
                .trim_start()
                .strip_prefix(b"=")
                .map(|v| v.trim_start())
                .ok_or_else(|| format!("'=' expected after \"{name}\" in ACL verify condition \"{arg}\""))
        };
        let time = |v: &[u8]| parse_interval(v).ok_or_else(|| format!("bad time value in ACL condition \"verify {arg}\""));
        match flag {
            Some("defer_ok") => *defer_ok = true,
            Some("no_cache") => c.no_cache = true,
            Some("random") => c.random = true,
            Some("use_sender") => c.use_sender = true,
            Some("use_postmaster") => c.use_postmaster = true,
            Some("use_tptsender") => {
                c.use_sender = true;
                c.use_tptsender = true;
            }
            Some(n @ "postmaster_mailfrom") => c.postmaster_mailfrom = Some(arg.piece(value(n)?)),
            Some("postmaster") => c.postmaster_mailfrom = Some(Text::new()),
            Some("fullpostmaster") => {
                c.postmaster_mailfrom = Some(Text::new());
                c.fullpostmaster = true;
            }
            Some(n @ "mailfrom") => {
                if !header_sender {
                    return Err(format!(
                        "\"mailfrom\" is allowed as a callout option only for verify=header_sender \
                         (detected in ACL condition \"{arg}\")"
                    ));
                }
                c.mailfrom = Some(arg.piece(value(n)?));
            }
            Some(n @ "maxwait") => c.overall = Some(time(value(n)?)?),
            Some(n @ "connect") => c.connect = Some(time(value(n)?)?),
            Some("hold") => c.hold = true,
            _ => c.timeout = time(&item)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(s: &str, header: bool) -> Result<Parsed, String> {
        let arg = Text::clean(s.to_string());
        let all: Vec<BString> = list::items_with(&arg, b'/').skip(1).collect();
        parse(&arg, &all, header)
    }

    #[test]
    fn callouts() {
        let o = p("sender/callout=10s,maxwait=1m,postmaster,random/defer_ok", false).unwrap();
        let c = o.options.callout.unwrap();
        assert_eq!((c.timeout, c.overall, c.random), (10, Some(60), true));
        assert!(o.defer_ok && c.postmaster_mailfrom.is_some());
        assert!(p("sender/callout=x", false).unwrap_err().starts_with("bad time value"));
        assert!(p("sender/callout=mailfrom=a@b", false).unwrap_err().contains("only for verify=header_sender"));
        assert!(p("header_sender/callout=mailfrom=a@b", true).is_ok());
        let q = p("recipient/quota=cachepos=20s,cacheneg=100s", false).unwrap().options.quota.unwrap();
        assert_eq!((q.positive, q.negative), (20, 100));
        assert_eq!(p("recipient/quota", false).unwrap().options.quota, Some(QuotaOptions::default()));
        assert!(p("recipient/quota=cachepos", false).is_err() && p("recipient/quota=x", false).is_err());
        assert!(p("sender/foo", false).unwrap_err().starts_with("unknown option \"foo\""));
    }
}
