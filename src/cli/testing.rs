//! The testing modes that have no room of their own: `-brt`, `-brw`, `-bmalware`.
//!
//! The dispatcher calls them; output goes to standard output.

use std::io::Write as _;

use bstr::{BString, ByteSlice};

use super::options::{Options, Refusal};
use super::parse::refuse;
use crate::config::values::show_time;
use crate::context::Context;
use crate::retry::rules::parse_error;
use crate::retry::{RetryError, RetryRule, errors, find};
use crate::scan::malware::FileTest;
use crate::text::Text;

/// `-brw address`. Like the reference it looks at one address, and passes over further words.
pub fn rewriting(ctx: &mut Context, o: &Options) -> Result<i32, Refusal> {
    let Some(address) = o.arguments.first() else {
        return Err(Refusal::Said("-brw needs an address argument".into()));
    };
    super::privilege::become_exim(&ctx.config)?;
    let out = crate::rewrite::try_out(ctx, address);
    std::io::stdout().write_all(&out).map_err(|e| refuse(crate::sys::error_text(&e)))?;
    Ok(0)
}

/// `-bmalware file`: the status is 0 if nothing was found.
pub fn malware(ctx: &mut Context, file: &BString) -> Result<i32, Refusal> {
    if !crate::build_options::WITH_CONTENT_SCAN {
        return Err(refuse("-bmalware: this build has no content scanning"));
    }
    super::privilege::become_exim(&ctx.config)?;
    match crate::scan::malware::test_file(ctx, file) {
        FileTest::Clean => {
            println!("No malware found.");
            return Ok(0);
        }
        FileTest::Found(name) => println!("Malware found: {name}"),
        FileTest::Failed => println!("Malware lookup returned non-okay/fail: 1"),
    }
    Ok(1)
}

/// `-brt address-or-domain [domain] [error]`
pub fn retry(ctx: &mut Context, o: &Options) -> Result<i32, Refusal> {
    let mut words = o.arguments.iter();
    let Some(key) = words.next() else {
        return Err(Refusal::Said("-brt needs a domain or address argument".into()));
    };
    super::privilege::become_exim(&ctx.config)?;
    if !key.contains(&b'@') && !key.contains(&b'.') {
        println!(
            "Warning: \"{key}\" contains no '@' and no '.' characters. It is being \n\
             treated as a one-component domain, not as a local part.\n"
        );
    }
    let mut next = words.next();
    let other = next.filter(|w| w.contains(&b'.'));
    if other.is_some() {
        next = words.next();
    }
    let (mut basic, mut more) = (0, 0);
    if let Some(name) = next {
        match parse_error(name) {
            Ok((error, _)) => (basic, more) = numbers(&error),
            Err(text) => return Err(Refusal::Said(text)),
        }
    }
    ctx.message.sender = o.sender.as_ref().map(|s| Text::clean(s.to_vec()));
    let config = ctx.config.clone();
    match find::find_rule(ctx, &config.retry, key, other.map(|w| w.as_slice()), basic, more) {
        Some(rule) => println!("Retry rule: {}", shown(rule)),
        None => println!("No retry information found"),
    }
    Ok(0)
}

/// The numbers of a failure that a named error stands for.
fn numbers(error: &RetryError) -> (i32, i32) {
    match error {
        RetryError::Any => (0, 0),
        RetryError::Plain(n) => (*n, 0),
        RetryError::Refused(o) => (libc::ECONNREFUSED, o.map_or(0, i32::from)),
        RetryError::Timeout(o, connect) => {
            (libc::ETIMEDOUT, o.map_or(0, i32::from) | if *connect { errors::CONNECT_BIT } else { 0 })
        }
        RetryError::Smtp(n, tens, units) => {
            let code = tens.map_or(255, |t| i32::from(t) * 10 + units.map_or(0, i32::from));
            (*n, code << 8)
        }
        RetryError::Quota(time) => (errors::QUOTA, time.map_or(0, |t| i32::try_from(t).unwrap_or(i32::MAX))),
        RetryError::Lookup => (errors::UNKNOWN_HOST, 0),
        RetryError::Tls => (errors::TLS_REQUIRED, 0),
    }
}

/// A rule as the reference prints it: some errors by name, the others as `*`.
fn shown(rule: &RetryRule) -> String {
    let origin = |o: &Option<u8>| match o {
        Some(b'A') => "_A",
        Some(_) => "_MX",
        None => "",
    };
    let error = match &rule.error {
        RetryError::Quota(None) => "quota".to_string(),
        RetryError::Quota(Some(t)) => format!("quota_{}", show_time(*t)),
        RetryError::Refused(o) => format!("refused{}", origin(o)),
        RetryError::Timeout(o, connect) => format!("timeout{}{}", if *connect { "_connect" } else { "" }, origin(o)),
        RetryError::Plain(errors::AUTH_FAIL) => "auth_failed".to_string(),
        _ => "*".to_string(),
    };
    let mut out = format!("{}  {error}  ", rule.pattern.raw().as_bstr());
    for s in &rule.steps {
        out.push_str(&format!("{},{},{}", char::from(s.letter), show_time(s.timeout), show_time(s.interval)));
        if s.letter == b'G' {
            out.push_str(&format!(",{}.{}", s.factor / 1000, fraction(s.factor)));
        }
        out.push_str("; ");
    }
    out
}

/// The decimals of a number of thousandths, at least one.
fn fraction(thousandths: i64) -> String {
    let digits = format!("{:03}", thousandths % 1000);
    let short = digits.trim_end_matches('0');
    if short.is_empty() { "0".into() } else { short.into() }
}
